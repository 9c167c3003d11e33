"""Rows of CSV files about accounts. A row that cannot be read is quarantined with line, column, cause and remedy."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from schemas.errors import UsageError
from tasks.accounts.columns import CellError, FileKind, kind_of, read_row

_BOM: Final = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A row that was read: its line and its values by field."""

    line: int
    values: dict[str, Any]


class Reject(NamedTuple):
    """A row that cannot be taken. `field` is empty where the whole row is meant."""

    line: int
    field: str
    cause: str
    remedy: str


class AccountFile:
    """An open file. `kind` is known from its header; rows are read as they are asked for."""

    def __init__(self, stream: BinaryIO, name: str, wanted: str | None = None) -> None:
        """Raises `UsageError` for an empty file or a header that fits no kind."""
        first = stream.readline().removeprefix(_BOM)
        if not first.strip():
            raise UsageError("is empty", file=name, remedy="send it with its header")
        text = first.decode("utf-8", "surrogateescape").rstrip("\r\n")
        self._separator = max(";,\t", key=text.count)
        self.header = [each.strip().lower() for each in next(csv.reader([text], delimiter=self._separator))]
        self.kind: FileKind = kind_of(self.header, wanted, name)
        self._stream = stream

    def rows(self) -> Iterator[Row | Reject]:
        """Each row after the header; empty lines are passed over."""
        lines = (each.decode("utf-8", "surrogateescape") for each in self._stream)
        reader = csv.reader(lines, delimiter=self._separator)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Reject(reader.line_num + 1, "", f"cannot be read: {error}", "write it as CSV")
                continue
            if any(each.strip() for each in cells):
                yield self._row(reader.line_num + 1, cells)

    def _row(self, line: int, cells: list[str]) -> Row | Reject:
        if len(cells) != len(self.header):
            cause = f"has {len(cells)} cells, the header {len(self.header)}"
            return Reject(line, "", cause, "quote a cell that holds the separator")
        if any("\udc80" <= each <= "\udcff" for cell in cells for each in cell):
            return Reject(line, "", "is not UTF-8", "save the file as UTF-8")
        try:
            return Row(line, read_row(self.kind, dict(zip(self.header, cells, strict=True))))
        except CellError as error:
            return Reject(line, error.field, error.cause, error.remedy)
