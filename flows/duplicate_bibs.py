"""Bibs of the catalogue that look like one are found at night, and offered to the cataloguers; none is merged."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.merging.stages import find_duplicates, show_duplicates
from tasks.notices.stages import send_notices, send_worklist


@pipeline(name="duplicate-bibs", run_name="duplicate-bibs", timeout_seconds=6 * 3600, turn_at="duplicate-bibs")
def duplicate_bibs(full: bool = False, dry_run: bool = False) -> dict[str, int]:
    """Look at the bibs that changed since the last look, or at all of them with `full`, by the evidence of matching.

    A dry run counts what would be found, and keeps nothing.
    """
    found = find_duplicates(full, dry_run=dry_run)
    if dry_run:
        return dict(found)
    show_duplicates(found)
    send_worklist()
    send_notices()
    return dict(found)
