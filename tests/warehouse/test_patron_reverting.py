"""A run over persons is undone where nothing came after it; what came after stays, and is listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse import patrons as tables
from tasks.patrons.person_plan import plan_edit
from tasks.patrons.records import PersonRecord
from tasks.patrons.reverting import revert_patron_run
from tasks.warehouse.engine import Warehouse
from tests.unit.patron_persons import DAY, item, occasion, row
from tests.warehouse.patron_nights import at, night, person, save

FIRST = [row({"last_name": "Lie"}, {"emails": [item("emails", "a@noru.example")]}, primary_id=name) for name in "abc"]
SECOND = [row({"last_name": "Moe"}, {"emails": []}, primary_id=name) for name in "abcd"]
NEXT = occasion(day=DAY + timedelta(1))
NOW = at(DAY + timedelta(2))


def two_nights(connection: Connection) -> tuple[list[int], int]:
    """Three persons of the first night; one more of the second, which changed the three."""
    ids = night(connection, FIRST, occasion(), "first", 1).person_ids
    new = night(connection, SECOND, NEXT, "second", 2).person_ids[3]
    assert new is not None
    return [each for each in ids if each is not None], new


def plain(record: PersonRecord) -> PersonRecord:
    sources = {code: replace(each, needs_merge=False) for code, each in record.sources.items()}
    return replace(record, version=0, sources=sources)


def test_persons_are_as_they_were_and_those_that_the_run_made_are_gone(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        ids = night(connection, FIRST, occasion(), "first", 1).person_ids
        before = [person(connection, each) for each in ids]
        new = night(connection, SECOND, NEXT, "second", 2).person_ids[3]
        report = revert_patron_run(connection, 2, NOW, dry_run=True)
        assert (report.reverted, report.survived) == (4, ())
        assert person(connection, ids[0]).current["last_name"] == "Moe"
        assert revert_patron_run(connection, 2, NOW) == report
        after = [person(connection, each) for each in ids]
        assert [plain(each) for each in after] == [plain(each) for each in before]
        assert [each.version for each in after] == [3, 3, 3]
        assert all(each.sources["NORUPERS"].needs_merge for each in after)
        for table in (tables.core_patron, tables.core_patron_source, tables.core_patron_identifier):
            asked = sa.select(sa.func.count()).select_from(table).where(table.c.person_id == new)
            assert connection.execute(asked).scalar_one() == 0
        change = tables.core_patron_change
        made = connection.execute(sa.select(change).where(change.c.person_id == new)).one()
        assert (made.new, made.primary_id, made.reverted_at) == (None, "", NOW)


def test_undoing_again_changes_nothing(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        ids, _ = two_nights(connection)
        revert_patron_run(connection, "second", NOW)
        versions = [person(connection, each).version for each in ids]
        report = revert_patron_run(connection, "second", NOW)
        assert (report.reverted, report.survived) == (0, ())
        assert [person(connection, each).version for each in ids] == versions


def test_who_was_changed_later_stays_and_is_listed(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        ids, new = two_nights(connection)
        for each in (ids[0], new):
            save(connection, [plan_edit(person(connection, each), "user_title", "dr", "siv", NEXT)], NEXT, "edit", None)
        report = revert_patron_run(connection, 2, NOW)
        assert report.reverted == 2
        assert [each.entity_id for each in report.survived] == [ids[0], new]
        assert "changed later" in report.survived[0].why
        assert person(connection, ids[0]).current["last_name"] == "Moe"
        assert person(connection, ids[1]).current["last_name"] == "Lie"


def test_an_erased_person_never_comes_back(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        ids, _ = two_nights(connection)
        is_first = tables.core_patron.c.person_id == ids[0]
        connection.execute(sa.update(tables.core_patron).where(is_first).values(state="erased", document="{}"))
        report = revert_patron_run(connection, 2, NOW)
        assert [(each.entity_id, each.why) for each in report.survived] == [(ids[0], "it is no longer there")]
        assert connection.execute(sa.select(tables.core_patron.c.document).where(is_first)).scalar_one() == "{}"


def test_a_lock_that_ended_in_the_run_holds_again(warehouse: Warehouse) -> None:
    fru = row({"user_title": "fru"})
    with warehouse.write() as connection:
        (one,) = night(connection, [fru], occasion(), "first", 1).person_ids
        save(connection, [plan_edit(person(connection, one), "user_title", "dr", "siv", NEXT)], NEXT, "edit", None)
        night(connection, [fru], NEXT, "second", 2)
        night(connection, [row({"user_title": "dr"})], NEXT, "third", 3)
        assert person(connection, one).locks == ()
        assert revert_patron_run(connection, 3, NOW).reverted == 1
        assert [(each.kind, each.held) for each in person(connection, one).locks] == [("automatic", "dr")]
        night(connection, [fru], occasion(day=DAY + timedelta(3)), "fourth", 4)
        assert person(connection, one).current["user_title"] == "dr"


def test_a_run_that_changed_a_person_twice_is_undone_whole(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        (one,) = night(connection, [row({"last_name": "Lie"})], occasion(), "first", 1).person_ids
        night(connection, [row({"last_name": "Moe"})], NEXT, "second", 2)
        night(connection, [row({"last_name": "Dal"})], NEXT, "second", 2)
        assert revert_patron_run(connection, 2, NOW).reverted == 1
        assert person(connection, one).current["last_name"] == "Lie"
