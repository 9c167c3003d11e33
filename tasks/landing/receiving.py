"""Receiving: a file of the landing zone becomes a delivery in the ledger, and its original goes to the archive.

Identity is (sender, sha256). The original is put away first, so that a file sent again under the same name can
never take its place while it is being worked on; the archive's key follows from the content, so doing it twice is
harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import DeliveryRejectedError
from schemas.outcomes import DeliveryState
from schemas.register.suppliers import FileRules
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.landing.archive import archive_key, archive_original, quarantine_file, rejected_key
from tasks.landing.fingerprint import fingerprint
from tasks.landing.names import business_date, check_name
from tasks.landing.unpack import UnpackLimits, measure
from tasks.landing.zone import ContentChangedError, LandingZone, NotLandedError
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.forgetting import forget_previews, forget_records
from tasks.warehouse.ledger import Arrival, Registered, delivery, register_arrival, set_state

LEDGER_LOCK = "ledger"
"""Two runs that receive the same new file at once: the second must find the first one's row."""


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
    reason in its row. What a dry run wrote about the same file is forgotten first. Raises what the landing zone raises
    when the file is not there.
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
    registered, key = _enter(warehouse, zone, arrival, receiving)
    if not receiving.is_preview:
        archive_original(zone, uri, key, found.sha256)
    if refusal is not None and registered.state == DeliveryState.RECEIVED:
        reject(warehouse, zone, registered.delivery_id, refusal, receiving.now)
        return replace(registered, state=DeliveryState.REJECTED)
    return registered


def _enter(warehouse: Warehouse, zone: LandingZone, arrival: Arrival, receiving: Receiving) -> tuple[Registered, str]:
    """Enter the file in the ledger; returns what that said, and the key under which its original belongs.

    The row names the archive before the file is there: a run killed in between moves it when it goes on. A repeat is
    kept under its own name, beside the first, which the row goes on naming.
    """
    with warehouse.write(LEDGER_LOCK) as connection:
        forget_previews(connection, arrival.kind, arrival.sender, arrival.sha256)
        registered = register_arrival(connection, arrival, again=receiving.again)
        row = delivery(connection, registered.delivery_id)
        key = archive_key(row.sender, row.received_at.date(), row.sha256, arrival.name)
        if not registered.is_repeat:
            values = {"is_preview": True} if receiving.is_preview else {"uri": zone.uri_for(key)}
            connection.execute(
                sa.update(raw_delivery).where(raw_delivery.c.delivery_id == registered.delivery_id).values(**values)
            )
    return registered, key


def original(zone: LandingZone, connection: Connection, row: sa.Row[Any]) -> str:
    """The URI of a delivery's original, wherever a run that was killed has left it.

    In the archive as its row says; in quarantine, where its rejection was cut short; or still where it landed or was
    sent again, from where it is moved now. Raises `NotLandedError` where it is in none of these places.
    """
    quarantined = zone.uri_for(rejected_key(row.sender, row.delivery_id, row.sha256, row.name))
    for uri in (row.uri, quarantined):
        if zone.exists(uri):
            return str(uri)
    sightings = connection.execute(
        sa.select(raw_delivery_name.c.uri)
        .where(raw_delivery_name.c.delivery_id == row.delivery_id)
        .order_by(raw_delivery_name.c.seen_at, raw_delivery_name.c.uri)
    ).scalars()
    for uri in sightings:
        if zone.exists(uri):
            try:
                return archive_original(zone, uri, zone.key_of(row.uri), row.sha256)
            except ContentChangedError:
                continue  # other content has come under the same name since
    raise NotLandedError(
        "its original is no longer in the landing zone", file=row.name, remedy="ask the sender to send it again"
    )


def reject(
    warehouse: Warehouse,
    zone: LandingZone,
    delivery_id: int,
    why: DeliveryRejectedError,
    now: datetime,
    records: Callable[[Connection], None] | None = None,
) -> None:
    """End a delivery that cannot be taken in: its file goes to quarantine, the reason into its row.

    `records` says what becomes of its records, in the same transaction; by default what was read is forgotten, since
    the whole file is in quarantine.
    """
    with warehouse.read() as connection:
        row = delivery(connection, delivery_id)
        uri = row.uri if row.is_preview else original(zone, connection, row)
    if not row.is_preview:
        uri = quarantine_file(zone, uri, row.sender, delivery_id, row.sha256, row.name, why)
    with warehouse.write() as connection:
        if records is None:
            forget_records(connection, [delivery_id])
        else:
            records(connection)
        set_state(
            connection,
            delivery_id,
            DeliveryState.REJECTED,
            only_from=[DeliveryState.RECEIVED],
            uri=uri,
            hold_reason=str(why),
            finished_at=now,
        )
