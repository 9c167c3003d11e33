"""What waits for a person, read from the warehouse: held plans with samples, reviews with their candidates. Read-only.

No personal data: titles, control numbers, libraries and reasons only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.register.register import Register
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_record
from tasks.notices.cases import review_cases
from tasks.notices.pair_cases import duplicate_cases, pairs_waiting
from tasks.notices.worklist import DuplicateCase, ReviewCase
from tasks.plans.store import SUPERSEDED_BY, class_column, held, show
from tasks.warehouse.bulk import id_set
from tasks.warehouse.overview import open_reviews

MOST_PLANS = 10
MOST_REVIEWS = 20
MOST_PAIRS = 10
"""As many as a person can overlook in one form; the others are asked the next time."""
IMPORT = "import"
"""The class of an import's plan, of which nothing is loaded either."""
SAMPLES = 5
HASH_SHOWN = 12


@dataclass(frozen=True)
class Sample:
    """A record that a held class is about: where it stands in its delivery, and what it is."""

    position: int
    control_number: str
    title: str
    library: str = ""


@dataclass(frozen=True)
class HeldClass:
    """A class of a held plan: so many of so many, over which limit, why, and some of its records."""

    plan_hash: str
    change_class: str
    planned: int
    population: int
    limit: float
    reason: str
    delivery_id: int | None
    delivery: str
    """Sender and file name."""
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """What one form asks, and how much more there is."""

    classes: tuple[HeldClass, ...] = ()
    cases: tuple[ReviewCase, ...] = ()
    further: int = 0
    decided: tuple[str, ...] = ()
    """What was decided elsewhere, where one plan was asked for, in words."""
    pairs: tuple[DuplicateCase, ...] = ()
    """Bibs of the catalogue that look like one."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self.classes and not self.cases and not self.pairs


def waiting(connection: Connection, register: Register, zone: ZoneInfo, plan_hash: str | None = None) -> Waiting:
    """Everything that waits, plans oldest first, reviews most urgent first; only this plan where one is named.

    Raises `UsageError` for a hash that names no plan.
    """
    rows = list(show(connection, plan_hash) if plan_hash else held(connection))
    decided = tuple(decided_already(row) for row in rows if row.state != PlanState.HELD)
    rows = [row for row in rows if row.state == PlanState.HELD]
    hashes = list(dict.fromkeys(row.plan_hash for row in rows))
    asked = [row for row in rows if row.plan_hash in hashes[:MOST_PLANS]]
    further = len(hashes[MOST_PLANS:])
    cases: tuple[ReviewCase, ...] = ()
    pairs: tuple[DuplicateCase, ...] = ()
    if plan_hash is None:
        ids = [each.review_id for each in open_reviews(connection)]
        cases = review_cases(connection, register, zone, ids[:MOST_REVIEWS])
        pairs = duplicate_cases(connection, zone, most=MOST_PAIRS)
        further += len(ids[MOST_REVIEWS:]) + pairs_waiting(connection) - len(pairs)
    return Waiting(_classes(connection, asked), cases, further, decided, pairs)


def decided_already(row: sa.Row[Any]) -> str:
    """Who decided a class of a plan, and how, in words."""
    what = f"{row._mapping[class_column]} of plan {row.plan_hash[:HASH_SHOWN]}"
    if row.decided_by == SUPERSEDED_BY:
        return f"{what} is out of date: {row.reason}"
    return f"{what} was decided already: {row.state} by {row.decided_by} on {row.decided_at:%Y-%m-%d %H:%M} UTC"


def _classes(connection: Connection, rows: Collection[sa.Row[Any]]) -> tuple[HeldClass, ...]:
    wanted = id_set(connection, {row.delivery_id for row in rows if row.delivery_id is not None})
    names = {
        row.delivery_id: f"{row.sender}, {row.name}"
        for row in connection.execute(
            sa.select(raw_delivery.c.delivery_id, raw_delivery.c.sender, raw_delivery.c.name).join(
                wanted, wanted.c.value == raw_delivery.c.delivery_id
            )
        )
    }
    return tuple(
        HeldClass(
            plan_hash=row.plan_hash,
            change_class=row._mapping[class_column],
            planned=row.planned,
            population=row.population,
            limit=row.limit,
            reason=row.reason,
            delivery_id=row.delivery_id,
            delivery=names.get(row.delivery_id, row.scope),
            samples=_samples(connection, row.delivery_id, row._mapping[class_column]) if row.delivery_id else (),
        )
        for row in rows
    )


def _samples(connection: Connection, delivery_id: int, change_class: str) -> tuple[Sample, ...]:
    """Records that wait for this class; of a delivery of which nothing is loaded, its first ones."""
    place = (raw_record.c.position, raw_record.c.supplier_control_number, raw_record.c.title)
    mine = raw_record.c.delivery_id == delivery_id
    if change_class.startswith("quality:") or change_class == IMPORT:
        statement = sa.select(*place, sa.literal("")).where(mine, raw_record.c.title.is_not(None))
    else:
        outcome = sa.and_(
            core_outcome.c.delivery_id == raw_record.c.delivery_id,
            core_outcome.c.position == raw_record.c.position,
            core_outcome.c.is_latest,
            core_outcome.c.rule == f"guard:{change_class}",
        )
        statement = sa.select(*place, core_outcome.c.sigel).join(core_outcome, outcome).where(mine)
    rows = connection.execute(statement.order_by(raw_record.c.position).limit(SAMPLES))
    return tuple(Sample(row[0], row[1] or "", row[2] or "", row[3] or "") for row in rows)
