"""Editions: which number an edition has, and whether it is a special one (large print, school, teacher, abridged).

Two different numbers are two books. "First" and no number are one and the same. A printing is not an edition:
"2. uppl., 3. tr." is the second. A special edition may be named in 250, 340 $n, 008/23, 300, 655 or the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tasks.marc.folding import fold, plain_letters
from tasks.matching.numbers import ordinal, roman

_EDITION_WORDS = re.compile(
    r"(uppl|utg|udg|edit|ed\b|eds\b|aufl|ausg|editie|druk\b|painos|versi|ausgabe|bewerkt|wyd|izd|laitos)\w*"
)
# Words for a printing. Norwegian opplag and Danish oplag are printings, Swedish upplaga is an edition.
_PRINTING_WORDS = re.compile(r"(tr\b|tryck|opplag|oplag|print|impress|tirage|nachdr|oplage|opl\b)\w*")
_REVISED = re.compile(
    r"\b(rev|omarb|bearb|updat|uppdat|utok|utvid|oppdat|opdat|forny|uberarb|aktualis|erw|neubearb|enl|expand|augm|herz"
    r"|verm|uud|(ny|nya|new|neue|nouv|nouvelle) (utg|uppl|udg|ed|aufl|ausg|druk))"
)
_PART = re.compile(r"[^\W_]+")
_YEARS = range(1500, 2100)
_NO_KINDS: frozenset[str] = frozenset()
_FOR_TEACHERS = ("edition", "guide", "book", "manual", "resource", "handbook", "pack")

# What names a special edition, folded: a text names it where one of these begins at a word. A blank ends a word.
_KINDS: dict[str, tuple[str, ...]] = {
    "large print": (
        *(
            "large print",
            "large type",
            "storstil",
            "stor stil",
            "stor skrift",
            "storskrift",
            "magnaprint",
            "grossdruck",
        ),
        *("gros caracteres", "grands caracteres", "grote letter", "grootletter", "isokirjoitus"),
    ),
    "easy reading": (
        *("lattlast", "lattlaest", "lettlest", "letlaest", "leichte sprache", "einfache sprache", "easy read"),
        "selkokirja",
    ),
    "teacher": (
        *("lararhandledn", "larares bok", "lararens bok", "lararens guide", "lararbok ", "lararmaterial", "lararpaket"),
        *("laererveil", "laerervejl", "laererens", "laererbok ", "laererressurs", "lehrerhand", "lehrerband"),
        *("lehrerausg", "lehrerkomm", "docentenhandl", "lerarenhandl", "opettajan opas", "opettajan kirja"),
        *(f"{who} {what}" for who in ("teacher", "teachers", "teacher s", "instructor s") for what in _FOR_TEACHERS),
        *("livre du professeur", "livre du maitre", "guide pedagogique", "guide du professeur"),
    ),
    "school": (
        *("skolutg", "skoleutg", "skoleudg", "skolupplaga", "schulausg", "schooluitg", "edition scolaire"),
        *("school edition", "school ed ", "koulupainos"),
    ),
    "workbook": (
        *("ovningsbok", "ovningshaft", "arbetsbok", "arbetshaft", "arbeidsbok", "arbejdsbog", "arbeitsheft"),
        *("arbeitsbuch", "ubungsbuch", "workbook", "work book ", "werkboek", "cahier d exercices", "opgavebog"),
        *("oppgavebok", "exercise book", "tehtavakirja"),
    ),
    "answers": ("facit", "fasit", "answer key", "losungsheft", "losungsbuch", "solutions manual", "corriges "),
    "abridged": (
        *("forkortad ", "forkortat ", "forkortede", "forkortede ", "forkortet ", "abridge", "abrege", "gekurzt"),
        *("verkorte ", "bekort", "lyhennet", "condensed edition", "condensed version", "bearbetad for barn"),
    ),
    "daisy": ("daisy",),
}
_STEM = 4  # letters of the first word that find the phrases worth trying
_BY_STEM: dict[str, list[tuple[str, str]]] = {}
for _kind, _phrases in _KINDS.items():
    for _phrase in _phrases:
        _BY_STEM.setdefault(_phrase[:_STEM], []).append((_phrase, _kind))
_STEMS = frozenset(_BY_STEM)
# 655 "Lättlästa böcker" is about the readers of a book that may exist in no other version.
_NOT_IN_MARKS = frozenset({"easy reading"})
_NOT_IN_TITLES = frozenset({"daisy"})  # a name
# "Unabridged" and its kin begin otherwise, but "icke förkortad" does not.
_WHOLE = re.compile(r"\b(?:ikke|icke|ej|inte|nicht|niet|non|not) (?:forkort|gekurzt|verkort|abrege|abridge)")


class Edition(NamedTuple):
    """What a record says of its edition."""

    numbers: frozenset[int]
    """Edition numbers from 250. Empty where none is given; the first edition is left out, being the same as none."""
    years: frozenset[int]
    """"2024 års utgåva": an edition named by its year."""
    kinds: frozenset[str]
    """Special editions: `large print`, `easy reading`, `teacher`, `school`, `workbook`, `answers`, `abridged`, ..."""
    is_stated_first: bool
    is_revised: bool
    """250 says "revised", "new", "enlarged", with or without a number."""
    text: str

    @property
    def is_later(self) -> bool:
        """Not the first, as far as the record says."""
        return bool(self.numbers or self.years or self.is_revised)


NO_EDITION = Edition(frozenset(), frozenset(), frozenset(), False, False, "")


def edition_of(statements: Iterable[str], marks: Iterable[str], title: str, item_form: str) -> Edition:
    """The edition from 250 `statements`, other texts that may name a special one, the title, and 008/23."""
    texts, marks = list(statements), list(marks)
    if not texts and not marks and item_form != "d" and not edition_kinds(title):
        return NO_EDITION  # most records
    numbers: set[int] = set()
    years: set[int] = set()
    kinds: set[str] = {"large print"} if item_form == "d" else set()
    is_first = False
    for text in texts:
        number = edition_number(text)
        if number == 1:
            is_first = True
        elif number is not None:
            (years if number in _YEARS else numbers).add(number)
        kinds |= edition_kinds(text)
    for text in marks:
        kinds |= edition_kinds(text) - _NOT_IN_MARKS
    if title:
        kinds |= edition_kinds(title) - _NOT_IN_TITLES
    if not texts and not kinds:
        return NO_EDITION
    is_revised = any(_REVISED.search(fold(text)) for text in texts)
    return Edition(frozenset(numbers), frozenset(years), frozenset(kinds), is_first, is_revised, " ; ".join(texts))


@lru_cache(maxsize=16384)
def edition_number(text: str) -> int | None:
    """The number of an edition statement, in figures, Roman figures or words; None where it has none.

    >>> edition_number("Andra, omarbetade upplagan"), edition_number("3rd ed., 2nd printing"), edition_number("Ny utg.")
    (2, 3, None)
    """
    tokens = _PART.findall(text)
    words = [plain_letters(token) for token in tokens]
    number: int | None = None
    is_pending = False
    for place, word in enumerate(words):
        if word.startswith(("anniversary", "jubile", "jubila")):
            return None  # "10th anniversary edition"
        if _PRINTING_WORDS.match(word):
            if is_pending:
                number, is_pending = None, False  # "3. tryckningen": the number was the printing's
            break
        if _EDITION_WORDS.match(word):
            if number is not None:
                return number
            return _number_after(tokens[place + 1 :])
        value = ordinal(word) or (ordinal(word[:-1]) if word[-2:] in ("en", "em") else None)
        if value is None:
            value = roman(tokens[place])
        if value is not None and number is None:
            number, is_pending = value, True
    return number


@lru_cache(maxsize=16384)
def edition_kinds(text: str) -> frozenset[str]:
    """The special editions that a text names. "Unabridged" names none."""
    folded = fold(text)
    stems = _STEMS.intersection([word[:_STEM] for word in folded.split()])
    if not stems:
        return _NO_KINDS
    padded = f" {folded} "
    kinds = {kind for stem in stems for phrase, kind in _BY_STEM.get(stem, ()) if f" {phrase}" in padded}
    if "abridged" in kinds and _WHOLE.search(padded):
        kinds.discard("abridged")
    return frozenset(kinds)


def compare_editions(one: Edition, other: Edition) -> tuple[str, str]:
    """(veto, text) of two editions: `edition`, `edition_kind` or empty where nothing conflicts."""
    if one.kinds != other.kinds:
        ours, theirs = (", ".join(sorted(each.kinds)) or "ordinary" for each in (one, other))
        return "edition_kind", f"{ours} edition against {theirs}"
    if _conflict(one.numbers, other.numbers, one.is_stated_first, other.is_stated_first):
        return "edition", f"edition {one.text!r} is not {other.text!r}"
    if one.years and other.years and not one.years & other.years:
        return "edition", f"edition {one.text!r} is not {other.text!r}"
    return "", ""


def _conflict(ours: frozenset[int], theirs: frozenset[int], ours_first: bool, theirs_first: bool) -> bool:
    if ours and theirs:
        return not ours & theirs
    return bool((ours and theirs_first and not ours_first) or (theirs and ours_first and not theirs_first))


def _number_after(tokens: list[str]) -> int | None:
    """ "Version 2", "utgåva nr 3": the number follows, with nothing but a filler between."""
    for token in tokens[:2]:
        value = ordinal(plain_letters(token))
        if value is None:
            value = roman(token)
        if value is not None:
            return value
        if plain_letters(token) not in ("nr", "no", "nummer", "number", "numero"):
            return None
    return None
