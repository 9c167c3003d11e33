"""Rows of `core_outcome`: what became of each record. A later decision succeeds an earlier row, never overwrites it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_outcome
from tasks.warehouse.bulk import bulk_insert, id_set, position_set


class OutcomeRow(NamedTuple):
    """One outcome. `version` is that of the bib or holding it made; None where nothing changed."""

    position: int
    part: int
    record_type: str
    outcome: str
    rule: str
    reason: str
    sigel: str | None = None
    bib_id: int | None = None
    holding_id: int | None = None
    version: int | None = None


OUTCOME_COLUMNS = (*OutcomeRow._fields, "seq")


def write_outcomes(
    connection: Connection, delivery_id: int, rows: Sequence[OutcomeRow], now: datetime, *, succeeds: bool = False
) -> None:
    """Store outcomes; `succeeds` says that earlier rows of the same records may be there, which these succeed."""
    if not rows:
        return
    seqs = _close_earlier(connection, delivery_id, rows) if succeeds else {}
    bulk_insert(
        connection,
        core_outcome,
        OUTCOME_COLUMNS,
        [(*row, seqs.get((row.position, row.part), 0) + 1) for row in rows],
        {"delivery_id": delivery_id, "is_latest": True, "decided_at": now},
    )


def write_created_bibs(
    connection: Connection, pairs: sa.CTE, others: Collection[int], rule: str, reason: str, now: datetime
) -> None:
    """The first outcomes of new bibs in one statement; `pairs` has delivery_id, position, bib_id; not for `others`."""
    shared = {
        "part": 0, "seq": 1, "is_latest": True, "record_type": "bib", "outcome": "created", "rule": rule,
        "reason": reason, "version": 1, "decided_at": now,
    }  # fmt: skip
    rows = sa.select(
        pairs.c.delivery_id, pairs.c.position, pairs.c.bib_id,
        *(sa.literal(value, core_outcome.c[name].type) for name, value in shared.items()),
    )  # fmt: skip
    if others:
        rows = rows.where(pairs.c.position.not_in(sa.select(id_set(connection, others).c.value)))
    connection.execute(sa.insert(core_outcome).from_select(["delivery_id", "position", "bib_id", *shared], rows))


def _same_place(wanted: sa.CTE) -> sa.ColumnElement[bool]:
    return sa.and_(wanted.c.delivery_id == core_outcome.c.delivery_id, wanted.c.value == core_outcome.c.position)


def _close_earlier(connection: Connection, delivery_id: int, rows: Sequence[OutcomeRow]) -> dict[tuple[int, int], int]:
    """Mark the earlier rows of these records as succeeded; returns their highest seq by (position, part)."""
    wanted = position_set(connection, delivery_id, {row.position for row in rows})
    found = connection.execute(
        sa.select(core_outcome.c.position, core_outcome.c.part, sa.func.max(core_outcome.c.seq))
        .join(wanted, _same_place(wanted))
        .group_by(core_outcome.c.position, core_outcome.c.part)
    )
    mine = {(row.position, row.part) for row in rows}
    seqs = {(position, part): seq for position, part, seq in found if (position, part) in mine}
    for part in {part for _position, part in seqs}:
        positions = id_set(connection, [position for position, each in seqs if each == part])
        connection.execute(
            sa.update(core_outcome)
            .where(
                core_outcome.c.delivery_id == delivery_id,
                core_outcome.c.part == part,
                core_outcome.c.is_latest,
                core_outcome.c.position.in_(sa.select(positions.c.value)),
            )
            .values(is_latest=sa.false())
        )
    return seqs


def latest_bib_outcomes(connection: Connection, delivery_id: int, positions: Collection[int]) -> dict[int, sa.Row[Any]]:
    """The latest outcome of the bibs at `positions`: outcome, rule, bib_id."""
    wanted = position_set(connection, delivery_id, positions)
    rows = connection.execute(
        sa.select(core_outcome.c.position, core_outcome.c.outcome, core_outcome.c.rule, core_outcome.c.bib_id)
        .join(wanted, _same_place(wanted))
        .where(
            core_outcome.c.part == 0,
            core_outcome.c.record_type == "bib",
            core_outcome.c.is_latest,
        )
    )
    return {row.position: row for row in rows}


BibOutcomeFacts = tuple[str, str, str, int | None]
"""outcome, rule, reason, bib_id"""


def bib_outcomes(connection: Connection, delivery_id: int, positions: Collection[int]) -> dict[int, BibOutcomeFacts]:
    """The latest outcomes of the bibs at `positions`, which may lie close together or far apart."""
    if not positions:
        return {}
    each = core_outcome.c
    statement = sa.select(each.position, each.outcome, each.rule, each.reason, each.bib_id).where(
        each.delivery_id == delivery_id, each.part == 0, each.record_type == "bib", each.is_latest
    )
    first, last = min(positions), max(positions)
    if last - first < _SPREAD * len(positions):
        statement = statement.where(each.position.between(first, last))
    else:
        wanted = position_set(connection, delivery_id, positions)
        statement = statement.join(wanted, _same_place(wanted))
    return {position: tuple(facts) for position, *facts in connection.execute(statement).all()}


_SPREAD = 10
"""Reading so many rows on is as cheap as looking one up."""
