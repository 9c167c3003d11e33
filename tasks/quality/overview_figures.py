"""What the nightly overview says, in figures: read from the promised views, a statement a section.

No titles, no authors, no names of persons: what stands here may be filed where anybody reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.summaries import BIB_COUNTS, HOLDING_COUNTS
from schemas.warehouse.base import UtcInstant
from tasks.landing.rhythm import FeedVerdict
from tasks.warehouse.nights import Night, NightRuns, nights, nights_as_rows, runs_of
from tasks.warehouse.overview import Waiting, overview
from tasks.warehouse.services import LocalFile, files_of_night, last_marts_at

NIGHTS = 30
MOST_LISTED = 200
"""Deliveries and held plans that the page lists one by one."""
COUNTS = (
    "records_unreadable",
    *(f"bibs_{each}" for each in BIB_COUNTS),
    *(f"holdings_{each}" for each in HOLDING_COUNTS),
)

_delivery = sa.table(
    "out_delivery",
    *(sa.column(each, sa.Integer) for each in ("delivery_id", *COUNTS)),
    *(sa.column(each, sa.Text) for each in ("kind", "sender", "name", "state", "hold_reason", "docs_uri")),
    sa.column("received_at", UtcInstant),
    sa.column("is_preview", sa.Boolean),
)
_record = sa.table("out_record", *(sa.column(each) for each in ("delivery_id", "record_type", "outcome", "rule")))
_review = sa.table("out_review", sa.column("opened_at", UtcInstant), sa.column("decided_at", UtcInstant))
_plan = sa.table(
    "out_plan",
    *(sa.column(each, sa.Text) for each in ("plan_hash", "flow", "scope", "class", "state", "reason")),
    sa.column("created_at", UtcInstant),
)


@dataclass(frozen=True)
class SenderNight:
    """What one supplier sent in a night. `counts` is keyed as in `out_delivery`: bibs_created, ..."""

    sender: str
    deliveries: int
    held: int
    rejected: int
    counts: dict[str, int]


@dataclass(frozen=True)
class NightFigures:
    """A night in figures. `backlog`: reviews that were open at its end."""

    on: date
    deliveries: int
    counts: dict[str, int]
    backlog: int

    @property
    def match_share(self) -> float | None:
        """Bibs that met one of the catalogue, of those that were decided or wait: 0 to 1; None where none came."""
        return self._share("replaced", "kept")

    @property
    def review_share(self) -> float | None:
        """Bibs that wait for a cataloguer, of the same."""
        return self._share("review")

    def _share(self, *outcomes: str) -> float | None:
        decided = sum(self.counts.get(f"bibs_{each}", 0) for each in ("created", "replaced", "kept", "review"))
        return sum(self.counts.get(f"bibs_{each}", 0) for each in outcomes) / decided if decided else None


@dataclass(frozen=True)
class RejectLine:
    """How many records of the night were not accepted for one rule."""

    record_type: str
    outcome: str
    rule: str
    number: int


@dataclass(frozen=True)
class DeliveryOfNight:
    """A delivery of the night, with the page of its quality check where there is one."""

    delivery_id: int
    sender: str
    name: str
    state: str
    reason: str
    docs_uri: str | None


@dataclass(frozen=True)
class HeldPlan:
    """A class of change that waits for approval."""

    plan_hash: str
    flow: str
    scope: str
    change_class: str
    reason: str
    created_at: datetime


@dataclass(frozen=True)
class Figures:
    """Everything on the page. `series` are nights, the oldest first; the last of them is the one it is about."""

    night: Night
    runs: NightRuns
    senders: tuple[SenderNight, ...]
    series: tuple[NightFigures, ...]
    rejects: tuple[RejectLine, ...]
    deliveries: tuple[DeliveryOfNight, ...]
    plans: tuple[HeldPlan, ...]
    reviews: Waiting
    notices: Waiting
    feeds: tuple[FeedVerdict, ...] = field(default=())
    exports: tuple[LocalFile, ...] = field(default=())
    """Files for local systems that were made in the night, or were to be."""
    marts_at: datetime | None = None
    """When the last snapshot for analysts was made."""

    @property
    def wrong_feeds(self) -> tuple[FeedVerdict, ...]:
        """Feeds that a person should look at."""
        return tuple(each for each in self.feeds if each.is_wrong)

    @property
    def held(self) -> int:
        """How many plans wait for approval; a plan may have several classes."""
        return len({each.plan_hash for each in self.plans})

    @property
    def total(self) -> NightFigures:
        """The night itself."""
        return self.series[-1]


def figures(
    connection: Connection, today: date, zone: ZoneInfo, now: datetime, feeds: Sequence[FeedVerdict] = ()
) -> Figures:
    """The night that ends on `today`, and the thirty up to it. `feeds` are judged by tasks.landing.feeds."""
    some = nights(today, zone, now, NIGHTS)
    night = some[-1]
    by_night = _by_night_and_sender(connection, some)
    waiting = overview(connection, today, newest=1)
    return Figures(
        night=night,
        runs=runs_of(connection, night),
        senders=tuple(sorted(by_night.get(night.on, []), key=lambda each: each.sender)),
        series=_series(some, by_night, _backlog(connection, some)),
        rejects=_rejects(connection, night),
        deliveries=_deliveries(connection, night),
        plans=_held_plans(connection),
        reviews=waiting.reviews,
        notices=waiting.notices,
        feeds=tuple(feeds),
        exports=files_of_night(connection, night),
        marts_at=last_marts_at(connection),
    )


def senders_of(connection: Connection, night: Night) -> tuple[SenderNight, ...]:
    """What each supplier sent in one night, in the order of their codes."""
    found = _by_night_and_sender(connection, [night]).get(night.on, [])
    return tuple(sorted(found, key=lambda each: each.sender))


def _by_night_and_sender(connection: Connection, some: list[Night]) -> dict[date, list[SenderNight]]:
    night = nights_as_rows(some)
    rows = connection.execute(
        sa.select(
            night.c.night_on,
            _delivery.c.sender,
            sa.func.count().label("deliveries"),
            *(_number_in(state) for state in ("held", "rejected")),
            *(sa.func.coalesce(sa.func.sum(_delivery.c[name]), 0).label(name) for name in COUNTS),
        )
        .join(night, _is_of(night.c.begins, night.c.ends))
        .where(*_REAL)
        .group_by(night.c.night_on, _delivery.c.sender)
    )
    found: dict[date, list[SenderNight]] = {}
    for row in rows:
        counts = {name: int(row._mapping[name]) for name in COUNTS}
        line = SenderNight(row.sender, row.deliveries, int(row.held), int(row.rejected), counts)
        found.setdefault(row.night_on, []).append(line)
    return found


_REAL = (_delivery.c.kind == "supplier", sa.not_(_delivery.c.is_preview))


def _is_of(begins: Any, ends: Any) -> sa.ColumnElement[bool]:
    return sa.and_(_delivery.c.received_at >= begins, _delivery.c.received_at < ends)


def _number_in(state: str) -> sa.Label[int]:
    return sa.func.sum(sa.case((_delivery.c.state == state, 1), else_=0)).label(state)


def _backlog(connection: Connection, some: list[Night]) -> dict[date, int]:
    """Reviews open at the end of each night. Those decided before the first of them are not even looked at."""
    night = nights_as_rows(some)
    was_open = sa.and_(
        _review.c.opened_at < night.c.ends,
        sa.or_(_review.c.decided_at.is_(None), _review.c.decided_at >= night.c.ends),
    )
    rows = connection.execute(
        sa.select(night.c.night_on, sa.func.count())
        .select_from(_review)
        .join(night, was_open)
        .where(sa.or_(_review.c.decided_at.is_(None), _review.c.decided_at >= some[0].ends))
        .group_by(night.c.night_on)
    )
    return {row[0]: row[1] for row in rows}


def _series(
    some: list[Night], by_night: dict[date, list[SenderNight]], backlog: dict[date, int]
) -> tuple[NightFigures, ...]:
    found = []
    for night in some:
        lines = by_night.get(night.on, [])
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(line.counts)
        number = sum(line.deliveries for line in lines)
        found.append(NightFigures(night.on, number, dict(counts), backlog.get(night.on, 0)))
    return tuple(found)


def _rejects(connection: Connection, night: Night) -> tuple[RejectLine, ...]:
    """Records that were not accepted, by rule, the most frequent first. A piece that cannot be read has no rule."""
    is_unreadable = sa.and_(_record.c.outcome.is_(None), _record.c.record_type == "unreadable")
    rule = sa.func.coalesce(_record.c.rule, "unreadable")
    rows = connection.execute(
        sa.select(_record.c.record_type, _record.c.outcome, rule.label("rule"), sa.func.count().label("number"))
        .join(_delivery, _delivery.c.delivery_id == _record.c.delivery_id)
        .where(
            _is_of(night.begins, night.ends),
            *_REAL,
            sa.or_(_record.c.outcome.in_(("rejected", "refused")), is_unreadable),
        )
        .group_by(_record.c.record_type, _record.c.outcome, rule)
        .order_by(sa.desc("number"), "rule", _record.c.record_type)
    )
    return tuple(RejectLine(row.record_type, row.outcome or "unreadable", row.rule, row.number) for row in rows)


def _deliveries(connection: Connection, night: Night) -> tuple[DeliveryOfNight, ...]:
    names = ("delivery_id", "sender", "name", "state", "hold_reason", "docs_uri")
    rows = connection.execute(
        sa.select(*(_delivery.c[name] for name in names))
        .where(_is_of(night.begins, night.ends), *_REAL)
        .order_by(_delivery.c.sender, _delivery.c.delivery_id)
        .limit(MOST_LISTED)
    )
    return tuple(
        DeliveryOfNight(row.delivery_id, row.sender, row.name, row.state, row.hold_reason or "", row.docs_uri)
        for row in rows
    )


def _held_plans(connection: Connection) -> tuple[HeldPlan, ...]:
    rows = connection.execute(
        sa.select(_plan)
        .where(_plan.c.state == "held")
        .order_by(_plan.c.created_at, _plan.c.plan_hash, _plan.c["class"])
        .limit(MOST_LISTED)
    )
    return tuple(
        HeldPlan(
            plan_hash=each["plan_hash"],
            flow=each["flow"],
            scope=each["scope"],
            change_class=each["class"],
            reason=each["reason"],
            created_at=each["created_at"],
        )
        for each in rows.mappings()
    )
