"""A library system behind a REST API: read back and told through it, on both engines and a server of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from lxml import etree

from config.settings import SAMPLE_REGISTER
from schemas.warehouse.accounts import core_account
from tasks.accounts.facts import Role
from tasks.accounts.stages import send_changes
from tasks.accounts.store import roles_json
from tasks.library_systems import stages as library_systems
from tasks.patrons.alma_answers import AlmaRefusedError
from tasks.workplace import Workplace
from tests.unit.account_samples import day
from tests.unit.alma_stub import KEY, AlmaStub, refusal
from tests.unit.alma_stub import alma_stub as serving
from tests.warehouse.account_night import made, sweep
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.patron_runs import approve_all, persons, rows, sync
from tests.warehouse.pipeline import land

DAY = "2025-03-03"
HEAD = (
    "Løpenr;Lånekort;Gammelt kort;Etternavn;Fornavn;Kallenavn;Type;Enhet;E-post;Mobil;Adresse;Postnr;Poststed;Født;"
    "Målform;Gyldig til;Sperret adresse"
)


@pytest.fixture
def alma_stub() -> Iterator[AlmaStub]:
    with serving() as stub:
        # A library system is never empty: its own staff are there, and none of Samkat's affairs.
        stub.add("admin", "<account_type>INTERNAL</account_type>")
        yield stub


@pytest.fixture
def place(open_place: OpenPlace, tmp_path: Path, alma_stub: AlmaStub, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """The sample's register, with an API in place of the desk of FJOR."""
    register = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    targets = register / "patron_targets.toml"
    api = f'kind = "alma_api"\nbase_url = "{alma_stub.url}"\napi_key = "FJOR_KEY"\nrequests_per_second = 25'
    targets.write_text(targets.read_text("utf-8").replace('kind = "warehouse"', api), "utf-8")
    monkeypatch.setenv("FJOR_KEY", KEY)
    return open_place(today=DAY, register_folder=register)


def file_of(*numbers: int) -> bytes:
    lines = [f"K-{each};FK{each};;Berg{each};Ada;;ELEV;;ada{each}@fjor.example;;;;;;;;" for each in numbers]
    return "\r\n".join([HEAD, *lines, ""]).encode("windows-1252")


def night(place: Workplace, name: str, content: bytes) -> None:
    library_systems.take_read_back.fn("FJORKOMM")
    sync(place, "FJORKOMM", [land(place, "FJORKOMM", name, content)])
    approve_all(place)


def test_who_is_not_there_is_made_once_and_then_shown(place: Workplace, alma_stub: AlmaStub) -> None:
    night(place, "FJORKOMM_20250303.csv", file_of(1, 2))
    assert library_systems.write_out.fn("FJORKOMM")["sent"] == 2
    assert sorted(alma_stub.users) == ["FK1", "FK2", "admin"]
    assert library_systems.write_out.fn("FJORKOMM")["sent"] == 0
    taken = library_systems.take_read_back.fn("FJORKOMM")
    assert (taken["users"], taken["edited"]) == (3, 0)
    assert library_systems.write_out.fn("FJORKOMM")["sent"] == 0


def test_a_failed_look_up_makes_nobody_and_says_so(place: Workplace, alma_stub: AlmaStub) -> None:
    night(place, "FJORKOMM_20250303.csv", file_of(1))
    alma_stub.faults += [refusal(403)]
    with pytest.raises(AlmaRefusedError):
        library_systems.write_out.fn("FJORKOMM")
    assert list(alma_stub.users) == ["admin"]
    assert rows(place.warehouse, "SELECT sent_version FROM core_patron") == [(0,)]


def test_without_the_list_of_users_nobody_is_told_of(place: Workplace, alma_stub: AlmaStub) -> None:
    alma_stub.faults += [refusal(403)]
    with pytest.raises(AlmaRefusedError):
        library_systems.take_read_back.fn("FJORKOMM")
    sync(place, "FJORKOMM", [land(place, "FJORKOMM", "FJORKOMM_20250303.csv", file_of(1))])
    approve_all(place)
    assert len(persons(place.warehouse, "FJOR")) == 1
    assert library_systems.write_out.fn("FJORKOMM") == {"without_read_back": 1}
    assert list(alma_stub.users) == ["admin"]


def _roles(alma_stub: AlmaStub, user: str) -> list[tuple[str | None, str | None]]:
    found = etree.fromstring(alma_stub.users[user])
    return [(each.findtext("role_type"), each.findtext("scope")) for each in found.iter("user_role")]


def test_who_is_staff_too_has_one_document_with_the_roles_of_the_account_and_neither_ends_the_other(
    place: Workplace, alma_stub: AlmaStub
) -> None:
    night(place, "FJORKOMM_20250303.csv", file_of(1, 2))
    library_systems.write_out.fn("FJORKOMM")
    assert _roles(alma_stub, "FK1") == []
    given = {"login": "fk1", "library": "FJOR", "roles": roles_json([Role("fulfilment")])}
    made(place.warehouse, given, on="2025-03-01")
    before = rows(place.warehouse, "SELECT state, expires_on, version FROM core_patron ORDER BY person_id")
    assert send_changes.fn("alma", None) == {"left to the patron sync": 1}
    assert library_systems.write_out.fn("FJORKOMM")["sent"] == 1
    assert _roles(alma_stub, "FK1") == [("200", "FJOR"), ("32", "FJOR")]
    assert library_systems.write_out.fn("FJORKOMM")["sent"] == 0
    with place.warehouse.write() as connection:
        leaving = {"leaver_on": day("2025-03-02"), "look_on": day("2025-03-02")}
        connection.execute(sa.update(core_account).values(**leaving))
    sweep(place.warehouse, DAY)
    assert send_changes.fn("alma", None) == {"left to the patron sync": 1}
    assert library_systems.write_out.fn("FJORKOMM")["sent"] == 1
    assert _roles(alma_stub, "FK1") == [("200", "FJOR")]
    assert etree.fromstring(alma_stub.users["FK1"]).findtext("status") == "ACTIVE"
    assert rows(place.warehouse, "SELECT state, expires_on, version FROM core_patron ORDER BY person_id") == before
    assert rows(place.warehouse, "SELECT status, is_unsent FROM core_account") == [("inactive", False)]
