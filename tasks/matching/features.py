"""What matching looks at in one record, taken out of it once.

Features are computed from the record whenever it is judged and are never stored, so they cannot be out of date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from schemas.marc import Field, IsbnFact, MarcRecord
from tasks.marc.carrier import CARRIER_TAGS, carrier_from_fields
from tasks.marc.folding import fold, plain_letters
from tasks.marc.isbn import issn_key
from tasks.matching.edition import NO_EDITION, Edition, edition_of
from tasks.matching.isbn_sharing import NO_ISBNS, OwnNumbers, own_numbers
from tasks.matching.language import languages_of
from tasks.matching.persons import Person, persons_of
from tasks.matching.title import NO_TITLE, Title, title_of

MATCH_TAGS = tuple(
    sorted(
        {*CARRIER_TAGS, "022", "024", "035", "041", "100", "246", "250", "260", "264"}
        | {"340", "655", "700", "776", "787", "880"}
    )
)
_NONE: tuple[Field, ...] = ()
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


@dataclass(frozen=True, slots=True)
class MatchFeatures:
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
    extent: str = field(default="", repr=False)


def features_of(record: MarcRecord, isbns: Sequence[IsbnFact]) -> MatchFeatures:
    """The features of a normalised bib. `isbns` are its 020 $a and $z as `tasks.marc.isbn` reads them."""
    by_tag: dict[str, list[Field]] = {}
    for each in record.fields(*MATCH_TAGS):
        if each.tag in by_tag:
            by_tag[each.tag].append(each)
        else:
            by_tag[each.tag] = [each]
    leader = record.leader
    fixed = by_tag["008"][0].value if "008" in by_tag else ""
    titles = by_tag.get("245", _NONE)
    linked = by_tag.get("880", _NONE)
    title = title_of(titles, by_tag.get("246", _NONE), linked)
    carrier = carrier_from_fields(leader, by_tag)
    extent = next((value for each in by_tag.get("300", _NONE) if (value := each.first("a"))), "")
    imprint = _imprint(by_tag)
    return MatchFeatures(
        record_type=leader[6:7],
        bib_level=leader[7:8],
        encoding_level=leader[17:18],
        title=title,
        statement=(titles[0].first("c") or "") if titles else "",
        persons=persons_of((*by_tag.get("100", _NONE), *by_tag.get("700", _NONE), *linked)),
        isbns=own_numbers(isbns, carrier, (*by_tag.get("776", _NONE), *by_tag.get("787", _NONE))),
        issns=_issns(by_tag["022"]) if "022" in by_tag else frozenset(),
        eans=_eans(by_tag["024"]) if "024" in by_tag else frozenset(),
        other_numbers=_other_numbers(by_tag["035"]) if "035" in by_tag else frozenset(),
        carrier=carrier,
        edition=_edition(leader, fixed, by_tag, title),
        languages=languages_of(fixed, by_tag.get("041", _NONE)),
        years=_years(fixed, imprint),
        publisher=_publisher_words(next((value for each in imprint if (value := each.first("b"))), "")),
        pages=_pages(extent),
        extent=extent,
    )


def _imprint(by_tag: dict[str, list[Field]]) -> list[Field]:
    """264 of publication (second indicator 1) before any 264, before 260."""
    fields = by_tag.get("264")
    if not fields:
        return by_tag.get("260", [])
    return [each for each in fields if each.indicators[1:2] == "1"] or fields


def _edition(leader: str, fixed: str, by_tag: dict[str, list[Field]], title: Title) -> Edition:
    statements = [" ".join(each.all("ab")) for each in by_tag.get("250", _NONE)]
    marks = [value for tag, codes in _MARKS for each in by_tag.get(tag, _NONE) for value in each.all(codes)]
    place = 29 if leader[6:7] in "efgkor" else 23
    return edition_of(statements, marks, title.text, fixed[place : place + 1])


_MARKS = (("300", "ab"), ("340", "n"), ("655", "a"))


def _issns(fields: Sequence[Field]) -> frozenset[str]:
    return frozenset(key for each in fields for value in each.all("a") if (key := issn_key(value)))


def _eans(fields: Sequence[Field]) -> frozenset[str]:
    digits = (
        "".join(letter for letter in value if letter.isdigit())
        for each in fields
        if each.indicators[:1] == "3"
        for value in each.all("a")
    )
    return frozenset(each for each in digits if len(each) == 13 and not each.startswith(("978", "979")))


def _other_numbers(fields: Sequence[Field]) -> frozenset[str]:
    return frozenset(
        "".join(value.split()) for each in fields for value in each.all("a") if value.startswith("(") and ")" in value
    )


def _years(fixed: str, imprint: Sequence[Field]) -> frozenset[int]:
    if fixed and fixed[6:7] in _SINGLE_DATES and fixed[7:11].isdigit():
        first = int(fixed[7:11])
        second = fixed[11:15] if fixed[6] == "t" else ""
        if 1400 < first < 2200:
            return frozenset((first, int(second))) if second.isdigit() and second > "1400" else frozenset((first,))
    if fixed and fixed[6:7] not in _SINGLE_DATES and fixed[6:7] not in (" ", "|", "n", ""):
        return frozenset()
    dates = " ".join(value for each in imprint for value in each.all("c"))
    return frozenset(int(year) for year in _YEAR.findall(dates))


@lru_cache(maxsize=16384)
def _publisher_words(name: str) -> frozenset[str]:
    return frozenset(word for word in fold(name).split() if word not in _NOT_A_NAME)


@lru_cache(maxsize=16384)
def _pages(extent: str) -> int | None:
    found = [int(each) for each in _PAGES.findall(plain_letters(extent))]
    return max(found) if found else None
