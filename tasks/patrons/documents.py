"""The JSON of persons: the only reader and writer of the JSON columns of schemas/warehouse/patrons.py.

Absent, null and value stay apart: absent is no key, null is `null`. A value's type follows from its path. What is the
same in most persons is left out: C only where it is not W, days of what a source said in groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import orjson

from schemas.patrons import (
    ABSENT,
    PATHS,
    Affiliation,
    Identifier,
    IncomingPerson,
    ListItem,
    Position,
    ProtectionOrder,
    Value,
)
from tasks.patrons.items import HeldItem
from tasks.patrons.occasion import Change
from tasks.patrons.records import NOTHING, Baseline, Held, LockRow, PersonRecord, SaidValue, SourceRecord

_DAYS: Final = frozenset(path for path, each in PATHS.items() if each.value_type == "day")


def _text(value: Any) -> str:
    return orjson.dumps(value, default=dict).decode()  # NOTHING is a mapping that orjson does not know


def _value(path: str, found: Any) -> Value | None:
    return date.fromisoformat(found) if found is not None and path in _DAYS else found


def _values(found: Mapping[str, Any]) -> dict[str, Value | None]:
    values = dict(found)
    for path in _DAYS & values.keys():
        values[path] = _value(path, values[path])
    return values


def _day(found: str | None) -> date | None:
    return date.fromisoformat(found) if found else None


# Items. Written as lists: [type, key, fields, ...].


def _listed(item: ListItem) -> list[Any]:
    short: list[Any] = [item.type, item.key, item.fields]
    if item.is_preferred or item.segment != "external":
        short.append(item.is_preferred)
        if item.segment != "external":
            short.append(item.segment)
    return short


def _as_listed(found: Sequence[Any]) -> ListItem:
    return ListItem(*found)


def _held(item: HeldItem) -> list[Any]:
    return [
        *(item.type, item.key, item.fields, sorted(item.owners), item.since, sorted(item.preferred_by)),
        *(item.is_preferred, item.told_by, item.segment),
    ]


def _as_held(found: Sequence[Any]) -> HeldItem:
    kind, key, fields, owners, since, marks, is_preferred, told_by, segment = found
    return HeldItem(
        kind,
        key,
        fields,
        frozenset(owners),
        date.fromisoformat(since),
        frozenset(marks),
        is_preferred,
        told_by,
        segment,
    )


# One person as a source tells it.


def incoming_to_json(person: IncomingPerson) -> str:
    """The person as a text; what is empty is left out."""
    found: dict[str, Any] = {
        "position": list(person.position),
        "hash": person.content_hash.hex(),
        "ids": [_identifier(each) for each in person.source_ids],
    }
    if person.search_ids:
        found["search"] = [_identifier(each) for each in person.search_ids]
    if person.rekeyed_from:
        found["old"] = [_identifier(each) for each in person.rekeyed_from]
    if person.values:
        found["values"] = person.values
    if person.lists:
        found["lists"] = {path: [_listed(each) for each in items] for path, items in person.lists.items()}
    if person.orders:
        found["orders"] = [[each.action, each.path, each.item_type, each.reason, each.until] for each in person.orders]
    if person.affiliations:
        found["ties"] = [
            [
                *(each.institution, each.library, each.category, each.user_group, each.department),
                *(each.valid_from, each.valid_to),
            ]
            for each in person.affiliations
        ]
    return _text(found)


def incoming_from_json(text: str) -> IncomingPerson:
    """The reverse of `incoming_to_json`."""
    found = orjson.loads(text)
    return IncomingPerson(
        Position(*found["position"]),
        bytes.fromhex(found["hash"]),
        tuple(_as_identifier(each) for each in found["ids"]),
        tuple(_as_identifier(each) for each in found.get("search", ())),
        tuple(_as_identifier(each) for each in found.get("old", ())),
        _values(found.get("values", NOTHING)),
        {path: tuple(_as_listed(each) for each in items) for path, items in found.get("lists", NOTHING).items()},
        tuple(
            ProtectionOrder(action, path, item_type, reason, _day(until))
            for action, path, item_type, reason, until in found.get("orders", ())
        ),
        tuple(
            Affiliation(institution, library, category, group, department, _day(since), _day(until))
            for institution, library, category, group, department, since, until in found.get("ties", ())
        ),
    )


def _identifier(each: Identifier) -> list[Any]:
    return [each.type, each.value, each.key, each.status, each.valid_from, each.valid_to]


def _as_identifier(found: Sequence[Any]) -> Identifier:
    kind, value, key, status, valid_from, valid_to = found
    return Identifier(kind, value, key, status, _day(valid_from), _day(valid_to))


# What Samkat wrote, and what is there.


def document_of(person: PersonRecord) -> str:
    """`core_patron.document`: W, C where it is another, lists with owners."""
    written, current = person.written, person.current
    found: dict[str, Any] = {
        "written": written,
        "lists": {path: [_held(each) for each in items] for path, items in person.lists.items() if items},
    }
    if current is not written and current != written:
        differing = {
            path: value for path, value in current.items() if path not in written or not _alike(written[path], value)
        }
        missing = sorted(written.keys() - current.keys())
        found |= {name: each for name, each in (("current", differing), ("missing", missing)) if each}
    if person.current_lists:
        found["current_lists"] = {
            path: [_listed(each) for each in items] for path, items in person.current_lists.items()
        }
    if person.replaced:
        found["replaced"] = person.replaced
    if person.replaced_lists:
        found["replaced_lists"] = {
            path: [[_listed(each) for each in items] for items in versions]
            for path, versions in person.replaced_lists.items()
        }
    return _text(found)


def _alike(one: Value | None, other: Value | None) -> bool:
    return one == other and type(one) is type(other)


def document_parts(text: str) -> dict[str, Any]:
    """The fields of a `PersonRecord` that the document holds."""
    found = orjson.loads(text)
    written = _values(found["written"])
    current: Mapping[str, Value | None] = written
    if "current" in found or "missing" in found:
        gone = frozenset(found.get("missing", ()))
        current = {path: value for path, value in written.items() if path not in gone}
        current |= _values(found.get("current", NOTHING))
    return {
        "written": written,
        "current": current,
        "lists": {path: tuple(_as_held(each) for each in items) for path, items in found["lists"].items()},
        "current_lists": _lists(found, "current_lists"),
        "replaced": {
            path: tuple(_value(path, each) for each in values)
            for path, values in found.get("replaced", NOTHING).items()
        },
        "replaced_lists": {
            path: tuple(tuple(_as_listed(each) for each in items) for items in versions)
            for path, versions in found.get("replaced_lists", NOTHING).items()
        },
    }


def _lists(found: Mapping[str, Any], name: str) -> dict[str, tuple[ListItem, ...]]:
    return {path: tuple(_as_listed(each) for each in items) for path, items in found.get(name, NOTHING).items()}


# What one source says.


def said_of(record: SourceRecord) -> str:
    """`core_patron_source.said`: values and items by the day since which they are said, and the affiliation."""
    values: dict[str, dict[str, Value | None]] = {}
    for path, said in record.values.items():
        values.setdefault(said.since.isoformat(), {})[path] = said.value
    found: dict[str, Any] = {"values": values}
    if record.lists:
        found["lists"] = {path: [_listed(each) for each in items] for path, items in record.lists.items()}
        found["days"] = {path: _days(days) for path, days in record.item_days.items()}
    tie = {name: each for name in _TIE if (each := getattr(record, name)) is not None}
    if tie:
        found["tie"] = tie
    return _text(found)


_TIE: Final = ("category", "user_group", "library", "department", "valid_from", "explicit", "worked_out")
_TIE_DAYS: Final = frozenset({"valid_from", "explicit", "worked_out"})


def _days(days: Sequence[date]) -> list[date]:
    """One day where all are the same."""
    return list(days[:1]) if len(set(days)) == 1 else list(days)


def said_parts(text: str) -> dict[str, Any]:
    """The fields of a `SourceRecord` that `said` holds."""
    found = orjson.loads(text)
    values = {}
    for since, group in found["values"].items():
        day = date.fromisoformat(since)
        for path, value in group.items():
            values[path] = SaidValue(_value(path, value), day)
    lists = _lists(found, "lists")
    days = {}
    for path, written in found.get("days", NOTHING).items():
        read = tuple(date.fromisoformat(each) for each in written)
        days[path] = read * len(lists[path]) if len(read) == 1 else read
    tie = {name: _day(each) if name in _TIE_DAYS else each for name, each in found.get("tie", NOTHING).items()}
    return {"values": values, "lists": lists, "item_days": days, **tie}


# Locks.


def held_to_json(lock: LockRow) -> str:
    """`core_patron_lock.held_value`."""
    held = lock.held
    if isinstance(held, HeldItem):
        return _text(_held(held))
    return _text([_held(each) for each in held]) if isinstance(held, tuple) else _text(held)


def held_from_json(path: str, item_key: str, text: str | None) -> Held:
    """The reverse, for a lock on `path`, or on the item of this key."""
    found = None if text is None else orjson.loads(text)
    if PATHS[path].kind == "scalar":
        return _value(path, found)
    if item_key:
        return None if found is None else _as_held(found)
    return tuple(_as_held(each) for each in found or ())


def baseline_to_json(baseline: Baseline) -> str | None:
    """`core_patron_lock.baseline`; None: not carried."""
    return None if baseline is ABSENT else _text(baseline)


def baseline_from_json(path: str, text: str | None) -> Baseline:
    """The reverse, for a lock on `path`."""
    if text is None:
        return ABSENT
    found = orjson.loads(text)
    if PATHS[path].kind == "list":
        return tuple((kind, key) for kind, key in found)
    return _value(path, found)


# Changes and history.


def change_value_to_json(value: Any) -> str | None:
    """`core_patron_change.old` and `.new`, `core_patron_history.value`; None: not there."""
    return None if value is ABSENT else _text(plain(value))


def plain(value: Any) -> Any:
    """A value of a person, an item or a whole person as what JSON knows, for people and views to read."""
    if isinstance(value, ListItem | HeldItem):
        found: dict[str, Any] = {"type": value.type, **value.fields}
        return found | {"preferred": True} if value.is_preferred else found
    if isinstance(value, PersonRecord):
        lists = {path: [plain(each) for each in items] for path, items in value.lists.items() if items}
        return {"values": dict(value.current or value.written), "lists": lists}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


def changes_to_json(changes: Iterable[Change]) -> str:
    """`stage_patron.plan`: what is planned for a person, in its order; the same plan makes the same text.

    What becomes of it (`decision`) is no part of it: a change that is held is the same change when it is approved.
    """
    return _text(
        [
            {
                "path": each.path,
                "type": each.item_type,
                **({} if each.old is ABSENT else {"old": plain(each.old)}),
                **({} if each.new is ABSENT else {"new": plain(each.new)}),
                "source": each.source,
                "rule": each.rule,
                "class": each.change_class,
            }
            for each in changes
        ]
    )


# For out_patron.


def affiliations_to_json(person: PersonRecord) -> str:
    """`core_patron.affiliations`: one entry a source that has an affiliation."""
    return _text(
        [
            {
                "source": each.source,
                "user_group": each.user_group,
                "library": each.library,
                "department": each.department,
                "valid_from": each.valid_from,
                "valid_to": each.explicit or each.worked_out,
                "state": tie_state(each),
            }
            for each in (person.sources[code] for code in sorted(person.sources))
        ]
    )


def tie_state(source: SourceRecord) -> str:
    """Of an affiliation: `current`, `missing` (its file lacks the person) or `ended` (the source said so)."""
    if source.sighting.left_on is not None:
        return "ended"
    return "current" if source.sighting.is_present else "missing"


def protected_to_json(locks: Iterable[LockRow], day: date) -> str:
    """`core_patron.protected`: the paths that a person or a source protected, and that are protected on that day."""
    return _text(sorted({each.path for each in locks if each.kind == "pin" and each.holds_on(day)}))
