"""Facts of a bib: what the warehouse keeps beside its bytes, and whether it can be taken in at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.marc import BibFacts, Identifier, IsbnFact, MarcRecord
from tasks.marc.carrier import carrier_from_texts
from tasks.marc.isbn import isbn_fact, issn_key
from tasks.marc.records import SUBFIELD_MARK, LazyRecord, all_values, first_value, lazy

HOLDING_TYPES = frozenset("uvxy")
"""leader/06 of a holding: the whole rule of what is one."""
BIB_TYPES = frozenset("acdefgijkmoprt" + "bnh")
"""leader/06 of bibs; b, n and h are codes of older formats that still come."""
MAX_TITLE = 500

_TITLE_CODES = frozenset("abnp")
_NON_SORTING = re.compile("[\x88\x89\x98\x9c]")
_YEAR = re.compile(r"[12][0-9]{3}")
_AUTHOR_TAGS = ("100", "110", "111", "700")
_ENDS = " /:;,="
_new = tuple.__new__
"""Makes a named tuple in half the time."""


def bib_facts(record: MarcRecord, *, own_prefix: str, control_number: str | None = None) -> BibFacts:
    """Facts of a bib after normalisation.

    `own_prefix` is our 003. `control_number` is given where normalisation has moved 001 away; by default it is 001.
    """
    own = lazy(record)
    leader, index = own.leader, own.index
    if control_number is None:
        control_number = _first_text(index, "001")
    isbns = _isbn_facts(index.get("020", ()))
    is_national = "042" in index and any("NB" in all_values(text, "9") for text in index["042"])
    facts = (
        control_number,
        _title(index.get("245", ())),
        author_of(own),
        leader[17],
        leader[6],
        leader[7],
        carrier_from_texts(leader, index),
        year_of(own),
        is_national,
        isbns,
        identifiers_of(own, isbns, own_prefix),
        _reject_reason(own),
    )
    return _new(BibFacts, facts)


def title_of(record: MarcRecord) -> str:
    """245 $a $b $n $p for people: ISBD punctuation at the end trimmed, non-sorting signs gone, 500 characters."""
    return _title(lazy(record).index.get("245", ()))


def isbn_facts(record: MarcRecord) -> tuple[IsbnFact, ...]:
    """Every 020 $a and $z in record order, with its $q."""
    return _isbn_facts(lazy(record).index.get("020", ()))


def author_of(record: MarcRecord) -> str:
    """$a of the first 100, 110, 111 or 700, without dates."""
    index = lazy(record).index
    for tag in _AUTHOR_TAGS:
        if tag in index:
            for text in index[tag]:
                name = first_value(text, "a")
                if name:
                    return _for_people(name)
    return ""


def year_of(record: MarcRecord) -> int | None:
    """008/07-10 where it is a year, else the first year in 264 or 260 $c."""
    index = lazy(record).index
    fixed = _YEAR.fullmatch(index["008"][0], 7, 11) if "008" in index else None
    if fixed is not None:
        return int(fixed.group())
    for tag in ("264", "260"):
        for text in index.get(tag, ()):
            for date in all_values(text, "c"):
                found = _YEAR.search(date)
                if found is not None:
                    return int(found.group())
    return None


def identifiers_of(record: MarcRecord, isbns: tuple[IsbnFact, ...], own_prefix: str) -> tuple[Identifier, ...]:
    """Other numbers to find the bib by, each once: ISSN, 035 $a, `(003)001`, EAN that is no ISBN, our own 001."""
    index = lazy(record).index
    found: list[tuple[str, str]] = []
    if "022" in index:
        found += [("issn", issn_key(first_value(text, "a")) or "") for text in index["022"]]
    if "035" in index:
        for text in index["035"]:
            found += [("035", value.strip()) for value in all_values(text, "a")]
    number, prefix = _first_text(index, "001"), _first_text(index, "003")
    if number and prefix:
        found.append(("control_number", number) if prefix == own_prefix else ("035", f"({prefix}){number}"))
    if "024" in index:
        for text in index["024"]:
            if text[0] == "3":
                value = first_value(text, "a").replace("-", "").replace(" ", "")
                if all(value != isbn.isbn13 for isbn in isbns):
                    found.append(("ean", value))
    if len(found) > 1:
        found = list(dict.fromkeys(found))
    return tuple([_new(Identifier, each) for each in found if each[1]])


def _title(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    chunks = texts[0].split(SUBFIELD_MARK)[1:]
    return _for_people(" ".join([chunk[1:] for chunk in chunks if chunk[:1] in _TITLE_CODES]))[:MAX_TITLE]


def _isbn_facts(texts: Sequence[str]) -> tuple[IsbnFact, ...]:
    facts: list[IsbnFact] = []
    for text in texts:
        chunks = text.split(SUBFIELD_MARK)[1:]
        qualifier = "; ".join([chunk[1:] for chunk in chunks if chunk[:1] == "q"]) if len(chunks) > 1 else ""
        for chunk in chunks:
            code = chunk[:1]
            if code == "a":
                facts.append(isbn_fact(chunk[1:], "a", qualifier))
            elif code == "z":
                facts.append(isbn_fact(chunk[1:], "z", qualifier))
    return tuple([fact for fact in facts if fact.raw])


def _first_text(index: dict[str, list[str]], tag: str) -> str:
    return index[tag][0].strip() if tag in index else ""


def _reject_reason(record: LazyRecord) -> str:
    kind = record.leader[6]
    if kind == " ":
        return "leader/06 (type of record) is missing"
    if kind not in BIB_TYPES:
        return f"not a bibliographic record (leader/06 {kind})"
    for text in record.index.get("245", ()):
        if first_value(text, "a"):
            return ""
    return "245 $a (title) is missing"


def _for_people(text: str) -> str:
    if not text.isascii() and _NON_SORTING.search(text):
        text = _NON_SORTING.sub("", text)
    return " ".join(text.split()).rstrip(_ENDS)
