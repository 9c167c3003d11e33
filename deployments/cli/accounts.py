"""`samkat accounts`: staff accounts of systems: files in, the sweep, renewals, shared accounts."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, DryRun, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from config.settings import Settings
    from schemas.register.account_rules import AccountSystem
    from schemas.summaries import AccountSummary
    from tasks.accounts.intake import ImportReport

app = group("Staff accounts: who may work in a system, until when, and who decides.")
HELD = 3
PATIENCE_SECONDS = 600
"""How long a command waits for another run at the accounts."""

OneFile = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; docs/accounts.md lists the columns.")]
System = Annotated[str | None, typer.Option("--system", help="Code of the system; only needed where there are more.")]
On = Annotated[str | None, typer.Option("--on", metavar="DATE", help="Day to decide for; else today.")]
Again = Annotated[bool, typer.Option("--again", help="Take a file that was taken before once more.")]


@command(
    app, "import", "samkat accounts import leavers.csv --system alma", "samkat accounts import staff.csv --dry-run"
)
def import_file(
    file: OneFile,
    system: System = None,
    kind: Annotated[str | None, typer.Option("--kind", help="What it is about; else known by its columns.")] = None,
    on: On = None,
    dry_run: DryRun = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Take in a file about accounts: requests, changes, leavers, training, answers, downloads.

    A row that cannot be taken stays behind with its reason; ends with 3 where there are such rows or a request lacks
    something.
    """
    settings = place.settings()
    report, known = _import(settings, file, system, kind, on, dry_run=dry_run, again=again)
    Output(as_json).show(
        {"system": known.code, "dry_run": dry_run, **vars(report)},
        lambda console: _render_import(console, report, known, dry_run),
    )
    raise typer.Exit(HELD if report.rejects or report.counts["incomplete"] else 0)


def _import(
    settings: Settings, file: Path, system: str | None, kind: str | None, on: str | None, *, dry_run: bool,
    again: bool = False, source: str = "",
) -> tuple[ImportReport, AccountSystem]:  # fmt: skip
    from datetime import UTC, datetime

    from tasks.accounts.all_files import take_file
    from tasks.accounts.changing import Occasion
    from tasks.accounts.letters import Post
    from tasks.accounts.store import ACCOUNTS_LOCK
    from tasks.accounts.telling import tell_of_requests
    from tasks.catalogue.preview import rolled_back

    (path,) = place.whole_files([file], settings)
    register, known = place.register(settings), _system(settings, system)
    now = datetime.now(UTC)
    day = _day(on) or settings.today or now.astimezone(known.tz).date()
    occasion = Occasion(known, day, now, source or f"import:{path.name}")
    libraries = frozenset(register.library_by_sigel)
    with place.warehouse(settings) as warehouse, path.open("rb") as stream:
        transaction = rolled_back(warehouse) if dry_run else warehouse.write(ACCOUNTS_LOCK)
        with transaction as connection:
            report = take_file(connection, stream, path.name, occasion, libraries, kind, again=again)
            if not report.is_repeat:
                tell_of_requests(connection, Post(register, known, now), report.import_id, day)
    return report, known


def _system(settings: Settings, code: str | None) -> AccountSystem:
    """The system, where its examples hold. Raises `UsageError`, `ConfigurationError`."""
    from tasks.accounts.examples import require_examples

    systems = place.register(settings).account_systems
    require_examples(systems)
    known = ", ".join(each.code for each in systems) or "none: see account_rules in docs/register.md"
    found = [each for each in systems if code in (None, each.code)]
    if len(found) != 1:
        what = f"no system has the code {code!r}" if code else "there are several systems"
        raise UsageError(what, field="--system", remedy=f"known are {known}")
    return found[0]


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day", field="--on", remedy="write YYYY-MM-DD") from None


def _render_import(console: Console, report: ImportReport, system: AccountSystem, dry_run: bool) -> None:
    if report.is_repeat:
        prose(console, "This file was taken before: nothing was done. `--again` takes it once more.")
        return
    said = ", ".join(f"{number} {name}" for name, number in report.counts.items() if number)
    prose(
        console,
        f"{system.name}, {report.kind}: {said or 'the file holds no row'}{' (nothing was kept)' if dry_run else ''}.",
    )
    if report.rejects:
        rows = [(each.line, each.field, each.cause, each.remedy) for each in report.rejects]
        print_table(console, "Rows that stay behind", ("line", "column", "cause", "what to do"), rows)
    if report.answers:
        print_table(console, "Requests that lack something", ("line", "account", "answer"), report.answers)


@command(app, "sweep", "samkat accounts sweep --dry-run", "samkat accounts sweep --on 2027-01-01 --dry-run")
def sweep(system: System = None, on: On = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """End what has ended, make valid again what was renewed, tell who must know. Missed nights are caught up.

    A dry run shows the same table and changes nothing. Ends with 3 when a class of change waits for approval, or a
    system is in trouble.
    """
    from tasks.accounts.summary import sweep_table

    output, settings = Output(as_json), place.settings()
    day = _day(on)
    if system is not None:
        _system(settings, system)
    with place.warehouse(settings) as warehouse:
        with flow_session(settings, output):
            found = run_flow(
                "account_sweep", "account_sweep",
                system=system, on=day, dry_run=dry_run, patience_seconds=PATIENCE_SECONDS,
            )  # fmt: skip
        ids = [each for summary in found or [] for each in summary.sweeps]
        with warehouse.read() as connection:
            rows = sweep_table(connection, ids)
        if dry_run:
            _forget(warehouse, ids)
    output.show({"systems": found, "actions": rows}, lambda console: _render_sweep(console, found, rows, dry_run))
    raise typer.Exit(HELD if any(each.is_held or each.held for each in found or []) else 0)


def _forget(warehouse: Any, ids: Sequence[int]) -> None:
    """A dry run leaves nothing once it has been shown."""
    from tasks.accounts.planning import forget_preview

    with warehouse.write() as connection:
        for each in ids:
            forget_preview(connection, each)


def _render_sweep(
    console: Console, found: Sequence[AccountSummary] | None, rows: Sequence[dict[str, Any]], dry_run: bool
) -> None:
    if found is None:
        prose(console, "Another run is at the accounts: nothing was done here.")
        return
    for each in found:
        done = ", ".join(f"{name} {number}" for name, number in each.counts.items() if number) or "nothing to do"
        prose(console, f"{each.system}, {each.on}: {done}.")
        prose(console, *(f"  {'would wait' if dry_run else 'waits'}: {why}" for why in each.held.values()))
        if each.plan_hash:
            prose(console, f"  Decide: samkat plans approve {each.plan_hash[:12]} --by NAME, or reject")
        if each.trouble:
            prose(console, f"  nothing was sent: {each.trouble}")
    columns = ("day", "system", "account", "library", "login", "action", "rule", "state", "why")
    names = ("swept_on", "system", "account_id", "library", "login", "action", "rule", "state", "reason")
    if rows:
        title = "What would be done (nothing was changed)" if dry_run else "What was done"
        print_table(console, title, columns, [[row[name] for name in names] for row in rows])


@command(app, "runs", "samkat accounts runs")
def runs(as_json: AsJson = False) -> None:
    """List the last sweeps, files and renewals, newest first, by the names that `samkat revert` takes."""
    from tasks.accounts.past_runs import last_runs

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        rows = last_runs(connection)
    columns = ("run", "system", "on", "what", "state", "changed")
    Output(as_json).show(
        {"runs": rows},
        lambda console: print_table(
            console, "Runs over accounts", columns, [[row[name] for name in columns] for row in rows]
        ),
    )


@command(app, "renewals", "samkat accounts renewals --year 2026", "samkat accounts renewals --start --on 2026-11-16")
def renewals(
    year: Annotated[
        int | None, typer.Option("--year", min=1900, max=9999, help="The year that ends; else the one that is next.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Do what the renewal has to do today, letters too.")] = False,
    system: System = None,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """Show who expires at the end of the year, and what was answered; with --start do what is due today."""
    from tasks.accounts.showing import renewal_list

    output, settings = Output(as_json), place.settings()
    day = _day(on)
    known = [each for each in place.register(settings).account_systems if system in (None, each.code) and each.campaign]
    if system is not None:
        _system(settings, system)
    with place.warehouse(settings) as warehouse:
        done = None
        if start:
            with flow_session(settings, output):
                done = run_flow(
                    "account_renewal", "account_renewal", system=system, on=day, patience_seconds=PATIENCE_SECONDS
                )
        with warehouse.read() as connection:
            rows = [
                row for each in known for row in renewal_list(connection, each, year, day or settings.business_date())
            ]
    names = ("system", "year", "library", "login", "expires_on", "decision", "until", "outcome")

    def render(console: Console) -> None:
        if done:
            prose(console, ", ".join(f"{name}: {number}" for name, number in done.items()))
        print_table(console, f"{len(rows)} accounts", names, [[row[name] for name in names] for row in rows])

    output.show({"done": done, "accounts": rows}, render)


@command(app, "renew", "samkat accounts renew renewals-alma-SOLB-2026.csv --system alma --by 'Anna Berg'")
def renew(
    file: OneFile,
    by: Annotated[str, typer.Option("--by", help="Who decided: name or e-mail. It is kept with each answer.")],
    system: System = None,
    on: On = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take in the answers of a library manager: the list that was sent, with renew or end in it."""
    settings = place.settings()
    report, known = _import(settings, file, system, "renewals", on, dry_run=dry_run, source=f"command:{by}")
    Output(as_json).show(
        {"system": known.code, "dry_run": dry_run, **vars(report)},
        lambda console: _render_import(console, report, known, dry_run),
    )
    raise typer.Exit(HELD if report.rejects else 0)


@command(app, "rotate", "samkat accounts rotate --system alma", "samkat accounts rotate rotations.csv --system alma")
def rotate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A CSV file with the days; else the list is shown.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Do what is due today: announce, remind.")] = False,
    system: System = None,
    on: On = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show which shared accounts have their new password and which are late; with a file record it.

    Recorded is the day, never the password. With --start libraries are told what is due to be told today.
    """
    settings = place.settings()
    if file is None:
        _rotations(settings, system, on, as_json, start=start)
        return
    if start:
        raise UsageError("a file and --start are two things", field="--start", remedy="give one after the other")
    report, known = _import(settings, file, system, "rotations", on, dry_run=dry_run)
    Output(as_json).show(
        {"system": known.code, "dry_run": dry_run, **vars(report)},
        lambda console: _render_import(console, report, known, dry_run),
    )
    raise typer.Exit(HELD if report.rejects else 0)


def _rotations(settings: Settings, system: str | None, on: str | None, as_json: bool, *, start: bool) -> None:
    from tasks.accounts.shared import rotation_report

    output, day, known = Output(as_json), _day(on), _system(settings, system)
    if known.rotation is None:
        raise UsageError(
            f"{known.name} has no rotation of passwords", field="--system",
            remedy=f"set [rotation] in account_rules/{known.code}.toml (docs/register.md)",
        )  # fmt: skip
    with place.warehouse(settings) as warehouse:
        done = None
        if start:
            with flow_session(settings, output):
                done = run_flow("shared_account_rotation", "shared_account_rotation", system=known.code, on=day)
        with warehouse.read() as connection:
            lines = rotation_report(connection, known.code, known.rotation, day or settings.business_date())
    names = ("library", "login", "owner", "contact", "rotated_on", "rotation_day", "standing")

    def render(console: Console) -> None:
        if done:
            prose(console, ", ".join(f"{name}: {number}" for name, number in done.items()))
        rows = [[getattr(each, name) for name in names] for each in lines]
        titles = ("library", "login", "owner", "contact", "new password on", "rotation day", "standing")
        print_table(console, f"Shared accounts of {known.name}", titles, rows)

    output.show({"system": known.code, "done": done, "accounts": lines}, render)


@command(app, "retire", "samkat accounts retire --system legimus", "samkat accounts retire --system legimus --start")
def retire(
    system: System = None,
    start: Annotated[bool, typer.Option("--start", help="Do what is due today: tell libraries, switch off.")] = False,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """Show the shared logins that end on the switch date: who still uses one, what replaces it, which lists wait.

    With --start do what is due today. Nothing is switched off before the date of the register.
    """
    from tasks.accounts.shared import retirement_report

    output, settings = Output(as_json), place.settings()
    known, day = _system(settings, system), _day(on)
    with place.warehouse(settings) as warehouse:
        done = None
        if start:
            with flow_session(settings, output):
                done = run_flow(
                    "shared_account_retirement", "shared_account_retirement",
                    system=known.code, on=day, patience_seconds=PATIENCE_SECONDS,
                )  # fmt: skip
        with warehouse.read() as connection:
            lines = retirement_report(connection, known.code)
    switch = known.retirement.on if known.retirement else None

    def render(console: Console) -> None:
        if done:
            prose(console, ", ".join(f"{name}: {number}" for name, number in done.items()))
        columns = ("library", "login", "status", "last used", "personal accounts", "titles on lists", "not saved yet")
        rows = [
            (each.library, each.login, each.status, each.last_used_on, each.personal, each.lists, each.lists_left)
            for each in lines
        ]
        when = f"switched off on {switch}" if switch else "no switch date is set: none is switched off"
        title = f"Shared logins of {known.name}, {when}"
        print_table(console, title, columns, rows)

    output.show({"system": known.code, "switch_on": switch, "done": done, "logins": lines}, render)


@command(app, "show", "samkat accounts show --library SOLB", "samkat accounts show --status expired --system alma")
def show(
    system: System = None,
    library: Annotated[str | None, typer.Option("--library", metavar="SIGEL", help="Only of this library.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only of this status.")] = None,
    as_json: AsJson = False,
) -> None:
    """List accounts as they are now: at most 500, by library and login."""
    from schemas.register.account_rules import ACCOUNT_STATUSES
    from tasks.accounts.showing import accounts

    settings = place.settings()
    known = place.register(settings)
    if library is not None:
        place.known_sigel(library, known)
    if system is not None:
        _system(settings, system)
    if status is not None and status not in ACCOUNT_STATUSES:
        known_statuses = ", ".join(ACCOUNT_STATUSES)
        raise UsageError(f"no account can be {status!r}", field="--status", remedy=f"known are {known_statuses}")
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        rows = accounts(connection, system=system, library=library, status=status)
    names = ("account_id", "system", "library", "login", "kind", "employment", "status", "expires_on", "expiry_rule")
    Output(as_json).show(
        {"accounts": rows},
        lambda console: print_table(
            console, f"{len(rows)} accounts", ("account", *names[1:]), [[row[name] for name in names] for row in rows]
        ),
    )
