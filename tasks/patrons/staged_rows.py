"""What has become of rows of a file, noted in stage_patron: as one set on PostgreSQL, row after row on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from schemas.warehouse.patrons import stage_patron


def note_rows(
    connection: Connection, delivery_id: int, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Set `columns` of rows of a file; a row is its record number, then the values in the order of the columns."""
    if rows and connection.dialect.name == "postgresql":
        names = ("record_no", *columns)
        told = orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()
        connection.execute(_as_a_set(tuple(columns)), {"told": told, "of_delivery": delivery_id})
    elif rows:
        marks: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in columns}
        statement = sa.update(stage_patron).where(
            stage_patron.c.delivery_id == delivery_id, stage_patron.c.record_no == sa.bindparam("no")
        )
        names = ("no", *(f"new_{name}" for name in columns))
        connection.execute(statement.values(**marks), [dict(zip(names, row, strict=True)) for row in rows])


@cache
def _as_a_set(columns: tuple[str, ...]) -> sa.Update:
    """All rows go as one text: as arrays the driver looks at each quotation mark of each plan.

    The file stands in the set as well. As a constant of the statement PostgreSQL takes a file that was just written for
    one row, and any index with the file in it is as good as the key: then it reads the whole file for each row. The
    text is no part of the statement: a statement names itself, so it would keep the text until Python searches for
    cycles, which in a large process is after hundreds of chunks.
    """
    told_rows = (
        sa.func.json_to_recordset(sa.cast(sa.bindparam("told", type_=sa.Text), postgresql.JSON))
        .table_valued(*(sa.column(name, stage_patron.c[name].type) for name in ("record_no", *columns)))
        .render_derived(with_types=True)
    )
    new = (
        sa.select(sa.bindparam("of_delivery", type_=sa.BigInteger).label("delivery_id"), *told_rows.c)
        .cte("told")
        .prefix_with("MATERIALIZED")
    )
    return (
        sa.update(stage_patron)
        .where(stage_patron.c.delivery_id == new.c.delivery_id, stage_patron.c.record_no == new.c.record_no)
        .values({name: new.c[name] for name in columns})
    )
