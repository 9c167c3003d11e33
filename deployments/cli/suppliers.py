"""`samkat suppliers`: how a supplier comes in: its test deliveries, its customers, how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, FAILED, NEEDS_A_PERSON
from deployments.cli.options import AsJson, DryRun, Files, command, group
from deployments.cli.output import Output
from deployments.cli.running import flow_session, run_flow
from deployments.cli.suppliers_shown import render_customers, render_list, render_page, render_trial
from schemas.errors import SamkatError, UsageError

if TYPE_CHECKING:
    from config.settings import Settings
    from tasks.suppliers.report import CustomersReport, TrialReport

app = group("How a supplier comes in: test deliveries, customers, how it stands.")
PATIENCE_SECONDS = 600
"""How long a command waits for another run of the same supplier."""
Code = Annotated[str, typer.Option("--supplier", help="Code of the supplier, as in the register.")]


@command(app, "list", "samkat suppliers list")
def list_suppliers(as_json: AsJson = False) -> None:
    """How each supplier of the register stands: agreement, sandbox, last test, customers, last delivery."""
    from tasks.suppliers.showing import supplier_lines

    settings = place.settings()
    known = place.register(settings)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        lines = supplier_lines(connection, known, settings.business_date())
    Output(as_json).show({"suppliers": lines}, lambda console: render_list(console, settings, lines))


@command(app, "show", "samkat suppliers show NORDBOK")
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of the supplier.")], as_json: AsJson = False
) -> None:
    """One supplier: agreement, test deliveries with the last checklist, its customers and what does not agree."""
    from tasks.suppliers.showing import supplier_page

    settings = place.settings()
    known = place.register(settings)
    place.known_supplier(code, known)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        page = supplier_page(connection, known, code, settings.business_date())
    Output(as_json).show(page, lambda console: render_page(console, settings, page))


@command(
    app,
    "test",
    "samkat suppliers test NORDBOK_20250314180456_test.mrc --supplier NORDBOK",
    "samkat suppliers test first/*.mrc --supplier NORDBOK --dry-run",
)
def try_files(files: Files, supplier: Code, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Try files as a real load would take them, load nothing, and send the supplier a report.

    With --dry-run nothing is kept and nothing sent. Ends with 3 when a needed rule of the checklist is not met, with 4
    when a file was rejected as a whole.
    """
    settings = place.settings()
    place.known_supplier(supplier, place.register(settings))
    paths = place.whole_files(files, settings)
    raise typer.Exit(run_trial(settings, Output(as_json), supplier, paths, dry_run=dry_run))


def run_trial(settings: Settings, output: Output, supplier: str, paths: Sequence[Path], *, dry_run: bool) -> int:
    """Hand the files to the landing zone, try them, print what would become of them; returns the exit code."""
    from deployments.cli.ingest import adopted

    with place.warehouse(settings), flow_session(settings, output):
        uris = adopted(settings, paths, supplier)
        report: TrialReport | None = run_flow(
            "supplier_trial",
            "supplier_trial",
            supplier=supplier,
            uris=uris,
            dry_run=dry_run,
            patience_seconds=PATIENCE_SECONDS,
        )
    if report is None:
        raise _busy(supplier)
    document = {
        "supplier": supplier,
        "dry_run": dry_run,
        "is_ready": report.is_ready,
        "files": report.lines,
        "checks": report.checks,
        "loaded_before": report.known,
    }
    output.show(document, lambda console: render_trial(console, settings, report, dry_run))
    if any(each.state == "rejected" for each in report.lines):
        return FAILED
    return DONE if report.is_ready or not report.lines else NEEDS_A_PERSON


@command(
    app,
    "customers",
    "samkat suppliers customers customers-2025.csv --supplier NORDBOK",
    "samkat suppliers customers customers-2025.csv --supplier NORDBOK --dry-run",
    "samkat suppliers customers",
    "samkat suppliers customers --take-back 3",
)
def customers(
    file: Annotated[Path | None, typer.Argument(help="List of customers: CSV with name, sigel, email.")] = None,
    supplier: Annotated[str | None, typer.Option("--supplier", help="Whose customers they are.")] = None,
    take_back: Annotated[int | None, typer.Option("--take-back", help="Undo a list by its number.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take in a supplier's list of its customers, and show where customers, register and holdings do not agree.

    Without a file it compares only. Ends with 3 when rows were not taken.
    """
    settings, output = place.settings(), Output(as_json)
    known = place.register(settings)
    if (file is None) != (supplier is None):
        raise UsageError("a list and its supplier go together", field="--supplier", remedy="give both, or neither")
    if take_back is not None and (file is not None or dry_run):
        raise UsageError("an undo stands alone", field="--take-back", remedy="leave out the file and --dry-run")
    if supplier is not None:
        place.known_supplier(supplier, known)
    paths = place.whole_files([file], settings) if file is not None else []
    with place.warehouse(settings), flow_session(settings, output):
        from deployments.cli.ingest import adopted

        report: CustomersReport | None = run_flow(
            "supplier_customers",
            "supplier_customers",
            supplier=supplier,
            uris=adopted(settings, paths, supplier) if supplier else [],
            dry_run=dry_run,
            take_back=take_back,
            patience_seconds=PATIENCE_SECONDS,
        )
    if report is None:
        raise _busy("the customers")
    document = {
        "dry_run": dry_run,
        "counts": dict(report),
        "lists": report.reports,
        "rows_not_taken": report.faults,
        "findings": [{**each._asdict(), "reason": each.reason} for each in report.findings],
        "never_reported": report.never,
    }
    output.show(document, lambda console: render_customers(console, report, dry_run))
    raise typer.Exit(NEEDS_A_PERSON if any(report.faults.values()) else DONE)


def _busy(what: str) -> SamkatError:
    return SamkatError(
        f"another run has been at {what} for {PATIENCE_SECONDS // 60} minutes",
        remedy="give the command again when it has ended; nothing has been done yet",
    )
