"""How commands fail: one readable message, the right exit code, a traceback only when asked for."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from deployments.cli.failing import report_failure
from schemas.errors import ConfigurationError, HeldError, SamkatError, UsageError


@pytest.fixture(autouse=True)
def no_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAMKAT_DEBUG", raising=False)


def test_the_message_says_cause_place_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    error = UsageError("no 245 $a", file="day.mrc", position=11, field="245", remedy="ask the supplier")
    assert report_failure(error, as_json=False) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "Error: no 245 $a\n  where: day.mrc, record 11, 245\n  what to do: ask the supplier\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("x"), 2), (ConfigurationError("x"), 2), (HeldError("x"), 3), (SamkatError("x"), 4), (OSError("x"), 4)],
)
def test_each_kind_of_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert report_failure(error, as_json=False) == code


def test_with_json_the_error_is_the_one_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    report_failure(UsageError("no such file", file="a[b].mrc"), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_code"], document["error"]["file"], document["error"]["cause"]) == (
        2,
        "a[b].mrc",
        "no such file",
    )


def test_every_error_of_a_batch_is_told_and_the_worst_code_counts(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("2", [HeldError("held"), ExceptionGroup("1", [SamkatError("failed", file="b.mrc")])])
    assert report_failure(group, as_json=False) == 4
    assert capsys.readouterr().err == "Error: held\nError: failed\n  where: b.mrc\n"


def test_a_fault_of_the_database_hides_the_statement_and_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    error = sa.exc.OperationalError(
        "SELECT name FROM core_patron", {"name": "secret"}, Exception("disk I/O error\nmore")
    )
    assert report_failure(error, as_json=False) == 4
    told = capsys.readouterr().err
    assert "the warehouse reports: disk I/O error" in told
    assert "SELECT" not in told
    assert "secret" not in told


def test_a_missing_file_that_nobody_expected_is_still_named(capsys: pytest.CaptureFixture[str]) -> None:
    report_failure(FileNotFoundError(2, "No such file or directory", "/x/y"), as_json=False)
    assert capsys.readouterr().err.startswith("Error: No such file or directory\n  where: /x/y\n")


def test_an_unexpected_error_says_so_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(KeyError("x"), as_json=False) == 4
    told = capsys.readouterr().err
    assert told.startswith("Error: unexpected KeyError: 'x'\n  what to do: SAMKAT_DEBUG=1 shows where")
    assert "Traceback" not in told


@pytest.mark.parametrize(("value", "is_shown"), [("1", True), ("true", True), ("0", False), ("no", False), ("", False)])
def test_a_traceback_is_shown_where_samkat_debug_asks_for_it(
    value: str, is_shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMKAT_DEBUG", value)
    try:
        raise UsageError("wrong")
    except UsageError as error:
        report_failure(error, as_json=False)
    assert ("Traceback" in capsys.readouterr().err) is is_shown
