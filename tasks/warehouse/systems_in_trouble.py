"""Systems of staff accounts that were in trouble when they were asked last, so that nothing was sent: for status.

As the totals of the runs say it; which trouble it is stands on the run's page and in its log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.summaries import DRY_RUN, IN_TROUBLE
from schemas.warehouse.core import core_run

FLOW: Final = "account-sweep"
MOST: Final = 400
"""Runs that are looked at: a year of nights."""


@dataclass(frozen=True)
class SystemInTrouble:
    """A system whose changes wait. `since` is when it was first asked in vain."""

    system: str
    since: datetime


def systems_in_trouble(connection: Connection) -> list[SystemInTrouble]:
    """Those of which the newest run that asked says so, by code."""
    run = core_run.c
    rows = connection.execute(
        sa.select(run.started_at, run.summary)
        .where(run.flow == FLOW, run.state.in_(["held", "done"]))
        .order_by(run.started_at.desc())
        .limit(MOST)
    )
    found: dict[str, SystemInTrouble] = {}
    for row in rows:
        summary = orjson.loads(row.summary)
        if DRY_RUN in summary:
            continue  # a dry run asks nobody
        now = {name.removesuffix(IN_TROUBLE) for name in summary if name.endswith(IN_TROUBLE)}
        # The newest run says which; the ones before it, for how long without a break.
        streak = now & found.keys() if found else now
        found |= {each: SystemInTrouble(each, row.started_at) for each in streak}
        if not streak:
            break
    return [found[system] for system in sorted(found)]
