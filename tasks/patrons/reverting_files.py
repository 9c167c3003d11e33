"""A file of persons, or a read-back, is taken back: what it did to persons is undone, what waited of it is closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import DeliveryState
from schemas.warehouse.patrons import core_patron_change, raw_patron_file, stage_patron, stage_patron_due
from tasks.patrons.receiving import KIND as FILE
from tasks.patrons.reverting import revert_patron_run
from tasks.patrons.taking_read_back import KIND as READ_BACK
from tasks.plans.revert import RevertReport
from tasks.plans.store import withdraw
from tasks.warehouse.ledger import delivery, set_state

KINDS = (FILE, READ_BACK)
REVERTED = "the file was reverted"
ENDED = (DeliveryState.SETTLED, DeliveryState.REJECTED, DeliveryState.REVERTED)


@dataclass(frozen=True)
class RevertedFile:
    """What was undone."""

    persons: RevertReport
    erased: int
    """Persons of whom the file had changed something, and who are erased by now: they stay so."""
    plans: int
    """Classes of change that waited, and are closed."""
    was_reverted: bool


def revert_file(connection: Connection, delivery_id: int, now: datetime, day: date | None = None) -> RevertedFile:
    """Undo a file, in the caller's transaction, under `PATRONS_LOCK`. Again is harmless.

    Raises `UsageError` for one that is on its way, and for one that changed nothing.
    """
    row = delivery(connection, delivery_id)
    if row.state == DeliveryState.REVERTED:
        return RevertedFile(RevertReport(0), 0, 0, True)
    if row.state not in ENDED:
        raise UsageError(
            f"file {delivery_id} is {row.state}, and has changed nothing as a whole yet",
            remedy="let its run end; what waits is refused with `samkat plans reject`",
        )
    persons = revert_patron_run(connection, delivery_id, now, day=day)
    plans = withdraw(connection, delivery_id, REVERTED, now)
    for table in (stage_patron, stage_patron_due):
        connection.execute(sa.delete(table).where(table.c.delivery_id == delivery_id))
    # The next file is judged by the one before: one that is taken back is no measure.
    connection.execute(
        sa.update(raw_patron_file)
        .where(raw_patron_file.c.delivery_id == delivery_id)
        .values(is_used=False, is_complete=False)
    )
    set_state(connection, delivery_id, DeliveryState.REVERTED, reverted_at=now)
    return RevertedFile(persons, _erased(connection, delivery_id), plans, False)


def _erased(connection: Connection, delivery_id: int) -> int:
    change = core_patron_change
    erased = sa.select(change.c.person_id).where(change.c["class"] == "erase", change.c.decision == "applied")
    return connection.execute(
        sa.select(sa.func.count(change.c.person_id.distinct())).where(
            change.c.delivery_id == delivery_id, change.c.person_id.in_(erased)
        )
    ).scalar_one()
