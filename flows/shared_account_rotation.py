"""Shared accounts get a new password once a year: announced, reminded of, and recorded by those who do it."""

from __future__ import annotations

from datetime import date

from flows.pipeline import pipeline
from tasks.accounts.stages import choose_systems, run_rotation, total_accounts
from tasks.notices.stages import send_notices


@pipeline(name="shared-account-rotation", run_name="shared-account-rotation", timeout_seconds=1800)
def shared_account_rotation(system: str | None = None, on: date | None = None) -> dict[str, int]:
    """Tell libraries of the day, and of shared accounts that still have their old password after it."""
    systems = choose_systems(system)
    done = [run_rotation(code, on) for code in systems]
    send_notices()
    return total_accounts([dict(each) for each in done])
