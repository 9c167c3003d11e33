"""A person's decision on a held plan, and the work that it lets go on."""

from __future__ import annotations

from typing import Literal

from flows.pipeline import pipeline
from flows.supplier_ingest import supplier_ingest
from tasks.catalogue.stages import apply_plan, decide_plan
from tasks.notices.stages import notify_decided, send_notices, send_worklist
from tasks.quality.stages import prove_conservation
from tasks.runs.stages import resubmit


@pipeline(name="plan-decide", run_name="{decision}-{plan_hash}", timeout_seconds=4 * 3600)
def plan_decide(
    plan_hash: str, decision: Literal["approve", "reject"], by: str, change_class: str | None = None
) -> dict[str, object]:
    """Approve or reject a plan by its hash (8 characters are enough), then carry on with what it held."""
    decided = decide_plan(plan_hash, decision, by, change_class)
    applied = apply_plan(decided)
    prove_conservation(applied.deliveries, settled_too=True)
    notify_decided(applied.deliveries)
    send_worklist()
    send_notices()
    for supplier in resubmit(decided.suppliers_held):
        supplier_ingest(supplier, [])
    return {"done": decided.said | applied.said, "problems": decided.problems | applied.problems}
