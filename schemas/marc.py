"""Record types: a MARC record in memory, and what a delivery's pieces become when they are staged.

`MarcRecord` is the one way of looking at a record, whatever it was read from: the lazily decoded ISO2709 record of the
fast path, a MARCXML element, or a `Record` built field by field keep the same protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class Field(NamedTuple):
    """One variable field. Control fields (00X) have `value` and no subfields; data fields the other way round."""

    tag: str
    indicators: str = "  "
    subfields: tuple[tuple[str, str], ...] = ()
    value: str = ""

    def first(self, code: str) -> str | None:
        """The first subfield `code`, or None where there is none."""
        for subfield_code, value in self.subfields:
            if subfield_code == code:
                return value
        return None

    def all(self, codes: str) -> list[str]:
        """Every subfield whose code is one of `codes`, in the order of the field."""
        return [value for code, value in self.subfields if code in codes]


class MarcRecord(Protocol):
    """What the matching, the overlay and the notices may ask of a record."""

    @property
    def leader(self) -> str:
        """24 characters."""
        ...

    def fields(self, *tags: str) -> Sequence[Field]:
        """Fields with one of `tags`, in record order; all fields where no tag is given."""
        ...

    def control(self, tag: str) -> str | None:
        """The value of the first control field `tag` (001, 003, 008, ...), or None."""
        ...


@dataclass(slots=True)
class Record:
    """A record held whole: what the overlay and the generator build."""

    leader: str
    all_fields: list[Field] = field(default_factory=list)

    def fields(self, *tags: str) -> Sequence[Field]:
        """See `MarcRecord`."""
        if not tags:
            return self.all_fields
        return [each for each in self.all_fields if each.tag in tags]

    def control(self, tag: str) -> str | None:
        """See `MarcRecord`."""
        for each in self.all_fields:
            if each.tag == tag:
                return each.value
        return None

    def __iter__(self) -> Iterator[Field]:
        return iter(self.all_fields)


def data_field(tag: str, indicators: str, subfields: Iterable[tuple[str, str]]) -> Field:
    """A data field; `indicators` are two characters, a blank is a space."""
    return Field(tag, indicators, tuple(subfields))


def control_field(tag: str, value: str) -> Field:
    """A control field (00X)."""
    return Field(tag, "", (), value)


class Finding(NamedTuple):
    """Something worth telling the supplier about a record that was read all the same."""

    code: str
    """A short stable id: `charset_mislabelled`, `length_wrong`, `leader_level_unknown`, ..."""
    text: str
    """In words, with the field and the value."""
    field: str = ""


class IsbnFact(NamedTuple):
    """One 020 $a or $z (reference: one rule, one module).

    `status` is `valid`, `invalid` or `set`. `isbn13` is the canonical key of 13 digits, or None where the number is
    invalid: a wrong check digit is never repaired.
    """

    isbn13: str | None
    raw: str
    subfield: Literal["a", "z"]
    qualifier: str
    status: Literal["valid", "invalid", "set"]


class Identifier(NamedTuple):
    """Another number to find a bib by: scheme `issn`, `035`, `control_number` (ours) or `ean`."""

    scheme: str
    value: str


class HoldingLine(NamedTuple):
    """One 024, 852 or 856 of a holding. `content` is JSON: `[indicators, [[code, value], ...]]`."""

    tag: str
    shelf_mark: str
    public_note: str
    internal_note: str
    content: str
    owner: str = ""
    """Who put the line there; empty in a delivery, where the sender owns every line."""


class HoldingFacts(NamedTuple):
    """A holding as delivered: an MFHD record (part 0) or generated from an embedded 852 (part 1, 2, ...)."""

    part: int
    sigel: str
    """First 852 $b; empty where there is none, which rejects the holding."""
    is_delete: bool
    """leader/05 = d: remove the sender's own lines."""
    control_number: str
    lines: tuple[HoldingLine, ...]
    reject_reason: str = ""


class BibFacts(NamedTuple):
    """What the warehouse keeps beside a bib's bytes, taken from the record after normalisation."""

    control_number: str
    """001, as the supplier has it; empty where missing."""
    title: str
    """245 $a $b $n $p for people, at most 500 characters."""
    author: str
    encoding_level: str
    """leader/17; blank is a space."""
    record_type: str
    """leader/06"""
    bib_level: str
    """leader/07"""
    carrier: str
    """`print`, `online`, `audio_disc`, ...: see tasks/marc/carrier.py; empty where nothing tells."""
    year: int | None
    is_national_bibliography: bool
    """042 $9 NB"""
    isbns: tuple[IsbnFact, ...]
    identifiers: tuple[Identifier, ...]
    reject_reason: str = ""
    """Why the bib cannot be taken in (no 245 $a, not a bibliographic record); empty where it can."""


class StagedPiece(NamedTuple):
    """A piece of a delivery: a bib, a holding, or bytes that cannot be read. Positions count from 1 in the delivery.

    `content` is the piece as it came. `normalised` is the record as the catalogue will hold it (UTF-8 ISO2709, or
    MARCXML where it is too long for that), None where `content` can be taken as it is.
    """

    position: int
    member_no: int
    """Which member of a zip, from 0."""
    byte_offset: int
    content: bytes
    record_type: Literal["bib", "holding", "unreadable"]
    charset: str
    findings: tuple[Finding, ...]
    reason: str
    """Why it is unreadable; empty otherwise."""
    normalised: bytes | None
    bib: BibFacts | None
    holdings: tuple[HoldingFacts, ...]
