"""Nights of fictional persons on a warehouse: rows are placed, planned and stored as the flow does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy.engine import Connection

from schemas.patrons import IncomingPerson
from tasks.patrons.lookups import Placed, place
from tasks.patrons.occasion import Occasion, PlannedPerson
from tasks.patrons.person_plan import plan_person
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import Saved, load_records, save_plans

SALT = b"salt of the tests, 16 or more"


def at(day: date) -> datetime:
    """The moment of a night."""
    return datetime.combine(day, time(3), UTC)


def placed(connection: Connection, rows: Sequence[IncomingPerson], on: Occasion) -> list[Placed]:
    """Whom the rows are about."""
    return place(connection, on.institution, on.code, rows, on.policy, on.day, SALT)


def planned(connection: Connection, rows: Sequence[IncomingPerson], on: Occasion) -> list[PlannedPerson]:
    """The plan of each row that can be placed."""
    where = placed(connection, rows, on)
    records = load_records(connection, {each.person_id for each in where if each.person_id is not None})
    return [
        plan_person(records[one.person_id] if one.person_id is not None else None, each, on, rekey=one.rekey)
        for each, one in zip(rows, where, strict=True)
        if not one.is_quarantined
    ]


def save(
    connection: Connection,
    plans: Sequence[PlannedPerson],
    on: Occasion,
    run_id: str = "run",
    delivery_id: int | None = 1,
) -> Saved:
    """Store plans at the moment of their night."""
    return save_plans(
        connection,
        plans,
        run_id=run_id,
        delivery_id=delivery_id,
        now=at(on.day),
        day=on.day,
        policy_version=on.policy.version,
    )


def night(
    connection: Connection, rows: Sequence[IncomingPerson], on: Occasion, run_id: str = "run", delivery_id: int = 1
) -> Saved:
    """A whole night of some rows."""
    return save(connection, planned(connection, rows, on), on, run_id, delivery_id)


def person(connection: Connection, person_id: int | None) -> PersonRecord:
    """One person as they are stored."""
    assert person_id is not None
    return load_records(connection, [person_id])[person_id]
