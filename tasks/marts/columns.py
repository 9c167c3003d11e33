"""What a column of a promised view holds, as Parquet has it.

Views have names only. An ending says what a name is (`_at`, `_on`, `is_`). Else the type is that of the column that the
view shows under the name (`i.planned`, `b.control_number AS survivor_number`), and where it does not say so that of the
tables' columns of that name, which all mean the same.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant
from schemas.warehouse.out_view import OutView
from tasks.warehouse.all_tables import metadata

INSTANT = pa.timestamp("us", tz="UTC")


def schema_of(view: OutView) -> pa.Schema:
    """The columns of a view with their types; the meaning of each is in the field's metadata.

    Raises `ValueError` for a column of which nobody can say what it holds.
    """
    return pa.schema(
        [
            pa.field(name, type_of(name, view.select), metadata={"meaning": meaning})
            for name, meaning in view.columns.items()
        ],
        metadata={"about": view.about},
    )


@cache
def type_of(name: str, select: str = "") -> pa.DataType:
    """The Parquet type of a column by its name, in a view that is made by `select`."""
    if name.endswith("_at"):
        return INSTANT
    if name.endswith("_on"):
        return pa.date32()
    if name.startswith(("is_", "has_")) or re.search(rf"THEN 1 = 1 ELSE 1 = 0 END AS {name}\b", select):
        return pa.bool_()
    shown = _shown(name, select)
    kind = None if shown is None else _kind(shown)
    kinds = {kind} if kind is not None else _kinds(name)
    if len(kinds) != 1:
        raise ValueError(f"column {name}: its tables say {sorted(map(str, kinds)) or 'nothing'} about what it holds")
    return kinds.pop()


def _shown(name: str, select: str) -> sa.Column[Any] | None:
    """The column of a table that a view shows under `name`; None where it is made of something else."""
    tables = set(re.findall(r"\b(?:raw|stage|core)_\w+", select))
    if len(tables) == 1:
        return metadata.tables[tables.pop()].c.get(name)
    found = re.search(rf"\b(\w+)\.(\w+) AS {name}\b", select) or re.search(rf"\b(\w+)\.({name})\b", select)
    table = found and re.search(rf"\b((?:raw|stage|core)_\w+) {found[1]}\b", select)
    return metadata.tables[table[1]].c.get(found[2]) if found and table else None


def _kinds(name: str) -> set[pa.DataType]:
    columns = [table.c[name] for table in metadata.tables.values() if name in table.c]
    return {kind for column in columns if (kind := _kind(column)) is not None}


def _kind(column: sa.Column[Any]) -> pa.DataType | None:
    """What a table's column holds; None for bytes, which no view shows."""
    kinds: list[tuple[type[Any], pa.DataType]] = [
        (UtcInstant, INSTANT), (sa.Date, pa.date32()), (sa.Boolean, pa.bool_()), (sa.Float, pa.float64()),
        (sa.Integer, pa.int64()), (sa.Text, pa.string()),
    ]  # fmt: skip
    return next((there for kind, there in kinds if isinstance(column.type, kind)), None)


def as_array(values: list[object], kind: pa.DataType) -> pa.Array:
    """A column of a batch. SQLite gives instants and days as text, and booleans as numbers: they are cast."""
    first = next((each for each in values if each is not None), None)
    if isinstance(first, str) and not pa.types.is_string(kind):
        return pa.array(values, pa.string()).cast(kind)
    if isinstance(first, int) and pa.types.is_boolean(kind):
        return pa.array([None if each is None else bool(each) for each in values], kind)
    return pa.array(values, kind)
