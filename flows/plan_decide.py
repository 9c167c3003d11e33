"""A person's decision on a held plan, and the work that it lets go on."""

from __future__ import annotations

from typing import Literal

from flows.bib_import import bib_import
from flows.patron_sync import patron_sync
from flows.pipeline import pipeline
from flows.supplier_ingest import supplier_ingest
from tasks.accounts.stages import apply_account_plan
from tasks.catalogue.stages import apply_plan, decide_plan
from tasks.collections.stages import attach_collections, settle_collections
from tasks.intake.stages import apply_held_updates
from tasks.notices.stages import notify_decided, notify_patron_plan, send_notices, send_worklist
from tasks.patrons.stages import apply_patron_plan
from tasks.privacy.stages import erase_approved_persons
from tasks.quality.stages import prove_conservation
from tasks.runs.stages import resubmit, resubmit_imports


@pipeline(name="plan-decide", run_name="{decision}-{plan_hash}", timeout_seconds=4 * 3600)
def plan_decide(
    plan_hash: str, decision: Literal["approve", "reject"], by: str, change_class: str | None = None
) -> dict[str, object]:
    """Approve or reject a plan by its hash (8 characters are enough), then carry on with what it held."""
    decided = decide_plan(plan_hash, decision, by, change_class)
    applied = apply_plan(decided)
    attached = attach_collections(plan_hash)
    patrons = apply_patron_plan(plan_hash)
    updates = apply_held_updates(plan_hash)
    accounts = apply_account_plan(plan_hash)
    erased = erase_approved_persons(plan_hash)
    prove_conservation([*applied.deliveries, *attached.deliveries], settled_too=True)
    settle_collections(attached.deliveries)
    notify_decided(applied.deliveries)
    notify_patron_plan(plan_hash)
    send_worklist()
    send_notices()
    for supplier in resubmit(decided.suppliers_held):
        supplier_ingest(supplier, [])
    for profile in resubmit_imports(decided.imports_held):
        bib_import(profile, [])
    for source in patrons.sources:
        patron_sync(source, [])
    all_of_it = (decided, applied, attached, patrons, updates, accounts, erased)
    return {
        "done": {name: said for each in all_of_it for name, said in each.said.items()},
        "problems": {name: why for each in all_of_it for name, why in each.problems.items()},
    }
