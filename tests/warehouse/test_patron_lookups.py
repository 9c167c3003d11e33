"""Whom a row is about, as the warehouse knows it: stable ids, searching, survivors, tombstones, rekey, doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import ConfigurationError
from schemas.patrons import IncomingPerson, ListItem
from schemas.register.patron_policy import PatronPolicy
from schemas.warehouse.patrons import core_patron, core_patron_tombstone
from tasks.patrons.erasure import tombstone_key
from tasks.patrons.lookups import Placed, place
from tasks.patrons.person_plan import plan_found
from tasks.warehouse.engine import Warehouse
from tests.unit.patron_persons import DAY, item, occasion, row
from tests.warehouse.patron_nights import SALT, night, person, placed, save

POLICY = PatronPolicy.model_validate(
    {"identifiers": {"feide": {"joins": True}, "barcode": {"is_unique": True, "free_days": 100}}}
)


def with_ids(primary_id: str, **ids: str) -> IncomingPerson:
    """A row with identifiers beside its primary id."""
    items: list[ListItem] = [item("user_identifiers", value, kind) for kind, value in ids.items()]
    return row(lists={"user_identifiers": items}, primary_id=primary_id)


def found(places: Sequence[Placed]) -> list[tuple[int | None, str, bool]]:
    return [(each.person_id, each.rule, each.is_quarantined) for each in places]


def look(
    connection: Connection, *rows: IncomingPerson, code: str = "NORUPERS", day: date = DAY
) -> list[tuple[int | None, str, bool]]:
    return found(placed(connection, rows, occasion(code, day, POLICY)))


def test_a_stable_id_finds_its_person_and_an_unknown_one_is_new(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (one,) = night(connection, [row()], occasion()).person_ids
        assert look(connection, row(), row(primary_id="B2@noru.example")) == [
            (one, "source_id", False),
            (None, "new", False),
        ]


def test_case_and_blanks_do_not_make_another_person(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (one,) = night(connection, [row()], occasion()).person_ids
        assert look(connection, row(primary_id=" A1@NORU.example ")) == [(one, "source_id", False)]


def test_two_rows_that_would_make_one_person_make_one(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        same = look(connection, row(), row())
        assert same == [(None, "new", False), (None, "repeated", True)]
        joined = look(connection, with_ids("a1", feide="bo@noru"), with_ids("b2", feide="bo@noru"))
        assert joined == [(None, "new", False), (None, "repeated", True)]


def test_an_identifier_that_joins_leads_another_source_to_the_person(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (one,) = night(connection, [with_ids("a1", feide="bo@noru")], occasion()).person_ids
        student = with_ids("s9", feide="bo@noru")
        assert look(connection, student, code="NORUSTUD") == [(one, "joined", False)]
        night(connection, [student], occasion("NORUSTUD", policy=POLICY))
        assert person(connection, one).sources.keys() == {"NORUPERS", "NORUSTUD"}
        assert look(connection, student, code="NORUSTUD") == [(one, "source_id", False)]
        assert look(connection, with_ids("s8", feide="bo@noru"), code="NORUSTUD") == [
            (None, "other_has_source_id", True)
        ]


def test_a_primary_id_that_another_person_has_makes_no_second_person(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        night(connection, [row()], occasion())
        assert look(connection, row(), code="NORUSTUD") == [(None, "taken", True)]


def test_a_barcode_of_another_person_is_taken_and_rests_after_its_last_day(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        one, two = night(
            connection, [with_ids("a1", barcode="LT1"), with_ids("b2", barcode="LT2")], occasion()
        ).person_ids
        assert look(connection, with_ids("c3", barcode="LT1")) == [(None, "taken", True)]
        assert look(connection, with_ids("b2", barcode="LT1")) == [(None, "taken", True)]
        later = occasion(day=DAY + timedelta(10), policy=POLICY)
        night(connection, [with_ids("a1", barcode="LT9")], later)
        assert look(connection, with_ids("c3", barcode="LT1"), day=DAY + timedelta(50)) == [(None, "resting", True)]
        assert look(connection, with_ids("c3", barcode="LT1"), day=DAY + timedelta(200)) == [(None, "new", False)]
        assert look(connection, with_ids("a1", barcode="LT9"), with_ids("b2", barcode="LT2")) == [
            (one, "source_id", False),
            (two, "source_id", False),
        ]


def test_survivor_pointers_are_followed_to_the_end(warehouse: Warehouse) -> None:
    rows = [row(primary_id=name) for name in ("a1", "b2", "c3")]
    with warehouse.write() as connection:
        one, two, _ = (
            night(connection, rows[:2], occasion()).person_ids
            + night(connection, rows[2:], occasion("NORUSTUD")).person_ids
        )
        three = connection.execute(sa.select(sa.func.max(core_patron.c.person_id))).scalar_one()
        for merged, survivor in ((one, two), (two, three)):
            connection.execute(
                sa.update(core_patron).where(core_patron.c.person_id == merged).values(merged_into=survivor)
            )
        assert look(connection, rows[0]) == [(three, "source_id", False)]
        assert look(connection, rows[2], code="NORUSTUD") == [(three, "source_id", False)]


def test_the_row_of_a_merged_person_is_kept_apart_where_the_survivor_has_one_of_the_same_source(
    warehouse: Warehouse,
) -> None:
    rows = [row(primary_id="a1"), row(primary_id="b2")]
    with warehouse.write() as connection:
        one, two = night(connection, rows, occasion()).person_ids
        connection.execute(sa.update(core_patron).where(core_patron.c.person_id == two).values(merged_into=one))
        assert look(connection, *rows) == [(one, "source_id", False), (None, "merged", True)]


def test_a_rekey_finds_the_person_of_the_old_id_and_closes_it(warehouse: Warehouse) -> None:
    new = row(primary_id="b2", old_id="a1")
    later = occasion(day=DAY + timedelta(1))
    with warehouse.write() as connection:
        (one,) = night(connection, [row(primary_id="a1")], occasion()).person_ids
        assert look(connection, new, day=later.day) == [(one, "rekeyed", False)]
        night(connection, [new], later)
        assert person(connection, one).primary_id == "b2"
        assert look(connection, new, row(primary_id="b2"), day=DAY + timedelta(2)) == [
            (one, "source_id", False),
            (one, "source_id", False),
        ]
        night(connection, [row(primary_id="c3")], later)
        assert look(connection, row(primary_id="c3", old_id="b2"), day=DAY + timedelta(2)) == [
            (None, "both_are_taken", True)
        ]


def test_a_tombstone_stops_the_row_as_long_as_it_comes(warehouse: Warehouse) -> None:
    key = tombstone_key("NORU", "NORUPERS", "primary_id", "a1", SALT)
    stone = {"tombstone_key": key, "institution": "NORU", "source": "NORUPERS", "erased_on": DAY}
    with warehouse.write() as connection:
        connection.execute(sa.insert(core_patron_tombstone), [stone])
        late = DAY + timedelta(80)
        assert look(connection, row(primary_id="a1"), row(primary_id="b2"), day=late) == [
            (None, "erased", True),
            (None, "new", False),
        ]
        assert connection.execute(sa.select(core_patron_tombstone.c.seen_on)).scalar_one() == late
        assert look(connection, row(primary_id="a1"), day=late + timedelta(91)) == [(None, "new", False)]
        with pytest.raises(ConfigurationError, match="salt"):
            place(connection, "NORU", "NORUPERS", [row()], POLICY, DAY, None)


def test_a_person_whom_no_source_has_claimed_is_claimed_by_the_row_with_their_id(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        there = plan_found({"primary_id": "a1", "user_title": "dr"}, {}, b"h" * 16, occasion(None))
        (one,) = save(connection, [there], occasion(None)).person_ids
        assert look(connection, row(primary_id="A1")) == [(one, "source_id", False)]
        night(connection, [row({"user_title": "fru"}, primary_id="a1")], occasion())
        assert person(connection, one).current["user_title"] == "dr"
        assert look(connection, row(primary_id="a1")) == [(one, "source_id", False)]


def test_a_chunk_costs_the_same_statements_however_many_rows_it_has(warehouse: Warehouse) -> None:
    statements: list[str] = []
    sa.event.listen(warehouse.engine, "before_cursor_execute", lambda *arguments: statements.append(str(arguments[2])))
    with warehouse.write() as connection:
        night(connection, [row(primary_id=f"p{number}") for number in range(40)], occasion())
        costs = []
        for number in (20, 40):
            statements.clear()
            rows = [row(primary_id=f"p{each}") for each in range(number)]
            night(
                connection,
                [replace(each, content_hash=bytes([number]) * 16) for each in rows],
                occasion(day=DAY + timedelta(1)),
            )
            costs.append(len(statements))
        assert costs[0] == costs[1]


def test_a_look_up_that_fails_raises_and_makes_nobody(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        night(connection, [row()], occasion())
    with pytest.raises(sa.exc.DBAPIError), warehouse.write() as connection:
        connection.exec_driver_sql("ALTER TABLE core_patron_identifier RENAME TO lost")
        night(connection, [row()], occasion())
    with warehouse.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(core_patron)).scalar_one() == 1
