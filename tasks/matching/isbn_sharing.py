"""Which ISBNs are a record's own, and what two records share.

A 020 may hold the numbers of the whole set, of the e-book beside the book, or of a withdrawn printing. Only the numbers
that are certainly this record's own can decide. Rules: docs/matching.md, *ISBN*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from schemas.marc import Field, IsbnFact
from schemas.register.matching import MatchingPolicy
from tasks.marc.carrier import carrier_in_words, carriers_agree
from tasks.marc.isbn import isbn13_of

_NOT_OF_A_NUMBER = re.compile(r"[^0-9Xx]+")

Sharing = Literal["a", "az", "z", "set", "other_carrier", "invalid", "differ", "none"]
_NO_NUMBERS: frozenset[str] = frozenset()


class OwnNumbers(NamedTuple):
    """The ISBNs of one record by what they can prove. Keys of 13 digits; `invalid` as written, digits only."""

    own: frozenset[str]
    """Valid $a of this record itself."""
    other_carrier: frozenset[str]
    """Valid $a whose qualifier names another carrier, or that 776/787 gives to another publication."""
    cancelled: frozenset[str]
    """Valid $z"""
    sets: frozenset[str]
    """Numbers of the whole work, in $a or $z."""
    invalid: frozenset[str]
    related: frozenset[str]
    """776 and 787 $z: other publications. Never a match key."""


class IsbnComparison(NamedTuple):
    """`is_explained`: what is shared belongs to something else, so it says nothing; `explanation` names the rule."""

    sharing: Sharing
    points: float
    shared: tuple[str, ...]
    text: str
    is_explained: bool = False
    explanation: str = ""


NO_ISBNS = OwnNumbers(*(_NO_NUMBERS,) * 6)


def own_numbers(isbns: Sequence[IsbnFact], carrier: str, related: Iterable[Field]) -> OwnNumbers:
    """Sort a record's ISBNs. Where nothing tells the carrier and qualifiers name several, none of those is its own."""
    others = frozenset(
        [key for each in related for code, value in each.subfields if code == "z" and (key := isbn13_of(value))]
    )
    if len(isbns) == 1 and (alone := _own_alone(isbns[0], carrier)) and alone not in others:
        return OwnNumbers(frozenset((alone,)), _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, others)
    if not isbns:
        return NO_ISBNS._replace(related=others) if others else NO_ISBNS
    found: dict[str, set[str]] = {name: set() for name in ("own", "other_carrier", "cancelled", "sets", "invalid")}
    named = {
        each.isbn13: carrier_in_words(each.qualifier)
        for each in isbns
        if each.isbn13 and each.subfield == "a" and each.qualifier
    }
    is_mixed = not carrier and len(set(named.values()) - {""}) > 1
    for each in isbns:
        if each.isbn13 is None:
            if digits := _NOT_OF_A_NUMBER.sub("", each.raw).upper():
                found["invalid"].add(digits)
        elif each.status == "set":
            found["sets"].add(each.isbn13)
        elif each.subfield == "z":
            found["cancelled"].add(each.isbn13)
        elif each.isbn13 in others or not _is_own(named.get(each.isbn13, ""), carrier, is_mixed):
            found["other_carrier"].add(each.isbn13)
        else:
            found["own"].add(each.isbn13)
    return OwnNumbers(**{name: frozenset(keys) for name, keys in found.items()}, related=others)


def compare_isbns(one: OwnNumbers, other: OwnNumbers, policy: MatchingPolicy) -> IsbnComparison:
    """What two records share, the strongest kind first, with its points."""
    weights, stop = policy.weights, frozenset(policy.stop_isbns)
    ours, theirs = one.own - stop, other.own - stop
    if shared := ours & theirs:
        unshared = len(ours ^ theirs)
        points = weights.isbn_shared * weights.isbn_unshared_factor**unshared
        text = f"shared {_listed(shared)}" + (f", {unshared} not shared" if unshared else "")
        is_unmarked_set = bool(ours - theirs and theirs - ours)
        explanation = "set_isbn" if is_unmarked_set else ""
        return IsbnComparison("a", points, _ordered(shared), text, is_unmarked_set, explanation)
    if shared := (ours & other.cancelled) | (theirs & one.cancelled):
        points = weights.isbn_shared * weights.isbn_unshared_factor ** len((ours ^ theirs) - shared)
        return _weak("az", points, shared, "$a of one side is $z of the other", one, other)
    if shared := (one.cancelled & other.cancelled) - stop:
        return _weak("z", weights.isbn_weak, shared, "shared $z", one, other)
    claimed = (ours & other.other_carrier) | (theirs & one.other_carrier) | (one.other_carrier & other.other_carrier)
    if shared := claimed - stop:
        text = "shared number that a qualifier or 776 gives to another carrier:"
        return _weak("other_carrier", weights.isbn_weak, shared, text, one, other)
    if shared := ((one.sets & (other.sets | theirs)) | (other.sets & ours)) - stop:
        if (ours | theirs) - shared:  # volume numbers are there: the set's number stands on every volume
            text = f"shared number of a set {_listed(shared)}, ignored beside volume numbers"
            points = weights.isbn_none_shared if ours - shared and theirs - shared else 0.0
            return IsbnComparison("set", points, _ordered(shared), text, True, "set_isbn")
        return _weak("set", weights.isbn_weak, shared, "shared number of a set", one, other)
    if shared := one.invalid & other.invalid:
        return _weak("invalid", weights.isbn_weak, shared, "shared invalid number", one, other)
    if ours and theirs:
        return IsbnComparison("differ", weights.isbn_none_shared, (), "both have valid numbers and share none")
    return IsbnComparison("none", 0.0, (), "no number to compare")


def _weak(
    sharing: Sharing, points: float, shared: frozenset[str], text: str, one: OwnNumbers, other: OwnNumbers
) -> IsbnComparison:
    """A kind of sharing that never decides; explained where 776 or 787 gives all of it to another publication."""
    is_explained = bool(shared) and shared <= one.related | other.related
    return IsbnComparison(
        sharing, points, _ordered(shared), f"{text} {_listed(shared)}", is_explained, "related" if is_explained else ""
    )


def _own_alone(fact: IsbnFact, carrier: str) -> str | None:
    """The number of a record with one 020 $a, where it is valid and of its carrier: so it is in most records."""
    if fact.status != "valid" or fact.subfield != "a":
        return None
    named = carrier_in_words(fact.qualifier) if fact.qualifier else ""
    return fact.isbn13 if _is_own(named, carrier, is_mixed=False) else None


def _is_own(named: str, carrier: str, is_mixed: bool) -> bool:
    return not named or (not is_mixed and carriers_agree(named, carrier))


def _ordered(numbers: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(numbers))


def _listed(numbers: Iterable[str]) -> str:
    return ", ".join(sorted(numbers))
