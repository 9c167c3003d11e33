"""The main job: a supplier's deliveries become holdings on the libraries' shelves."""

from __future__ import annotations

from flows.pipeline import pipeline
from schemas.summaries import DeliverySummary
from tasks.catalogue.stages import load_bibs, load_holdings, preview_load, settle, stage_records
from tasks.landing.stages import forget_preview, receive
from tasks.matching.stages import match_on_isbn
from tasks.notices.stages import notify_libraries, send_notices
from tasks.quality.stages import check_deliveries, prove_conservation, start_data_docs, summarise


@pipeline(name="supplier-ingest", run_name="{supplier}", timeout_seconds=4 * 3600, turn_at="supplier:{supplier}")
def supplier_ingest(
    supplier: str,
    uris: list[str],
    dry_run: bool = False,
    again: bool = False,
    patience_seconds: int = 0,
    dask: str | None = None,
) -> list[DeliverySummary]:
    """Take a supplier's waiting deliveries from the landing zone to the libraries' shelves.

    `uris` are files in the landing zone; with none, what an earlier run left is taken up. A dry run decides
    everything and settles nothing; `again` reloads a delivery that was reverted. One run a supplier at a time: a
    second one waits `patience_seconds`, then ends without effect. `dask` is the scheduler of a Dask cluster that parses
    huge files, in place of SAMKAT_DASK_SCHEDULER; empty for none.
    """
    deliveries = receive(supplier, uris, again=again, dry_run=dry_run)
    stage_records(deliveries, dask)
    check_deliveries(deliveries)  # what breaks a limit is held here, the rest goes on
    match_on_isbn(deliveries)
    if dry_run:
        previews = preview_load(deliveries)
        forget_preview(deliveries, uris)
        return summarise(supplier, deliveries, previews)
    load_bibs(deliveries)
    load_holdings(deliveries)
    prove_conservation(deliveries)
    notify_libraries(deliveries)
    settle(deliveries)
    send_notices()
    start_data_docs(deliveries)
    return summarise(supplier, deliveries)
