"""Persons that get another id, or turn out to be one, or two: rekey, merge and split, as decisions with their reverses.

Nothing is thrown away: a person that was merged stays as a pointer to its survivor, a decision lists all it moves, and
its reverse moves exactly that back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from schemas.errors import UsageError
from tasks.patrons.identity import HeldIdentifier, PersonId

RekeyRule: TypeAlias = Literal["rekeyed", "done_before", "nobody_had_the_old", "both_are_taken", "several_had_the_old"]
REKEY_WORDS: Mapping[RekeyRule, str] = {
    "rekeyed": "the person of the old id gets the new one",
    "done_before": "the person has the new id already",
    "nobody_had_the_old": "nobody has the old id: the row is taken by its new id alone",
    "both_are_taken": "the old and the new id belong to two persons: merge them, or correct the row",
    "several_had_the_old": "the old ids of the row belong to several persons: merge them, or correct the row",
}


@dataclass(frozen=True, slots=True)
class Rekey:
    """What a row that names an old id does. `closes` ends on the day before, `opens` is valid from the day on."""

    rule: RekeyRule
    person: PersonId | None = None
    closes: tuple[HeldIdentifier, ...] = field(default=(), repr=False)
    opens: HeldIdentifier | None = field(default=None, repr=False)

    @property
    def is_quarantined(self) -> bool:
        """Whether a person has to look first."""
        return self.rule in ("both_are_taken", "several_had_the_old")

    @property
    def why(self) -> str:
        """In words; says nothing about the person."""
        return REKEY_WORDS[self.rule]


def rekey(
    old: Iterable[HeldIdentifier], new: Iterable[HeldIdentifier], namespace: str, new_key: str, day: date
) -> Rekey:
    """What becomes of a rekey from the `old` ids to `new_key`, given who has them on `day`. Again is harmless."""
    old_now = [each for each in old if each.is_valid_on(day)]
    owners = {each.person for each in new if each.is_valid_on(day)}
    persons = {each.person for each in old_now}
    if len(persons) > 1 or len(owners) > 1:
        return Rekey("several_had_the_old")
    if not persons:
        return Rekey("done_before", next(iter(owners))) if owners else Rekey("nobody_had_the_old")
    (person,) = persons
    if owners and owners != persons:
        return Rekey("both_are_taken")
    closes = tuple(each for each in old_now if (each.type, each.key) != (namespace, new_key))
    opens = None if owners else HeldIdentifier(namespace, new_key, person, valid_from=day)
    return Rekey("rekeyed" if closes or opens else "done_before", person, closes, opens)


def closed(held: HeldIdentifier, day: date) -> HeldIdentifier:
    """An identifier whose last valid day is the one before `day`."""
    return HeldIdentifier(held.type, held.key, held.person, held.valid_from, day - timedelta(1))


def undone(done: Rekey, identifiers: Iterable[HeldIdentifier], day: date) -> list[HeldIdentifier]:
    """The person's identifiers as they were before a rekey of that day."""
    ended = {closed(each, day): each for each in done.closes}
    return [ended.get(each, each) for each in identifiers if each != done.opens]


class Moved(NamedTuple):
    """Something of a person that a merge hands over: a row of that kind, by its own key."""

    kind: Literal["identifier", "source_value", "item", "lock", "affiliation", "note"]
    key: str

    def __repr__(self) -> str:
        return f"Moved({self.kind})"


@dataclass(frozen=True, slots=True)
class PersonMerge:
    """`merged` becomes a pointer to `survivor`; `moved` is everything that goes over, `left` what clashes and stays."""

    survivor: PersonId
    merged: PersonId
    moved: tuple[Moved, ...]
    left: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonSplit:
    """The reverse: `restored` is a person again and gets `moved` back from `survivor`; `lost` is not there any more."""

    survivor: PersonId
    restored: PersonId
    moved: tuple[Moved, ...]
    lost: tuple[Moved, ...] = ()


def survivor_of(person: PersonId, pointers: Mapping[PersonId, PersonId]) -> PersonId:
    """Who `person` is today. Raises `UsageError` where pointers go round in a circle: they were changed by hand."""
    seen = {person}
    while (following := pointers.get(person)) is not None:
        if following in seen:
            raise UsageError("survivor pointers go round in a circle", remedy="split one of the persons")
        seen.add(following)
        person = following
    return person


def merge_persons(
    survivor: PersonId,
    merged: PersonId,
    theirs: Iterable[Moved],
    ours: Iterable[Moved],
    pointers: Mapping[PersonId, PersonId],
) -> PersonMerge | None:
    """Make `merged` a pointer to `survivor`; None: it is one already. The survivor's own rows win where both have one.

    Raises `UsageError` for a person and itself, and for one that has been merged into somebody else.
    """
    if survivor_of(survivor, pointers) != survivor:
        raise UsageError("the survivor has been merged itself", remedy="name the person it was merged into")
    if pointers.get(merged) == survivor:
        return None
    if survivor == merged or merged in pointers:
        raise UsageError("these two cannot be merged", remedy="name two persons that are not merged")
    known = set(ours)
    moved: list[Moved] = []
    left: list[Moved] = []
    for each in sorted(set(theirs)):
        (left if each in known else moved).append(each)
    return PersonMerge(survivor, merged, tuple(moved), tuple(left))


def split(done: PersonMerge, still_there: Iterable[Moved], pointers: Mapping[PersonId, PersonId]) -> PersonSplit | None:
    """Undo a merge; None: it is undone already. What others took away since stays away, and is listed as lost."""
    if pointers.get(done.merged) != done.survivor:
        return None
    there = set(still_there)
    moved = tuple(each for each in done.moved if each in there)
    return PersonSplit(done.survivor, done.merged, moved, tuple(each for each in done.moved if each not in there))
