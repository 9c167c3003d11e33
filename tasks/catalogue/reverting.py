"""Undo of a delivery: bibs and holdings go back to what they were; later changes by others survive and are listed.

The rule is that of every undo (tasks/plans/revert.py). Where others changed a holding since, only the supplier's own
lines are put back. Nothing is erased: an undo is a new version, and each outcome row is succeeded by one that says so.
Bibs are in reverting_bibs.py, holdings in reverting_holdings.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome
from schemas.register.catalogue import CatalogueRules
from schemas.register.senders import RECORD_KINDS
from schemas.warehouse.core import core_outcome, core_review
from schemas.warehouse.stage import stage_bib, stage_holding
from tasks.catalogue.outcomes import OutcomeRow, write_outcomes
from tasks.catalogue.reverting_bibs import merges_that_stay, revert_bibs
from tasks.catalogue.reverting_holdings import revert_holdings
from tasks.plans.revert import RevertReport
from tasks.plans.store import withdraw
from tasks.warehouse.ledger import delivery, set_state

REVERTED = "reverted"
NOTHING = RevertReport(0)
_LOADED = (DeliveryState.LOADED, DeliveryState.SETTLED, DeliveryState.MATCHED)
_NOT_LOADED = (DeliveryState.STAGED, DeliveryState.HELD, DeliveryState.MATCHED)


@dataclass(frozen=True)
class DeliveryReverted:
    """What the undo of a delivery did, bibs and holdings apart; `libraries` are the sigels that have to be told."""

    delivery_id: int
    was_reverted: bool = False
    bibs: RevertReport = NOTHING
    holdings: RevertReport = NOTHING
    reviews: int = 0
    libraries: tuple[str, ...] = ()


def revert_delivery(connection: Connection, delivery_id: int, rules: CatalogueRules, now: datetime) -> DeliveryReverted:
    """Undo a delivery, inside the caller's transaction and catalogue lock. A second call reports and does nothing.

    A delivery that a guard, the gate or a fault has stopped half-way can be undone as well: what of it was never
    loaded is rejected. Raises `UsageError` for one that has not been read, or was rejected.
    """
    row = delivery(connection, delivery_id)
    if row.state == DeliveryState.REVERTED:
        return DeliveryReverted(delivery_id, was_reverted=True)
    if row.state not in (*_LOADED, *_NOT_LOADED):
        raise UsageError(
            f"delivery {delivery_id} is {row.state}: there is nothing to undo",
            remedy="only what was loaded, or is on its way there, can be reverted",
        )
    stay = merges_that_stay(connection, delivery_id, rules) if row.kind == "catalogue" else ()
    rows = _latest(connection, delivery_id)
    holdings, sigels = _undo_holdings(connection, row, [each for each in rows if each.record_type == "holding"], now)
    bibs = _undo_bibs(connection, row, [each for each in rows if each.record_type == "bib"], now)
    _reject_unloaded(connection, delivery_id, now)
    reviews = connection.execute(
        sa.update(core_review)
        .where(core_review.c.delivery_id == delivery_id, core_review.c.state == "open")
        .values(state="withdrawn", decided_at=now)
    ).rowcount
    withdraw(connection, delivery_id, "the delivery was reverted", now)
    set_state(connection, delivery_id, DeliveryState.REVERTED, reverted_at=now)
    return DeliveryReverted(
        delivery_id, bibs=bibs + RevertReport(0, stay), holdings=holdings, reviews=reviews, libraries=sigels
    )


def _latest(connection: Connection, delivery_id: int) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(core_outcome)
        .where(core_outcome.c.delivery_id == delivery_id, core_outcome.c.is_latest)
        .order_by(core_outcome.c.position, core_outcome.c.part)
    ).all()


def _undo_holdings(
    connection: Connection, row: sa.Row[Any], rows: Sequence[sa.Row[Any]], now: datetime
) -> tuple[RevertReport, tuple[str, ...]]:
    """Holdings back to what they were; also the libraries for which something changes."""
    owner = row.sender if row.kind in RECORD_KINDS else None
    open_rows = [each for each in rows if each.outcome not in (HoldingOutcome.REFUSED, HoldingOutcome.REJECTED)]
    changed = {each.holding_id for each in open_rows if each.version is not None}
    report = revert_holdings(connection, row.delivery_id, changed, owner, now)
    survived = {each.entity_id for each in report.survived}
    undone = [each for each in open_rows if each.version is None or each.holding_id not in survived]
    _succeed(connection, row.delivery_id, undone, HoldingOutcome.REJECTED, now)
    told = {each.sigel for each in open_rows if each.version is not None and each.sigel}
    return report, tuple(sorted(told))


def _undo_bibs(connection: Connection, row: sa.Row[Any], rows: Sequence[sa.Row[Any]], now: datetime) -> RevertReport:
    open_rows = [each for each in rows if each.outcome != BibOutcome.REJECTED]
    changed = {each.bib_id for each in open_rows if each.version is not None}
    report = revert_bibs(connection, row.delivery_id, changed, now)
    survived = {each.entity_id for each in report.survived}
    undone = [each for each in open_rows if each.version is None or each.bib_id not in survived]
    _succeed(connection, row.delivery_id, undone, BibOutcome.REJECTED, now)
    return report


def _succeed(
    connection: Connection, delivery_id: int, rows: Sequence[sa.Row[Any]], outcome: str, now: datetime
) -> None:
    outcomes = [
        OutcomeRow(
            row.position, row.part, row.record_type, outcome, REVERTED,
            f"the delivery was reverted (was: {row.outcome}, {row.reason})",
            sigel=row.sigel, bib_id=row.bib_id, holding_id=row.holding_id,
        )
        for row in rows
    ]  # fmt: skip
    write_outcomes(connection, delivery_id, outcomes, now, succeeds=True)


def _reject_unloaded(connection: Connection, delivery_id: int, now: datetime) -> None:
    """Records that were staged and never loaded: they are rejected, so that the delivery adds up."""
    reason = "the delivery was reverted before it was loaded"

    def without_outcome(table: sa.Table, part: Any) -> sa.ColumnElement[bool]:
        there = sa.exists().where(
            core_outcome.c.delivery_id == delivery_id, core_outcome.c.position == table.c.position,
            core_outcome.c.part == part,
        )  # fmt: skip
        return sa.and_(table.c.delivery_id == delivery_id, sa.not_(there))

    bibs = connection.execute(sa.select(stage_bib.c.position).where(without_outcome(stage_bib, 0))).scalars()
    outcomes = [OutcomeRow(each, 0, "bib", BibOutcome.REJECTED, REVERTED, reason) for each in bibs]
    holdings = connection.execute(
        sa.select(stage_holding.c.position, stage_holding.c.part, stage_holding.c.sigel).where(
            without_outcome(stage_holding, stage_holding.c.part)
        )
    )
    outcomes += [
        OutcomeRow(
            each.position, each.part, "holding", HoldingOutcome.REJECTED, REVERTED, reason, sigel=each.sigel or None
        )
        for each in holdings
    ]
    write_outcomes(connection, delivery_id, outcomes, now)
