"""From the gate's results to a hold: a delivery over a limit waits for a person, under the plan's hash.

One hash stands for everything that was observed about the delivery, so one approval lets it through, and only as it
is. A hold is a plan like any other (tasks/plans): flow `supplier-ingest`, class `quality:<expectation>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.warehouse.raw import raw_delivery
from tasks.plans.plan import GuardedClass, PlannedClass, plan_hash
from tasks.plans.store import decisions, hold, mark_applied, supersede
from tasks.quality.gate import CheckResult
from tasks.warehouse.bulk import id_set

FLOW = "supplier-ingest"
SHA_SHOWN = 12


class Passage(StrEnum):
    """`through`: within the limits, or approved. `held`: waits. `rejected`: a person has rejected the plan."""

    THROUGH = "through"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True)
class GateDecision:
    """Whether a delivery may go on. `reason` says in words what is over a limit; empty where nothing is.

    `plan_hash` is None where nothing is over a limit.
    """

    delivery_id: int
    passage: Passage
    reason: str
    plan_hash: str | None


def pass_or_hold(
    connection: Connection,
    results: Mapping[int, Sequence[CheckResult]],
    *,
    now: datetime,
    run_id: str | None = None,
) -> dict[int, GateDecision]:
    """Decide for each checked delivery whether it goes on; enters what has to wait as held plans.

    The caller sets the delivery's state. Costs one statement for the whole batch where nothing is over a limit.
    """
    scopes = _scopes(connection, list(results))
    made: dict[int, GateDecision] = {}
    within: list[str] = []
    for delivery_id, found in results.items():
        if any(each.is_breach for each in found):
            made[delivery_id] = _over_limit(connection, scopes[delivery_id], delivery_id, found, now, run_id)
        else:
            within.append(scopes[delivery_id])
            made[delivery_id] = GateDecision(delivery_id, Passage.THROUGH, "", None)
    if within:
        supersede(connection, FLOW, within, now=now, class_prefix="quality:")
    return made


def _scopes(connection: Connection, delivery_ids: Sequence[int]) -> dict[int, str]:
    wanted = id_set(connection, delivery_ids)
    rows = connection.execute(
        sa.select(raw_delivery.c.delivery_id, raw_delivery.c.sender, raw_delivery.c.sha256).where(
            raw_delivery.c.delivery_id.in_(sa.select(wanted.c.value))
        )
    )
    return {row.delivery_id: delivery_scope(row) for row in rows}


def delivery_scope(delivery: sa.Row[Any]) -> str:
    """`delivery:<sender>/<first characters of the sha256>`: the same in every warehouse."""
    return f"delivery:{delivery.sender}/{delivery.sha256[:SHA_SHOWN]}"


def _over_limit(
    connection: Connection,
    scope: str,
    delivery_id: int,
    found: Sequence[CheckResult],
    now: datetime,
    run_id: str | None,
) -> GateDecision:
    planned = {each.expectation.key: _planned(scope, each) for each in found}
    full_hash = plan_hash(planned.values())
    supersede(connection, FLOW, [scope], now=now, class_prefix="quality:", keep=full_hash)
    known = decisions(connection, full_hash)
    breaches = [each for each in found if each.is_breach]
    reason = "; ".join(each.reason for each in breaches)
    states = {each.expectation.key: known.get(each.expectation.change_class) for each in breaches}
    if PlanState.REJECTED in states.values():
        return GateDecision(delivery_id, Passage.REJECTED, reason, full_hash)
    waiting = [each for each in breaches if states[each.expectation.key] in (None, PlanState.HELD)]
    if not waiting:
        mark_applied(connection, full_hash)
        return GateDecision(delivery_id, Passage.THROUGH, reason, full_hash)
    classes = [
        GuardedClass(planned[each.expectation.key], float(each.let_through), True, each.reason) for each in waiting
    ]
    hold(connection, full_hash, classes, delivery_id=delivery_id, run_id=run_id, now=now)
    return GateDecision(delivery_id, Passage.HELD, reason, full_hash)


def _planned(scope: str, result: CheckResult) -> PlannedClass:
    """All figures go into the hash, met or not; the history does not, since it moves while a person thinks."""
    is_share = result.expectation.kind == "share"
    detail = f"{result.elements}" if is_share else ""
    return PlannedClass(FLOW, scope, result.expectation.change_class, result.planned, result.population, detail)
