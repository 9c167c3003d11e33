"""The file's last guard: a field that changes for too many persons at once holds the file as a whole.

Only the plan can tell, so this is asked after planning, and of no source's first file. A change that belongs to a
class with a limit of its own (guards.py) is judged there, since the rest of the file may go on without it.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.patrons import PATHS
from schemas.warehouse.core import core_plan
from schemas.warehouse.patrons import raw_patron_file, stage_patron
from tasks.patrons.checking import CLASS_PREFIX, guarded_findings, in_words, keep_findings, reject_file, scope_of
from tasks.patrons.file_guards import FileFinding, judge_changes
from tasks.patrons.guarding import GUARD, ground
from tasks.patrons.guards import FLOW
from tasks.patrons.planning import PlanningFile
from tasks.plans.store import hold, mark_applied
from tasks.warehouse.ledger import is_stage_done, set_state

CHANGE_RATE = f"{CLASS_PREFIX}change_rate"
_NOT_SAID = frozenset({"expiry_date", "purge_date", "status", "status_date"})
"""Paths that are worked out here: a lease that is renewed for everybody is no fault of the file."""
_AT_ONCE = 4_000


def check_changes(
    connection: Connection, row: sa.Row[Any], file: PlanningFile, *, now: datetime, run_id: str | None
) -> list[FileFinding]:
    """Judge the plan of a file against the persons that its source has; holds or rejects the file, or lets it go on.

    `row` is the ledger's. What a person has approved is this plan: it is carried out as it was stored, and not judged
    again.
    """
    if file.seen_before is None or is_stage_done(connection, row.delivery_id, GUARD):
        return []
    findings = judge_changes(
        changed_persons(connection, row.delivery_id), ground(connection, file).population, file.source.file
    )
    if not findings:
        return []
    if row.is_preview:
        reason = "; ".join(filter(None, [row.hold_reason, f"would be held: {in_words(findings)}"]))
        set_state(connection, row.delivery_id, DeliveryState.MATCHED, hold_reason=reason)
        keep_findings(connection, row.delivery_id, findings, is_more=True)
        return findings
    plan = _decided(connection, row.delivery_id)
    if plan is not None and plan.state in (PlanState.APPROVED, PlanState.APPLIED):
        mark_applied(connection, plan.plan_hash, CHANGE_RATE)
    elif plan is not None and plan.state == PlanState.REJECTED:
        reject_file(connection, row.delivery_id, f"a person has rejected it: {in_words(findings)}", now)
    else:
        made, classes = guarded_findings(f"{scope_of(file.source.code, row)}:changes", findings, row.records_read or 0)
        hold(connection, made, classes, delivery_id=row.delivery_id, run_id=run_id, now=now)
        connection.execute(
            sa.update(raw_patron_file).where(raw_patron_file.c.delivery_id == row.delivery_id).values(is_used=False)
        )  # no measure for the next one, while nobody has approved it
        set_state(connection, row.delivery_id, DeliveryState.HELD, hold_reason=in_words(findings))
    keep_findings(connection, row.delivery_id, findings, is_more=True)
    return findings


def changed_persons(connection: Connection, delivery_id: int) -> Counter[str]:
    """Path: persons who were known before and of whom the file would change it, of changes without a class."""
    plans = connection.execute(
        sa.select(stage_patron.c.plan).where(
            stage_patron.c.delivery_id == delivery_id,
            stage_patron.c.person_id.is_not(None),
            stage_patron.c.plan.is_not(None),
        ),
        execution_options={"yield_per": _AT_ONCE},
    )
    counts: Counter[str] = Counter()
    for plan in plans.scalars():
        said = (each for each in orjson.loads(plan or "[]") if not each["class"])
        counts.update({each["path"] for each in said if each["path"] in PATHS and each["path"] not in _NOT_SAID})
    return counts


def _decided(connection: Connection, delivery_id: int) -> sa.Row[Any] | None:
    """The plan under which the file was held for its changes, as it was decided last; None: it was not held."""
    return connection.execute(
        sa.select(core_plan.c.plan_hash, core_plan.c.state)
        .where(core_plan.c.delivery_id == delivery_id, core_plan.c.flow == FLOW, core_plan.c["class"] == CHANGE_RATE)
        .order_by(core_plan.c.plan_id.desc())
        .limit(1)
    ).one_or_none()
