"""Fictional patron sources and files for the tests of the readers."""

from __future__ import annotations

import io
from typing import Any

from schemas.patrons import IncomingPerson, RejectedRow
from schemas.register.patron_sources import PatronSource
from tasks.patrons.reading import FileTotals, read_persons


def source(**keys: Any) -> PatronSource:
    """A source of the fictional university."""
    base = {"code": "NORUPERS", "name": "Nordhavet", "contact": "a@nordhavet.example", "institution": "NORU"}
    return PatronSource.model_validate({**base, **keys})


def read(
    content: bytes, of: PatronSource, name: str = "persons.txt", totals: FileTotals | None = None
) -> list[IncomingPerson | RejectedRow]:
    """All persons and rejected rows of a file."""
    return list(read_persons(io.BytesIO(content), name, of, totals))


def person(content: bytes, of: PatronSource) -> IncomingPerson:
    """The only person of a file."""
    (only,) = read(content, of)
    assert isinstance(only, IncomingPerson), only
    return only


def rejected(content: bytes, of: PatronSource) -> RejectedRow:
    """The only row of a file, which is rejected."""
    (only,) = read(content, of)
    assert isinstance(only, RejectedRow)
    return only


def outcome(rows: list[IncomingPerson | RejectedRow]) -> list[str]:
    """For each row its first stable id, or the rule that rejected it."""
    return [each.source_ids[0].value if isinstance(each, IncomingPerson) else each.rule for each in rows]
