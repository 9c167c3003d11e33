"""How a delivery of the ledger is loaded: its sender and policy, as this workplace's register has them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.register.senders import Sender
from tasks.catalogue.loading import Loading
from tasks.catalogue.stock import COLLECTION, held_now, stock_profile
from tasks.workplace import Workplace


def loading_of(place: Workplace, row: sa.Row[Any], held_classes: frozenset[str] = frozenset()) -> Loading:
    """How the delivery of this ledger row is loaded."""
    if row.kind == COLLECTION:
        with place.warehouse.read() as connection:
            held_classes |= held_now(connection, row.delivery_id)
    return Loading(
        delivery_id=row.delivery_id,
        supplier=_sender_of(place, row),
        register=place.register.for_sender(row.sender),
        sent_at_name=row.sent_at_name,
        today=place.today,
        now=place.now,
        held_classes=held_classes,
    )


def _sender_of(place: Workplace, row: sa.Row[Any]) -> Sender | None:
    if row.kind == COLLECTION:
        return stock_profile(row.sender, row.mode, place.register)
    return None if row.kind == "catalogue" else place.sender(row.sender)
