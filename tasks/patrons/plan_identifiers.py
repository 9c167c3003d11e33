"""A person's identifiers are planned: which are theirs, from when until when, and what a rekey does."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import date, timedelta

from schemas.patrons import Identifier, IncomingPerson, ListItem
from tasks.patrons.identity import HeldIdentifier
from tasks.patrons.keys import text_key
from tasks.patrons.occasion import Change
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.records import IdentifierRow
from tasks.patrons.survivors import REKEY_WORDS, Rekey, rekey

PRIMARY = "primary_id"


def rekey_person(person: PersonInPlan, incoming: IncomingPerson, found: Rekey | None) -> bool:
    """Carry out the rekey of a row, if it is one; False: it is held. `found` is what the look-up said about it."""
    rekeyed = found or _rekeyed(person, incoming)
    if rekeyed is None or rekeyed.rule != "rekeyed":
        return True
    closing = {(each.type, each.key) for each in rekeyed.closes}
    is_primary = (PRIMARY, text_key(person.primary_id)) in closing
    kind, value = _target(person, incoming, rekeyed)
    row = Change(
        PRIMARY if is_primary else "user_identifiers",
        "" if is_primary else kind,
        person.primary_id if is_primary else _values(person, closing),
        value,
        person.occasion.code,
        "rekeyed",
        "rekey",
        reason=REKEY_WORDS["rekeyed"],
    )
    if "rekey" in person.held:
        person.change(row._replace(decision="held"))
        return False
    last = person.day - timedelta(1)
    rows = [
        replace(each, valid_to=last) if (each.type, each.key) in closing and _closes(person, each) else each
        for each in person.identifiers
    ]
    if rekeyed.opens is not None:
        is_stable = any(each.type == kind for each in incoming.source_ids)
        code = person.occasion.code if is_stable else ""
        rows.append(IdentifierRow(kind, value, rekeyed.opens.key, code, person.day))
    person.identifiers = tuple(rows)
    if is_primary:
        person.primary_id = value
        person.written[PRIMARY] = value
        person.set_value(PRIMARY, value)
    person.change(row)
    return True


def _target(person: PersonInPlan, incoming: IncomingPerson, rekeyed: Rekey) -> tuple[str, str]:
    """Namespace and value of the new id."""
    opens = rekeyed.opens
    kind = opens.type if opens is not None else rekeyed.closes[0].type
    known = (each for each in (*incoming.source_ids, *incoming.search_ids) if each.type == kind)
    return kind, next((each.value for each in known if opens is None or each.key == opens.key), person.primary_id)


def _closes(person: PersonInPlan, row: IdentifierRow) -> bool:
    return row.is_open_on(person.day) and row.source in ("", person.occasion.code)


def _rekeyed(person: PersonInPlan, incoming: IncomingPerson) -> Rekey | None:
    """The rekey of a row about this person, from what the person's own identifiers say."""
    mine = [_held(each) for each in person.identifiers if each.source in ("", person.occasion.code)]
    for old in incoming.rekeyed_from:
        # The new id of that type may be one that only searches, as a card number beside a register's own number.
        new = next((each for each in (*incoming.source_ids, *incoming.search_ids) if each.type == old.type), None)
        if new is None:
            continue
        had = [each for each in mine if (each.type, each.key) == (old.type, old.key)]
        has = [each for each in mine if (each.type, each.key) == (new.type, new.key)]
        found = rekey(had, has, new.type, new.key, person.day)
        if found.rule == "rekeyed":
            return found
    return None


def _held(row: IdentifierRow) -> HeldIdentifier:
    return HeldIdentifier(row.type, row.key, 0, row.valid_from, row.valid_to)


def _values(person: PersonInPlan, closing: Set[tuple[str, str]]) -> list[str]:
    return sorted({each.value for each in person.identifiers if (each.type, each.key) in closing})


def set_identifiers(person: PersonInPlan, incoming: IncomingPerson | None = None) -> None:
    """Open what the person has now, and close what they do not have any more.

    Stable ids of a source stay until a rekey, or until the source is given up; a second one of the same namespace is
    not taken without a rekey. The others follow the person's list, and the primary id.
    """
    day, code = person.day, person.occasion.code
    rows = list(person.identifiers)
    if incoming is not None:
        has = {each.type for each in rows if each.source == code and each.is_open_on(day)}
        rows += [_stable(each, code, day) for each in incoming.source_ids if each.type not in has]
    listed = person.items("user_identifiers")
    wanted = {(each.type, each.key): each for each in listed if _is_theirs(each, day)}
    primary = text_key(person.primary_id)
    kept = []
    for row in rows:
        if row.source == "" and row.is_open_on(day):
            item = wanted.pop((row.type, row.key), None)
            if item is not None:
                row = replace(row, valid_to=_day(item, "valid_to"))
            elif (row.type, row.key) != (PRIMARY, primary):
                row = replace(row, valid_to=day - timedelta(1))
        elif row.source not in person.sources and row.source != "" and row.is_open_on(day):
            row = replace(row, valid_to=day - timedelta(1))
        kept.append(row)
    there = {(row.type, row.key) for row in kept if row.is_open_on(day)}
    kept += [_searching(wanted[key], day) for key in sorted(wanted.keys() - there)]
    if (PRIMARY, primary) not in there:
        kept.append(IdentifierRow(PRIMARY, person.primary_id, primary, "", day))
    person.identifiers = tuple(kept)


def _stable(each: Identifier, code: str, day: date) -> IdentifierRow:
    return IdentifierRow(each.type, each.value, each.key, code, each.valid_from or day, each.valid_to)


def _searching(item: ListItem, day: date) -> IdentifierRow:
    since = _day(item, "valid_from") or day
    return IdentifierRow(item.type, item.fields.get("value", ""), item.key, "", since, _day(item, "valid_to"))


def _is_theirs(item: ListItem, day: date) -> bool:
    last = _day(item, "valid_to")
    return item.fields.get("status") != "INACTIVE" and (last is None or day <= last)


def _day(item: ListItem, name: str) -> date | None:
    text = item.fields.get(name)
    return date.fromisoformat(text) if text else None


def new_identifiers(
    incoming: IncomingPerson, listed: Sequence[ListItem], primary_id: str, code: str, day: date
) -> tuple[IdentifierRow, ...]:
    """The identifiers of a new person."""
    rows = [_stable(each, code, day) for each in incoming.source_ids]
    there = {(each.type, each.key) for each in rows}
    for item in listed:
        key = (item.type, item.key)
        if key not in there and _is_theirs(item, day):
            rows.append(_searching(item, day))
            there.add(key)
    primary = text_key(primary_id)
    if (PRIMARY, primary) not in there:
        rows.append(IdentifierRow(PRIMARY, primary_id, primary, "", day))
    return tuple(rows)
