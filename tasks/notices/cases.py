"""Review cases read from the warehouse: the delivered bib beside its candidates, with evidence and who waits.

What belongs here is the way from rows to `ReviewCase`; worklist.py makes an e-mail, a page or a CSV of them, and
`samkat review show` prints one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import HoldingOutcome, Verdict
from schemas.register.register import Register
from schemas.warehouse.core import core_bib, core_match, core_outcome, core_review
from schemas.warehouse.raw import raw_delivery, raw_record, record_taken
from schemas.warehouse.stage import stage_holding_line
from tasks.catalogue.stock import of_collections
from tasks.marc.encode import decode
from tasks.matching.judging import bib_content
from tasks.notices.cards import RecordCard, record_card
from tasks.notices.wording import Reason
from tasks.notices.worklist import Candidate, ReviewCase, WaitingHolding, evidence_from
from tasks.warehouse.bulk import id_set

Place = tuple[int, int]
"""(delivery_id, position of the bib)"""


def review_cases(
    connection: Connection, register: Register, zone: ZoneInfo, review_ids: Collection[int] | None = None
) -> tuple[ReviewCase, ...]:
    """Open reviews as cases, the most urgent first; those of `review_ids`, decided or not, where given.

    `zone` is the consortium's time zone: the day on which a review was opened is told in it.
    """
    rows = _reviews(connection, review_ids)
    deliveries = {row.delivery_id for row in rows}
    candidates = _candidates(connection, {(row.delivery_id, row.position) for row in rows})
    waiting = _waiting(connection, register, deliveries)
    return tuple(
        ReviewCase(
            review_id=row.review_id,
            supplier_name=_supplier_name(register, row.sender),
            file_name=row.name,
            position=row.position,
            incoming=record_card(decode(bytes(row.content))),
            candidates=tuple(candidates[row.delivery_id, row.position]),
            reason=Reason(row.rule, row.reason),
            owner=row.owner,
            opened_on=row.opened_at.astimezone(zone).date(),
            due_on=row.due_on,
            waiting=tuple(waiting[row.delivery_id, row.position]),
            is_provisional=row.provisional_bib_id is not None,
        )
        for row in rows
    )


def _reviews(connection: Connection, review_ids: Collection[int] | None) -> list[sa.Row[Any]]:
    statement = (
        sa.select(
            core_review,
            raw_delivery.c.sender,
            raw_delivery.c.name,
            record_taken.label("content"),
        )
        .join(raw_delivery, raw_delivery.c.delivery_id == core_review.c.delivery_id)
        .join(raw_record, _same_place(raw_record))
        .order_by(core_review.c.due_on, core_review.c.review_id)
    )
    if review_ids is None:
        # Those of joining libraries have a list of their own, with their results (tasks/collections).
        is_open = sa.and_(core_review.c.state == "open", core_review.c.delivery_id.not_in(of_collections()))
        return list(connection.execute(statement.where(is_open)))
    wanted = id_set(connection, review_ids)
    return list(connection.execute(statement.where(core_review.c.review_id.in_(sa.select(wanted.c.value)))))


def _same_place(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.delivery_id == core_review.c.delivery_id, table.c.position == core_review.c.position)


def _candidates(connection: Connection, places: Collection[Place]) -> dict[Place, list[Candidate]]:
    found: dict[Place, list[Candidate]] = defaultdict(list)
    wanted = id_set(connection, {delivery_id for delivery_id, _ in places})
    rows = [
        row
        for row in connection.execute(
            sa.select(core_match, core_bib.c.control_number)
            .join(wanted, wanted.c.value == core_match.c.delivery_id)
            .join(core_review, _same_place(core_match))
            .join(core_bib, core_bib.c.bib_id == core_match.c.bib_id)
            .order_by(core_match.c.score.desc(), core_match.c.bib_id)
        )
        if (row.delivery_id, row.position) in places
    ]
    cards = _cards(connection, {row.bib_id for row in rows})
    for row in rows:
        found[row.delivery_id, row.position].append(
            Candidate(
                bib_id=row.bib_id,
                control_number=row.control_number,
                card=cards[row.bib_id],
                score=row.score,
                verdict=Verdict(row.verdict),
                evidence=evidence_from(json.loads(row.evidence)),
            )
        )
    return found


def _cards(connection: Connection, bib_ids: Collection[int]) -> dict[int, RecordCard]:
    """Bibs of the catalogue as cards, as they are now."""
    rows = connection.execute(bib_content(id_set(connection, bib_ids)))
    return {bib_id: record_card(decode(bytes(content))) for bib_id, content in rows}


def _waiting(
    connection: Connection, register: Register, delivery_ids: Collection[int]
) -> dict[Place, list[WaitingHolding]]:
    """Libraries whose books wait, by the place of the bib."""
    wanted = id_set(connection, delivery_ids)
    first_line = sa.and_(
        stage_holding_line.c.delivery_id == core_outcome.c.delivery_id,
        stage_holding_line.c.position == core_outcome.c.position,
        stage_holding_line.c.part == core_outcome.c.part,
        stage_holding_line.c.line_no == 1,
    )
    piece = sa.and_(
        raw_record.c.delivery_id == core_outcome.c.delivery_id, raw_record.c.position == core_outcome.c.position
    )
    is_reviewed = sa.and_(
        core_review.c.delivery_id == raw_record.c.delivery_id, core_review.c.position == raw_record.c.bib_position
    )
    rows = connection.execute(
        sa.select(
            core_outcome.c.delivery_id,
            raw_record.c.bib_position,
            core_outcome.c.sigel,
            sa.func.coalesce(stage_holding_line.c.shelf_mark, ""),
        )
        .join(wanted, wanted.c.value == core_outcome.c.delivery_id)
        .join(raw_record, piece)
        .join(core_review, is_reviewed)
        .outerjoin(stage_holding_line, first_line)
        .where(core_outcome.c.outcome == HoldingOutcome.WAITING, core_outcome.c.is_latest)
        .order_by(core_outcome.c.delivery_id, core_outcome.c.position, core_outcome.c.part)
    )
    found: dict[Place, list[WaitingHolding]] = defaultdict(list)
    for delivery_id, position, sigel, shelf_mark in rows:
        library = register.library_by_sigel.get(sigel)
        found[delivery_id, position].append(WaitingHolding(sigel, library.name if library else sigel, shelf_mark))
    return found


def _supplier_name(register: Register, code: str) -> str:
    supplier = register.sender_by_code.get(code)
    return supplier.name if supplier else code
