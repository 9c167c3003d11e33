"""What a run over accounts tells people: totals, a table, and what expires in the next twelve months. No person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.summaries import AccountSummary
from schemas.warehouse.accounts import core_account, core_account_action, core_account_sweep
from tasks.months import add_months

MOST_ROWS = 500
MOST_CHARTS = 8
"""Libraries that get one; all of them are in the table."""


def sweep_table(connection: Connection, sweep_ids: Sequence[int]) -> list[dict[str, Any]]:
    """What sweeps did or would do, an account and rule a row, the steps first."""
    action, sweep, account = core_account_action.c, core_account_sweep.c, core_account.c
    rows = connection.execute(
        sa.select(
            sweep.sweep_id, sweep.swept_on, sweep.system, action.account_id, account.library, account.login,
            action.action, action.rule, action.due_on, action.reason, action.state,
        )
        .join(core_account_sweep, sweep.sweep_id == action.sweep_id)
        .join(core_account, account.account_id == action.account_id)
        .where(action.sweep_id.in_(sweep_ids))
        .order_by(action.sweep_id, action.action.in_(["notify", "flag"]), action.account_id, action.seq)
        .limit(MOST_ROWS)
    )  # fmt: skip
    return [dict(row._mapping) for row in rows]


def expiring_by_month(connection: Connection, system: str, day: date) -> dict[str, list[int]]:
    """Accounts that expire in this month and the next eleven, by library."""
    first = day.replace(day=1)
    account = core_account.c
    rows = connection.execute(
        sa.select(account.library, account.expires_on, sa.func.count())
        .where(
            account.system == system,
            account.status.in_(["active", "waiting"]),
            account.expires_on >= first,
            account.expires_on < add_months(first, 12),
        )
        .group_by(account.library, account.expires_on)
    )
    found: dict[str, list[int]] = defaultdict(lambda: [0] * 12)
    for library, expires_on, number in rows:
        found[library][(expires_on.year - first.year) * 12 + expires_on.month - first.month] += number
    return dict(sorted(found.items()))


def as_markdown(summaries: Sequence[AccountSummary], charts: dict[str, dict[str, list[int]]], day: date) -> str:
    """The page of a sweep: a row a system, and a chart a library."""
    lines = ["# Staff accounts", "", f"Business date {day}.", "", "| system | done | held |", "|---|---|---|"]
    for each in summaries:
        done = ", ".join(f"{name} {number}" for name, number in sorted(each.counts.items()) if number)
        lines.append(f"| {each.system} | {done or 'nothing to do'} | {each.reason.replace('|', '/')} |")
    for system, chart in charts.items():
        lines += _expiring(system, chart, [add_months(day.replace(day=1), each) for each in range(12)])
    return "\n".join(lines)


def _expiring(system: str, chart: dict[str, list[int]], months: Sequence[date]) -> list[str]:
    """A chart a library, those with most first, and the same figures as a table."""
    from tasks.accounts.charts import by_month  # a charting library: only a run draws

    lines = ["", f"## What expires in {system} in the next 12 months", ""]
    if not chart:
        return [*lines, "Nothing."]
    by_number = sorted(chart, key=lambda library: (-sum(chart[library]), library))
    for library in by_number[:MOST_CHARTS]:
        said = f"Accounts of {library} that expire, by month: {sum(chart[library])} in all"
        lines += [f"### {library}", "", f"![{said}]({by_month(months, chart[library])})", ""]
    lines += [f"| library | {' | '.join(f'{each:%Y-%m}' for each in months)} |", "|---" * 13 + "|"]
    return lines + [f"| {library} | {' | '.join(str(n or '') for n in row)} |" for library, row in chart.items()]
