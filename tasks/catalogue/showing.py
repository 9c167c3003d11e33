"""Whether a library's holdings are shown: what is there follows the register when a library enters, leaves or changes.

New holdings are shown as the register says when they come (`Admission.is_visible`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.libraries import Library
from schemas.warehouse.core import core_holding
from tasks.catalogue.holding_store import keep_before_images
from tasks.warehouse.bulk import id_set
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ids import take_id


def show_holdings(warehouse: Warehouse, sigel: str, is_shown: bool, now: datetime, chunk: int) -> int:
    """Show or hide all holdings of a library, `chunk` a transaction; returns how many were not so already.

    Each gets a new version with its before-image, and a change number by which exports find it.
    """
    changed = 0
    while True:
        with warehouse.write(CATALOGUE_LOCK) as connection:
            ids = connection.execute(
                sa.select(core_holding.c.holding_id)
                .where(
                    core_holding.c.sigel == sigel,
                    sa.not_(core_holding.c.is_deleted),
                    core_holding.c.is_visible.is_not(sa.true() if is_shown else sa.false()),
                )
                .order_by(core_holding.c.holding_id)
                .limit(chunk)
            ).scalars().all()  # fmt: skip
            if not ids:
                return changed
            keep_before_images(connection, ids, now)
            connection.execute(
                sa.update(core_holding)
                .where(core_holding.c.holding_id.in_(sa.select(id_set(connection, ids).c.value)))
                .values(
                    version=core_holding.c.version + 1,
                    is_visible=is_shown,
                    updated_at=now,
                    change_no=take_id(connection, "change"),
                )
            )
        changed += len(ids)


def shown_otherwise(connection: Connection, libraries: Collection[Library]) -> list[Library]:
    """The libraries that have holdings which are shown and should not be, or the other way round; one statement."""
    rows = connection.execute(
        sa.select(core_holding.c.sigel, core_holding.c.is_visible)
        .where(sa.not_(core_holding.c.is_deleted))
        .group_by(core_holding.c.sigel, core_holding.c.is_visible)
    )
    there = {(sigel, bool(is_visible)) for sigel, is_visible in rows}
    return [each for each in libraries if (each.sigel, not each.is_visible) in there]
