"""Who takes part, who has applied, and whose holdings stand still: one line a library, for `samkat libraries list`."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.libraries import Library
from schemas.register.register import Register
from schemas.warehouse.joining import core_holdings_freshness as freshness
from schemas.warehouse.joining import core_library_application as applications


class LibraryLine(NamedTuple):
    """A library of the register, or an applicant that is not in it. `standing` is in words."""

    sigel: str
    name: str
    participation: str
    standing: str
    months_still: int | None
    """At the latest check; None where its holdings were not looked at."""
    contact: str


def library_lines(connection: Connection, register: Register, on: date) -> list[LibraryLine]:
    """The libraries of the register by sigel, then applicants that are not in it."""
    latest = sa.select(sa.func.max(freshness.c.checked_on)).scalar_subquery()
    still = {
        row.sigel: row.months_still
        for row in connection.execute(
            sa.select(freshness.c.sigel, freshness.c.months_still).where(freshness.c.checked_on == latest)
        )
    }
    members = [
        LibraryLine(each.sigel, each.name, each.participation, _standing(each, on), still.get(each.sigel), each.contact)
        for each in sorted(register.libraries, key=lambda each: each.sigel)
    ]
    applied = [
        LibraryLine(row.sigel, row.name, row.participation, _applied(row), None, row.contact)
        for row in connection.execute(
            sa.select(applications)
            .where(applications.c.state != "replaced")
            .order_by(applications.c.sigel, applications.c.application_id)
        )
        if row.sigel not in register.library_by_sigel
    ]
    return members + applied


def _standing(library: Library, on: date) -> str:
    if on < library.agreement_from:
        return f"agreement begins on {library.agreement_from}"
    if not library.has_agreement(on):
        return f"agreement ended on {library.agreement_to}"
    return f"in force since {library.agreement_from}"


def _applied(row: sa.Row[Any]) -> str:
    words = {
        "refused": "applied: rules are not met",
        "eligible": "applied: may be admitted",
        "admitting": "admission was interrupted: run it again",
        "admitted": "admitted, but gone from the register",
        "withdrawn": "admission was taken back",
    }
    return f"{words[row.state]} ({row.checked_on})"
