"""`samkat data-docs`: the pages of the quality checks, made now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, FAILED
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose
from deployments.cli.running import flow_session, run_flow


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "data-docs", "samkat data-docs", "samkat data-docs --limit 2000")
    def data_docs(
        limit: Annotated[
            int, typer.Option("--limit", min=1, help="At most so many deliveries, the oldest first.")
        ] = 500,
        as_json: AsJson = False,
    ) -> None:
        """Make the Data Docs of deliveries that have none: how each did against what is expected of its supplier.

        Deliveries that were ingested get theirs in the background (SAMKAT_DATA_DOCS); this makes what is missing. Ends
        with 4 when a page could not be made.
        """
        settings = place.settings()
        output = Output(as_json)
        with place.warehouse(settings), flow_session(settings, output):
            made: dict[str, Any] = run_flow("data_docs", "data_docs", limit=limit)
        index = settings.data_docs_index
        output.show({"pages": index, "made": made}, lambda console: prose(console, in_words(made), f"Pages: {index}"))
        raise typer.Exit(FAILED if made.get("problems") else DONE)


def in_words(made: dict[str, Any]) -> str:
    """What a run of the flow made, for people."""
    from tasks.quality.stages import BUSY

    if BUSY in made:
        return "Another process makes the Data Docs already; `samkat data-docs` later makes what it leaves."
    said = ", ".join(f"{name} {number}" for name, number in made.items() if number)
    return f"Data docs: {said}" if said else "Data docs: every delivery that was checked has its page"
