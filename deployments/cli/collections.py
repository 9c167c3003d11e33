"""`samkat match-collection`: the whole stock of a joining library, matched against the union catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, FAILED, NEEDS_A_PERSON
from deployments.cli.ingest import adopted
from deployments.cli.options import AsJson, DryRun, Files, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow
from schemas.errors import SamkatError

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.collections.stages import CollectionSummary

PATIENCE_SECONDS = 3600
"""How long a command waits for another collection: nobody else would take up its files."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "match-collection",
        "samkat match-collection stock.mrc --library SOLB --dry-run",
        "samkat match-collection stock.csv --library SOLB --columns isbn=ISBN,title=Titel,shelf_mark=Hylla",
        "samkat match-collection common.csv --library SOLB=Huvudbiblioteket --library LUNV=Lundviken",
    )
    def match_collection(
        files: Files,
        library: Annotated[
            list[str],
            typer.Option(
                "--library", help="Sigel of a library that joins, or SIGEL=WHAT THE FILE CALLS IT. May repeat."
            ),
        ],
        columns: Annotated[
            list[str] | None,
            typer.Option(
                "--columns", help="What a table's columns mean: isbn=ISBN,title=Titel. Of MARC: library=852$b."
            ),
        ] = None,
        create_missing: Annotated[
            bool, typer.Option("--create-missing", help="Ask to make bibs that the catalogue lacks, as well.")
        ] = False,
        dry_run: DryRun = False,
        again: Annotated[
            bool, typer.Option("--again", help="Match anew what was reverted or rejected before.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Match the whole stock of a joining library (MARC, or CSV) against the union catalogue.

        The holdings wait for approval of a plan; no bib is made unless --create-missing asks for it. The library gets
        its results as files: matched, review, not found, bad ISBN, and a report. Ends with 3 when something waits for
        a person, with 4 when a file was rejected.
        """
        from tasks.collections.joining import columns_of, joining, refuse_workbook

        output, settings = Output(as_json), place.settings()
        said = columns_of(columns or [])
        sender = joining(library, said, place.register(settings), settings.business_date()).sender
        paths = place.whole_files(files, settings)
        for path in paths:
            refuse_workbook(path.name)
        with place.warehouse(settings), flow_session(settings, output):
            uris = adopted(settings, paths, sender)
            found = run_flow(
                "collection_match",
                "collection_match",
                libraries=library,
                uris=uris,
                columns=said,
                create_missing=create_missing,
                dry_run=dry_run,
                again=again,
                patience_seconds=PATIENCE_SECONDS,
            )
        if found is None:
            raise SamkatError(
                f"another run has been at a collection for {PATIENCE_SECONDS // 60} minutes",
                remedy="give the command again when it has ended; nothing has been done yet",
            )
        document = {"dry_run": dry_run, "collections": found}
        output.show(document, lambda console: _render(console, found, dry_run))
        raise typer.Exit(_exit_code(found))


def _exit_code(found: list[CollectionSummary]) -> int:
    if any(each.state == "rejected" for each in found):
        return FAILED
    return NEEDS_A_PERSON if any(each.is_held for each in found) else DONE


def _render(console: Console, found: list[CollectionSummary], dry_run: bool) -> None:
    names = ("matched", "review", "not_found", "bad_isbn", "unreadable")
    title = "What would be found (nothing was settled)" if dry_run else "What was found"
    columns = ("delivery", "libraries", "file", "rows", *(each.replace("_", " ") for each in names))
    rows = [
        (
            each.delivery_id,
            each.sender,
            each.name,
            sum(each.endings.values()) or None,
            *(each.endings.get(name) for name in names),
        )
        for each in found
    ]
    print_table(console, title, columns, rows, whole=("libraries",))
    for each in found:
        if each.state == "rejected":
            prose(console, f"Delivery {each.delivery_id} is rejected: {each.reason}")
        prose(console, *(f"Note: {remark}" for remark in each.remarks))
        prose(console, *(f"  {uri}" for uri in each.files.values()))
        if dry_run and each.endings:
            prose(console, "Run it again without --dry-run, and its holdings wait for approval.")
        elif each.is_held:
            prose(
                console,
                f"Plan {each.plan_hash[:8]} waits: {each.reason}",
                f"Attach them: `samkat plans approve {each.plan_hash[:8]} --by NAME`",
            )
        elif each.state == "reverted":
            prose(console, "It was reverted: --again matches it anew.")
        elif each.plan_state:
            prose(console, f"Plan {each.plan_hash[:8]} is {each.plan_state}.")
        if each.endings.get("review") and not dry_run and each.state != "reverted":
            prose(console, "Rows in review: fill in `decision` in review.csv, `samkat review decide --csv` takes it.")
