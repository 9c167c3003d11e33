"""The login of a home: made once, for its owner alone, and recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.login import authorization, known_login, login_file, make_login
from schemas.errors import ConfigurationError


def test_a_login_is_made_once_and_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    assert known_login(tmp_path) is None
    login = make_login(tmp_path)
    user, _, password = login.partition(":")
    assert (user, len(password)) == ("samkat", 32)
    assert login_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert make_login(tmp_path) == known_login(tmp_path) == login


def test_two_homes_have_two_logins(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert make_login(tmp_path / "one") != make_login(tmp_path / "two")


@pytest.mark.parametrize("left", ["", "samkat", "samkat:", ":password", "samkat:two words", "a:b\nc:d"])
def test_a_file_that_holds_no_login_is_an_error_not_an_open_door(tmp_path: Path, left: str) -> None:
    login_file(tmp_path).write_text(left)
    assert known_login(tmp_path) is None
    with pytest.raises(ConfigurationError, match="does not hold user:password"):
        make_login(tmp_path)


def test_a_request_logs_in_by_a_header(tmp_path: Path) -> None:
    assert authorization("samkat:word") == {"Authorization": "Basic c2Fta2F0OndvcmQ="}
    assert authorization(None) == {}
