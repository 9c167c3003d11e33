"""Facts of a bib: what the warehouse keeps beside its bytes, and whether it can be taken in at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.marc import BibFacts, Field, Identifier, IsbnFact, MarcRecord
from tasks.marc.carrier import CARRIER_TAGS, carrier_from_fields
from tasks.marc.isbn import isbn_fact, issn_key
from tasks.marc.records import LazyRecord, all_values, field_of, first_value, lazy

HOLDING_TYPES = frozenset("uvxy")
"""leader/06 of a holding: the whole rule of what is one."""
BIB_TYPES = frozenset("acdefgijkmoprt" + "bnh")
"""leader/06 of bibs; b, n and h are codes of older formats that still come."""
MAX_TITLE = 500

_TITLE_CODES = "abnp"
_NON_SORTING = re.compile("[\x88\x89\x98\x9c]")
_YEAR = re.compile(r"[12][0-9]{3}")
_AUTHOR_TAGS = ("100", "110", "111", "700")
_ENDS = " /:;,="


def bib_facts(record: MarcRecord, *, own_prefix: str, control_number: str | None = None) -> BibFacts:
    """Facts of a bib after normalisation.

    `own_prefix` is our 003. `control_number` is given where normalisation has moved 001 away; by default it is 001.
    """
    own = lazy(record)
    leader, index = own.leader, own.index
    if control_number is None:
        control_number = _first_text(index, "001")
    by_tag = {tag: [field_of(tag, text) for text in index[tag]] for tag in CARRIER_TAGS if tag in index}
    isbns = _isbn_facts(by_tag.get("020", ()))
    return BibFacts(
        control_number,
        _title(by_tag.get("245", ())),
        author_of(own),
        leader[17],
        leader[6],
        leader[7],
        carrier_from_fields(leader, by_tag),
        year_of(own),
        "042" in index and any("NB" in all_values(text, "9") for text in index["042"]),
        isbns,
        identifiers_of(own, isbns, own_prefix),
        _reject_reason(own),
    )


def title_of(record: MarcRecord) -> str:
    """245 $a $b $n $p for people: ISBD punctuation at the end trimmed, non-sorting signs gone, 500 characters."""
    return _title(record.fields("245"))


def isbn_facts(record: MarcRecord) -> tuple[IsbnFact, ...]:
    """Every 020 $a and $z in record order, with its $q."""
    return _isbn_facts(record.fields("020"))


def author_of(record: MarcRecord) -> str:
    """$a of the first 100, 110, 111 or 700, without dates."""
    index = lazy(record).index
    for tag in _AUTHOR_TAGS:
        for text in index.get(tag, ()):
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
    found = [("issn", issn_key(first_value(text, "a")) or "") for text in index.get("022", ())]
    for text in index.get("035", ()):
        found += [("035", value.strip()) for value in all_values(text, "a")]
    number, prefix = _first_text(index, "001"), _first_text(index, "003")
    if number and prefix:
        found.append(("control_number", number) if prefix == own_prefix else ("035", f"({prefix}){number}"))
    for text in index.get("024", ()):
        if text[0] == "3":
            value = first_value(text, "a").replace("-", "").replace(" ", "")
            if all(value != isbn.isbn13 for isbn in isbns):
                found.append(("ean", value))
    return tuple([Identifier(scheme, value) for scheme, value in dict.fromkeys(found) if value])


def _title(fields: Sequence[Field]) -> str:
    if not fields:
        return ""
    return _for_people(" ".join([value for code, value in fields[0].subfields if code in _TITLE_CODES]))[:MAX_TITLE]


def _isbn_facts(fields: Sequence[Field]) -> tuple[IsbnFact, ...]:
    facts = []
    for each in fields:
        subfields = each.subfields
        qualifier = "; ".join([value for code, value in subfields if code == "q"]) if len(subfields) > 1 else ""
        for code, value in subfields:
            if code == "a":
                facts.append(isbn_fact(value, "a", qualifier))
            elif code == "z":
                facts.append(isbn_fact(value, "z", qualifier))
    return tuple([fact for fact in facts if fact.raw])


def _first_text(index: dict[str, list[str]], tag: str) -> str:
    return index[tag][0].strip() if tag in index else ""


def _reject_reason(record: LazyRecord) -> str:
    kind = record.leader[6]
    if kind == " ":
        return "leader/06 (type of record) is missing"
    if kind not in BIB_TYPES:
        return f"not a bibliographic record (leader/06 {kind})"
    if not any(first_value(text, "a") for text in record.index.get("245", ())):
        return "245 $a (title) is missing"
    return ""


def _for_people(text: str) -> str:
    if not text.isascii() and _NON_SORTING.search(text):
        text = _NON_SORTING.sub("", text)
    return " ".join(text.split()).rstrip(_ENDS)
