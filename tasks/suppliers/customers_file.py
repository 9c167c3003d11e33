"""A supplier's list of its customers, read row by row. Pure.

A row that cannot be taken costs that row only: what is wrong is told by line and column, with the cause and what to do.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from tasks.notices.outbox import is_address

MAX_BYTES = 5_000_000
"""Some 50,000 customers; a larger file is something else."""
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "library", "library name", "biblioteksnamn", "bibliotek", "namn", "navn", "biblioteksnavn"),
    "sigel": ("sigel", "librissigel", "library code", "bibliotekskode", "bibliotekskod"),
    "email": ("email", "e-mail", "mail", "e-post", "epost", "e-postadress", "contact"),
    "ends_on": ("ends_on", "ends on", "until", "slutar", "slutter"),
}
"""Columns of the file, and what their headers may be called."""
NEEDED: Final = ("name", "sigel", "email")
LONGEST_NAME = 200
_SHOWN = 60


class Customer(NamedTuple):
    """A library that the supplier sells to. `ends_on` is its last day as a customer; None: open."""

    line: int
    sigel: str
    name: str
    email: str
    ends_on: date | None = None


class RowFault(NamedTuple):
    """Why a row cannot be taken. `rule` is a stable id, `value` what stood there, cut short; both may be told."""

    line: int
    field: str
    rule: str
    value: str
    cause: str
    remedy: str


class CustomersFile(NamedTuple):
    """What a file holds: customers in its order, what is wrong, and how many rows it has after its header."""

    customers: tuple[Customer, ...]
    faults: tuple[RowFault, ...]
    rows: int

    @property
    def rejected(self) -> int:
        """Rows that cannot be taken; several things may be wrong with one."""
        return len({each.line for each in self.faults})


class _Cells(NamedTuple):
    line: int
    cells: list[str]


def read_customers(content: bytes, sigels: Collection[str]) -> CustomersFile:
    """Read a list of customers: CSV with a header, in UTF-8 or Windows-1252, parted by `;`, `,` or tabs.

    `sigels` are those of the register. A header that lacks a column spoils the file: one fault at line 1, and no rows.
    """
    if len(content) > MAX_BYTES:
        return _spoilt("too_large", f"{len(content):,} bytes", "it is too large for a list of customers", "send fewer")
    text = _decoded(content)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        return _spoilt("empty_file", "", "the file is empty", "send it with its header: name, sigel, email")
    separator = max(";,\t", key=first.count)
    rows = _rows(text, separator)
    header = next(rows)
    places = _places(header.cells) if isinstance(header, _Cells) else {}
    lacking = [each for each in NEEDED if each not in places]
    if lacking:
        cause = f"the header lacks the column {', '.join(lacking)}"
        return _spoilt("header", first.strip(), cause, "begin the file with the line: name;sigel;email")
    return _judged(rows, places, sigels)


def _spoilt(rule: str, value: str, cause: str, remedy: str) -> CustomersFile:
    return CustomersFile((), (RowFault(1, "", rule, value[:_SHOWN], cause, remedy),), 0)


def _decoded(content: bytes) -> str:
    """The text; what is not UTF-8 is what spreadsheets on Windows write. NUL never belongs there."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    return text.replace("\0", "\ufffd")


def _rows(text: str, separator: str) -> Iterator[_Cells | RowFault]:
    """Rows with the line on which each begins; empty ones are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowFault(line, "", "cells", "", f"the row cannot be read: {error}", "write it as CSV")
            continue
        if any(each.strip() for each in cells):
            yield _Cells(line, cells)


def _places(header: Sequence[str]) -> dict[str, int]:
    """Column: its place in the row. The first of two that mean the same counts."""
    found: dict[str, int] = {}
    for place, text in enumerate(header):
        wanted = " ".join(text.strip().lower().split())
        for column, names in COLUMNS.items():
            if wanted in names:
                found.setdefault(column, place)
    return found


def _judged(rows: Iterator[_Cells | RowFault], places: Mapping[str, int], sigels: Collection[str]) -> CustomersFile:
    customers: dict[str, Customer] = {}
    faults: list[RowFault] = []
    number = 0
    for row in rows:
        number += 1
        if isinstance(row, RowFault):
            faults.append(row)
            continue
        cells = {name: row.cells[place].strip() if place < len(row.cells) else "" for name, place in places.items()}
        wrong = list(_faults(row.line, cells, sigels))
        earlier = customers.get(cells["sigel"])
        if not wrong and earlier is not None:
            cause = f"the sigel stands on line {earlier.line} already"
            remedy = "leave one of the two lines; the first was taken"
            wrong = [RowFault(row.line, "sigel", "duplicate", cells["sigel"], cause, remedy)]
        if wrong:
            faults += wrong
            continue
        ends_on = date.fromisoformat(cells["ends_on"]) if cells.get("ends_on") else None
        customers[cells["sigel"]] = Customer(row.line, cells["sigel"], cells["name"], cells["email"], ends_on)
    return CustomersFile(tuple(customers.values()), tuple(faults), number)


def _faults(line: int, cells: Mapping[str, str], sigels: Collection[str]) -> Iterator[RowFault]:
    """Everything that is wrong with a row by itself."""
    for field in NEEDED:
        if not cells[field]:
            yield RowFault(line, field, "empty", "", "the cell is empty", "fill it in")
    sigel, email, ends_on = cells["sigel"], cells["email"], cells.get("ends_on", "")
    if sigel and sigel not in sigels:
        near = difflib.get_close_matches(sigel.upper(), sorted(sigels), n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else "ask the library for its code, or the catalogue to enter it"
        yield RowFault(line, "sigel", "unknown_sigel", sigel[:_SHOWN], "no library has this sigel", remedy)
    if email and not is_address(email):
        remedy = "write one plain address: name@domain"
        yield RowFault(line, "email", "no_email", email[:_SHOWN], "it is no e-mail address", remedy)
    if len(cells["name"]) > LONGEST_NAME or not cells["name"].isprintable():
        cause = "it is too long or holds control characters"
        yield RowFault(line, "name", "no_name", cells["name"][:_SHOWN], cause, "write the library's name")
    if ends_on and not _is_day(ends_on):
        cause = "it is no day as YYYY-MM-DD"
        yield RowFault(line, "ends_on", "no_day", ends_on[:_SHOWN], cause, "write it as 2025-12-31, or leave it empty")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2025-12-31")
