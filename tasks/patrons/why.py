"""Why a person is as they are: every decision about them, with the rule, who spoke, and the file it came from.

For who may see the person. A person is named INSTITUTION/ID.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.patrons import core_patron_change
from schemas.warehouse.raw import raw_delivery
from tasks.patrons.desk import find_person
from tasks.patrons.occasion import Occasion
from tasks.patrons.shown import ShownPerson, show_person

SEPARATOR: Final = "/"


@dataclass(frozen=True)
class Decided:
    """One decision about a person."""

    changed_at: datetime
    path: str
    item_type: str
    rule: str
    decision: str
    reason: str
    source: str
    change_class: str
    plan_hash: str | None
    version: int | None
    run_id: str
    delivery_id: int | None
    file: str | None
    business_date: date | None
    reverted_at: datetime | None
    old: Any = field(repr=False)
    """None where it was not there, or is forgotten by now."""
    new: Any = field(repr=False)


@dataclass(frozen=True)
class PatronExplanation:
    """A person, and how they came to be so; the oldest decision first."""

    person: ShownPerson = field(repr=False)
    decisions: tuple[Decided, ...] = field(repr=False)


def named(text: str) -> tuple[str, str]:
    """INSTITUTION/ID as (institution, id). Raises `UsageError` for another form."""
    institution, separator, person = text.partition(SEPARATOR)
    if not separator or not institution.strip() or not person.strip():
        raise UsageError("a person is named INSTITUTION/ID", field="ID", remedy="as NORU/u1234@nordhavet.example")
    return institution.strip(), person.strip()


def why_patron(connection: Connection, institution: str, text: str, occasion: Occasion) -> PatronExplanation:
    """The explanation of a person. Raises `UsageError` for nobody."""
    person_id = find_person(connection, institution, text, occasion.day)
    change, file = core_patron_change, raw_delivery
    rows = connection.execute(
        sa.select(change, file.c.name.label("file"), file.c.business_date)
        .outerjoin(file, file.c.delivery_id == change.c.delivery_id)
        .where(change.c.person_id == person_id)
        .order_by(change.c.change_id)
    )
    decisions = tuple(_decided(row) for row in rows)
    return PatronExplanation(show_person(connection, person_id, occasion), decisions)


def _decided(row: sa.Row[Any]) -> Decided:
    return Decided(
        *(row.changed_at, row.path, row.item_type, row.rule, row.decision, row.reason, row.source),
        *(row._mapping["class"], row.plan_hash, row.version, row.run_id, row.delivery_id, row.file),
        *(row.business_date, row.reverted_at),
        None if row.old is None else orjson.loads(row.old),
        None if row.new is None else orjson.loads(row.new),
    )
