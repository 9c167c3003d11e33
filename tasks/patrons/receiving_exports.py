"""Receiving an export of a library system's users: it becomes a delivery of its own kind, and goes to the archive."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.outcomes import DeliveryState
from schemas.register.patron_targets import PatronTarget
from tasks.landing.archive import archive_key
from tasks.landing.fingerprint import fingerprint
from tasks.landing.receiving import LEDGER_LOCK
from tasks.landing.zone import LandedFile, LandingZone
from tasks.patrons.export_guards import exported_at
from tasks.patrons.taking_read_back import KIND, Export
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import Arrival, delivery, register_arrival

_MANIFEST_BYTES = 64 * 1024
_ENDED = (DeliveryState.SETTLED, DeliveryState.REJECTED)


def waiting_exports(zone: LandingZone, target: PatronTarget) -> list[LandedFile]:
    """The exports that wait, by name; manifests are taken with them."""
    suffix = target.export.manifest
    files = [each for each in zone.waiting(target.code) if not (suffix and each.name.endswith(suffix))]
    return sorted(files, key=lambda each: each.name)


def receive_export(
    warehouse: Warehouse, zone: LandingZone, file: LandedFile, target: PatronTarget, clock: ZoneInfo, now: datetime
) -> Export | None:
    """Enter an export in the ledger and archive it; None: it was taken before.

    `clock` is the consortium's time zone, `now` when it is received. Raises `DeliveryRejectedError` where its name or
    manifest says no time that there is.
    """
    beside = f"{file.uri}{target.export.manifest}" if target.export.manifest else ""
    has_manifest = bool(beside) and zone.exists(beside)
    exported = exported_at(
        file.name, target, clock, file.modified_at, _beginning(zone, beside) if has_manifest else None
    )
    with zone.open(file.uri) as stream:
        found = fingerprint(stream)
    arrival = Arrival(
        kind=KIND,
        sender=target.code,
        sha256=found.sha256,
        name=file.name,
        uri=file.uri,
        bytes=found.size,
        received_at=now,
        business_date=exported.at.astimezone(clock).date(),
        is_dated=True,
    )
    with warehouse.write(LEDGER_LOCK) as connection:
        registered = register_arrival(connection, arrival)
        row = delivery(connection, registered.delivery_id)
    key = archive_key(row.sender, row.received_at.date(), row.sha256, file.name)
    uri = zone.move(file.uri, key, sha256=found.sha256)
    if has_manifest:
        zone.delete(beside)
    if registered.is_repeat and row.state in _ENDED:
        return None
    return Export(target, registered.delivery_id, file.name, found.sha256, found.size, exported, lambda: zone.open(uri))


def _beginning(zone: LandingZone, uri: str) -> bytes:
    with zone.open(uri) as stream:
        return stream.read(_MANIFEST_BYTES)
