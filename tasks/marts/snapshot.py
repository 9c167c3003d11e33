"""A day's snapshot of the promised views: a Parquet file each, from one moment, in `marts/day=<day>/`.

Views of patrons and of accounts are there as numbers of rows alone, and columns that may name a person are empty:
persons do not leave the warehouse this way.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import IO, BinaryIO, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.out import OUT_VIEWS
from schemas.warehouse.out_view import OutView
from tasks.landing.keys import Area, check_key
from tasks.landing.zone import LandingZone
from tasks.marts.columns import as_array, schema_of
from tasks.warehouse.engine import Warehouse

ROWS_AT_ONCE = 20_000
COUNTED_ONLY = ("out_patron", "out_account")
"""Beginnings of the names of views that are counted and not copied."""
NAMING_PERSONS: dict[str, tuple[str, ...]] = {
    "out_bib_merge": ("by", "split_by"),
    "out_duplicate_candidate": ("owner", "decided_by"),
    "out_import": ("decided_by",),
    "out_library_application": ("contact", "decided_by"),
    "out_match": ("decided_by",),
    "out_notice": ("recipient", "subject", "last_error"),
    "out_plan": ("decided_by",),
    "out_review": ("owner", "decided_by"),
    "out_run": ("subject", "summary"),
    "out_supplier_customer": ("email",),
}
"""Columns that are empty in the snapshot: they may name staff, or a person whom a message is about."""
COUNTS = pa.schema([("view", pa.string()), ("rows", pa.int64())])
DICTIONARY = "data-dictionary.json"


def is_copied(view: OutView) -> bool:
    """Whether the rows of a view may be in the snapshot."""
    return not (view.is_personal or view.name.startswith(COUNTED_ONLY))


def mart_key(day: date, name: str) -> str:
    """`marts/day=2025-03-14/out_bib.parquet`: DuckDB and pandas read the day from the folder's name."""
    return check_key(f"{Area.MARTS}/day={day}/{name}")


def write_marts(warehouse: Warehouse, zone: LandingZone, day: date, catalogue: str) -> Counter[str]:
    """Write the snapshot of `day`, in place of an earlier one; returns rows by view. Memory does not grow with them.

    `catalogue` is its name, for people. The data dictionary comes last: where it is there, the snapshot is whole.
    """
    counts: Counter[str] = Counter()
    with warehouse.snapshot() as connection:
        for view in OUT_VIEWS:
            if is_copied(view):
                with _put_when_done(zone, mart_key(day, f"{view.name}.parquet")) as file:
                    counts[view.name] = _write(connection, view, file)
            else:
                number = sa.select(sa.func.count()).select_from(sa.table(view.name))
                counts[view.name] = connection.execute(number).scalar_one()
    rows = pa.table({"view": list(counts), "rows": list(counts.values())}, schema=COUNTS)
    with _put_when_done(zone, mart_key(day, "counts.parquet")) as file:
        pq.write_table(rows, file)
    zone.put(mart_key(day, DICTIONARY), dictionary(day, catalogue, counts), overwrite=True)
    return counts


@contextmanager
def _put_when_done(zone: LandingZone, key: str) -> Iterator[IO[bytes]]:
    """A temporary file; what was written to it is put under `key` at the end, in place of what was there."""
    with tempfile.TemporaryFile(prefix="samkat-mart-") as file:
        yield file
        file.seek(0)
        zone.put(key, cast(BinaryIO, file), overwrite=True)


def _write(connection: Connection, view: OutView, file: IO[bytes]) -> int:
    schema, number = schema_of(view), 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in _batches(connection, view, schema):
            writer.write_batch(batch)
            number += batch.num_rows
    return number


def _batches(connection: Connection, view: OutView, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    empty = NAMING_PERSONS.get(view.name, ())
    columns = ", ".join(f'NULL AS "{name}"' if name in empty else f'"{name}"' for name in view.columns)
    rows = connection.execution_options(stream_results=True, max_row_buffer=ROWS_AT_ONCE).execute(
        sa.text(f"SELECT {columns} FROM {view.name}")
    )
    while some := rows.fetchmany(ROWS_AT_ONCE):
        values = [list(column) for column in zip(*some, strict=True)]
        arrays = [as_array(column, field.type) for column, field in zip(values, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def dictionary(day: date, catalogue: str, counts: Counter[str]) -> bytes:
    """What is in the snapshot: each view with its columns, their types and meanings; as JSON."""
    views = {
        view.name: {
            "about": view.about,
            "rows": counts[view.name],
            "file": f"{view.name}.parquet" if is_copied(view) else None,
            "columns": {
                field.name: {"type": str(field.type), "meaning": view.columns[field.name]} for field in schema_of(view)
            }
            if is_copied(view)
            else {},
        }
        for view in OUT_VIEWS
    }
    return (
        orjson.dumps({"catalogue": catalogue, "day": day.isoformat(), "views": views}, option=orjson.OPT_INDENT_2)
        + b"\n"
    )
