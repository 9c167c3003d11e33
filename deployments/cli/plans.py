"""`samkat plans`: changes that went over a limit, and what a person says to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.deliveries import Told, render_deliveries, tell
from deployments.cli.options import AsJson, By, command, group
from deployments.cli.output import Output, add_row, prose, table
from deployments.cli.running import flow_session, run_flow

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.plans.store import DecidedPlan
    from tasks.warehouse.engine import Warehouse

app = group("Changes that went over a limit and wait for approval.")

PlanHash = Annotated[str, typer.Argument(metavar="HASH", help="The plan's hash, or at least 8 of its characters.")]
OneClass = Annotated[str | None, typer.Option("--class", help="Only this class of change; all of the plan else.")]
HASH_SHOWN = 12


@command(app, "list", "samkat plans list")
def list_plans(as_json: AsJson = False) -> None:
    """List what waits for approval, oldest first."""
    from tasks.plans.store import held

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        rows = _documents(held(connection))
    Output(as_json).show({"plans": rows}, lambda console: _render(console, settings, rows, "waits for approval"))


@command(app, "show", "samkat plans show 3f2a9c01")
def show(plan_hash: PlanHash, as_json: AsJson = False) -> None:
    """Show every class of change of one plan, with the limit and what was decided."""
    from tasks.plans import store

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        rows = _documents(store.show(connection, plan_hash))
    Output(as_json).show({"plans": rows}, lambda console: _render(console, settings, rows, f"of plan {plan_hash}"))


@command(app, "approve", "samkat plans approve 3f2a9c01 --by 'Anna Berg'")
def approve(
    plan_hash: PlanHash,
    by: By,
    change_class: OneClass = None,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Only note it: the next run of the flow carries it out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Approve a plan by its hash, and carry it out. A plan that has changed since has another hash."""
    from tasks.plans import store

    output, settings = Output(as_json), place.settings()
    told: Told | None = None
    with place.warehouse(settings) as warehouse:
        with warehouse.write() as connection:
            decided = store.approve(connection, plan_hash, by, datetime.now(UTC), change_class)
        if not no_run:
            told = _carry_out(warehouse, settings, output, decided)

    def render(console: Console) -> None:
        prose(console, _decided_in_words(decided, by))
        if told is not None:
            render_deliveries(console, told, settings, None)

    more = told.document() if told is not None else {}
    output.show({"decided": decided, **more}, render)
    raise typer.Exit(told.exit_code if told is not None else 0)


@command(app, "reject", "samkat plans reject 3f2a9c01 --by 'Anna Berg'")
def reject(plan_hash: PlanHash, by: By, change_class: OneClass = None, as_json: AsJson = False) -> None:
    """Reject a plan by its hash: its changes are not made. What was within the limits stays loaded."""
    from tasks.plans import store

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.write() as connection:
        decided = store.reject(connection, plan_hash, by, datetime.now(UTC), change_class)
    Output(as_json).show({"decided": decided}, lambda console: prose(console, _decided_in_words(decided, by)))


def _carry_out(warehouse: Warehouse, settings: Settings, output: Output, decided: DecidedPlan) -> Told:
    """Run the flow of the deliveries that the plan is about; it takes up what was held."""
    from tasks.warehouse.overview import deliveries

    with warehouse.read() as connection:
        lines = deliveries(connection, decided.delivery_ids)
    by_sender: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in lines:
        by_sender[each.kind, each.sender].append(each.uri)
    with flow_session(settings, output):
        for (kind, sender), uris in by_sender.items():
            if kind == "catalogue":
                run_flow("catalogue_load", "catalogue_load", uris=uris, mode=_mode(warehouse, decided), dry_run=False)
            else:
                # The flow takes up every delivery of the supplier that is held; no file has to be named again.
                run_flow("supplier_ingest", "supplier_ingest", supplier=sender, uris=[], dry_run=False, again=False)
    with warehouse.read() as connection:
        return tell(connection, decided.delivery_ids)


def _mode(warehouse: Warehouse, decided: DecidedPlan) -> str:
    """How the held export was loaded: full or delta."""
    from tasks.warehouse.ledger import delivery

    with warehouse.read() as connection:
        return str(delivery(connection, decided.delivery_ids[0]).mode)


def _documents(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]


def _decided_in_words(decided: DecidedPlan, by: str) -> str:
    name = f"Plan {decided.plan_hash[:HASH_SHOWN]}"
    if not decided.changed:
        return f"{name}: was {decided.state} so already."
    return f"{name}: {', '.join(decided.changed)} {decided.state} by {by}."


def _render(console: Console, settings: Settings, rows: list[dict[str, Any]], what: str) -> None:

    if not rows:
        prose(console, f"Nothing {what}.")
        return
    columns = ("plan", "since", "flow", "delivery", "class of change", "planned", "of", "limit", "state", "why", "by")
    made = table(f"{len(rows)} {what}", *columns, numbers=("delivery", "planned", "of", "limit"))
    for row in rows:
        since = place.moment(row["created_at"], settings)
        add_row(
            made, row["plan_hash"][:HASH_SHOWN], since, row["flow"], row["delivery_id"], row["class"],
            row["planned"], row["population"], f"{row['limit']:g}", row["state"], row["reason"], row["decided_by"],
        )  # fmt: skip
    console.print(made)
    if any(row["state"] == "held" for row in rows):
        shown = rows[0]["plan_hash"][:HASH_SHOWN]
        prose(console, f"Decide: samkat plans approve {shown} --by NAME, or samkat plans reject {shown} --by NAME")
