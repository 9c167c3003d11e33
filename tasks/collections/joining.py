"""Who joins, and how their file is read, from what a person asked for: checked before anything is done. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from schemas.errors import UsageError
from schemas.register.register import Register
from tasks.landing.keys import safe_name
from tasks.marc.stock import TABLE_MEANINGS, StockRules

MOST_NAMED = 4
"""Sigels that the sender's name holds; of more it holds the first, how many, and a digest."""
WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")


class Joining(NamedTuple):
    """The libraries that join, how their file is read, and under which name they stand in the ledger."""

    sender: str
    rules: StockRules
    remarks: tuple[str, ...]
    """What stands against their holdings today, in words; it is asked again when the plan is approved."""


def joining(libraries: Sequence[str], columns: Mapping[str, str], register: Register, today: date) -> Joining:
    """The libraries of `SIGEL` or `SIGEL=NAME IN THE FILE`, and the columns of `meaning=column`.

    Raises `UsageError` for no library, one named twice, a sigel that the register does not have, a meaning that no
    column can have.
    """
    if not libraries:
        raise UsageError(
            "no library is named", field="--library", remedy="name the library that joins: --library SIGEL"
        )
    named: dict[str, str] = {}
    for text in libraries:
        sigel, _, called = (part.strip() for part in text.partition("="))
        if sigel not in register.library_by_sigel:
            raise UsageError(
                f"no library has the sigel {sigel!r}", field="--library",
                remedy="a library joins when it is admitted: enter it in the register first",
            )  # fmt: skip
        if sigel in named:
            raise UsageError(f"{sigel} is named twice", field="--library", remedy="name each library once")
        named[sigel] = called or sigel
    unknown = [each for each in columns if each not in TABLE_MEANINGS]
    if unknown:
        raise UsageError(
            f"nothing is called {unknown[0]!r}", field="--columns", remedy=f"known are {', '.join(TABLE_MEANINGS)}"
        )
    rules = StockRules(tuple(sorted(named.items())), dict(sorted(columns.items())))
    return Joining(sender_of(sorted(named)), rules, tuple(_remarks(named, register, today)))


def sender_of(sigels: Sequence[str]) -> str:
    """How they stand in the ledger and in keys of the landing zone: `Hb`, `Hb+Nd`, `Hb+29-1f0c2a`."""
    named = [safe_name(each) for each in sigels]
    plain = "+".join(named)
    if len(named) <= MOST_NAMED and named == list(sigels):
        return plain
    digest = hashlib.sha256("\n".join(sigels).encode()).hexdigest()[:6]
    return f"{named[0]}+{len(named) - 1}-{digest}" if len(named) > 1 else f"{plain}-{digest}"


def columns_of(texts: Sequence[str]) -> dict[str, str]:
    """`isbn=ISBN,title=Titel` and the like, each text one or several. Raises `UsageError`."""
    found: dict[str, str] = {}
    for text in texts:
        for part in text.split(","):
            meaning, sign, column = (each.strip() for each in part.partition("="))
            if not (meaning and sign and column):
                raise UsageError(
                    f"{part!r} says no column", field="--columns", remedy="write it as --columns isbn=ISBN,title=Titel"
                )
            if meaning in found:
                raise UsageError(f"{meaning} is said twice", field="--columns", remedy="say each meaning once")
            found[meaning] = column
    return found


def refuse_workbook(name: str) -> None:
    """A workbook is no CSV. Raises `UsageError`."""
    if name.lower().endswith(WORKBOOKS):
        raise UsageError(
            "is a workbook, not a table that can be read row by row", file=name,
            remedy="save it as CSV (UTF-8), the column of ISBNs as text",
        )  # fmt: skip


def _remarks(sigels: Mapping[str, str], register: Register, today: date) -> list[str]:
    remarks = []
    for sigel in sorted(sigels):
        library = register.library_by_sigel[sigel]
        if not library.has_agreement(today):
            when = f"begins on {library.agreement_from}" if today < library.agreement_from else "has ended"
            remarks.append(f"the agreement of {library.name} {when}: its holdings are refused if approved now")
    return remarks
