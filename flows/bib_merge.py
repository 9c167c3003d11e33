"""Bibs that a cataloguer knows to be one become one; the others' numbers lead to the one that stays."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.merging.report import MergeLine
from tasks.merging.stages import merge_bibs
from tasks.notices.stages import send_notices, send_worklist


@pipeline(name="bib-merge", run_name="into-{keep}", timeout_seconds=3600)
def bib_merge(
    keep: int, others: list[int], by: str, reason: str = "", force: bool = False, dry_run: bool = False
) -> dict[str, object]:
    """Merge bibs into `keep`: holdings moved, a library's double ones joined. `force` overrules objections."""
    merged: list[MergeLine] = merge_bibs(keep, others, by, reason, force=force, dry_run=dry_run)
    if not dry_run:
        send_worklist()
        send_notices()
    return {"merges": merged}
