"""Characters as the receiver's system can take them: composed, decomposed, Latin-1. What cannot be kept is told.

Pure. Texts here are undivided field texts: a mark at the beginning of a value must not melt with the subfield's code
before it, so whatever is changed is changed value by value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from tasks.marc.records import FIELD_END, SUBFIELD_MARK, LazyRecord

Form = Literal["NFC", "NFD"]
UNKNOWN = "?"
LIKE = {
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "‘": "'", "’": "'", "‚": "'", "‛": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "′": "'", "″": '"', "…": "...", "€": "EUR", "œ": "oe", "Œ": "OE", "ł": "l",
    "Ł": "L", "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ŋ": "n", "Ŋ": "N", "ı": "i", "ŧ": "t", "Ŧ": "T", "™": "(TM)",
    "•": "*", "⁄": "/", "ﬁ": "fi", "ﬂ": "fl",
}  # fmt: skip
"""What is written in Latin-1 for characters that have no simpler form of their own in Unicode."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Replaced(NamedTuple):
    """A character that could not be written, the field in which it stood, and what was written for it."""

    tag: str
    character: str
    written: str


def normalised(record: LazyRecord, form: Form) -> LazyRecord:
    """The record with its letters composed (NFC) or decomposed (NFD); the same object where it is so already."""
    whole = FIELD_END.join(record.texts)
    if whole.isascii() or unicodedata.is_normalized(form, whole):
        return record

    def change(value: str) -> str:
        return unicodedata.normalize(form, value)

    return LazyRecord(record.leader, record.tags, [_each_value(text, change) for text in record.texts])


def in_latin1(record: LazyRecord) -> tuple[LazyRecord, list[Replaced]]:
    """The record in characters that Latin-1 has, composed; what it lacks is written as its nearest, and told."""
    record = normalised(record, "NFC")
    replaced: list[Replaced] = []
    texts = []
    for tag, text in zip(record.tags, record.texts, strict=True):
        if not text.isascii() and not _is_latin1(text):
            replaced += [Replaced(tag, each, nearest(each)) for each in text if ord(each) > 0xFF]
            text = "".join(each if ord(each) <= 0xFF else nearest(each) for each in text)
        texts.append(text)
    return (LazyRecord(record.leader, record.tags, texts), replaced) if replaced else (record, [])


def for_xml(record: LazyRecord) -> tuple[LazyRecord, list[Replaced]]:
    """The record without the control characters that XML has no way to write."""
    replaced = list(_not_in_xml(record))
    if not replaced:
        return record, []

    def change(value: str) -> str:
        return _NO_XML.sub(UNKNOWN, value)

    return LazyRecord(record.leader, record.tags, [_each_value(text, change) for text in record.texts]), replaced


def _not_in_xml(record: LazyRecord) -> Iterator[Replaced]:
    for tag, text in zip(record.tags, record.texts, strict=True):
        if not text.isprintable():  # a mark of a subfield is not printable either
            for found in _NO_XML.findall(text.replace(SUBFIELD_MARK, "")):
                yield Replaced(tag, found, UNKNOWN)


@lru_cache(maxsize=4096)
def nearest(character: str) -> str:
    """What stands for a character in Latin-1: its nearest, its base letter, or `?`."""
    if character in LIKE:
        return LIKE[character]
    if unicodedata.combining(character):
        return ""
    base = "".join(each for each in unicodedata.normalize("NFKD", character) if not unicodedata.combining(each))
    return "".join(each if ord(each) <= 0xFF else LIKE.get(each, UNKNOWN) for each in base) or UNKNOWN


def _is_latin1(text: str) -> bool:
    try:
        text.encode("iso8859-1")
    except UnicodeEncodeError:
        return False
    return True


def _each_value(text: str, change: Callable[[str], str]) -> str:
    """`change` done to each value of a field text; indicators and codes stay as they are."""
    head, *chunks = text.split(SUBFIELD_MARK)
    if not chunks:
        return change(head)
    return SUBFIELD_MARK.join([head, *(each[:1] + change(each[1:]) for each in chunks)])
