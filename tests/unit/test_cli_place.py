"""What a command works on: suppliers, libraries and files that are there, or an error that helps."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER, Settings
from deployments.cli import place
from schemas.errors import ConfigurationError, UsageError
from schemas.register.register import Register
from tasks.warehouse.engine import connect
from tasks.warehouse.migrate import head_revision, migrate


@pytest.fixture(scope="module")
def register() -> Register:
    return read_register(SAMPLE_REGISTER)


def test_a_known_supplier_is_returned(register: Register) -> None:
    assert place.known_supplier("NORDBOK", register).name == "Nordbok Distribusjon AS"


def test_an_unknown_export_profile_is_refused_before_any_run_names_the_nearest_and_all(register: Register) -> None:
    assert place.known_export_profile("solberg", register).name == "solberg"
    with pytest.raises(UsageError, match="no export profile has the name 'solbreg'") as caught:
        place.known_export_profile("solbreg", register)
    assert caught.value.remedy == "did you mean solberg? known names: nordhavet, portal, solberg"


def test_an_unknown_supplier_names_the_nearest_and_all_known_ones(register: Register) -> None:
    with pytest.raises(UsageError, match="no supplier has the code 'nordbog'") as caught:
        place.known_supplier("nordbog", register)
    assert caught.value.remedy == (
        "did you mean NORDBOK? known codes: BOKRING, EBOKEN, FORHAND, GAMLA, MEDIAT, NORDBOK"
    )
    with pytest.raises(UsageError) as caught:
        place.known_supplier("???", register)
    assert caught.value.remedy is not None
    assert caught.value.remedy.startswith("known codes: BOKRING")


def test_an_unknown_sigel_names_the_nearest_one(register: Register) -> None:
    assert place.known_sigel("LUNV", register) == "LUNV"
    with pytest.raises(UsageError, match="no library has the sigel 'lunw'") as caught:
        place.known_sigel("lunw", register)
    assert caught.value.remedy is not None
    assert caught.value.remedy.startswith("did you mean LUNV? known sigels: ")


def test_files_are_returned_once_each_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "b.mrc", tmp_path / "a.mrc"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    assert place.plain_files([first, second, first]) == [first, second]


def test_the_first_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    there = tmp_path / "a.mrc"
    there.write_bytes(b"1")
    with pytest.raises(UsageError, match=r"b\.mrc: there is no such file"):
        place.plain_files([there, tmp_path / "b.mrc"])
    with pytest.raises(UsageError, match="is a folder, not a file"):
        place.plain_files([there, tmp_path])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe: is not a plain file"):
        place.plain_files([tmp_path / "pipe"])


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked.mrc"
    locked.write_bytes(b"1")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        place.plain_files([locked])


def test_reading_never_makes_a_warehouse_by_the_way(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(ConfigurationError, match="there is no warehouse yet") as caught, place.warehouse(settings):
        pass
    assert caught.value.remedy == "run `samkat init`, or set SAMKAT_HOME to where it is"
    assert not (tmp_path / "home").exists()


def test_a_warehouse_that_is_up_to_date_is_known_without_alembic(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    url = settings.warehouse_url.get_secret_value()
    empty = connect(url)
    assert not place._is_at_newest_migration(empty)
    assert migrate(empty) == head_revision()
    assert place._is_at_newest_migration(empty)
    with empty.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with (
        pytest.raises(ConfigurationError, match="the warehouse is at migration 0000, not"),
        place.warehouse(settings),
    ):
        pass
    empty.dispose()


def test_instants_are_shown_in_the_consortiums_time_zone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, timezone="Europe/Stockholm")
    assert place.moment(datetime(2026, 7, 1, 22, 30, tzinfo=UTC), settings) == "2026-07-02 00:30"
    assert place.moment(None, settings) == ""
