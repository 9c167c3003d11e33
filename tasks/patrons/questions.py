"""What waits for a person in the patron sync: values that staff edited or protected and a source says anew, and rows
that fit several persons or nobody surely.

A question is about one value of a person (its number is that of the row of core_patron_change) or about one row of a
file (DELIVERY:RECORD). It is open until a decision about it is a row, or until the next file has answered it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.warehouse.patrons import core_patron, core_patron_change, raw_patron_file, raw_patron_reject
from schemas.warehouse.raw import raw_delivery

PLACED_BY_STAFF: Final = frozenset(
    {"several_by_source_id", "several_by_search", "other_has_source_id", "taken", "resting"}
)
"""Rules of rows of whom staff can say who they are; all others are the sender's to correct."""
Shown = Callable[[str, str], str]
"""(institution, key of a primary id) -> what is shown in place of the id."""


@dataclass(frozen=True)
class ValueQuestion:
    """A value of a person that stayed as it is, although a source says something new."""

    number: int
    institution: str
    person: str = field(repr=False)
    """A keyed hash of the primary id."""
    path: str
    item_type: str
    rule: str
    reason: str
    source: str
    asked_on: date


@dataclass(frozen=True)
class RowQuestion:
    """A row of the source's latest file that nobody could be placed by."""

    number: str
    institution: str
    source: str
    file: str
    record_no: int
    line: int | None
    rule: str
    reason: str
    remedy: str
    asked_on: date
    is_for_staff: bool
    """Staff can say whom it is about; else the sender has to correct the row."""


def value_questions(
    connection: Connection, shown: Shown, institution: str | None = None, number: int | None = None
) -> list[ValueQuestion]:
    """Open questions about values, by institution and age."""
    asked, later, person = core_patron_change, core_patron_change.alias("later"), core_patron
    is_answered = sa.exists().where(
        later.c.person_id == asked.c.person_id,
        later.c.path == asked.c.path,
        later.c.change_id > asked.c.change_id,
        later.c.reverted_at.is_(None),
        sa.or_(
            later.c.decision == "applied", sa.and_(later.c.decision == "review", later.c.item_type == asked.c.item_type)
        ),
    )
    chosen = (
        sa.select(asked, person.c.primary_key)
        .join(person, person.c.person_id == asked.c.person_id)
        .where(
            asked.c.decision == "review",
            asked.c.reverted_at.is_(None),
            person.c.state != "erased",
            person.c.merged_into.is_(None),
            sa.not_(is_answered),
        )
        .order_by(asked.c.institution, asked.c.change_id)
    )
    if institution is not None:
        chosen = chosen.where(asked.c.institution == institution)
    if number is not None:
        chosen = chosen.where(asked.c.change_id == number)
    return [
        ValueQuestion(
            row.change_id,
            row.institution,
            shown(row.institution, row.primary_key),
            row.path,
            row.item_type,
            row.rule,
            row.reason,
            row.source,
            row.changed_at.date(),
        )
        for row in connection.execute(chosen)
    ]


def row_questions(connection: Connection, institution: str | None = None) -> list[RowQuestion]:
    """Rows of the latest used file of each source that could not be placed and are not decided, by file and row."""
    file, row = raw_patron_file, raw_patron_reject
    latest = (
        sa.select(file.c.source, sa.func.max(file.c.business_date).label("day"))
        .join(raw_delivery, raw_delivery.c.delivery_id == file.c.delivery_id)
        .where(file.c.is_used, raw_delivery.c.state != DeliveryState.REVERTED, sa.not_(raw_delivery.c.is_preview))
        .group_by(file.c.source)
        .subquery()
    )
    chosen = (
        sa.select(row, file.c.institution, file.c.source, file.c.business_date, raw_delivery.c.name)
        .join(file, file.c.delivery_id == row.c.delivery_id)
        .join(latest, sa.and_(latest.c.source == file.c.source, latest.c.day == file.c.business_date))
        .join(raw_delivery, raw_delivery.c.delivery_id == row.c.delivery_id)
        .where(row.c.kind == "quarantined", file.c.is_used)
        .order_by(file.c.institution, row.c.delivery_id, row.c.record_no)
    )
    if institution is not None:
        chosen = chosen.where(file.c.institution == institution)
    decided = set(
        connection.execute(
            sa.select(core_patron_change.c.run_id).where(core_patron_change.c.run_id.startswith(_RUN)).distinct()
        ).scalars()
    )
    return [each for each in map(_row_question, connection.execute(chosen)) if run_id_of(each.number) not in decided]


_RUN: Final = "review-"


def run_id_of(number: str | int) -> str:
    """The run id that a decision about this question bears."""
    return f"{_RUN}{number}"


def _row_question(row: sa.Row[Any]) -> RowQuestion:
    return RowQuestion(
        f"{row.delivery_id}:{row.record_no}",
        row.institution,
        row.source,
        row.name,
        row.record_no,
        row.line,
        row.rule,
        row.cause,
        row.remedy or "",
        row.business_date,
        row.rule in PLACED_BY_STAFF,
    )
