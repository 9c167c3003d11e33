"""`samkat revert`: a delivery taken back as a whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, DryRun, command
from deployments.cli.output import Output, add_row, plain, prose, table
from deployments.cli.running import flow_session, run_flow


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "revert", "samkat revert 7 --dry-run", "samkat revert 7")
    def revert(
        delivery_id: Annotated[
            int, typer.Argument(metavar="ID", help="Number of the delivery, as in `samkat status`.")
        ],
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Undo a delivery: its bibs and holdings go back to what they were.

        Later changes by others survive and are listed. Reverting twice is harmless; `samkat ingest --again` reloads.
        """
        from schemas.errors import UsageError
        from tasks.warehouse.overview import deliveries

        output, settings = Output(as_json), place.settings()
        with place.warehouse(settings) as warehouse:
            with warehouse.read() as connection:
                if not deliveries(connection, [delivery_id]):
                    raise UsageError(f"there is no delivery {delivery_id}", remedy="`samkat status` lists them")
            with flow_session(settings, output):
                report = run_flow("revert", "revert", delivery_id=delivery_id, dry_run=dry_run)
            with warehouse.read() as connection:
                (line,) = deliveries(connection, [delivery_id])
        document = {"dry_run": dry_run, "delivery": line, "report": plain(report)}
        output.show(document, lambda console: _render(console, line, document["report"], dry_run))


def _render(console: Any, line: Any, report: Any, dry_run: bool) -> None:

    said = "would be reverted (nothing was changed)" if dry_run else "is reverted"
    prose(console, f"Delivery {line.delivery_id} of {line.sender} ({line.name}) {said}.")
    facts = report if isinstance(report, dict) else {}
    made = table("", "what", "number", numbers=("number",))
    for name, value in facts.items():
        if isinstance(value, int) and not isinstance(value, bool) and name != "delivery_id":
            add_row(made, name.replace("_", " "), value)
    if made.row_count:
        console.print(made)
    survivors = facts.get("survivors") or facts.get("survived") or []
    if survivors:
        kept = table("Left as it is", "what", "number", "why", numbers=("number",))
        for each in survivors:
            add_row(kept, each["entity"], each["entity_id"], each["why"])
        console.print(kept)
    if not dry_run:
        prose(console, "`samkat ingest FILE --supplier CODE --again` loads it again.")
