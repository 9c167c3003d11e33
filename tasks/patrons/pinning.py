"""Protecting a path of a person, and releasing it again: by a sender's orders, or by staff.

A pin holds what is there when it is set, null included, against everybody. Releasing it makes the held value W, so that
the source may write again. A sender's order ends only that sender's own pins: a nightly file must not undo what staff
protected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from schemas.errors import UsageError
from schemas.patrons import ABSENT, PATHS, ProtectionOrder
from tasks.patrons.items import HeldItem
from tasks.patrons.occasion import Change, Occasion, PlannedPerson
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.plan_scalars import choice
from tasks.patrons.plan_standing import settle
from tasks.patrons.records import Baseline, Held, LockRow, PersonRecord

_NOT_PINNED = frozenset({"primary_id", "purge_date", "status", "status_date", "account_type", "record_type"})
"""Who a person is, and what only the lifecycle decides."""


def held_now(person: PersonInPlan, path: str, item_type: str = "") -> Held:
    """What a pin would hold: the value, or the items of the list or of the type."""
    if path == "expiry_date":
        return person.standing.expires_on
    if PATHS[path].kind == "scalar":
        value = person.value(path)
        return None if value is ABSENT else value
    written = {each.item_key: each for each in person.lists.get(path, ())}
    items = []
    for each in person.items(path):
        if not item_type or each.type == item_type:
            known = written.get((each.type, each.key))
            fresh = HeldItem(each.type, each.key, each.fields, frozenset({""}), person.day, segment=each.segment)
            items.append(replace(known or fresh, fields=each.fields, is_preferred=each.is_preferred))
    return tuple(items)


def _baseline(person: PersonInPlan, path: str) -> Baseline:
    if PATHS[path].kind == "scalar":
        found = choice(person.sources, path, person.occasion)
        return ABSENT if found is None else found.value
    said = {(each.type, each.key) for source in person.sources.values() for each in source.lists.get(path, ())}
    return tuple(sorted(said))


def pin(
    person: PersonInPlan,
    path: str,
    *,
    by: str,
    reason: str = "",
    until: date | None = None,
    item_type: str = "",
    moves: bool = False,
) -> bool:
    """Protect a path, or the items of a type, as they are; the same pin again is none. False: nothing is to be done.

    A pin of the same path and type by the same one is replaced where its reason or its last day is another; it goes
    on holding what it held. With `moves` it holds what is there now, and takes the place of anybody's pin.
    """
    same = [
        (number, row)
        for number, row in enumerate(person.locks)
        if (row.kind, row.path, row.item_type, row.item_key) == ("pin", path, item_type, "")
        and row.holds_on(person.day)
    ]
    held = same[0][1].held if same and not moves else held_now(person, path, item_type)
    if any((row.by, row.reason, row.until, row.held) == (by, reason, until, held) for _, row in same):
        return False
    if same and same[0][1].by != by and not moves:
        return False
    person.end_locks({number for number, _ in same}, by)
    row = LockRow(path, "pin", held, _baseline(person, path), by, reason, until, item_type)
    person.open_lock(row)
    words = "protected until its last day" if until else "protected until it is released"
    person.change(Change(path, item_type, held, held, person.occasion.code, "protected", reason=words))
    return True


def release(person: PersonInPlan, path: str, *, by: str, item_type: str = "", whose: str | None = None) -> bool:
    """End the protection of a path: pins and automatic locks alike. False: there was none.

    `whose`: only pins that this one set. What was held becomes W, so that the source may write again.
    """
    ended = [
        (number, row)
        for number, row in enumerate(person.locks)
        if row.path == path
        and row.released_by is None
        and row.kind != "exempt"
        and (not item_type or row.item_type == item_type)
        and (whose is None or (row.kind == "pin" and row.by == whose))
    ]
    if not ended:
        return False
    person.end_locks({number for number, _ in ended}, by)
    if PATHS[path].kind == "scalar" and path != "expiry_date":
        person.written[path] = person.current.get(path)
    if PATHS[path].kind == "list":
        _forget_said(person, path, [row for _, row in ended])
    held = ended[0][1].held
    person.change(Change(path, item_type, held, held, person.occasion.code, "released", reason="no longer protected"))
    return True


def _forget_said(person: PersonInPlan, path: str, ended: Sequence[LockRow]) -> None:
    """Items that a lock kept away count as not written: the source's next row brings them back, as any new item."""
    there = {(each.type, each.key) for each in person.items(path)}
    away = {(row.item_type, row.item_key) for row in ended if row.item_key} - there
    person.lists[path] = tuple(each for each in person.lists.get(path, ()) if each.item_key not in away)


def carry_out_orders(person: PersonInPlan, orders: Sequence[ProtectionOrder], *, protects: bool) -> None:
    """The orders of the row that speaks: releases before its values are merged, protections after."""
    code = person.occasion.code
    pinned = {(each.path, each.item_type or "") for each in orders if each.action == "protect"}
    for each in orders:
        kind = each.item_type or ""
        if each.path in _NOT_PINNED:
            continue
        if protects and each.action == "protect":
            pin(person, each.path, by=code, reason=each.reason, until=each.until, item_type=kind)
        elif not protects and each.action == "release" and (each.path, kind) not in pinned:
            release(person, each.path, by=code, item_type=kind, whose=code)


def plan_protect(
    record: PersonRecord,
    path: str,
    occasion: Occasion,
    *,
    by: str,
    reason: str,
    until: date | None = None,
    item_type: str = "",
) -> PlannedPerson:
    """Staff protect a path as it is now, whoever protected it before. Quiet where it is protected just so.

    Raises `UsageError` for a path that cannot be protected.
    """
    if path in _NOT_PINNED or path not in PATHS:
        raise UsageError(f"{path} cannot be protected", remedy="docs/patron-formats.md lists the paths of a person")
    person = PersonInPlan(record, occasion)
    if pin(person, path, by=by, reason=reason, until=until, item_type=item_type, moves=True):
        settle(person)
    return person.planned()


def plan_release(record: PersonRecord, path: str, occasion: Occasion, *, by: str, item_type: str = "") -> PlannedPerson:
    """Staff end the protection of a path. Quiet where there is none; the sources' next rows are merged again."""
    person = PersonInPlan(record, occasion)
    if release(person, path, by=by, item_type=item_type):
        person.touches = True
        settle(person)
    return person.planned()
