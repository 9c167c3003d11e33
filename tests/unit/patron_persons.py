"""Fictional persons, rows of their sources, and occasions, for the tests of the plan of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from schemas.patrons import Affiliation, Identifier, IncomingPerson, ListItem, Position, ProtectionOrder, Value
from schemas.register.patron_policy import PatronPolicy
from tasks.patrons.keys import item_key, text_key
from tasks.patrons.lifecycle import Snapshot
from tasks.patrons.occasion import Occasion, PlannedPerson
from tasks.patrons.person_plan import plan_person
from tasks.patrons.records import PersonRecord
from tests.unit.patron_samples import source

DAY = date(2025, 3, 14)
POLICY = PatronPolicy()
FIELD = {"emails": "email_address", "phones": "phone_number", "user_identifiers": "value", "user_notes": "note_text"}


def occasion(
    code: str | None = "NORUPERS",
    day: date = DAY,
    policy: PatronPolicy = POLICY,
    *,
    is_complete: bool = True,
    ranks: Mapping[str, int] | None = None,
    **keys: Any,
) -> Occasion:
    """A night of that source at the fictional university."""
    of = source(**{"code": code, "format": "bups2", **keys}) if code else None
    own = {"NORUPERS": 10, "NORUSTUD": 20} if ranks is None else ranks
    return Occasion(day, "NORU", of, policy, own, Snapshot(day, is_complete) if code else None)


def item(path: str, value: str, kind: str = "work", preferred: bool = False, **fields: str) -> ListItem:
    """An item of a list whose key is one field."""
    content = {FIELD[path]: value, **fields}
    return ListItem(kind, item_key(path, content), content, preferred)


def row(
    values: Mapping[str, Value | None] | None = None,
    lists: Mapping[str, Sequence[ListItem]] | None = None,
    *,
    primary_id: str = "a1@noru.example",
    category: str | None = "student",
    group: str | None = None,
    old_id: str | None = None,
    orders: tuple[ProtectionOrder, ...] = (),
    valid_to: date | None = None,
    valid_from: date | None = None,
) -> IncomingPerson:
    """One row of a source; its group is its category."""
    group = group or category
    said: dict[str, Value | None] = {"primary_id": primary_id, **(values or {})}
    if group is not None:
        said.setdefault("user_group", group)
    content = {path: tuple(items) for path, items in (lists or {}).items()}
    searching = tuple(
        Identifier(each.type, each.fields["value"], each.key) for each in content.get("user_identifiers", ())
    )
    old = (Identifier("primary_id", old_id, text_key(old_id)),) if old_id else ()
    return IncomingPerson(
        Position(1),
        (repr(sorted(said.items(), key=str)) + repr(content.keys())).encode()[:16].ljust(16, b"."),
        (Identifier("primary_id", primary_id, text_key(primary_id)),),
        searching,
        old,
        said,
        content,
        orders,
        (Affiliation("NORU", None, category, group, None, valid_from, valid_to),),
    )


def after(plan: PlannedPerson) -> PersonRecord:
    assert plan.after is not None
    return plan.after


def made(incoming: IncomingPerson | None = None, on: Occasion | None = None) -> PersonRecord:
    """A person as they are stored once they are made."""
    plan = plan_person(None, incoming or row({"last_name": "Lie", "user_title": "fru"}), on or occasion())
    return replace(after(plan), person_id=7)


def decided(plan: PlannedPerson) -> list[tuple[str, str, str, str | None]]:
    return [(each.path, each.rule, each.decision, each.change_class) for each in plan.changes]


def next_night(days: int = 1, code: str = "NORUPERS", **keys: object) -> Occasion:
    return occasion(code, DAY + timedelta(days), **keys)  # type: ignore[arg-type]
