"""The last valid day: the source's own, leases in steps, term calendars, the latest of all, and what may shorten it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.patrons import ABSENT
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_validity import Term, TermCalendar, ValidityRule
from tasks.patrons.expiry import (
    AffiliationDates,
    ValidTo,
    affiliation_valid_to,
    business_date,
    due_on,
    is_valid_on,
    valid_to,
    validity_rule,
)
from tasks.patrons.protection import Lock

DAY = date(2025, 3, 14)
POLICY = PatronPolicy(
    validity=(
        ValidityRule(lease_days=100, step_days=20),
        ValidityRule(institution="VEST", lease_days=50, step_days=10),
        ValidityRule(user_group="student", calendar="nordic"),
    ),
    calendars={
        "nordic": TermCalendar(
            terms=(Term(starts="01-10", valid_to="08-31"), Term(starts="08-10", valid_to="01-31")),
        )
    },
)
STUDENT = AffiliationDates("STUD", "student", "current")
STAFF = AffiliationDates("HR", "employee", "current")


def days(number: int) -> date:
    return DAY + timedelta(number)


def person(*affiliations: AffiliationDates, current: date | None = None, lock: Lock | None = None) -> ValidTo:
    return valid_to(affiliations, current, POLICY, "NORU", DAY, lock)


def test_the_sources_own_day_wins_over_lease_and_calendar() -> None:
    assert person(STUDENT._replace(explicit=days(5)))[:3] == (days(5), "explicit", "STUD")
    assert person(STUDENT)[:2] == (date(2025, 8, 31), "term")
    assert person(STAFF)[:2] == (days(100), "lease")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (days(100), (days(100), "lease_running")),
        (days(20), (days(20), "lease_running")),
        (days(19), (days(100), "lease")),
        (days(-5), (days(100), "lease")),
        (None, (days(100), "lease")),
    ],
)
def test_a_lease_is_renewed_only_when_less_than_a_step_remains(last: date | None, expected: tuple[date, str]) -> None:
    assert affiliation_valid_to(STAFF._replace(last=last), POLICY, "NORU", DAY)[:2] == expected


def test_quiet_nights_write_nothing_for_most_of_a_lease() -> None:
    current, written = None, 0
    for night in range(365):
        found = valid_to([STAFF._replace(last=current)], current, POLICY, "NORU", days(night))
        written += found.day != current
        current = found.day
    assert written == 5


def test_the_closest_rule_counts_the_group_before_the_institution() -> None:
    assert validity_rule(POLICY, "VEST", "student").calendar == "nordic"
    assert validity_rule(POLICY, "VEST", "employee").lease_days == 50
    assert validity_rule(POLICY, "NORU", None).lease_days == 100


def test_the_latest_of_the_affiliations_counts() -> None:
    found = person(STUDENT._replace(explicit=days(5)), STAFF._replace(explicit=days(9)))
    assert (found.day, found.source) == (days(9), "HR")


def test_absence_shortens_nothing() -> None:
    missing = STAFF._replace(state="missing", last=days(90))
    assert person(STUDENT._replace(explicit=days(5), explicit_before=days(5)), missing, current=days(90))[:2] == (
        days(90),
        "missing",
    )
    assert person(missing._replace(last=None), current=days(90)) == ValidTo(days(90), "kept")
    assert person(current=days(90)) == ValidTo(days(90), "kept")


def test_a_rule_that_changed_shortens_nothing() -> None:
    assert person(STAFF, current=days(300)) == ValidTo(days(300), "kept")


@pytest.mark.parametrize(
    ("affiliations", "expected"),
    [
        ([STAFF._replace(explicit=days(5), explicit_before=days(90))], days(5)),
        ([STAFF._replace(explicit=days(5), last=days(90))], days(5)),
        ([STAFF._replace(state="ended"), STUDENT._replace(explicit=days(7), explicit_before=days(7))], days(7)),
    ],
    ids=["an earlier day", "a first day", "an affiliation that ended"],
)
def test_what_a_source_says_may_shorten_and_is_marked(affiliations: list[AffiliationDates], expected: date) -> None:
    found = person(*affiliations, current=days(90))
    assert (found.day, found.is_shorter) == (expected, True)


def test_a_source_that_only_repeats_its_day_shortens_nothing() -> None:
    repeated = STUDENT._replace(explicit=days(5), explicit_before=days(5))
    assert person(repeated, current=days(90)) == ValidTo(days(90), "kept")


def test_who_has_left_everywhere_keeps_the_day_for_the_lifecycle_to_end_it() -> None:
    assert person(STAFF._replace(state="ended"), current=days(90)) == ValidTo(days(90), "kept")
    assert person() == ValidTo(None, "unknown")


def test_a_pin_holds_its_day_null_included_until_it_ends() -> None:
    explicit = STAFF._replace(explicit=days(5), explicit_before=days(5))
    assert person(explicit, current=days(5), lock=Lock("pin", days(40), ABSENT, "siv")) == ValidTo(days(40), "pinned")
    assert person(explicit, lock=Lock("pin", None, ABSENT, "siv")) == ValidTo(None, "pinned")
    assert person(explicit, lock=Lock("pin", None, ABSENT, "siv", until=days(-1))).rule == "explicit"


def test_days_are_inclusive_and_in_the_institutions_zone() -> None:
    oslo = ZoneInfo("Europe/Oslo")
    assert business_date(datetime(2025, 3, 14, 22, 59, tzinfo=UTC), oslo) == date(2025, 3, 14)
    assert business_date(datetime(2025, 3, 14, 23, 0, tzinfo=UTC), oslo) == date(2025, 3, 15)
    assert business_date(datetime(2025, 7, 14, 22, 0, tzinfo=UTC), oslo) == date(2025, 7, 15)
    with pytest.raises(ValueError, match="zone"):
        business_date(datetime(2025, 3, 14), oslo)
    assert [is_valid_on(DAY, days(number)) for number in (-1, 0, 1)] == [True, True, False]
    assert is_valid_on(None, DAY)


NEAR = st.one_of(st.none(), st.integers(-50, 400).map(days))
DATES = st.builds(
    AffiliationDates,
    st.sampled_from(["HR", "STUD"]),
    st.sampled_from(["student", "employee"]),
    st.sampled_from(["current", "missing", "ended"]),
    NEAR,
    NEAR,
    NEAR,
)


@given(st.lists(DATES, max_size=3), NEAR)
@settings(max_examples=150, deadline=None)
def test_it_is_earlier_only_where_it_says_so_and_then_not_through_absence(
    affiliations: list[AffiliationDates], current: date | None
) -> None:
    found = person(*affiliations, current=current)
    if current is not None:
        assert found.day is not None
        assert (found.day < current) == found.is_shorter
    absent = [each._replace(state="missing") for each in affiliations]
    kept = person(*absent, current=current)
    assert not kept.is_shorter
    assert person(*reversed(affiliations), current=current).day == found.day


@given(st.lists(DATES, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_until_the_day_that_is_due_an_unchanged_row_gives_the_same(affiliations: list[AffiliationDates]) -> None:
    settled = [
        each._replace(last=affiliation_valid_to(each, POLICY, "NORU", DAY).day, explicit_before=each.explicit)
        for each in affiliations
    ]
    now = valid_to(settled, None, POLICY, "NORU", DAY)
    due = due_on(settled, POLICY, "NORU", DAY) or days(1_000)
    assert due > DAY
    assert valid_to(settled, now.day, POLICY, "NORU", due - timedelta(1)).day == now.day
