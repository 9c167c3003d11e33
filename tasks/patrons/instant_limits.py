"""The guards over instant updates: each is one person, so what counts is what went unasked in the days before.

The limits are those of the nightly plan, counted together with what the nights did. A class whose limit is for each
run alone (create, group_change) has no run here: it is added up over a day, over instant updates alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.patron_limits import PATRON_CHANGES, PatronChange, PatronGuards
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_sources import PatronSource
from schemas.warehouse.patrons import core_patron, core_patron_change, core_patron_source
from tasks.patrons.guards import PlanGround, PlannedChange, guard_plan
from tasks.plans.plan import GuardedClass

FLOW: Final = "patron-update"
ALONE_DAYS: Final = 1
"""Days over which a class is added up whose limit is for each run alone."""
POPULATION_SECONDS: Final = 60.0
"""How long a count of persons is used: limits are shares of it, and it moves slowly."""


@dataclass(frozen=True)
class InstantGround:
    """By what instant updates are planned on a day."""

    policy: PatronPolicy
    own_ranks: Mapping[str, Mapping[str, int]]
    """Institution: precedence of its sources, by code."""
    day: date
    salt: bytes | None


class Populations:
    """Persons by source, counted now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counted: dict[str, tuple[float, int]] = {}

    def of(self, connection: Connection, source: str) -> int:
        """Persons whom the source has, at most a minute ago."""
        known = self._counted.get(source)
        if known is None or self._clock() - known[0] > POPULATION_SECONDS:
            known = self._clock(), population(connection, source)
            self._counted[source] = known
        return known[1]


def population(connection: Connection, source: str) -> int:
    """Persons whom the source has; those who are gone do not count."""
    return connection.execute(
        sa.select(sa.func.count())
        .select_from(core_patron_source)
        .join(core_patron, core_patron.c.person_id == core_patron_source.c.person_id)
        .where(
            core_patron_source.c.source == source,
            core_patron_source.c.left_on.is_(None),
            core_patron.c.merged_into.is_(None),
            core_patron.c.state.not_in(["inactive", "erasable", "erased"]),
        )
    ).scalar_one()


def guarded_classes(
    connection: Connection,
    classes: Iterable[PatronChange],
    source: PatronSource,
    ground: InstantGround,
    persons: Populations,
    now: datetime,
    besides: Mapping[PatronChange, int] | None = None,
) -> list[GuardedClass]:
    """What the guards say about one more person in each of these classes; nothing is asked where there is none.

    `besides`: persons by class who are let through along with this one, and not stored yet.
    """
    wanted = [each for each in PATRON_CHANGES if each in frozenset(classes)]
    if not wanted:
        return []
    guards = instant_guards(ground.policy.guards)
    changes = [
        PlannedChange(
            each,
            1,
            _unasked_before(connection, each, source, ground.policy.guards, now) + (besides or {}).get(each, 0),
        )
        for each in wanted
    ]
    measured = PlanGround(source.code, source.institution, ground.day, persons.of(connection, source.code))
    return [replace(each, planned=replace(each.planned, flow=FLOW)) for each in guard_plan(changes, measured, guards)]


def instant_guards(guards: PatronGuards) -> PatronGuards:
    """The limits with a window for each: those for each run alone are for a day."""
    limits = {
        change: limit if limit.sum_days else limit.model_copy(update={"sum_days": ALONE_DAYS})
        for change in PATRON_CHANGES
        for limit in (guards.limit_of(change),)
    }
    return guards.model_copy(update={"limits": limits})


def _unasked_before(
    connection: Connection, change_class: PatronChange, source: PatronSource, guards: PatronGuards, now: datetime
) -> int:
    """Persons to whom this was done unasked in its window."""
    change = core_patron_change
    days = guards.limit_of(change_class).sum_days
    chosen = sa.select(sa.func.count(sa.distinct(change.c.person_id))).where(
        change.c.institution == source.institution,
        change.c["class"] == change_class,
        change.c.changed_at > now - timedelta(days=days or ALONE_DAYS),
        change.c.decision == "applied",
        change.c.plan_hash.is_(None),
        change.c.reverted_at.is_(None),
        change.c.source.in_([source.code, ""]),
    )
    if not days:
        chosen = chosen.where(change.c.delivery_id.is_(None))
    return connection.execute(chosen).scalar_one()
