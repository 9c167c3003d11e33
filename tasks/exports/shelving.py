"""Old files for local systems go to the archive: out of the receivers' way, and still there when one asks."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import sqlalchemy as sa

from schemas.warehouse.exports import core_export_file
from tasks.landing.keys import Area, check_key
from tasks.landing.zone import LandingZone, StoredFile
from tasks.warehouse.engine import Warehouse


def archive_old_exports(warehouse: Warehouse, zone: LandingZone, days: int, now: datetime) -> Counter[str]:
    """Move files of `exports/` that are older than `days` to `archive/exports/`; returns how many, and their bytes.

    Only in the landing zone: what lies in a receiver's own place is the receiver's. Where it is going is noted before
    it is moved, so that a run that was killed between the two is finished by the next one.
    """
    moved: Counter[str] = Counter()
    old = [each for each in list(zone.stored(Area.EXPORTS)) if each.modified_at < now - timedelta(days=days)]
    for each in old:
        key = archived_key(each)
        with warehouse.write() as connection:
            connection.execute(
                sa.update(core_export_file)
                .where(core_export_file.c.uri == each.uri)
                .values(uri=zone.uri_for(key), is_archived=True)
            )
        zone.move(each.uri, key)
        moved.update({"files archived": 1, "bytes": each.size})
    return moved


def archived_key(file: StoredFile) -> str:
    """`exports/solberg/x.marc` becomes `archive/exports/solberg/x.marc`."""
    return check_key(f"{Area.ARCHIVE}/{file.key}")
