"""What matching looks at in one record, taken out of it once.

Features are computed from the record whenever it is judged and are never stored, so they cannot be out of date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.marc import Field, IsbnFact, MarcRecord
from tasks.marc.carrier import CARRIER_TAGS, carrier_from_texts
from tasks.marc.encode import stored_texts
from tasks.marc.folding import fold, plain_letters
from tasks.marc.isbn import issn_key
from tasks.marc.records import all_values, field_of, first_value, lazy
from tasks.matching.edition import NO_EDITION, Edition, edition_kinds, edition_of
from tasks.matching.isbn_sharing import NO_ISBNS, OwnNumbers, own_numbers
from tasks.matching.language import languages_of
from tasks.matching.persons import Person, persons_in
from tasks.matching.title import NO_TITLE, Title, title_of

MATCH_TAGS = frozenset(
    {*CARRIER_TAGS, "022", "024", "035", "041", "100", "246", "250", "260", "264"}
    | {"340", "655", "700", "776", "787", "880"}
)
_NOTHING: frozenset[str] = frozenset()
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_PAGES = re.compile(
    r"(\d{1,5})\]?[^\d]{0,3}(?:, ?\[\d+\] )?\s*(?:unnumbered |onumrerade |opag\w*\.? |unpaged )?"
    r"(?:s|sid|sidor|sider|p|pp|pages?|pagina's|seiten|blz|sivua)\b"
)
_COMPANY_WORDS = """
    forlag forlaget forlags bokforlag bokforlaget ab as aps ltd inc gmbh verlag publishing publishers publisher press
    editions edition uitgeverij the and och og und co company books bocker group media s l sn sl
"""
_NOT_A_NAME = frozenset(_COMPANY_WORDS.split())
# 008/06 of a single or probable date, a reprint, publication and copyright: the only ones whose dates name one book.
_SINGLE_DATES = frozenset("sretpq")


Texts = dict[str, list[str]]
"""Undivided field texts by tag, in record order"""


class MatchFeatures(NamedTuple):
    """One record as matching sees it. Every empty value means that the record says nothing, which is neutral."""

    record_type: str = ""
    """leader/06"""
    bib_level: str = ""
    """leader/07"""
    encoding_level: str = ""
    """leader/17; blank is a space."""
    title: Title = NO_TITLE
    statement: str = ""
    """245 $c"""
    persons: tuple[Person, ...] = ()
    isbns: OwnNumbers = NO_ISBNS
    issns: frozenset[str] = frozenset()
    """Valid 022 $a"""
    eans: frozenset[str] = frozenset()
    """024 with first indicator 3, digits only, those that are ISBNs left out."""
    other_numbers: frozenset[str] = frozenset()
    """035 $a with a source in brackets"""
    carrier: str = ""
    edition: Edition = NO_EDITION
    languages: frozenset[str] = frozenset()
    years: frozenset[int] = frozenset()
    """Year of publication, and of copyright where 008 gives both."""
    publisher: frozenset[str] = frozenset()
    """Folded words of the publisher's name, without "publishing house"."""
    pages: int | None = None
    """Pages of the main numbering"""
    extent: str = ""
    """300 $a as it stands"""


def features_of(record: MarcRecord, isbns: Sequence[IsbnFact]) -> MatchFeatures:
    """The features of a normalised bib. `isbns` are its 020 $a and $z as `tasks.marc.isbn` reads them."""
    whole = lazy(record)
    return _features(whole.leader, whole.index, isbns)


def stored_features(content: bytes, isbns: Sequence[IsbnFact]) -> MatchFeatures:
    """As `features_of`, from the stored form of a bib; raises `SamkatError` where that cannot be read."""
    leader, texts = stored_texts(content, MATCH_TAGS)
    return _features(leader, texts, isbns)


def _features(leader: str, texts: Texts, isbns: Sequence[IsbnFact]) -> MatchFeatures:
    fixed = texts["008"][0] if "008" in texts else ""
    title, statement = _title(texts)
    carrier = carrier_from_texts(leader, texts)
    extent = _extent(texts)
    imprint = _imprint(texts)
    return MatchFeatures(
        leader[6:7],
        leader[7:8],
        leader[17:18],
        title,
        statement,
        persons_in(texts),
        own_numbers(isbns, carrier, [*_divided(texts, "776"), *_divided(texts, "787")]),
        _issns(_divided(texts, "022")),
        _eans(_divided(texts, "024")),
        _other_numbers(_divided(texts, "035")),
        carrier,
        _edition(leader, fixed, texts, title),
        languages_of(fixed, _divided(texts, "041")),
        _years(fixed, imprint),
        _publisher_words(next((name for each in imprint if (name := first_value(each, "b"))), "")),
        _pages(extent),
        extent,
    )


def _divided(texts: Texts, tag: str) -> Sequence[Field]:
    return [field_of(tag, each) for each in texts[tag]] if tag in texts else ()


def _title(texts: Texts) -> tuple[Title, str]:
    """Title and statement of responsibility."""
    titles = texts.get("245", ())
    if not titles:
        return NO_TITLE, ""
    if "246" not in texts and "880" not in texts:
        return _title_alone(titles[0])
    first = field_of("245", titles[0])
    return title_of([first], _divided(texts, "246"), _divided(texts, "880")), first.first("c") or ""


@lru_cache(maxsize=8192)
def _title_alone(text: str) -> tuple[Title, str]:
    """Often the same on both sides of a pair."""
    field = field_of("245", text)
    return title_of([field], (), ()), field.first("c") or ""


def _extent(texts: Texts) -> str:
    """First 300 $a"""
    return next((value for each in texts.get("300", ()) for value in all_values(each, "a")[:1] if value), "")


def _imprint(texts: Texts) -> Sequence[str]:
    """264 of publication (second indicator 1) before any 264, before 260."""
    fields = texts.get("264")
    if fields is None:
        return texts.get("260", ())
    return [each for each in fields if each[1:2] == "1"] or fields


def _edition(leader: str, fixed: str, texts: Texts, title: Title) -> Edition:
    statements = [" ".join(field_of("250", each).all("ab")) for each in texts.get("250", ())]
    marks = [
        value for tag, codes in _MARKS if tag in texts for each in texts[tag] for value in _edition_marks(each, codes)
    ]
    place = 29 if leader[6:7] in "efgkor" else 23
    return edition_of(statements, marks, title.text, fixed[place : place + 1])


_MARKS = (("300", "ab"), ("340", "n"), ("655", "a"))


@lru_cache(maxsize=16384)
def _edition_marks(text: str, codes: str) -> tuple[str, ...]:
    """The values of a field that name a special edition. Hardly any does, and every bib has the same genre terms."""
    return tuple(value for code in codes for value in all_values(text, code) if edition_kinds(value))


def _issns(fields: Sequence[Field]) -> frozenset[str]:
    if not fields:
        return _NOTHING
    return frozenset(key for each in fields for value in each.all("a") if (key := issn_key(value)))


def _eans(fields: Sequence[Field]) -> frozenset[str]:
    if not fields:
        return _NOTHING
    digits = (
        "".join(letter for letter in value if letter.isdigit())
        for each in fields
        if each.indicators[:1] == "3"
        for value in each.all("a")
    )
    return frozenset(each for each in digits if len(each) == 13 and not each.startswith(("978", "979")))


def _other_numbers(fields: Sequence[Field]) -> frozenset[str]:
    if not fields:
        return _NOTHING
    return frozenset(
        "".join(value.split()) for each in fields for value in each.all("a") if value.startswith("(") and ")" in value
    )


def _years(fixed: str, imprint: Sequence[str]) -> frozenset[int]:
    if fixed and fixed[6:7] in _SINGLE_DATES and fixed[7:11].isdigit():
        first = int(fixed[7:11])
        second = fixed[11:15] if fixed[6] == "t" else ""
        if 1400 < first < 2200:
            return frozenset((first, int(second))) if second.isdigit() and second > "1400" else frozenset((first,))
    if fixed and fixed[6:7] not in _SINGLE_DATES and fixed[6:7] not in (" ", "|", "n", ""):
        return frozenset()
    dates = " ".join(value for each in imprint for value in all_values(each, "c"))
    return frozenset(int(year) for year in _YEAR.findall(dates))


@lru_cache(maxsize=16384)
def _publisher_words(name: str) -> frozenset[str]:
    return frozenset(word for word in fold(name).split() if word not in _NOT_A_NAME)


@lru_cache(maxsize=16384)
def _pages(extent: str) -> int | None:
    found = [int(each) for each in _PAGES.findall(plain_letters(extent))]
    return max(found) if found else None
