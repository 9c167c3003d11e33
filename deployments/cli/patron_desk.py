"""`samkat patrons protect`, `release`, `edit`, `show`: one person, as staff at the desk ask for them.

What is printed here shows a person: it is for the one who asked, and is in no log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, plain, print_table, prose
from deployments.cli.patrons import app
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from schemas.register.register import Register
    from tasks.patrons.desk import AtTheDesk, Done, Entered
    from tasks.patrons.occasion import Occasion
    from tasks.patrons.shown import ShownPath, ShownPerson
    from tasks.warehouse.engine import Warehouse

Institution = Annotated[str, typer.Argument(metavar="INSTITUTION", help="Code of the institution, as in the register.")]
PersonId = Annotated[str, typer.Argument(metavar="ID", help="Primary id of the person, or another id that is theirs.")]
PathName = Annotated[str, typer.Argument(metavar="PATH", help="Path of the person; docs/patron-formats.md lists them.")]
ByWhom = Annotated[str, typer.Option("--by", help="Who does it: name or e-mail. It is kept with what is done.")]
NewValue = Annotated[
    str | None, typer.Option("--value", help="The value: a text, YYYY-MM-DD, yes or no; of an item also JSON.")
]
Null = Annotated[bool, typer.Option("--null", help="There is no value. Of a list: no item, or none of the type.")]
ItemType = Annotated[str, typer.Option("--item-type", help="Of a list: the type of the item, as home or work.")]


@command(
    app,
    "protect",
    'samkat patrons protect NORU u1234@nordhavet.example pref_first_name --by "Anna Berg" --reason "asked for it"',
    'samkat patrons protect FJOR 2000417 emails --item-type personal --null --by "Anna Berg" --reason "bounces"',
)
def protect(
    institution: Institution,
    person: PersonId,
    path: PathName,
    by: ByWhom,
    reason: Annotated[str, typer.Option("--reason", help="Why, in words; it says nothing of the person's life.")],
    value: NewValue = None,
    null: Null = False,
    item_type: ItemType = "",
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day; none: until it is released.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Protect a value of a person against every source: as it is now, or at --value or --null.

    It stands until it is released, whatever the source repeats.
    """
    from tasks.patrons import desk

    settings = place.settings()
    known = place.register(settings)
    entered = _entered(value, null, item_type)
    last = until.date() if until is not None else None
    with place.warehouse(settings) as warehouse:
        at = at_the_desk(warehouse, settings, known, institution, by)
        done = desk.protect(at, institution, person, path, entered, reason=reason, until=last, item_type=item_type)
    _said(Output(as_json), done, f"{path} is protected", f"{path} was protected so already")


@command(app, "release", 'samkat patrons release NORU u1234@nordhavet.example pref_first_name --by "Anna Berg"')
def release(
    institution: Institution,
    person: PersonId,
    path: PathName,
    by: ByWhom,
    item_type: ItemType = "",
    as_json: AsJson = False,
) -> None:
    """End the protection of a value of a person; what its sources say is merged again with their next files."""
    from tasks.patrons import desk

    settings = place.settings()
    known = place.register(settings)
    with place.warehouse(settings) as warehouse:
        at = at_the_desk(warehouse, settings, known, institution, by)
        done = desk.release(at, institution, person, path, item_type=item_type)
    _said(Output(as_json), done, f"{path} is not protected any more", f"{path} was not protected")


@command(
    app,
    "edit",
    'samkat patrons edit FJOR 2000417 pref_first_name --value Kari --by "Ola Vik"',
    'samkat patrons edit FJOR 2000417 phones --item-type mobile --value "+47 900 00 000" --by "Ola Vik"',
)
def edit(
    institution: Institution,
    person: PersonId,
    path: PathName,
    by: ByWhom,
    value: NewValue = None,
    null: Null = False,
    item_type: ItemType = "",
    as_json: AsJson = False,
) -> None:
    """Enter a value of a person, where the warehouse is the place of edits. Its sources do not write over it.

    Where the institution has a library system, edit there: it is read back on the next night.
    """
    from tasks.patrons import desk

    settings = place.settings()
    known = place.register(settings)
    entered = _entered(value, null, item_type)
    if entered is None:
        raise UsageError("there is nothing to enter", field="--value", remedy="give --value or --null")
    target = known.patron_target_by_institution.get(institution)
    with place.warehouse(settings) as warehouse:
        at = at_the_desk(warehouse, settings, known, institution, by)
        done = desk.edit(at, target, institution, person, path, entered)
    _said(Output(as_json), done, f"{path} is entered", f"{path} was so already")


@command(app, "show", "samkat patrons show NORU u1234@nordhavet.example")
def show(institution: Institution, person: PersonId, as_json: AsJson = False) -> None:
    """Show a person: what each source says, what was written and what is there, side by side; why, and what is due."""
    from tasks.patrons.desk import find_person
    from tasks.patrons.shown import show_person

    settings = place.settings()
    known = place.register(settings)
    occasion = occasion_of(settings, known, institution)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = show_person(connection, find_person(connection, institution, person, occasion.day), occasion)
    Output(as_json).show(found, lambda console: render_person(console, found))


def at_the_desk(warehouse: Warehouse, settings: Settings, known: Register, institution: str, by: str) -> AtTheDesk:
    """Who does something now, under the rules of the institution. Raises `UsageError` for one that is not known."""
    from tasks.patrons.desk import AtTheDesk

    return AtTheDesk(warehouse, occasion_of(settings, known, institution), datetime.now(UTC), by)


def occasion_of(settings: Settings, known: Register, institution: str) -> Occasion:
    """Staff ask, today. Raises `UsageError` for an institution that sends no persons."""
    from tasks.patrons.occasion import Occasion

    ranks = {each.code: each.precedence for each in known.patron_sources if each.institution == institution}
    if not ranks:
        codes = ", ".join(sorted({each.institution for each in known.patron_sources}))
        raise UsageError(f"no institution has the code {institution!r}", remedy=f"known codes: {codes}")
    return Occasion(settings.business_date(), institution, None, known.patron_policy, ranks)


def _entered(value: str | None, null: bool, item_type: str) -> Entered | None:
    from tasks.patrons.desk import Entered

    if value is not None and null:
        raise UsageError("--value and --null are two answers", field="--null", remedy="give one of the two")
    return Entered(value, item_type) if value is not None or null else None


def _said(output: Output, done: Done, news: str, nothing: str) -> None:
    rows = [{"path": each.path, "type": each.item_type, "rule": each.rule} for each in done.changes]
    document = {"person_id": done.person_id, "version": done.version, "run_id": done.run_id, "changes": rows}
    output.show(document, lambda console: prose(console, f"{news if rows else nothing} (version {done.version})."))


def render_person(console: Console, found: ShownPerson) -> None:
    """The person for people."""
    standing = found.standing
    prose(
        console,
        f"{found.primary_id} at {found.institution}, version {found.version}: {standing.state} since {standing.since}",
        f"  last valid day {standing.expires_on or 'none'} ({found.expiry_rule or 'nobody has said'}), "
        f"purge from {standing.purge_on or 'no day'}, next looked at {found.look_on or 'never by time alone'}",
        *(["  protected identity"] if found.is_confidential else []),
        *(["  made at the desk, waits for its first feed"] if found.is_desk_stub else []),
    )
    for each in found.identifiers:
        until = f" until {each['to']}" if each["to"] else ""
        prose(
            console,
            f"  id {each['type']}: {each['value']} ({each['source'] or 'searches'}), from {each['from']}{until}",
        )
    columns = ("source", "user_group", "library", "department", "valid_from", "valid_to", "missing_since", "left_on")
    rows = [[str(each[name] or "") for name in columns] for each in found.sources]
    print_table(console, "Sources", [each.replace("_", " ") for each in columns], rows)
    shown = ("path", "source says (B)", "written (W)", "there (C)", "mode", "last rule", "protected")
    print_table(console, "Values", shown, (_path_row(each) for each in found.paths))


def _path_row(each: ShownPath) -> tuple[str, ...]:
    said = "\n".join(f"{code}: {shown_value(value)}" for code, value in each.said.items())
    locks = "\n".join(_words(each))
    rule = f"{each.rule} ({each.decided})" if each.rule else ""
    return each.path, said, shown_value(each.written), shown_value(each.current), each.mode, rule, locks


def _words(each: ShownPath) -> Iterable[str]:
    for lock in each.locks:
        kind = f" {lock.item_type}" if lock.item_type else ""
        yield f"{lock.kind}{kind} by {lock.by}{f' until {lock.until}' if lock.until else ''}: {lock.reason}"


def shown_value(value: Any) -> str:
    """A value of a person as people read it; a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return "\n".join(shown_value(each) for each in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown_value(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False).strip('"')
