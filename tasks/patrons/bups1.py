"""BUPS 1: `KK:value` lines, records between lines of at least ten minus signs (docs/patron-formats.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from schemas.patrons import IncomingPerson, Position, RejectedRow
from schemas.register.patron_sources import NATIONAL_ID_CODES, PatronSource
from tasks.patrons.national_ids import SEPARATOR, lines_of
from tasks.patrons.person_draft import RowRejectedError
from tasks.patrons.pieces import MAX_PERSON_BYTES, PersonPiece, hash_of, rejected_piece
from tasks.patrons.row_mapping import RowMapping

_ELEMENT = re.compile(r"([A-Za-z0-9]{2}):(.*)", re.DOTALL)
_LINE_END: re.Pattern[str] = re.compile("\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Bups1Reader:
    """Reads BUPS 1 of one source. National ids are gone by then: `national_ids.py` cuts them out on receipt."""

    def __init__(self, source: PatronSource) -> None:
        self.ignored: Counter[str] = Counter()
        self.defects: list[str] = []
        self._mapping = RowMapping(source, last_valid_counts=True)
        self._charset = source.charset
        self._place = {column.name: place for place, column in enumerate(self._mapping.columns)}

    def pieces(self, stream: BinaryIO, member: str = "", first_no: int = 1) -> Iterator[PersonPiece]:
        """Records in their order; blank ones (two separators in a row, one at the end) are none."""
        number, begin, size = first_no, 1, 0
        record: list[bytes] = []
        is_too_large = False
        for line_no, line in enumerate(lines_of(stream), start=1):
            if line_no == 1:
                line = line.removeprefix(_BOM)
            if SEPARATOR.fullmatch(line):
                if record or is_too_large:
                    yield self._piece(record, Position(number, begin, None, member), is_too_large)
                    number += 1
                record, size, is_too_large = [], 0, False
                continue
            if not record:
                if not line.strip():
                    continue
                begin = line_no
            size += len(line)
            is_too_large = is_too_large or size > MAX_PERSON_BYTES
            record.append(b"" if is_too_large else line)
        if record:
            yield self._piece(record, Position(number, begin, None, member), is_too_large)

    def _piece(self, record: list[bytes], position: Position, is_too_large: bool) -> PersonPiece:
        if is_too_large:
            cause = f"no line of 10 minus signs within {MAX_PERSON_BYTES:,} bytes"
            return rejected_piece(RejectedRow(position, "too_large", cause, remedy="end each person with such a line"))
        content = b"".join(record)
        return PersonPiece(position, content, hash_of(content))

    def persons(self, pieces: Iterable[PersonPiece]) -> Iterator[IncomingPerson | RejectedRow]:
        """One person or rejected row for each piece."""
        for piece in pieces:
            if piece.rejected:
                yield piece.rejected
                continue
            try:
                draft = self._mapping.draft(self._cells(piece))
                yield draft.finished(piece.position, piece.content_hash, self._mapping.category_field)
            except RowRejectedError as error:
                yield error.row(piece.position)

    def _cells(self, piece: PersonPiece) -> list[list[str | None] | None]:
        try:
            text = piece.content.decode(self._charset)
        except UnicodeDecodeError as error:
            line_no = (piece.position.line or 1) + piece.content.count(b"\n", 0, error.start)
            raise RowRejectedError(
                "charset", f"line {line_no} is not {self._charset}", remedy="send it in the agreed character set"
            ) from None
        cells: list[list[str | None] | None] = [None] * len(self._place)
        for number, line in enumerate(_LINE_END.split(text)):
            if not line.strip():
                continue
            element = _ELEMENT.fullmatch(line.strip())
            if element is None:
                raise RowRejectedError(
                    "unreadable",
                    f"line {(piece.position.line or 1) + number} is no element",
                    remedy="write two-letter code, colon, value; one a line",
                )
            code, value = element[1], element[2]
            place = self._place.get(code)
            if place is None:
                if code.upper() not in NATIONAL_ID_CODES:
                    self.ignored[code] += 1
                continue
            cell = cells[place]
            if cell is None:
                cells[place] = [value]
            else:
                cell.append(value)
        return cells
