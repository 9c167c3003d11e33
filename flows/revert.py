"""What came or was done is taken back as a whole; what others changed since survives and is listed."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.accounts.stages import account_runs_of, revert_account_runs
from tasks.catalogue.stages import revert_one
from tasks.deciding.stages import is_of_persons, revert_persons
from tasks.merging.stages import merges_of, revert_merges
from tasks.notices.stages import notify_reverted, send_notices
from tasks.quality.stages import prove_conservation


@pipeline(name="revert", run_name="revert-{run}", timeout_seconds=4 * 3600)
def revert(run: int | str, dry_run: bool = False) -> dict[str, object]:
    """Undo a delivery (bibs and holdings, persons, or accounts), a sweep of accounts, a renewal, or merges of bibs.

    `run` is the number of a delivery, or what `samkat accounts runs` says: sweep-12, import-7, campaign-3; the id of a
    run of a sweep does, too. merge-3, or the id of a run that merged bibs, parts them again. Twice is harmless.
    """
    merges = merges_of(run)
    if merges:
        parted: dict[str, object] = revert_merges(merges, dry_run=dry_run)
        if not dry_run:
            send_notices()
        return parted
    accounts = account_runs_of(run)
    if accounts:
        return revert_account_runs(accounts, dry_run=dry_run)
    delivery_id = int(run)
    if is_of_persons(delivery_id):
        return revert_persons(delivery_id, dry_run=dry_run)
    report = revert_one(delivery_id, dry_run=dry_run)
    if not dry_run:
        prove_conservation([delivery_id], settled_too=True)
        notify_reverted(delivery_id)
        send_notices()
    return report
