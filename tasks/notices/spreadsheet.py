"""CSV that opens well in a spreadsheet: UTF-8 with a BOM, CRLF, the separator that the reader's Excel expects.

A cell that starts like a formula gets an apostrophe in front: titles come from outside, and Excel runs what starts
with `=`, `+`, `-` or `@` (OWASP: CSV injection).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TextIO

from tasks.notices.message import Attachment, printable

_FORMULA = re.compile(r"[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
_PLAIN_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?$")
_EXCEL_CELL = 32_000
BOM = "\ufeff"


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]], separator: str) -> bytes:
    """The table as bytes. None is an empty cell; a cell longer than Excel takes (32,767) is cut and says so."""
    stream = io.StringIO(newline="")
    write_csv(stream, columns, rows, separator)
    return stream.getvalue().encode("utf-8")


def write_csv(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[object]], separator: str) -> None:
    """Write the table to a text stream (UTF-8, opened with `newline=""`), a row at a time."""
    stream.write(BOM)
    writer = csv.writer(stream, delimiter=separator, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])


def csv_attachment(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]], separator: str) -> Attachment:
    """The table as an attachment."""
    return Attachment(name, "text/csv", csv_bytes(columns, rows, separator))


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    if text.isprintable() and text[:1].isalnum() and len(text) <= _EXCEL_CELL:
        return text  # as nearly every cell: nothing to show, and no formula begins so
    text = printable(text)
    if len(text) > _EXCEL_CELL:
        text = f"{text[:_EXCEL_CELL]} [...]"
    if _FORMULA.match(text) and not _PLAIN_NUMBER.match(text):
        return f"'{text}"
    return text
