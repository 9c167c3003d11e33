"""Who is erased by time: the erasable against whom nothing stands, planned and guarded per institution, then erased.

A class over its limit waits under the plan's hash, as every plan does; the next night, or the approval, carries it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.warehouse.patrons import core_patron, core_patron_change, core_patron_obligation
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.guards import PlanGround, PlannedChange, guard_plan
from tasks.plans.plan import GuardedClass, digest_of, plan_hash
from tasks.plans.store import decision, hold, mark_applied, supersede
from tasks.privacy.erasing import Erased, Erasing, erase, total, what_stands_against
from tasks.privacy.places import known_person
from tasks.salt import shown_id
from tasks.warehouse.engine import Warehouse

FLOW: Final = "patron-retention"
CLASS: Final = "erase"
MOST: Final = 2_000
"""Persons of an institution that a run erases, in one transaction: an approved plan is done or not done."""


@dataclass(frozen=True)
class ErasedTonight:
    """What a run erased, and what waits."""

    counts: Counter[str]
    erased: tuple[Erased, ...] = ()
    held: tuple[str, ...] = ()
    """Reasons, in words."""


def erase_due(warehouse: Warehouse, erasing: Erasing, only_plan: str | None = None) -> ErasedTonight:
    """Erase everybody who is erasable and against whom nothing stands, an institution a transaction.

    `only_plan`: nothing but what was approved under this hash.
    """
    found: list[ErasedTonight] = []
    for institution in _institutions(warehouse):
        with warehouse.write(PATRONS_LOCK) as connection:
            found.append(_erase_at(connection, institution, erasing, only_plan))
    return ErasedTonight(
        sum((each.counts for each in found), Counter()),
        tuple(one for each in found for one in each.erased),
        tuple(one for each in found for one in each.held),
    )


def _institutions(warehouse: Warehouse) -> list[str]:
    with warehouse.read() as connection:
        return list(
            connection.execute(
                sa.select(core_patron.c.institution)
                .where(core_patron.c.state == "erasable")
                .distinct()
                .order_by(core_patron.c.institution)
            ).scalars()
        )


def _erase_at(connection: Connection, institution: str, erasing: Erasing, only_plan: str | None) -> ErasedTonight:
    counts: Counter[str] = Counter()
    persons = _without_obstacles(connection, institution, erasing, counts)
    if not persons:
        if only_plan is None:
            supersede(connection, FLOW, [institution], now=erasing.now)
        return ErasedTonight(counts)
    guarded = _guarded(connection, institution, persons, erasing)
    plan = plan_hash([guarded.planned])
    if only_plan is not None and plan != only_plan:
        return ErasedTonight(counts)
    under = None
    if guarded.is_held:
        if decision(connection, plan, CLASS) != PlanState.APPROVED:
            hold(connection, plan, [guarded], delivery_id=None, run_id=erasing.run_id, now=erasing.now)
            return ErasedTonight(counts + Counter(held=len(persons)), (), (guarded.reason,))
        under = plan
    supersede(connection, FLOW, [institution], now=erasing.now, keep=under)
    done = tuple(erase(connection, each, replace(erasing, plan_hash=under)) for each in persons)
    if under is not None:
        mark_applied(connection, under, CLASS)
    return ErasedTonight(counts + total(done), done)


def _without_obstacles(
    connection: Connection, institution: str, erasing: Erasing, counts: Counter[str]
) -> Sequence[int]:
    person, debt = core_patron, core_patron_obligation
    since = erasing.as_of - timedelta(hours=erasing.register.patron_policy.erasure.obligations_hours)
    chosen = (
        sa.select(person.c.person_id)
        .join(debt, debt.c.person_id == person.c.person_id)
        .where(
            person.c.institution == institution,
            person.c.state == "erasable",
            person.c.merged_into.is_(None),
            debt.c.as_of >= since,
            debt.c.loans + debt.c.requests + debt.c.on_hold_shelf + debt.c.staff_roles == 0,
        )
        .order_by(person.c.primary_key)
        .limit(MOST)
    )
    free = []
    for person_id in connection.execute(chosen).scalars().all():
        known = known_person(connection, person_id)
        against = what_stands_against(connection, known, erasing.register, erasing.as_of, is_asked_for=False)
        counts["kept"] += bool(against)
        if not against:
            free.append(person_id)
    return free


def _guarded(connection: Connection, institution: str, persons: Sequence[int], erasing: Erasing) -> GuardedClass:
    """The one class of the plan, measured by the persons of the institution; what it says of whom is a keyed hash."""
    person = core_patron
    population = connection.execute(
        sa.select(sa.func.count()).where(
            person.c.institution == institution, person.c.merged_into.is_(None), person.c.state != "erased"
        )
    ).scalar_one()
    keys = connection.execute(sa.select(person.c.primary_key).where(person.c.person_id.in_(persons))).scalars()
    digest = digest_of(shown_id(erasing.salt, institution, each) for each in keys)
    guards = erasing.register.patron_policy.guards
    before = _unasked_before(connection, institution, erasing.now, guards.limit_of("erase").sum_days)
    change = PlannedChange("erase", len(persons), before, digest)
    (said,) = guard_plan([change], PlanGround("", institution, erasing.day, population), guards)
    return replace(said, planned=replace(said.planned, flow=FLOW, scope=institution))


def _unasked_before(connection: Connection, institution: str, now: datetime, days: int) -> int:
    change = core_patron_change
    return connection.execute(
        sa.select(sa.func.count()).where(
            change.c.institution == institution,
            change.c["class"] == "erase",
            change.c.decision == "applied",
            change.c.plan_hash.is_(None),
            change.c.changed_at > now - timedelta(days=days),
        )
    ).scalar_one()
