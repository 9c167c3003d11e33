"""`samkat patrons disclose`, `erase`, `obligations`: what a person may ask of who holds data about them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, NEEDS_A_PERSON
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.patron_desk import ByWhom, Institution, PersonId, occasion_of
from deployments.cli.patrons import app
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.privacy.asked import Asked
    from tasks.privacy.obligations import Taken


@command(app, "disclose", "samkat patrons disclose NORU u1234@nordhavet.example --out u1234.json")
def disclose(
    institution: Institution,
    person: PersonId,
    out: Annotated[Path, typer.Option("--out", help="File to write, as JSON; a text for people is written beside it.")],
    as_json: AsJson = False,
) -> None:
    """Write everything that is held about a person to a file: values, history, protection, decisions, files, e-mails.

    The files are readable by you alone. Hand them to the person and to nobody else, and delete them.
    """
    from tasks.patrons.desk import find_person
    from tasks.privacy import disclosing

    settings = place.settings()
    known = place.register(settings)
    occasion = occasion_of(settings, known, institution)
    beside = out.with_suffix(".txt")
    if beside == out:
        raise UsageError("is the name of the text beside it", file=str(out), remedy="end the name with .json")
    for each in (out, beside):
        if each.exists():
            raise UsageError("is there already", file=str(each), remedy="give another name")
    with place.warehouse(settings) as warehouse, warehouse.snapshot() as connection:
        person_id = find_person(connection, institution, person, occasion.day)
        document = disclosing.disclose(connection, person_id, known, datetime.now(UTC))
    _write(out, disclosing.as_json(document))
    _write(beside, disclosing.as_text(document).encode())
    rows = {name: len(section["rows"]) for name, section in document.items() if "rows" in section}
    Output(as_json).show(
        {"files": [out, beside], "rows": rows},
        lambda console: prose(
            console, f"{out} and {beside} hold:", *(f"  {name}: {number}" for name, number in rows.items() if number)
        ),
    )


def _write(path: Path, content: bytes) -> None:
    """A new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


@command(
    app,
    "erase",
    'samkat patrons erase NORU u1234@nordhavet.example --by "Anna Berg" --reason "asked for it by letter"',
)
def erase(
    institution: Institution,
    person: PersonId,
    by: ByWhom,
    reason: Annotated[str, typer.Option("--reason", help="Why, in words that say nothing about the person.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what stands against it, erase nobody.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person everywhere, before the purge date, where nothing stands against it. It cannot be undone.

    Ends with 3 where loans, a balance, requests, staff roles or a file that waits stand against it.
    """
    from tasks.landing.opening import open_zone
    from tasks.privacy.asked import erase_on_request
    from tasks.privacy.erasing import Erasing
    from tasks.salt import salt_in

    settings = place.settings()
    known = place.register(settings)
    occasion = occasion_of(settings, known, institution)
    given = settings.patron_salt
    salt = given.get_secret_value().encode() if given is not None else salt_in(settings.home)
    why = f"{reason}, by {by}"
    run_id, now = f"desk-{os.urandom(6).hex()}", datetime.now(UTC)
    erasing = Erasing(known, salt, occasion.day, settings.as_of(), now, run_id, why)
    zone = open_zone(settings.landing_url)
    with place.warehouse(settings) as warehouse:
        found = erase_on_request(warehouse, zone, settings.outbox, institution, person, erasing, dry_run=dry_run)
    document = {"dry_run": dry_run, "obstacles": found.obstacles, "erased": found.erased, "files": found.files}
    target = known.patron_target_by_institution.get(institution)
    has_system = target is not None and target.kind != "warehouse"
    Output(as_json).show(document, lambda console: _render_erased(console, found, has_system))
    raise typer.Exit(NEEDS_A_PERSON if found.obstacles else DONE)


def _render_erased(console: Console, found: Asked, has_system: bool) -> None:
    if found.obstacles:
        prose(console, "Nobody was erased:", *(f"  {each}" for each in found.obstacles))
    elif found.erased is None:
        prose(console, "Nothing stands against it (nobody was erased).")
    else:
        prose(console, "The person is erased.")
        counts = {**found.erased.counts, **(found.files or {})}
        prose(console, *(f"  {name}: {number}" for name, number in counts.items() if number))
        if has_system:
            prose(console, "The library system keeps the user until it is purged there.")


@command(
    app,
    "obligations",
    "samkat patrons obligations owed_20250314.csv --institution NORU",
    "samkat patrons obligations owed_20250314.csv --institution NORU --as-of 2025-03-14T04:00",
)
def obligations(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a head, as the library system exports it.")],
    institution: Annotated[str, typer.Option("--institution", help="Code of the institution, as in the register.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
            help="When the library system said so, in the consortium's time zone; none: as old as the file.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in what persons and their library owe each other: without it nobody is erased.

    The columns are primary_id, loans, balance, requests, on_hold_shelf and staff_roles, in any order. Ends with 3 where
    a row could not be taken; the others are.
    """
    from zoneinfo import ZoneInfo

    from tasks.privacy.obligations import take_obligations

    settings = place.settings()
    occasion_of(settings, place.register(settings), institution)
    (path,) = place.plain_files([file])
    zone = ZoneInfo(settings.timezone)
    when = datetime.fromtimestamp(path.stat().st_mtime, zone) if as_of is None else as_of.replace(tzinfo=zone)
    try:
        with place.warehouse(settings) as warehouse, path.open(encoding="utf-8-sig", newline="") as lines:
            taken = take_obligations(warehouse, institution, lines, when, path.name)
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8", file=path.name, remedy="have it written in UTF-8") from None
    Output(as_json).show(taken, lambda console: _render_taken(console, taken))
    raise typer.Exit(NEEDS_A_PERSON if taken.bad else DONE)


def _render_taken(console: Console, taken: Taken) -> None:
    prose(console, f"{taken.taken} of {taken.rows} rows taken; {taken.unknown} about nobody who is known here.")
    if taken.bad:
        print_table(console, "Not taken", ("line", "column", "why"), taken.bad[:50])
        if len(taken.bad) > 50:
            prose(console, f"and {len(taken.bad) - 50} more: --json has them.")
