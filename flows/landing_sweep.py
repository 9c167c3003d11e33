"""What waits in the landing zone is worked off, whatever was missed: the promise that no event has to be trusted."""

from __future__ import annotations

from typing import Any

from prefect import State

from flows.account_import import account_import
from flows.patron_sync import patron_sync
from flows.pipeline import pipeline
from flows.supplier_customers import supplier_customers
from flows.supplier_ingest import supplier_ingest
from flows.supplier_trial import supplier_trial
from tasks.landing.stages import look_for_work, start_runs
from tasks.landing.starts import ACCOUNTS_FLOW, CUSTOMERS_FLOW, PATRONS_FLOW, SUPPLIERS_FLOW, TRIALS_FLOW
from tasks.notices.stages import report_strays, send_notices

FLOWS: dict[str, Any] = {
    SUPPLIERS_FLOW: supplier_ingest,
    PATRONS_FLOW: patron_sync,
    ACCOUNTS_FLOW: account_import,
    TRIALS_FLOW: supplier_trial,
    CUSTOMERS_FLOW: supplier_customers,
}


@pipeline(name="landing-sweep", run_name="landing-sweep", timeout_seconds=12 * 3600, turn_at="landing-sweep")
def landing_sweep(days: int | None = None, here: bool = False) -> dict[str, int]:
    """List the landing zone and start one run a sender for what waits, oldest first; strays are put away and told.

    `days` leaves older files alone. `here` works everything off in this run, where no deployment is served.
    """
    report_strays()
    send_notices()
    starts = look_for_work(days)
    if not here:
        return dict(start_runs(starts))
    done: dict[str, State[Any]] = {}
    while new := [each for each in starts if each.key not in done]:
        for each in new:
            done[each.key] = FLOWS[each.flow](**each.parameters, return_state=True)
        starts = look_for_work(days)
    return {"runs": len(done), "failed": sum(each.is_failed() for each in done.values())}
