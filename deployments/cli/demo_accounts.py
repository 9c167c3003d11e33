"""The demonstration's staff accounts: two years of files, tonight's sweep, and who expires at the end of the year."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployments.cli import place
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import run_flow

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings


@dataclass(frozen=True)
class AccountNight:
    """What the demonstration shows of accounts."""

    tonight: list[dict[str, Any]]
    """Rows of the sweep: what was done and told."""
    coming: dict[str, int]
    """Accounts that expire at the end of the year, by library."""


def run_account_night(settings: Settings, output: Output) -> AccountNight:
    """Play two years of accounts into the warehouse, then sweep the sample night as every night does."""
    from deployments.sample import SAMPLE_NIGHT
    from deployments.sample.accounts import account_years, play
    from tasks.accounts.showing import renewal_list
    from tasks.accounts.summary import sweep_table

    register = place.register(settings)
    place.set_today(SAMPLE_NIGHT)
    output.note("Two years of staff accounts, then tonight's sweep ...")
    with place.warehouse(settings) as warehouse:
        play(warehouse, register, account_years())
        summaries = run_flow("account_sweep", "account_sweep")
        ids = [each for summary in summaries for each in summary.sweeps]
        coming: Counter[str] = Counter()
        with warehouse.read() as connection:
            tonight = sweep_table(connection, ids)
            for system in register.account_systems:
                if system.campaign is not None:
                    rows = renewal_list(connection, system, SAMPLE_NIGHT.year, SAMPLE_NIGHT)
                    coming.update(row["library"] for row in rows)
    return AccountNight([each for each in tonight if each["swept_on"] == SAMPLE_NIGHT], dict(sorted(coming.items())))


def render_accounts(console: Console, night: AccountNight) -> None:
    """Tonight's sweep as a table, and the year-end list in a line."""
    columns = ("system", "library", "login", "action", "rule", "why")
    rows = [[row[name] for name in (*columns[:-1], "reason")] for row in night.tonight]
    print_table(console, "Staff accounts: what tonight's sweep did and told", columns, rows)
    said = ", ".join(f"{library} {number}" for library, number in night.coming.items())
    prose(
        console,
        f"At the end of the year {sum(night.coming.values())} accounts expire: {said}. Their libraries will be asked.",
    )
