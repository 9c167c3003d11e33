"""From the warehouse to the operator's mail about a run: how it ended, and which deliveries it left."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.warehouse.core import core_plan, core_run
from schemas.warehouse.raw import raw_delivery
from tasks.notices.failures import FailedRun, LeftDelivery
from tasks.warehouse.overview import UNFINISHED

MOST_DELIVERIES = 20
MOST_REASON = 2_000


def failed_run(
    connection: Connection,
    register: Register,
    run_id: str,
    *,
    flow: str,
    name: str,
    message: str,
    is_crashed: bool,
    again: str | None,
    page: str | None,
) -> FailedRun:
    """What there is to say of a run. Its own words come first; a run that was cut off has left none."""
    row = connection.execute(sa.select(core_run).where(core_run.c.run_id == run_id)).one_or_none()
    own = str(json.loads(row.summary).get("error") or "") if row is not None else ""
    return FailedRun(
        recipient=register.catalogue.operator,
        language=register.catalogue.language,
        run_id=run_id,
        flow=flow,
        subject=row.subject if row is not None else name,
        reason=(own or message or "no reason was given")[:MOST_REASON],
        is_crashed=is_crashed,
        again=again,
        page=page,
        deliveries=_left(connection, run_id),
    )


def _left(connection: Connection, run_id: str) -> tuple[LeftDelivery, ...]:
    """Deliveries that the run had and did not end."""
    rows = connection.execute(
        sa.select(raw_delivery)
        .where(
            raw_delivery.c.flow_run_id == run_id,
            raw_delivery.c.state.in_(UNFINISHED),
            sa.not_(raw_delivery.c.is_preview),
        )
        .order_by(raw_delivery.c.delivery_id)
        .limit(MOST_DELIVERIES)
    )
    return tuple(LeftDelivery(row.delivery_id, row.sender, row.name, row.state, row.hold_reason or "") for row in rows)


def deliveries_held_by(connection: Connection, run_id: str) -> list[int]:
    """Deliveries of which something waits since this run."""
    return list(
        connection.execute(
            sa.select(core_plan.c.delivery_id)
            .where(core_plan.c.run_id == run_id, core_plan.c.state == "held", core_plan.c.delivery_id.is_not(None))
            .distinct()
            .order_by(core_plan.c.delivery_id)
        ).scalars()
    )
