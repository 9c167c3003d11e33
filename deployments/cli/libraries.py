"""`samkat libraries`: applicants checked and admitted, admissions taken back; whose holdings stand still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, NEEDS_A_PERSON
from deployments.cli.options import AsJson, DryRun, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.joining.report import ApplicantReport

app = group("Libraries that join: applications checked and admitted, and whose holdings stand still.")

PATIENCE_SECONDS = 120
"""How long a command waits for another one that is at an applicant."""
MOST_BYTES = 100_000
"""Of an application: more is something else."""

ByWhom = Annotated[str, typer.Option("--by", help="Who decides: name or e-mail. It is kept with the decision.")]


@command(app, "check", "samkat libraries check nylunda.toml", "samkat libraries check NYLU")
def check(
    what: Annotated[
        str, typer.Argument(metavar="FILE|SIGEL", help="An application, or the sigel of one that came before.")
    ],
    as_json: AsJson = False,
) -> None:
    """Hold an application against the rules of its participation, and show the checklist.

    The application and its checklist are kept. Ends with 3 where a rule is not met.
    """
    raise typer.Exit(_run(what, as_json, "check"))


@command(app, "admit", "samkat libraries admit nylunda.toml --dry-run", "samkat libraries admit nylunda.toml")
def admit(
    what: Annotated[
        str, typer.Argument(metavar="FILE|SIGEL", help="An application, or the sigel of one that came before.")
    ],
    by: ByWhom = "operator",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write the register's entry of an applicant that meets every rule, and welcome it by e-mail.

    The entry is a file of its own in the register's folder; nothing is written over. Where a rule is not met nothing is
    written, and the command ends with 3.
    """
    raise typer.Exit(_run(what, as_json, "admit", by=by, dry_run=dry_run))


@command(
    app,
    "withdraw",
    "samkat libraries withdraw NYLU --reason 'signed by the wrong side' --dry-run",
    "samkat libraries withdraw NYLU --reason 'signed by the wrong side'",
)
def withdraw(
    sigel: Annotated[str, typer.Argument(help="Sigel of a library that was admitted.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; the library is told.")],
    by: ByWhom = "operator",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take an admission back: the entry goes, what the library holds stays and is not shown, the library is told."""
    if not reason.strip():
        raise UsageError("a reason is needed", field="--reason", remedy="say why: the library is told")
    raise typer.Exit(_run(sigel, as_json, "withdraw", by=by, reason=reason, dry_run=dry_run))


@command(app, "list", "samkat libraries list")
def show_list(as_json: AsJson = False) -> None:
    """Show who takes part and since when, who has applied, and for how many months holdings have stood still."""
    from tasks.joining.listing import library_lines

    output, settings = Output(as_json), place.settings()
    register = place.register(settings)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        lines = library_lines(connection, register, settings.business_date())
    columns = ("sigel", "library", "participation", "standing", "months still", "contact")
    output.show(
        {"libraries": lines},
        lambda console: print_table(console, "Libraries", columns, lines, whole=("sigel", "contact")),
    )


@command(app, "freshness", "samkat libraries freshness")
def freshness(as_json: AsJson = False) -> None:
    """List to the consortium the registering libraries whose holdings have not moved for the months of the register."""
    from tasks.joining.freshness import latest_freshness

    output, settings = Output(as_json), place.settings()
    register = place.register(settings)
    with place.warehouse(settings) as warehouse:
        with flow_session(settings, output):
            counts = run_flow("holdings_freshness", "holdings_freshness")
        with warehouse.read() as connection:
            lines = latest_freshness(connection)
    months = register.participation.freshness_months
    document = {"counts": counts, "limit_months": months, "libraries": [each._mapping for each in lines]}
    output.show(document, lambda console: _render_freshness(console, lines, settings, months))


def _run(what: str, as_json: bool, step: str, **parameters: Any) -> int:
    output, settings = Output(as_json), place.settings()
    place.register(settings)
    text, name = _application(what, settings) if step != "withdraw" else (what, "")
    with place.warehouse(settings), flow_session(settings, output):
        report = run_flow(
            "library_onboarding", "library_onboarding",
            application=text, name=name, step=step, patience_seconds=PATIENCE_SECONDS, **parameters,
        )  # fmt: skip
    if report is None:
        raise UsageError("another run is at an applicant", remedy="run the same command again")
    document = {
        "sigel": report.sigel, "name": report.name, "state": report.state, "eligible": report.is_eligible,
        "application_id": report.application_id, "dry_run": bool(parameters.get("dry_run")), "checks": report.checks,
        "entry_file": report.entry_file, "entry": report.entry, "remarks": report.remarks,
    }  # fmt: skip
    output.show(document, lambda console: _render(console, report, step))
    return DONE if report.is_eligible else NEEDS_A_PERSON


def _application(what: str, settings: Settings) -> tuple[str, str]:
    """Text and name of an application in a file, or a bare sigel. Raises `ConfigurationError` where it is wrong."""
    from config.applications import read_application
    from config.toml_parts import text_of

    path = Path(what)
    if not path.exists() and "/" not in what and "." not in what and len(what) <= 10:
        return what, ""
    (file,) = place.whole_files([path], settings)
    if file.stat().st_size > MOST_BYTES:
        raise UsageError("is too large to be an application", file=str(file), remedy="see docs/library-onboarding.md")
    text = text_of(file)
    read_application(text, str(file))
    return text, file.name


def _render(console: Console, report: ApplicantReport, step: str) -> None:
    if report.checks:
        rows = [(each.rule, each.verdict.replace("_", " "), each.reason, each.remedy) for each in report.checks]
        title = f"{report.name} ({report.sigel}): {met_in_words(len(report.unmet))}"
        print_table(console, title, ("rule", "", "why", "what to do"), rows, whole=("rule", ""))
    prose(console, f"State: {report.state}.", *report.remarks)
    if report.entry and step == "admit":
        prose(console, f"{report.entry_file}:", *(f"  {line}" for line in report.entry.splitlines()))
    if step == "admit" and report.unmet:
        prose(console, "Nothing was written into the register.")


def _render_freshness(console: Console, lines: list[Any], settings: Settings, months: int) -> None:
    stale = sum(each.is_stale for each in lines)
    title = f"{stale} of {len(lines)} registering libraries stand still for {months} months or more"
    columns = ("", "sigel", "library", "last moved", "months", "holdings")
    rows = [
        (
            "stands still" if each.is_stale else "",
            each.sigel,
            each.name,
            place.moment(each.last_moved_at, settings) or "never",
            each.months_still,
            each.holdings,
        )
        for each in lines
    ]
    print_table(console, title, columns, rows, whole=("sigel",))


def met_in_words(unmet: int) -> str:
    """How many rules are not met, for the head of a checklist."""
    if not unmet:
        return "every rule is met"
    return f"{unmet} rule is not met" if unmet == 1 else f"{unmet} rules are not met"
