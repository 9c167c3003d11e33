"""When a feed is due, and what is wrong with what came: pure rules, no warehouse.

A rhythm is cut into turns. A turn ends when the feed is missed (`by` and the grace), and begins where the turn before
ended; so what comes late counts for the turn in which it comes. Days and times are the consortium's, in its zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from statistics import median
from zoneinfo import ZoneInfo

from schemas.register.rhythm import WEEKDAYS, Rhythm

TURNS_LOOKED_AT = 21
"""The last one is judged; the others say what is usual, and how often in a row nothing came."""
TURNS_FOR_USUAL = 5
"""With fewer turns in which something came, no size is usual."""


class FeedRule(StrEnum):
    """What the check of a feed found."""

    AS_EXPECTED = "feed_as_expected"
    MISSING = "feed_missing"
    STALE = "feed_stale"
    SHRUNKEN = "feed_shrunken"


@dataclass(frozen=True)
class Feed:
    """Something that is expected again and again. `since` and `until` are the days of its agreement, inclusive."""

    kind: str
    sender: str
    name: str
    rhythm: Rhythm
    since: date
    until: date | None = None


@dataclass(frozen=True)
class Turn:
    """One time that a feed is due: `by` on the day `on`. What came from `begins` until `ends` counts for it."""

    on: date
    begins_on: date
    begins: datetime
    by: datetime
    ends: datetime


@dataclass(frozen=True)
class Came:
    """What came in a turn. `newest_day` is the latest of the days that the sender's files are about."""

    deliveries: int = 0
    records: int = 0
    newest_day: date | None = None
    repeats: int = 0
    """Files that had come before: recognised, no effect."""


@dataclass(frozen=True)
class FeedVerdict:
    """What is to be said of a feed. `missed`: how many turns in a row nothing came, the judged one included."""

    feed: Feed
    rule: FeedRule
    expected_by: datetime
    last_seen_at: datetime | None
    missed: int
    records: int
    usual_records: float | None
    newest_day: date | None
    oldest_day: date
    """What comes may be about this day or a later one; older is stale."""

    @property
    def is_wrong(self) -> bool:
        """Whether a person should look."""
        return self.rule != FeedRule.AS_EXPECTED


def turns(feed: Feed, zone: ZoneInfo, now: datetime, number: int = TURNS_LOOKED_AT) -> list[Turn]:
    """The last `number` turns that have ended at `now`, the newest first; those of the agreement alone.

    The first turn of an agreement begins on its first day, so nothing is missed before a whole turn has passed.
    """
    on = _last_day(feed.rhythm, zone, now)
    found: list[Turn] = []
    while len(found) < number:
        before = _day_before(feed.rhythm, on)
        if before < feed.since - timedelta(days=1):
            break
        if feed.until is None or on <= feed.until:
            by, begins = _due(feed.rhythm, zone, on), _missed_at(feed.rhythm, zone, before)
            found.append(Turn(on, before, begins, by, _missed_at(feed.rhythm, zone, on)))
        elif not found and before > feed.until:
            return []  # the agreement is over, and so is what was expected
        on = before
    return found


def _last_day(rhythm: Rhythm, zone: ZoneInfo, now: datetime) -> date:
    """The last day on which the feed was due and could be missed by `now`."""
    day = now.astimezone(zone).date()
    while not (_is_day(rhythm, day) and _missed_at(rhythm, zone, day) <= now):
        day -= timedelta(days=1)
    return day


def _is_day(rhythm: Rhythm, day: date) -> bool:
    return not rhythm.on or WEEKDAYS[day.weekday()] in rhythm.on


def _day_before(rhythm: Rhythm, day: date) -> date:
    if rhythm.period_days is not None:
        return day - timedelta(days=rhythm.period_days)
    day -= timedelta(days=1)
    while not _is_day(rhythm, day):
        day -= timedelta(days=1)
    return day


def _due(rhythm: Rhythm, zone: ZoneInfo, day: date) -> datetime:
    # On the clock of the wall: 06:00 is 06:00 in summer and in winter.
    return datetime.combine(day, rhythm.by, zone).astimezone(UTC)


def _missed_at(rhythm: Rhythm, zone: ZoneInfo, day: date) -> datetime:
    return _due(rhythm, zone, day) + timedelta(minutes=rhythm.grace_minutes)


def judge(feed: Feed, last: Sequence[Turn], came: Sequence[Came], last_seen_at: datetime | None) -> FeedVerdict:
    """Judge the newest of the turns `last` (see `turns`; at least one) by what came in each of them.

    What came after the last turn ended must be counted to it: a feed that came late is no longer missing.
    Missing: nothing came. Stale: all that came had come before, or is about days before the turn. Shrunken: fewer
    records than `min_share` of the median of earlier turns in which something came.
    """
    turn, now = last[0], came[0]
    earlier = [each.records for each in came[1:] if each.deliveries]
    usual = float(median(earlier)) if len(earlier) >= TURNS_FOR_USUAL else None
    if not now.deliveries:
        rule = FeedRule.STALE if now.repeats else FeedRule.MISSING
    elif now.newest_day is not None and now.newest_day < turn.begins_on:
        rule = FeedRule.STALE
    elif usual is not None and now.records < feed.rhythm.min_share * usual:
        rule = FeedRule.SHRUNKEN
    else:
        rule = FeedRule.AS_EXPECTED
    empty = next((place for place, each in enumerate(came) if each.deliveries), len(came))
    return FeedVerdict(
        feed=feed,
        rule=rule,
        expected_by=turn.by,
        last_seen_at=last_seen_at,
        missed=empty,
        records=now.records,
        usual_records=usual,
        newest_day=now.newest_day,
        oldest_day=turn.begins_on,
    )


def in_words(verdict: FeedVerdict, zone: ZoneInfo) -> str:
    """The verdict in English, for the warehouse and the terminal."""
    seen = f"last seen {_clock(verdict.last_seen_at, zone)}" if verdict.last_seen_at else "nothing has ever come"
    if verdict.rule == FeedRule.MISSING:
        again = f", {verdict.missed} times in a row" if verdict.missed > 1 else ""
        return f"expected by {_clock(verdict.expected_by, zone)} and not there{again}; {seen}"
    if verdict.rule == FeedRule.STALE and verdict.newest_day is None:
        return f"only files that had come before were sent again; {seen}"
    if verdict.rule == FeedRule.STALE:
        return f"what came is about {verdict.newest_day}; expected is {verdict.oldest_day} or later"
    if verdict.rule == FeedRule.SHRUNKEN:
        usual = f"{verdict.usual_records:,.0f}"
        least = f"{verdict.feed.rhythm.min_share:.0%}"
        return f"{verdict.records:,} records where {usual} are usual; at least {least} of that is expected"
    return f"came as expected by {_clock(verdict.expected_by, zone)}"


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
