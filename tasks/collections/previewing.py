"""A dry run of a collection: the very same decisions, chunk by chunk, each rolled back.

Since a collection changes nothing before it is approved, no chunk depends on the one before; so the memory stays
small, whatever the size.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_record
from schemas.warehouse.stage import stage_holding, stage_preview
from tasks.catalogue.load_bibs import load_bib_range
from tasks.catalogue.load_holdings import load_staged_holdings
from tasks.catalogue.loading import Loading
from tasks.catalogue.preview import PREVIEW_COLUMNS, rolled_back
from tasks.collections.sorting import HOLDINGS_BEHIND
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import Warehouse


def preview_collection(warehouse: Warehouse, loading: Loading, *, chunk_records: int) -> Counter[str]:
    """Decide a matched collection and settle nothing; returns counts by `bibs_<outcome>` and `holdings_<outcome>`."""
    counts: Counter[str] = Counter()
    with warehouse.write() as connection:
        last = connection.execute(
            sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == loading.delivery_id)
        ).scalar()
        connection.execute(sa.delete(stage_preview).where(stage_preview.c.delivery_id == loading.delivery_id))
    for low in range(0, int(last or 0), chunk_records):
        with rolled_back(warehouse) as connection:
            rows = _decided(connection, loading, low, low + chunk_records)
        with warehouse.write() as connection:
            bulk_insert(connection, stage_preview, PREVIEW_COLUMNS, rows, {"delivery_id": loading.delivery_id})
        counts.update(f"{row[2]}s_{row[3]}" for row in rows)
    return counts


def _decided(connection: Connection, loading: Loading, low: int, high: int) -> list[tuple[Any, ...]]:
    load_bib_range(connection, loading, low, high)
    of_range = sa.and_(
        stage_holding.c.position > low,
        stage_holding.c.position <= high + HOLDINGS_BEHIND,
        sa.func.coalesce(stage_holding.c.bib_position, stage_holding.c.position).between(low + 1, high),
    )
    load_staged_holdings(connection, loading, of_range)
    rows = connection.execute(
        sa.select(*(core_outcome.c[name] for name in PREVIEW_COLUMNS))
        .where(core_outcome.c.delivery_id == loading.delivery_id, core_outcome.c.is_latest)
        .order_by(core_outcome.c.position, core_outcome.c.part)
    )
    return [tuple(row) for row in rows]
