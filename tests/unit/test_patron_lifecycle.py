"""The states of a person: what leads on, what leads back, and what absence may do."""

from __future__ import annotations

from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.register.patron_policy import PatronPolicy
from tasks.patrons.lifecycle import (
    EVENT_WORDS,
    Event,
    PatronState,
    Sighting,
    Snapshot,
    Standing,
    advance,
    looked_at_on,
    observe,
    purge_date,
    status_of,
)

DAY = date(2025, 3, 14)
LATER = DAY + timedelta(400)
POLICY = PatronPolicy()
THERE = [Sighting("HR", seen_on=DAY)]
GONE = [Sighting("HR", missing_runs=3, missing_since=DAY - timedelta(7))]
MISSING = [Sighting("HR", missing_runs=2, missing_since=DAY - timedelta(30))]
RECENT = [Sighting("HR", missing_runs=9, missing_since=DAY - timedelta(6))]
LEFT = [Sighting("HR", left_on=DAY)]


def days(number: int) -> timedelta:
    return timedelta(number)


def way(standing: Standing, sightings: list[Sighting], day: date = DAY) -> tuple[PatronState, list[str]]:
    found, steps = advance(standing, sightings, POLICY, day)
    return found.state, [each.event for each in steps]


def at(state: PatronState, expires_on: date | None = LATER, **more: date | None) -> Standing:
    return Standing(state, DAY - days(1), expires_on=expires_on, **more)


@pytest.mark.parametrize(
    ("standing", "sightings", "state", "events"),
    [
        (at("staged", not_before=DAY + days(1)), THERE, "staged", []),
        (at("staged", not_before=DAY), THERE, "active", ["activated"]),
        (at("active"), THERE, "active", []),
        (at("active"), [], "active", []),
        (at("active"), MISSING, "missing", ["went_missing"]),
        (at("active"), [*GONE, *THERE], "active", []),
        (at("missing"), MISSING, "missing", []),
        (at("missing"), RECENT, "missing", []),
        (at("missing"), THERE, "active", ["returned_from_missing"]),
        (at("missing"), GONE, "grace", ["grace_began"]),
        (at("missing"), [*GONE, *MISSING], "missing", []),
        (at("active"), LEFT, "grace", ["went_missing", "grace_began"]),
        (at("grace", grace_until=DAY), GONE, "grace", []),
        (at("grace", grace_until=DAY), THERE, "active", ["returned_from_missing"]),
        (at("grace", grace_until=DAY - days(1)), GONE, "inactive", ["deactivated"]),
        (at("active", DAY), THERE, "active", []),
        (at("active", DAY - days(1)), THERE, "expired", ["expired"]),
        (at("missing", DAY - days(1)), MISSING, "expired", ["expired"]),
        (at("grace", DAY - days(1), grace_until=DAY), GONE, "expired", ["expired"]),
        (at("expired", DAY), THERE, "active", ["returned_from_expired"]),
        (at("expired", DAY), MISSING, "missing", ["prolonged", "went_missing"]),
        (at("expired", DAY - days(90)), GONE, "expired", []),
        (at("expired", DAY - days(91)), GONE, "inactive", ["deactivated"]),
        (at("inactive", DAY), THERE, "active", ["returned_from_inactive"]),
        (at("inactive", DAY), GONE, "inactive", []),
        (at("inactive", DAY - days(365)), GONE, "erasable", ["became_erasable"]),
        (at("inactive", DAY - days(364)), GONE, "inactive", []),
        (at("erasable", DAY), THERE, "active", ["returned_from_inactive"]),
        (at("erasable", DAY - days(365), purge_on=DAY + days(1)), GONE, "inactive", ["kept_longer"]),
        (at("erased", DAY - days(999)), THERE, "erased", []),
        (at("active", DAY - days(500)), GONE, "erasable", ["expired", "deactivated", "became_erasable"]),
    ],
)
def test_each_step(standing: Standing, sightings: list[Sighting], state: str, events: list[str]) -> None:
    assert way(standing, sightings) == (state, events)


def test_absence_leads_to_inactive_and_never_touches_the_last_valid_day() -> None:
    standing, sighting = at("active"), Sighting("HR", seen_on=DAY)
    states = []
    for night in range(1, 60):
        day = DAY + days(night)
        sighting = observe(sighting, False, Snapshot(day, is_complete=True))
        standing, _ = advance(standing, [sighting], POLICY, day)
        states.append(standing.state)
    assert standing.expires_on == LATER
    # 7 days since the first file without the person, 30 days of grace, then inactive.
    assert [states.index(state) + 1 for state in ("missing", "grace", "inactive")] == [1, 8, 39]


@pytest.mark.parametrize(
    ("snapshot", "counts"),
    [
        (Snapshot(DAY, is_complete=True), True),
        (Snapshot(DAY, is_complete=False), False),
        (Snapshot(DAY, is_complete=True, failed_rows=1), False),
    ],
)
def test_absence_counts_in_complete_files_without_failed_rows_alone(snapshot: Snapshot, counts: bool) -> None:
    before = Sighting("HR", seen_on=DAY - days(1))
    after = observe(before, False, snapshot)
    assert (after.missing_runs, after.missing_since) == ((1, DAY) if counts else (0, None))
    assert (after == before) == (not counts)


def test_the_same_day_counts_once_and_being_there_ends_it() -> None:
    night = Snapshot(DAY, is_complete=True)
    once = observe(Sighting("HR"), False, night)
    assert observe(once, False, night) == once
    assert observe(once, False, Snapshot(DAY - days(1), is_complete=True)) == once
    assert observe(once, True, Snapshot(DAY, is_complete=False)) == Sighting("HR", seen_on=DAY)


def test_a_truncated_night_and_a_full_one_after_it_leave_no_trace() -> None:
    sighting, standing = Sighting("HR", seen_on=DAY), at("active")
    sighting = observe(sighting, False, Snapshot(DAY + days(1), is_complete=True))
    standing, steps = advance(standing, [sighting], POLICY, DAY + days(1))
    assert [each.change for each in steps] == [None]
    sighting = observe(sighting, True, Snapshot(DAY + days(2), is_complete=True))
    standing, _ = advance(standing, [sighting], POLICY, DAY + days(2))
    assert (standing.state, standing.expires_on, sighting.missing_runs) == ("active", LATER, 0)


def test_which_steps_are_guarded_and_in_what_words() -> None:
    _, steps = advance(at("active", DAY - days(91)), GONE, POLICY, DAY)
    assert [(each.event, each.change) for each in steps] == [("expired", "expire"), ("deactivated", "deactivate")]
    assert steps[0].why == "active to expired: the last valid day is over"
    assert EVENT_WORDS.keys() == set(get_args(Event))


def test_the_purge_date_never_comes_before_the_last_valid_day() -> None:
    rules = POLICY.lifecycle
    assert purge_date(DAY, None, rules) == DAY + days(365)
    assert purge_date(DAY, DAY, rules) == DAY + days(365)
    assert purge_date(DAY, DAY + days(999), rules) == DAY + days(999)
    assert purge_date(None, None, rules) is None


def test_a_person_without_any_last_day_who_is_gone_can_be_purged_all_the_same() -> None:
    standing, _ = advance(at("grace", None, grace_until=DAY - days(1)), GONE, POLICY, DAY)
    assert (standing.state, standing.purge_on) == ("inactive", DAY + days(365))


def test_the_library_system_knows_active_and_inactive() -> None:
    inactive = {state for state in get_args(PatronState) if status_of(state) == "INACTIVE"}
    assert inactive == {"staged", "inactive", "erasable", "erased"}


STATES = st.sampled_from(get_args(PatronState))
NEAR = st.one_of(st.none(), st.integers(-500, 500).map(lambda number: DAY + timedelta(number)))
SIGHTINGS = st.lists(st.sampled_from([*THERE, *GONE, *MISSING, *RECENT, *LEFT]), max_size=3)


@given(st.builds(Standing, STATES, st.just(DAY), NEAR, NEAR, NEAR, NEAR), SIGHTINGS)
@settings(max_examples=150, deadline=None)
def test_the_same_day_again_takes_no_step_and_the_day_to_look_is_not_missed(
    standing: Standing, sightings: list[Sighting]
) -> None:
    after, _ = advance(standing, sightings, POLICY, DAY)
    assert advance(after, sightings, POLICY, DAY) == (after, ())
    assert after.expires_on == standing.expires_on
    if standing.state == "erased":
        assert after.state == "erased"
    if after.purge_on is not None and after.expires_on is not None:
        assert after.purge_on >= after.expires_on
    due = looked_at_on(after, sightings, POLICY, DAY)
    last_quiet = (due or DAY + timedelta(1_200)) - timedelta(1)
    if last_quiet > DAY:
        assert advance(after, sightings, POLICY, last_quiet)[1] == ()
