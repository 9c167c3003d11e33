"""Which feeds the register expects, what came of each, and the rows that keep what was found.

Reading is three statements whatever the number of feeds and deliveries; the rules are rhythm.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.warehouse.base import UtcInstant
from schemas.warehouse.core import core_feed_check
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.landing.rhythm import Came, Feed, FeedVerdict, Turn, in_words, judge, turns

SUPPLIER, PATRON, ACCOUNT = "supplier", "patron", "account"
Key = tuple[str, str]
"""(kind, sender)"""


def feeds_of(register: Register) -> list[Feed]:
    """Everything of which the register says when it comes; from a supplier in the sandbox nothing is expected yet."""
    suppliers = [
        Feed(SUPPLIER, each.code, each.name, each.rhythm, each.agreement_from, each.agreement_to)
        for each in register.suppliers
        if each.rhythm is not None and not each.sandbox
    ]
    patrons = [
        Feed(PATRON, each.code, each.name, each.rhythm, each.expected_from)
        for each in register.patron_sources
        if each.rhythm is not None and each.expected_from is not None
    ]
    accounts = [
        Feed(ACCOUNT, each.code, each.name, each.rhythm, each.expected_from)
        for each in register.account_sources
        if each.rhythm is not None and each.expected_from is not None
    ]
    return suppliers + patrons + accounts


def judge_feeds(connection: Connection, feeds: Sequence[Feed], zone: ZoneInfo, now: datetime) -> list[FeedVerdict]:
    """What is to be said of each feed at `now`, in their order; those of which nothing was due yet are left out."""
    due = {(each.kind, each.sender): turns(each, zone, now) for each in feeds}
    due = {key: some for key, some in due.items() if some}
    if not due:
        return []
    came = _came(connection, due)
    seen = _last_seen(connection, due)
    return [
        judge(each, due[key], [came.get((*key, place), Came()) for place in range(len(due[key]))], seen.get(key))
        for each in feeds
        if (key := (each.kind, each.sender)) in due
    ]


def _came(connection: Connection, due: dict[Key, list[Turn]]) -> dict[tuple[str, str, int], Came]:
    """What came, by kind, sender and place of the turn (0 is the newest). Dry runs are no deliveries.

    Two statements, one row a file of the turns. Joined with the turns, a large ledger was compared with each of them.
    """
    key = (raw_delivery.c.kind, raw_delivery.c.sender)
    found: dict[tuple[str, str, int], Came] = {}
    rows = connection.execute(
        sa.select(
            *key,
            raw_delivery.c.received_at,
            raw_delivery.c.records_read + raw_delivery.c.records_unreadable,
            raw_delivery.c.business_date,
        ).where(_since_their_turns(due, raw_delivery.c.received_at), sa.not_(raw_delivery.c.is_preview))
    )
    for kind, sender, at, records, day in rows:
        place = _place(due.get((kind, sender), []), at)
        if place is not None:
            was = found.get((kind, sender, place), Came())
            newest = max(filter(None, (was.newest_day, day)), default=None)
            found[kind, sender, place] = Came(was.deliveries + 1, was.records + records, newest)
    repeats = connection.execute(
        sa.select(*key, raw_delivery_name.c.seen_at)
        .join(raw_delivery, raw_delivery.c.delivery_id == raw_delivery_name.c.delivery_id)
        .where(raw_delivery_name.c.is_repeat, _since_their_turns(due, raw_delivery_name.c.seen_at))
    )
    for kind, sender, at in repeats:
        place = _place(due.get((kind, sender), []), at)
        if place is not None:
            was = found.get((kind, sender, place), Came())
            found[kind, sender, place] = replace(was, repeats=was.repeats + 1)
    return found


def _place(some: Sequence[Turn], at: datetime) -> int | None:
    """The turn in which `at` lies, the newest first; the newest has no end: what came late counts for it."""
    return next((place for place, turn in enumerate(some) if at >= turn.begins), None)


def _since_their_turns(due: dict[Key, list[Turn]], at: sa.Column[datetime]) -> sa.ColumnElement[bool]:
    """Whether `at` lies in a turn of its feed: each feed's own time, or a weekly one would read half a year of all."""
    return sa.or_(
        *(
            sa.and_(raw_delivery.c.kind == kind, raw_delivery.c.sender == sender, at >= some[-1].begins)
            for (kind, sender), some in due.items()
        )
    )


def _last_seen(connection: Connection, due: dict[Key, list[Turn]]) -> dict[Key, datetime]:
    """When something of each feed came last, sent again or not."""
    key = (raw_delivery.c.kind, raw_delivery.c.sender)
    is_asked = sa.tuple_(*key).in_(list(due))
    first: sa.ColumnElement[datetime] = sa.func.max(raw_delivery.c.received_at)
    again: sa.ColumnElement[datetime] = sa.func.max(raw_delivery_name.c.seen_at)
    found: dict[Key, datetime] = {}
    for statement in (
        sa.select(*key, sa.type_coerce(first, UtcInstant)).where(is_asked, sa.not_(raw_delivery.c.is_preview)),
        sa.select(*key, sa.type_coerce(again, UtcInstant))
        .join(raw_delivery_name, raw_delivery_name.c.delivery_id == raw_delivery.c.delivery_id)
        .where(raw_delivery_name.c.is_repeat, is_asked, sa.not_(raw_delivery.c.is_preview)),
    ):
        for kind, sender, at in connection.execute(statement.group_by(*key)):
            found[kind, sender] = max(at, found.get((kind, sender), at))
    return found


def note_feeds(
    connection: Connection, verdicts: Sequence[FeedVerdict], *, checked_on: date, zone: ZoneInfo, now: datetime
) -> None:
    """Keep what was found on the day `checked_on`, in place of what was found on that day before."""
    connection.execute(sa.delete(core_feed_check).where(core_feed_check.c.checked_on == checked_on))
    rows = [{"checked_on": checked_on, "checked_at": now, **as_row(each, zone)} for each in verdicts]
    if rows:
        connection.execute(sa.insert(core_feed_check), rows)


def as_row(verdict: FeedVerdict, zone: ZoneInfo) -> dict[str, Any]:
    """The verdict as `out_feed` and `samkat status --json` have it: kind, sender, rule, expected_by, ..."""
    return {
        "kind": verdict.feed.kind,
        "sender": verdict.feed.sender,
        "rule": str(verdict.rule),
        "expected_by": verdict.expected_by,
        "last_seen_at": verdict.last_seen_at,
        "missed": verdict.missed,
        "records": verdict.records,
        "usual_records": verdict.usual_records,
        "about_on": verdict.newest_day,
        "about_from_on": verdict.oldest_day,
        "reason": in_words(verdict, zone),
    }


def as_markdown(verdicts: Sequence[FeedVerdict], zone: ZoneInfo) -> str:
    """The artifact of a check: a table of the feeds, those that need a look first."""
    lines = ["# Feeds", "", "| feed | | what was found | last seen |", "|---|---|---|---|"]
    for each in sorted(verdicts, key=lambda each: not each.is_wrong):
        seen = f"{each.last_seen_at.astimezone(zone):%Y-%m-%d %H:%M}" if each.last_seen_at else "never"
        mark = "**look**" if each.is_wrong else "as expected"
        lines.append(f"| {each.feed.sender} | {mark} | {in_words(each, zone)} | {seen} |")
    return "\n".join(lines) if verdicts else "# Feeds\n\nNothing was due, or the register expects nothing."
