"""`samkat sweep`: what waits in the landing zone is worked off now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose
from deployments.cli.running import flow_session, run_flow

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.warehouse.engine import Warehouse
    from tasks.warehouse.overview import Run


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "sweep", "samkat sweep", "samkat sweep --days 7")
    def sweep(
        days: Annotated[
            int | None, typer.Option("--days", min=0, help="Leave files alone whose date is more days ago.")
        ] = None,
        here: Annotated[
            bool, typer.Option("--here", help="Work in this process, also where workers are there for it.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Work off what waits in the landing zone, oldest first, one run a sender.

        Also takes up what killed runs left. Starts runs where `samkat serve` or a worker is there for them; else
        works everything off itself. What waits for a marker, or is still being written, stays.
        """
        output, settings = Output(as_json), place.settings()
        place.register(settings)
        began_at = datetime.now(UTC)
        with place.warehouse(settings) as warehouse:
            with flow_session(settings, output):
                from tasks.starting import is_served

                in_this_process = here or not is_served()
                found = run_flow("landing_sweep", "landing_sweep", days=days, here=in_this_process)
            runs = _runs_since(warehouse, began_at) if in_this_process else []
        document = {"here": in_this_process, **(found or {}), "ingests": runs}
        output.show(document, lambda console: _render(console, found, runs, in_this_process))
        raise typer.Exit(_exit_code(found, runs))


def _runs_since(warehouse: Warehouse, began_at: datetime) -> list[Run]:
    from tasks.landing.starts import SENDER_PARAMETER
    from tasks.warehouse.overview import runs_since

    with warehouse.read() as connection:
        return [each for flow in SENDER_PARAMETER for each in runs_since(connection, flow, began_at)]


def _exit_code(found: dict[str, int] | None, runs: list[Run]) -> int:
    from deployments.cli.failing import DONE, FAILED, NEEDS_A_PERSON

    if found and found.get("failed"):
        return FAILED
    return NEEDS_A_PERSON if any(each.state == "held" for each in runs) else DONE


def _render(console: Console, found: dict[str, int] | None, runs: list[Run], in_this_process: bool) -> None:
    if found is None:
        prose(console, "Another sweep is at it: nothing was done here.")
    elif not found.get("runs"):
        prose(console, "Nothing waits that could be started now.")
    elif not in_this_process:
        prose(
            console, f"Started {found['runs']} runs with {found['files']} files; `samkat status` says what came of it."
        )
    for each in runs:
        totals = ", ".join(f"{key} {value}" for key, value in each.summary.items())
        prose(console, f"{each.subject}: {each.state}, {totals}")
