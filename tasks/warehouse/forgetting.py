"""Forgetting what never counted: the rows of a dry run, and those of a file that turned out not to be readable.

Nothing of the core layer is ever forgotten here.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.bulk import id_set

_LEDGER = (raw_delivery, raw_delivery_name)
_RECORD_TABLES = tuple(
    table
    for table in metadata.sorted_tables
    if table.name.startswith(("raw_", "stage_")) and "delivery_id" in table.columns and table not in _LEDGER
)


def forget_records(connection: Connection, delivery_ids: Collection[int]) -> None:
    """Drop everything that was read of these deliveries; their rows in the ledger stay."""
    for table in _RECORD_TABLES:
        wanted = sa.select(id_set(connection, delivery_ids).c.value)
        connection.execute(sa.delete(table).where(table.c.delivery_id.in_(wanted)))


def forget_previews(connection: Connection, kind: str, sender: str, sha256: str) -> None:
    """Drop what dry runs wrote about a file: it is judged anew, by the register as it is now."""
    seen = list(
        connection.execute(
            sa.select(raw_delivery.c.delivery_id).where(
                raw_delivery.c.kind == kind,
                raw_delivery.c.sender == sender,
                raw_delivery.c.sha256 == sha256,
                raw_delivery.c.is_preview,
            )
        ).scalars()
    )
    forget_looked_at(connection, seen)


def forget_looked_at(connection: Connection, delivery_ids: Collection[int]) -> None:
    """Drop these previews, their rows in the ledger too."""
    if not delivery_ids:
        return
    forget_records(connection, delivery_ids)
    for table in _LEDGER:
        wanted = sa.select(id_set(connection, delivery_ids).c.value)
        connection.execute(sa.delete(table).where(table.c.delivery_id.in_(wanted)))
