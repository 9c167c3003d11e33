"""Bulk loading: COPY on PostgreSQL, `executemany` on SQLite, and id sets for set-based statements.

Measured in the design: per-row inserts are 10 to 100 times slower (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from schemas.warehouse.base import UtcInstant


def bulk_insert(
    connection: Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    constants: Mapping[str, Any] | None = None,
) -> int:
    """Insert `rows` (plain tuples in the order of `columns`) and return how many there were.

    Values must be what the driver takes as they are: str, int, float, bytes, bool, None. Instants and dates are
    converted here, at the price of looking at each row of such a table; `constants` are values that every row
    shares, converted once.
    """
    converters = [
        (index, _converter(connection, table.c[name]))
        for index, name in enumerate(columns)
        if _needs_conversion(table.c[name])
    ]
    if converters:
        rows = (_converted(row, converters) for row in rows)
    if constants:
        shared = tuple(_constant(connection, table.c[name], value) for name, value in constants.items())
        columns = (*columns, *constants)
        rows = (row + shared for row in rows)
    if connection.dialect.name == "postgresql":
        left = iter(rows)
        few = list(islice(left, _FEW + 1))
        if len(few) > _FEW:
            return _copy(connection, table, columns, chain(few, left))
        return _insert_few(connection, table, columns, few)
    batch = rows if isinstance(rows, list) else list(rows)
    if batch:
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', batch)
    return len(batch)


def _constant(connection: Connection, column: sa.Column[Any], value: Any) -> Any:
    return _converter(connection, column)(value) if _needs_conversion(column) and value is not None else value


def _converter(connection: Connection, column: sa.Column[Any]) -> Callable[[Any], Any]:
    """What turns a value of this column into what the driver takes."""
    convert = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return convert if convert is not None else _unchanged


def _unchanged(value: Any) -> Any:
    return value


def _needs_conversion(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, (UtcInstant, sa.Date))


def _converted(row: tuple[Any, ...], converters: list[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for index, convert in converters:
        if values[index] is not None:
            values[index] = convert(values[index])
    return tuple(values)


_FEW = 8
"""Rows that one INSERT holds: a COPY asks the server three times, and parses nothing for it."""


def _insert_few(connection: Connection, table: sa.Table, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> int:
    if rows:
        names = ", ".join(f'"{name}"' for name in columns)
        marks = f"({', '.join(['%s'] * len(columns))})"
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({names}) VALUES {", ".join([marks] * len(rows))}',
            tuple(value for row in rows for value in row),
        )
    return len(rows)


def _copy(connection: Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    names = ", ".join(f'"{name}"' for name in columns)
    types = [table.c[name].type.compile(connection.dialect).split("(")[0].split(" COLLATE")[0] for name in columns]
    number = 0
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)') as copy:
        copy.set_types([_COPY_TYPES.get(each.lower(), each.lower()) for each in types])
        for row in rows:
            copy.write_row(row)
            number += 1
    return number


_COPY_TYPES = {
    "bigint": "int8",
    "integer": "int4",
    "smallint": "int2",
    "boolean": "bool",
    "bytea": "bytea",
    "text": "text",
    "float": "float8",
    "double precision": "float8",
    "timestamp with time zone": "timestamptz",
    "timestamp": "timestamptz",
    "date": "date",
}


class _IdArray(sa.types.UserDefinedType[Collection[int]]):
    """An array of integers as one text: the driver takes four times as long to look at each of them."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_options: Any) -> str:
        return "BIGINT[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Collection[int] | None], str]:
        return lambda ids: f"{{{','.join(map(str, ids or ()))}}}"

    def literal_processor(self, dialect: Dialect) -> Callable[[Collection[int]], str]:
        return lambda ids: f"'{{{','.join(map(str, ids))}}}'::BIGINT[]"


def id_set(connection: Connection, ids: Collection[int]) -> sa.TableValuedAlias:
    """A set of integers as a FROM clause with one column `value`: one parameter, whatever the size."""
    if connection.dialect.name == "postgresql":
        array = sa.bindparam(None, ids, type_=_IdArray(), unique=True)
        return sa.func.unnest(array).table_valued(sa.column("value", sa.BigInteger)).render_derived()
    encoded = orjson.dumps(list(ids)).decode()
    return sa.func.json_each(encoded).table_valued(sa.column("value", sa.Integer))


def id_list(connection: Connection, ids: Sequence[int]) -> sa.Subquery:
    """Integers in their order, as a FROM clause with the columns `place` (from 0) and `value`."""
    if connection.dialect.name == "postgresql":
        array = sa.bindparam(None, ids, type_=_IdArray(), unique=True)
        listed = sa.func.unnest(array).table_valued(sa.column("value", sa.BigInteger), with_ordinality="place")
        rows = listed.render_derived()
        return sa.select(sa.cast(rows.c.place - 1, sa.Integer).label("place"), rows.c.value).subquery()
    encoded = orjson.dumps(ids).decode()
    pairs = sa.func.json_each(encoded).table_valued(sa.column("key", sa.Integer), sa.column("value", sa.Integer))
    return sa.select(pairs.c.key.label("place"), pairs.c.value).subquery()


def rows_of(
    connection: Connection, key: sa.Column[int], ids: Collection[int], chosen: sa.Select[Any]
) -> list[tuple[Any, ...]]:
    """The rows of `chosen`, a selection from the table of `key`, whose `key` is one of `ids`; in no order.

    Ids that were given out one after the other are asked for as a range, which needs no look-up of each.
    """
    scattered, first, last = _split_where_dense(sorted(ids))
    found: list[tuple[Any, ...]] = []
    if first <= last:
        wanted_ids = frozenset(ids)
        with_key = connection.execute(chosen.add_columns(key).where(key.between(first, last)))
        found += [tuple(row[:-1]) for row in with_key if row[-1] in wanted_ids]
    if scattered:
        wanted = id_set(connection, scattered)
        found += [tuple(row) for row in connection.execute(chosen.join(wanted, wanted.c.value == key))]
    return found


def _split_where_dense(ids: Sequence[int]) -> tuple[Sequence[int], int, int]:
    """Sorted ids from the last one down while they follow closely: (the others, first, last of the range).

    Where too few follow for a range to be worth it, the range is empty (first behind last).
    """
    start = len(ids)
    while start > 0 and (start == len(ids) or ids[start] - ids[start - 1] <= _CLOSE):
        start -= 1
    if len(ids) - start < _WORTH_A_RANGE:
        return ids, 1, 0
    return ids[:start], ids[start], ids[-1]


_CLOSE, _WORTH_A_RANGE = 4, 100


def position_set(connection: Connection, delivery_id: int, positions: Collection[int]) -> sa.CTE:
    """Positions of a delivery as a table with the columns `delivery_id` and `value`, to join on both.

    With the delivery as a constant of the statement SQLite thinks it has few rows and walks all of them; with it in
    the set it has to look up each position by the key.
    """
    wanted = id_set(connection, positions)
    rows = sa.select(sa.literal(delivery_id, sa.BigInteger).label("delivery_id"), wanted.c.value)
    return rows.cte(None).prefix_with("MATERIALIZED")


def text_set(connection: Connection, values: Collection[str]) -> sa.TableValuedAlias:
    """A set of strings as a FROM clause with one column `value`."""
    if connection.dialect.name == "postgresql":
        array = sa.bindparam(None, list(values), type_=sa.ARRAY(sa.Text()), unique=True)
        return sa.func.unnest(array).table_valued(sa.column("value", sa.Text)).render_derived()
    encoded = orjson.dumps(list(values)).decode()
    return sa.func.json_each(encoded).table_valued(sa.column("value", sa.Text))


def hash_set(connection: Connection, hashes: Collection[bytes]) -> sa.FromClause:
    """A set of byte strings as a FROM clause with one column `value`.

    SQLite has no function that takes bytes from one parameter: there a temporary table of the connection holds them,
    until the next call.
    """
    if connection.dialect.name == "postgresql":
        array = sa.bindparam(None, list(hashes), type_=sa.ARRAY(sa.LargeBinary()), unique=True)
        return sa.func.unnest(array).table_valued(sa.column("value", sa.LargeBinary)).render_derived()
    connection.exec_driver_sql("CREATE TEMP TABLE IF NOT EXISTS hashes_asked (value BLOB PRIMARY KEY) WITHOUT ROWID")
    connection.exec_driver_sql("DELETE FROM hashes_asked")
    if hashes:
        connection.exec_driver_sql("INSERT OR IGNORE INTO hashes_asked VALUES (?)", [(each,) for each in hashes])
    return sa.table("hashes_asked", sa.column("value", sa.LargeBinary))


def rows_as_json(
    connection: Connection, table: sa.Table, columns: Sequence[str], owner_id: sa.Column[Any]
) -> sa.ScalarSelect[Any]:
    """The rows of `table` that belong to `owner_id`, as a JSON list of lists in key order: for before-images.

    `owner_id` is the key of another table of the statement; `table` has a column of that name.
    """
    keys = [each for each in table.primary_key.columns if each.name != owner_id.name]
    rows = (
        sa.select(table).where(table.c[owner_id.name] == owner_id).correlate(owner_id.table).order_by(*keys).subquery()
    )
    values = [rows.c[name] for name in columns]
    text: sa.ColumnElement[Any] = (
        sa.cast(sa.func.json_agg(sa.func.json_build_array(*values)), sa.Text)
        if connection.dialect.name == "postgresql"
        else sa.func.json_group_array(sa.func.json_array(*values))
    )
    return sa.select(sa.func.coalesce(text, "[]")).select_from(rows).scalar_subquery()
