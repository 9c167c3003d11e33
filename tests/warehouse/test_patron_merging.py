"""Two persons become one and are parted again: what moves, what stays, and that parting gives each their own back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.patrons import core_patron_merge
from tasks.patrons.merging import merge_two, split_again
from tasks.patrons.person_plan import plan_due
from tasks.patrons.pinning import plan_protect
from tasks.patrons.records import PersonRecord
from tasks.warehouse.engine import Warehouse
from tests.unit.patron_persons import DAY, item, occasion, row
from tests.warehouse.patron_nights import at, night, person, placed, save

NEXT = occasion(None, DAY + timedelta(1))
EMPLOYEE = row(
    {"last_name": "Lie", "user_title": "dr"},
    {"emails": [item("emails", "a@noru.example")], "user_identifiers": [item("user_identifiers", "LT1", "barcode")]},
    primary_id="a1",
    category="staff",
)
STUDENT = row(
    {"last_name": "Lie", "pref_first_name": "Bo"},
    {
        "emails": [item("emails", "a@noru.example"), item("emails", "s@noru.example", "student")],
        "user_identifiers": [item("user_identifiers", "LT2", "barcode")],
    },
    primary_id="s9",
)


def two(connection: Connection) -> tuple[int, int]:
    (one,) = night(connection, [EMPLOYEE], occasion("NORUPERS")).person_ids
    (other,) = night(connection, [STUDENT], occasion("NORUSTUD")).person_ids
    assert one is not None
    assert other is not None
    return one, other


def emails(record: PersonRecord) -> dict[str, set[str]]:
    return {each.key: set(each.owners) for each in record.lists["emails"]}


def keys(record: PersonRecord) -> set[str]:
    return {each.key for each in record.identifiers if each.is_open_on(DAY)}


def plain(record: PersonRecord) -> PersonRecord:
    """Without what merging and parting leave behind: versions, and that the next rows are merged."""
    sources = {code: replace(each, needs_merge=False) for code, each in record.sources.items()}
    return replace(record, version=0, sources=sources, look_on=None)


def test_the_survivor_gets_sources_ids_and_items_and_rows_find_it(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        one, other = two(connection)
        merged = merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day))
        assert merged is not None
        record = person(connection, one)
        assert record.sources.keys() == {"NORUPERS", "NORUSTUD"}
        assert keys(record) == {"a1", "lt1", "s9", "lt2"}
        assert emails(record) == {"a@noru.example": {"NORUPERS", "NORUSTUD"}, "s@noru.example": {"NORUSTUD"}}
        assert (record.current["user_group"], record.current["pref_first_name"]) == ("staff", "Bo")
        assert person(connection, other).merged_into == one
        assert [each.person_id for each in placed(connection, [STUDENT], occasion("NORUSTUD"))] == [one]
        assert merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day)) is None


def test_parting_gives_each_their_own_back(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        one, other = two(connection)
        before = person(connection, one), person(connection, other)
        merged = merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day))
        assert merged is not None
        parted = split_again(connection, merged[0], NEXT, by="per", now=at(NEXT.day))
        assert parted is not None
        assert parted.lost == ()
        after = person(connection, one), person(connection, other)
        assert {path: value for path, value in after[0].current.items() if value is not None} == before[0].current
        assert replace(plain(after[0]), current={}, written={}) == replace(plain(before[0]), current={}, written={})
        assert plain(after[1]) == plain(before[1])
        assert split_again(connection, merged[0], NEXT, by="per", now=at(NEXT.day)) is None
        assert connection.execute(sa.select(core_patron_merge.c.split_by)).scalar_one() == "per"
        found = [placed(connection, [EMPLOYEE], occasion())[0], placed(connection, [STUDENT], occasion("NORUSTUD"))[0]]
        assert [each.person_id for each in found] == [one, other]


def test_what_a_source_said_since_goes_back_with_it(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        one, other = two(connection)
        merged = merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day))
        assert merged is not None
        later = replace(STUDENT, values={**STUDENT.values, "pref_first_name": "Ane"})
        night(connection, [later], occasion("NORUSTUD", DAY + timedelta(2)))
        split_again(connection, merged[0], NEXT, by="per", now=at(NEXT.day))
        restored = person(connection, other)
        assert restored.sources["NORUSTUD"].values["pref_first_name"].value == "Ane"
        assert person(connection, one).current.get("pref_first_name") is None
        assert restored.look_on == NEXT.day
        due = plan_due(restored, NEXT).after
        assert due is not None
        assert due.current["pref_first_name"] == "Ane"


def test_of_one_source_the_survivors_record_stays_and_the_other_row_is_kept_apart(warehouse: Warehouse) -> None:
    again = replace(
        EMPLOYEE, **{name: getattr(STUDENT, name) for name in ("source_ids", "search_ids", "values", "lists")}
    )
    with warehouse.write() as connection:
        one, other = (each or 0 for each in night(connection, [EMPLOYEE, again], occasion()).person_ids)
        done = merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day))
        assert done is not None
        assert "NORUPERS" in {each.key for each in done[1].left}
        assert person(connection, one).sources["NORUPERS"].values["user_title"].value == "dr"
        assert [(each.person_id, each.rule) for each in placed(connection, [EMPLOYEE, again], occasion())] == [
            (one, "source_id"),
            (None, "merged"),
        ]


def test_a_pin_goes_along_and_comes_back(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        one, other = two(connection)
        plan = plan_protect(person(connection, other), "pref_first_name", NEXT, by="siv", reason="asked for it")
        save(connection, [plan], NEXT)
        merged = merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day))
        assert merged is not None
        assert [(each.path, each.held) for each in person(connection, one).locks] == [("pref_first_name", "Bo")]
        assert person(connection, other).locks == ()
        split_again(connection, merged[0], NEXT, by="per", now=at(NEXT.day))
        assert person(connection, one).locks == ()
        assert [(each.path, each.held) for each in person(connection, other).locks] == [("pref_first_name", "Bo")]


def test_what_cannot_be_merged_is_refused_in_words(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        one, other = two(connection)
        with pytest.raises(UsageError, match="cannot be merged"):
            merge_two(connection, one, one, NEXT, by="siv", now=at(NEXT.day))
        with pytest.raises(UsageError, match="not there"):
            merge_two(connection, one, 999, NEXT, by="siv", now=at(NEXT.day))
        merge_two(connection, one, other, NEXT, by="siv", now=at(NEXT.day))
        with pytest.raises(UsageError, match="merged itself"):
            merge_two(connection, other, one, NEXT, by="siv", now=at(NEXT.day))
        with pytest.raises(UsageError, match="no merge 77"):
            split_again(connection, 77, NEXT, by="siv", now=at(NEXT.day))
