"""What PostgreSQL's planner is told, so that a night's plans do not hang on autovacuum having come by.

A delivery that has just been written has no statistics: the planner takes its thousands of rows for one and joins
them row by row with thousands of others. Two things stand against that: each stage that wrote much has the tables
analysed (`renew_statistics`), and statements that join whole sets say so (`joined_as_sets`, `in_range`). SQLite needs
neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from schemas.warehouse.base import metadata
from tasks.warehouse.engine import Warehouse

LEAST_CHANGED_ROWS = 2_000
LEAST_CHANGED_SHARE = 0.02
"""A table is analysed after so many changed rows, and where they are so great a part of it. Autovacuum's own rule is a
tenth, too late for a delivery beside a large catalogue."""
HASH_MEM_MULTIPLIER = 64
"""Times `work_mem` of 4 MB: eight million ids. Only what is there is taken."""
STATISTICS_TARGET = 10
"""A sample of 3,000 rows: enough for a plan, and the price does not grow with the table."""


def renew_statistics(warehouse: Warehouse) -> list[str]:
    """Have the tables analysed of which much has changed since they were last; returns their names.

    To be called between transactions, by whoever wrote. Only what is joined by is looked at. A table that another
    session analyses at this moment is left to it.
    """
    if not warehouse.is_postgresql:
        return []
    with warehouse.engine.connect() as connection:
        with connection.begin():
            count_changes_at_once(connection)
        with connection.begin():
            names = _much_changed(connection, _LOOKED_AT.setdefault(warehouse.engine, {}))
        with connection.begin():
            connection.exec_driver_sql(f"SET LOCAL default_statistics_target = {STATISTICS_TARGET}")
            for name in names:
                columns = ", ".join(f'"{each}"' for each in _joined_by(metadata.tables[name]))
                connection.exec_driver_sql(f'ANALYZE (SKIP_LOCKED) "{name}" ({columns})')
    return names


def count_changes_at_once(connection: Connection) -> None:
    """Have the rows that this session has changed counted when the transaction ends, not a second or ten later."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")


_LOOKED_AT: WeakKeyDictionary[Engine, dict[str, int]] = WeakKeyDictionary()
"""Changes of each table when this process had it analysed: PostgreSQL goes on counting where not all columns are."""


def _much_changed(connection: Connection, looked_at: dict[str, int]) -> list[str]:
    rows = connection.execute(
        sa.text(
            "SELECT relname, n_mod_since_analyze, n_live_tup FROM pg_stat_user_tables"
            " WHERE schemaname = current_schema() AND n_mod_since_analyze >= :least ORDER BY relname"
        ),
        {"least": LEAST_CHANGED_ROWS},
    )
    names = []
    for name, changes, rows_there in rows:
        before = looked_at.get(name, 0)
        # Fewer than before: autovacuum was there since.
        new = changes - before if changes >= before else changes
        if name in metadata.tables and new >= max(LEAST_CHANGED_ROWS, LEAST_CHANGED_SHARE * rows_there):
            looked_at[name] = changes
            names.append(name)
    return names


def _joined_by(table: sa.Table) -> list[str]:
    """The columns of its keys and indexes, in the table's order."""
    keys = [table.primary_key.columns, *(index.columns for index in table.indexes)]
    names = {column.name for columns in keys for column in columns}
    return [column.name for column in table.columns if column.name in names]


def sets_in_memory(connection: Connection) -> None:
    """To its end the transaction looks up in memory who is to be left out (`NOT IN`), however many they are.

    Of more than 260,000 of them PostgreSQL thinks that they have no room, and goes through all of them for each row.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL hash_mem_multiplier = {HASH_MEM_MULTIPLIER}")


@contextmanager
def joined_as_sets(connection: Connection) -> Iterator[None]:
    """Statements inside join sets of about one size: by hash or merge, never row by row, whatever is known of them.

    For statements that join the rows of a range with each other. Not for look-ups of a few keys in a large table.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
    yield
    # Not after an error: the transaction is over then, and the setting with it.
    connection.exec_driver_sql("SET LOCAL enable_nestloop = on")


def in_range(
    connection: Connection, table: sa.Table, delivery_id: int, first: int, last: int
) -> sa.ColumnElement[bool]:
    """Says to PostgreSQL beside a join on positions that they lie in `first` to `last`, so that it reads only those.

    True for SQLite, which would walk the whole range for each position.
    """
    if connection.dialect.name != "postgresql":
        return sa.true()
    return sa.and_(table.c.delivery_id == delivery_id, table.c.position.between(first, last))
