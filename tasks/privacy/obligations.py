"""What persons and their library owe each other, as the library system tells it: a CSV file with a head.

Without it nobody is erased. A row that cannot be taken is told with its line and column, never with its content.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.patrons import core_patron, core_patron_obligation
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.keys import text_key
from tasks.warehouse.bulk import bulk_insert, id_set, text_set
from tasks.warehouse.engine import Warehouse

ID: Final = "primary_id"
COUNTS: Final = ("loans", "requests", "on_hold_shelf", "staff_roles")
BALANCE: Final = "balance"
COLUMNS: Final = (ID, "loans", BALANCE, "requests", "on_hold_shelf", "staff_roles")
CHUNK: Final = 5_000


class BadRow(NamedTuple):
    """A row that was not taken; says nothing of what stands in it."""

    line: int
    """From 1, the head included."""
    column: str
    cause: str


class Debt(NamedTuple):
    """A row of the file."""

    line: int
    key: str
    loans: int
    balance: Decimal
    requests: int
    on_hold_shelf: int
    staff_roles: int

    def __repr__(self) -> str:
        return f"Debt(line {self.line})"


@dataclass
class Taken:
    """What came of a file."""

    rows: int = 0
    taken: int = 0
    unknown: int = 0
    """Rows about nobody whom the warehouse has at the institution."""
    bad: list[BadRow] = field(default_factory=list)


def read_debts(lines: Iterable[str], taken: Taken, name: str) -> Iterator[Debt]:
    """The rows of the file `name`; those that cannot be read are noted in `taken`.

    Raises `UsageError` for a file without head, without one of `COLUMNS`, or without a single row: half an answer of
    the library system must not look as if nobody owed anything.
    """
    sample = iter(lines)
    head = next(sample, "").lstrip("\ufeff")
    separator = max(";,\t", key=head.count)
    names = [each.strip().casefold() for each in next(csv.reader([head], delimiter=separator), [])]
    missing = [each for each in COLUMNS if each not in names]
    if missing:
        raise UsageError(
            f"the head of the file lacks {', '.join(missing)}", file=name, remedy=f"it needs {', '.join(COLUMNS)}"
        )
    rows = csv.reader(sample, delimiter=separator)
    for row in rows:
        if not any(row):
            continue
        taken.rows += 1
        found = _debt(dict(zip(names, row, strict=False)), rows.line_num + 1)
        if isinstance(found, BadRow):
            taken.bad.append(found)
        else:
            yield found
    if not taken.rows:
        raise UsageError("the file has no row", file=name, remedy="a feed without anybody is an error of its sender")


def _debt(cells: dict[str, str], line: int) -> Debt | BadRow:
    if not cells.get(ID, "").strip():
        return BadRow(line, ID, "no id")
    counts = {}
    for name in COUNTS:
        text = cells.get(name, "").strip()
        if not text.isascii() or not text.isdigit():
            return BadRow(line, name, "no whole number from 0 on")
        counts[name] = int(text)
    try:
        balance = Decimal(cells.get(BALANCE, "").strip().replace(",", "."))
    except InvalidOperation:
        return BadRow(line, BALANCE, "no amount")
    if not balance.is_finite():
        return BadRow(line, BALANCE, "no amount")
    return Debt(line, text_key(cells[ID]), counts["loans"], balance, *(counts[name] for name in COUNTS[1:]))


def take_obligations(warehouse: Warehouse, institution: str, lines: Iterable[str], as_of: datetime, name: str) -> Taken:
    """Take a file in: what it says of a person takes the place of what was known, unless that is newer.

    Whom it does not name it says nothing of: they stay as old as they are, and cannot be erased once that is too old.
    """
    taken = Taken()
    debts = read_debts(lines, taken, name)
    while some := list(islice(debts, CHUNK)):
        with warehouse.write(PATRONS_LOCK) as connection:
            _store(connection, institution, some, as_of, taken)
    return taken


def _store(connection: Connection, institution: str, some: Sequence[Debt], as_of: datetime, taken: Taken) -> None:
    person, debt = core_patron, core_patron_obligation
    wanted = text_set(connection, sorted({each.key for each in some}))
    known = {
        row.primary_key: row.person_id
        for row in connection.execute(
            sa.select(person.c.primary_key, person.c.person_id)
            .join_from(wanted, person, person.c.primary_key == wanted.c.value)
            .where(person.c.institution == institution, person.c.state != "erased")
        )
    }
    newer = set(
        connection.execute(
            sa.select(debt.c.person_id).where(
                debt.c.person_id.in_(sa.select(id_set(connection, sorted(known.values())).c.value)),
                debt.c.as_of > as_of,
            )
        ).scalars()
    )
    rows: dict[int, Debt] = {}
    for each in some:
        person_id = known.get(each.key)
        taken.unknown += person_id is None
        if person_id in rows:
            taken.bad.append(BadRow(each.line, ID, "the same id stands in an earlier row: that one counts"))
        elif person_id is not None:
            taken.taken += 1
            rows[person_id] = each
    stored = sorted(rows.keys() - newer)
    connection.execute(sa.delete(debt).where(debt.c.person_id.in_(sa.select(id_set(connection, stored).c.value))))
    columns = ("person_id", "loans", "balance", "requests", "on_hold_shelf", "staff_roles")
    bulk_insert(
        connection,
        debt,
        columns,
        [(each, rows[each].loans, format(rows[each].balance, "f"), *rows[each][4:]) for each in stored],
        {"as_of": as_of},
    )
