"""`samkat ingest`: a supplier's files through the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.deliveries import Told, render_deliveries, tell
from deployments.cli.options import AsJson, DryRun, Files, command
from deployments.cli.output import Output
from deployments.cli.running import flow_session, run_flow, run_page
from schemas.errors import SamkatError

if TYPE_CHECKING:
    from config.settings import Settings
    from schemas.summaries import DeliverySummary
    from tasks.warehouse.engine import Warehouse

PATIENCE_SECONDS = 3600
"""How long a command waits for another run of the same supplier: nobody else would take up its files."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "ingest",
        "samkat ingest NORDBOK_20250314180000_day.mrc --supplier NORDBOK",
        "samkat ingest orders/*.xml --supplier BOKRING --dry-run",
    )
    def ingest(
        files: Files,
        supplier: Annotated[str, typer.Option("--supplier", help="Code of the supplier, as in the register.")],
        dry_run: DryRun = False,
        again: Annotated[bool, typer.Option("--again", help="Reload what was reverted or rejected before.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Take files of one supplier into the catalogue and onto the libraries' shelves.

        A file that was taken before, under whatever name, has no effect. Of a supplier in the sandbox nothing is
        loaded: its files are tried, as `samkat suppliers test` does. Ends with 3 when something waits for a
        person, with 4 when a file was rejected.
        """

        settings = place.settings()
        known = place.known_supplier(supplier, place.register(settings))
        paths = place.whole_files(files, settings)
        if known.sandbox and not dry_run:
            from deployments.cli.suppliers import run_trial

            raise typer.Exit(run_trial(settings, Output(as_json), supplier, paths, dry_run=False))
        told = run_ingest(settings, Output(as_json), supplier, paths, dry_run=dry_run, again=again)
        raise typer.Exit(told.exit_code)


def run_ingest(
    settings: Settings, output: Output, supplier: str, paths: Sequence[Path], *, dry_run: bool, again: bool
) -> Told:
    """Take the files in, print and return what became of them."""

    with place.warehouse(settings) as warehouse:
        told, page = taken_in(
            warehouse, settings, output, "supplier_ingest", paths, supplier=supplier, dry_run=dry_run, again=again
        )
    output.show(
        told.document(supplier=supplier, run_page=page),
        lambda console: render_deliveries(console, told, settings, page),
    )
    return told


def taken_in(
    warehouse: Warehouse,
    settings: Settings,
    output: Output,
    flow: str,
    paths: Sequence[Path],
    *,
    dry_run: bool,
    again: bool,
    **sender: str,
) -> tuple[Told, str | None]:
    """Hand the files to the landing zone and run the flow; returns what became of them, and the run's page.

    `sender` is the flow's own parameter with the code of who sends: `supplier="NORDBOK"`.
    """
    began_at = datetime.now(UTC)
    (code,) = sender.values()
    with flow_session(settings, output) as address:
        uris = adopted(settings, paths, code)
        summaries = run_flow(
            flow, flow, uris=uris, dry_run=dry_run, again=again, patience_seconds=PATIENCE_SECONDS, **sender
        )
        if summaries is None:
            raise SamkatError(
                f"another run has been at the deliveries of {code} for {PATIENCE_SECONDS // 60} minutes",
                remedy="give the command again when it has ended; nothing has been done yet",
            )
    told = told_of(warehouse, summaries, began_at, paths, is_preview=dry_run)
    return told, run_page(address, told.flow_run_id)


def adopted(settings: Settings, paths: Iterable[Path], sender: str) -> list[str]:
    """The files' URIs in the landing zone."""
    from tasks.landing.opening import open_zone

    zone = open_zone(settings.landing_url)
    return [zone.adopt(path, sender) for path in paths]


def told_of(
    warehouse: Warehouse,
    summaries: Iterable[DeliverySummary],
    began_at: datetime,
    paths: Iterable[Path],
    *,
    is_preview: bool = False,
) -> Told:
    """What became of the deliveries that a flow summed up."""
    with warehouse.read() as connection:
        ids = [each.delivery_id for each in summaries]
        names = [path.name for path in paths]
        return tell(connection, ids, is_preview=is_preview, began_at=began_at, names=names)
