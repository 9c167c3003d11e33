"""The warehouse's ground, on both engines: migrations, views, bulk loading, ids, ledger, chunks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_bib_isbn
from schemas.warehouse.out import OUT_VIEWS
from schemas.warehouse.raw import raw_delivery
from tasks.warehouse import ledger
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.bulk import bulk_insert, id_set, text_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ids import current, take_ids
from tasks.warehouse.migrate import migrate

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def arrival(sha: str = "a" * 64, name: str = "day.mrc") -> ledger.Arrival:
    return ledger.Arrival(
        kind="supplier", sender="NORDBOK", sha256=sha, name=name, uri=f"file:///x/{name}", bytes=3, received_at=NOW
    )


def test_migrations_make_exactly_the_tables_of_the_metadata(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_twice_changes_nothing_and_keeps_counters(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        take_ids(connection, "bib", 5)
    migrate(warehouse)
    with warehouse.read() as connection:
        assert current(connection, "bib") == 5


def test_each_promised_view_has_its_columns(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        for view in OUT_VIEWS:
            assert list(connection.exec_driver_sql(f"SELECT * FROM {view.name}").keys()) == list(view.columns)


def test_instants_come_back_in_utc_and_naive_ones_are_refused(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        delivery_id = ledger.register_arrival(connection, arrival()).delivery_id
    with warehouse.read() as connection:
        assert ledger.delivery(connection, delivery_id).received_at == NOW
    with pytest.raises(sa.exc.StatementError, match="needs a time zone"), warehouse.write() as connection:
        connection.execute(sa.update(raw_delivery).values(finished_at=datetime(2026, 1, 1)))


def test_bulk_insert_keeps_nulls_blanks_and_letters(warehouse: Warehouse) -> None:
    rows = [(7, 1, "9789100123451", "978-91-0012345-1", "a", "inb.", "valid"), (7, 2, None, "Åäø ", "z", "", "invalid")]
    columns = ("bib_id", "seq", "isbn13", "raw", "subfield", "qualifier", "status")
    with warehouse.write() as connection:
        assert bulk_insert(connection, core_bib_isbn, columns, rows) == 2
    with warehouse.read() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(core_bib_isbn).order_by("seq"))] == rows


def test_sets_of_ids_and_texts_join_like_tables(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        numbers = id_set(connection, range(1, 40_001))
        assert connection.execute(sa.select(sa.func.sum(numbers.c.value))).scalar_one() == 800_020_000
        texts = text_set(connection, ["b", "å", "a'b"])
        assert sorted(connection.execute(sa.select(texts.c.value)).scalars()) == ["a'b", "b", "å"]


def test_ids_are_never_given_twice_and_a_rolled_back_block_is_free_again(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        assert list(take_ids(connection, "bib", 3)) == [1, 2, 3]
    with pytest.raises(RuntimeError), warehouse.write() as connection:
        take_ids(connection, "bib", 3)
        raise RuntimeError
    with warehouse.write() as connection:
        assert list(take_ids(connection, "bib", 2)) == [4, 5]


def test_the_same_content_under_another_name_is_a_repeat(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        first = ledger.register_arrival(connection, arrival())
        again = ledger.register_arrival(connection, arrival(name="other.mrc"))
        other = ledger.register_arrival(connection, arrival(sha="b" * 64))
    assert (first.is_repeat, again.is_repeat, other.is_repeat) == (False, True, False)
    assert again.delivery_id == first.delivery_id != other.delivery_id


def test_again_opens_a_new_generation_only_of_a_reverted_delivery(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        first = ledger.register_arrival(connection, arrival())
        assert ledger.register_arrival(connection, arrival(), again=True).is_repeat
        ledger.set_state(connection, first.delivery_id, DeliveryState.REVERTED)
        assert ledger.register_arrival(connection, arrival()).is_repeat
        reloaded = ledger.register_arrival(connection, arrival(), again=True)
    assert not reloaded.is_repeat
    assert reloaded.delivery_id != first.delivery_id


def test_a_chunk_that_fails_leaves_the_position_reached_before_it(warehouse: Warehouse) -> None:
    with ledger.chunk(warehouse, 1, "stage") as chunk:
        chunk.advance(20)
    with pytest.raises(RuntimeError), ledger.chunk(warehouse, 1, "stage") as chunk:
        chunk.advance(40)
        raise RuntimeError
    with ledger.chunk(warehouse, 1, "stage") as chunk:
        assert (chunk.reached, chunk.is_done) == (20, False)
        chunk.advance(40, done_at=NOW)
    with warehouse.read() as connection:
        assert ledger.is_stage_done(connection, 1, "stage")
