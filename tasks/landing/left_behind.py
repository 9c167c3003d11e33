"""Deliveries that runs left on the way: killed, stopped by an error, or held and decided since."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.register.senders import RECORD_KINDS
from schemas.warehouse.core import core_plan
from schemas.warehouse.raw import raw_delivery, raw_progress

UNFINISHED = (DeliveryState.RECEIVED, DeliveryState.STAGED, DeliveryState.MATCHED, DeliveryState.LOADED)
DROPPED = ("supplier", "patron", "account")
"""Kinds of deliveries that a file that is dropped becomes."""
PROOF = "prove"
"""As in tasks/batch.py: its row in the progress says that the delivery adds up."""


def left_of(connection: Connection, sender: str) -> list[int]:
    """Deliveries of a supplier that a killed run left on the way, and held ones that may have been approved."""
    return list(
        connection.execute(
            sa.select(raw_delivery.c.delivery_id)
            .where(
                raw_delivery.c.sender == sender,
                _is_suppliers(),
                sa.or_(raw_delivery.c.state.in_([*UNFINISHED, DeliveryState.HELD]), _is_rejected_unproved()),
            )
            .order_by(raw_delivery.c.delivery_id)
        ).scalars()
    )


def left_by_sender(connection: Connection) -> dict[str, list[str]]:
    """What a run without files would take up, for each sender that has such: each delivery, and how it stands.

    A held one counts once nothing about it waits for a decision any more.
    """
    waits = sa.exists().where(
        core_plan.c.delivery_id == raw_delivery.c.delivery_id,
        core_plan.c.state == PlanState.HELD,
    )
    is_decided = sa.and_(raw_delivery.c.state == DeliveryState.HELD, sa.not_(waits))
    rows = connection.execute(
        sa.select(raw_delivery.c.sender, raw_delivery.c.delivery_id, raw_delivery.c.state, raw_delivery.c.hold_reason)
        .where(
            sa.not_(raw_delivery.c.is_preview),
            raw_delivery.c.kind.in_(DROPPED),
            sa.or_(raw_delivery.c.state.in_(UNFINISHED), is_decided, sa.and_(_is_suppliers(), _is_rejected_unproved())),
        )
        .order_by(raw_delivery.c.delivery_id)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        why = hashlib.sha256((row.hold_reason or "").encode()).hexdigest()[:8]
        found.setdefault(row.sender, []).append(f"{row.delivery_id} {row.state} {why}")
    return found


def _is_suppliers() -> sa.ColumnElement[bool]:
    return sa.and_(raw_delivery.c.kind.in_(RECORD_KINDS), sa.not_(raw_delivery.c.is_preview))


def _is_rejected_unproved() -> sa.ColumnElement[bool]:
    """Rejected by a run that was killed before it had counted the records and told the supplier."""
    proof = sa.exists().where(
        raw_progress.c.delivery_id == raw_delivery.c.delivery_id,
        raw_progress.c.stage == PROOF,
        raw_progress.c.done_at.is_not(None),
    )
    return sa.and_(raw_delivery.c.state == DeliveryState.REJECTED, sa.not_(proof))
