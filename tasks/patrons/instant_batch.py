"""Instant updates as batches: what of them waits becomes a plan, what came is reported, what is old is forgotten.

Held updates of a source become one plan a batch, so that a person decides once about all of them. A batch never grows:
what is held later is another plan, and the hash that is being looked at stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.register.patron_limits import PatronChange
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_sources import PatronSource
from schemas.summaries import UPDATE_COUNTS, UpdateSummary
from schemas.warehouse.core import core_plan
from schemas.warehouse.patrons import raw_patron_receipt
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.guards import DONE, PlanGround, limit_on
from tasks.patrons.instant import CHUNK, Instant, apply_approved
from tasks.patrons.instant_limits import FLOW, instant_guards
from tasks.patrons.receipts import changes_hash_in
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, plan_hash
from tasks.plans.store import SUPERSEDED_BY, hold, mark_applied

LAPSED: Final = "lapsed"
table = raw_patron_receipt


def report(connection: Connection, instant: Instant, run_id: str, now: datetime) -> list[UpdateSummary]:
    """Plan what is held since the last report, and say what became of all that was carried out since, by source.

    In the caller's transaction, under `PATRONS_LOCK`, so that an update is in exactly one report.
    """
    held = connection.execute(
        sa.select(table).where(table.c.state == "held", table.c.plan_hash.is_(None)).order_by(table.c.receipt_id)
    ).all()
    plans = _planned(connection, instant, held, run_id, now)
    rows = connection.execute(
        sa.select(table.c.source, table.c.institution, table.c.state, table.c.rule, sa.func.count())
        .where(table.c.run_id.is_(None), table.c.state != "waiting")
        .group_by(table.c.source, table.c.institution, table.c.state, table.c.rule)
    ).all()
    connection.execute(
        sa.update(table).where(table.c.run_id.is_(None), table.c.state != "waiting").values(run_id=run_id)
    )
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for source, institution, state, rule, number in rows:
        counts[source, institution][rule if state == "done" else state] += number
    return [_summary(source, institution, each, plans.get(source)) for (source, institution), each in counts.items()]


def _summary(
    source: str, institution: str, counts: Counter[str], plan: tuple[str, list[GuardedClass]] | None
) -> UpdateSummary:
    updates = {name: counts[name] for name in UPDATE_COUNTS}
    if plan is None:
        return UpdateSummary(source, institution, updates)
    full_hash, held = plan
    classes = {each.planned.change_class: each.planned.planned for each in held}
    return UpdateSummary(source, institution, updates, classes, full_hash, "; ".join(each.reason for each in held))


def _planned(
    connection: Connection, instant: Instant, rows: Sequence[sa.Row[Any]], run_id: str, now: datetime
) -> dict[str, tuple[str, list[GuardedClass]]]:
    """By source: hash and classes of the plan of its held updates."""
    by_source: dict[str, list[sa.Row[Any]]] = defaultdict(list)
    for row in rows:
        if row.source in instant.sources:
            by_source[row.source].append(row)
    plans = {}
    for code, some in by_source.items():
        held = _classes(connection, instant, instant.sources[code], some)
        full_hash = plan_hash(each.planned for each in held)
        hold(connection, full_hash, held, delivery_id=None, run_id=run_id, now=now)
        for begin in range(0, len(some), CHUNK):
            ids = [each.receipt_id for each in some[begin : begin + CHUNK]]
            connection.execute(sa.update(table).where(table.c.receipt_id.in_(ids)).values(plan_hash=full_hash))
        plans[code] = full_hash, held
    return plans


def _classes(
    connection: Connection, instant: Instant, source: PatronSource, rows: Sequence[sa.Row[Any]]
) -> list[GuardedClass]:
    lines: dict[PatronChange, list[str]] = defaultdict(list)
    for row in rows:
        line = f"{row.idempotency_key} {bytes(row.request_hash).hex()} {changes_hash_in(row)}"
        for each in row.rule.split(","):
            lines[each].append(line)
    # The first moment tells batches apart: one that waits is not superseded by the next.
    scope = f"{source.institution}:{source.code}:{rows[0].received_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    population = instant.populations.of(connection, source.code)
    ground = PlanGround(source.code, source.institution, instant.ground.day, population)
    guards = instant_guards(instant.ground.policy.guards)
    held = []
    for change in sorted(lines):
        number, days = len(lines[change]), guards.limit_of(change).sum_days
        limit, _ = limit_on(change, ground, guards)
        planned = PlannedClass(FLOW, scope, change, number, population, digest_of(lines[change]))
        persons = "1 person" if number == 1 else f"{number} persons"
        over = "a day" if days == 1 else f"{days} days"
        reason = (
            f"{persons} would be {DONE[change]} by instant updates; {limit} in {over} are let through unasked, and were"
        )
        held.append(GuardedClass(planned, 0.0, True, reason))
    return held


def carry_out_decided(instant: Instant, full_hash: str, now: datetime) -> Counter[str]:
    """Carry out the held updates of a plan as far as its classes are approved; those that are rejected are refused.

    A transaction some hundred updates; again does nothing that was done.
    """
    counts: Counter[str] = Counter()
    after = 0
    while True:
        with instant.warehouse.write(PATRONS_LOCK) as connection:
            classes = _decided(connection, full_hash)
            approved = frozenset(each for each, state in classes.items() if state in ("approved", "applied"))
            rejected = frozenset(each for each, state in classes.items() if state == "rejected")
            rows = connection.execute(
                sa.select(table)
                .where(table.c.plan_hash == full_hash, table.c.state == "held", table.c.receipt_id > after)
                .order_by(table.c.receipt_id)
                .limit(CHUNK)
            ).all()
            named = [(row, frozenset(cast(list[PatronChange], row.rule.split(",")))) for row in rows]
            refused = [row.receipt_id for row, waits in named if waits <= rejected]
            counts["refused"] += _refuse(connection, refused, "rejected", "somebody looked at it and said no", now)
            wanted = [row for row, waits in named if waits & approved]
            counts += apply_approved(connection, instant, wanted, approved, now)
            if len(rows) < CHUNK:
                mark_applied(connection, full_hash)
                return counts
            after = rows[-1].receipt_id


def _decided(connection: Connection, full_hash: str) -> dict[PatronChange, str]:
    rows = connection.execute(
        sa.select(core_plan.c["class"], core_plan.c.state).where(
            core_plan.c.plan_hash == full_hash, core_plan.c.flow == FLOW
        )
    )
    return {cast(PatronChange, change): str(state) for change, state in rows}


def _refuse(connection: Connection, receipts: Sequence[int], rule: str, reason: str, now: datetime) -> int:
    if receipts:
        connection.execute(
            sa.update(table)
            .where(table.c.receipt_id.in_(receipts))
            .values(state="refused", rule=rule, reason=reason, content=None, committed_at=now)
        )
    return len(receipts)


def forget(connection: Connection, policy: PatronPolicy, now: datetime) -> Counter[str]:
    """Delete receipts that are older than the policy keeps them; what nobody decided by then lapses with its plan."""
    before = now - timedelta(days=policy.retention.receipt_days)
    plans = connection.execute(
        sa.select(table.c.plan_hash)
        .where(table.c.received_at < before, table.c.state == "held", table.c.plan_hash.is_not(None))
        .distinct()
    ).scalars()
    lapsed = list(plans)
    for each in lapsed:
        connection.execute(
            sa.update(core_plan)
            .where(core_plan.c.plan_hash == each, core_plan.c.state == PlanState.HELD)
            .values(state=PlanState.REJECTED, reason=LAPSED, decided_by=SUPERSEDED_BY, decided_at=now)
        )
    gone = connection.execute(sa.delete(table).where(table.c.received_at < before, table.c.state != "waiting")).rowcount
    return Counter({"receipts forgotten": gone, "plans lapsed": len(lapsed)})


def as_markdown(found: Sequence[UpdateSummary]) -> str:
    """The artifact of a report: counts by institution and outcome, and no person."""
    lines = [
        *("# Instant updates", ""),
        f"| institution | source | {' | '.join(UPDATE_COUNTS)} |",
        "|---|---|" + "--:|" * len(UPDATE_COUNTS),
    ]
    for each in found:
        cells = [each.institution, each.source, *(each.updates.get(name, 0) for name in UPDATE_COUNTS)]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    waits = [f"* {each.source}: {each.reason}. Plan `{each.plan_hash[:12]}`" for each in found if each.is_held]
    return "\n".join([*lines, *(["", "## What waits for approval", "", *waits] if waits else [])])
