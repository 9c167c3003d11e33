"""Undo of a sweep: accounts go back to what they were, where nobody has changed them since."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import PlanState
from schemas.warehouse.accounts import (
    core_account,
    core_account_action,
    core_account_before,
    core_account_sweep,
    stage_account,
)
from schemas.warehouse.core import core_plan
from tasks.plans.revert import RevertReport, Survivor
from tasks.plans.store import SUPERSEDED_BY


def revert_sweep(connection: Connection, sweep_id: int, now: datetime) -> RevertReport:
    """Take a sweep back, under `ACCOUNTS_LOCK`; reverting twice changes nothing. What was told stays told.

    The accounts are due again: the next sweep decides anew. Raises `UsageError` for an unknown sweep.
    """
    sweep = connection.execute(
        sa.select(core_account_sweep).where(core_account_sweep.c.sweep_id == sweep_id)
    ).one_or_none()
    if sweep is None or sweep.is_preview:
        raise UsageError(f"there is no sweep {sweep_id}", remedy="`samkat accounts runs` lists them")
    account, before = core_account.c, core_account_before.c
    mine = sa.and_(before.sweep_id == sweep_id, before.account_id == account.account_id)
    survived = connection.execute(
        sa.select(before.account_id, before.version_made, account.version)
        .join(core_account, account.account_id == before.account_id)
        .where(before.sweep_id == sweep_id, account.version != before.version_made)
        .order_by(before.account_id)
    ).all()
    if sweep.state == "reverted":
        return RevertReport(0)
    action = core_account_action.c
    untouched = (
        sa.select(before.account_id)
        .join(core_account, account.account_id == before.account_id)
        .where(before.sweep_id == sweep_id, account.version == before.version_made)
    )
    connection.execute(
        sa.update(core_account_action)
        .where(
            action.sweep_id == sweep_id,
            action.action.not_in(["notify", "flag"]),
            sa.or_(action.state == "held", sa.and_(action.state == "applied", action.account_id.in_(untouched))),
        )
        .values(state="reverted")
    )
    restored = connection.execute(
        sa.update(core_account)
        .where(mine, account.version == before.version_made)
        .values(
            status=before.status,
            status_since=before.status_since,
            expires_on=before.expires_on,
            expiry_rule=before.expiry_rule,
            look_on=before.look_on,
            judged_on=before.judged_on,
            version=account.version + 1,
            sweep_id=None,
            is_unsent=True,
            updated_at=now,
        )
    ).rowcount
    connection.execute(sa.delete(stage_account).where(stage_account.c.sweep_id == sweep_id))
    if sweep.plan_hash is not None:
        _withdraw(connection, sweep.plan_hash, now)
    connection.execute(
        sa.update(core_account_sweep)
        .where(core_account_sweep.c.sweep_id == sweep_id)
        .values(state="reverted", reverted_at=now)
    )
    return RevertReport(
        restored,
        tuple(
            Survivor("account", row.account_id, f"it was changed later (version {row.version_made} was made here)")
            for row in survived
        ),
    )


def _withdraw(connection: Connection, plan: str, now: datetime) -> None:
    """What waited of it waits no more: its accounts are due, and in the plan of the next sweep."""
    connection.execute(
        sa.update(core_plan)
        .where(core_plan.c.plan_hash == plan, core_plan.c.state == PlanState.HELD)
        .values(state=PlanState.REJECTED, reason="the sweep was reverted", decided_by=SUPERSEDED_BY, decided_at=now)
    )
