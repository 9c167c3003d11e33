"""Which feeds the register expects, what came of each, and the rows that keep what was found.

Reading is two statements whatever the number of feeds and deliveries; the rules are rhythm.py's. A patron source will
be a feed of another kind: `feeds_of` and the reading are all that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
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

SUPPLIER = "supplier"
Key = tuple[str, str]
"""(kind, sender)"""


def feeds_of(register: Register) -> list[Feed]:
    """Everything of which the register says when it comes."""
    return [
        Feed(SUPPLIER, each.code, each.name, each.rhythm, each.agreement_from, each.agreement_to)
        for each in register.suppliers
        if each.rhythm is not None
    ]


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
    """What came, by kind, sender and place of the turn (0 is the newest). Dry runs are no deliveries."""
    turn = _turns_as_rows(due)
    counted: dict[tuple[str, str, int], Came] = {}
    is_of_turn = sa.and_(turn.c.kind == raw_delivery.c.kind, turn.c.sender == raw_delivery.c.sender)
    key = (turn.c.kind, turn.c.sender, turn.c.place)
    repeats = connection.execute(
        sa.select(*key, sa.func.count())
        .select_from(raw_delivery_name)
        .join(raw_delivery, raw_delivery.c.delivery_id == raw_delivery_name.c.delivery_id)
        .join(turn, sa.and_(is_of_turn, _is_within(raw_delivery_name.c.seen_at, turn)))
        .where(raw_delivery_name.c.is_repeat)
        .group_by(*key)
    )
    again = {(kind, sender, place): number for kind, sender, place, number in repeats}
    counted = {each: Came(repeats=number) for each, number in again.items()}
    rows = connection.execute(
        sa.select(
            *key,
            sa.func.count(),
            sa.func.sum(raw_delivery.c.records_read + raw_delivery.c.records_unreadable),
            sa.func.max(raw_delivery.c.business_date),
        )
        .join(turn, sa.and_(is_of_turn, _is_within(raw_delivery.c.received_at, turn)))
        .where(sa.not_(raw_delivery.c.is_preview))
        .group_by(*key)
    )
    for kind, sender, place, deliveries, records, newest_day in rows:
        repeated = again.get((kind, sender, place), 0)
        counted[kind, sender, place] = Came(deliveries, int(records or 0), newest_day, repeated)
    return counted


def _is_within(at: sa.Column[datetime], turn: sa.CTE) -> sa.ColumnElement[bool]:
    return sa.and_(at >= turn.c.begins, sa.or_(turn.c.ends.is_(None), at < turn.c.ends))


def _turns_as_rows(due: dict[Key, list[Turn]]) -> sa.CTE:
    """Every turn of every feed as a row; the newest of a feed has no end: what came late counts for it."""
    columns: tuple[sa.ColumnClause[Any], ...] = (
        sa.column("kind", sa.Text),
        sa.column("sender", sa.Text),
        sa.column("place", sa.Integer),
        sa.column("begins", UtcInstant),
        sa.column("ends", UtcInstant),
    )
    rows = [
        (*key, place, each.begins, each.ends if place else None)
        for key, some in due.items()
        for place, each in enumerate(some)
    ]
    return sa.values(*columns, name="turn").data(rows).cte("turn")


def _last_seen(connection: Connection, due: dict[Key, list[Turn]]) -> dict[Key, datetime]:
    """When something of each feed came last, sent again or not."""
    seen: sa.ColumnElement[datetime] = sa.func.max(raw_delivery_name.c.seen_at)
    rows = connection.execute(
        sa.select(raw_delivery.c.kind, raw_delivery.c.sender, sa.type_coerce(seen, UtcInstant))
        .join(raw_delivery_name, raw_delivery_name.c.delivery_id == raw_delivery.c.delivery_id)
        .where(raw_delivery.c.sender.in_([sender for _, sender in due]), sa.not_(raw_delivery.c.is_preview))
        .group_by(raw_delivery.c.kind, raw_delivery.c.sender)
    )
    return {(kind, sender): at for kind, sender, at in rows}


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
