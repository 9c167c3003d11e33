"""What was last read back from each library system, and what could not be used: for status, notices and artifacts.

Plain rows; no person stands in them. Taking a read-back in is tasks/patrons/taking_read_back.py.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.patrons import core_patron_read_back
from schemas.warehouse.raw import raw_delivery


@dataclass(frozen=True)
class HeldReadBack:
    """An export, or an answer of an API, that was not used, and after which none was. Instants are UTC."""

    read_back_id: int
    institution: str
    file_name: str
    """Empty: read through an API."""
    sha256: str
    as_of: datetime
    """When the library system was as it says."""
    taken_at: datetime
    persons: int
    reason: str
    """In words; says nothing about any person."""


def held_read_backs(connection: Connection, institutions: Collection[str] | None = None) -> list[HeldReadBack]:
    """Those after which none was used, of some institutions or of all, the oldest first."""
    held = core_patron_read_back
    used = (
        sa.select(held.c.institution, sa.func.max(held.c.read_back_id).label("read_back_id"))
        .where(held.c.state == "used")
        .group_by(held.c.institution)
        .subquery()
    )
    chosen = (
        sa.select(held, raw_delivery.c.name, raw_delivery.c.sha256)
        .outerjoin(raw_delivery, raw_delivery.c.delivery_id == held.c.delivery_id)
        .outerjoin(used, used.c.institution == held.c.institution)
        .where(
            held.c.state == "held",
            sa.or_(used.c.read_back_id.is_(None), held.c.read_back_id > used.c.read_back_id),
        )
        .order_by(held.c.read_back_id)
    )
    if institutions is not None:
        chosen = chosen.where(held.c.institution.in_(list(institutions)))
    return [
        HeldReadBack(
            row.read_back_id,
            row.institution,
            row.name or "",
            row.sha256 or "",
            row.as_of,
            row.taken_at,
            row.persons,
            row.reason or "",
        )
        for row in connection.execute(chosen)
    ]
