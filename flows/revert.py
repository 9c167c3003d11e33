"""A delivery is taken back as a whole; what others changed since survives and is listed."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.catalogue.stages import revert_one
from tasks.deciding.stages import is_of_persons, revert_persons
from tasks.notices.stages import notify_reverted, send_notices
from tasks.quality.stages import prove_conservation


@pipeline(name="revert", run_name="delivery-{delivery_id}", timeout_seconds=4 * 3600)
def revert(delivery_id: int, dry_run: bool = False) -> dict[str, object]:
    """Undo a delivery: bibs, holdings, and a correction to each library; or what a file did to persons.

    Reverting twice is harmless.
    """
    if is_of_persons(delivery_id):
        return revert_persons(delivery_id, dry_run=dry_run)
    report = revert_one(delivery_id, dry_run=dry_run)
    if not dry_run:
        prove_conservation([delivery_id], settled_too=True)
        notify_reverted(delivery_id)
        send_notices()
    return report
