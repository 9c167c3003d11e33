"""`samkat revert`: a delivery, or a file of persons, taken back as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, DryRun, command
from deployments.cli.output import Output, prose
from deployments.cli.running import flow_session, run_flow

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.warehouse.overview import DeliveryLine


COUNTED = {
    "bibs": "bibs taken back",
    "holdings": "holdings taken back",
    "reviews": "reviews withdrawn",
    "persons": "persons put back, or gone again",
    "plans": "plans withdrawn",
    "erased": "persons erased since: they stay so",
}
"""What a report counts, in words."""


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
        """Undo a delivery: its bibs and holdings, or the persons of its file, go back to what they were.

        Later changes by others survive and are listed. Reverting twice is harmless; `--again` of `samkat ingest` and
        `samkat patrons sync` takes it again.
        """
        from schemas.errors import UsageError
        from tasks.warehouse.overview import deliveries

        output, settings = Output(as_json), place.settings()
        place.register(settings)
        with place.warehouse(settings) as warehouse:
            with warehouse.read() as connection:
                if not deliveries(connection, [delivery_id]):
                    raise UsageError(f"there is no delivery {delivery_id}", remedy="`samkat status` lists them")
            with flow_session(settings, output):
                report = run_flow("revert", "revert", delivery_id=delivery_id, dry_run=dry_run)
            with warehouse.read() as connection:
                (line,) = deliveries(connection, [delivery_id])
        document = {"dry_run": dry_run, "delivery": line, "report": report}
        output.show(document, lambda console: _render(console, line, report, dry_run))


def _render(console: Console, line: DeliveryLine, report: dict[str, Any], dry_run: bool) -> None:
    said = "would be reverted (nothing was changed)" if dry_run else "is reverted"
    said = "had been reverted before: nothing was done" if report["was_reverted"] else said
    prose(console, f"Delivery {line.delivery_id} of {line.sender} ({line.name}) {said}.")
    prose(console, *(f"  {name}: {report[key]}" for key, name in COUNTED.items() if report.get(key)))
    if report.get("libraries"):
        told = "libraries that would be told" if dry_run else "libraries told by e-mail"
        prose(console, f"  {told}: {', '.join(report['libraries'])}")
    if report["survivors"]:
        prose(console, "Left as it is:", *(f"  {each}" for each in report["survivors"]))
    if not dry_run:
        again = "patrons sync FILE --source CODE" if "persons" in report else "ingest FILE --supplier CODE"
        prose(console, f"`samkat {again} --again` takes it again.")
