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
from tasks.warehouse.ledger import stages_done
from tasks.warehouse.planner import renew_statistics
from tasks.workplace import workplace

PROOF = "prove"
"""Not a stage of chunks: its row in the progress says that the delivery adds up."""
STOPPED = "stopped by an error: "
MAX_REASON = 2_000
DELIVERIES_TOGETHER = 100
"""Small deliveries that share a transaction where a stage can do them together."""
SMALL_BYTES = 128 * 1024
"""A delivery up to this size is small: a hundred of them are no more than a chunk of a large one."""

Work = Callable[[sa.Row[Any]], Counter[str] | None]
Together = Callable[[Sequence[sa.Row[Any]]], tuple[Collection[int], Counter[str]]]
"""Does what it can of some deliveries in one transaction; returns their ids and the counts, and leaves the others."""


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
        proved = stages_done(connection, [row.delivery_id for row in rows], PROOF)
    return [row for row in rows if row.delivery_id in proved]


def each_delivery(rows: Sequence[sa.Row[Any]], work: Work, together: Together | None = None) -> Counter[str]:
    """Do `work` for each delivery and add up its counts. One that fails stops no other.

    A delivery that fails for good stays in its state, with the reason in its row, and counts as `stopped`: later
    stages pass it over, and the run's summary fails (`tasks.quality.stages.summarise`). A passing fault (the database
    or the file store is away) is raised once the others are done, so that the stage is tried again. With `together`
    they are first tried many at a time, which for small files is most of the cost; what it leaves, and every one of
    a group in which anything is wrong, is done by itself.
    """
    totals: Counter[str] = Counter()
    passing: list[Exception] = []
    for some in _groups(rows):
        done: Collection[int] = ()
        if together is not None and len(some) > 1:
            done, counts = _tried_together(some, together)
            totals.update(counts)
        for row in some:
            if row.delivery_id not in done:
                _do(row, work, totals, passing)
        totals["deliveries"] += len(done)
    if rows:
        renew_statistics(workplace().warehouse)
    if passing:
        raise passing[0]
    return totals


def _groups(rows: Sequence[sa.Row[Any]]) -> Iterator[list[sa.Row[Any]]]:
    """Small ones that follow each other in groups, every other one by itself; in order."""
    group: list[sa.Row[Any]] = []
    for row in rows:
        is_small = row.bytes <= SMALL_BYTES
        if group and (not is_small or len(group) == DELIVERIES_TOGETHER):
            yield group
            group = []
        if is_small:
            group.append(row)
        else:
            yield [row]
    if group:
        yield group


def _tried_together(some: Sequence[sa.Row[Any]], together: Together) -> tuple[frozenset[int], Counter[str]]:
    try:
        with few_collections():
            done, counts = together(some)
        return frozenset(done), counts
    except Exception as error:
        # Nothing of it is committed. Whose fault it is shows when each is done by itself.
        stage_logger().warning("%s deliveries are done one by one: %s", len(some), error)
        return frozenset(), Counter()


def _do(row: sa.Row[Any], work: Work, totals: Counter[str], passing: list[Exception]) -> None:
    """One delivery by itself; what goes wrong is noted in its row, or kept in `passing`."""
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
