"""PostgreSQL plans what was written a moment ago by what is there, without waiting for autovacuum."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_outcome
from schemas.warehouse.stage import stage_holding, stage_isbn
from tasks.landing.stages import receive
from tasks.warehouse import planner
from tasks.warehouse.bulk import bulk_insert, position_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.planner import in_range, joined_as_sets, renew_statistics
from tasks.workplace import Workplace
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import TO_THE_SHELVES

ISBN_COLUMNS = ("delivery_id", "position", "seq", "raw", "subfield", "qualifier", "status")


def write_isbns(warehouse: Warehouse, delivery_id: int, number: int) -> None:
    rows = [(delivery_id, position, 1, "9789170000003", "a", "", "valid") for position in range(1, number + 1)]
    with warehouse.write() as connection:
        bulk_insert(connection, stage_isbn, ISBN_COLUMNS, rows)


def estimate(connection: Connection, delivery_id: int) -> int:
    """How many rows the planner thinks a delivery has in stage_isbn."""
    plan = connection.exec_driver_sql(
        f"EXPLAIN (FORMAT JSON) SELECT 1 FROM stage_isbn WHERE delivery_id = {delivery_id}"
    ).scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])


def known_rows(warehouse: Warehouse, table: sa.Table) -> int:
    """What the last ANALYZE counted; -1 where there was none."""
    with warehouse.read() as connection:
        counted = connection.execute(
            sa.text("SELECT reltuples FROM pg_class WHERE oid = CAST(:name AS regclass)"), {"name": table.name}
        ).scalar_one()
    return int(counted)


def test_what_was_bulk_loaded_has_statistics_at_once_also_beside_older_deliveries(warehouse: Warehouse) -> None:
    if not warehouse.is_postgresql:
        assert renew_statistics(warehouse) == []
        return
    for delivery_id in (1, 2):
        write_isbns(warehouse, delivery_id, 5_000)
        assert renew_statistics(warehouse) == ["stage_isbn"]
        with warehouse.read() as connection:
            assert 4_000 < estimate(connection, delivery_id) < 6_000
    assert known_rows(warehouse, stage_isbn) == 10_000


def test_a_few_rows_are_not_worth_an_analysis(warehouse: Warehouse) -> None:
    if not warehouse.is_postgresql:
        pytest.skip("SQLite plans by the statement alone")
    write_isbns(warehouse, 1, planner.LEAST_CHANGED_ROWS)
    assert renew_statistics(warehouse) == ["stage_isbn"]
    write_isbns(warehouse, 2, 20)
    assert renew_statistics(warehouse) == []


def test_sets_are_joined_as_sets_whatever_the_planner_believes(warehouse: Warehouse) -> None:
    if not warehouse.is_postgresql:
        pytest.skip("SQLite plans by the statement alone")
    # Statistics that say: this table holds delivery 1, and nothing else. Delivery 2 is one row to the planner.
    write_isbns(warehouse, 1, 5_000)
    renew_statistics(warehouse)
    write_isbns(warehouse, 2, 5_000)
    with warehouse.write() as connection:
        assert estimate(connection, 2) == 1
        positions = position_set(connection, 2, range(1, 5_001))
        again = stage_isbn.alias("again")
        joined = (
            sa.select(sa.func.count())
            .select_from(positions)
            .join(stage_isbn, sa.and_(stage_isbn.c.delivery_id == 2, stage_isbn.c.position == positions.c.value))
            .join(again, sa.and_(again.c.delivery_id == 2, again.c.position == positions.c.value))
            .where(in_range(connection, stage_isbn, 2, 1, 5_000))
        )
        with joined_as_sets(connection):
            plan = "\n".join(connection.execute(_explained(connection, joined)).scalars())
            assert connection.execute(joined).scalar_one() == 5_000
        assert "Nested Loop" not in plan
        assert connection.exec_driver_sql("SHOW enable_nestloop").scalar_one() == "on"


def _explained(connection: Connection, statement: sa.Select[tuple[int]]) -> sa.TextClause:
    return sa.text("EXPLAIN " + str(statement.compile(connection, compile_kwargs={"literal_binds": True})))


def test_each_stage_leaves_statistics_of_what_it_wrote(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    if not place.warehouse.is_postgresql:
        pytest.skip("SQLite plans by the statement alone")
    monkeypatch.setattr(planner, "LEAST_CHANGED_ROWS", 1)
    parcel = Parcel()
    for serial in range(5):
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
    deliveries = receive.fn("NORDBOK", [parcel.land(place)])
    left = []
    for stage in TO_THE_SHELVES:
        stage(deliveries)
        left.append((known_rows(place.warehouse, stage_holding), known_rows(place.warehouse, core_outcome)))
    staged, _checked, _matched, bibs_loaded, holdings_loaded, *_rest = left
    assert staged == (5, -1)
    assert bibs_loaded == (5, 5)
    assert holdings_loaded == (5, 10)
