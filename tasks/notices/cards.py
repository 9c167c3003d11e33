"""A record as a cataloguer looks at it: a card of named fields, and two cards compared field by field.

What is the same is found on a folded form (case, spaces and punctuation at the ends do not count); what differs is
marked word by word, so that a page can mark it with more than colour.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from schemas.marc import Field, MarcRecord

Relation = Literal["same", "differs", "only_incoming", "only_candidate"]


@dataclass(frozen=True, slots=True)
class RecordCard:
    """Field names (phrase keys `card.<name>`) and their values, in the order in which they are read."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The value of a field, empty where the record has none."""
        return dict(self.fields).get(name, "")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of words; `differs` where the other side has other words."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class ComparedField:
    """One field of the incoming record beside the same field of a candidate."""

    name: str
    relation: Relation
    incoming: tuple[Segment, ...]
    candidate: tuple[Segment, ...]


def record_card(record: MarcRecord) -> RecordCard:
    """The card of a bibliographic record: what tells one book from another, in the order of a catalogue card."""
    fields = ((name, reader(record)) for name, reader in _READERS)
    return RecordCard(tuple((name, value) for name, value in fields if value))


def compare_cards(incoming: RecordCard, candidate: RecordCard) -> tuple[ComparedField, ...]:
    """Every field that either card has, in the order of the incoming one; the candidate's further fields follow.

    Control numbers always differ and say nothing: they are left out.
    """
    names = [name for name, _ in incoming.fields]
    names += [name for name, _ in candidate.fields if name not in names]
    names = [name for name in names if name != "control_number"]
    return tuple(_compare(name, incoming.get(name), candidate.get(name)) for name in names)


def _compare(name: str, incoming: str, candidate: str) -> ComparedField:
    left, right = incoming.split(), candidate.split()
    if not candidate:
        return ComparedField(name, "only_incoming", (Segment(incoming, True),), ())
    if not incoming:
        return ComparedField(name, "only_candidate", (), (Segment(candidate, True),))
    left_keys, right_keys = [_folded(word) for word in left], [_folded(word) for word in right]
    if [key for key in left_keys if key] == [key for key in right_keys if key]:
        return ComparedField(name, "same", (Segment(incoming, False),), (Segment(candidate, False),))
    matcher = difflib.SequenceMatcher(None, left_keys, right_keys, autojunk=False)
    blocks = matcher.get_matching_blocks()
    left_same = {index for block in blocks for index in range(block.a, block.a + block.size)}
    right_same = {index for block in blocks for index in range(block.b, block.b + block.size)}
    return ComparedField(name, "differs", _segments(left, left_same), _segments(right, right_same))


def _segments(words: list[str], same: set[int]) -> tuple[Segment, ...]:
    """Words in runs of same and different, with the blanks between runs kept."""
    runs: list[tuple[bool, list[str]]] = []
    for index, word in enumerate(words):
        differs = index not in same
        if not runs or runs[-1][0] is not differs:
            runs.append((differs, []))
        runs[-1][1].append(word)
    return tuple(Segment(" ".join(run), differs) for differs, run in runs)


def _folded(word: str) -> str:
    """A word without case, diacritics written in one way, and punctuation at its ends."""
    return re.sub(r"^\W+|\W+$", "", unicodedata.normalize("NFKC", word).casefold())


def _subfields(codes: str, *tags: str) -> Callable[[MarcRecord], str]:
    def read(record: MarcRecord) -> str:
        values = (" ".join(field.all(codes)) for field in record.fields(*tags))
        return _joined(values)

    return read


def _joined(values: Iterable[str]) -> str:
    """Different values once each, with a semicolon between; ISBD punctuation at the end goes."""
    clean = (re.sub(r"[\s/:;,=]+$", "", " ".join(value.split())) for value in values)
    return "; ".join(dict.fromkeys(value for value in clean if value))


def _year(record: MarcRecord) -> str:
    dates = (record.control("008") or "")[7:15]
    first, second = dates[:4].strip(" |#"), dates[4:].strip(" |#")
    return f"{first}–{second}" if first and second.isdigit() else first


def _language(record: MarcRecord) -> str:
    fixed = (record.control("008") or "")[35:38].strip(" |#")
    return _joined([fixed, *(code for field in record.fields("041") for code in field.all("a"))])


def _publication(record: MarcRecord) -> str:
    def is_publication(field: Field) -> bool:
        return field.tag == "260" or field.indicators[1:2] in ("1", " ")

    return _joined(" ".join(field.all("abc")) for field in record.fields("260", "264") if is_publication(field))


def _leader(place: int) -> Callable[[MarcRecord], str]:
    """A leader code as cataloguers write it: a blank as #."""

    def read(record: MarcRecord) -> str:
        return record.leader[place : place + 1].replace(" ", "#")

    return read


def _control_number(record: MarcRecord) -> str:
    return (record.control("001") or "").strip()


_READERS: tuple[tuple[str, Callable[[MarcRecord], str]], ...] = (
    ("title", _subfields("abnp", "245")),
    ("responsibility", _subfields("c", "245")),
    ("author", _subfields("abcdq", "100", "110", "111", "700", "710", "711")),
    ("variant_title", _subfields("abnp", "130", "240", "246")),
    ("edition", _subfields("ab", "250")),
    ("publication", _publication),
    ("year", _year),
    ("extent", _subfields("abce", "300")),
    ("series", _subfields("anpv", "490", "830")),
    ("isbn", _subfields("aq", "020")),
    ("isbn_cancelled", _subfields("z", "020")),
    ("issn", _subfields("a", "022")),
    ("language", _language),
    ("medium", _subfields("a", "337", "338")),
    ("medium_in_title", _subfields("h", "245")),
    ("record_type", _leader(6)),
    ("bib_level", _leader(7)),
    ("encoding_level", _leader(17)),
    ("source", _subfields("ac", "040")),
    ("control_number", _control_number),
)
