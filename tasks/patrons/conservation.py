"""The proof that every row of a file of persons ended in exactly one counted outcome."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import SamkatError
from schemas.warehouse.patrons import core_patron_change, raw_patron_reject, stage_patron
from tasks.patrons.applying import ROW_OUTCOMES, store_counts
from tasks.patrons.planning import file_row


class NotConservedError(SamkatError):
    """The rows of a file do not add up: nothing may be settled."""


def prove_file(connection: Connection, delivery_id: int) -> dict[str, int]:
    """Count what became of the rows of a file, store it, and prove it; returns the counts.

    rows_read = unchanged + created + changed + kept + held + quarantined + rejected, each row that was not taken has
    its reason, and each person that was made or changed by the file has a row that says so. Raises
    `NotConservedError`.
    """
    read = file_row(connection, delivery_id).rows_read
    counts = store_counts(connection, delivery_id)
    ended = sum(counts[f"rows_{name}"] for name in ROW_OUTCOMES)
    if ended != read:
        raise NotConservedError(f"{read} rows were read, and {ended} have an outcome")
    refused = connection.execute(
        sa.select(sa.func.count()).select_from(raw_patron_reject).where(raw_patron_reject.c.delivery_id == delivery_id)
    ).scalar_one()
    if refused != counts["rows_quarantined"] + counts["rows_rejected"]:
        raise NotConservedError(f"{refused} rows have a reason for not being taken; counted are others: {counts}")
    # As sets: asked for one person at a time, PostgreSQL may walk through all changes of the file for each.
    told = sa.select(core_patron_change.c.person_id).where(
        core_patron_change.c.delivery_id == delivery_id, core_patron_change.c.decision == "applied"
    )
    written = sa.select(stage_patron.c.person_id).where(
        stage_patron.c.delivery_id == delivery_id, stage_patron.c.outcome.in_(["created", "changed"])
    )
    untold = connection.execute(sa.select(sa.func.count()).select_from(written.except_(told).subquery())).scalar_one()
    if untold:
        raise NotConservedError(f"{untold} persons were made or changed, and no row says so")
    return counts
