"""An export of the union catalogue comes in as it is."""

from __future__ import annotations

from typing import Literal

from flows.pipeline import pipeline
from schemas.summaries import DeliverySummary
from tasks.catalogue.stages import (
    hold_absent,
    load_union_bibs,
    load_union_holdings,
    preview_union,
    settle,
    stage_records,
)
from tasks.landing.stages import forget_preview, receive_export
from tasks.quality.stages import prove_conservation, summarise


@pipeline(name="catalogue-load", run_name="{mode}", timeout_seconds=12 * 3600)
def catalogue_load(
    uris: list[str], mode: Literal["full", "delta"] = "delta", dry_run: bool = False, dask: str | None = None
) -> list[DeliverySummary]:
    """Take in an export of the union catalogue: control numbers kept, edits marked, deletes and merges followed.

    What a full export lacks is a plan that waits for approval; absence never deletes by itself. `dask` as in
    `supplier-ingest`.
    """
    deliveries = receive_export(uris, mode, dry_run=dry_run)
    stage_records(deliveries, dask)
    if dry_run:
        previews = preview_union(deliveries)
        forget_preview(deliveries, uris)
        return summarise("catalogue", deliveries, previews)
    load_union_bibs(deliveries)
    load_union_holdings(deliveries)
    prove_conservation(deliveries)
    hold_absent(deliveries)
    settle(deliveries)
    return summarise("catalogue", deliveries)
