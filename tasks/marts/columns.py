"""What a column of a promised view holds, as Parquet has it.

Views have names only. A name means the same in every table of the warehouse, and its ending says what it is (`_at`,
`_on`, `is_`), so the type is that of the tables' columns of that name.
"""

from __future__ import annotations

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
        [pa.field(name, type_of(name), metadata={"meaning": meaning}) for name, meaning in view.columns.items()],
        metadata={"about": view.about},
    )


@cache
def type_of(name: str) -> pa.DataType:
    """The Parquet type of a column by its name."""
    if name.endswith("_at"):
        return INSTANT
    if name.endswith("_on"):
        return pa.date32()
    if name.startswith(("is_", "has_")):
        return pa.bool_()
    kinds = {
        kind
        for table in metadata.tables.values()
        for column in table.columns
        if column.name == name and (kind := _kind(column)) is not None
    }
    if len(kinds) != 1:
        raise ValueError(f"column {name}: its tables say {sorted(map(str, kinds)) or 'nothing'} about what it holds")
    return kinds.pop()


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
