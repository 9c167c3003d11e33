"""Receiving a file of persons: it becomes a delivery in the ledger, and what may be kept of it goes to the archive.

Identity is (source, business date, sha256): the same full file on another day is another statement, told as stale.
National ids of BUPS 1 are cut out on the way to the archive, before anything else is written, and the cut is proved;
the sender's file, which still has them, is then deleted.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO, cast

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import DeliveryRejectedError
from schemas.outcomes import DeliveryState
from schemas.register.patron_sources import PatronSource
from schemas.warehouse.patrons import raw_patron_file, raw_patron_reject, stage_patron, stage_patron_due
from schemas.warehouse.raw import raw_delivery
from tasks.landing.archive import archive_key
from tasks.landing.fingerprint import fingerprint
from tasks.landing.receiving import LEDGER_LOCK
from tasks.landing.zone import LandingZone
from tasks.patrons.file_guards import Manifest
from tasks.patrons.national_ids import CutCount, NationalIdCutter
from tasks.patrons.pieces import CHUNK_BYTES
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import Arrival, Registered, delivery, forget_progress, register_arrival

KIND = "patron"
STAGES = ("stage", "check", "plan", "plan-due", "apply", "apply-due", "prove")
"""Stages of chunks, as the progress of a file names them."""
IN_MEMORY = 8 * 1024 * 1024
_DATE = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")
_PACKED = (b"PK\x03\x04", b"\x1f\x8b")


@dataclass(frozen=True)
class PatronReceiving:
    """What all files of a run share."""

    source: PatronSource
    today: date
    now: datetime
    again: bool = False
    is_preview: bool = False


def business_date(name: str, today: date) -> date:
    """The day that a file is about: the date in its name (YYYYMMDD or YYYY-MM-DD), else the day of the run."""
    for found in _DATE.finditer(name):
        try:
            return date(*(int(part) for part in found.groups()))
        except ValueError:
            continue
    return today


def receive_patron_file(
    warehouse: Warehouse, zone: LandingZone, uri: str, receiving: PatronReceiving, manifest: Manifest | None = None
) -> Registered:
    """Enter the file at `uri` in the ledger, or recognise it; archive it unless this is a preview.

    Raises what the landing zone raises when the file is not there, and `DeliveryRejectedError` for a packed BUPS 1
    file, out of which no national id can be cut; such a file stays where it is, and nothing of it is written.
    """
    name = zone.key_of(uri).rsplit("/", 1)[-1]
    with zone.open(uri) as stream, _without_national_ids(stream, name, receiving.source) as (clean, cut):
        found = fingerprint(clean)
        arrival = Arrival(
            kind=KIND,
            sender=receiving.source.code,
            sha256=found.sha256,
            name=name,
            uri=uri,
            bytes=found.size,
            received_at=receiving.now,
            business_date=business_date(name, receiving.today),
            is_dated=True,
        )
        registered, key = _enter(warehouse, zone, arrival, receiving, cut, manifest)
        if receiving.is_preview:
            return registered
        if cut.lines:
            clean.seek(0)
            zone.put(key, clean, sha256=found.sha256)
    if cut.lines:
        zone.delete(uri)
    else:
        zone.move(uri, key, sha256=found.sha256)
    return registered


def _enter(
    warehouse: Warehouse,
    zone: LandingZone,
    arrival: Arrival,
    receiving: PatronReceiving,
    cut: CutCount,
    manifest: Manifest | None,
) -> tuple[Registered, str]:
    """The ledger's answer, and the key in the archive; the row names the archive before the file is there."""
    with warehouse.write(LEDGER_LOCK) as connection:
        registered = register_arrival(connection, arrival, again=receiving.again)
        row = delivery(connection, registered.delivery_id)
        # A preview of the same file is taken over; what it has staged is staged anew.
        key = archive_key(row.sender, row.received_at.date(), row.sha256, arrival.name)
        if not registered.is_repeat or (row.is_preview and not receiving.is_preview):
            uri = arrival.uri if receiving.is_preview else zone.uri_for(key)
            _set(connection, registered.delivery_id, uri=uri, is_preview=receiving.is_preview)
            _enter_file(connection, registered.delivery_id, arrival, receiving.source, cut, manifest)
            registered = Registered(registered.delivery_id, DeliveryState.RECEIVED, is_repeat=False)
    return registered, key


def _set(connection: Connection, delivery_id: int, **values: object) -> None:
    values |= {"state": DeliveryState.RECEIVED, "hold_reason": None}
    connection.execute(sa.update(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id).values(**values))


def _enter_file(
    connection: Connection,
    delivery_id: int,
    arrival: Arrival,
    source: PatronSource,
    cut: CutCount,
    manifest: Manifest | None,
) -> None:
    """The row of the file; what a preview of it had staged is forgotten."""
    forget_staged(connection, delivery_id)
    connection.execute(sa.delete(raw_patron_file).where(raw_patron_file.c.delivery_id == delivery_id))
    connection.execute(
        sa.insert(raw_patron_file).values(
            delivery_id=delivery_id,
            institution=source.institution,
            source=source.code,
            business_date=arrival.business_date,
            size=arrival.bytes,
            sha256=arrival.sha256,
            filled="{}",
            findings="[]",
            manifest=orjson.dumps(manifest._asdict()).decode() if manifest else None,
            national_ids_cut=cut.lines + cut.strayed,
        )
    )


def forget_staged(connection: Connection, delivery_id: int) -> None:
    """Remove the working set of a file, and how far it had got."""
    for table in (stage_patron, stage_patron_due, raw_patron_reject):
        connection.execute(sa.delete(table).where(table.c.delivery_id == delivery_id))
    forget_progress(connection, delivery_id, *STAGES)


@contextmanager
def _without_national_ids(stream: BinaryIO, name: str, source: PatronSource) -> Iterator[tuple[BinaryIO, CutCount]]:
    """The file as it may be written: BUPS 1 without national ids, every other format as it came."""
    if source.format != "bups1":
        yield stream, CutCount(0, 0)
        return
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as clean:
        cutter = NationalIdCutter()
        for number, part in enumerate(cutter.cut(stream)):
            if number == 0 and part.startswith(_PACKED):
                raise DeliveryRejectedError(
                    "a packed BUPS 1 file cannot be rid of national ids before it is written",
                    file=name,
                    remedy="send it unpacked; nothing of it was kept",
                )
            clean.write(part)
        clean.seek(0)
        if left := cutter.remaining(iter(lambda: clean.read(CHUNK_BYTES), b"")):
            raise DeliveryRejectedError(
                f"{left} lines still hold a national id that stands in another record",
                file=name,
                remedy="take national ids out of all fields but FR and GR; nothing of it was kept",
            )
        clean.seek(0)
        yield cast(BinaryIO, clean), cutter.count
