"""Held plans in the warehouse: hold, look up, approve, reject, mark as applied.

A row is a class of change of a plan. A person decides by the plan's hash, so an approval never covers a plan that has
changed since. Every function works inside the caller's transaction.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import PlanState
from schemas.warehouse.core import core_plan
from tasks.plans.plan import HASH_LENGTH, GuardedClass
from tasks.warehouse.bulk import text_set
from tasks.warehouse.ids import take_ids

SHORTEST_PREFIX = 8
CHANGED = "the plan has changed"
SUPERSEDED_BY = "samkat"
"""Stands in `decided_by` where no person decided: another plan took the place of this one."""

class_column = core_plan.c["class"]


@dataclass(frozen=True)
class DecidedPlan:
    """What `approve` and `reject` did. `changed` names the classes whose state changed; none: it was so already."""

    plan_hash: str
    state: PlanState
    flow: str
    scope: str
    change_classes: tuple[str, ...]
    changed: tuple[str, ...]
    delivery_ids: tuple[int, ...]


def hold(
    connection: Connection,
    plan_hash: str,
    held: Sequence[GuardedClass],
    *,
    delivery_id: int | None,
    run_id: str | None,
    now: datetime,
) -> None:
    """Enter each class of `held` as waiting for a decision on `plan_hash`; holding again changes nothing.

    A class of the same flow and scope that waits under another hash is superseded: rejected, because the plan has
    changed. A superseded plan that comes back, and an applied one that is planned again, wait again: an approval
    is good for one application.
    """
    ids = take_ids(connection, "plan", len(held))
    for plan_id, each in zip(ids, held, strict=True):
        _supersede_others(connection, plan_hash, each, now)
        _insert_held(connection, plan_id, plan_hash, each, delivery_id, run_id, now)


def _insert_held(
    connection: Connection,
    plan_id: int,
    plan_hash: str,
    each: GuardedClass,
    delivery_id: int | None,
    run_id: str | None,
    now: datetime,
) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {
        "plan_hash": plan_hash,
        "flow": each.planned.flow,
        "scope": each.planned.scope,
        "class": each.planned.change_class,
        "planned": each.planned.planned,
        "population": each.planned.population,
        "limit": each.limit,
        "state": PlanState.HELD.value,
        "reason": each.reason,
        "delivery_id": delivery_id,
        "run_id": run_id,
        "created_at": now,
    }
    is_over = sa.or_(
        core_plan.c.state == PlanState.APPLIED,
        sa.and_(core_plan.c.state == PlanState.REJECTED, core_plan.c.decided_by == SUPERSEDED_BY),
    )
    connection.execute(
        insert(core_plan)
        .values(plan_id=plan_id, **values)
        .on_conflict_do_update(
            index_elements=["plan_hash", "class"],
            set_={**values, "decided_by": None, "decided_at": None},
            where=is_over,
        )
    )


def _supersede_others(connection: Connection, plan_hash: str, each: GuardedClass, now: datetime) -> None:
    planned = each.planned
    supersede(connection, planned.flow, [planned.scope], now=now, change_class=planned.change_class, keep=plan_hash)


def supersede(
    connection: Connection,
    flow: str,
    scopes: Collection[str],
    *,
    now: datetime,
    change_class: str | None = None,
    class_prefix: str | None = None,
    keep: str | None = None,
) -> int:
    """Close what still waits in `scopes` of `flow` although its plan is gone; returns how many classes.

    For a plan that was planned anew and is under its limits now, or that was applied under another hash. `keep` is the
    hash that goes on waiting.
    """
    wanted = text_set(connection, list(scopes))
    statement = (
        sa.update(core_plan)
        .where(core_plan.c.flow == flow, core_plan.c.scope.in_(sa.select(wanted.c.value)))
        .where(core_plan.c.state == PlanState.HELD)
        .values(state=PlanState.REJECTED, reason=CHANGED, decided_by=SUPERSEDED_BY, decided_at=now)
    )
    if change_class is not None:
        statement = statement.where(class_column == change_class)
    if class_prefix is not None:
        statement = statement.where(class_column.startswith(class_prefix, autoescape=True))
    if keep is not None:
        statement = statement.where(core_plan.c.plan_hash != keep)
    return connection.execute(statement).rowcount


def withdraw(connection: Connection, delivery_id: int, reason: str, now: datetime) -> int:
    """Close what still waits about a delivery that is gone, as when it was reverted; returns how many classes."""
    return connection.execute(
        sa.update(core_plan)
        .where(core_plan.c.delivery_id == delivery_id, core_plan.c.state == PlanState.HELD)
        .values(state=PlanState.REJECTED, reason=reason, decided_by=SUPERSEDED_BY, decided_at=now)
    ).rowcount


def decision(connection: Connection, plan_hash: str, change_class: str) -> PlanState | None:
    """Where a class of a plan stands; None where nobody was ever asked, or the question was superseded."""
    return decisions(connection, plan_hash).get(change_class)


def decisions(connection: Connection, plan_hash: str) -> dict[str, PlanState]:
    """Where each class of a plan stands; superseded classes are left out."""
    rows = connection.execute(
        sa.select(class_column, core_plan.c.state, core_plan.c.decided_by).where(core_plan.c.plan_hash == plan_hash)
    )
    return {row[0]: PlanState(row.state) for row in rows if not _is_superseded(row)}


def held(connection: Connection) -> Sequence[sa.Row[Any]]:
    """Every class that waits for a decision, oldest first: rows of `core_plan`."""
    return connection.execute(
        sa.select(core_plan).where(core_plan.c.state == PlanState.HELD).order_by(core_plan.c.plan_id)
    ).all()


def resolve(connection: Connection, hash_or_prefix: str) -> str:
    """The full hash of the one plan that begins so. At least 8 characters.

    Raises `UsageError` for a prefix that is too short, unknown or ambiguous.
    """
    prefix = hash_or_prefix.strip().lower()
    if len(prefix) < SHORTEST_PREFIX or not re.fullmatch(r"[0-9a-f]+", prefix):
        raise UsageError(
            f"{hash_or_prefix!r} is not a plan's hash",
            remedy=f"give at least {SHORTEST_PREFIX} of its characters; `samkat plans list` shows them",
        )
    # A plan's hash is hexadecimal, so `g` is behind every one that begins so.
    found = connection.execute(
        sa.select(core_plan.c.plan_hash)
        .where(core_plan.c.plan_hash >= prefix, core_plan.c.plan_hash < prefix + "g")
        .distinct()
        .order_by(core_plan.c.plan_hash)
        .limit(4)
    ).scalars()
    hashes = list(found)
    if not hashes:
        raise UsageError(f"no plan has a hash that begins with {prefix}", remedy="`samkat plans list` shows them")
    if len(hashes) > 1:
        raise UsageError(
            f"several plans have a hash that begins with {prefix}: {', '.join(each[:16] for each in hashes[:3])}",
            remedy=f"give more of its {HASH_LENGTH} characters",
        )
    return str(hashes[0])


def show(connection: Connection, hash_or_prefix: str) -> Sequence[sa.Row[Any]]:
    """Every class of one plan: rows of `core_plan`. Raises `UsageError` as `resolve` does."""
    return connection.execute(
        sa.select(core_plan).where(core_plan.c.plan_hash == resolve(connection, hash_or_prefix)).order_by(class_column)
    ).all()


def approve(
    connection: Connection, plan_hash: str, by: str, now: datetime, change_class: str | None = None
) -> DecidedPlan:
    """Approve a plan, or one class of it; approving it again is harmless. What was rejected may be approved.

    Raises `UsageError` for an unknown or ambiguous hash, a class the plan does not have, a superseded plan.
    """
    return _decide(connection, plan_hash, PlanState.APPROVED, by, now, change_class)


def reject(
    connection: Connection, plan_hash: str, by: str, now: datetime, change_class: str | None = None
) -> DecidedPlan:
    """Reject a plan, or one class of it; rejecting it again is harmless.

    Raises `UsageError` as `approve` does, and for what has been approved already: its work may be under way.
    """
    return _decide(connection, plan_hash, PlanState.REJECTED, by, now, change_class)


def _decide(
    connection: Connection, plan_hash: str, to: PlanState, by: str, now: datetime, change_class: str | None
) -> DecidedPlan:
    if not by.strip():
        raise UsageError("a decision needs a name", remedy="say who decides with --by")
    rows = _rows_to_decide(connection, resolve(connection, plan_hash), change_class)
    waiting = [row for row in rows if _may_become(row, to)]
    if waiting:
        connection.execute(
            sa.update(core_plan)
            .where(core_plan.c.plan_id.in_([row.plan_id for row in waiting]))
            .values(state=to, decided_by=by, decided_at=now)
        )
    return DecidedPlan(
        plan_hash=rows[0].plan_hash,
        state=to,
        flow=rows[0].flow,
        scope=rows[0].scope,
        change_classes=tuple(row.change_class for row in rows),
        changed=tuple(row.change_class for row in waiting),
        delivery_ids=tuple(sorted({row.delivery_id for row in rows if row.delivery_id is not None})),
    )


def _rows_to_decide(connection: Connection, full_hash: str, change_class: str | None) -> list[sa.Row[Any]]:
    """The classes a decision is about, locked. Superseded ones count only where nothing else is there."""
    rows = connection.execute(
        sa.select(core_plan, class_column.label("change_class"))
        .where(core_plan.c.plan_hash == full_hash)
        .order_by(class_column)
        .with_for_update()
    ).all()
    if change_class is not None:
        there = ", ".join(row.change_class for row in rows)
        rows = [row for row in rows if row.change_class == change_class]
        if not rows:
            raise UsageError(f"plan {full_hash[:12]} has no class {change_class!r}", remedy=f"its classes are: {there}")
    current = [row for row in rows if not _is_superseded(row)]
    if not current:
        raise UsageError(
            f"plan {full_hash[:12]} is out of date: {CHANGED} since it was held",
            remedy="`samkat plans list` shows what waits now",
        )
    return current


def _may_become(row: sa.Row[Any], to: PlanState) -> bool:
    """Whether the class changes; False where it is so already. Raises `UsageError` where it must not change."""
    state = PlanState(row.state)
    if state == to or (to == PlanState.APPROVED and state == PlanState.APPLIED):
        return False
    if to == PlanState.REJECTED and state in (PlanState.APPROVED, PlanState.APPLIED):
        what = "was approved" if state == PlanState.APPROVED else "was approved and has been carried out"
        raise UsageError(
            f"{row.change_class} of plan {row.plan_hash[:12]} {what} by {row.decided_by}"
            f" on {row.decided_at:%Y-%m-%d %H:%M} UTC; it cannot be rejected now",
            remedy="`samkat revert` undoes what has been loaded",
        )
    return True


def _is_superseded(row: sa.Row[Any]) -> bool:
    return bool(row.state == PlanState.REJECTED and row.decided_by == SUPERSEDED_BY)


def mark_applied(connection: Connection, plan_hash: str, change_class: str | None = None) -> int:
    """Note that an approved plan, or one class of it, has been carried out; returns how many classes changed.

    Belongs in the transaction that commits the last of the work.
    """
    statement = (
        sa.update(core_plan)
        .where(core_plan.c.plan_hash == plan_hash, core_plan.c.state == PlanState.APPROVED)
        .values(state=PlanState.APPLIED)
    )
    if change_class is not None:
        statement = statement.where(class_column == change_class)
    return connection.execute(statement).rowcount
