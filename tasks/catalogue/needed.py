"""Which of a delivery's working set must stay when it is settled, because a person has still to decide about it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import HoldingOutcome
from schemas.warehouse.core import core_outcome, core_review
from schemas.warehouse.stage import stage_holding
from tasks.warehouse.bulk import id_set


def still_needed(delivery_id: int) -> sa.Select[tuple[int]]:
    """Positions of bibs whose working set must stay: in review, or with something that a guard holds."""
    return sa.select(_needed(lambda column: column == delivery_id).c.position)


def with_needed(connection: Connection, delivery_ids: Collection[int]) -> frozenset[int]:
    """Those of the deliveries that have a bib whose working set must stay."""
    wanted = sa.select(id_set(connection, delivery_ids).c.value)
    needed = _needed(lambda column: column.in_(wanted))
    return frozenset(connection.execute(sa.select(needed.c.delivery_id).distinct()).scalars())


def _needed(of: Callable[[sa.Column[Any]], sa.ColumnElement[bool]]) -> sa.Subquery:
    waiting_holdings = (
        sa.select(stage_holding.c.delivery_id, stage_holding.c.bib_position.label("position"))
        .join(
            core_outcome,
            sa.and_(
                core_outcome.c.delivery_id == stage_holding.c.delivery_id,
                core_outcome.c.position == stage_holding.c.position,
                core_outcome.c.part == stage_holding.c.part,
                core_outcome.c.record_type == "holding",
            ),
        )
        .where(
            of(stage_holding.c.delivery_id),
            stage_holding.c.bib_position.is_not(None),
            core_outcome.c.is_latest,
            sa.or_(core_outcome.c.outcome == HoldingOutcome.WAITING, core_outcome.c.rule.startswith("guard:")),
        )
    )
    waiting_bibs = sa.select(core_outcome.c.delivery_id, core_outcome.c.position).where(
        of(core_outcome.c.delivery_id),
        core_outcome.c.is_latest,
        core_outcome.c.record_type == "bib",
        sa.or_(core_outcome.c.outcome == "review", core_outcome.c.rule.startswith("guard:")),
    )
    # A provisional bib's review is still open: the worklist shows the record as it came.
    open_reviews = sa.select(core_review.c.delivery_id, core_review.c.position).where(
        of(core_review.c.delivery_id), core_review.c.state == "open"
    )
    return sa.union(waiting_holdings, waiting_bibs, open_reviews).subquery("needed")
