"""The guards over the plan of a file: which classes of change go on, and which wait for approval by the plan's hash."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.register.patron_limits import PATRON_CHANGES, PatronChange
from schemas.warehouse.core import core_plan
from schemas.warehouse.patrons import (
    core_patron,
    core_patron_change,
    core_patron_source,
    raw_patron_file,
    stage_patron,
    stage_patron_due,
)
from schemas.warehouse.raw import raw_delivery
from tasks.patrons.guards import FLOW, PlanGround, PlannedChange, guard_plan
from tasks.patrons.passing_by import gone
from tasks.patrons.planning import CHUNK_PLANS, PlanningFile
from tasks.plans.plan import GuardedClass, digest_of, plan_hash
from tasks.plans.store import hold, supersede
from tasks.warehouse.ledger import is_stage_done, note_done
from tasks.warehouse.planner import sets_in_memory

GUARD = "guard"
"""Not a stage of chunks: its row in the progress says that the guards were asked."""


def guard_file(
    connection: Connection, file: PlanningFile, *, now: datetime, run_id: str | None, is_preview: bool = False
) -> tuple[list[GuardedClass], frozenset[PatronChange]]:
    """Ask the guards about the plan of a file, once; returns what they said, and the classes that are held now.

    Carrying a plan out changes what it is counted from: a run that goes on after a kill must find the first answer.
    What waited for the same source under an older plan is superseded: tonight's file says how things are now.
    """
    scope = f"{file.institution}:{file.source.code}"
    if is_stage_done(connection, file.delivery_id, GUARD):
        return [], held_classes(connection, file.delivery_id)
    guarded = guard_plan(planned_changes(connection, file), ground(connection, file), file.policy.guards)
    held = [each for each in guarded if each.is_held]
    if not is_preview:
        plan = plan_hash(each.planned for each in held) if held else None
        supersede(connection, FLOW, [scope], now=now, keep=plan)
        if plan is not None:
            hold(connection, plan, held, delivery_id=file.delivery_id, run_id=run_id, now=now)
        _forget_older(connection, file)
        note_done(connection, [file.delivery_id], GUARD, now)
    return guarded, frozenset(cast(PatronChange, each.planned.change_class) for each in held)


def _forget_older(connection: Connection, file: PlanningFile) -> None:
    """What waited of older files of the source: its plans are superseded."""
    older = sa.select(raw_patron_file.c.delivery_id).where(
        raw_patron_file.c.source == file.source.code, raw_patron_file.c.delivery_id != file.delivery_id
    )
    settled = older.join(raw_delivery, raw_delivery.c.delivery_id == raw_patron_file.c.delivery_id).where(
        raw_delivery.c.state == DeliveryState.SETTLED
    )
    for table in (stage_patron, stage_patron_due):
        connection.execute(sa.delete(table).where(table.c.delivery_id.in_(settled)))


def held_classes(connection: Connection, delivery_id: int) -> frozenset[PatronChange]:
    """The classes of a file's plan that wait, or were rejected."""
    change_class = core_plan.c["class"]
    rows = connection.execute(
        sa.select(change_class).where(
            core_plan.c.delivery_id == delivery_id,
            core_plan.c.flow == FLOW,
            change_class.in_(PATRON_CHANGES),
            core_plan.c.state.in_([PlanState.HELD, PlanState.REJECTED]),
        )
    )
    return frozenset(cast(PatronChange, each) for each in rows.scalars())


def planned_changes(connection: Connection, file: PlanningFile) -> list[PlannedChange]:
    """The guarded classes of the plan of a file, counted in persons."""
    lines: dict[str, list[str]] = defaultdict(list)
    for classes, key, plan in _planned(connection, file.delivery_id):
        line = f"{key} {hashlib.sha256((plan or '').encode()).hexdigest()}"
        for change in classes.split(","):
            lines[change].append(line)
    before = {change: _unasked_before(connection, file, change) for change in PATRON_CHANGES if lines[change]}
    return [
        PlannedChange(change, len(lines[change]), before[change], digest_of(lines[change]))
        for change in PATRON_CHANGES
        if lines[change]
    ]


def _planned(connection: Connection, delivery_id: int) -> sa.CursorResult[Any]:
    """(classes, key of the person, plan) of every person with a guarded change."""
    rows, due, person = stage_patron, stage_patron_due, core_patron
    of_rows = (
        sa.select(rows.c.classes, sa.func.coalesce(person.c.primary_key, rows.c.stable_key), rows.c.plan)
        .outerjoin(person, person.c.person_id == rows.c.person_id)
        .where(rows.c.delivery_id == delivery_id, rows.c.classes != "")
    )
    of_due = (
        sa.select(due.c.classes, person.c.primary_key, due.c.plan)
        .join(person, person.c.person_id == due.c.person_id)
        .where(due.c.delivery_id == delivery_id, due.c.classes != "")
    )
    # A first load guards everybody: not all their plans at once.
    return connection.execute(sa.union_all(of_rows, of_due), execution_options={"yield_per": CHUNK_PLANS})


def ground(connection: Connection, file: PlanningFile) -> PlanGround:
    """What the plan is measured by."""
    sets_in_memory(connection)
    population = connection.execute(
        sa.select(sa.func.count())
        .select_from(core_patron_source)
        .where(
            core_patron_source.c.source == file.source.code,
            core_patron_source.c.left_on.is_(None),
            core_patron_source.c.person_id.not_in(gone(file.institution)),
        )
    ).scalar_one()
    return PlanGround(file.source.code, file.institution, file.day, population, file.failed_rows)


def _unasked_before(connection: Connection, file: PlanningFile, wanted: PatronChange) -> int:
    """Persons to whom a change of this class was made unasked within the days over which its limit adds up.

    What a file did counts on the file's own day, also where a past day is taken later; what came from no file (instant
    updates, erasing) on the day on which it was done.
    """
    days = file.policy.guards.limit_of(wanted).sum_days
    if not days:
        return 0
    change, of_file = core_patron_change, raw_patron_file.c.business_date
    first = file.day - timedelta(days=days)
    return connection.execute(
        sa.select(sa.func.count(change.c.person_id.distinct()))
        .select_from(change)
        .outerjoin(raw_patron_file, raw_patron_file.c.delivery_id == change.c.delivery_id)
        .where(
            change.c.institution == file.institution,
            change.c["class"] == wanted,
            sa.or_(
                sa.and_(of_file > first, of_file <= file.day),
                sa.and_(of_file.is_(None), change.c.changed_at >= datetime.combine(first, time(), UTC) + timedelta(1)),
            ),
            change.c.decision == "applied",
            change.c.plan_hash.is_(None),
            change.c.reverted_at.is_(None),
            change.c.source.in_([file.source.code, ""]),
        )
    ).scalar_one()
