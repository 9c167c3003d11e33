"""Feeds held against their rhythm, the rows that are kept of it and the one e-mail a day, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.rhythm import Rhythm
from schemas.warehouse.core import core_notice
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.landing.feeds import feeds_of, judge_feeds, note_feeds
from tasks.landing.rhythm import Feed, FeedRule, FeedVerdict
from tasks.landing.stages import check_feeds
from tasks.notices.stages import notify_feeds
from tasks.notices.telling import Teller, tell_of_feeds
from tasks.warehouse.engine import Warehouse
from tests.warehouse.conftest import OpenPlace

ZONE = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = date(2026, 3, 2)


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[Connection]:
    with warehouse.write() as connection:
        yield connection


def came(connection: Connection, sender: str, at: datetime, records: int = 10, **values: Any) -> int:
    """A delivery of `sender`, seen at `at`."""
    delivery_id = connection.execute(sa.select(sa.func.count()).select_from(raw_delivery)).scalar_one() + 1
    connection.execute(
        sa.insert(raw_delivery).values(
            {
                "delivery_id": delivery_id, "kind": "supplier", "sender": sender, "sha256": f"{delivery_id:064x}",
                "name": f"{delivery_id}.mrc", "uri": "u", "bytes": 1, "state": "settled", "records_read": records,
                "received_at": at, "business_date": at.date(), **values,
            }
        )
    )  # fmt: skip
    seen(connection, delivery_id, at)
    return delivery_id


def seen(connection: Connection, delivery_id: int, at: datetime, *, is_repeat: bool = False) -> None:
    connection.execute(
        sa.insert(raw_delivery_name).values(
            delivery_id=delivery_id, name=f"{delivery_id}-{at:%d%H}", uri="u", seen_at=at, is_repeat=is_repeat
        )
    )


def daily(sender: str, **keys: Any) -> Feed:
    rhythm = Rhythm(**{"every": "day", "by": time(6), "grace_minutes": 60, **keys})
    return Feed("supplier", sender, sender.title(), rhythm, date(2020, 1, 1))


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def judged(connection: Connection, *feeds: Feed) -> list[FeedVerdict]:
    return judge_feeds(connection, feeds, ZONE, NOW)


def test_a_patron_source_is_a_feed_from_the_day_on_that_the_register_names(connection: Connection) -> None:
    register = read_register(SAMPLE_REGISTER)
    assert not [each for each in feeds_of(register) if each.kind == "patron"]
    sources = tuple(
        each.model_copy(update={"expected_from": date(2026, 2, 1)} if each.rhythm else {})
        for each in register.patron_sources
    )
    feeds = [
        each for each in feeds_of(register.model_copy(update={"patron_sources": sources})) if each.kind == "patron"
    ]
    assert {each.sender for each in feeds} >= {"NORUPERS", "VESTSTUD"}
    came(connection, "NORUPERS", hours_ago(6), records=460, kind="patron")
    came(connection, "VESTSTUD", hours_ago(6), records=300, kind="supplier")
    found = {each.feed.sender: each.rule for each in judged(connection, *feeds)}
    assert (found["NORUPERS"], found["VESTSTUD"]) == (FeedRule.AS_EXPECTED, FeedRule.MISSING)


def test_each_feed_is_judged_by_its_own_deliveries(connection: Connection) -> None:
    came(connection, "ONTIME", hours_ago(5))
    came(connection, "LATE", hours_ago(1))
    came(connection, "GONE", hours_ago(30))
    came(connection, "GONE", hours_ago(2), is_preview=True)
    again = came(connection, "AGAIN", hours_ago(60))
    seen(connection, again, hours_ago(4), is_repeat=True)
    came(connection, "OLD", hours_ago(4), business_date=TODAY - timedelta(days=9))
    found = judged(connection, *(daily(each) for each in ("ONTIME", "LATE", "GONE", "AGAIN", "OLD", "NEVER")))
    assert [(each.feed.sender, each.rule, each.missed) for each in found] == [
        ("ONTIME", FeedRule.AS_EXPECTED, 0),
        ("LATE", FeedRule.AS_EXPECTED, 0),
        ("GONE", FeedRule.MISSING, 1),
        ("AGAIN", FeedRule.STALE, 2),
        ("OLD", FeedRule.STALE, 0),
        ("NEVER", FeedRule.MISSING, 21),
    ]
    assert [each.last_seen_at for each in found] == [
        hours_ago(5), hours_ago(1), hours_ago(30), hours_ago(4), hours_ago(4), None,
    ]  # fmt: skip


def test_a_turn_adds_up_its_files_and_the_median_of_earlier_turns_is_usual(connection: Connection) -> None:
    for day in range(1, 8):
        for part in (40, 60):
            came(connection, "CUT", hours_ago(24 * day + 5), part, records_unreadable=1)
    came(connection, "CUT", hours_ago(3), 20)
    came(connection, "CUT", hours_ago(2), 30)
    (cut,) = judged(connection, daily("CUT", min_share=0.5))
    assert (cut.rule, cut.records, cut.usual_records) == (FeedRule.SHRUNKEN, 50, 102.0)
    (enough,) = judged(connection, daily("CUT", min_share=0.49))
    assert enough.rule == FeedRule.AS_EXPECTED


def test_without_a_rhythm_nothing_is_expected_and_nothing_asked(connection: Connection) -> None:
    assert judged(connection) == []
    register = read_register(SAMPLE_REGISTER)
    assert [each.sender for each in feeds_of(register)] == ["BOKRING", "NORDBOK", "MEDIAT", "FORHAND", "EBOKEN"]


def test_a_hundred_feeds_are_judged_at_once(connection: Connection) -> None:
    for number in range(0, 100, 2):
        came(connection, f"S{number}", hours_ago(3))
    found = judged(connection, *(daily(f"S{number}") for number in range(100)))
    assert [each.is_wrong for each in found] == [False, True] * 50


def view(connection: Connection) -> list[Any]:
    return list(connection.exec_driver_sql("SELECT sender, rule, missed, reason FROM out_feed ORDER BY sender"))


def test_what_was_found_is_kept_a_row_a_feed_and_day(connection: Connection) -> None:
    note_feeds(connection, judged(connection, daily("AAA"), daily("BBB")), checked_on=TODAY, zone=ZONE, now=NOW)
    came(connection, "BBB", hours_ago(1))
    for day in (TODAY, TODAY + timedelta(days=1)):
        note_feeds(connection, judged(connection, daily("BBB")), checked_on=day, zone=ZONE, now=NOW)
    assert view(connection) == [
        ("BBB", "feed_as_expected", 0, "came as expected by 2026-03-02 06:00"),
        ("BBB", "feed_as_expected", 0, "came as expected by 2026-03-02 06:00"),
    ]


def test_the_operator_is_told_once_a_day_in_the_language_of_the_consortium(warehouse: Warehouse) -> None:
    register = read_register(SAMPLE_REGISTER)
    with warehouse.write() as connection:
        came(connection, "NORDBOK", hours_ago(30))
        again = came(connection, "BOKRING", hours_ago(90))
        seen(connection, again, hours_ago(4), is_repeat=True)
        feeds = [daily("BOKRING"), daily("NORDBOK"), daily("EBOKEN")]
        came(connection, "EBOKEN", hours_ago(1))
        note_feeds(connection, judged(connection, *feeds), checked_on=TODAY, zone=ZONE, now=NOW)
    teller = Teller(register, ZONE, TODAY, NOW)
    assert tell_of_feeds(warehouse, teller) == {"feeds": 1}
    assert tell_of_feeds(warehouse, teller) == {}
    with warehouse.read() as connection:
        notice = connection.execute(sa.select(core_notice)).one()
    assert (notice.recipient, notice.language) == ("drift@samkatalogen.example", "sv")
    assert notice.subject == "2 leveranser inte som väntat: Bokringen AB och Nordbok Distribusjon AS"
    assert "* Bokringen AB (BOKRING)\n  Bara filer som redan hade kommit skickades igen." in notice.body_text
    assert (
        "  Inget har kommit.\n  Väntades senast: 2 mars 2026 06:00\n  Kom senast: 1 mars 2026 04:00" in notice.body_text
    )
    assert "EBOKEN" not in notice.body_text


def test_the_stages_judge_the_business_date_and_tell_of_it(open_place: OpenPlace, tmp_path: Path) -> None:
    place = open_place(today="2025-03-14")
    assert check_feeds.fn() == {"feeds": 5, "feed missing": 5}
    assert notify_feeds.fn() == {"feeds": 1}
    with place.warehouse.read() as connection:
        days = set(connection.exec_driver_sql("SELECT checked_on FROM out_feed").scalars())
    assert {str(each) for each in days} == {"2025-03-14"}
