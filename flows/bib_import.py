"""A member's records from another base come in under an import profile: planned, approved, loaded."""

from __future__ import annotations

from flows.pipeline import pipeline
from schemas.summaries import DeliverySummary
from tasks.catalogue.stages import load_bibs, load_holdings, settle, stage_records
from tasks.imports.stages import plan_imports, read_by_profile
from tasks.landing.stages import forget_preview, receive_import
from tasks.matching.stages import match_on_isbn
from tasks.notices.stages import notify_libraries, send_notices
from tasks.quality.stages import check_deliveries, prove_conservation, start_data_docs, summarise


@pipeline(name="bib-import", run_name="{profile}", timeout_seconds=12 * 3600, turn_at="import:{profile}")
def bib_import(
    profile: str,
    uris: list[str],
    dry_run: bool = False,
    again: bool = False,
    patience_seconds: int = 0,
    dask: str | None = None,
) -> list[DeliverySummary]:
    """Take in a member's records from another base: read by the profile, matched, planned, loaded when approved.

    The whole plan of a file waits for approval by its hash; with no files, what was approved since is loaded. A dry
    run plans, shows samples, and holds nothing. All other parameters as in `supplier-ingest`.
    """
    deliveries = receive_import(profile, uris, again=again, dry_run=dry_run)
    read_by_profile(profile, deliveries, dry_run=dry_run)
    stage_records(deliveries, dask)
    check_deliveries(deliveries)  # what is below the profile's limits is told in the plan
    match_on_isbn(deliveries)
    plans = plan_imports(profile, deliveries, dry_run=dry_run)
    if dry_run:
        forget_preview(deliveries, uris)
        return summarise(profile, deliveries, plans)
    load_bibs(deliveries)
    load_holdings(deliveries)
    prove_conservation(deliveries)
    notify_libraries(deliveries)
    settle(deliveries)
    send_notices()
    start_data_docs(deliveries)
    return summarise(profile, deliveries)
