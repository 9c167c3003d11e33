"""`samkat revert`: a delivery, a file of persons, a sweep of accounts, a renewal or merges, taken back as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, DryRun, command
from deployments.cli.output import Output, prose
from deployments.cli.running import flow_session, run_flow

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.warehouse.engine import Warehouse
    from tasks.warehouse.overview import DeliveryLine


COUNTED = {
    "bibs": "bibs taken back",
    "holdings": "holdings taken back",
    "reviews": "reviews withdrawn",
    "persons": "persons put back, or gone again",
    "plans": "plans withdrawn",
    "erased": "persons erased since: they stay so",
    "accounts": "accounts put back",
    "removed": "accounts gone again",
    "ended": "accounts that their system knows by now: deactivated by the next sweep",
    "merges": "merges parted again",
    "answers": "answers that count no more",
}
"""What a report counts, in words."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "revert",
        "samkat revert 7 --dry-run",
        "samkat revert 7",
        "samkat revert sweep-12 --dry-run",
        "samkat revert merge-3",
    )
    def revert(
        run: Annotated[
            str,
            typer.Argument(
                metavar="RUN",
                help="Number of a delivery, as in `samkat status`, or a name of `samkat accounts runs` or of "
                "`samkat catalogue merges` (merge-3, or the run's id).",
            ),
        ],
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Undo a delivery, a sweep of accounts, a renewal or merges: what was changed goes back to what it was.

        Later changes by others survive and are listed. Reverting twice is harmless; `--again` of `samkat ingest`,
        `samkat patrons sync` and `samkat accounts import` takes a file again.
        """
        output, settings = Output(as_json), place.settings()
        place.register(settings)
        with place.warehouse(settings) as warehouse:
            delivery_id = _known(warehouse, run)
            with flow_session(settings, output):
                report = run_flow("revert", "revert", run=delivery_id or run, dry_run=dry_run)
            line = _line(warehouse, delivery_id)
        document = {"dry_run": dry_run, "delivery": line, "report": report}
        output.show(document, lambda console: _render(console, line, report, dry_run))


def _known(warehouse: Warehouse, run: str) -> int | None:
    """The number of the delivery, None for a run over accounts or merges. Raises `UsageError` for what is not there."""
    from schemas.errors import UsageError
    from tasks.accounts.past_runs import runs_named
    from tasks.catalogue.merge_carrying import merges_named
    from tasks.warehouse.overview import deliveries

    with warehouse.read() as connection:
        if merges_named(connection, run):
            return None
        runs_named(connection, run)
        if not run.strip().isdigit():
            return None
        delivery_id = int(run)
        if not deliveries(connection, [delivery_id]):
            raise UsageError(f"there is no delivery {delivery_id}", remedy="`samkat status` lists them")
    return delivery_id


def _line(warehouse: Warehouse, delivery_id: int | None) -> DeliveryLine | None:
    from tasks.warehouse.overview import deliveries

    if delivery_id is None:
        return None
    with warehouse.read() as connection:
        return deliveries(connection, [delivery_id])[0]


def _render(console: Console, line: DeliveryLine | None, report: dict[str, Any], dry_run: bool) -> None:
    said = "would be reverted (nothing was changed)" if dry_run else "is reverted"
    said = "had been reverted before: nothing was done" if report["was_reverted"] else said
    what = f"Delivery {line.delivery_id} of {line.sender} ({line.name})" if line else ", ".join(report["runs"])
    prose(console, f"{what} {said}.")
    prose(console, *(f"  {name}: {report[key]}" for key, name in COUNTED.items() if report.get(key)))
    if report.get("libraries"):
        told = "libraries that would be told" if dry_run else "libraries told by e-mail"
        prose(console, f"  {told}: {', '.join(report['libraries'])}")
    if report["survivors"]:
        prose(console, "Left as it is:", *(f"  {each}" for each in report["survivors"]))
    if not dry_run:
        prose(console, _way_on(line, report))


def _way_on(line: DeliveryLine | None, report: dict[str, Any]) -> str:
    """What can be done after it."""
    if "merges" in report:
        return "The pairs that the worklist had offered are offered again."
    if "accounts" in report and not any(each.startswith("import-") for each in report["runs"]):
        return "The accounts are due again: correct what was wrong before the next sweep."
    if "accounts" in report:
        return "`samkat accounts import FILE --again` takes it again."
    again = "patrons sync FILE --source CODE" if "persons" in report else "ingest FILE --supplier CODE"
    again = "import FILE --profile CODE" if line is not None and line.kind == "import" else again
    if line is not None and line.kind == "collection":
        again = "match-collection FILE --library SIGEL"
    return f"`samkat {again} --again` takes it again."
