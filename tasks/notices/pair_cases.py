"""Pairs of bibs that look like one, read for the worklist: both records, the evidence, and who holds them."""

from __future__ import annotations

import json
from collections.abc import Collection
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import Verdict
from schemas.warehouse.core import core_bib, core_holding
from schemas.warehouse.merging import core_duplicate
from tasks.catalogue.duplicates import OPEN
from tasks.marc.encode import decode
from tasks.matching.judging import bib_content
from tasks.notices.cards import record_card
from tasks.notices.wording import Reason
from tasks.notices.worklist import Candidate, DuplicateCase, evidence_from
from tasks.warehouse.bulk import id_set


def duplicate_cases(
    connection: Connection, zone: ZoneInfo, *, most: int, duplicate_ids: Collection[int] | None = None
) -> tuple[DuplicateCase, ...]:
    """Pairs that wait for a cataloguer, the most alike first, `most` at most; or those of `duplicate_ids`.

    `zone` is the consortium's time zone: the day on which a pair was found is told in it.
    """
    pair = core_duplicate.c
    statement = sa.select(core_duplicate).order_by(pair.verdict, pair.score.desc(), pair.duplicate_id).limit(most)
    if duplicate_ids is None:
        statement = statement.where(pair.state == OPEN)
    else:
        wanted = id_set(connection, duplicate_ids)
        statement = statement.where(pair.duplicate_id.in_(sa.select(wanted.c.value)))
    rows = connection.execute(statement).all()
    bib_ids = {bib_id for row in rows for bib_id in (row.first_id, row.second_id)}
    records = connection.execute(bib_content(id_set(connection, bib_ids)))
    cards = {bib_id: record_card(decode(bytes(content))) for bib_id, content in records}
    numbers, held = _control_numbers(connection, bib_ids), _held(connection, bib_ids)
    return tuple(
        DuplicateCase(
            duplicate_id=row.duplicate_id,
            bib_id=row.second_id,
            control_number=numbers[row.second_id],
            incoming=cards[row.second_id],
            candidate=Candidate(
                bib_id=row.first_id,
                control_number=numbers[row.first_id],
                card=cards[row.first_id],
                score=row.score,
                verdict=Verdict(row.verdict),
                evidence=evidence_from(json.loads(row.evidence)),
            ),
            reason=Reason(row.rule, row.reason),
            owner=row.owner,
            found_on=row.found_at.astimezone(zone).date(),
            held=held.get(row.second_id, ()),
            held_candidate=held.get(row.first_id, ()),
        )
        for row in rows
    )


def pairs_waiting(connection: Connection) -> int:
    """How many pairs wait for a cataloguer."""
    waiting = sa.select(sa.func.count()).select_from(core_duplicate).where(core_duplicate.c.state == OPEN)
    return int(connection.execute(waiting).scalar_one())


def _control_numbers(connection: Connection, bib_ids: Collection[int]) -> dict[int, str]:
    wanted = id_set(connection, bib_ids)
    rows = sa.select(core_bib.c.bib_id, core_bib.c.control_number).join(wanted, wanted.c.value == core_bib.c.bib_id)
    return {row.bib_id: row.control_number for row in connection.execute(rows)}


def _held(connection: Connection, bib_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Sigels of the libraries that hold each bib."""
    wanted = id_set(connection, bib_ids)
    rows = connection.execute(
        sa.select(core_holding.c.bib_id, core_holding.c.sigel)
        .join(wanted, wanted.c.value == core_holding.c.bib_id)
        .where(sa.not_(core_holding.c.is_deleted))
        .order_by(core_holding.c.bib_id, core_holding.c.sigel)
    )
    found: dict[int, tuple[str, ...]] = {}
    for bib_id, sigel in rows:
        found[bib_id] = (*found.get(bib_id, ()), sigel)
    return found
