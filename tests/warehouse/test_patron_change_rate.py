"""A file that changes one field of too many persons is held as a whole, after planning; approval lets it through."""

from __future__ import annotations

import pytest

from tasks.notices.stages import notify_patrons
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.few_patrons import SOURCE, file_of
from tests.warehouse.patron_runs import approve_all, content, persons, preview, rows, sync
from tests.warehouse.pipeline import land

on_sqlite_alone = pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
"""What does no statement that the first test does not do on both engines."""
PERSONS = 110
HELD = ["file:change_rate"]


def row(number: int, *, is_swapped: bool = False, phone: str = "") -> str:
    """A pupil; swapped: family name and given name stand in each other's column."""
    family, given = ("Ola", "Aspelund") if is_swapped else ("Aspelund", "Ola")
    mail = f"elev{number}@skole.example"
    return f"{8000 + number};F3{number:05};;{family};{given};;ELEV;Fjordkyst skole;{mail};{phone};;;;03.04.2011;B;;"


def sent(place: Workplace, *some: str) -> str:
    """A file of today in the landing zone."""
    return land(place, SOURCE, f"{SOURCE}_{place.today:%Y%m%d}.csv", file_of(*some))


@pytest.fixture
def monday(open_place: OpenPlace) -> Workplace:
    """Everybody is there: the first file, of which nothing can be compared, was approved."""
    place = open_place(today="2025-03-10")
    sync(place, SOURCE, [sent(place, *map(row, range(PERSONS)))])
    assert [each.split(" ")[0] for each in approve_all(place)] == ["create"]
    return place


def swapped(number: int) -> list[str]:
    """Everybody, with the names of the first `number` in the wrong columns."""
    return [row(each, is_swapped=each < number) for each in range(PERSONS)]


def test_names_in_the_wrong_column_hold_the_file_as_a_whole_until_a_person_approves(
    monday: Workplace, open_place: OpenPlace
) -> None:
    before = content(monday.warehouse)
    tuesday = open_place(today="2025-03-11")
    (found,) = sync(tuesday, SOURCE, [sent(tuesday, *swapped(40))])
    assert (found.state, list(found.held)) == ("held", HELD)
    assert "last_name: changes for 40 of 110 persons (36.4%)" in found.reason
    assert content(tuesday.warehouse) == before
    assert rows(tuesday.warehouse, "SELECT is_used FROM raw_patron_file ORDER BY delivery_id")[-1] in [(0,), (False,)]
    assert notify_patrons.fn([found.delivery_id])["held"] == 2
    (told,) = rows(
        tuesday.warehouse, "SELECT DISTINCT body_text FROM core_notice WHERE body_text LIKE '%plans approve%'"
    )
    assert "changes for 40 of 110 persons" in told[0]
    assert "Aspelund" not in told[0]
    approve_all(tuesday)
    assert rows(tuesday.warehouse, "SELECT state FROM out_delivery ORDER BY delivery_id")[-1] == ("settled",)
    names = [each["family_name"] for each in persons(tuesday.warehouse, "FJOR").values()]
    assert names.count("Ola") == 40
    assert rows(tuesday.warehouse, "SELECT class FROM out_plan WHERE state = 'held'") == []
    (plan,) = rows(tuesday.warehouse, "SELECT state FROM out_plan WHERE class = 'file:change_rate'")
    assert plan == ("applied",)


@on_sqlite_alone
def test_a_newer_file_that_is_as_usual_closes_the_one_that_waits_and_nobody_was_changed(
    monday: Workplace, open_place: OpenPlace
) -> None:
    tuesday = open_place(today="2025-03-11")
    (held,) = sync(tuesday, SOURCE, [sent(tuesday, *swapped(110))])
    assert list(held.held) == HELD
    wednesday = open_place(today="2025-03-12")
    (found,) = sync(wednesday, SOURCE, [sent(wednesday, *swapped(30))])
    assert (found.state, found.held) == ("settled", {})
    assert rows(wednesday.warehouse, "SELECT hold_reason FROM out_delivery WHERE state = 'rejected'") == [
        ("not used: the file of 2025-03-12 was",)
    ]
    assert rows(wednesday.warehouse, "SELECT 1 FROM stage_patron") == []
    assert [each["family_name"] for each in persons(wednesday.warehouse, "FJOR").values()].count("Ola") == 30


@on_sqlite_alone
def test_a_dry_run_says_that_the_file_would_be_held_and_what_else_it_would_do(
    monday: Workplace, open_place: OpenPlace
) -> None:
    tuesday = open_place(today="2025-03-11")
    (found,) = preview(tuesday, SOURCE, [sent(tuesday, *swapped(40))])
    assert "would be held: first_name: changes for 40 of 110 persons" in found.reason
    assert found.rows["changed"] == 40
    assert rows(tuesday.warehouse, "SELECT 1 FROM core_plan WHERE state = 'held'") == []
