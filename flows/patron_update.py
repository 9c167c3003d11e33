"""Instant updates of persons: what waits is carried out, and what came in the last minute becomes one report."""

from __future__ import annotations

from flows.pipeline import pipeline
from schemas.summaries import UpdateSummary
from tasks.intake.stages import carry_out_updates, forget_receipts, report_updates


@pipeline(name="patron-update", run_name="updates", timeout_seconds=1800, turn_at="patron-update")
def patron_update() -> list[UpdateSummary]:
    """Carry out instant updates that had to wait, and report what came through the intake service since the last run.

    What is held becomes a plan for a person. Receipts that are older than the policy keeps them are deleted.
    """
    carry_out_updates()
    found = report_updates()
    forget_receipts()
    return found
