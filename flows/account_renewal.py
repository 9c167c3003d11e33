"""Once a year library managers say which accounts go on; every day the campaign does what is due."""

from __future__ import annotations

from datetime import date

from flows.pipeline import pipeline
from tasks.accounts.stages import choose_systems, run_renewals, total_accounts
from tasks.notices.stages import send_notices


@pipeline(name="account-renewal", run_name="account-renewal", timeout_seconds=1800, turn_at="accounts")
def account_renewal(system: str | None = None, on: date | None = None, patience_seconds: int = 0) -> dict[str, int]:
    """List who expires at the end of the year, remind, report who has not answered, and settle it on the day."""
    systems = choose_systems(system)
    done = [run_renewals(code, on) for code in systems]
    send_notices()
    return total_accounts([dict(each) for each in done])
