"""One person shown to staff: every path with what each source says (B), what was written (W), what is there (C).

For who may see the person. Nothing here is for logs, reports or artifacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import PATHS
from schemas.warehouse.patrons import core_patron_change
from tasks.patrons.documents import plain
from tasks.patrons.lifecycle import Standing, status_of
from tasks.patrons.occasion import Occasion
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.records import LockRow, PersonRecord, as_listed
from tasks.patrons.store import load_records


@dataclass(frozen=True)
class ShownLock:
    """A lock in force."""

    kind: str
    item_type: str
    held: Any = field(repr=False)
    by: str
    reason: str
    until: date | None


@dataclass(frozen=True)
class ShownPath:
    """One path: absent where a dictionary lacks the key, null where the value is None."""

    path: str
    mode: str
    said: Mapping[str, Any] = field(repr=False)
    """B: by source."""
    since: Mapping[str, date]
    """By source the day on which it first said so."""
    written: Any = field(repr=False)
    current: Any = field(repr=False)
    rule: str
    """Of the last decision about it; empty: none is known any more."""
    decided: str
    locks: tuple[ShownLock, ...] = ()


@dataclass(frozen=True)
class ShownPerson:
    """A person as staff see them."""

    person_id: int
    institution: str
    primary_id: str = field(repr=False)
    status: str
    standing: Standing
    expiry_rule: str
    look_on: date | None
    """Next day on which time alone may change something."""
    version: int
    is_confidential: bool
    is_desk_stub: bool
    sources: tuple[Mapping[str, Any], ...]
    identifiers: tuple[Mapping[str, Any], ...] = field(repr=False)
    paths: tuple[ShownPath, ...] = field(repr=False)


def show_person(connection: Connection, person_id: int, occasion: Occasion) -> ShownPerson:
    """Everything that decides about the person's values today."""
    record = load_records(connection, [person_id])[person_id]
    rules = _last_rules(connection, person_id)
    in_force = PersonInPlan(record, occasion)
    modes = in_force.in_force(in_force.rules)
    named = _paths(record)
    paths = tuple(_shown(record, path, modes[path].mode, rules.get(path, ("", "")), occasion.day) for path in named)
    return ShownPerson(
        person_id,
        record.institution,
        record.primary_id,
        status_of(record.standing.state),
        record.standing,
        record.expiry_rule,
        record.look_on,
        record.version,
        record.is_confidential,
        record.is_desk_stub,
        tuple(_source(record, code) for code in sorted(record.sources)),
        tuple(
            {
                "type": each.type,
                "value": each.value,
                "source": each.source,
                "from": each.valid_from,
                "to": each.valid_to,
            }
            for each in record.identifiers
        ),
        paths,
    )


def _paths(record: PersonRecord) -> list[str]:
    named = {*record.written, *record.current, *record.lists, *record.current_lists}
    named |= {each.path for each in record.locks}
    for source in record.sources.values():
        named |= source.values.keys() | source.lists.keys()
    return [path for path in PATHS if path in named]


def _last_rules(connection: Connection, person_id: int) -> dict[str, tuple[str, str]]:
    """Path: (rule, decision) of the last decision about it."""
    change = core_patron_change
    rows = connection.execute(
        sa.select(change.c.path, change.c.rule, change.c.decision)
        .where(change.c.person_id == person_id, change.c.reverted_at.is_(None))
        .order_by(change.c.change_id)
    )
    return {row.path: (row.rule, row.decision) for row in rows}


def _shown(record: PersonRecord, path: str, mode: str, rule: tuple[str, str], day: date) -> ShownPath:
    said: dict[str, Any] = {}
    since: dict[str, date] = {}
    is_list = PATHS[path].kind == "list"
    for code, source in sorted(record.sources.items()):
        if is_list and path in source.lists:
            said[code] = plain(source.lists[path])
            days = source.item_days.get(path, ())
            since |= {code: min(days)} if days else {}
        elif path in source.values:
            said[code], since[code] = source.values[path].value, source.values[path].since
    if is_list:
        written = plain(tuple(as_listed(each) for each in record.lists.get(path, ())))
        current = plain(record.items(path))
    else:
        written, current = record.written.get(path), record.current.get(path)
        current = record.standing.expires_on if path == "expiry_date" else current
    locks = tuple(_lock(each) for each in record.open_locks(day) if each.path == path)
    return ShownPath(path, mode, said, since, written, current, *rule, locks)


def _lock(row: LockRow) -> ShownLock:
    held = plain(row.held)
    return ShownLock(row.kind, row.item_type, held, row.by, row.reason, row.until)


def _source(record: PersonRecord, code: str) -> Mapping[str, Any]:
    source = record.sources[code]
    seen = source.sighting
    return {
        "source": code,
        "user_group": source.user_group,
        "category": source.category,
        "library": source.library,
        "department": source.department,
        "valid_from": source.valid_from,
        "valid_to": source.explicit or source.worked_out,
        "missing_since": seen.missing_since,
        "missing_runs": seen.missing_runs,
        "left_on": seen.left_on,
    }
