"""Reviews past their deadline: the bib is loaded as provisional, so that a bought book can be lent."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.catalogue.stages import load_overdue
from tasks.notices.stages import notify_decided, send_notices, send_worklist
from tasks.quality.stages import prove_conservation


@pipeline(name="review-deadline", run_name="review-deadline", timeout_seconds=3600)
def review_deadline() -> dict[str, object]:
    """Load what nobody has decided in time, flagged as provisional; the review stays open."""
    loaded = load_overdue()
    prove_conservation(loaded.deliveries, settled_too=True)
    notify_decided(loaded.deliveries)
    send_worklist()
    send_notices()
    return loaded.as_summary()
