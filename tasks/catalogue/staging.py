"""Pieces of a delivery become rows: `raw_record` and the working set in `stage_`.

The reader (tasks/marc) gives pieces in order; here they are written in chunks. A chunk commits together with the
position it reached, so a killed staging reads the file again but writes only what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_member, raw_record
from schemas.warehouse.stage import (
    stage_bib,
    stage_holding,
    stage_holding_line,
    stage_identifier,
    stage_isbn,
    stage_match,
    stage_verdict,
)
from tasks.catalogue.staged_rows import (
    BIB_COLUMNS,
    HOLDING_COLUMNS,
    IDENTIFIER_COLUMNS,
    ISBN_COLUMNS,
    LINE_COLUMNS,
    RAW_COLUMNS,
    RowBatch,
)
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import chunk, set_state

STAGE = "stage"


def stage_delivery(
    warehouse: Warehouse,
    delivery_id: int,
    batches: Iterable[RowBatch],
    *,
    now: datetime,
    verify: Callable[[Connection], None] | None = None,
) -> Counter[str]:
    """Write a delivery's pieces; returns counts of `bib`, `holding`, `embedded` and `unreadable`.

    A batch is a transaction. Raises whatever the reader raises (`DeliveryRejectedError`); batches committed until
    then stay, and a second call goes on after them. `verify` looks at all that was staged before the delivery counts
    as staged, and may raise as well.
    """
    counts: Counter[str] = Counter()
    members: dict[int, dict[str, Any]] = {}
    for batch in batches:
        with chunk(warehouse, delivery_id, STAGE) as work:
            if batch.last_position > work.reached:
                write_batch(work.connection, batch, work.reached)
                work.advance(batch.last_position)
        counted = batch.counted()
        counts.update(counted)
        member = members.setdefault(
            batch.member_no, {"name": batch.member_name, "format": batch.format, "pieces": 0, "embedded_holdings": 0}
        )
        member["pieces"] += len(batch.raw)
        member["embedded_holdings"] += counted["embedded"]
    with chunk(warehouse, delivery_id, STAGE) as work:
        # By itself, so that the count stands even where the delivery is rejected for what `verify` finds.
        _store_members(work.connection, delivery_id, members)
    with chunk(warehouse, delivery_id, STAGE) as work:
        if verify is not None:
            verify(work.connection)
        work.advance(max(work.reached, counts.total() - counts["embedded"]), done_at=now)
        set_state(work.connection, delivery_id, DeliveryState.STAGED, only_from=[DeliveryState.RECEIVED])
    return counts


TABLES = (
    (raw_record, RAW_COLUMNS, "raw"),
    (stage_bib, BIB_COLUMNS, "bibs"),
    (stage_isbn, ISBN_COLUMNS, "isbns"),
    (stage_identifier, IDENTIFIER_COLUMNS, "identifiers"),
    (stage_holding, HOLDING_COLUMNS, "holdings"),
    (stage_holding_line, LINE_COLUMNS, "lines"),
)
"""Each table that a batch is written to, its columns, and the batch's rows for it."""


def write_batch(connection: Connection, batch: RowBatch, after: int = 0) -> None:
    """Load the rows of the positions behind `after`."""
    for table, columns, rows_of in TABLES:
        rows = getattr(batch, rows_of)
        wanted = rows if after < batch.raw[0][1] else [row for row in rows if row[1] > after]
        bulk_insert(connection, table, columns, wanted)


def _store_members(connection: Connection, delivery_id: int, members: Mapping[int, Mapping[str, Any]]) -> None:
    connection.execute(sa.delete(raw_member).where(raw_member.c.delivery_id == delivery_id))
    rows = [{"delivery_id": delivery_id, "member_no": number, **member} for number, member in members.items()]
    if rows:
        connection.execute(sa.insert(raw_member), rows)


def forget_staged(connection: Connection, delivery_id: int, keep: sa.Select[tuple[int]] | None = None) -> None:
    """Drop the working set of a delivery, except that of the bibs whose positions `keep` selects, and their holdings.

    What a dry run found stays: it is not part of the working set.
    """
    kept: Sequence[int] = list(connection.execute(keep).scalars()) if keep is not None else []
    kept_bibs = sa.select(id_set(connection, kept).c.value)
    for table in (stage_bib, stage_isbn, stage_identifier, stage_verdict, stage_match):
        connection.execute(
            sa.delete(table).where(table.c.delivery_id == delivery_id, table.c.position.not_in(kept_bibs))
        )
    kept_holdings = sa.select(stage_holding.c.position).where(
        stage_holding.c.delivery_id == delivery_id, stage_holding.c.bib_position.in_(kept_bibs)
    )
    connection.execute(
        sa.delete(stage_holding_line).where(
            stage_holding_line.c.delivery_id == delivery_id, stage_holding_line.c.position.not_in(kept_holdings)
        )
    )
    connection.execute(
        sa.delete(stage_holding).where(
            stage_holding.c.delivery_id == delivery_id,
            sa.or_(stage_holding.c.bib_position.is_(None), stage_holding.c.bib_position.not_in(kept_bibs)),
        )
    )


def forget_all_staged(connection: Connection, delivery_ids: Collection[int]) -> None:
    """Drop the working sets of deliveries as a whole."""
    wanted = sa.select(id_set(connection, delivery_ids).c.value)
    for table in (
        stage_bib, stage_isbn, stage_identifier, stage_verdict, stage_match, stage_holding_line, stage_holding
    ):  # fmt: skip
        connection.execute(sa.delete(table).where(table.c.delivery_id.in_(wanted)))
