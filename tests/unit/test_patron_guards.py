"""The guards over a patron plan: max(10, a share), sums over 30 days, calendars, and failed rows."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.register.patron_limits import PATRON_CHANGES, GuardRaise, PatronChange, PatronGuards
from tasks.patrons.guards import DONE, PlanGround, PlannedChange, guard_plan
from tasks.plans.plan import plan_hash

DAY = date(2025, 8, 20)
GROUND = PlanGround("NORUPERS", "NORU", DAY, population=1_000)
GUARDS = PatronGuards()
AUTUMN = GuardRaise(name="start of the autumn term", starts="08-01", ends="09-15", factor=3, classes=("create",))


def held(change: PatronChange, planned: int, before: int = 0, guards: PatronGuards = GUARDS, **ground: int) -> bool:
    (said,) = guard_plan([PlannedChange(change, planned, before)], GROUND._replace(**ground), guards)
    return said.is_held


@pytest.mark.parametrize(
    ("change", "population", "most"),
    [
        ("create", 1_000, 150),
        ("create", 99, 10),
        ("create", 0, 10),
        ("group_change", 1_000, 150),
        ("deactivate", 1_000, 20),
        ("expire", 100, 10),
        ("shorten", 99, 10),
        ("clear", 10_000, 200),
        ("rekey", 1_000, 20),
        ("erase", 1_000, 20),
    ],
)
def test_a_class_is_held_above_its_limit_and_not_at_it(change: PatronChange, population: int, most: int) -> None:
    assert not held(change, most, population=population)
    assert held(change, most + 1, population=population)


def test_many_small_nights_count_together_where_something_is_taken_away() -> None:
    assert not held("deactivate", 15, before=5)
    assert held("deactivate", 15, before=6)
    assert not held("create", 150, before=140)


def test_one_class_is_held_and_the_others_go_on() -> None:
    plan = [PlannedChange("create", 30), PlannedChange("deactivate", 400), PlannedChange("clear", 0)]
    said = guard_plan(plan, GROUND, GUARDS)
    assert [(each.planned.change_class, each.is_held) for each in said] == [("create", False), ("deactivate", True)]


def test_the_calendar_raises_a_limit_for_its_class_and_days_alone() -> None:
    guards = PatronGuards(raises=(AUTUMN,))
    assert not held("create", 450, guards=guards)
    assert held("create", 451, guards=guards)
    assert held("group_change", 151, guards=guards)
    (later,) = guard_plan([PlannedChange("create", 451)], GROUND._replace(day=date(2025, 9, 16)), guards)
    assert later.limit == 150


def test_nobody_is_deactivated_in_a_run_with_failed_rows() -> None:
    assert held("deactivate", 1, failed_rows=1)
    assert not held("expire", 1, failed_rows=1)
    (said,) = guard_plan([PlannedChange("deactivate", 1)], GROUND._replace(failed_rows=2), GUARDS)
    assert said.reason == (
        "1 of 1000 persons would be deactivated; nobody is while 2 rows of the file could not be taken"
    )


def test_the_reason_says_it_in_words() -> None:
    guards = PatronGuards(raises=(AUTUMN,))
    said = guard_plan([PlannedChange("create", 500), PlannedChange("deactivate", 41, 3)], GROUND, guards)
    assert [each.reason for each in said] == [
        "500 persons would be created, beside the 1000 that there are; 450 are let through unasked "
        "(start of the autumn term)",
        "41 of 1000 persons would be deactivated; 20 are let through unasked in 30 days, and 3 were",
    ]
    assert DONE.keys() == set(PATRON_CHANGES)


def test_the_truncated_night_is_held_as_a_whole_class() -> None:
    # 40% of the file came: were absence to count at once, 600 of 1000 would go.
    assert held("deactivate", 600)
    assert held("deactivate", 600, guards=PatronGuards(raises=(AUTUMN,)))


def test_a_plan_has_the_same_hash_whatever_the_population_and_another_for_another_change() -> None:
    def hashed(digest: str, population: int) -> str:
        ground = GROUND._replace(population=population)
        said = guard_plan([PlannedChange("expire", 30, detail_digest=digest)], ground, GUARDS)
        return plan_hash([each.planned for each in said])

    assert hashed("a", 1_000) == hashed("a", 1_001)
    assert hashed("a", 1_000) != hashed("b", 1_000)
