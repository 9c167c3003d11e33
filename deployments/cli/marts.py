"""`samkat marts`: the day's snapshot of the promised views, as Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "marts", "samkat marts")
    def marts(as_json: AsJson = False) -> None:
        """Write today's snapshot of the promised views to the landing zone, a Parquet file each.

        An earlier one of the same day is replaced. Views of patrons and accounts are counted only.
        """
        output, settings = Output(as_json), place.settings()
        place.register(settings)
        with place.warehouse(settings), flow_session(settings, output):
            rows = run_flow("marts", "marts")
        where = f"{settings.landing_url.rstrip('/')}/marts/day={settings.business_date()}"
        document = {"day": settings.business_date(), "where": where, "rows": rows}
        output.show(document, lambda console: _render(console, rows, where))


def _render(console: Console, rows: dict[str, int], where: str) -> None:
    print_table(console, "Promised views", ("view", "rows"), list(rows.items()), whole=("view",))
    prose(console, f"In {where}; data-dictionary.json says what is in each column.")
