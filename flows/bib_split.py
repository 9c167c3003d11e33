"""Bibs that were merged are parted again: each holding goes back to where it was."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.merging.report import SplitLine
from tasks.merging.stages import split_bibs
from tasks.notices.stages import send_notices, send_worklist


@pipeline(name="bib-split", run_name="bib-split", timeout_seconds=3600)
def bib_split(bibs: list[int], by: str, reason: str = "", dry_run: bool = False) -> dict[str, object]:
    """Part merged bibs from those that took their place. What others changed since survives and is listed."""
    parted: list[SplitLine] = split_bibs(bibs, by, reason, dry_run=dry_run)
    if not dry_run:
        send_worklist()
        send_notices()
    return {"splits": parted}
