"""A path of a person is protected at a value that staff give, whatever stands there now. Pure.

What the library system has is remembered, as for all that Samkat writes: that it does not show the new value yet is no
edit by its staff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from schemas.errors import UsageError
from schemas.patrons import ABSENT, PATHS, ListItem, Value
from tasks.patrons.items import STAFF, HeldItem
from tasks.patrons.merge import same
from tasks.patrons.occasion import Change, Occasion, PlannedPerson
from tasks.patrons.pinning import pin, plan_protect
from tasks.patrons.plan_identifiers import set_identifiers
from tasks.patrons.plan_lists import preferred
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.plan_standing import settle
from tasks.patrons.records import PersonRecord

ENTERED = "staff_entered"
"""Rule of a value that staff gave as they protected the path."""
_WHY = "staff entered it as they protected the path"


def plan_protect_at(
    record: PersonRecord,
    path: str,
    value: Value | Sequence[ListItem] | None,
    occasion: Occasion,
    *,
    by: str,
    reason: str,
    until: date | None = None,
    item_type: str = "",
) -> PlannedPerson:
    """Staff protect a path at `value`, null included; of a list `value` are all its items. Again it is quiet.

    Raises `UsageError` for a path that cannot be protected, and for a value that the path cannot have.
    """
    plan_protect(record, path, occasion, by=by, reason=reason)  # says whether the path can be protected
    person = PersonInPlan(record, occasion)
    if PATHS[path].kind == "list":
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise UsageError(f"{path} is a list", remedy="give an item, with --item-type")
        _set_items(person, path, tuple(value))
    elif path == "expiry_date":
        _set_last_day(person, value)
    else:
        _set_value(person, path, value)
    changed = bool(person.changes)
    if pin(person, path, by=by, reason=reason, until=until, item_type=item_type, moves=True) or changed:
        set_identifiers(person)
        settle(person)
    return person.planned()


def _set_value(person: PersonInPlan, path: str, value: Value | Sequence[ListItem] | None) -> None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise UsageError(f"{path} is one value, not a list")
    old = person.value(path)
    if (old is ABSENT and value is None) or same(value, old):
        return
    person.change(Change(path, "", old, value, "", ENTERED, reason=_WHY))
    person.set_value(path, value)


def _set_last_day(person: PersonInPlan, value: Value | Sequence[ListItem] | None) -> None:
    if value is not None and not isinstance(value, date):
        raise UsageError("expiry_date is a day, or null")
    old = person.standing.expires_on
    if old != value:
        person.change(Change("expiry_date", "", ABSENT if old is None else old, value, "", ENTERED, reason=_WHY))
        person.standing = person.standing._replace(expires_on=value)


def _set_items(person: PersonInPlan, path: str, items: tuple[ListItem, ...]) -> None:
    there = {(each.type, each.key): each for each in person.items(path)}
    wanted = {(each.type, each.key): each for each in items}
    if there == wanted:
        return
    for key in sorted(there.keys() | wanted.keys()):
        was, now = there.get(key, ABSENT), wanted.get(key, ABSENT)
        if was != now:
            person.change(Change(path, key[0], was, now, "", ENTERED, reason=_WHY))
    known = {each.item_key: each for each in person.lists.get(path, ())}
    staff = frozenset({STAFF})
    held = []
    for key in sorted(wanted):
        item = wanted[key]
        before = known.get(key) or HeldItem(*key, item.fields, staff, person.day, segment=item.segment)
        held.append(replace(before, fields=item.fields, owners=before.owners | staff))
    person.set_list(path, preferred(person, path, tuple(held)))
