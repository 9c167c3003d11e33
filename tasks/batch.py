"""A batch of deliveries: each stage takes those that are in the right state, and one bad one stops no other."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from schemas.errors import SamkatError
from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_delivery
from tasks.stage import is_passing, stage_logger
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import is_stage_done
from tasks.warehouse.planner import renew_statistics
from tasks.workplace import workplace

PROOF = "prove"
"""Not a stage of chunks: its row in the progress says that the delivery adds up."""
STOPPED = "stopped by an error: "
MAX_REASON = 2_000


def rows_in_state(
    warehouse: Warehouse, deliveries: Collection[int], states: Collection[DeliveryState]
) -> list[sa.Row[Any]]:
    """The ledger's rows of those of `deliveries` that are in one of `states`, in the order in which they were sent.

    Order: the time stamp in the file name where there is one, then arrival. So a supplier's later record meets its
    earlier one.
    """
    with warehouse.read() as connection:
        return list(
            connection.execute(
                sa.select(raw_delivery)
                .where(raw_delivery.c.delivery_id.in_(list(deliveries)), raw_delivery.c.state.in_(list(states)))
                .order_by(
                    sa.func.coalesce(raw_delivery.c.sent_at_name, ""),
                    raw_delivery.c.received_at,
                    raw_delivery.c.delivery_id,
                )
            )
        )


def proved_rows(warehouse: Warehouse, deliveries: Collection[int]) -> list[sa.Row[Any]]:
    """The rows of loaded deliveries whose conservation is proved: only these may be told about and settled."""
    rows = rows_in_state(warehouse, deliveries, [DeliveryState.LOADED])
    with warehouse.read() as connection:
        return [row for row in rows if is_stage_done(connection, row.delivery_id, PROOF)]


def each_delivery(rows: Sequence[sa.Row[Any]], work: Callable[[sa.Row[Any]], Counter[str] | None]) -> Counter[str]:
    """Do `work` for each delivery and add up its counts. One that fails stops no other.

    A delivery that fails for good stays in its state, with the reason in its row, and counts as `stopped`: later
    stages pass it over, and the run's summary fails (`tasks.quality.stages.summarise`). A passing fault (the database
    or the file store is away) is raised once the others are done, so that the stage is tried again.
    """
    totals: Counter[str] = Counter()
    passing: list[Exception] = []
    for row in rows:
        try:
            with few_collections():
                totals.update(work(row) or {})
            totals["deliveries"] += 1
        except Exception as error:
            stage_logger().error("delivery %s (%s): %s", row.delivery_id, row.name, error, exc_info=error)
            if is_passing(error):
                passing.append(error)
            else:
                _note_stopped(row, error)
                totals["stopped"] += 1
    if rows:
        renew_statistics(workplace().warehouse)
    if passing:
        raise passing[0]
    return totals


@contextmanager
def few_collections() -> Iterator[None]:
    """Let the garbage collector look rarely: rows hold no reference cycles, and it would look at all of them often."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _note_stopped(row: sa.Row[Any], error: Exception) -> None:
    reason = f"{STOPPED}{error}" if isinstance(error, SamkatError) else f"{STOPPED}{type(error).__name__}: {error}"
    with workplace().warehouse.write() as connection:
        connection.execute(
            sa.update(raw_delivery)
            .where(raw_delivery.c.delivery_id == row.delivery_id)
            .values(hold_reason=storable(reason)[:MAX_REASON])
        )


def storable(text: str) -> str:
    """Text as both engines take it: PostgreSQL refuses NUL, and lone surrogates have no UTF-8."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()
