"""What is going on: runs, deliveries and what became of them, and what waits for a person, read from the warehouse.

`samkat status`, `samkat ingest` and the lists of the command line are made of this; no Prefect server is asked.
Read-only, plain data. Instants are UTC.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome, PlanState
from schemas.warehouse.core import core_notice, core_outcome, core_plan, core_review, core_run
from schemas.warehouse.merging import core_duplicate
from schemas.warehouse.raw import raw_delivery, raw_delivery_name, raw_record
from schemas.warehouse.stage import stage_preview
from tasks.warehouse.bulk import id_set

UNFINISHED = (
    DeliveryState.RECEIVED,
    DeliveryState.STAGED,
    DeliveryState.HELD,
    DeliveryState.MATCHED,
    DeliveryState.LOADED,
)
BIB_COUNTS = tuple(f"bibs_{each}" for each in ("read", *BibOutcome))
HOLDING_COUNTS = tuple(f"holdings_{each}" for each in ("read", *HoldingOutcome))


@dataclass(frozen=True)
class Run:
    """A flow run: what it was about, how it ended, its totals."""

    run_id: str
    flow: str
    subject: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    summary: dict[str, Any]


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery of the ledger. `counts` is keyed as in `out_delivery`: records_read, bibs_created, ...

    `is_preview`: only a dry run has seen it so far.
    """

    delivery_id: int
    kind: str
    sender: str
    name: str
    state: str
    received_at: datetime
    finished_at: datetime | None
    reverted_at: datetime | None
    hold_reason: str | None
    uri: str
    docs_uri: str | None
    flow_run_id: str | None
    is_preview: bool
    counts: dict[str, int]
    sent_again_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReasonLine:
    """How many records of a delivery ended in one way for one rule; `reason` and `position` are those of the first."""

    delivery_id: int
    record_type: str
    outcome: str
    rule: str
    number: int
    position: int
    reason: str


@dataclass(frozen=True)
class ReviewLine:
    """A delivered bib that waits, or waited, for a cataloguer; after `due_on` it is loaded as provisional."""

    review_id: int
    delivery_id: int
    position: int
    state: str
    sender: str
    file_name: str
    title: str
    isbn13: str | None
    rule: str
    reason: str
    owner: str
    opened_at: datetime
    due_on: date
    provisional_bib_id: int | None
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None
    libraries: tuple[str, ...]
    """Sigels whose holdings wait for the decision."""


@dataclass(frozen=True)
class Waiting:
    """Something that waits: how many, since when, and how many of them are late."""

    number: int
    since: datetime | None
    late: int = 0


@dataclass(frozen=True)
class Overview:
    """What `samkat status` shows. Late: reviews past their day, notices that failed to be sent."""

    runs: tuple[Run, ...]
    deliveries_by_state: dict[str, int]
    unfinished: tuple[DeliveryLine, ...]
    newest: tuple[DeliveryLine, ...]
    reviews: Waiting
    plans: Waiting
    notices: Waiting
    pairs: Waiting = Waiting(0, None)
    """Pairs of bibs that look like one."""


def overview(connection: Connection, today: date, *, newest: int = 10) -> Overview:
    """Everything at a glance; `newest` runs and deliveries are listed, the unfinished deliveries all.

    Deliveries that only a dry run has seen are left out.
    """
    is_real = sa.not_(raw_delivery.c.is_preview)
    by_state = connection.execute(
        sa.select(raw_delivery.c.state, sa.func.count()).where(is_real).group_by(raw_delivery.c.state)
    )
    return Overview(
        runs=_runs(connection, newest),
        deliveries_by_state={str(row[0]): int(row[1]) for row in by_state},
        unfinished=_deliveries(connection, sa.and_(is_real, raw_delivery.c.state.in_(UNFINISHED))),
        newest=_deliveries(connection, is_real, newest),
        reviews=_waiting(connection, core_review.c.opened_at, core_review.c.state == "open", _is_overdue(today)),
        plans=_waiting(connection, core_plan.c.created_at, core_plan.c.state == PlanState.HELD),
        notices=_waiting(
            connection, core_notice.c.created_at, core_notice.c.state != "sent", core_notice.c.state == "failed"
        ),
        pairs=_waiting(connection, core_duplicate.c.found_at, core_duplicate.c.state == "open"),
    )


def deliveries(connection: Connection, delivery_ids: Collection[int]) -> tuple[DeliveryLine, ...]:
    """These deliveries, in order of their ids."""
    wanted = id_set(connection, set(delivery_ids))
    lines = _deliveries(connection, raw_delivery.c.delivery_id.in_(sa.select(wanted.c.value)))
    return tuple(sorted(lines, key=lambda each: each.delivery_id))


def reasons(connection: Connection, delivery_ids: Collection[int], *, is_preview: bool = False) -> list[ReasonLine]:
    """What became of the records of these deliveries and why, most frequent first; the preview's where `is_preview`."""
    source = stage_preview if is_preview else core_outcome
    wanted = id_set(connection, set(delivery_ids))
    key = (source.c.delivery_id, source.c.record_type, source.c.outcome, source.c.rule)
    statement = (
        sa.select(*key, sa.func.count().label("number"), sa.func.min(source.c.position).label("position"))
        .join(wanted, wanted.c.value == source.c.delivery_id)
        .group_by(*key)
    )
    if not is_preview:
        statement = statement.where(core_outcome.c.is_latest)
    grouped = statement.subquery()
    same = [grouped.c[column.name] == column for column in (*key, source.c.position)]
    if not is_preview:
        same.append(core_outcome.c.is_latest)
    # Several parts of one position may share the rule: any of their reasons will do.
    rows = connection.execute(
        sa.select(*grouped.c, sa.func.min(source.c.reason))
        .join(source, sa.and_(*same))
        .group_by(*grouped.c)
        .order_by(grouped.c.delivery_id, grouped.c.number.desc(), grouped.c.record_type, grouped.c.outcome)
    )
    return [ReasonLine(*row) for row in rows]


def previewed_counts(connection: Connection, delivery_id: int) -> dict[str, int]:
    """Counts of a dry run, keyed as in `out_delivery`."""
    counts = dict.fromkeys((*BIB_COUNTS, *HOLDING_COUNTS), 0)
    rows = connection.execute(
        sa.select(stage_preview.c.record_type, stage_preview.c.outcome, sa.func.count())
        .where(stage_preview.c.delivery_id == delivery_id)
        .group_by(stage_preview.c.record_type, stage_preview.c.outcome)
    )
    for record_type, outcome, number in rows:
        counts[f"{record_type}s_{outcome}"] = number
        counts[f"{record_type}s_read"] += number
    return counts


def open_reviews(connection: Connection, owner: str | None = None) -> list[ReviewLine]:
    """Reviews that nobody has decided, the most urgent first; those of one owner where given."""
    condition = core_review.c.state == "open"
    return _reviews(connection, condition if owner is None else sa.and_(condition, core_review.c.owner == owner))


def reviews(connection: Connection, review_ids: Collection[int]) -> list[ReviewLine]:
    """These reviews, decided or not."""
    wanted = id_set(connection, set(review_ids))
    return _reviews(connection, core_review.c.review_id.in_(sa.select(wanted.c.value)))


def _reviews(connection: Connection, condition: sa.ColumnElement[bool]) -> list[ReviewLine]:
    elsewhere: dict[str, sa.ColumnElement[Any]] = {
        "sender": raw_delivery.c.sender,
        "file_name": raw_delivery.c.name,
        "title": sa.func.coalesce(raw_record.c.title, ""),
        "isbn13": raw_record.c.isbn13,
    }
    names = [name for name in ReviewLine.__dataclass_fields__ if name != "libraries"]
    columns = [elsewhere[name] if name in elsewhere else core_review.c[name] for name in names]
    rows = connection.execute(
        sa.select(*(column.label(name) for name, column in zip(names, columns, strict=True)))
        .join(raw_delivery, raw_delivery.c.delivery_id == core_review.c.delivery_id)
        .outerjoin(
            raw_record,
            sa.and_(
                raw_record.c.delivery_id == core_review.c.delivery_id, raw_record.c.position == core_review.c.position
            ),
        )
        .where(condition)
        .order_by(core_review.c.due_on, core_review.c.review_id)
    ).all()
    libraries = _libraries_waiting(connection, {row.delivery_id for row in rows})
    return [ReviewLine(**row._mapping, libraries=libraries.get((row.delivery_id, row.position), ())) for row in rows]


def _libraries_waiting(connection: Connection, delivery_ids: Collection[int]) -> dict[tuple[int, int], tuple[str, ...]]:
    """Sigels of waiting holdings by (delivery_id, position of the bib)."""
    wanted = id_set(connection, delivery_ids)
    rows = connection.execute(
        sa.select(core_outcome.c.delivery_id, raw_record.c.bib_position, core_outcome.c.sigel)
        .join(wanted, wanted.c.value == core_outcome.c.delivery_id)
        .join(
            raw_record,
            sa.and_(
                raw_record.c.delivery_id == core_outcome.c.delivery_id,
                raw_record.c.position == core_outcome.c.position,
            ),
        )
        .where(core_outcome.c.outcome == HoldingOutcome.WAITING, core_outcome.c.is_latest)
        .order_by(core_outcome.c.delivery_id, core_outcome.c.position, core_outcome.c.part)
    )
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for delivery_id, position, sigel in rows:
        known = found.get((delivery_id, position), ())
        found[delivery_id, position] = known if not sigel or sigel in known else (*known, sigel)
    return found


def runs_since(connection: Connection, flow: str, began_at: datetime) -> list[Run]:
    """Runs of a flow that were started at `began_at` or later, oldest first."""
    rows = connection.execute(
        sa.select(core_run)
        .where(core_run.c.flow == flow, core_run.c.started_at >= began_at)
        .order_by(core_run.c.started_at, core_run.c.run_id)
    )
    return [_run(row) for row in rows]


def _runs(connection: Connection, limit: int) -> tuple[Run, ...]:
    rows = connection.execute(
        sa.select(core_run).order_by(core_run.c.started_at.desc(), core_run.c.run_id).limit(limit)
    )
    return tuple(_run(row) for row in rows)


def _run(row: sa.Row[Any]) -> Run:
    return Run(row.run_id, row.flow, row.subject, row.state, row.started_at, row.finished_at, json.loads(row.summary))


def _deliveries(
    connection: Connection, condition: sa.ColumnElement[bool], limit: int | None = None
) -> tuple[DeliveryLine, ...]:
    counts = ("records_read", "records_unreadable", *BIB_COUNTS, *HOLDING_COUNTS)
    facts = [name for name in DeliveryLine.__dataclass_fields__ if name not in ("counts", "sent_again_as")]
    rows = connection.execute(
        sa.select(*(raw_delivery.c[name] for name in (*facts, *counts)))
        .where(condition)
        .order_by(raw_delivery.c.delivery_id.desc())
        .limit(limit)
    ).all()
    again = _sent_again(connection, {row.delivery_id for row in rows})
    return tuple(
        DeliveryLine(
            **{name: row._mapping[name] for name in facts},
            counts={name: row._mapping[name] for name in counts},
            sent_again_as=again.get(row.delivery_id, ()),
        )
        for row in rows
    )


def _sent_again(connection: Connection, delivery_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Other names under which the same content came."""
    wanted = id_set(connection, delivery_ids)
    rows = connection.execute(
        sa.select(raw_delivery_name.c.delivery_id, raw_delivery_name.c.name)
        .join(wanted, wanted.c.value == raw_delivery_name.c.delivery_id)
        .join(raw_delivery, raw_delivery.c.delivery_id == raw_delivery_name.c.delivery_id)
        .where(raw_delivery_name.c.is_repeat, raw_delivery_name.c.name != raw_delivery.c.name)
        .order_by(raw_delivery_name.c.delivery_id, raw_delivery_name.c.seen_at, raw_delivery_name.c.name)
    )
    found: dict[int, tuple[str, ...]] = {}
    for delivery_id, name in rows:
        found[delivery_id] = (*found.get(delivery_id, ()), name)
    return found


def _is_overdue(today: date) -> sa.ColumnElement[bool]:
    return core_review.c.due_on < today


def _waiting(
    connection: Connection,
    since: sa.Column[datetime],
    condition: sa.ColumnElement[bool],
    is_late: sa.ColumnElement[bool] | None = None,
) -> Waiting:
    late = sa.literal(0) if is_late is None else sa.func.coalesce(sa.func.sum(sa.case((is_late, 1), else_=0)), 0)
    row = connection.execute(sa.select(sa.func.count(), sa.func.min(since), late).where(condition)).one()
    return Waiting(number=row[0], since=row[1], late=int(row[2]))
