"""Who a row is about. Stable source ids match; other identifiers only search; doubt quarantines the row.

Pure: the callers look up, and what could not be looked up is an error of theirs. It never arrives here as "nobody",
or a failed look-up would create a person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from schemas.register.patron_policy import PatronPolicy

PersonId: TypeAlias = int
IdentityRule: TypeAlias = Literal[
    "source_id",
    "joined",
    "new",
    "several_by_source_id",
    "several_by_search",
    "other_has_source_id",
    "taken",
    "resting",
    "erased",
]
IDENTITY_WORDS: Mapping[IdentityRule, str] = {
    "source_id": "one person has the source's stable id",
    "joined": "no person has the source's stable id, and one has an identifier that joins sources",
    "new": "no person has the stable id or an identifier of the row",
    "several_by_source_id": "the stable ids of the row belong to several persons: merge them, or correct the row",
    "several_by_search": "the identifiers of the row belong to several persons: say which one it is",
    "other_has_source_id": "the person with this identifier has another stable id of the same source",
    "taken": "another person has this identifier now",
    "resting": "another person had this identifier until lately",
    "erased": "the person of this row was erased; the row is not taken again while it keeps coming",
}


@dataclass(frozen=True, slots=True)
class HeldIdentifier:
    """An identifier of a person, and when it is theirs."""

    type: str
    key: str = field(repr=False)
    person: PersonId
    valid_from: date | None = None
    valid_to: date | None = None
    """Last valid day; None: still theirs."""

    def is_valid_on(self, day: date) -> bool:
        """Whether it is the person's on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


class IdentityVerdict(NamedTuple):
    """Whom a row is about. Without a person and not new, the row is quarantined with the rule's words."""

    rule: IdentityRule
    person: PersonId | None = None
    candidates: tuple[PersonId, ...] = ()
    """Persons that a quarantined row could be about, or that a new one could be the same as."""

    @property
    def is_new(self) -> bool:
        """Whether a person is to be made."""
        return self.rule == "new"

    @property
    def is_quarantined(self) -> bool:
        """Whether a person has to look first."""
        return self.person is None and not self.is_new

    @property
    def why(self) -> str:
        """In words; says nothing about the person."""
        return IDENTITY_WORDS[self.rule]


class Found(NamedTuple):
    """What the look-ups of one row found, after survivor pointers were followed. Empty means: looked up, nobody."""

    by_source_id: frozenset[PersonId]
    by_search: tuple[HeldIdentifier, ...] = ()
    with_other_source_id: frozenset[PersonId] = frozenset()
    """Of the persons found by search: those that have another stable id of this very source."""
    is_erased: bool = False
    """A tombstone stops the row (erasure.py)."""


def identify(found: Found, policy: PatronPolicy, day: date) -> IdentityVerdict:
    """Whom a row is about on that day (of the institution)."""
    if len(found.by_source_id) == 1:
        return IdentityVerdict("source_id", next(iter(found.by_source_id)))
    if found.by_source_id:
        return IdentityVerdict("several_by_source_id", None, tuple(sorted(found.by_source_id)))
    if found.is_erased:
        return IdentityVerdict("erased")
    joining = {each.person for each in found.by_search if _joins(each, policy, day)}
    everybody = tuple(sorted({each.person for each in found.by_search}))
    if len(joining) > 1:
        return IdentityVerdict("several_by_search", None, tuple(sorted(joining)))
    if joining:
        if joining & found.with_other_source_id:
            return IdentityVerdict("other_has_source_id", None, tuple(joining))
        blocked = _blocked(found.by_search, policy, day, but_for=next(iter(joining)))
        return IdentityVerdict(blocked, None, everybody) if blocked else IdentityVerdict("joined", next(iter(joining)))
    blocked = _blocked(found.by_search, policy, day)
    if blocked:
        return IdentityVerdict(blocked, None, everybody)
    # Who shares an e-mail address with one person may be that person; who shares one with several, nobody can tell.
    if len(everybody) > 1:
        return IdentityVerdict("several_by_search", None, everybody)
    return IdentityVerdict("new", None, everybody)


def _joins(held: HeldIdentifier, policy: PatronPolicy, day: date) -> bool:
    return policy.identifier(held.type).joins and held.is_valid_on(day)


def _blocked(
    held: Collection[HeldIdentifier], policy: PatronPolicy, day: date, but_for: PersonId | None = None
) -> Literal["taken", "resting"] | None:
    use = identifier_use(held, but_for, policy, day)
    return use if use == "taken" or use == "resting" else None


def identifier_use(
    held: Collection[HeldIdentifier], person: PersonId | None, policy: PatronPolicy, day: date
) -> Literal["free", "own", "taken", "resting"]:
    """Whether `person` (None: a new one) may have an identifier that `held` says who had.

    One that is unique (a barcode) rests for `free_days` after its last valid day with another person.
    """
    others = [each for each in held if each.person != person and policy.identifier(each.type).is_unique]
    if any(each.valid_to is None or each.valid_to >= day for each in others):
        return "taken"
    if any(_rests(each, policy, day) for each in others):
        return "resting"
    return "own" if any(each.person == person for each in held) else "free"


def _rests(held: HeldIdentifier, policy: PatronPolicy, day: date) -> bool:
    return held.valid_to is not None and day <= held.valid_to + timedelta(policy.identifier(held.type).free_days)
