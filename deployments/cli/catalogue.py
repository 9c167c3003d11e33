"""`samkat catalogue`: what the union catalogue has already, taken in as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from deployments.cli import place
from deployments.cli.deliveries import render_deliveries
from deployments.cli.ingest import adopted, told_of
from deployments.cli.options import AsJson, DryRun, Files, command, group
from deployments.cli.output import Output
from deployments.cli.running import flow_session, run_flow, run_page
from schemas.errors import UsageError

app = group("The union catalogue as a whole.")


@app.callback()
def _group() -> None:
    """The union catalogue as a whole."""


@command(
    app,
    "load",
    "samkat catalogue load union.mrc --full",
    "samkat catalogue load changes-20250314.mrc.gz --delta",
)
def load(
    files: Files,
    full: Annotated[
        bool, typer.Option("--full", help="The whole catalogue: what is not in it counts as gone.")
    ] = False,
    delta: Annotated[
        bool, typer.Option("--delta", help="Changes only (the default): nothing else is touched.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Load an export of the union catalogue: control numbers kept, human edits marked, deletes and merges followed.

    Nothing is matched away. With --full the deletion of bibs that are missing waits for approval, however few.
    """

    if full and delta:
        raise UsageError("--full and --delta exclude each other", remedy="say which of the two the files are")
    output, settings = Output(as_json), place.settings()
    place.register(settings)
    paths = place.whole_files(files, settings)
    mode = "full" if full else "delta"
    began_at = datetime.now(UTC)
    with place.warehouse(settings) as warehouse:
        with flow_session(settings, output) as address:
            uris = adopted(settings, paths, "catalogue")
            summaries = run_flow("catalogue_load", "catalogue_load", uris=uris, mode=mode, dry_run=dry_run)
        told = told_of(warehouse, summaries, began_at, paths, is_preview=dry_run)
    page = run_page(address, told.flow_run_id)
    output.show(
        told.document(mode=mode, run_page=page), lambda console: render_deliveries(console, told, settings, page)
    )
    raise typer.Exit(told.exit_code)
