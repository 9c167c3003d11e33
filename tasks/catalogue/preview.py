"""A dry run: the very same loading, inside a transaction that is rolled back.

So a preview cannot decide differently from the load. What it found is kept in `stage_preview`; nothing is settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_record
from schemas.warehouse.stage import stage_holding, stage_preview
from tasks.catalogue.load_holdings import load_staged_holdings
from tasks.catalogue.loading import Loading
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ids import current

PREVIEW_COLUMNS = ("position", "part", "record_type", "outcome", "rule", "reason", "sigel", "bib_id")


class _RollBackError(Exception):
    """Ends a transaction that was never meant to last."""


@contextmanager
def rolled_back(warehouse: Warehouse) -> Iterator[Connection]:
    """A transaction under the catalogue lock of which nothing stays."""
    try:
        with warehouse.write(CATALOGUE_LOCK) as connection:
            yield connection
            raise _RollBackError
    except _RollBackError:
        pass


RangeLoader = Callable[[Connection, Loading, int, int], Counter[str]]


def preview_delivery(
    warehouse: Warehouse, loading: Loading, load_range: RangeLoader, *, chunk_records: int
) -> Counter[str]:
    """Decide everything about a staged (and matched) delivery, and settle nothing.

    `load_range` loads the bibs of a range of positions, as the real load does. Returns counts by `bibs_<outcome>`
    and `holdings_<outcome>`; the rows are in `stage_preview`.
    """
    with rolled_back(warehouse) as connection:
        last_bib = current(connection, "bib")
        last = connection.execute(
            sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == loading.delivery_id)
        ).scalar()
        for low in range(0, int(last or 0), chunk_records):
            load_range(connection, loading, low, low + chunk_records)
        for low in range(0, int(last or 0), chunk_records):
            in_range = sa.and_(stage_holding.c.position > low, stage_holding.c.position <= low + chunk_records)
            load_staged_holdings(connection, loading, in_range)
        rows = _decided(connection, loading.delivery_id, last_bib)
    with warehouse.write() as connection:
        connection.execute(sa.delete(stage_preview).where(stage_preview.c.delivery_id == loading.delivery_id))
        bulk_insert(connection, stage_preview, PREVIEW_COLUMNS, rows, {"delivery_id": loading.delivery_id})
    return Counter(f"{row[2]}s_{row[3]}" for row in rows)


def _decided(connection: Connection, delivery_id: int, last_bib: int) -> list[tuple[Any, ...]]:
    """The outcomes, without the ids of bibs made since `last_bib` was the last: in the load they will be others."""
    is_there = core_outcome.c.bib_id <= last_bib
    columns = [core_outcome.c[name] for name in PREVIEW_COLUMNS if name != "bib_id"]
    rows = connection.execute(
        sa.select(*columns, sa.case((is_there, core_outcome.c.bib_id), else_=None))
        .where(core_outcome.c.delivery_id == delivery_id, core_outcome.c.is_latest)
        .order_by(core_outcome.c.position, core_outcome.c.part)
    )
    return [tuple(row) for row in rows]
