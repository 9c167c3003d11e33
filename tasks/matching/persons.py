"""Persons: whether two names can be one person's, and whether two records name the same people.

Names come inverted or not, with initials, dates, titles, particles, in another transliteration. They are compatible
unless something speaks against it; only where both sides name persons and no two are compatible, the records differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from schemas.marc import Field
from schemas.register.matching import MatchingPolicy
from tasks.marc.folding import fold, fold_loosely, is_latin
from tasks.marc.records import field_of

_PARTICLES = frozenset(
    ("von", "van", "der", "den", "de", "du", "da", "di", "af", "av", "la", "le", "ten", "ter", "zu", "zur", "the", "al")
)
_TITLES = frozenset(("dr", "prof", "sir", "dame", "jr", "sr", "junior", "senior", "phd", "md", "fil"))
_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_DIGIT = re.compile(r"\d")


class Person(NamedTuple):
    """A name for comparison."""

    words: tuple[str, ...]
    surname: str
    """First word of the part before the comma; empty where the name is not inverted."""
    born: str
    is_main: bool
    """From 100"""
    text: str


class PersonsComparison(NamedTuple):
    """`share` is 0 to 1: how many of the shorter list were found on the other side."""

    share: float
    text: str
    conflict: bool = False
    main_differs: bool = False


def persons_of(fields: Sequence[Field]) -> tuple[Person, ...]:
    """Persons of 100 and 700, and of 880 linked to them. 700 with $t names a work, not somebody who made this one."""
    return tuple([named for each in fields if (named := _named(each)) is not None])


def persons_in(texts: Mapping[str, Sequence[str]]) -> tuple[Person, ...]:
    """As `persons_of`, from undivided field texts by tag."""
    return tuple(
        [
            named
            for tag in _PERSON_TAGS
            if tag in texts
            for text in texts[tag]
            if (named := _named_in_text(tag, text)) is not None
        ]
    )


_PERSON_TAGS = ("100", "700", "880")


@lru_cache(maxsize=16384)
def _named_in_text(tag: str, text: str) -> Person | None:
    """The same heading stands on both sides of most pairs, and in all books of an author."""
    return _named(field_of(tag, text))


def _named(field: Field) -> Person | None:
    name = field.first("a")
    if not name or field.first("t"):
        return None
    if field.tag == "880" and not (field.first("6") or "").startswith(("100", "700")):
        return None
    found = person(name, field.first("d") or "", field.tag == "100")
    return found if found.words else None


@lru_cache(maxsize=16384)
def person(name: str, dates: str, is_main: bool) -> Person:
    """A `Person` from $a and $d. Years inside $a (an undivided heading) count as dates."""
    years = _YEAR.findall(dates) or _YEAR.findall(name)
    before, comma, _ = name.partition(",")
    family = [word for word in fold(before).split() if word not in _PARTICLES] if comma else []
    words = fold(name).split()
    if _DIGIT.search(name):
        words = [word for word in words if not _DIGIT.search(word)]
    kept = tuple(word for word in words if word not in _PARTICLES and word not in _TITLES) or tuple(words)
    return Person(kept, family[-1] if family else "", years[0] if years else "", is_main, name.rstrip(" ,.;"))


def compatible(one: Person, other: Person, policy: MatchingPolicy) -> bool:
    """Whether two names can be one person's.

    Every word of the shorter name must stand in the longer one: in full, as an initial, or in another spelling of the
    same name. At least one word must be more than an initial on both sides. Different years of birth are two persons.
    """
    if one.born and other.born and one.born != other.born:
        return False
    if one.words == other.words:
        return True
    # A family name is not somebody's first name: Thomas, Dylan is not Dylan, Thomas.
    if (
        one.surname
        and other.surname
        and not _same_name(one.surname, other.surname, policy.name_close_ratio, policy.name_close_length)
    ):
        return False
    shorter, longer = (one, other) if len(one.words) <= len(other.words) else (other, one)
    left = list(longer.words)
    has_full = False
    for word in shorter.words:
        found = next((each for each in left if _fits(word, each, policy)), None)
        if found is None:
            return False
        has_full = has_full or min(len(word), len(found)) > 1
        left.remove(found)
    return has_full


def compare_persons(
    one: Sequence[Person],
    other: Sequence[Person],
    statements: tuple[str, str],
    policy: MatchingPolicy,
) -> PersonsComparison | None:
    """Compare the persons of two records; None where a side names none.

    `statements` are the 245 $c of both: a record without headings may name its author there, which can only speak for.
    """
    if not one or not other:
        named, statement = (one, statements[1]) if one else (other, statements[0])
        if named and statement and (share := _named_in(named, statement)):
            return PersonsComparison(share, "named in the statement of responsibility")
        return None
    if one == other:
        return PersonsComparison(1.0, f"{len(one)} of {len(one)} in common")
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    found = sum(any(compatible(each, further, policy) for further in longer) for each in shorter)
    if not found:
        if _scripts(one) != _scripts(other):
            return None  # another script is no other person
        return PersonsComparison(0.0, "no person in common", conflict=True)
    return PersonsComparison(
        found / len(shorter),
        f"{found} of {len(shorter)} in common",
        main_differs=_main_differs(one, other, policy),
    )


def _scripts(persons: Sequence[Person]) -> set[bool]:
    return {is_latin(" ".join(each.words)) for each in persons}


def _main_differs(one: Sequence[Person], other: Sequence[Person], policy: MatchingPolicy) -> bool:
    """Both sides have a 100, and neither of the two stands anywhere on the other side."""
    ours = next((each for each in one if each.is_main), None)
    theirs = next((each for each in other if each.is_main), None)
    if ours is None or theirs is None:
        return False
    return not any(compatible(ours, each, policy) for each in other) and not any(
        compatible(theirs, each, policy) for each in one
    )


def _named_in(persons: Sequence[Person], statement: str) -> float:
    words = set(fold(statement).split())
    found = sum(bool(each.words) and (each.surname or each.words[-1]) in words for each in persons)
    return found / len(persons)


def _fits(word: str, other: str, policy: MatchingPolicy) -> bool:
    if len(word) == 1 or len(other) == 1:
        return word[0] == other[0]
    return _same_name(word, other, policy.name_close_ratio, policy.name_close_length)


@lru_cache(maxsize=16384)
def _same_name(one: str, other: str, close_ratio: float, close_length: int) -> bool:
    """Equal, equal but for an umlaut written out, or alike enough to be another transliteration."""
    if one == other or fold_loosely(one) == fold_loosely(other):
        return True
    if min(len(one), len(other)) < close_length:
        return False
    return Levenshtein.normalized_similarity(_sounds(one), _sounds(other)) >= close_ratio - 1e-9


_TRANSLITERATIONS = (
    ("tsch", "c"),
    ("tch", "c"),
    ("tj", "c"),
    ("sch", "s"),
    ("ch", "c"),
    ("sh", "s"),
    ("sj", "s"),
    ("zh", "z"),
    ("kh", "h"),
    ("ph", "f"),
    ("th", "t"),
    ("ck", "k"),
    ("w", "v"),
    ("j", "i"),
    ("y", "i"),
    ("ii", "i"),
    ("dt", "d"),
    ("q", "k"),
    ("x", "ks"),
    ("ou", "u"),
)


@lru_cache(maxsize=16384)
def _sounds(word: str) -> str:
    """A name with the letters that transliterations exchange made one: Tjechov, Tchekhov and Chekhov."""
    for written, sound in _TRANSLITERATIONS:
        word = word.replace(written, sound)
    return word
