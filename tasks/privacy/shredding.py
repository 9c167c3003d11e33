"""Files with persons are shredded: by age, or before their time, since somebody who may stand in them was erased.

Asked first, in the transaction that erases; deleted then; noted last. Killed in between, the next night goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from schemas.register.register import Register
from schemas.warehouse.patrons import core_patron_out
from schemas.warehouse.raw import raw_delivery, raw_progress
from tasks.landing.archive import archive_key
from tasks.landing.keys import Area, check_key
from tasks.landing.zone import LandingZone
from tasks.privacy.places import ENDED, KINDS, SHRED, is_shredded
from tasks.warehouse.engine import Warehouse

MANIFEST: Final = ".manifest.json"
DAYS: Final = 14
"""Of a file whose sender the register does not know any more."""


def shred_files(
    warehouse: Warehouse, zone: LandingZone, register: Register, *, now: datetime, as_of: datetime
) -> Counter[str]:
    """Delete what came or went and is older than `raw_days`, and what was asked for; returns how many.

    What came is as old as the clock says (`now`); what was sent bears the business date that it was made for (`as_of`).
    """
    counts: Counter[str] = Counter()
    for row in _due(warehouse, register, now):
        for uri in _places(zone, row):
            zone.delete(uri)
        with warehouse.write() as connection:
            connection.execute(
                sa.delete(raw_progress).where(
                    raw_progress.c.delivery_id == row.delivery_id, raw_progress.c.stage == SHRED
                )
            )
            connection.execute(
                sa.insert(raw_progress).values(delivery_id=row.delivery_id, stage=SHRED, reached=0, done_at=now)
            )
        counts["files received"] += 1
    for row in _sent_due(warehouse, register, as_of):
        zone.delete(f"{row.uri}{MANIFEST}")
        zone.delete(row.uri)
        with warehouse.write() as connection:
            connection.execute(
                sa.update(core_patron_out).where(core_patron_out.c.out_id == row.out_id).values(state="shredded")
            )
        counts["files sent"] += 1
    return counts


def _places(zone: LandingZone, row: sa.Row[Any]) -> list[str]:
    """Where a file may be: the archive, or its quarantine. What waits in `incoming/` is a file of its own."""
    archived = zone.uri_for(archive_key(row.sender, row.received_at.date(), row.sha256, row.name))
    is_waiting = zone.key_of(row.uri).startswith(f"{Area.INCOMING}/")
    return [archived] if is_waiting else [archived, row.uri]


def delete_reviews(zone: LandingZone, reviews: Sequence[tuple[str, int]]) -> int:
    """Delete the lists of questions to staff in which an erased person may stand; returns how many."""
    number = 0
    for sender, delivery_id in reviews:
        prefix = check_key(f"{Area.REJECTS}/{sender}/{delivery_id}/review")
        for each in list(zone.stored(Area.REJECTS)):
            if each.key.startswith(prefix):
                zone.delete(each.uri)
                number += 1
    return number


def _due(warehouse: Warehouse, register: Register, now: datetime) -> Sequence[sa.Row[Any]]:
    asked = sa.exists().where(
        raw_progress.c.delivery_id == raw_delivery.c.delivery_id,
        raw_progress.c.stage == SHRED,
        raw_progress.c.done_at.is_(None),
    )
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(
                *(raw_delivery.c[name] for name in ("delivery_id", "sender", "name", "sha256", "uri", "received_at")),
                asked.label("asked"),
            )
            .where(
                raw_delivery.c.kind.in_(KINDS),
                raw_delivery.c.state.in_(ENDED),
                sa.not_(raw_delivery.c.is_preview),
                sa.not_(is_shredded()),
            )
            .order_by(raw_delivery.c.delivery_id)
        ).all()
    return [row for row in rows if row.asked or row.received_at < now - days_of(register, row.sender)]


def _sent_due(warehouse: Warehouse, register: Register, as_of: datetime) -> Sequence[sa.Row[Any]]:
    sent = core_patron_out
    with warehouse.read() as connection:
        rows = connection.execute(sa.select(sent).where(sent.c.state != "shredded").order_by(sent.c.out_id)).all()
    days = {each.institution: days_of(register, each.code) for each in register.patron_targets}
    return [
        row
        for row in rows
        if row.state == "to_shred" or row.made_at < as_of - days.get(row.institution, timedelta(days=DAYS))
    ]


def days_of(register: Register, sender: str) -> timedelta:
    """How long files of a sender are kept; of a library system as long as the longest of its institution's sources."""
    source = register.patron_source_by_code.get(sender) or register.account_source_by_code.get(sender)
    if source is not None:
        return timedelta(days=source.raw_days)
    institution = next((each.institution for each in register.patron_targets if each.code == sender), None)
    days = [each.raw_days for each in register.patron_sources if each.institution == institution]
    return timedelta(days=max(days, default=DAYS))
