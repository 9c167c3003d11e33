"""Pieces of a delivery as the rows of the warehouse's tables, in batches.

What belongs here is pure, and imports no database: a second process makes the rows, this one writes them
(`staging.py`). So the columns stand here as plain names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson

from schemas.marc import BibFacts, HoldingFacts, HoldingLine, StagedPiece
from tasks.catalogue.levels import LevelReading
from tasks.marc.staging import NOTHING_BEFORE, Before, moved_reason

RAW_COLUMNS = (
    "delivery_id", "position", "member_no", "byte_offset", "record_type", "charset", "bib_position",
    "supplier_control_number", "title", "isbn13", "sigel", "reason", "findings", "normalised", "content",
)  # fmt: skip
BIB_COLUMNS = (
    "delivery_id", "position", "control_number", "title", "author", "encoding_level", "record_type", "bib_level",
    "carrier", "year", "is_national_bibliography", "reject_reason",
)  # fmt: skip
ISBN_COLUMNS = ("delivery_id", "position", "seq", "isbn13", "raw", "subfield", "qualifier", "status")
IDENTIFIER_COLUMNS = ("delivery_id", "position", "seq", "scheme", "value")
HOLDING_COLUMNS = (
    "delivery_id", "position", "part", "bib_position", "sigel", "is_delete", "control_number", "reject_reason",
)  # fmt: skip
LINE_COLUMNS = ("delivery_id", "position", "part", "line_no", *HoldingLine._fields)
_TABLES = (RAW_COLUMNS, BIB_COLUMNS, ISBN_COLUMNS, IDENTIFIER_COLUMNS, HOLDING_COLUMNS, LINE_COLUMNS)
_POSITIONS = ("position", "bib_position")
_POSITION, _RECORD_TYPE = RAW_COLUMNS.index("position"), RAW_COLUMNS.index("record_type")
_REJECT_REASON = HOLDING_COLUMNS.index("reject_reason")


@dataclass(frozen=True)
class StagedMember:
    """A file inside the delivery, and its pieces."""

    member_no: int
    name: str
    format: str
    pieces: Iterable[Sequence[StagedPiece]]
    """In lists, as the reader hands them over; positions run on through the members of the delivery."""


@dataclass(frozen=True)
class StagingRules:
    """How a delivery's records are read: levels under the supplier's ceiling, and whose the holdings' lines are."""

    levels: LevelReading
    owner: str
    """Whose the lines of holdings are that do not name an owner themselves."""


@dataclass
class RowBatch:
    """Rows of some pieces of one member, ready for bulk loading."""

    delivery_id: int
    member_no: int
    member_name: str
    format: str
    raw: list[tuple[Any, ...]] = field(default_factory=list)
    bibs: list[tuple[Any, ...]] = field(default_factory=list)
    isbns: list[tuple[Any, ...]] = field(default_factory=list)
    identifiers: list[tuple[Any, ...]] = field(default_factory=list)
    holdings: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[Any, ...]] = field(default_factory=list)
    after: Before = field(default=NOTHING_BEFORE, init=False)
    """What its pieces say about the next one; kept by who reads a file in blocks."""

    @property
    def last_position(self) -> int:
        """Position of the last piece."""
        return int(self.raw[-1][_POSITION])

    def counted(self) -> Counter[str]:
        """Pieces by `bib`, `holding`, `unreadable`; `embedded` holdings are counted beside them."""
        counts: Counter[str] = Counter(map(itemgetter(_RECORD_TYPE), self.raw))
        counts["embedded"] = len(self.holdings) - counts["holding"]
        return counts

    def add(self, piece: StagedPiece, bib_position: int | None, rules: StagingRules) -> None:
        """Take in one piece; `bib_position` is the bib that a holding record belongs to."""
        (
            position, member_no, byte_offset, content, record_type, charset, findings, reason, as_taken, bib, holdings
        ) = piece  # fmt: skip
        number, title, isbn13, sigel, normalised = "", None, None, None, None
        if bib is not None:
            number, title = bib.control_number, bib.title
            isbn13 = _first_isbn(bib)
            level, normalised = rules.levels.apply(bib.encoding_level, as_taken, content)
            self._add_bib(position, bib, level)
        elif holdings:
            number, sigel = holdings[0].control_number, holdings[0].sigel
        told = orjson.dumps(findings, default=list).decode() if findings else None
        self.raw.append(
            (
                self.delivery_id, position, member_no, byte_offset, record_type, charset, bib_position, number, title,
                isbn13, sigel, reason or None, told, normalised, content,
            )
        )  # fmt: skip
        for holding in holdings:
            self._add_holding(position, holding, bib_position, rules.owner)

    def _add_bib(self, position: int, bib: BibFacts, level: str) -> None:
        delivery_id = self.delivery_id
        (
            control_number, title, author, _level, record_type, bib_level, carrier, year, is_national, isbns,
            identifiers, reject_reason,
        ) = bib  # fmt: skip
        self.bibs.append(
            (
                delivery_id, position, control_number, title, author, level, record_type, bib_level, carrier, year,
                is_national, reject_reason,
            )
        )  # fmt: skip
        for seq, isbn in enumerate(isbns, 1):
            self.isbns.append((delivery_id, position, seq, *isbn))
        for seq, each in enumerate(identifiers, 1):
            self.identifiers.append((delivery_id, position, seq, *each))

    def _add_holding(self, position: int, holding: HoldingFacts, bib_position: int | None, owner: str) -> None:
        delivery_id = self.delivery_id
        part, sigel, is_delete, control_number, lines, reject_reason = holding
        self.holdings.append(
            (delivery_id, position, part, bib_position, sigel, is_delete, control_number, reject_reason)
        )
        for line_no, line in enumerate(lines, 1):
            self.lines.append((delivery_id, position, part, line_no, *line[:-1], line.owner or owner))

    def last_bib_position(self) -> int | None:
        """Position of the last bib; None where there is none."""
        return self.bibs[-1][_POSITION] if self.bibs else None

    def stands_alone(self) -> bool:
        """Whether its rows say the same whatever pieces came before: a bib that can be read begins it."""
        return bool(self.raw) and self.raw[0][_RECORD_TYPE] == "bib"

    def columns(self) -> BatchColumns:
        """The same by columns, for another process."""
        tables = (self.raw, self.bibs, self.isbns, self.identifiers, self.holdings, self.lines)
        by_columns = [list(zip(*rows, strict=True)) for rows in tables]
        return BatchColumns(self.delivery_id, self.member_no, self.member_name, self.format, by_columns, self.after)


@dataclass
class BatchColumns:
    """A `RowBatch` by columns: pickled in a third of the time that as many rows take."""

    delivery_id: int
    member_no: int
    member_name: str
    format: str
    tables: list[list[tuple[Any, ...]]]
    after: Before = NOTHING_BEFORE

    def rows(self, moved: int = 0) -> RowBatch:
        """The rows again, all positions higher by `moved`."""
        if moved:
            for columns, names in zip(self.tables, _TABLES, strict=True):
                for place, name in enumerate(names if columns else ()):
                    if name in _POSITIONS:
                        columns[place] = tuple([each and each + moved for each in columns[place]])
            holdings = self.tables[_TABLES.index(HOLDING_COLUMNS)]
            if holdings and any(holdings[_REJECT_REASON]):
                holdings[_REJECT_REASON] = tuple([moved_reason(each, moved) for each in holdings[_REJECT_REASON]])
        rows = [list(zip(*columns, strict=True)) for columns in self.tables]
        batch = RowBatch(self.delivery_id, self.member_no, self.member_name, self.format, *rows)
        batch.after = self.after.moved(moved)
        return batch


def _first_isbn(bib: BibFacts) -> str | None:
    for each in bib.isbns:
        if each.isbn13 and each.subfield == "a":
            return each.isbn13
    return None


def row_batches(
    delivery_id: int, members: Iterable[StagedMember], rules: StagingRules, size: int
) -> Iterator[RowBatch]:
    """The rows of a delivery, in batches of about `size` pieces of one member each. Pure: no database is touched.

    A holding belongs to the bib before it; the reader gives it a `reject_reason` where a piece between them makes
    that doubtful.
    """
    for member in members:
        bib_position: int | None = None
        batch = RowBatch(delivery_id, member.member_no, member.name, member.format)
        for piece in chain.from_iterable(member.pieces):
            if piece.record_type == "bib":
                bib_position = piece.position
            batch.add(piece, bib_position, rules)
            if len(batch.raw) >= size:
                yield batch
                batch = RowBatch(delivery_id, member.member_no, member.name, member.format)
        if batch.raw:
            yield batch
