"""A bib as the receiver gets it: control fields, former and later numbers, ISBN, and what else its profile asks for.

Pure. Done twice it is done once: a record that was exported, loaded elsewhere and exported again is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from stdnum import isbn as stdnum_isbn
from stdnum.exceptions import ValidationError

from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from tasks.exports.choosing import Reason
from tasks.exports.gathering import BibRow
from tasks.marc.encode import decode
from tasks.marc.records import SUBFIELD_MARK, LazyRecord, all_values, lazy

Fields = list[tuple[str, str]]
"""Tag and undivided text of each field."""

CONTROL_TAGS = frozenset({"001", "003", "005"})
SUCCESSOR_NOTE = "Replaced by:"
_NUMBER = re.compile(r"[0-9][0-9 ‐-―−-]{7,20}[0-9Xx]")
"""What may be an ISBN in a text: digits with dashes and spaces between them."""


@dataclass(frozen=True)
class Dress:
    """How bibs are dressed for one profile."""

    profile: ExportProfile
    catalogue: CatalogueRules

    @cached_property
    def prefix(self) -> str:
        """003 of the records."""
        return self.profile.control_number_prefix or self.catalogue.control_number_prefix

    @cached_property
    def former_place(self) -> tuple[str, str] | None:
        """Tag and code that name former control numbers: where `catalogue load` looks for them."""
        rules = self.catalogue.merged_from
        return (rules[0][:3], rules[0][4]) if rules else None


def dressed(row: BibRow, reason: Reason, dress: Dress) -> LazyRecord:
    """The record of a bib for the receiver; one that is gone is marked as deleted and names its successor."""
    record = lazy(decode(row.content))
    profile = dress.profile
    fields: Fields = [
        (tag, text) for tag, text in zip(record.tags, record.texts, strict=True) if tag not in CONTROL_TAGS
    ]
    if profile.move_035_9 or profile.isbn != "as_is":
        fields = [(tag, _adapted(tag, text, profile)) for tag, text in fields]
    leader = record.leader
    if reason is not Reason.WRITTEN:
        leader = f"{leader[:5]}d{leader[6:]}"
    if row.former and dress.former_place is not None:
        _add_former(fields, *dress.former_place, row.former)
    if reason is Reason.MERGED and row.successor is not None:
        link = f"08{SUBFIELD_MARK}i{SUCCESSOR_NOTE}{SUBFIELD_MARK}w({dress.prefix}){row.successor}"
        put_in_order(fields, [("787", link)])
    head = [("001", row.control_number), ("003", dress.prefix), ("005", _changed_at(record, row, reason))]
    fields[:0] = head
    return LazyRecord(leader, [tag for tag, _ in fields], [text for _, text in fields])


def _changed_at(record: LazyRecord, row: BibRow, reason: Reason) -> str:
    """005: the catalogue's own where the record is as the catalogue has it, else the moment of its last change here."""
    own = (record.control("005") or "").strip()
    return own if own and row.is_catalogues and reason is Reason.WRITTEN else row.changed_at


def put_in_order(fields: Fields, added: Iterable[tuple[str, str]]) -> None:
    """Put fields behind the last one whose tag is not higher, as they come."""
    for tag, text in added:
        place = next((place for place, (other, _) in enumerate(fields) if other > tag), len(fields))
        fields.insert(place, (tag, text))


def _add_former(fields: Fields, tag: str, code: str, numbers: Iterable[str]) -> None:
    known = {value for other, text in fields if other == tag for value in all_values(text, code)}
    missing = [number for number in numbers if number not in known]
    if missing:
        put_in_order(fields, [(tag, "  " + "".join(f"{SUBFIELD_MARK}{code}{number}" for number in missing))])


def _adapted(tag: str, text: str, profile: ExportProfile) -> str:
    if tag == "035" and profile.move_035_9:
        return text.replace(f"{SUBFIELD_MARK}9", f"{SUBFIELD_MARK}a")
    if tag == "020" and profile.isbn != "as_is":
        head, *chunks = text.split(SUBFIELD_MARK)
        is_hyphenated = profile.isbn == "hyphenated"
        shown = [each[:1] + _with_isbn(each[1:], is_hyphenated) if each[:1] in "az" else each for each in chunks]
        return SUBFIELD_MARK.join([head, *shown])
    return text


@lru_cache(maxsize=8192)
def _with_isbn(text: str, is_hyphenated: bool) -> str:
    """The text with the numbers in it written with dashes, or without; what is no valid ISBN stays as it is."""

    def shown(found: re.Match[str]) -> str:
        try:
            number = stdnum_isbn.validate(found[0].translate(_DASHES))
        except ValidationError:
            return found[0]
        return str(stdnum_isbn.format(number) if is_hyphenated else number)

    return _NUMBER.sub(shown, text)


_DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-")
