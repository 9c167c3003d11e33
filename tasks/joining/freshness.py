"""Do the holdings of registering libraries move? One set-based question, its answer kept a row a library and check.

A holding has moved when it was made, changed or deleted, whoever did it. A library that has just joined gets its months
from the first day of its agreement on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.libraries import Library
from schemas.register.register import Register
from schemas.warehouse.core import core_holding
from schemas.warehouse.joining import core_holdings_freshness
from tasks.months import months_between
from tasks.warehouse.bulk import text_set


class Freshness(NamedTuple):
    """A registering library on the day of a check. `last_moved_on` is a day of the consortium's calendar."""

    sigel: str
    name: str
    is_stale: bool
    holdings: int
    last_moved_at: datetime | None
    last_moved_on: date | None
    still_since_on: date
    months_still: int


class _Moved(NamedTuple):
    holdings: int
    last_moved_at: datetime | None


def freshness_of(connection: Connection, register: Register, on: date, zone: ZoneInfo) -> list[Freshness]:
    """Every registering library whose agreement is in force on the day `on`; those that stand still longest first."""
    asked = [each for each in register.libraries if each.is_visible and each.has_agreement(on)]
    moved = _moved(connection, [each.sigel for each in asked])
    months = register.participation.freshness_months
    found = [_freshness(each, moved.get(each.sigel, _Moved(0, None)), on, zone, months) for each in asked]
    return sorted(found, key=lambda each: (each.still_since_on, each.sigel))


def _moved(connection: Connection, sigels: Sequence[str]) -> dict[str, _Moved]:
    """Holdings that are there, and the last movement, of all these libraries in one statement."""
    rows = connection.execute(
        sa.select(
            core_holding.c.sigel,
            sa.func.sum(sa.case((core_holding.c.is_deleted, 0), else_=1)),
            sa.func.max(core_holding.c.updated_at),
        )
        .where(core_holding.c.sigel.in_(sa.select(text_set(connection, sigels).c.value)))
        .group_by(core_holding.c.sigel)
    )
    return {sigel: _Moved(int(holdings), last) for sigel, holdings, last in rows}


def _freshness(library: Library, moved: _Moved, on: date, zone: ZoneInfo, months: int) -> Freshness:
    last_on = moved.last_moved_at.astimezone(zone).date() if moved.last_moved_at else None
    since = max(last_on, library.agreement_from) if last_on else library.agreement_from
    still = months_between(since, on)
    return Freshness(
        library.sigel, library.name, still >= months, moved.holdings, moved.last_moved_at, last_on, since, still
    )


def keep_freshness(
    connection: Connection, found: Sequence[Freshness], limit_months: int, on: date, now: datetime
) -> None:
    """Keep the answer of a day; a later check of the same day takes its place."""
    connection.execute(sa.delete(core_holdings_freshness).where(core_holdings_freshness.c.checked_on == on))
    if found:
        shared = {"checked_on": on, "limit_months": limit_months, "checked_at": now}
        rows = [
            {name: value for name, value in each._asdict().items() if name != "last_moved_on"} | shared
            for each in found
        ]
        connection.execute(sa.insert(core_holdings_freshness), rows)


def latest_freshness(connection: Connection) -> list[sa.Row[Any]]:
    """What the latest check found, those that stand still longest first: the columns of `core_holdings_freshness`."""
    table = core_holdings_freshness
    latest = sa.select(sa.func.max(table.c.checked_on)).scalar_subquery()
    return list(
        connection.execute(
            sa.select(table).where(table.c.checked_on == latest).order_by(table.c.still_since_on, table.c.sigel)
        )
    )
