"""Rows of a file that was just written: what is noted of them, and that none of it hangs on statistics."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.patrons import stage_patron
from tasks.patrons import planning
from tasks.patrons.staged_rows import note_rows
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import Warehouse

OLD, NEW = 1, 2
ROWS = 4_000
_COLUMNS = ("delivery_id", "record_no", "content_hash", "person_id", "stable_key", "outcome")


def write_file(connection: Connection, delivery_id: int) -> None:
    """Every third row is of a person who is not placed yet; the last one has the id of the third."""
    rows: list[tuple[Any, ...]] = [
        (delivery_id, number, b"h" * 16, None, f"id:{number}", "")
        if number % 3 == 0
        else (delivery_id, number, b"h" * 16, number, None, "unchanged")
        for number in range(1, ROWS)
    ]
    rows.append((delivery_id, ROWS, b"h" * 16, None, "id:3", ""))
    bulk_insert(connection, stage_patron, _COLUMNS, rows)


def rows_read(connection: Connection) -> int:
    """Rows of stage_patron that this transaction has read so far."""
    return int(
        connection.exec_driver_sql(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = 'stage_patron'"
        ).scalar_one()
    )


@pytest.fixture
def just_written(warehouse: Warehouse) -> Warehouse:
    """Two files; on PostgreSQL statistics know of the older one alone."""
    with warehouse.write() as connection:
        write_file(connection, OLD)
        if warehouse.is_postgresql:
            connection.exec_driver_sql("ANALYZE stage_patron")
    with warehouse.write() as connection:
        write_file(connection, NEW)
    return warehouse


def test_what_is_noted_stands_in_the_rows_of_this_file_alone(just_written: Warehouse) -> None:
    said = '[{"old": "\\\\ \\"Å\\"", "new": null}]'
    with just_written.write() as connection:
        note_rows(
            connection,
            NEW,
            ("person_id", "outcome", "classes", "plan"),
            [(3, 77, "changed", "a,b", said), (6, None, "created", "", None)],
        )
        note_rows(connection, NEW, ("outcome", "incoming"), [])
        found = connection.execute(
            sa.select(stage_patron)
            .where(stage_patron.c.record_no.in_([3, 6]))
            .order_by(stage_patron.c.delivery_id, stage_patron.c.record_no)
        ).all()
    assert [(row.person_id, row.outcome, row.classes, row.plan) for row in found] == [
        (None, "", "", None),
        (None, "", "", None),
        (77, "changed", "a,b", said),
        (None, "created", "", None),
    ]


def test_a_file_that_was_just_written_is_not_read_again_for_each_of_its_rows(just_written: Warehouse) -> None:
    numbers = range(3, ROWS, 3)
    with just_written.write() as connection:
        assert planning._quarantine_repeated(connection, NEW) == 1
        taken = planning._taken_by_others(connection, NEW, [*range(1, 1_000), ROWS + 1], {1, 2})
        assert taken == {number for number in range(1, 1_000) if number % 3 and number not in (1, 2)}
        note_rows(connection, NEW, ("outcome", "person_id"), [(number, "changed", number) for number in numbers])
        if just_written.is_postgresql:
            assert rows_read(connection) < 20 * ROWS
