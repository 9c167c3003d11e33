"""The guards over a patron plan: which classes of change go on, which wait for a person, in words.

Counted per source and institution. What a guard says has the form of all plans (tasks/plans), so that one mechanism
holds and decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from schemas.register.patron_limits import GuardRaise, PatronChange, PatronGuards
from tasks.plans.plan import GuardedClass, PlannedClass

FLOW = "patron-sync"
DONE: Mapping[PatronChange, str] = {
    "create": "created",
    "group_change": "moved to another group",
    "deactivate": "deactivated",
    "expire": "left to expire",
    "shorten": "given an earlier last valid day",
    "clear": "left without a value that they have",
    "rekey": "given another id",
    "erase": "erased",
}


class PlannedChange(NamedTuple):
    """One class of change of a run, counted in persons."""

    change: PatronChange
    planned: int
    unasked_before: int = 0
    """What the limit's `sum_days` before let through unasked; what a person approved does not count."""
    detail_digest: str = ""
    """Of every single change (tasks/plans/plan.digest_of)."""


class PlanGround(NamedTuple):
    """Whose plan it is, and what it is measured by."""

    source: str
    institution: str
    day: date
    population: int
    """Persons that this source has at this institution, before the plan."""
    failed_rows: int = 0


def guard_plan(changes: Iterable[PlannedChange], ground: PlanGround, guards: PatronGuards) -> list[GuardedClass]:
    """What the guards say about each class, in the order given. A class over its limit waits, the others go on.

    In a run with failed rows nobody is deactivated: that class waits however small it is, and is planned anew once a
    file is read whole.
    """
    return [_guarded(each, ground, guards) for each in changes if each.planned]


def limit_on(change: PatronChange, ground: PlanGround, guards: PatronGuards) -> tuple[int, GuardRaise | None]:
    """How many are let through of a class, and the time of the year that raises the limit, if one does."""
    limit = guards.limit_of(change).limit(ground.population)
    raises = [each for each in guards.raises if each.covers(ground.day, ground.institution, change)]
    if not raises:
        return limit, None
    raised = max(raises, key=lambda each: each.factor)
    return int(limit * raised.factor), raised


def _guarded(each: PlannedChange, ground: PlanGround, guards: PatronGuards) -> GuardedClass:
    scope = f"{ground.institution}:{ground.source}"
    planned = PlannedClass(FLOW, scope, each.change, each.planned, ground.population, each.detail_digest)
    if each.change == "deactivate" and ground.failed_rows:
        rows = "1 row" if ground.failed_rows == 1 else f"{ground.failed_rows} rows"
        reason = f"{_counted(each, ground)}; nobody is while {rows} of the file could not be taken"
        return GuardedClass(planned, 0.0, True, reason)
    limit, raised = limit_on(each.change, ground, guards)
    days = guards.limit_of(each.change).sum_days
    before = each.unasked_before if days else 0
    is_held = each.planned + before > limit
    return GuardedClass(
        planned, float(max(0, limit - before)), is_held, _reason(each, ground, limit, raised, before, days)
    )


def _reason(
    each: PlannedChange, ground: PlanGround, limit: int, raised: GuardRaise | None, before: int, days: int
) -> str:
    text = f"{_counted(each, ground)}; {limit} {'is' if limit == 1 else 'are'} let through unasked"
    if days:
        text += f" in {days} days, and {before} {'was' if before == 1 else 'were'}"
    return f"{text} ({raised.name})" if raised else text


def _counted(each: PlannedChange, ground: PlanGround) -> str:
    if each.change == "create":
        persons = "person" if each.planned == 1 else "persons"
        return f"{each.planned} {persons} would be created, beside the {ground.population} that there are"
    return f"{each.planned} of {ground.population} persons would be {DONE[each.change]}"
