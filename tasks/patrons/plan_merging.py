"""Two persons who turned out to be one, and their parting again: what moves, and what becomes of both. Pure.

The merged one becomes a pointer to the survivor and keeps what clashes; its own values stay with it, so that parting
finds them. What a source says goes with the source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from schemas.patrons import ABSENT, Value
from tasks.patrons.items import STAFF, HeldItem, without_source
from tasks.patrons.occasion import PERSON, Change, Occasion, PlannedPerson
from tasks.patrons.plan_identifiers import set_identifiers
from tasks.patrons.plan_lists import preferred
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.plan_scalars import merge_scalars
from tasks.patrons.plan_standing import settle
from tasks.patrons.records import IdentifierRow, LockRow, PersonRecord, as_listed
from tasks.patrons.survivors import Moved

_MERGED = Change(PERSON, rule="merged", reason="another person turned out to be this one")
_POINTS = Change(PERSON, rule="merged_into", reason="turned out to be another person, whose place this row points to")
_PARTED = Change(PERSON, rule="split", reason="a person who had been merged into this one is one of their own again")
_RESTORED = Change(PERSON, rule="split_off", reason="is a person of their own again")


def belongings(person: PersonRecord) -> set[Moved]:
    """What of a person a merge can hand over. Their own scalar values are not: what the sources say decides."""
    found = {Moved("source_value", code) for code in person.sources}
    found |= {Moved("identifier", identifier_name(each)) for each in person.identifiers}
    found |= {Moved("lock", lock_name(each)) for each in person.locks if _goes_along(each)}
    return found | {Moved("item", item_name(path, each)) for path, items in person.lists.items() for each in items}


def identifier_name(row: IdentifierRow) -> str:
    """What tells an identifier of a person from their others."""
    return "|".join((row.source, row.type, row.key))


def lock_name(row: LockRow) -> str:
    """The place of a lock."""
    return "|".join((row.path, row.item_type, row.item_key))


def item_name(path: str, item: HeldItem) -> str:
    """What tells an item of a person from their others."""
    return "|".join((path, item.type, item.key))


def _goes_along(row: LockRow) -> bool:
    """An automatic lock says that staff edited this very value: it means nothing for another person's."""
    return row.released_by is None and (row.kind == "pin" or bool(row.item_key))


def names(moved: Iterable[Moved], kind: str) -> frozenset[str]:
    """The keys of what moves, of one kind."""
    return frozenset(each.key for each in moved if each.kind == kind)


def clashing(survivor: PersonRecord, merged: PersonRecord) -> set[Moved]:
    """What stays with the merged one beside what both have: ids and items of a source that both have."""
    both = survivor.sources.keys() & merged.sources.keys()
    found = {Moved("identifier", identifier_name(each)) for each in merged.identifiers if each.source in both}
    for path, items in merged.lists.items():
        found |= {Moved("item", item_name(path, each)) for each in items if each.owners <= both}
    return found


def plan_merge(
    survivor: PersonRecord, merged: PersonRecord, moved: Collection[Moved], occasion: Occasion, by: str
) -> tuple[PlannedPerson, PlannedPerson]:
    """What becomes of the survivor, and of the one that becomes a pointer to it."""
    codes = names(moved, "source_value")
    person = PersonInPlan(survivor, occasion)
    person.sources |= {code: merged.sources[code] for code in codes}
    ids = names(moved, "identifier")
    person.identifiers += tuple(each for each in merged.identifiers if identifier_name(each) in ids)
    locks = names(moved, "lock")
    for lock in merged.locks:
        if _goes_along(lock) and lock_name(lock) in locks:
            person.open_lock(replace(lock, lock_id=None, created_at=None))
    for path, items in merged.lists.items():
        _add_items(person, path, items, codes, names(moved, "item"))
    person.change(_MERGED._replace(reason=f"{_MERGED.reason} ({by})"))
    _settled(person)
    pointer = replace(
        merged,
        merged_into=survivor.person_id,
        sources={code: each for code, each in merged.sources.items() if code not in codes},
        identifiers=tuple(each for each in merged.identifiers if identifier_name(each) not in ids),
        locks=tuple(
            replace(each, released_by=by) if _goes_along(each) and lock_name(each) in locks else each
            for each in merged.locks
        ),
        look_on=None,
        version=merged.version + 1,
    )
    return person.planned(), PlannedPerson(merged, pointer, (_POINTS._replace(reason=f"{_POINTS.reason} ({by})"),))


def _add_items(
    person: PersonInPlan, path: str, items: Iterable[HeldItem], codes: Collection[str], moved: Collection[str]
) -> None:
    there = {each.item_key: each for each in person.lists.get(path, ())}
    before = dict(there)
    for each in items:
        owners = frozenset(owner for owner in each.owners if owner == STAFF or owner in codes)
        known = there.get(each.item_key)
        if known is not None:
            there[each.item_key] = replace(known, owners=known.owners | (owners - {STAFF}))
        elif item_name(path, each) in moved and owners:
            there[each.item_key] = replace(
                each,
                owners=owners,
                preferred_by=each.preferred_by & owners - {STAFF},
                told_by=each.told_by if each.told_by in owners else min(owners),
            )
    if there != before:
        _set(person, path, there.values())


def _set(person: PersonInPlan, path: str, items: Iterable[HeldItem]) -> None:
    """W of a list, and C where it is another: what staff did there and nobody has looked at yet stays to be seen."""
    new = preferred(person, path, tuple(sorted(items, key=lambda each: each.item_key)))
    if path not in person.current_lists:
        person.set_list(path, new)
        return
    keys = {each.item_key for each in person.lists.get(path, ())}
    came = [each for each in new if each.item_key not in keys]
    left = {each.item_key for each in new}
    old = [
        each
        for each in person.current_lists[path]
        if (each.type, each.key) in left or (each.type, each.key) not in keys
    ]
    there = {(each.type, each.key) for each in old}
    fresh = [each for each in came if each.item_key not in there]
    person.lists[path] = new
    person.current_lists[path] = (
        *old,
        *(as_listed(each) for each in fresh),
    )


def _settled(person: PersonInPlan) -> None:
    person.touches = True
    merge_scalars(person, sorted({path for each in person.sources.values() for path in each.values}), is_row=False)
    set_identifiers(person)
    settle(person)


def plan_split(
    survivor: PersonRecord,
    merged: PersonRecord,
    before: PersonRecord,
    moved: Collection[Moved],
    occasion: Occasion,
    by: str,
) -> tuple[PlannedPerson, PlannedPerson]:
    """What becomes of the survivor, and of the one that is a person again. `before`: the survivor as they were merged.

    What the sources said since goes with them.
    """
    codes = names(moved, "source_value") & survivor.sources.keys()
    ids, locks, items = (names(moved, kind) for kind in ("identifier", "lock", "item"))
    person = PersonInPlan(survivor, occasion)
    _take_back_values(person, codes, before)
    for code in codes:
        del person.sources[code]
    person.identifiers = tuple(each for each in person.identifiers if identifier_name(each) not in ids)
    ended = {number for number, each in enumerate(person.locks) if _goes_along(each) and lock_name(each) in locks}
    gone = [each for number, each in enumerate(person.locks) if number in ended]
    person.end_locks(ended, by)
    for path in list(person.lists):
        _take_back_items(person, path, codes, items)
    person.change(_PARTED._replace(reason=f"{_PARTED.reason} ({by})"))
    _settled(person)
    back = {code: replace(survivor.sources[code], needs_merge=True) for code in codes}
    restored = replace(
        merged,
        merged_into=None,
        sources={**merged.sources, **back},
        identifiers=(
            *merged.identifiers,
            *(each for each in survivor.identifiers if identifier_name(each) in ids),
        ),
        locks=(*merged.locks, *(replace(each, lock_id=None, created_at=None) for each in gone)),
        look_on=occasion.day,
        version=merged.version + 1,
    )
    return person.planned(), PlannedPerson(merged, restored, (_RESTORED._replace(reason=f"{_RESTORED.reason} ({by})"),))


def _take_back_values(person: PersonInPlan, codes: Collection[str], before: PersonRecord) -> None:
    """Values that only the sources which go back say, and the last valid day that they gave, are as before."""
    going = [person.sources[code] for code in codes]
    staying = [each for code, each in person.sources.items() if code not in codes]
    for path in {path for each in going for path in each.values}:
        now = person.value(path)
        theirs = any(path in each.values and each.values[path].value == now for each in going)
        is_ours = any(path in each.values for each in staying) or before.current.get(path, ABSENT) == now
        if not theirs or is_ours:
            continue
        value: Value | None = before.current.get(path)
        person.set_value(path, value)
        person.written.pop(path, None)
        if path in before.written:
            person.written[path] = before.written[path]
        person.change(Change(path, "", now, ABSENT if value is None else value, "", "split", reason=_PARTED.reason))
    if person.standing.expires_on in {each.worked_out for each in going}:
        person.standing = person.standing._replace(expires_on=before.standing.expires_on)


def _take_back_items(person: PersonInPlan, path: str, codes: Collection[str], moved: Collection[str]) -> None:
    before = person.lists[path]
    left: tuple[HeldItem, ...] = before
    for code in sorted(codes):
        left = without_source(left, code)
    kept = [each for each in left if not (item_name(path, each) in moved and each.owners <= {STAFF})]
    if tuple(kept) != before:
        _set(person, path, kept)
