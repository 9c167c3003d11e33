"""Shared logins of a system end on a day: announced with their lists, switched off, told."""

from __future__ import annotations

from datetime import date

from flows.pipeline import pipeline
from tasks.accounts.stages import (
    announce_retirement,
    begin_retirement,
    carry_out,
    choose_systems,
    plan_accounts,
    tell_retired,
    total_accounts,
)
from tasks.notices.stages import send_notices


@pipeline(
    name="shared-account-retirement", run_name="shared-account-retirement", timeout_seconds=1800, turn_at="accounts"
)
def shared_account_retirement(
    system: str | None = None, on: date | None = None, patience_seconds: int = 0
) -> dict[str, int]:
    """Export the lists of shared logins for their libraries before the switch date, switch on the day, report."""
    systems = choose_systems(system)
    done: list[dict[str, int]] = []
    for code in systems:
        done.append(dict(announce_retirement(code, on)))
        sweep = begin_retirement(code, on)
        if sweep is not None:
            plan_accounts(sweep)
            done.append(dict(carry_out(sweep)))
            tell_retired(sweep)
    send_notices()
    return total_accounts(done)
