"""`samkat patrons reviews` and `decide`: what of persons waits for somebody to look, and the decisions on it.

The list tells persons by keyed hashes, unless who asks may see persons and wants their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.patron_desk import ByWhom, at_the_desk
from deployments.cli.patrons import app
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from schemas.register.patron_sources import PatronSource
    from schemas.register.register import Register
    from tasks.patrons.questions import RowQuestion, ValueQuestion
    from tasks.warehouse.engine import Warehouse

Number = Annotated[
    str, typer.Argument(metavar="ID", help="Number of the question: of a value 4711, of a row of a file 12:345.")
]


@command(app, "reviews", "samkat patrons reviews", "samkat patrons reviews --institution NORU --with-ids")
def reviews(
    institution: Annotated[str | None, typer.Option("--institution", help="Only of this institution.")] = None,
    with_ids: Annotated[
        bool, typer.Option("--with-ids", help="Primary ids in place of keyed hashes: for who may see persons.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what of persons waits for somebody: values that a source says anew, and rows that fit several persons.

    Persons are shown as keyed hashes; --with-ids shows primary ids, for who has to decide.
    """
    from tasks.patrons.questions import row_questions, value_questions

    settings = place.settings()
    shown = _plain if with_ids else _hashed(_salt(settings))
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        values = value_questions(connection, shown, institution)
        rows = row_questions(connection, institution)
    document = {"values": [_value(each) for each in values], "rows": rows}
    Output(as_json).show(document, lambda console: _render(console, values, rows))


def _salt(settings: Settings) -> bytes:
    from tasks.salt import salt_in

    given = settings.patron_salt
    return given.get_secret_value().encode() if given is not None else salt_in(settings.home)


def _hashed(salt: bytes) -> Any:
    from tasks.salt import shown_id

    return lambda institution, key: shown_id(salt, institution, key)


def _plain(institution: str, key: str) -> str:
    return key


def _value(each: ValueQuestion) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(each)


def _render(console: Console, values: list[ValueQuestion], rows: list[RowQuestion]) -> None:
    if not values and not rows:
        prose(console, "Nothing of persons waits for anybody.")
        return
    if values:
        columns = ("id", "since", "institution", "person", "path", "source", "why")
        lines = [
            (
                each.number,
                each.asked_on,
                each.institution,
                each.person,
                f"{each.path} {each.item_type}".strip(),
                each.source,
                each.reason,
            )
            for each in values
        ]
        print_table(console, f"{len(values)} values that a source says anew", columns, lines)
        prose(console, "Decide: samkat patrons decide ID --keep (ours stays) or --take (the source's), --by NAME", "")
    if rows:
        titles = ("id", "day", "source", "file", "line", "who decides", "why")
        found = [
            (
                each.number,
                each.asked_on,
                each.source,
                each.file,
                each.line,
                "staff" if each.is_for_staff else "the sender",
                each.reason,
            )
            for each in rows
        ]
        print_table(console, f"{len(rows)} rows that could not be placed", titles, found)
        prose(console, "Decide: samkat patrons decide ID --same ANY-ID-OF-THE-PERSON or --new, --by NAME")


@command(
    app,
    "decide",
    'samkat patrons decide 4711 --keep --by "Anna Berg"',
    'samkat patrons decide 4711 --take --by "Anna Berg"',
    'samkat patrons decide 12:345 --same u1234@nordhavet.example --by "Anna Berg"',
    'samkat patrons decide 12:345 --new --by "Anna Berg"',
)
def decide(
    number: Number,
    by: ByWhom,
    keep: Annotated[
        bool, typer.Option("--keep", help="Of a value: ours stays, until the source says another.")
    ] = False,
    take: Annotated[bool, typer.Option("--take", help="Of a value: the source's; what protects ours ends.")] = False,
    same: Annotated[str | None, typer.Option("--same", help="Of a row: it is about the person with this id.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Of a row: it is about nobody whom we have.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide about a value or a row of `samkat patrons reviews`; the source's next file follows it.

    The decision is a row of its own, with who decided. That the next file will place a row so is tried first.
    """
    if sum((keep, take, same is not None, new)) != 1:
        raise UsageError("there is no one decision", remedy="give one of --keep, --take, --same ID, --new")
    is_of_row = ":" in number
    if is_of_row != (new or same is not None):
        meant = "--same ID or --new" if is_of_row else "--keep or --take"
        raise UsageError("is no decision about this", field="ID", remedy=f"give {meant}")
    settings = place.settings()
    known = place.register(settings)
    with place.warehouse(settings) as warehouse:
        done = (
            _decide_row(warehouse, settings, known, number, same, by)
            if is_of_row
            else _decide_value(warehouse, settings, known, number, "keep" if keep else "take", by)
        )
    document = {"id": number, "rule": done.rule, "run_id": done.run_id, "person_id": done.person_id}
    Output(as_json).show(
        document, lambda console: prose(console, f"Decided ({done.rule}): the source's next file follows it.")
    )


def _decide_value(warehouse: Warehouse, settings: Settings, known: Register, number: str, answer: Any, by: str) -> Any:
    from tasks.patrons.answering import answer_value
    from tasks.patrons.questions import value_questions

    if not number.isdigit():
        raise UsageError("is no number of a question", field="ID", remedy="`samkat patrons reviews` shows them")
    with warehouse.read() as connection:
        found = value_questions(connection, lambda *_: "", number=int(number))
    if not found:
        raise UsageError("no such question is open", field="ID", remedy="`samkat patrons reviews` shows what is open")
    return answer_value(at_the_desk(warehouse, settings, known, found[0].institution, by), int(number), answer)


def _decide_row(
    warehouse: Warehouse, settings: Settings, known: Register, number: str, same: str | None, by: str
) -> Any:
    from tasks.landing.opening import open_zone
    from tasks.patrons.answering import answer_row

    source = _source_of(warehouse, known, number)
    desk = at_the_desk(warehouse, settings, known, source.institution, by)
    return answer_row(desk, open_zone(settings.landing_url), source, number, same, _salt(settings))


def _source_of(warehouse: Warehouse, known: Register, number: str) -> PatronSource:
    from tasks.patrons.questions import row_questions

    with warehouse.read() as connection:
        found = {each.number: each.source for each in row_questions(connection)}
    source = known.patron_source_by_code.get(found.get(number, ""))
    if source is None:
        raise UsageError("no such question is open", field="ID", remedy="`samkat patrons reviews` shows what is open")
    return source
