"""Cataloguers' decisions are carried out: bibs in review are loaded with their holdings, pairs that are one merged."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.catalogue.stages import decide_reviews
from tasks.merging.stages import decide_duplicates
from tasks.notices.stages import notify_decided, send_notices, send_worklist
from tasks.quality.stages import prove_conservation


@pipeline(name="review-decide", run_name="{by}", timeout_seconds=3600)
def review_decide(decisions: dict[int, str], by: str, pairs: dict[int, str] | None = None) -> dict[str, object]:
    """Carry out decisions: review id to `match:<bib_id>`, `new` or `reject`. A wrong one stops no other.

    `pairs` are decisions on bibs that look like one: number to `same`, `same:<bib that stays>` or `different`.
    """
    decided = decide_reviews(decisions, by)
    merged = decide_duplicates(pairs or {}, by)
    prove_conservation(decided.deliveries, settled_too=True)
    notify_decided(decided.deliveries)
    send_worklist()
    send_notices()
    return {"done": {**decided.said, **merged.said}, "problems": {**decided.problems, **merged.problems}}
