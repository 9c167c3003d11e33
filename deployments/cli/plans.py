"""`samkat plans`: changes that went over a limit, and what a person says to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.bib_import import render_samples
from deployments.cli.deliveries import render_deliveries, tell
from deployments.cli.options import AsJson, By, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow, run_page

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings

app = group("Changes that went over a limit and wait for approval.")

PlanHash = Annotated[str, typer.Argument(metavar="HASH", help="The plan's hash, or at least 8 of its characters.")]
OneClass = Annotated[str | None, typer.Option("--class", help="Only this class of change; all of the plan else.")]
HASH_SHOWN = 12
IMPORTS = "bib-import"
"""The flow whose plans have samples."""


@command(app, "list", "samkat plans list")
def list_plans(as_json: AsJson = False) -> None:
    """List what waits for approval, oldest first."""
    from tasks.plans.store import held

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        rows = _documents(held(connection))
    Output(as_json).show(
        {"plans": rows},
        lambda console: _render(console, settings, rows, f"{len(rows)} held, to be approved or rejected"),
    )


@command(app, "show", "samkat plans show 3f2a9c01")
def show(plan_hash: PlanHash, as_json: AsJson = False) -> None:
    """Show every class of change of one plan, with the limit and what was decided."""
    from tasks.imports.shown import shown_plans
    from tasks.plans import store
    from tasks.warehouse.overview import deliveries

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        rows = _documents(store.show(connection, plan_hash))
        imports = shown_plans(connection, [row["delivery_id"] for row in rows if row["flow"] == IMPORTS])
        about = deliveries(connection, {row["delivery_id"] for row in rows if row["delivery_id"] is not None})
    pages = {each.delivery_id: each.docs_uri for each in about if each.docs_uri}

    def render(console: Console) -> None:
        _render(console, settings, rows, f"Plan {plan_hash}")
        prose(console, *(f"Data Docs of delivery {number}: {uri}" for number, uri in pages.items()))
        for each in imports:
            render_samples(console, each)

    Output(as_json).show({"plans": rows, "data_docs": pages, "imports": imports}, render)


@command(app, "approve", "samkat plans approve 3f2a9c01 --by 'Anna Berg'")
def approve(plan_hash: PlanHash, by: By, change_class: OneClass = None, as_json: AsJson = False) -> None:
    """Approve a plan by its hash, and carry it out at once. A plan that has changed since has another hash."""
    _decide("approve", plan_hash, by, change_class, Output(as_json))


@command(app, "reject", "samkat plans reject 3f2a9c01 --by 'Anna Berg'")
def reject(plan_hash: PlanHash, by: By, change_class: OneClass = None, as_json: AsJson = False) -> None:
    """Reject a plan by its hash: its changes are not made. What was within the limits stays loaded."""
    _decide("reject", plan_hash, by, change_class, Output(as_json))


def _decide(decision: str, plan_hash: str, by: str, change_class: str | None, output: Output) -> None:
    """Run the flow that writes the decision and lets go on what it held; the form in the Prefect UI runs the same."""
    from tasks.plans import store

    settings = place.settings()
    place.register(settings)
    with place.warehouse(settings) as warehouse:
        with warehouse.read() as connection:
            full_hash = store.resolve(connection, plan_hash)
        with flow_session(settings, output) as address:
            report = run_flow(
                "plan_decide", "plan_decide", plan_hash=full_hash, decision=decision, by=by, change_class=change_class
            )
        with warehouse.read() as connection:
            rows = _documents(store.show(connection, full_hash))
            told = tell(connection, [row["delivery_id"] for row in rows if row["delivery_id"] is not None])
    page = run_page(address, told.flow_run_id)

    def render(console: Console) -> None:
        _render(console, settings, rows, f"Plan {full_hash[:HASH_SHOWN]}")
        prose(console, *(f"{name}: {said}" for name, said in report["done"].items() if name != full_hash))
        render_deliveries(console, told, settings, page)

    output.show(told.document(plans=rows, report=report, run_page=page), render)
    raise typer.Exit(told.exit_code if decision == "approve" else 0)


def _documents(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]


def _render(console: Console, settings: Settings, rows: list[dict[str, Any]], title: str) -> None:

    if not rows:
        prose(console, "Nothing is held.")
        return
    columns = ("plan", "since", "flow", "delivery", "class of change", "planned", "of", "limit", "state", "why", "by")
    cells = (
        (
            row["plan_hash"][:HASH_SHOWN],
            place.moment(row["created_at"], settings),
            row["flow"],
            row["delivery_id"],
            row["class"],
            row["planned"],
            row["population"],
            f"{row['limit']:g}",
            row["state"],
            row["reason"],
            row["decided_by"],
        )
        for row in rows
    )
    print_table(console, title, columns, cells)
    if any(row["state"] == "held" for row in rows):
        shown = rows[0]["plan_hash"][:HASH_SHOWN]
        prose(console, f"Decide: samkat plans approve {shown} --by NAME, or samkat plans reject {shown} --by NAME")
