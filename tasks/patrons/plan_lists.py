"""A person's lists are planned: whose items are merged, what pins hold, which one is preferred, what is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from schemas.patrons import ABSENT, PREFERRED_LISTS, ListItem
from schemas.register.patron_limits import PatronChange
from tasks.patrons.items import (
    ITEM_WORDS,
    STAFF,
    HeldItem,
    ItemDecision,
    ItemKey,
    ItemLock,
    ListState,
    MergedList,
    merge_list,
    with_preferred,
)
from tasks.patrons.merge import WORDS
from tasks.patrons.occasion import Change
from tasks.patrons.plan_person_state import BY_MERGE, PersonInPlan
from tasks.patrons.records import LockRow, as_listed


class Voice(NamedTuple):
    """What one source says of a list, and what it said before."""

    source: str
    items: tuple[ListItem, ...]
    said_before: frozenset[ItemKey]

    def __repr__(self) -> str:
        return f"Voice({self.source})"


def merge_lists(person: PersonInPlan, paths: Sequence[str], source: str, *, is_whole: bool = False) -> frozenset[str]:
    """Merge what `source` says of the lists; returns the paths of which a change is held.

    Where what is there is not what was written, all sources that carry the list are merged: whose item staff took
    away, only its own source can tell. `is_whole`: all of them in any case (time or staff ask).
    """
    held = set()
    rules = person.rules
    for path in paths:
        if path not in rules.lists or (not is_whole and _is_as_before(person, path, source)):
            continue
        voices = _voices(person, path, source, is_whole)
        rule = person.in_force(rules)[path]
        if rule.protected_for is not None and person.items(path):
            _protected(person, path, voices)
        elif not _merge(person, path, voices, rule.may_clear):
            held.add(path)
    return frozenset(held)


def _is_as_before(person: PersonInPlan, path: str, source: str) -> bool:
    """The source repeats itself, and nobody has touched the list since it was merged: then nothing follows."""
    before = person.before.sources.get(source)
    return (
        before is not None
        and not before.needs_merge
        and before.policy_version == person.occasion.policy.version
        and path not in person.current_lists
        and path in before.lists
        and person.sources[source].lists[path] is before.lists[path]
        and not any(row.path == path for row in person.locks)
    )


def _voices(person: PersonInPlan, path: str, source: str, is_whole: bool) -> list[Voice]:
    everybody = is_whole or path in person.current_lists
    return [
        Voice(code, record.lists[path], _keys_said_before(person, code, path))
        for code, record in sorted(person.sources.items())
        if path in record.lists and (everybody or code == source)
    ]


def _keys_said_before(person: PersonInPlan, code: str, path: str) -> frozenset[ItemKey]:
    before = person.before.sources.get(code)
    return frozenset() if before is None else frozenset((each.type, each.key) for each in before.lists.get(path, ()))


def _protected(person: PersonInPlan, path: str, voices: Sequence[Voice]) -> None:
    """Protected by institution or group: the list stays as it is; what is said anew is asked about."""
    there = {(each.type, each.key) for each in person.items(path)}
    for voice in voices:
        said = {(each.type, each.key) for each in voice.items}
        if said != voice.said_before and said != there:
            new = tuple(each for each in voice.items if (each.type, each.key) not in there)
            reason = f"{path} kept: {WORDS['pinned_by_policy']}; a person should look"
            person.change(
                Change(path, "", person.items(path), new, voice.source, "pinned_by_policy", None, "review", reason)
            )


def _merge(person: PersonInPlan, path: str, voices: Sequence[Voice], may_clear: bool) -> bool:
    """False: what it would do is held, and nothing of it is done."""
    written, there = person.lists.get(path, ()), person.items(path)
    locks = item_locks(person, path, voices)
    merged = _merged(person, path, voices, locks, may_clear)
    items = preferred(person, path, _with_days(person, path, merged.items))
    if items == written and path not in person.current_lists and not merged.decisions:
        return True
    cleared = bool(there) and not items
    change_class: PatronChange | None = "clear" if cleared and _is_cleared_by_source(merged.decisions) else None
    rows = _rows(person, path, merged.decisions, items, change_class)
    if change_class in person.held:
        for row in rows:
            if row.change_class is not None:
                person.change(row._replace(decision="held"))
        return False
    marked = _preferred_row(path, there, items)
    for row in (*rows, *([marked] if marked else [])):
        person.change(row)
    for decision in merged.decisions:
        _lock(person, decision)
    if items != written or path in person.current_lists:
        person.set_list(path, items)
    return True


def _is_cleared_by_source(decisions: Sequence[ItemDecision]) -> bool:
    return any(each.action == "clear" and each.rule != "pinned" for each in decisions)


def _merged(
    person: PersonInPlan, path: str, voices: Sequence[Voice], locks: Mapping[ItemKey, ItemLock], may_clear: bool
) -> MergedList:
    """The list after all voices. What staff took away counts as written for each of them, until one has locked it."""
    known = dict(locks)
    current = person.current_lists.get(path)
    ranking = person.occasion.ranking(path)
    state = ListState(person.lists.get(path, ()), ABSENT if current is None else current, frozenset(), known)
    if not voices:
        return merge_list(path, ABSENT, state, "", person.day)
    decisions: list[ItemDecision] = []
    for voice in voices:
        state = state._replace(said_before=voice.said_before)
        merged = merge_list(path, voice.items, state, voice.source, person.day, may_clear=may_clear, ranking=ranking)
        decisions += merged.decisions
        for each in merged.decisions:
            if each.lock == "open":
                known[each.item] = ItemLock("automatic")
            elif each.lock == "release":
                known.pop(each.item, None)
        items = merged.items
        if current is not None:
            there = {each.item_key for each in items}
            gone = [each for each in person.lists.get(path, ()) if each.item_key not in there]
            state = state._replace(
                written=(*items, *_still_gone(gone, decisions)), current=tuple(as_listed(each) for each in items)
            )
        else:
            state = state._replace(written=items)
    return MergedList(items, tuple(decisions))


def _still_gone(gone: Sequence[HeldItem], decisions: Sequence[ItemDecision]) -> list[HeldItem]:
    """What staff took away; what a source took away is not among it."""
    by_sources = {each.item for each in decisions if each.action == "clear"}
    return [each for each in gone if each.item_key not in by_sources]


def item_locks(person: PersonInPlan, path: str, voices: Sequence[Voice]) -> dict[ItemKey, ItemLock]:
    """By item the lock in force. A pin of the list, or of a type, holds its items, and keeps all others away."""
    rows = [row for row in person.locks if row.path == path and row.holds_on(person.day)]
    if not rows:
        return {}
    known = {(each.type, each.key) for each in person.items(path)}
    known |= {(each.type, each.key) for voice in voices for each in voice.items}
    known |= {each.item_key for each in person.lists.get(path, ())}
    found: dict[ItemKey, ItemLock] = {}
    for row in sorted(rows, key=lambda each: (each.kind == "pin", bool(each.item_key))):
        if row.item_key:
            held = row.held if isinstance(row.held, HeldItem) else None
            if row.kind != "exempt":
                found[row.item_type, row.item_key] = ItemLock(row.kind, held)
        elif row.kind == "pin" and isinstance(row.held, tuple):
            kept = {each.item_key: each for each in row.held}
            for key in known | kept.keys():
                if not row.item_type or key[0] == row.item_type:
                    found[key] = ItemLock("pin", kept.get(key))
    return found


def _with_days(person: PersonInPlan, path: str, items: tuple[HeldItem, ...]) -> tuple[HeldItem, ...]:
    """The same items, each since the day on which one of its owners said it first: in whatever order they speak."""
    days: dict[tuple[str, ItemKey], date] = {}
    for code, record in person.sources.items():
        for item, day in zip(record.lists.get(path, ()), record.item_days.get(path, ()), strict=True):
            days[code, (item.type, item.key)] = day
    found = []
    for each in items:
        known = [days[owner, each.item_key] for owner in each.owners if (owner, each.item_key) in days]
        since = min(known) if known and STAFF not in each.owners else each.since
        found.append(each if since == each.since else replace(each, since=since))
    return tuple(found)


def preferred(person: PersonInPlan, path: str, items: tuple[HeldItem, ...]) -> tuple[HeldItem, ...]:
    """The same items, exactly one of them preferred where the list has such a thing."""
    if path not in PREFERRED_LISTS:
        return items
    order = person.occasion.policy.preferred_types.get(path, ())
    return with_preferred(items, person.occasion.ranking(path), order)


def _lock(person: PersonInPlan, decision: ItemDecision) -> None:
    kind, key = decision.item
    if decision.lock == "release":
        person.end_automatic(decision.path, kind, key)
    elif decision.lock == "open":
        words = ITEM_WORDS[decision.rule]
        said = person.sources[decision.source].lists.get(decision.path, ())
        baseline = tuple((each.type, each.key) for each in said)
        person.open_lock(LockRow(decision.path, "automatic", None, baseline, BY_MERGE, words, None, kind, key))


def _rows(
    person: PersonInPlan,
    path: str,
    decisions: Sequence[ItemDecision],
    items: Sequence[HeldItem],
    change_class: PatronChange | None,
) -> list[Change]:
    old = {(each.type, each.key): each for each in person.items(path)}
    new = {each.item_key: as_listed(each) for each in items}
    rows = []
    for each in decisions:
        kind = each.item[0]
        was, now = old.get(each.item, ABSENT), new.get(each.item, ABSENT)
        if each.action != "keep":
            guarded = change_class if each.action == "clear" and each.rule != "pinned" else None
            rows.append(Change(path, kind, was, now, each.source, each.rule, guarded, "applied", each.why))
        if each.wants_review:
            rows.append(Change(path, kind, was, now, each.source, each.rule, None, "review", each.why))
        elif each.lock == "open":
            rows.append(Change(path, kind, was, now, each.source, each.rule, None, "suppressed", each.why))
    return rows


def _preferred_row(path: str, there: Sequence[ListItem], items: Sequence[HeldItem]) -> Change | None:
    """Another item is preferred now, though the one before is still there: that is a change of its own."""
    if path not in PREFERRED_LISTS:
        return None
    was = next((each for each in there if each.is_preferred), None)
    now = next((each for each in items if each.is_preferred), None)
    if was is None or now is None or (was.type, was.key) == now.item_key:
        return None
    if (was.type, was.key) not in {each.item_key for each in items}:
        return None
    reason = f"another item of {path} is preferred: the choice of staff, of the source, of the type, or the oldest"
    return Change(path, now.type, was, as_listed(now), "", "preferred", reason=reason)
