"""The guards over the plan of a sweep: which classes of step go on, and which wait for a person, in words."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.register.account_guards import ACCOUNT_CHANGES, AccountChange, AccountGuards, AccountRaise
from schemas.warehouse.accounts import core_account, core_account_action, core_account_sweep, stage_account
from tasks.accounts.planning import Sweep
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, plan_hash
from tasks.plans.store import decisions, hold, mark_applied, supersede

FLOW: Final = "account-sweep"
DONE: Final[dict[AccountChange, str]] = {
    "expire": "left to expire",
    "deactivate": "deactivated",
    "reactivate": "made valid again",
}


def guard_sweep(
    connection: Connection, sweep: Sweep, *, now: datetime, run_id: str | None
) -> tuple[list[GuardedClass], frozenset[AccountChange]]:
    """Ask the guards about the plan of a sweep, once; returns what they said, and the classes that are held now.

    What waited of older sweeps of the system is superseded: its accounts are due, and in this plan.
    """
    state = connection.execute(
        sa.select(core_account_sweep.c.state).where(core_account_sweep.c.sweep_id == sweep.sweep_id)
    ).scalar_one()
    if state not in ("planning", "planned"):
        return [], held_classes(connection, sweep.sweep_id)
    guarded = _guarded_classes(connection, sweep)
    held = [each for each in guarded if each.is_held]
    plan = plan_hash(each.planned for each in held) if held else None
    classes = frozenset(cast(AccountChange, each.planned.change_class) for each in held)
    if not sweep.is_preview and sweep.purpose == "nightly":
        supersede(connection, FLOW, [sweep.scope], now=now, keep=plan)
        if plan is not None:
            hold(connection, plan, held, delivery_id=None, run_id=run_id, now=now)
            classes -= _approved_before(connection, sweep, plan)
        _drop_older(connection, sweep)
    action = core_account_action
    connection.execute(
        sa.update(action)
        .where(action.c.sweep_id == sweep.sweep_id, action.c.action.in_(sorted(classes)), action.c.state == "planned")
        .values(state="held")
    )
    connection.execute(
        sa.update(core_account_sweep)
        .where(core_account_sweep.c.sweep_id == sweep.sweep_id)
        .values(state="guarded", plan_hash=plan)
    )
    return guarded, classes


def _approved_before(connection: Connection, sweep: Sweep, plan: str) -> frozenset[AccountChange]:
    """Classes of this very plan that a person approved while a newer sweep had taken the place of the one that asked.

    They go on now; what is done under an approval does not count as unasked.
    """
    found = {name for name, state in decisions(connection, plan).items() if state is PlanState.APPROVED}
    for change in found:
        connection.execute(
            sa.update(core_account_action)
            .where(core_account_action.c.sweep_id == sweep.sweep_id, core_account_action.c.action == change)
            .values(plan_hash=plan)
        )
        mark_applied(connection, plan, change)
    return frozenset(cast(AccountChange, each) for each in found)


def held_classes(connection: Connection, sweep_id: int) -> frozenset[AccountChange]:
    """The classes of a sweep that wait, or were rejected."""
    action = core_account_action
    rows = connection.execute(
        sa.select(action.c.action).where(action.c.sweep_id == sweep_id, action.c.state == "held").distinct()
    )
    return frozenset(cast(AccountChange, each) for each in rows.scalars())


def _drop_older(connection: Connection, sweep: Sweep) -> None:
    """What waited of older sweeps is planned anew. Only they still have rows of a working set."""
    older = (
        sa.select(stage_account.c.sweep_id)
        .join(core_account_sweep, core_account_sweep.c.sweep_id == stage_account.c.sweep_id)
        .where(core_account_sweep.c.system == sweep.system.code, stage_account.c.sweep_id < sweep.sweep_id)
        .distinct()
    )
    ids = list(connection.execute(older).scalars())
    action = core_account_action
    connection.execute(
        sa.update(action).where(action.c.sweep_id.in_(ids), action.c.state == "held").values(state="dropped")
    )
    connection.execute(sa.delete(stage_account).where(stage_account.c.sweep_id.in_(ids)))


def _guarded_classes(connection: Connection, sweep: Sweep) -> list[GuardedClass]:
    if sweep.purpose == "retirement":
        return []
    lines = _lines(connection, sweep)
    if not lines:
        return []
    population = connection.execute(
        sa.select(sa.func.count()).select_from(core_account).where(core_account.c.system == sweep.system.code)
    ).scalar_one()
    found = []
    for change in ACCOUNT_CHANGES:
        if lines[change]:
            planned = PlannedClass(FLOW, sweep.scope, change, len(lines[change]), population, digest_of(lines[change]))
            found.append(_guarded(planned, change, sweep, _unasked_before(connection, sweep, change)))
    return found


def _lines(connection: Connection, sweep: Sweep) -> dict[str, list[str]]:
    """Every single step by class: the same plan has the same lines on another night."""
    rows = connection.execute(
        sa.select(stage_account.c["class"], core_account.c.login_key, stage_account.c.status)
        .join(core_account, core_account.c.account_id == stage_account.c.account_id)
        .where(stage_account.c.sweep_id == sweep.sweep_id, stage_account.c["class"] != "")
    )
    lines: dict[str, list[str]] = defaultdict(list)
    for change, key, status in rows:
        lines[change].append(f"{key} {status}")
    return lines


def _unasked_before(connection: Connection, sweep: Sweep, change: AccountChange) -> int:
    """Accounts to which this was done unasked within the days over which the limit adds up."""
    days = sweep.system.guards.limit_of(change).sum_days
    if not days:
        return 0
    action, other = core_account_action, core_account_sweep
    return connection.execute(
        sa.select(sa.func.count(action.c.account_id.distinct()))
        .join(other, other.c.sweep_id == action.c.sweep_id)
        .where(
            other.c.system == sweep.system.code,
            other.c.swept_on > sweep.day - timedelta(days=days),
            other.c.swept_on <= sweep.day,
            other.c.sweep_id != sweep.sweep_id,
            action.c.action == change,
            action.c.state == "applied",
            action.c.plan_hash.is_(None),
        )
    ).scalar_one()


def _guarded(planned: PlannedClass, change: AccountChange, sweep: Sweep, before: int) -> GuardedClass:
    limit, raised = _limit_on(change, sweep, sweep.system.guards, planned.population)
    days = sweep.system.guards.limit_of(change).sum_days
    text = f"{planned.planned} of {planned.population} accounts would be {DONE[change]}; "
    text += f"{limit} {'is' if limit == 1 else 'are'} let through unasked"
    if days:
        text += f" in {days} days, and {before} {'was' if before == 1 else 'were'}"
    text += f" ({raised.name})" if raised else ""
    return GuardedClass(planned, float(max(0, limit - before)), planned.planned + before > limit, text)


def _limit_on(
    change: AccountChange, sweep: Sweep, guards: AccountGuards, population: int
) -> tuple[int, AccountRaise | None]:
    limit = guards.limit_of(change).limit(population)
    raises = [each for each in guards.raises if each.covers(sweep.day, change)]
    if not raises:
        return limit, None
    raised = max(raises, key=lambda each: each.factor)
    return int(limit * raised.factor), raised
