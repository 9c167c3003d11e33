"""Many small deliveries staged, loaded or settled in one transaction: the same rows as one by one, for much less work.

What belongs here is the form for many of `staging.stage_delivery`, `load_bibs.load_bibs` and
`load_holdings.load_holdings`, for deliveries that one chunk holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.register.suppliers import FileRules
from schemas.warehouse.raw import raw_member
from schemas.warehouse.stage import stage_holding
from tasks.catalogue import load_bibs, load_holdings, planning
from tasks.catalogue.delivered_files import rows_of_stream
from tasks.catalogue.holding_lines import LIBRARY
from tasks.catalogue.levels import LevelReading
from tasks.catalogue.loading import Loading
from tasks.catalogue.needed import with_needed
from tasks.catalogue.staged_rows import HOLDING_COLUMNS, RowBatch, StagingRules
from tasks.catalogue.staging import STAGE, TABLES, forget_all_staged
from tasks.catalogue.stock import COLLECTION, stock_rules
from tasks.landing.names import check_name, check_promise
from tasks.marc.reading import ReadingRules
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ledger import close_taken, last_positions, set_states, take_untouched
from tasks.workplace import Workplace

_SIGEL = HOLDING_COLUMNS.index("sigel")


def rules_of(place: Workplace, row: sa.Row[Any]) -> tuple[ReadingRules, StagingRules]:
    """How the records of this ledger row's delivery are read and staged."""
    catalogue, levels = place.register.catalogue, place.register.levels
    if row.kind == "catalogue":
        reading = ReadingRules.of_catalogue(catalogue.control_number_prefix, origin_note=catalogue.origin_note)
        return reading, StagingRules(LevelReading(levels), LIBRARY)
    if row.kind == COLLECTION:
        with place.warehouse.read() as connection:
            stock = stock_rules(connection, row.delivery_id)
        return ReadingRules.of_stock(catalogue.control_number_prefix, stock), StagingRules(
            LevelReading(levels), LIBRARY
        )
    sender = place.sender(row.sender)
    reading = ReadingRules.of_sender(sender, origin_note=catalogue.origin_note)
    return reading, StagingRules(LevelReading(levels, sender.level_ceiling), sender.code)


def read_whole(place: Workplace, rows: Sequence[sa.Row[Any]]) -> dict[int, RowBatch]:
    """The rows of small deliveries, as many as a chunk holds; those with which anything is wrong are left out."""
    whole: dict[int, RowBatch] = {}
    size = place.settings.chunk_records
    number = 0
    for row in rows:
        if row.is_preview or row.kind in ("catalogue", COLLECTION):
            continue
        try:
            batch = _only_batch(place, row, size)
        except Exception:
            continue  # What is wrong with it is told where it is staged by itself.
        if batch is not None:
            whole[row.delivery_id] = batch
            number += len(batch.raw)
        if number >= size:
            break
    return whole


def _only_batch(place: Workplace, row: sa.Row[Any], size: int) -> RowBatch | None:
    """All rows of a delivery; None where they are more than a chunk, or not what its name promises."""
    reading, rules = rules_of(place, row)
    with place.zone.open(row.uri) as stream:
        batches = list(
            islice(rows_of_stream(stream, row.name, row.delivery_id, reading, rules, place.unpack_limits, size), 2)
        )
    if len(batches) != 1 or not keeps_promises(batches[0], row.name, place.sender(row.sender).file):
        return None
    return batches[0]


def keeps_promises(batch: RowBatch, name: str, rules: FileRules) -> bool:
    """Whether the rows of a whole delivery are what its name promises; `require_promises` says what is broken."""
    return not check_promise(
        check_name(name, rules), len(batch.bibs), len(batch.holdings), (row[_SIGEL] for row in batch.holdings)
    )


def stage_small(
    warehouse: Warehouse, whole: Mapping[int, RowBatch], *, now: datetime, run_id: str | None
) -> tuple[frozenset[int], Counter[str]]:
    """Write the rows of whole deliveries together; returns those done, and counts as `stage_delivery` does.

    One that was begun before is left to `stage_delivery`.
    """
    counts: Counter[str] = Counter()
    with warehouse.write() as connection:
        batches = [whole[each] for each in take_untouched(connection, whole, STAGE)]
        for table, columns, rows_of in TABLES:
            rows = list(chain.from_iterable(map(attrgetter(rows_of), batches)))
            if rows:
                bulk_insert(connection, table, columns, rows)
        members = []
        for each in batches:
            counted = each.counted()
            counts.update(counted)
            members.append(
                {
                    "delivery_id": each.delivery_id,
                    "member_no": each.member_no,
                    "name": each.member_name,
                    "format": each.format,
                    "pieces": len(each.raw),
                    "embedded_holdings": counted["embedded"],
                }
            )
        if members:
            connection.execute(sa.insert(raw_member), members)
        done = frozenset(each.delivery_id for each in batches)
        close_taken(connection, {each.delivery_id: each.last_position for each in batches}, STAGE, now)
        set_states(connection, done, DeliveryState.STAGED, only_from=DeliveryState.RECEIVED, flow_run_id=run_id)
    return done, counts


def load_bibs_of_small(
    warehouse: Warehouse, loadings: Sequence[Loading], *, chunk_records: int
) -> tuple[frozenset[int], Counter[str]]:
    """Load the bibs of small deliveries one after the other in one transaction; returns those done, and outcomes.

    Each meets what those before it have made. So it ends before the first that has to be loaded by itself.
    """
    counts: Counter[str] = Counter()
    with warehouse.write(CATALOGUE_LOCK) as connection:
        reached: dict[int, int] = {}
        guarded = planning.guard_small(connection, loadings)
        for loading, last in _untouched(connection, guarded, load_bibs.STAGE, chunk_records):
            counts.update(load_bibs.load_bib_range(connection, loading, 0, last))
            counts.update(f"held {each}" for each in loading.held_classes)
            reached[loading.delivery_id] = last
        close_taken(connection, reached, load_bibs.STAGE, loadings[0].now)
    return frozenset(reached), counts


def load_holdings_of_small(
    warehouse: Warehouse, loadings: Sequence[Loading], *, chunk_records: int
) -> tuple[frozenset[int], Counter[str]]:
    """As `load_bibs_of_small`, their holdings; then they are loaded."""
    counts: Counter[str] = Counter()
    with warehouse.write(CATALOGUE_LOCK) as connection:
        reached: dict[int, int] = {}
        guarded = planning.guard_small(connection, loadings)
        for loading, last in _untouched(connection, guarded, load_holdings.STAGE, chunk_records):
            in_range = sa.and_(stage_holding.c.position > 0, stage_holding.c.position <= last)
            counts.update(load_holdings.load_staged_holdings(connection, loading, in_range))
            reached[loading.delivery_id] = last
        close_taken(connection, reached, load_holdings.STAGE, loadings[0].now)
        set_states(connection, reached, DeliveryState.LOADED, only_from=DeliveryState.MATCHED)
    return frozenset(reached), counts


def _untouched(
    connection: Connection, loadings: Sequence[Loading], stage: str, chunk_records: int
) -> Iterator[tuple[Loading, int]]:
    """The deliveries with their last positions, up to the first that was begun before or is more than a chunk."""
    ids = [each.delivery_id for each in loadings]
    free = frozenset(take_untouched(connection, ids, stage))
    last = last_positions(connection, ids)
    for loading in loadings:
        if loading.delivery_id not in free or last[loading.delivery_id] > chunk_records:
            return
        yield loading, last[loading.delivery_id]


def settle_small(warehouse: Warehouse, delivery_ids: Collection[int], now: datetime) -> frozenset[int]:
    """Settle those of which nothing waits for a person any more; their working sets go. Returns their ids."""
    with warehouse.write(CATALOGUE_LOCK) as connection:
        done = frozenset(delivery_ids) - with_needed(connection, delivery_ids)
        forget_all_staged(connection, done)
        settled = {"finished_at": now, "hold_reason": None}
        set_states(connection, done, DeliveryState.SETTLED, only_from=DeliveryState.LOADED, **settled)
    return done
