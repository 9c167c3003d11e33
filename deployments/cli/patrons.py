"""`samkat patrons`: files of persons merged into what staff wrote, and what is known of one person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, FAILED, NEEDS_A_PERSON
from deployments.cli.ingest import PATIENCE_SECONDS, adopted
from deployments.cli.options import AsJson, DryRun, Files, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow
from schemas.errors import SamkatError

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.register.patron_sources import PatronSource
    from schemas.summaries import PatronSummary

app = group("Persons: what their institutions send, and what staff wrote.")

OnDay = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Business date, in place of the calendar's.")
]


@command(
    app,
    "sync",
    "samkat patrons sync NORUPERS_20250303.txt --source NORUPERS",
    "samkat patrons sync VESTSTUD_20250303.zip --source VESTSTUD --dry-run",
)
def sync(
    files: Files,
    source: Annotated[str, typer.Option("--source", help="Code of the patron source, as in the register.")],
    on: OnDay = None,
    dry_run: DryRun = False,
    again: Annotated[bool, typer.Option("--again", help="Take a file that was reverted or rejected before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Merge files of persons of one source into what staff and other sources have written.

    The oldest day first. A manifest that lies beside a file is taken along. Ends with 3 when a file, or a class of its
    changes, waits for approval, with 4 when a file was rejected.
    """
    if on is not None:
        place.set_today(on.date())
    output, settings = Output(as_json), place.settings()
    known = place.known_patron_source(source, place.register(settings))
    paths = place.whole_files(files, settings)
    with place.warehouse(settings), flow_session(settings, output):
        found: list[PatronSummary] | None = run_flow(
            "patron_sync",
            "patron_sync",
            source=source,
            uris=adopted(settings, _with_manifests(paths, known), source),
            dry_run=dry_run,
            again=again,
            patience_seconds=PATIENCE_SECONDS,
        )
    if found is None:
        raise SamkatError(
            f"another run has been at {source}'s files for {PATIENCE_SECONDS // 60} minutes",
            remedy="give the command again when it has ended; nothing has been done yet",
        )
    output.show({"source": source, "dry_run": dry_run, "files": found}, lambda console: render_files(console, found))
    raise typer.Exit(_exit_code(found))


def _with_manifests(paths: Sequence[Path], source: PatronSource) -> list[Path]:
    suffix = source.file.manifest
    beside = [path.with_name(path.name + suffix) for path in paths if suffix] if suffix else []
    return list(dict.fromkeys([*paths, *(path for path in beside if path.is_file())]))


def _exit_code(found: Sequence[PatronSummary]) -> int:
    if any(each.state == "rejected" for each in found):
        return FAILED
    return NEEDS_A_PERSON if any(each.is_held and not each.is_preview for each in found) else DONE


def render_files(console: Console, found: Sequence[PatronSummary]) -> None:
    """A table of files of persons with what became of their rows, and why something waits."""
    columns = (
        *("file", "institution", "day", "state", "rows", "as before", "new", "changed", "kept", "held"),
        *("quarantined", "unreadable", "missing", "moved"),
    )
    rows = [
        (
            each.delivery_id,
            each.institution,
            each.business_date,
            _state(each),
            *each.rows.values(),
            each.missing,
            each.moved,
        )
        for each in found
    ]
    print_table(console, "Persons: what came, and what became of it", columns, rows)
    for each in found:
        if each.reason:
            prose(console, f"File {each.delivery_id}: {each.reason}")
        if each.plan_hash:
            shown = each.plan_hash[:12]
            prose(console, f"Decide: samkat plans approve {shown} --by NAME, or samkat plans reject {shown} --by NAME")
    if not found:
        prose(console, "Nothing was there to be taken.")


def _state(each: PatronSummary) -> str:
    if each.is_preview:
        return "looked at only"
    return f"{each.state}, {' and '.join(each.held)} held" if each.held and each.state != "held" else each.state
