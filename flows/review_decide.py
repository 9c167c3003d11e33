"""Cataloguers' decisions are carried out: bibs that were in review are loaded, and the holdings that waited."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.catalogue.stages import decide_reviews
from tasks.notices.stages import notify_decided, send_notices, send_worklist
from tasks.quality.stages import prove_conservation


@pipeline(name="review-decide", run_name="{by}", timeout_seconds=3600)
def review_decide(decisions: dict[int, str], by: str) -> dict[str, object]:
    """Carry out decisions: review id to `match:<bib_id>`, `new` or `reject`. A wrong one stops no other."""
    decided = decide_reviews(decisions, by)
    prove_conservation(decided.deliveries, settled_too=True)
    notify_decided(decided.deliveries)
    send_worklist()
    send_notices()
    return decided.as_summary()
