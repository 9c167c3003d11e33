"""`samkat export`: what changed in the catalogue, as files for the libraries' local systems."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, DryRun, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.exports.report import ExportLine

PATIENCE_SECONDS = 600
"""How long a command waits for an export that is under way."""
_INSTANT = "ISO 8601: a day (2025-03-14) or a moment (2025-03-14T18:00)"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "export",
        "samkat export",
        "samkat export --dry-run",
        "samkat export --profile solberg --since 2025-03-10 --until 2025-03-12",
    )
    def export(
        profile: Annotated[str | None, typer.Option("--profile", help="Only this profile; else all enabled.")] = None,
        since: Annotated[
            str | None, typer.Option("--since", help="Send a past window again, from this day or moment.")
        ] = None,
        until: Annotated[
            str | None, typer.Option("--until", help="End of that window: a day is taken whole; else now.")
        ] = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Send the local systems what changed since their last file, a file a profile of the register.

        With --since or --until a past window is sent again, as its bibs are now; the next nightly file is as if
        nothing had been sent. A file that is there is never written over.
        """
        output, settings = Output(as_json), place.settings()
        known = place.register(settings)
        if profile is not None:
            place.known_export_profile(profile, known)
        window = {"since": _instant("--since", since), "until": _instant("--until", until, is_end=True)}
        with place.warehouse(settings), flow_session(settings, output):
            report = run_flow(
                "local_export",
                "local_export",
                profile=profile,
                **window,
                dry_run=dry_run,
                patience_seconds=PATIENCE_SECONDS,
            )
        lines = report.lines if report is not None else []
        document = {"dry_run": dry_run, "exports": lines}
        output.show(document, lambda console: _render(console, lines, report is None, dry_run))


def _instant(option: str, text: str | None, *, is_end: bool = False) -> datetime | None:
    """An option's moment; without a zone it is one of the consortium's. A day ends at its last moment."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day or moment", field=option, remedy=_INSTANT) from None
    if is_end and len(text) <= len("2025-03-14"):
        return found.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return found


def _render(console: Console, lines: list[ExportLine], is_busy: bool, dry_run: bool) -> None:
    from tasks.exports.report import SHOWN

    if is_busy:
        prose(console, "Another export is at it: nothing was done here.")
        return
    if not lines:
        prose(console, "No profile is enabled: see export_profiles.toml of the register.")
        return
    title = "What would be sent (nothing was kept)" if dry_run else "What the local systems got"
    columns = ("profile", "state", "records", *SHOWN.values(), "bytes")
    rows = [
        (
            each.profile,
            each.state,
            each.counts["records"],
            *(each.counts[name] or "" for name in SHOWN),
            each.bytes,
        )
        for each in lines
    ]
    print_table(console, title, columns, rows, whole=("profile",))
    prose(console, *(f"  {each.profile}: {each.uri}" for each in lines if each.uri))
    prose(console, *(f"  {each.profile}: {each.reason}" for each in lines if each.reason))
