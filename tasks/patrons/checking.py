"""The file's own guards: what a file breaks holds it as a whole, for approval by the plan's hash.

A hold is a plan like any other (tasks/plans): flow `patron-sync`, class `file:<rule>`. A file that is not used is no
measure for the next one: the night after a truncated one is compared with the night before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.register.patron_sources import PatronSource
from schemas.warehouse.patrons import raw_patron_file, stage_patron, stage_patron_due
from schemas.warehouse.raw import raw_delivery
from tasks.patrons.file_guards import FileFacts, FileFinding, FileRule, Manifest, judge_file
from tasks.patrons.guards import FLOW
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, plan_hash
from tasks.plans.store import decisions, hold, mark_applied, supersede, withdraw
from tasks.warehouse.ledger import set_state

CLASS_PREFIX = "file:"
_READ = ("charset", "broken")
"""Findings that only reading the file gives."""


def check_file(
    connection: Connection, row: sa.Row[Any], source: PatronSource, *, now: datetime, run_id: str | None
) -> list[FileFinding]:
    """Judge a staged file, keep what was found, and let it on, or hold or reject it; returns the findings.

    `row` is the ledger's. A file without findings, or whose findings a person has approved, is `matched` afterwards:
    it may be planned from.
    """
    file = connection.execute(sa.select(raw_patron_file).where(raw_patron_file.c.delivery_id == row.delivery_id)).one()
    findings = _judged(connection, row, file, source)
    scope = scope_of(source.code, row)
    if row.is_preview:
        # A dry run enters no plan; it says what would be held, and goes on to show the rest.
        reason = f"would be held: {in_words(findings)}" if findings else None
        set_state(connection, row.delivery_id, DeliveryState.MATCHED, hold_reason=reason)
        keep_findings(connection, row.delivery_id, findings)
        return findings
    if not findings:
        supersede(connection, FLOW, [scope], now=now, class_prefix=CLASS_PREFIX)
        _let_on(connection, row.delivery_id, is_complete=source.content == "snapshot")
        _close_older(connection, source.code, row, now)
        return []
    plan, classes = guarded_findings(scope, findings, file.rows_read)
    states = set(decisions(connection, plan).values())
    if states and states <= {PlanState.APPROVED, PlanState.APPLIED}:
        for each in classes:
            mark_applied(connection, plan, each.planned.change_class)
        # Taken on a person's word for who is there; who is missing from it is not.
        _let_on(connection, row.delivery_id, is_complete=False)
        _close_older(connection, source.code, row, now)
    elif PlanState.REJECTED in states:
        reject_file(connection, row.delivery_id, f"a person has rejected it: {in_words(findings)}", now)
    else:
        hold(connection, plan, classes, delivery_id=row.delivery_id, run_id=run_id, now=now)
        set_state(connection, row.delivery_id, DeliveryState.HELD, hold_reason=in_words(findings))
    keep_findings(connection, row.delivery_id, findings)
    return findings


def scope_of(source: str, row: sa.Row[Any]) -> str:
    """What a hold is about; names the content and the day, never a surrogate id."""
    return f"file:{source}:{row.business_date}:{row.sha256[:12]}"


def in_words(findings: Sequence[FileFinding]) -> str:
    """All findings in one line; says nothing about any person."""
    return "; ".join(f"{each.field}: {each.text}" if each.field else each.text for each in findings)


def last_used(connection: Connection, source: str, before: date) -> FileFacts | None:
    """What was found in the file before it that was used; None for the first one of a source."""
    found = connection.execute(
        sa.select(raw_patron_file, raw_delivery.c.name)
        .join(raw_delivery, raw_delivery.c.delivery_id == raw_patron_file.c.delivery_id)
        .where(
            raw_patron_file.c.source == source,
            raw_patron_file.c.is_used,
            raw_patron_file.c.business_date < before,
            raw_delivery.c.state != DeliveryState.REVERTED,
        )
        .order_by(raw_patron_file.c.business_date.desc(), raw_patron_file.c.delivery_id.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else _facts(found, found.name, ())


def used_before(connection: Connection, source: str, before: date) -> date | None:
    """Day of the last file of a source before a day that was used."""
    return connection.execute(
        sa.select(sa.func.max(raw_patron_file.c.business_date)).where(
            raw_patron_file.c.source == source, raw_patron_file.c.is_used, raw_patron_file.c.business_date < before
        )
    ).scalar()


def _judged(connection: Connection, row: sa.Row[Any], file: sa.Row[Any], source: PatronSource) -> list[FileFinding]:
    read = [
        FileFinding(cast(FileRule, rule), text, field)
        for rule, text, field in orjson.loads(file.findings)
        if rule in _READ
    ]
    manifest = Manifest(**orjson.loads(file.manifest)) if file.manifest else None
    defects = tuple(each.text for each in read if each.rule == "broken")
    facts = _facts(file, row.name, defects)
    last = last_used(connection, source.code, file.business_date)
    findings = [*(each for each in read if each.rule != "broken"), *judge_file(facts, source, last, manifest)]
    newer = connection.execute(
        sa.select(sa.func.max(raw_patron_file.c.business_date)).where(
            raw_patron_file.c.source == source.code,
            raw_patron_file.c.is_used,
            raw_patron_file.c.business_date > file.business_date,
        )
    ).scalar()
    if newer is not None:
        findings.append(FileFinding("stale", f"it is about {file.business_date}, and one of {newer} was used already"))
    return findings


def _facts(file: sa.Row[Any], name: str, defects: tuple[str, ...]) -> FileFacts:
    persons = file.rows_read - file.rows_rejected
    return FileFacts(name, file.sha256, file.size, persons, file.rows_rejected, defects, orjson.loads(file.filled))


def guarded_findings(scope: str, findings: Sequence[FileFinding], rows: int) -> tuple[str, list[GuardedClass]]:
    """The plan that holds a file for these findings: its hash, and a class a rule."""
    by_rule: dict[str, list[FileFinding]] = {}
    for each in findings:
        by_rule.setdefault(each.rule, []).append(each)
    classes = []
    for rule, some in by_rule.items():
        digest = digest_of(f"{each.field or ''} {each.text}" for each in some)
        planned = PlannedClass(FLOW, scope, CLASS_PREFIX + rule, len(some), rows, digest)
        classes.append(GuardedClass(planned, 0.0, True, in_words(some)))
    return plan_hash(each.planned for each in classes), classes


def _let_on(connection: Connection, delivery_id: int, *, is_complete: bool) -> None:
    connection.execute(
        sa.update(raw_patron_file)
        .where(raw_patron_file.c.delivery_id == delivery_id)
        .values(is_complete=is_complete, is_used=True)
    )
    set_state(connection, delivery_id, DeliveryState.MATCHED, hold_reason=None)


def _close_older(connection: Connection, source: str, row: sa.Row[Any], now: datetime) -> None:
    """Files of earlier days that still wait are closed: a newer one says how things are now."""
    older = connection.execute(
        sa.select(raw_delivery.c.delivery_id).where(
            raw_delivery.c.kind == row.kind,
            raw_delivery.c.sender == source,
            raw_delivery.c.state == DeliveryState.HELD,
            raw_delivery.c.business_date <= row.business_date,
            raw_delivery.c.delivery_id != row.delivery_id,
        )
    ).scalars()
    reason = f"not used: the file of {row.business_date} was"
    for each in older.all():
        withdraw(connection, each, reason, now)
        reject_file(connection, each, reason, now)


def reject_file(connection: Connection, delivery_id: int, reason: str, now: datetime) -> None:
    """The file is not used, and is no measure for the next one; its persons are not kept in the working set."""
    for table in (stage_patron, stage_patron_due):
        connection.execute(sa.delete(table).where(table.c.delivery_id == delivery_id))
    connection.execute(
        sa.update(raw_patron_file).where(raw_patron_file.c.delivery_id == delivery_id).values(is_used=False)
    )
    set_state(connection, delivery_id, DeliveryState.REJECTED, hold_reason=reason, finished_at=now)


def keep_findings(
    connection: Connection, delivery_id: int, findings: Sequence[FileFinding], *, is_more: bool = False
) -> None:
    """Store what is wrong with a file, in place of what was stored before; `is_more`: beside it, each once."""
    found = [[each.rule, each.text, each.field] for each in findings]
    if is_more:
        stored = connection.execute(
            sa.select(raw_patron_file.c.findings).where(raw_patron_file.c.delivery_id == delivery_id)
        ).scalar_one()
        before = orjson.loads(stored)
        found = before + [each for each in found if each not in before]
    connection.execute(
        sa.update(raw_patron_file)
        .where(raw_patron_file.c.delivery_id == delivery_id)
        .values(findings=orjson.dumps(found).decode())
    )
