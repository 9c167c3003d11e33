"""`samkat status`: what ran, what failed, what waits for a person. Read from the warehouse; no flow is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.deliveries import STATE_WORDS, counts_in_words
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.server import in_words

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.warehouse.overview import Overview, Waiting


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "status", "samkat status", "samkat status --json")
    def status(
        newest: Annotated[int, typer.Option("--newest", min=1, help="How many runs and deliveries to list.")] = 10,
        as_json: AsJson = False,
    ) -> None:
        """Show what ran, what failed, what waits for a person and since when."""
        from deployments.local_server import server_status
        from tasks.warehouse.overview import overview

        settings = place.settings()
        with place.warehouse(settings) as warehouse, warehouse.read() as connection:
            found = overview(connection, settings.business_date(), newest=newest)
        server = server_status(settings)
        document = {
            "home": settings.home,
            "warehouse": settings.warehouse_shown,
            "business_date": settings.business_date(),
            "server": server,
            "overview": found,
        }
        Output(as_json).show(document, lambda console: _render(console, settings, found, in_words(server)))


def _render(console: Console, settings: Settings, found: Overview, server: list[str]) -> None:

    prose(console, f"Samkat in {settings.home}, business date {settings.business_date()}", *server, "")
    _render_waiting(console, settings, found)
    _render_deliveries(console, settings, found)
    _render_runs(console, settings, found)


def _render_waiting(console: Console, settings: Settings, found: Overview) -> None:

    waiting: list[tuple[str, Waiting, str]] = [
        ("bibs in review", found.reviews, "samkat review list"),
        ("changes held by a guard", found.plans, "samkat plans list"),
        ("e-mails not sent", found.notices, "the next run sends them; failed ones: view out_notice"),
    ]
    rows = [
        (name, each.number, place.moment(each.since, settings), each.late or None, remedy)
        for name, each, remedy in waiting
        if each.number
    ]
    if rows:
        print_table(console, "Waits for a person", ("what", "number", "since", "late", "what to do"), rows)
    else:
        prose(console, "Nothing waits for a person.", "")


def _render_deliveries(console: Console, settings: Settings, found: Overview) -> None:

    if not found.newest:
        prose(console, "No delivery has come yet.", "")
        return
    states = ", ".join(f"{number} {state}" for state, number in sorted(found.deliveries_by_state.items()))
    shown = {each.delivery_id: each for each in (*found.unfinished, *found.newest)}
    columns = ("delivery", "received", "sender", "file", "state", "bibs", "holdings", "unreadable", "remark")
    rows = (
        (
            each.delivery_id,
            place.moment(each.received_at, settings),
            each.sender,
            each.name,
            STATE_WORDS[each.state],
            counts_in_words(each.counts, "bibs"),
            counts_in_words(each.counts, "holdings"),
            each.counts["records_unreadable"] or None,
            each.hold_reason,
        )
        for each in sorted(shown.values(), key=lambda line: -line.delivery_id)
    )
    print_table(console, f"Deliveries: {states}", columns, rows)


def _render_runs(console: Console, settings: Settings, found: Overview) -> None:

    if not found.runs:
        prose(console, "No flow has run yet.")
        return
    rows = (
        (
            place.moment(each.started_at, settings),
            each.flow,
            each.subject,
            each.state,
            round((each.finished_at - each.started_at).total_seconds(), 1) if each.finished_at else None,
            ", ".join(f"{name} {value}" for name, value in each.summary.items() if value and _is_count(value)),
        )
        for each in found.runs
    )
    print_table(console, "Runs", ("started", "flow", "about", "state", "seconds", "totals"), rows)


def _is_count(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)
