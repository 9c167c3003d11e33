"""A file of persons, of any format, plain or packed: every member through the reader of its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from schemas.errors import DeliveryRejectedError
from schemas.patrons import IncomingPerson, RejectedRow
from schemas.register.patron_sources import PatronSource
from tasks.landing.unpack import UnpackLimits, members_of
from tasks.patrons.alma_xml import AlmaXmlReader
from tasks.patrons.bups1 import Bups1Reader
from tasks.patrons.csv_rows import CsvReader
from tasks.patrons.json_rows import JsonReader
from tasks.patrons.pieces import PersonPiece, Reader

MEMBER_LIMIT = UnpackLimits(members=500)


class MemberPieces(NamedTuple):
    """One file inside what was sent, with the reader that has to understand its pieces."""

    member: str
    reader: Reader
    pieces: Iterator[PersonPiece]
    """To be read before the next member is asked for."""


class FileTotals:
    """What was seen while a file was read; filled in as far as it was read."""

    def __init__(self) -> None:
        self.members = 0
        self.records = 0
        self.ignored: Counter[str] = Counter()
        """Fields that were not taken, by the sender's name."""
        self.defects: list[str] = []
        """What is wrong with a member as a whole, in words, with its name."""


def reader_for(source: PatronSource) -> Reader:
    """A reader for one member of a file of `source`."""
    readers: dict[str, type[AlmaXmlReader] | type[Bups1Reader] | type[CsvReader] | type[JsonReader]] = {
        "bups1": Bups1Reader,
        "bups2": AlmaXmlReader,
        "csv": CsvReader,
        "json": JsonReader,
    }
    return readers[source.format](source)


def read_members(
    stream: BinaryIO, name: str, source: PatronSource, totals: FileTotals, limits: UnpackLimits = MEMBER_LIMIT
) -> Iterator[MemberPieces]:
    """The members of a file (one, unless it is a zip) in the order of their names; numbers go on from one to the next.

    Raises `DeliveryRejectedError` for what cannot be unpacked within `limits`, or is no file of the source's format.
    """
    for member in members_of(stream, name, limits):
        reader = reader_for(source)
        label = member.member_name if member.member_name != name else ""
        yield MemberPieces(
            label, reader, _counted(reader.pieces(member.stream, label, totals.records + 1), totals, name)
        )
        totals.members += 1
        totals.ignored.update(reader.ignored)
        totals.defects += [f"{label}: {each}" if label else each for each in reader.defects]


def read_persons(
    stream: BinaryIO, name: str, source: PatronSource, totals: FileTotals | None = None
) -> Iterator[IncomingPerson | RejectedRow]:
    """Every person and rejected row of a file, in its order. Raises as `read_members` does."""
    for member in read_members(stream, name, source, totals or FileTotals()):
        yield from member.reader.persons(member.pieces)


def _counted(pieces: Iterator[PersonPiece], totals: FileTotals, name: str) -> Iterator[PersonPiece]:
    try:
        for piece in pieces:
            totals.records += 1
            yield piece
    except DeliveryRejectedError as error:
        if error.file:
            raise
        raise DeliveryRejectedError(error.cause, file=name, remedy=error.remedy) from None
