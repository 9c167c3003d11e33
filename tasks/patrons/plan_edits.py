"""What staff did to a person: read back from the library system, or entered here (`samkat patrons edit`).

An edit changes C and nothing else. What the sources make of it is decided when they speak next, or by `plan_due`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from schemas.alma_users import NOT_IN_ALMA
from schemas.errors import UsageError
from schemas.patrons import ABSENT, LIST_PATHS, PATHS, SCALAR_PATHS, ListItem, Value
from tasks.patrons.items import STAFF, HeldItem
from tasks.patrons.keys import text_key
from tasks.patrons.lifecycle import Standing
from tasks.patrons.merge import same
from tasks.patrons.occasion import PERSON, Change, Occasion, PlannedPerson
from tasks.patrons.plan_identifiers import PRIMARY, set_identifiers
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.records import NOTHING, IdentifierRow, PersonRecord

EDITED = "staff_edit"
SET_THERE = ("account_type", "record_type")
"""What every document says, whether or not the person has it."""
OURS = frozenset({"expiry_date", "purge_date", "status", "status_date"})
"""What Samkat works out: an edit of these in the library system is overwritten, unless it is protected here."""
_NOT_EDITED = OURS | {PRIMARY, "account_type", "record_type"}


def plan_read_back(
    record: PersonRecord,
    current_values: Mapping[str, Value | None],
    current_lists: Mapping[str, Sequence[ListItem]],
    read_back_hash: bytes,
    occasion: Occasion,
) -> PlannedPerson:
    """What the library system holds becomes C; what differs from what is known here is an edit by staff.

    A scalar that is no key of `current_values`, and a list that is no key of `current_lists`, is empty there. What
    Samkat has written and the library system does not show yet is no edit (`PersonRecord.replaced`).
    """
    person = PersonInPlan(record, occasion)
    person.read_back_hash = read_back_hash
    if record.read_back_hash == read_back_hash:
        return person.planned()
    for path in SET_THERE:
        if person.current.get(path) is None and current_values.get(path) is not None:
            person.current[path] = current_values[path]  # what every document says is no edit
    _see_expiry(person, current_values.get("expiry_date"))
    for path in sorted(SCALAR_PATHS - OURS - NOT_IN_ALMA - {PRIMARY}):
        if path in current_values or path in person.current or path in person.written:
            _see_value(person, path, current_values.get(path))
    for path in sorted(LIST_PATHS):
        _see_list(person, path, tuple(current_lists.get(path, ())))
    return _edited(person)


def _see_expiry(person: PersonInPlan, found: Value | None) -> None:
    """A later last valid day than any that was sent is staff's: it stands until a source says that it is shorter.

    Believed only where all that was sent has been seen there: else it is the day that Samkat has just moved.
    """
    record, known = person.before, person.standing.expires_on
    all_seen = record.sent_version and record.sent_version == record.acknowledged_version
    if not isinstance(found, date) or known is None or found <= known or not all_seen:
        return
    person.standing = person.standing._replace(expires_on=found)
    person.expiry_rule = "kept"
    person.change(Change("expiry_date", "", known, found, "", EDITED, reason="extended in the library system"))


def _see_value(person: PersonInPlan, path: str, found: Value | None) -> None:
    known = person.current.get(path)
    if same(found, known):
        person.replaced.pop(path, None)
        return
    if any(same(found, each) for each in person.replaced.get(path, ())):
        return  # It has not taken what it was sent.
    person.current[path] = found
    person.replaced.pop(path, None)
    old = person.before.current.get(path, ABSENT)
    person.change(Change(path, "", old, found, "", EDITED, reason="edited in the library system"))


def _see_list(person: PersonInPlan, path: str, found: tuple[ListItem, ...]) -> None:
    known = person.items(path)
    if _alike(path, found, known):
        person.replaced_lists.pop(path, None)
        return
    seen = _with_what_is_under_way(person, path, found)
    if _alike(path, seen, known):
        return
    _set_items(person, path, seen, "edited in the library system")


def _with_what_is_under_way(person: PersonInPlan, path: str, found: tuple[ListItem, ...]) -> tuple[ListItem, ...]:
    """What was found, with what Samkat added since, and without what Samkat took away since."""
    versions = person.replaced_lists.get(path, ())
    if not versions:
        return found
    known = {(each.type, each.key): each for each in person.items(path)}
    earlier = [{(each.type, each.key): each for each in version} for version in versions]
    there = {(each.type, each.key): each for each in found}
    for key, item in known.items():
        if key not in there:
            if not all(key in version for version in earlier):
                there[key] = item
        elif any(key in version and _content(version[key]) == _content(there[key]) for version in earlier):
            there[key] = item
    for key in [key for key in there if key not in known and any(key in version for version in earlier)]:
        del there[key]
    return tuple(there[key] for key in sorted(there))


def _content(item: ListItem) -> tuple[dict[str, str], bool]:
    return dict(item.fields), item.is_preferred


def _alike(path: str, one: Sequence[ListItem], other: Sequence[ListItem]) -> bool:
    """The same items, whatever their order; whose segment they are of is no edit."""
    return {(each.type, each.key): _content(each) for each in one} == {
        (each.type, each.key): _content(each) for each in other
    }


def _set_items(person: PersonInPlan, path: str, items: Sequence[ListItem], reason: str) -> None:
    """C of a list as staff have it, with a change for each item that came, went or is another one now."""
    old = {(each.type, each.key): each for each in person.items(path)}
    new = {(each.type, each.key): each for each in items}
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key, ABSENT), new.get(key, ABSENT)
        if was is ABSENT or now is ABSENT or _content(was) != _content(now):
            person.change(Change(path, key[0], was, now, "", EDITED, reason=reason))
    person.current_lists[path] = tuple(new[key] for key in sorted(new))
    written = person.lists.get(path, ())
    if _alike(path, person.current_lists[path], [_plain(each) for each in written]):
        del person.current_lists[path]


def _plain(item: HeldItem) -> ListItem:
    return ListItem(item.type, item.key, item.fields, item.is_preferred, item.segment)


def _edited(person: PersonInPlan) -> PlannedPerson:
    """The sources' next rows are merged whatever their hashes, and the person is looked at today."""
    if person.changes:
        person.touches = True
        person.look_on = person.day
        set_identifiers(person)
    return person.planned()


def plan_edit(
    record: PersonRecord, path: str, value: Value | Sequence[ListItem] | None, by: str, occasion: Occasion
) -> PlannedPerson:
    """Staff enter a value, null, or the items of a list. Quiet where it is there already.

    Raises `UsageError` for a path that is protected (an edit of it would go back), or that nobody edits.
    """
    if path not in PATHS or path in _NOT_EDITED:
        remedy = "protect it to set it by hand" if path == "expiry_date" else "docs/patron-merge.md lists the paths"
        raise UsageError(f"{path} cannot be edited", remedy=remedy)
    person = PersonInPlan(record, occasion)
    if any(row.path == path and row.kind == "pin" and row.holds_on(person.day) for row in person.locks):
        raise UsageError(f"{path} of this person is protected", remedy="release it first, and protect it anew")
    reason = f"edited by {by}"
    is_list = PATHS[path].kind == "list"
    if is_list:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise UsageError(f"{path} is a list", remedy="give its items")
        items = tuple(each for each in value if isinstance(each, ListItem))
        if not _alike(path, items, person.items(path)):
            _set_items(person, path, items, reason)
        return _edited(person)
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise UsageError(f"{path} is one value, not a list")
    if not same(value, person.value(path)) and not (value is None and person.value(path) is ABSENT):
        person.change(Change(path, "", person.value(path), value, "", EDITED, reason=reason))
        person.current[path] = value
    return _edited(person)


def plan_found(
    current_values: Mapping[str, Value | None],
    current_lists: Mapping[str, Sequence[ListItem]],
    read_back_hash: bytes,
    occasion: Occasion,
    *,
    is_desk_stub: bool = False,
) -> PlannedPerson:
    """A user whom the library system has and the warehouse does not: known from now on, and nobody's to let expire.

    A source that has the same id claims the person; until then nothing of them changes. `is_desk_stub`: staff made the
    person to wait for a source, so nothing there counts as edited.
    """
    primary_id = current_values.get(PRIMARY)
    if not isinstance(primary_id, str):
        raise UsageError("a user of the library system has no primary id", remedy="look at its export")
    expires, purge = current_values.get("expiry_date"), current_values.get("purge_date")
    account = current_values.get("account_type")
    state = "inactive" if current_values.get("status") == "INACTIVE" else "active"
    record = PersonRecord(
        None,
        occasion.institution,
        primary_id,
        account if isinstance(account, str) else "",
        Standing(
            "inactive" if state == "inactive" else "active",
            occasion.day,
            None,
            expires if isinstance(expires, date) else None,
            purge if isinstance(purge, date) else None,
        ),
        "",
        NOTHING,
        {path: each for path, each in current_values.items() if path not in OURS and each is not None},
        {path: _staffs(items, occasion.day) for path, items in current_lists.items() if items},
        identifiers=(IdentifierRow(PRIMARY, primary_id, text_key(primary_id), "", occasion.day),),
        version=1,
        is_confidential=current_values.get("is_confidential") is True,
        is_desk_stub=is_desk_stub,
        read_back_hash=read_back_hash,
        sent_version=1,  # It is there as it is here.
        acknowledged_version=1,
    )
    person = PersonInPlan(record, occasion)
    set_identifiers(person)
    record = replace(record, identifiers=person.identifiers)
    row = Change(PERSON, "", new=record, rule="found", reason="the library system has the person")
    return PlannedPerson(None, record, (row,))


def _owner(item: ListItem) -> frozenset[str]:
    """Whose an item is that was there before Samkat: staff's where they entered it, else nobody's until a source says
    it (the external segment is what earlier loads brought)."""
    return frozenset({STAFF}) if item.segment == "internal" else frozenset()


def _staffs(items: Sequence[ListItem], day: date) -> tuple[HeldItem, ...]:
    found = {
        (each.type, each.key): HeldItem(
            *(each.type, each.key, each.fields, _owner(each), day),
            _owner(each) if each.is_preferred else frozenset(),
            each.is_preferred,
            segment=each.segment,
        )
        for each in items
    }
    return tuple(found[key] for key in sorted(found))
