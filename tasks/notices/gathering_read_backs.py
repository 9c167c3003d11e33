"""From the warehouse to what is told of read-backs that were not used: to the operator, and to the library.

Counts and reasons; no person is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from schemas.register.patron_sources import PatronSource
from schemas.register.register import Register
from tasks.notices.gathering_patrons import library_of
from tasks.notices.patron_holds import FileFault, HeldPatronFile
from tasks.warehouse.read_backs import HeldReadBack, held_read_backs

THROUGH_API = "API"


def untaken_read_backs(
    connection: Connection, register: Register, zone: ZoneInfo, institution: str
) -> list[HeldPatronFile]:
    """For each read-back of an institution that was not used, and after which none was, what both are told."""
    sources = sorted(
        (each for each in register.patron_sources if each.institution == institution),
        key=lambda each: (each.precedence, each.code),
    )
    found: list[HeldPatronFile] = []
    for each in held_read_backs(connection, [institution]):
        found += _told(register, zone, sources, each)
    return found


def _told(
    register: Register, zone: ZoneInfo, sources: Sequence[PatronSource], held: HeldReadBack
) -> list[HeldPatronFile]:
    library = library_of(register, sources[0]) if sources else None

    def told(recipient: str, language: str, *, is_for_operator: bool) -> HeldPatronFile:
        return HeldPatronFile(
            recipient=recipient,
            language=language,
            source_name=library.name if library else held.institution,
            file_name=held.file_name or THROUGH_API,
            business_date=held.as_of.astimezone(zone).date(),
            identity=f"read-back/{held.institution}/{held.as_of.isoformat()}/{held.sha256}",
            faults=(FileFault("read_back", held.reason),),
            words="read_back",
            is_for_operator=is_for_operator,
        )

    operator = told(register.catalogue.operator, register.catalogue.language, is_for_operator=True)
    if library is not None:
        return [operator, told(library.for_patrons, library.language, is_for_operator=False)]
    return [operator, *(told(each.contact, each.language, is_for_operator=False) for each in sources[:1])]
