"""When a feed is due and what is wrong with it: rhythms, time zone, late and missed turns, size and age."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.register.rhythm import WEEKDAYS, Rhythm
from tasks.landing.rhythm import Came, Feed, FeedRule, in_words, judge, turns

STOCKHOLM = ZoneInfo("Europe/Stockholm")
AGREED = date(2020, 1, 1)
MONDAY = date(2026, 3, 2)


def feed(rhythm: Rhythm, since: date = AGREED, until: date | None = None) -> Feed:
    return Feed("supplier", "NORDBOK", "Nordbok", rhythm, since, until)


def local(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=STOCKHOLM)


DAILY = Rhythm(every="day", by=time(6), grace_minutes=60)
WORKDAYS = Rhythm(on=("mon", "tue", "wed", "thu", "fri"), by=time(6), grace_minutes=0)


def test_a_turn_ends_when_its_grace_is_over_and_begins_where_the_one_before_ended() -> None:
    last, before = turns(feed(DAILY), STOCKHOLM, local(2026, 3, 2, 12), 2)
    assert (last.on, last.by, last.begins, last.ends) == (
        MONDAY,
        local(2026, 3, 2, 6),
        local(2026, 3, 1, 7),
        local(2026, 3, 2, 7),
    )
    assert before.ends == last.begins


@pytest.mark.parametrize(("at", "day"), [((6, 30), 1), ((6, 59), 1), ((7, 0), 2), ((23, 59), 2)])
def test_within_the_grace_nothing_is_missed_yet(at: tuple[int, int], day: int) -> None:
    assert turns(feed(DAILY), STOCKHOLM, local(2026, 3, 2, *at), 1)[0].on == date(2026, 3, day)


def test_nothing_is_due_on_days_that_are_not_named() -> None:
    found = turns(feed(WORKDAYS), STOCKHOLM, local(2026, 3, 2, 5), 3)
    assert [each.on for each in found] == [date(2026, 2, 27), date(2026, 2, 26), date(2026, 2, 25)]
    monday = turns(feed(WORKDAYS), STOCKHOLM, local(2026, 3, 2, 7), 1)[0]
    assert (monday.on, monday.begins_on) == (MONDAY, date(2026, 2, 27))


def test_a_week_is_seven_days_that_move_with_the_day_of_the_check() -> None:
    weekly = feed(Rhythm(every="week", by=time(6), grace_minutes=0))
    for day in (2, 3, 4):
        (turn,) = turns(weekly, STOCKHOLM, local(2026, 3, day, 7), 1)
        assert (turn.on, turn.begins_on) == (date(2026, 3, day), date(2026, 2, 21 + day))
    assert turns(feed(Rhythm(days=7, by=time(6), grace_minutes=0)), STOCKHOLM, local(2026, 3, 2, 7), 3) == turns(
        weekly, STOCKHOLM, local(2026, 3, 2, 7), 3
    )


def test_the_hour_is_that_of_the_wall_in_summer_and_in_winter() -> None:
    before, after = local(2026, 3, 28, 12), local(2026, 3, 29, 12)
    by = [turns(feed(DAILY), STOCKHOLM, now, 1)[0].by.astimezone(UTC).hour for now in (before, after)]
    assert by == [5, 4]


def test_the_day_is_that_of_the_consortium_and_not_that_of_utc() -> None:
    late = Rhythm(on=("mon",), by=time(0, 30), grace_minutes=0)
    assert turns(feed(late), STOCKHOLM, datetime(2026, 3, 1, 23, 45, tzinfo=UTC), 1)[0].on == MONDAY


def test_nothing_is_missed_before_a_whole_turn_of_the_agreement_has_passed() -> None:
    now = local(2026, 3, 2, 12)
    assert turns(feed(DAILY, since=MONDAY), STOCKHOLM, now)[0].on == MONDAY
    assert turns(feed(DAILY, since=date(2026, 3, 3)), STOCKHOLM, now) == []
    weekly = feed(Rhythm(every="week"), since=MONDAY)
    assert turns(weekly, STOCKHOLM, local(2026, 3, 7, 12)) == []
    assert len(turns(weekly, STOCKHOLM, local(2026, 3, 8, 12))) == 1


def test_nothing_is_expected_after_the_agreement_has_ended() -> None:
    ended = feed(DAILY, until=date(2026, 3, 1))
    assert turns(ended, STOCKHOLM, local(2026, 3, 1, 12))[0].on == date(2026, 3, 1)
    assert turns(ended, STOCKHOLM, local(2026, 3, 4, 12)) == []


@given(
    on=st.sets(st.sampled_from(WEEKDAYS), min_size=1),
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    by=st.times(),
    grace=st.integers(0, 1440),
)
def test_turns_follow_each_other_without_gap_or_overlap_and_have_ended(
    on: set[str], now: datetime, by: time, grace: int
) -> None:
    rhythm = Rhythm.model_validate({"on": tuple(sorted(on)), "by": by, "grace_minutes": grace})
    found = turns(feed(rhythm), STOCKHOLM, now, 10)
    assert len(found) == 10
    assert found[0].ends <= now
    assert all(later.begins == earlier.ends for later, earlier in pairwise(found))
    assert {WEEKDAYS[each.on.weekday()] for each in found} <= on


LAST = turns(feed(DAILY), STOCKHOLM, local(2026, 3, 2, 12))
GOOD = Came(deliveries=1, records=100, newest_day=MONDAY)
EMPTY = Came()


def verdict_of(*came: Came, min_share: float = 0.0) -> tuple[FeedRule, int]:
    rhythm = DAILY.model_copy(update={"min_share": min_share})
    found = judge(feed(rhythm), LAST, [*came, *[EMPTY] * (len(LAST) - len(came))], None)
    return found.rule, found.missed


def test_what_came_is_as_expected_and_what_did_not_is_missing() -> None:
    assert verdict_of(GOOD) == (FeedRule.AS_EXPECTED, 0)
    assert verdict_of(EMPTY, GOOD) == (FeedRule.MISSING, 1)
    assert verdict_of(EMPTY, EMPTY, EMPTY, GOOD) == (FeedRule.MISSING, 3)
    assert verdict_of() == (FeedRule.MISSING, len(LAST))


def test_a_feed_about_an_earlier_turn_is_stale() -> None:
    assert verdict_of(Came(1, 100, date(2026, 3, 1)))[0] == FeedRule.AS_EXPECTED
    assert verdict_of(Came(1, 100, date(2026, 2, 28)))[0] == FeedRule.STALE
    assert verdict_of(Came(repeats=2), GOOD)[0] == FeedRule.STALE
    assert verdict_of(Came(1, 100, MONDAY, repeats=2))[0] == FeedRule.AS_EXPECTED


def test_a_feed_is_shrunken_against_the_median_of_earlier_turns_that_were_not_empty() -> None:
    usual = [Came(1, number, MONDAY) for number in (100, 90, 110, 5, 4000)]
    assert verdict_of(Came(1, 49, MONDAY), EMPTY, *usual, min_share=0.5)[0] == FeedRule.SHRUNKEN
    assert verdict_of(Came(1, 50, MONDAY), *usual, min_share=0.5)[0] == FeedRule.AS_EXPECTED
    assert verdict_of(Came(1, 49, MONDAY), *usual[:4], min_share=0.5)[0] == FeedRule.AS_EXPECTED
    assert verdict_of(Came(1, 0, MONDAY), *usual)[0] == FeedRule.AS_EXPECTED


@pytest.mark.parametrize(
    ("came", "min_share", "said"),
    [
        (EMPTY, 0.0, "expected by 2026-03-02 06:00 and not there; last seen 2026-02-27 05:00"),
        (Came(repeats=1), 0.0, "only files that had come before were sent again; last seen 2026-02-27 05:00"),
        (Came(1, 9, date(2026, 2, 1)), 0.0, "what came is about 2026-02-01; expected is 2026-03-01 or later"),
        (Came(1, 9, MONDAY), 0.5, "9 records where 1,000 are usual; at least 50% of that is expected"),
        (GOOD, 0.0, "came as expected by 2026-03-02 06:00"),
    ],
)
def test_a_verdict_says_what_was_expected_and_what_was_found(came: Came, min_share: float, said: str) -> None:
    rhythm = DAILY.model_copy(update={"min_share": min_share})
    usual = [Came(1, 1000, MONDAY)] * 5
    assert in_words(judge(feed(rhythm), LAST, [came, *usual], local(2026, 2, 27, 5)), STOCKHOLM) == said


def test_a_feed_that_never_came_says_so_and_how_often() -> None:
    found = judge(feed(DAILY), LAST, [EMPTY] * len(LAST), None)
    assert in_words(found, STOCKHOLM).endswith("not there, 21 times in a row; nothing has ever come")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "say how often in one way"),
        ({"every": "day", "days": 2}, "say how often in one way"),
        ({"on": ("mon", "mon")}, "a weekday is there twice"),
        ({"days": 0}, "greater than or equal to 1"),
        ({"every": "day", "by": time(6, tzinfo=UTC)}, "leave the time zone out"),
    ],
)
def test_a_rhythm_that_cannot_be_meant_is_refused(keys: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Rhythm.model_validate(keys)
