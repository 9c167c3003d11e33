"""Carrying a plan out, as far as the guards let it: a chunk a transaction, each person planned anew as they are now.

A person may have been changed since the plan was made, by an instant update or at the desk: what is written is always
decided from what is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.register.patron_limits import PatronChange
from schemas.warehouse.patrons import raw_patron_file, stage_patron, stage_patron_due
from tasks.patrons import plans_in_mind
from tasks.patrons.documents import changes_to_json
from tasks.patrons.person_plan import PlannedPerson
from tasks.patrons.planning import (
    CHUNK_PLANS,
    QUARANTINED,
    PlanningFile,
    outcome_of,
    outcome_of_due,
    plan_some,
    plan_some_due,
    quarantine,
)
from tasks.patrons.plans_in_mind import PlansInMind
from tasks.patrons.staged_rows import note_rows
from tasks.patrons.store import save_plans
from tasks.plans.store import mark_applied
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import Chunk, chunk

APPLY, APPLY_DUE = "apply", "apply-due"
PATRONS_LOCK = "patrons"
"""One writer of persons at a time: who is new is decided under it."""
_PLANNED = ("created", "changed", "kept", "held")


def apply_rows(
    warehouse: Warehouse, file: PlanningFile, held: frozenset[PatronChange], *, now: datetime, run_id: str
) -> Counter[str]:
    """Carry out the plan of each row; changes of a class in `held` wait. Goes on where a killed run stopped."""
    counts: Counter[str] = Counter()
    known = None if held else plans_in_mind.recall(warehouse.engine, file.delivery_id, file.occasion)
    while True:
        with chunk(warehouse, file.delivery_id, APPLY, PATRONS_LOCK) as each:
            if each.is_done:
                plans_in_mind.forget(warehouse.engine)
                return counts
            rows = _rows_after(each)
            counts += _apply_rows(each.connection, file, rows, held, now=now, run_id=run_id, known=known)
            last = rows[-1].record_no if rows else each.reached
            each.advance(last, done_at=now if len(rows) < CHUNK_PLANS else None)


def _rows_after(each: Chunk) -> Sequence[sa.Row[Any]]:
    return each.connection.execute(
        sa.select(stage_patron)
        .where(
            stage_patron.c.delivery_id == each.delivery_id,
            stage_patron.c.record_no > each.reached,
            stage_patron.c.outcome.in_(_PLANNED),
        )
        .order_by(stage_patron.c.record_no)
        .limit(CHUNK_PLANS)
    ).all()


def _apply_rows(
    connection: Connection,
    file: PlanningFile,
    rows: Sequence[sa.Row[Any]],
    held: frozenset[PatronChange],
    *,
    now: datetime,
    run_id: str,
    plan_hash: str | None = None,
    known: PlansInMind | None = None,
) -> Counter[str]:
    if not rows:
        return Counter()
    planned, refused = plan_some(connection, file, rows, held, known=known)
    quarantine(connection, file.delivery_id, refused)
    saved = _save(connection, file, [each for _, each in planned], now=now, run_id=run_id, plan_hash=plan_hash)
    ended = [
        (row.record_no, outcome_of(each), person_id)
        for (row, each), person_id in zip(planned, saved, strict=True)
        if (row.outcome, row.person_id) != (outcome_of(each), person_id)
    ]  # what ended as it was planned stands so already
    note_rows(connection, file.delivery_id, ("outcome", "person_id"), ended)
    return Counter(outcome_of(each) for _, each in planned) + Counter({QUARANTINED: len(refused)})


def _save(
    connection: Connection,
    file: PlanningFile,
    planned: Sequence[PlannedPerson],
    *,
    now: datetime,
    run_id: str,
    plan_hash: str | None,
) -> Sequence[int | None]:
    """Store the plans; returns the persons in their order, None for one that was not made."""
    return save_plans(
        connection,
        planned,
        run_id=run_id,
        delivery_id=file.delivery_id,
        now=now,
        day=file.day,
        policy_version=file.policy.version,
        plan_hash=plan_hash,
    ).person_ids


def apply_due(
    warehouse: Warehouse, file: PlanningFile, held: frozenset[PatronChange], *, now: datetime, run_id: str
) -> Counter[str]:
    """Carry out what absence and time do; as `apply_rows`."""
    counts: Counter[str] = Counter()
    while True:
        with chunk(warehouse, file.delivery_id, APPLY_DUE, PATRONS_LOCK) as each:
            if each.is_done:
                return counts
            rows = each.connection.execute(
                sa.select(stage_patron_due)
                .where(stage_patron_due.c.delivery_id == file.delivery_id, stage_patron_due.c.person_id > each.reached)
                .order_by(stage_patron_due.c.person_id)
                .limit(CHUNK_PLANS)
            ).all()
            counts += _apply_due(each.connection, file, rows, held, now=now, run_id=run_id)
            last = rows[-1].person_id if rows else each.reached
            each.advance(last, done_at=now if len(rows) < CHUNK_PLANS else None)


def _apply_due(
    connection: Connection,
    file: PlanningFile,
    rows: Sequence[sa.Row[Any]],
    held: frozenset[PatronChange],
    *,
    now: datetime,
    run_id: str,
    plan_hash: str | None = None,
) -> Counter[str]:
    if not rows:
        return Counter()
    planned = plan_some_due(connection, file, rows, held)
    _save(connection, file, [each for _, each in planned], now=now, run_id=run_id, plan_hash=plan_hash)
    connection.execute(
        sa.update(stage_patron_due)
        .where(stage_patron_due.c.delivery_id == file.delivery_id, stage_patron_due.c.person_id == sa.bindparam("no"))
        .values(outcome=sa.bindparam("what")),
        [{"no": row.person_id, "what": outcome_of_due(each)} for row, each in planned],
    )
    return Counter(outcome_of_due(each) for _, each in planned)


def apply_approved(
    connection: Connection,
    file: PlanningFile,
    plan: str,
    approved: PatronChange,
    still_held: frozenset[PatronChange],
    *,
    now: datetime,
    run_id: str,
) -> Counter[str]:
    """Carry out a class that a person has approved, in the caller's transaction, under `PATRONS_LOCK`.

    A person of whom something else would be done by now is left: that was not approved. Raises `UsageError` where a
    newer file has been planned since; its plan waits under a hash of its own.
    """
    rows = connection.execute(_rows_of_class(stage_patron, file, approved).order_by(stage_patron.c.record_no)).all()
    due = connection.execute(_rows_of_class(stage_patron_due, file, approved).order_by("person_id")).all()
    if not rows and not due:
        raise UsageError(
            "a newer file of the source was planned since, and this plan is gone",
            remedy="`samkat plans list` shows what waits now",
        )
    before = _outcomes(connection, file.delivery_id)
    counts: Counter[str] = Counter()
    for begin in range(0, len(rows), CHUNK_PLANS):
        planned, _ = plan_some(connection, file, rows[begin : begin + CHUNK_PLANS], frozenset())
        same = [row for row, each in planned if changes_to_json(each.changes) == row.plan]
        counts["changed since"] += len(rows[begin : begin + CHUNK_PLANS]) - len(same)
        counts += _apply_rows(connection, file, same, still_held, now=now, run_id=run_id, plan_hash=plan)
    moved = plan_some_due(connection, file, due, frozenset())
    same = [row for row, each in moved if changes_to_json(each.changes) == row.plan]
    counts["changed since"] += len(due) - len(same)
    counts += _apply_due(connection, file, same, still_held, now=now, run_id=run_id, plan_hash=plan)
    mark_applied(connection, plan, approved)
    _recount(connection, file.delivery_id, before)
    return counts


def _outcomes(connection: Connection, delivery_id: int) -> Counter[str]:
    """Rows of the file by outcome, of those that are still in the working set."""
    found = connection.execute(
        sa.select(stage_patron.c.outcome, sa.func.count())
        .where(stage_patron.c.delivery_id == delivery_id)
        .group_by(stage_patron.c.outcome)
    )
    return Counter(dict(found.tuples().all()))


def _recount(connection: Connection, delivery_id: int, before: Counter[str]) -> None:
    """Add what has moved to the counts of the file: the rows that settled with it are no longer there to be counted."""
    now = _outcomes(connection, delivery_id)
    moved = {
        f"rows_{name}": raw_patron_file.c[f"rows_{name}"] + now[name] - before[name]
        for name in ROW_OUTCOMES
        if now[name] != before[name]
    }
    if moved:
        connection.execute(
            sa.update(raw_patron_file).where(raw_patron_file.c.delivery_id == delivery_id).values(**moved)
        )


def _rows_of_class(table: sa.Table, file: PlanningFile, change: PatronChange) -> sa.Select[Any]:
    listed = sa.literal(",") + table.c.classes + ","
    return sa.select(table).where(table.c.delivery_id == file.delivery_id, listed.contains(f",{change},"))


def store_counts(connection: Connection, delivery_id: int) -> dict[str, int]:
    """Count what became of the rows of a file, store it, and return it by column of raw_patron_file."""
    by_outcome = _outcomes(connection, delivery_id)
    due = dict(
        connection.execute(
            sa.select(stage_patron_due.c.outcome, sa.func.count())
            .where(stage_patron_due.c.delivery_id == delivery_id)
            .group_by(stage_patron_due.c.outcome)
        )
        .tuples()
        .all()
    )
    absent = connection.execute(
        sa.select(sa.func.count())
        .select_from(stage_patron_due)
        .where(stage_patron_due.c.delivery_id == delivery_id, stage_patron_due.c.why == "absent")
    ).scalar_one()
    counts = {f"rows_{name}": by_outcome[name] for name in ROW_OUTCOMES}
    counts |= {"persons_missing": absent, "persons_moved": due.get("moved", 0)}
    connection.execute(sa.update(raw_patron_file).where(raw_patron_file.c.delivery_id == delivery_id).values(**counts))
    return counts


ROW_OUTCOMES = ("unchanged", "created", "changed", "kept", "held", "quarantined", "rejected")
"""What becomes of a row of a file: exactly one of these."""
