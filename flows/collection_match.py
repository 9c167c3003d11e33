"""The whole stock of a joining library is matched against the union catalogue; its holdings wait for approval."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.catalogue.stages import settle, stage_records
from tasks.collections.stages import (
    CollectionSummary,
    decide_rows,
    hold_holdings,
    preview_rows,
    receive_collection,
    report_collections,
)
from tasks.landing.stages import forget_preview
from tasks.matching.stages import match_on_isbn
from tasks.quality.stages import prove_conservation


@pipeline(name="collection-match", run_name="collection-match", timeout_seconds=12 * 3600, turn_at="collection-match")
def collection_match(
    libraries: list[str],
    uris: list[str],
    columns: dict[str, str] | None = None,
    create_missing: bool = False,
    dry_run: bool = False,
    again: bool = False,
    patience_seconds: int = 0,
    dask: str | None = None,
) -> list[CollectionSummary]:
    """Match the stock of `libraries`, by the evidence that a supplier's delivery is matched by, and hold what it finds.

    `libraries` are sigels, or `SIGEL=NAME IN THE FILE`; `columns` says what a table's columns mean, or where a MARC
    file names library and shelf mark. Nothing is written to the catalogue before the plan is approved
    (`plan-decide`), and no bib is made unless `create_missing` asks for it. The rest is as in `supplier-ingest`.
    """
    deliveries = receive_collection(
        libraries, uris, columns, create_missing=create_missing, again=again, dry_run=dry_run
    )
    stage_records(deliveries, dask)
    match_on_isbn(deliveries)
    if dry_run:
        preview_rows(deliveries)
        forget_preview(deliveries, uris)
        return report_collections(libraries, columns, deliveries)
    decide_rows(deliveries)
    hold_holdings(deliveries)
    prove_conservation(deliveries)
    settle(deliveries)
    return report_collections(libraries, columns, deliveries)
