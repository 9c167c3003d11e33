"""Staff accounts, every night: what ends is ended, who must know is told, the systems get what changed."""

from __future__ import annotations

from datetime import date

from flows.pipeline import pipeline
from schemas.summaries import AccountSummary
from tasks.accounts.stages import (
    ask_system,
    begin_sweep,
    carry_out,
    check_lending,
    choose_systems,
    plan_accounts,
    preview_sweeps,
    send_changes,
    summarise_sweeps,
    tell_accounts,
)
from tasks.notices.stages import send_notices


@pipeline(name="account-sweep", run_name="account-sweep", timeout_seconds=4 * 3600, turn_at="accounts")
def account_sweep(
    system: str | None = None, on: date | None = None, dry_run: bool = False, patience_seconds: int = 0
) -> list[AccountSummary]:
    """Expire, deactivate and reactivate accounts by their dates and rules; missed nights are caught up day by day.

    `on` is the day to decide for. A dry run plans everything and changes nothing. A class of change over its limit
    waits; the others go on.
    """
    systems = choose_systems(system)
    if dry_run:
        return preview_sweeps(systems, on)
    swept: dict[str, list[int]] = {each: [] for each in systems}
    trouble: dict[str, str] = {}
    for code, done in swept.items():
        while (sweep := begin_sweep(code, on, done)) is not None:
            plan_accounts(sweep, on)
            carry_out(sweep, on)
            tell_accounts(sweep)
            done.append(sweep)
        check_lending(code, on)
        trouble[code] = ask_system(code)
        send_changes(code, on, trouble[code])
    send_notices()
    return summarise_sweeps(swept, trouble, on)
