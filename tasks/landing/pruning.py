"""Old files that were made for people, and their removal by the register's rules (retention.toml).

Only what Samkat can make again, has a copy of elsewhere, or was a picture of one day is ever removed: rejected records,
dated reports, snapshots, copies that were handed over. What senders sent stays, but for files of persons
(tasks/privacy/shredding.py). A file's age is the time since it was written last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.register.retention import Retention
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.landing.keys import Area
from tasks.landing.zone import LandingZone, StoredFile
from tasks.warehouse.bulk import text_set
from tasks.warehouse.engine import Warehouse

DATED_REPORT = re.compile(rf"{Area.REPORTS}/overview/\d{{4}}-\d\d-\d\d\.html")
"""`latest.html` beside them, and the worklist, are always as they are now."""
ACCOUNT_FILE = re.compile(rf"{Area.EXPORTS}/accounts-[^/]+/.+")
"""Change files of staff accounts hold names; what they say stands in the warehouse."""
ENDED = (DeliveryState.SETTLED, DeliveryState.REJECTED, DeliveryState.REVERTED)


def remove_old_files(warehouse: Warehouse, zone: LandingZone, retention: Retention, now: datetime) -> Counter[str]:
    """Remove what is older than the register says; returns how many files by area, and bytes in all.

    A copy that was handed over stays while its delivery is not at its end: a run that was killed takes it from there.
    """
    old = [
        *_older(zone, Area.REJECTS, now - timedelta(days=retention.rejects_days)),
        *_older(zone, Area.MARTS, now - timedelta(days=retention.marts_days)),
        *(
            each
            for each in _older(zone, Area.REPORTS, now - timedelta(days=retention.reports_days))
            if DATED_REPORT.fullmatch(each.key)
        ),
        *(
            each
            for each in _older(zone, Area.EXPORTS, now - timedelta(days=retention.exports_days))
            if ACCOUNT_FILE.fullmatch(each.key)
        ),
    ]
    handed = list(_older(zone, Area.HANDED, now - timedelta(days=retention.handed_days)))
    if handed:
        with warehouse.read() as connection:
            needed = _needed(connection, [each.uri for each in handed])
        old += [each for each in handed if each.uri not in needed]
    counts: Counter[str] = Counter()
    for each in old:
        zone.delete(each.uri)
        counts[f"{each.key.partition('/')[0]} files removed"] += 1
        counts["bytes"] += each.size
    return counts


def _older(zone: LandingZone, area: Area, than: datetime) -> Iterator[StoredFile]:
    return (each for each in list(zone.stored(area)) if each.modified_at < than)


def _needed(connection: Connection, uris: Collection[str]) -> set[str]:
    """Those of `uris` at which a delivery was seen that has not come to its end."""
    wanted = text_set(connection, uris)
    rows = connection.execute(
        sa.select(raw_delivery_name.c.uri)
        .join(wanted, wanted.c.value == raw_delivery_name.c.uri)
        .join(raw_delivery, raw_delivery.c.delivery_id == raw_delivery_name.c.delivery_id)
        .where(raw_delivery.c.state.not_in(ENDED), sa.not_(raw_delivery.c.is_preview))
    )
    return set(rows.scalars())
