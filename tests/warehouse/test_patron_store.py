"""Persons are stored as they were planned, with images, history and locks; who has moved since is handed back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import ProtectionOrder
from schemas.warehouse import patrons as tables
from tasks.patrons.images import from_image
from tasks.patrons.person_plan import plan_edit, plan_person
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import load_records, touch
from tasks.warehouse.engine import Warehouse
from tests.unit.patron_persons import DAY, item, occasion, row
from tests.warehouse.patron_nights import at, night, person, planned, save

LISTS = {
    "emails": [item("emails", "a@noru.example", preferred=True), item("emails", "b@noru.example", "personal")],
    "user_identifiers": [item("user_identifiers", "LT 1", "barcode")],
}
FULL = row({"last_name": "Lie", "first_name": "Bo", "birth_date": date(1990, 1, 2), "user_title": None}, LISTS)


def rows_of(connection: Connection, table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
    wanted = [table.c[name] for name in columns]
    return [tuple(each) for each in connection.execute(sa.select(*wanted).order_by(*table.primary_key.columns))]


def stored(record: PersonRecord | None, connection: Connection, person_id: int | None) -> None:
    """What was planned is what is read again, but for the ids and instants that storing gives."""
    assert record is not None
    found = person(connection, person_id)
    plain = [replace(each, lock_id=None, created_at=None) for each in found.locks]
    ours = [replace(each, lock_id=None, created_at=None) for each in record.locks if each.released_by is None]
    assert plain == ours
    assert replace(found, locks=(), created_at=None) == replace(record, person_id=person_id, locks=(), created_at=None)


def test_a_new_person_is_read_again_as_it_was_planned(warehouse: Warehouse) -> None:
    order = ProtectionOrder("protect", "emails", reason="asked for it", until=DAY + timedelta(9))
    with warehouse.write() as connection:
        (plan,) = planned(connection, [replace(FULL, orders=(order,))], occasion())
        saved = save(connection, [plan], occasion())
        stored(plan.after, connection, saved.person_ids[0])
        assert rows_of(
            connection, tables.core_patron, "primary_key", "family_name", "email", "version", "protected"
        ) == [("a1@noru.example", "Lie", "a@noru.example", 1, '["emails"]')]
        assert rows_of(connection, tables.core_patron_change, "path", "class", "decision", "version") == [
            ("person", "create", "applied", 1),
        ]
        assert saved.counts["created"] == 1


def test_a_change_keeps_an_image_of_what_was_and_a_row_of_history(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (person_id,) = night(connection, [FULL], occasion()).person_ids
        before = person(connection, person_id)
        later = occasion(day=DAY + timedelta(1))
        changed = replace(
            FULL, values={**FULL.values, "last_name": "Moe"}, lists={"emails": tuple(LISTS["emails"][:1])}
        )
        (plan,) = planned(connection, [changed], later)
        assert save(connection, [plan], later, "second", 2).counts["changed"] == 1
        stored(plan.after, connection, person_id)
        ((version, image, run_id),) = rows_of(connection, tables.core_patron_version, "version", "image", "run_id")
        assert (version, run_id) == (1, "second")
        assert replace(from_image(before.person_id or 0, 1, image), created_at=before.created_at) == before
        assert rows_of(connection, tables.core_patron_history, "path", "item_key", "value", "said_until") == [
            ("last_name", "", '"Lie"', later.day),
            ("emails", "b@noru.example", '{"type":"personal","email_address":"b@noru.example"}', later.day),
        ]
        row_ = connection.execute(sa.select(tables.core_patron)).one()
        assert (row_.version, row_.delivery_id, row_.created_at, row_.updated_at) == (2, 2, at(DAY), at(later.day))


def test_a_quiet_row_stores_its_hash_and_nothing_else(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (person_id,) = night(connection, [FULL], occasion()).person_ids
        saved = night(
            connection, [replace(FULL, content_hash=b"n" * 16)], occasion(day=DAY + timedelta(1)), "second", 2
        )
        assert saved.counts == Counter(touched=1)
        assert person(connection, person_id).sources["NORUPERS"].content_hash == b"n" * 16
        row_ = connection.execute(sa.select(tables.core_patron)).one()
        assert (row_.version, row_.delivery_id, row_.updated_at) == (1, 1, at(DAY))


def test_a_person_who_was_changed_since_the_plan_is_handed_back(warehouse: Warehouse) -> None:
    other = row({"last_name": "Dal"}, primary_id="b2@noru.example")
    later = occasion(day=DAY + timedelta(1))
    with warehouse.write() as connection:
        one, two = night(connection, [FULL, other], occasion()).person_ids
        plans = planned(connection, [replace(FULL, values={**FULL.values, "last_name": "Moe"}), other], later)
        save(connection, [plan_edit(person(connection, one), "user_title", "dr", "siv", later)], later, "edit", None)
        saved = save(connection, plans, later)
        assert (saved.person_ids, saved.moved) == ((one, two), (0,))
        assert person(connection, one).current["last_name"] == "Lie"
        anew = planned(connection, [replace(FULL, values={**FULL.values, "last_name": "Moe"})], later)
        assert save(connection, anew, later).moved == ()
        assert person(connection, one).current["last_name"] == "Moe"
        assert person(connection, one).current["user_title"] == "dr"


def test_an_automatic_lock_ends_when_the_source_comes_round(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        fru = replace(FULL, values={**FULL.values, "user_title": "fru"})
        (person_id,) = night(connection, [fru], occasion()).person_ids
        later = occasion(day=DAY + timedelta(1))
        save(connection, [plan_edit(person(connection, person_id), "user_title", "dr", "siv", later)], later)
        night(connection, [fru], later)
        assert [each.kind for each in person(connection, person_id).locks] == ["automatic"]
        night(connection, [replace(fru, values={**fru.values, "user_title": "dr"})], occasion(day=DAY + timedelta(2)))
        assert person(connection, person_id).locks == ()
        assert rows_of(connection, tables.core_patron_lock, "kind", "released_by") == [("automatic", "merge")]


def test_nobody_is_made_while_creating_is_held_and_the_change_says_who_waits(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        saved = save(connection, [plan_person(None, FULL, occasion(), frozenset({"create"}))], occasion())
        assert saved.person_ids == (None,)
        assert rows_of(connection, tables.core_patron, "person_id") == []
        change = tables.core_patron_change
        assert rows_of(connection, change, "person_id", "institution", "primary_id", "class", "decision") == [
            (None, "NORU", "a1@noru.example", "create", "held")
        ]


def test_what_was_sent_meanwhile_is_not_forgotten(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (person_id,) = night(connection, [FULL], occasion()).person_ids
        plans = planned(connection, [replace(FULL, values={**FULL.values, "last_name": "Moe"})], occasion())
        connection.execute(sa.update(tables.core_patron).values(sent_version=1))
        save(connection, plans, occasion())
        assert person(connection, person_id).sent_version == 1


def test_a_person_who_is_touched_is_merged_again(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (person_id,) = night(connection, [FULL], occasion()).person_ids
        touch(connection, [person_id or 0])
        assert person(connection, person_id).sources["NORUPERS"].needs_merge
        night(connection, [FULL], occasion())
        assert not person(connection, person_id).sources["NORUPERS"].needs_merge
        assert load_records(connection, [999]) == {}
