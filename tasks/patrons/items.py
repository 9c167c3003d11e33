"""Lists of a person (addresses, e-mails, phones, ...) merge item by item: who owns an item decides about it.

An item is one by (type, key). Its owners are the sources that say it, and `STAFF` where people entered it. A source
takes away only what it owns alone. What staff took away stays away though the source repeats it, as in merge.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from schemas.patrons import ABSENT, Absence, ListItem, Segment
from tasks.patrons.choosing import UNRANKED

STAFF: Final = ""
"""Owner of what people entered; no source has an empty code."""

ItemKey: TypeAlias = tuple[str, str]
"""(type, key)."""
ItemRule: TypeAlias = Literal[
    "pinned",
    "agreed",
    "added",
    "own_removed",
    "not_own",
    "removed_by_staff",
    "conflict",
    "own_changed",
    "list_not_cleared",
]
ITEM_WORDS: Mapping[ItemRule, str] = {
    "pinned": "it is protected",
    "agreed": "the source says it too",
    "added": "the source has it, and it was not there",
    "own_removed": "the source, its only owner, does not have it any more",
    "not_own": "the source does not have it any more; others still do",
    "removed_by_staff": "somebody took it away, and the source only repeats itself",
    "conflict": "somebody took it away, and the source says it anew",
    "own_changed": "the source changed what it says about it, and nobody had edited it",
    "list_not_cleared": "the source says that there are none, which may not clear the list",
}


@dataclass(frozen=True, slots=True)
class HeldItem:
    """An item that a person has, and who says so."""

    type: str
    key: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    owners: frozenset[str]
    since: date
    """Business date on which it came."""
    preferred_by: frozenset[str] = frozenset()
    """Sources that mark it as preferred; `STAFF` where people chose it."""
    is_preferred: bool = False
    told_by: str = STAFF
    """Whose `fields` these are: of several owners those of the best source stand, whoever came first."""
    segment: Segment = "external"
    """Internal: the library system keeps it by itself."""

    @property
    def item_key(self) -> ItemKey:
        """(type, key)."""
        return self.type, self.key


class ItemLock(NamedTuple):
    """A lock on one item: it stays as held, or, where nothing is held, it stays away."""

    kind: Literal["pin", "automatic"]
    held: HeldItem | None = None


class ItemDecision(NamedTuple):
    """What became of an item that the source says, or said before."""

    path: str
    item: ItemKey
    rule: ItemRule
    action: Literal["keep", "write", "clear"]
    source: str
    lock: Literal["none", "open", "release"] = "none"
    wants_review: bool = False

    @property
    def why(self) -> str:
        """In words, for people; says nothing about the person."""
        done = {"keep": "left as it is", "write": "written", "clear": "taken away"}[self.action]
        more = {"open": "; protected from now on", "release": "; automatic protection ended", "none": ""}[self.lock]
        return f"an item of {self.path} {done}: {ITEM_WORDS[self.rule]}{more}"

    def __repr__(self) -> str:
        return f"ItemDecision({self.path}, {self.rule}, {self.action})"


class ListState(NamedTuple):
    """What is known of a list before the source speaks."""

    written: Sequence[HeldItem] = ()
    """W: as Samkat wrote it last, with its owners."""
    current: Sequence[ListItem] | Absence = ABSENT
    """C: as it was read back; `ABSENT`: the warehouse itself is the place of edits, so C is W."""
    said_before: Set[ItemKey] = frozenset()
    """B: what this source said before."""
    locks: Mapping[ItemKey, ItemLock] = MappingProxyType({})
    """By item."""


class MergedList(NamedTuple):
    """The list afterwards, and what was decided; with nothing decided it is as it was."""

    items: tuple[HeldItem, ...]
    decisions: tuple[ItemDecision, ...]


def merge_list(
    path: str,
    incoming: Sequence[ListItem] | Absence,
    state: ListState,
    source: str,
    day: date,
    *,
    may_clear: bool = True,
    ranking: Mapping[str, int] = MappingProxyType({}),
) -> MergedList:
    """What a list is after `source` has said its items of it (`ABSENT`: it does not carry the list).

    The preferred one is not computed here: `with_preferred` does that once all sources have spoken.
    """
    there = _there(state, day)
    if incoming is ABSENT:
        return MergedList(tuple(there[key] for key in sorted(there)), ())
    said = {(each.type, each.key): each for each in incoming}
    keeps_all = not said and not may_clear
    decisions = []
    written = {each.item_key: each for each in state.written}
    own = {key for key, each in there.items() if source in each.owners}
    pinned = {key for key, lock in state.locks.items() if lock.kind == "pin"}
    for key in sorted(said.keys() | own | pinned):
        item = there.get(key)
        decided = _decide(path, key, said.get(key), item, key in written, state, source, keeps_all)
        after = _after(decided, said.get(key), item, written.get(key), state.locks.get(key), day, ranking)
        if after is None:
            there.pop(key, None)
        else:
            if item is not None and after.fields != item.fields:
                decided = decided._replace(rule="own_changed", action="write")
            there[key] = after
        if decided.action != "keep" or decided.lock != "none" or decided.wants_review:
            decisions.append(decided)
    return MergedList(tuple(there[key] for key in sorted(there)), tuple(decisions))


def _there(state: ListState, day: date) -> dict[ItemKey, HeldItem]:
    """C with owners: an item that Samkat did not write is staff's; a preference that moved was moved by staff."""
    written = {each.item_key: each for each in state.written}
    if state.current is ABSENT:
        return written
    there = {}
    was_preferred = next((key for key, each in written.items() if each.is_preferred), None)
    for each in state.current:
        key = (each.type, each.key)
        known = written.get(key)
        held = known or HeldItem(each.type, each.key, each.fields, frozenset({STAFF}), day, segment=each.segment)
        if known is not None and dict(known.fields) != dict(each.fields):
            held = replace(held, fields=each.fields)
        if each.is_preferred and key != was_preferred:
            held = replace(held, preferred_by=held.preferred_by | {STAFF})
        there[key] = held
    chose_another = any(STAFF in each.preferred_by and key != was_preferred for key, each in there.items())
    if chose_another and was_preferred is not None and was_preferred in there:
        # Staff's earlier choice is over.
        old = there[was_preferred]
        there[was_preferred] = replace(old, preferred_by=old.preferred_by - {STAFF})
    return there


def _decide(
    path: str,
    key: ItemKey,
    said: ListItem | None,
    item: HeldItem | None,
    was_written: bool,
    state: ListState,
    source: str,
    keeps_all: bool,
) -> ItemDecision:
    """The table of merge.py, with "there" and "not there" in place of values."""
    lock = state.locks.get(key)
    is_repeated = (said is not None) == (key in state.said_before)

    def decided(rule: ItemRule, action: Literal["keep", "write", "clear"] = "keep") -> ItemDecision:
        return ItemDecision(path, key, rule, action, source)

    if lock is not None and lock.kind == "pin":
        restored: Literal["keep", "write", "clear"] = "write" if lock.held else "clear"
        action = "keep" if (item is not None) == (lock.held is not None) else restored
        return decided("pinned", action)._replace(wants_review=not is_repeated)
    if said is None:
        if item is None or keeps_all:
            return decided("list_not_cleared")
        return decided("own_removed", "clear") if item.owners == {source} else decided("not_own")
    if item is not None:
        return decided("agreed")._replace(lock="release" if lock else "none")
    if lock is None and not was_written:
        return decided("added", "write")
    opened: Literal["none", "open"] = "none" if lock else "open"
    if is_repeated:
        return decided("removed_by_staff")._replace(lock=opened)
    return decided("conflict")._replace(lock=opened, wants_review=True)


def _after(
    decided: ItemDecision,
    said: ListItem | None,
    item: HeldItem | None,
    written: HeldItem | None,
    lock: ItemLock | None,
    day: date,
    ranking: Mapping[str, int],
) -> HeldItem | None:
    """The item once the decision is carried out; None: it is not there."""
    source = decided.source
    if decided.action == "clear":
        return None
    if decided.action == "write" and decided.rule == "pinned":
        return lock.held if lock else None
    if decided.action == "write" and said is not None:
        marks = frozenset({source}) if said.is_preferred else frozenset[str]()
        return HeldItem(said.type, said.key, said.fields, frozenset({source}), day, marks, told_by=source)
    if item is None or decided.rule in ("pinned", "list_not_cleared"):
        return item
    if said is None:
        return replace(item, owners=item.owners - {source}, preferred_by=item.preferred_by - {source})
    marks = item.preferred_by | {source} if said.is_preferred else item.preferred_by - {source}
    fields, told_by = item.fields, item.told_by
    is_edited = written is None or written.fields != fields or STAFF in item.owners
    if not is_edited and (told_by not in item.owners or _rank(source, ranking) <= _rank(told_by, ranking)):
        fields, told_by = said.fields, source  # what the key does not hold: a note, a date, another spelling
    if (marks, fields, told_by) == (item.preferred_by, item.fields, item.told_by) and source in item.owners:
        return item
    return replace(item, owners=item.owners | {source}, preferred_by=marks, fields=fields, told_by=told_by)


def _rank(source: str, ranking: Mapping[str, int]) -> tuple[int, str]:
    return ranking.get(source, UNRANKED), source


def with_preferred(
    items: Sequence[HeldItem], ranking: Mapping[str, int], type_order: Sequence[str] = ()
) -> tuple[HeldItem, ...]:
    """The same items, exactly one of them preferred: staff's choice, then the source's, the type's, the oldest.

    Of several sources the one of the lowest rank is believed. An empty list stays empty.
    """
    if len(items) < 2:
        return tuple(each if each.is_preferred else replace(each, is_preferred=True) for each in items)

    def order(item: HeldItem) -> tuple[bool, int, int, int, ItemKey]:
        by = [ranking.get(source, UNRANKED) for source in item.preferred_by if source != STAFF]
        places = [type_order.index(each) for each in item.type.split(",") if each in type_order]
        return (
            STAFF not in item.preferred_by,
            min(by, default=1_000),
            min(places, default=len(type_order)),
            item.since.toordinal(),
            item.item_key,
        )

    chosen = min(items, key=order).item_key
    return tuple(
        each if each.is_preferred == (each.item_key == chosen) else replace(each, is_preferred=each.item_key == chosen)
        for each in items
    )


def without_source(items: Sequence[HeldItem], source: str) -> tuple[HeldItem, ...]:
    """The list once a source is given up: only what it owned alone goes."""
    left = []
    for each in items:
        if source in each.owners:
            if each.owners == {source}:
                continue
            each = replace(each, owners=each.owners - {source}, preferred_by=each.preferred_by - {source})
        left.append(each)
    return tuple(left)
