"""Bibs that look like one: found by the evidence of matching, decided once, never merged by themselves."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from schemas.warehouse.merging import core_duplicate, core_duplicate_look
from tasks.catalogue.duplicates import Looking, look_for_duplicates
from tasks.merging.stages import decide_duplicates, find_duplicates, revert_merges, split_bibs
from tasks.notices.pair_cases import duplicate_cases
from tasks.notices.worklist import Worklist, worklist_csv
from tasks.warehouse.ids import current
from tasks.workplace import Workplace
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import catalogue_content, ingest

MINE = ("first_id", "second_id", "state", "verdict", "rule")


def pairs(place: Workplace) -> list[tuple[object, ...]]:
    with place.warehouse.read() as connection:
        columns = [core_duplicate.c[name] for name in MINE]
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(core_duplicate.c.duplicate_id))]


def look(place: Workplace, *, full: bool = False, chunk_bibs: int = 2) -> dict[str, int]:
    looking = Looking(place.register.matching, datetime.now(UTC), chunk_bibs, full)
    return {name: number for name, number in look_for_duplicates(place.warehouse, looking).items() if number}


@pytest.fixture
def catalogue(place: Workplace) -> Workplace:
    """1 and 4 are one book; 2 and 5 share an ISBN, but are two editions; 3 is like none."""
    export = (
        Export()
        .bib(book(1), "SK01", level="8", agency="FORHAND")
        .holding("SOLB")
        .bib(book(2, edition="2. uppl."), "SK02")
    )
    export.bib(book(3), "SK03").bib(book(1), "SK04", editors=("NORU",)).holding("SOLB").holding("NORU")
    export.bib(book(2, edition="3. uppl."), "SK05").load(place, "full")
    return place


ALIKE = (1, 4, "open", "match", "isbn_a+title")
VETOED = (2, 5, "aside", "review", "veto:edition")


def test_what_looks_like_one_is_found_and_only_what_changed_is_looked_at_again(catalogue: Workplace) -> None:
    before = catalogue_content(catalogue.warehouse)
    assert look(catalogue) == {"bibs": 5, "found": 2, "aside": 1}
    assert pairs(catalogue) == [ALIKE, VETOED]
    assert catalogue_content(catalogue.warehouse) == before
    assert look(catalogue) == {}
    Export().bib(book(3, title="En annan titel"), "SK03").load(catalogue, name="three.mrc")
    assert look(catalogue) == {"bibs": 1}
    assert look(catalogue, full=True) == {"bibs": 5, "again": 2, "aside": 1}
    with catalogue.warehouse.read() as connection:
        row = connection.exec_driver_sql("SELECT title, evidence, owner FROM out_duplicate_candidate").first()
    assert row is not None
    assert row.title
    assert {each["feature"] for each in json.loads(row.evidence)["features"]} >= {"isbn", "title", "authors"}
    assert row.owner == catalogue.register.matching.review_owner


def test_a_look_that_was_killed_goes_on_and_a_pair_that_is_no_longer_alike_goes(catalogue: Workplace) -> None:
    with catalogue.warehouse.write() as connection:
        values = {"name": "bibs", "after_change_no": 0, "to_change_no": 99, "reached_bib_id": 3, "is_done": False}
        connection.execute(sa.insert(core_duplicate_look).values(looked_at=datetime.now(UTC), **values))
    assert look(catalogue) == {"bibs": 2, "found": 2, "aside": 1}
    with catalogue.warehouse.write() as connection:
        connection.execute(sa.update(core_duplicate_look).values(to_change_no=current(connection, "change")))
    assert pairs(catalogue) == [ALIKE, VETOED]
    Export().bib(with_isbn(book(9), book(9).isbn), "SK04").load(catalogue, name="another.mrc")
    assert look(catalogue) == {"bibs": 1, "gone": 1}
    assert pairs(catalogue)[0][2] == "gone"
    Export().bib(book(1), "SK04").load(catalogue, name="back.mrc")
    assert look(catalogue) == {"bibs": 1, "again": 1}
    assert pairs(catalogue)[0] == ALIKE


def test_same_merges_into_the_better_record_and_is_harmless_again(catalogue: Workplace) -> None:
    look(catalogue)
    done = decide_duplicates.fn({1: "same"}, "Ada Kvist")
    assert done.problems == {}
    assert done.said == {"D1": "bib 1 was merged into bib 4: 0 holdings moved, 1 joined"}
    assert pairs(catalogue)[0][2] == "same"
    assert decide_duplicates.fn({1: "same"}, "Bo Alm").said == {"D1": "was decided so already"}
    assert "decided as same by Ada Kvist" in decide_duplicates.fn({1: "different"}, "Bo Alm").problems["D1"]
    with catalogue.warehouse.read() as connection:
        row = connection.exec_driver_sql("SELECT survivor_id, merged_id, rule, reason, by FROM out_bib_merge").one()
    assert tuple(row) == (4, 1, "duplicate", "decided in the worklist (D1)", "Ada Kvist")


def test_different_is_remembered_whatever_happens_to_the_two(catalogue: Workplace) -> None:
    look(catalogue)
    assert decide_duplicates.fn({1: "different"}, "Ada Kvist").said["D1"].endswith("are not offered again")
    Export().bib(book(1, title="Samma bok"), "SK01").load(catalogue, name="changed.mrc")
    look(catalogue, full=True)
    assert pairs(catalogue)[0][2] == "different"
    # A third record of the book is merged into the first: it is different from the fourth as well.
    Export().bib(book(1), "SK06").load(catalogue, name="third.mrc")
    look(catalogue)
    from tests.warehouse.test_bib_merging import merge

    merge(catalogue, 6, 1, force=True)
    look(catalogue, full=True)
    states = {(row[0], row[1]): row[2] for row in pairs(catalogue)}
    assert (states[1, 4], states[4, 6]) == ("different", "different")


def test_a_split_says_that_they_are_two_and_an_undo_asks_again(catalogue: Workplace) -> None:
    before = catalogue_content(catalogue.warehouse)
    look(catalogue)
    decide_duplicates.fn({1: "same:1"}, "Ada Kvist")
    report = revert_merges.fn([1])
    assert (report["merges"], report["survivors"]) == (1, [])
    assert catalogue_content(catalogue.warehouse) == before
    assert pairs(catalogue)[0][2] == "open"
    decide_duplicates.fn({1: "same:1"}, "Ada Kvist")
    split_bibs.fn([4], "Bo Alm", "two editions")
    assert pairs(catalogue)[0][2] == "different"
    look(catalogue, full=True)
    assert pairs(catalogue)[0][2] == "different"


def test_what_cannot_be_decided_is_said_and_stops_nothing(catalogue: Workplace) -> None:
    look(catalogue)
    problems = decide_duplicates.fn({1: "maybe", 2: "same", 9: "same"}, "Ada Kvist").problems
    assert "write same, same:<the bib that stays> or different" in problems["D1"]
    assert "the two conflict, edition" in problems["D2"]
    assert "there is no pair D9" in problems["D9"]
    assert "bib 7 is not one of the two" in decide_duplicates.fn({1: "same:7"}, "Ada Kvist").problems["D1"]
    assert pairs(catalogue) == [ALIKE, VETOED]


def test_a_pair_is_offered_side_by_side_and_a_vetoed_one_is_not(catalogue: Workplace) -> None:
    look(catalogue)
    with catalogue.warehouse.read() as connection:
        (case,) = duplicate_cases(connection, ZoneInfo("Europe/Stockholm"), most=10)
    assert (case.key, case.choices) == ("D1", ("same:1", "same:4", "different"))
    assert (case.held_candidate, case.held) == (("SOLB",), ("NORU", "SOLB"))
    content = worklist_csv(Worklist("a@b.example", "en", "", date(2025, 3, 14), (), (case,))).decode("utf-8-sig")
    assert "D1," in content
    assert "same:1 | " in content
    assert "same:4; different" in content


def test_a_bib_that_was_merged_is_looked_at_through_the_one_that_has_its_place(catalogue: Workplace) -> None:
    look(catalogue)
    decide_duplicates.fn({1: "same:4"}, "Ada Kvist")
    (delivery,) = ingest("NORDBOK", [Parcel().bib(with_isbn(book(8), "9789100999995"), "N8").land(catalogue)])
    assert delivery
    Export().bib(book(1), "SK07").load(catalogue, name="again.mrc")
    found = look(catalogue)
    assert found["found"] == 1
    assert pairs(catalogue)[-1][:4] == (4, 7, "open", "match")


def test_a_dry_run_counts_and_keeps_nothing(catalogue: Workplace) -> None:
    found = find_duplicates.fn(dry_run=True)
    assert (found["found"], found["aside"]) == (2, 1)
    assert pairs(catalogue) == []
    assert find_duplicates.fn()["found"] == 2
