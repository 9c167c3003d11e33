"""Nights: the twenty-four hours from noon to noon that belong to a business date, and what ran in one.

Files come in the evening and are worked on until the morning, so a calendar day would cut each night in two.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.base import UtcInstant
from schemas.warehouse.core import core_run

NOON = time(12)
SUBJECT_IS_A_PERSON = ("review-decide",)
"""Flows whose runs are named after who decided: that name is not for a page."""
LONGEST_ERROR = 300


@dataclass(frozen=True)
class Night:
    """The night that ends on the day `on`, from `begins` until before `ends`."""

    on: date
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, and why, in the first words of its error."""

    flow: str
    subject: str
    started_at: datetime
    error: str


@dataclass(frozen=True)
class NightRuns:
    """What ran in a night: by flow how many ended in each state, and those that failed, the newest first."""

    begins: datetime
    number: int
    by_state: dict[str, int]
    by_flow: dict[str, dict[str, int]]
    failed: tuple[FailedRun, ...]


def nights(today: date, zone: ZoneInfo, now: datetime, number: int = 1) -> list[Night]:
    """The last `number` nights, the oldest first. The last one ends on `today` at noon, or at `now` if that is later.

    So what was done after noon, to repair the night, is told with it.
    """

    def noon(day: date) -> datetime:
        return datetime.combine(day, NOON, zone).astimezone(UTC)

    days = [today - timedelta(days=back) for back in range(number - 1, -1, -1)]
    found = [Night(day, noon(day - timedelta(days=1)), noon(day)) for day in days]
    last = found[-1]
    return [*found[:-1], Night(last.on, last.begins, max(last.ends, now + timedelta(seconds=1)))]


def nights_as_rows(some: list[Night]) -> sa.CTE:
    """Nights as rows `night_on`, `begins`, `ends`, to join what happened in each."""
    columns: tuple[sa.ColumnClause[Any], ...] = (
        sa.column("night_on", sa.Date),
        sa.column("begins", UtcInstant),
        sa.column("ends", UtcInstant),
    )
    return sa.values(*columns, name="night").data([(each.on, each.begins, each.ends) for each in some]).cte("night")


def runs_of(connection: Connection, night: Night, *, most_failed: int = 20) -> NightRuns:
    """What ran in `night`; of the failed runs the newest `most_failed` are told one by one."""
    is_of_night = sa.and_(core_run.c.started_at >= night.begins, core_run.c.started_at < night.ends)
    by_flow: dict[str, dict[str, int]] = {}
    by_state: Counter[str] = Counter()
    rows = connection.execute(
        sa.select(core_run.c.flow, core_run.c.state, sa.func.count())
        .where(is_of_night)
        .group_by(core_run.c.flow, core_run.c.state)
        .order_by(core_run.c.flow, core_run.c.state)
    )
    for flow, state, number in rows:
        by_flow.setdefault(flow, {})[state] = number
        by_state[state] += number
    failed = connection.execute(
        sa.select(core_run)
        .where(is_of_night, core_run.c.state == "failed")
        .order_by(core_run.c.started_at.desc(), core_run.c.run_id)
        .limit(most_failed)
    )
    return NightRuns(night.begins, by_state.total(), dict(by_state), by_flow, tuple(_failed(row) for row in failed))


def _failed(row: sa.Row[Any]) -> FailedRun:
    subject = "" if row.flow in SUBJECT_IS_A_PERSON else row.subject
    error = " ".join(str(json.loads(row.summary).get("error", "")).split())
    return FailedRun(row.flow, subject, row.started_at, error[:LONGEST_ERROR])
