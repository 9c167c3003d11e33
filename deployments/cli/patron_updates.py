"""`samkat patrons update` and `samkat patrons tokens`: instant updates from a file, and who may send them by HTTP."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.failing import DONE, FAILED, NEEDS_A_PERSON
from deployments.cli.options import AsJson, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.patrons import app
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from schemas.register.patron_sources import PatronSource
    from schemas.summaries import UpdateSummary
    from tasks.patrons.instant_reading import Form
    from tasks.warehouse.engine import Warehouse

tokens_app = group("Tokens of institutions for the intake service.")
SUFFIXES: dict[str, Form] = {".json": "json", ".jsonl": "json", ".xml": "xml"}
MAX_FILE_BYTES = 16 * 1024 * 1024

Source = Annotated[str, typer.Option("--source", help="Code of the patron source, as in the register.")]


app.add_typer(tokens_app, name="tokens")


@command(
    app,
    "update",
    "samkat patrons update new-students.json --source VESTSTUD",
    "samkat patrons update phones.json --source VESTSTUD --patch",
)
def updates(
    file: Annotated[Path, typer.Argument(help="A JSON or XML file of one person, or of several.")],
    source: Source,
    patch: Annotated[bool, typer.Option("--patch", help="What a person lacks stays as it is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Carry out instant updates from a file, each by itself, as the intake service would.

    The same file again changes nothing. Ends with 3 when an update waits, with 4 when one was refused.
    """
    settings = place.settings()
    known = place.known_patron_source(source, place.register(settings))
    (path,) = place.whole_files([file], settings)
    with place.warehouse(settings) as warehouse:
        rows, reported = _carried_out(warehouse, settings, known, path, is_patch=patch)
    counts = Counter(str(each["state"]) for each in rows)
    document = {"source": source, "updates": rows, "reports": reported}
    Output(as_json).show(document, lambda console: _render(console, source, rows, reported))
    if counts["refused"]:
        raise typer.Exit(FAILED)
    raise typer.Exit(NEEDS_A_PERSON if counts["held"] or counts["waiting"] else DONE)


def _carried_out(
    warehouse: Warehouse, settings: Settings, source: PatronSource, path: Path, *, is_patch: bool
) -> tuple[list[dict[str, Any]], list[UpdateSummary]]:
    """What became of each person of a file, in its order, and the plans of what is held."""
    import uuid

    from schemas.patrons import RejectedRow
    from tasks.patrons.applying import PATRONS_LOCK
    from tasks.patrons.instant import carry_out, instant_of
    from tasks.patrons.instant_batch import report
    from tasks.patrons.instant_reading import Method, read_persons_of_file
    from tasks.patrons.person_draft import RowRejectedError
    from tasks.patrons.receipts import COMMAND_LINE, Asked
    from tasks.workplace import Workplace

    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UsageError("its name does not say what it is", file=str(path), remedy="name it .json, .jsonl or .xml")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(
            f"has more than {MAX_FILE_BYTES:,} bytes", file=str(path), remedy="send it as a file: samkat patrons sync"
        )
    content = path.read_bytes()
    method: Method = "PATCH" if is_patch else "PUT"
    try:
        found = read_persons_of_file(content, form, method, source)
    except RowRejectedError as error:
        raise UsageError(error.cause, file=str(path), field=error.field, remedy=error.remedy) from None
    digest = hashlib.sha256(method.encode() + content).digest()
    at = Workplace(settings)
    instant = instant_of(warehouse, at.register, at.today, at.patron_salt)
    rows: list[dict[str, Any]] = []
    for number, person in enumerate(found, start=1):
        if isinstance(person, RejectedRow):
            rows.append(_row(number, "refused", person.rule, f"{person.field or 'it'} {person.cause}", None))
            continue
        key = f"file:{digest.hex()}:{number}"
        asked = Asked(source.institution, source.code, method, person, COMMAND_LINE, key, digest)
        receipt = carry_out(instant, asked, at.now)
        rows.append(_row(number, receipt.state, receipt.rule, receipt.reason, receipt.receipt_id))
    with warehouse.write(PATRONS_LOCK) as connection:
        reported = report(connection, instant, str(uuid.uuid4()), at.now)
    return rows, [each for each in reported if each.is_held]


def _row(number: int, state: str, rule: str, reason: str, receipt_id: int | None) -> dict[str, Any]:
    return {"number": number, "state": state, "rule": rule, "reason": reason, "receipt_id": receipt_id}


def _render(console: Console, source: str, rows: Sequence[dict[str, Any]], held: Sequence[UpdateSummary]) -> None:
    counts = Counter(each["rule"] if each["state"] == "done" else each["state"] for each in rows)
    print_table(console, f"Instant updates of {source}", ("what became of them", "updates"), sorted(counts.items()))
    for each in rows:
        if each["state"] != "done":
            prose(console, f"No. {each['number']}: {each['state']}, {each['rule']}: {each['reason']}")
    for one in held:
        shown = one.plan_hash[:12]
        prose(console, f"Decide: samkat plans approve {shown} --by NAME, or samkat plans reject {shown} --by NAME")


@command(
    tokens_app,
    "add",
    "samkat patrons tokens add --source VESTSTUD --name 'student register'",
    "samkat patrons tokens add --source VESTSTUD --name 'a test' --until 2026-12-31",
)
def add(
    source: Source,
    name: Annotated[str, typer.Option("--name", help="What people call it: who holds it, and what for.")],
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day on which it is taken.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for a source. It is shown this once, and kept nowhere but as a hash."""
    from tasks.patrons.intake_tokens import add_token
    from tasks.workplace import Workplace

    settings = place.settings()
    known = place.known_patron_source(source, place.register(settings))
    last = until.date() if until is not None else None
    if last is not None and last < settings.business_date():
        raise UsageError("is over already", field="--until", remedy="name a day to come")
    with place.warehouse(settings) as warehouse, warehouse.write() as connection:
        token_id, token = add_token(connection, known.institution, source, name, Workplace(settings).now, last)
    document = {"token_id": token_id, "institution": known.institution, "source": source, "token": token}
    Output(as_json).show(
        document,
        lambda console: prose(
            console,
            f"Token {token_id} of {source} at {known.institution}, shown this once:",
            token,
        ),
    )


@command(tokens_app, "list", "samkat patrons tokens list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens there are and were, and until when each is taken."""
    from tasks.patrons.intake_tokens import tokens

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = tokens(connection)
    today = settings.business_date()
    rows = [
        {
            "token_id": each.token_id,
            "institution": each.institution,
            "source": each.source,
            "name": each.name,
            "created_at": each.created_at,
            "expires_on": each.expires_on,
            "revoked_at": each.revoked_at,
            "state": _state(each.revoked_at, each.expires_on, today),
        }
        for each in found
    ]

    def render(console: Console) -> None:
        columns = ("token", "institution", "source", "name", "since", "until", "state")
        cells = [
            (
                *(row[name] for name in ("token_id", "institution", "source", "name")),
                *(place.moment(each.created_at, settings), row["expires_on"], row["state"]),
            )
            for row, each in zip(rows, found, strict=True)
        ]
        print_table(console, f"{len(rows)} tokens of the intake service", columns, cells)

    Output(as_json).show({"tokens": rows}, render)


def _state(revoked_at: datetime | None, expires_on: date | None, today: date) -> str:
    if revoked_at is not None:
        return "revoked"
    return "expired" if expires_on is not None and expires_on < today else "taken"


@command(tokens_app, "revoke", "samkat patrons tokens revoke 3")
def revoke(
    token_id: Annotated[int, typer.Argument(metavar="NUMBER", help="The token's number, as the list shows it.")],
    as_json: AsJson = False,
) -> None:
    """Take a token no more, from the next seconds on; again changes nothing."""
    from tasks.patrons.intake_tokens import revoke_token
    from tasks.workplace import Workplace

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.write() as connection:
        is_new = revoke_token(connection, token_id, Workplace(settings).now)
    said = "is revoked" if is_new else "was revoked before"
    Output(as_json).show(
        {"token_id": token_id, "revoked": is_new}, lambda console: prose(console, f"Token {token_id} {said}.")
    )
