"""Rows of cells (CSV, TSV) by the mapping of the register.

A row that cannot be read costs that row only: bytes of another character set spoil their row, and a quote that is
never closed spoils the line on which it stands.
"""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import orjson

from schemas.errors import DeliveryRejectedError
from schemas.patrons import IncomingPerson, Position, RejectedRow
from schemas.register.patron_sources import PatronSource
from tasks.patrons.national_ids import lines_of
from tasks.patrons.person_draft import RowRejectedError
from tasks.patrons.pieces import MAX_PERSON_BYTES, PersonPiece, hash_of, rejected_piece
from tasks.patrons.row_mapping import Cell, RowMapping

MAX_ROW_LINES = 50
"""Lines that one row may span. A quote that is not closed by then was never meant as one."""
_BOM = b"\xef\xbb\xbf"


class _Row(NamedTuple):
    line: int
    cells: list[str]


class CsvReader:
    """Reads rows of one source. The first row is the header; its names are compared without regard to blanks around."""

    def __init__(self, source: PatronSource) -> None:
        self.ignored: Counter[str] = Counter()
        self.defects: list[str] = []
        self._mapping = RowMapping(source)
        self._charset = source.charset
        self._rules = source.csv_rules
        self._quote = source.csv_rules.quote
        self._width = 0

    def pieces(self, stream: BinaryIO, member: str = "", first_no: int = 1) -> Iterator[PersonPiece]:
        """Rows after the header. Raises `DeliveryRejectedError` where the header lacks a column of the register."""
        rows = self._rows(stream)
        header = next(rows, None)
        if header is None:
            raise DeliveryRejectedError("it is empty", file=member or None, remedy="send it with its header")
        if isinstance(header, RejectedRow):
            raise DeliveryRejectedError(f"its header cannot be read: {header.cause}", file=member or None)
        places = self._places(header.cells, member)
        self._width = len(header.cells)
        for number, row in enumerate(rows, start=first_no):
            if isinstance(row, RejectedRow):
                yield rejected_piece(row._replace(position=Position(number, row.position.line, None, member)))
                continue
            position = Position(number, row.line, None, member)
            if len(row.cells) != len(header.cells):
                cause = f"has {len(row.cells)} cells, the header {len(header.cells)}"
                remedy = "quote a cell that holds the separator"
                yield rejected_piece(RejectedRow(position, "unreadable", cause, remedy=remedy))
                continue
            content = orjson.dumps([row.cells[place] for place in places])
            yield PersonPiece(position, content, hash_of(content))

    def persons(self, pieces: Iterable[PersonPiece]) -> Iterator[IncomingPerson | RejectedRow]:
        """One person or rejected row for each piece."""
        for piece in pieces:
            if piece.rejected:
                yield piece.rejected
                continue
            cells: list[Cell | None] = [[text] for text in orjson.loads(piece.content)]
            try:
                draft = self._mapping.draft(cells)
                yield draft.finished(piece.position, piece.content_hash, self._mapping.category_field)
            except RowRejectedError as error:
                yield error.row(piece.position)

    def _places(self, header: list[str], member: str) -> list[int]:
        """Where each column of the register stands; what is not in the register is counted as ignored."""
        names = [" ".join(each.split()) for each in header]
        places = []
        for column in self._mapping.columns:
            found = [place for place, name in enumerate(names) if name == " ".join(column.name.split())]
            if len(found) < column.occurrence:
                raise DeliveryRejectedError(
                    f"its header has no column {column.name!r}"
                    + (f" for the {column.occurrence}th time" if column.occurrence > 1 else ""),
                    file=member or None,
                    remedy="send it with the agreed header, or correct patron_sources.toml",
                )
            places.append(found[column.occurrence - 1])
        self.ignored.update(name for place, name in enumerate(names) if place not in places)
        return places

    def _rows(self, stream: BinaryIO) -> Iterator[_Row | RejectedRow]:
        lines = _Lines(stream)
        while (first := lines.next()) is not None:
            line_no, raw = first
            if not raw.strip() or (self._rules.comment and raw.startswith(self._rules.comment.encode())):
                continue
            taken: list[tuple[int, bytes]] = []
            try:
                text = self._decoded(raw)
                if self._quote and self._quote in text:
                    text, taken = self._closed(text, lines)
                yield _Row(line_no, self._whole(text, taken, lines))
            except RowRejectedError as error:
                yield error.row(Position(0, line_no))

    def _whole(self, text: str, taken: list[tuple[int, bytes]], lines: _Lines) -> list[str]:
        """The cells. A row of several lines that is none after all costs its first line: the others are given back."""
        try:
            cells = self._split(text)
        except RowRejectedError:
            lines.give_back(taken)
            raise
        if taken and self._width and len(cells) != self._width:
            lines.give_back(taken)
            raise _not_closed()
        return cells

    def _decoded(self, raw: bytes) -> str:
        try:
            text = raw.decode(self._charset)
        except UnicodeDecodeError:
            raise RowRejectedError(
                "charset", f"is not {self._charset}", remedy="send it in the agreed character set"
            ) from None
        if "\0" in text:
            raise RowRejectedError("unreadable", "holds a NUL", remedy="send it as plain text")
        return text.rstrip("\r\n")

    def _closed(self, text: str, lines: _Lines) -> tuple[str, list[tuple[int, bytes]]]:
        """`text` with the further lines that its quotes need, and these lines as they were taken."""
        taken: list[tuple[int, bytes]] = []
        quotes, size = text.count(self._quote), len(text)
        parts = [text]
        while quotes % 2:
            more = lines.next()
            if more is not None:
                taken.append(more)
                size += len(more[1])
            if more is None or len(taken) >= MAX_ROW_LINES or size > MAX_PERSON_BYTES:
                lines.give_back(taken)
                raise _not_closed()
            try:
                part = self._decoded(more[1])
            except RowRejectedError:
                lines.give_back(taken)
                raise _not_closed() from None
            quotes += part.count(self._quote)
            parts.append(part)
        return "\n".join(parts), taken

    def _split(self, text: str) -> list[str]:
        if not self._quote or self._quote not in text:
            return text.split(self._rules.separator)
        try:
            # strict: text behind a closing quote is an error, not a part of the cell.
            return next(csv.reader([text], delimiter=self._rules.separator, quotechar=self._quote, strict=True))
        except (csv.Error, StopIteration):
            raise RowRejectedError(
                "unreadable", "its quotes are not in order", remedy="double a quote inside a cell"
            ) from None


def _not_closed() -> RowRejectedError:
    return RowRejectedError("unreadable", "a quote is never closed", remedy="double a quote inside a cell")


class _Lines:
    """Numbered lines, which can be given back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._source = enumerate(lines_of(stream), start=1)
        self._returned: deque[tuple[int, bytes]] = deque()

    def next(self) -> tuple[int, bytes] | None:
        """The next line with its number, or None at the end."""
        if self._returned:
            return self._returned.popleft()
        numbered = next(self._source, None)
        if numbered is not None and numbered[0] == 1:
            return 1, numbered[1].removeprefix(_BOM)
        return numbered

    def give_back(self, lines: list[tuple[int, bytes]]) -> None:
        """Lines that `next` gives again, in their order."""
        self._returned.extendleft(reversed(lines))
