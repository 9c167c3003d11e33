"""Receiving: a file of the landing zone becomes a delivery in the ledger, and its original goes to the archive.

Identity is (sender, sha256). The original is put away first, so that a file sent again under the same name can
never take its place while it is being worked on; the archive's key follows from the content, so doing it twice is
harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import DeliveryRejectedError
from schemas.outcomes import DeliveryState
from schemas.register.suppliers import FileRules
from schemas.warehouse.raw import raw_delivery
from tasks.landing.archive import archive_key, archive_original, quarantine_file
from tasks.landing.fingerprint import fingerprint
from tasks.landing.names import business_date, check_name
from tasks.landing.unpack import UnpackLimits, measure
from tasks.landing.zone import LandingZone
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import Arrival, Registered, delivery, register_arrival, set_state


@dataclass(frozen=True)
class Receiving:
    """What all files of a run share."""

    kind: str
    sender: str
    rules: FileRules
    limits: UnpackLimits
    now: datetime
    today: date
    mode: str = ""
    again: bool = False
    is_preview: bool = False


def receive_file(warehouse: Warehouse, zone: LandingZone, uri: str, receiving: Receiving) -> Registered:
    """Enter the file at `uri` in the ledger, or recognise it; put its original away unless this is a preview.

    A file that breaks its name's rules or the unpacking limits ends as a rejected delivery in quarantine, with the
    reason in its row. Raises what the landing zone raises when the file is not there.
    """
    name = zone.key_of(uri).rsplit("/", 1)[-1]
    with zone.open(uri) as stream:
        found = fingerprint(stream)
    arrival = Arrival(
        kind=receiving.kind,
        sender=receiving.sender,
        sha256=found.sha256,
        name=name,
        uri=uri,
        bytes=found.size,
        received_at=receiving.now,
        business_date=receiving.today,
        mode=receiving.mode,
    )
    refusal: DeliveryRejectedError | None = None
    try:
        promise = check_name(name, receiving.rules)
        arrival = replace(
            arrival,
            business_date=business_date(promise, receiving.today),
            sent_at_name=promise.stamp.strftime("%Y%m%d%H%M%S") if promise.stamp else None,
        )
        with zone.open(uri) as stream:
            measure(stream, name, receiving.limits)
    except DeliveryRejectedError as error:
        refusal = error
    with warehouse.write() as connection:
        registered = register_arrival(connection, arrival, again=receiving.again)
        if receiving.is_preview:
            if not registered.is_repeat:
                _set(connection, registered.delivery_id, is_preview=True)
        elif registered.state in _ON_THE_WAY:
            # The row names the archive before the file is there: a run killed in between moves it when it comes again.
            _set(
                connection,
                registered.delivery_id,
                is_preview=False,
                uri=zone.uri_for(_key(connection, registered, name)),
            )
    if not receiving.is_preview:
        with warehouse.read() as connection:
            key = _key(connection, registered, name)
        archive_original(zone, uri, key, found.sha256)
    if refusal is not None and registered.state == DeliveryState.RECEIVED:
        reject(warehouse, zone, registered.delivery_id, refusal, receiving.now)
        return replace(registered, state=DeliveryState.REJECTED)
    return registered


_ON_THE_WAY = (DeliveryState.RECEIVED, DeliveryState.STAGED, DeliveryState.MATCHED, DeliveryState.HELD)


def _set(connection: Connection, delivery_id: int, **values: Any) -> None:
    connection.execute(sa.update(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id).values(**values))


def _key(connection: Connection, registered: Registered, name: str | None = None) -> str:
    """Where the original belongs. A repeat under another name is kept under that name, beside the first."""
    row = delivery(connection, registered.delivery_id)
    return archive_key(row.sender, row.received_at.date(), row.sha256, name or row.name)


def reject(
    warehouse: Warehouse, zone: LandingZone, delivery_id: int, why: DeliveryRejectedError, now: datetime
) -> None:
    """End a delivery that cannot be taken in: its file goes to quarantine, the reason into its row."""
    with warehouse.read() as connection:
        row = delivery(connection, delivery_id)
    uri = row.uri
    if not row.is_preview and zone.exists(row.uri):
        uri = quarantine_file(zone, row.uri, row.sender, delivery_id, row.sha256, row.name, why)
    with warehouse.write() as connection:
        set_state(connection, delivery_id, DeliveryState.REJECTED, uri=uri, hold_reason=str(why), finished_at=now)
