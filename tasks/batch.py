"""A batch of deliveries: each stage takes those that are in the right state, and one bad one stops no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_delivery
from tasks.stage import stage_logger
from tasks.warehouse.engine import Warehouse


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


def each_delivery(rows: Sequence[sa.Row[Any]], work: Callable[[sa.Row[Any]], Counter[str] | None]) -> Counter[str]:
    """Do `work` for each delivery and add up its counts; what failed is raised after the others are done."""
    totals: Counter[str] = Counter()
    failures: list[Exception] = []
    for row in rows:
        try:
            totals.update(work(row) or {})
            totals["deliveries"] += 1
        except Exception as error:
            stage_logger().error("delivery %s (%s): %s", row.delivery_id, row.name, error)
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup(f"{len(failures)} deliveries failed", failures)
    return totals
