"""To the operator: feeds that did not come as expected on a day, all in one e-mail, once a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.warehouse.core import core_feed_check
from tasks.landing.rhythm import FeedRule
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book

COMMAND = "samkat status"


@dataclass(frozen=True, slots=True)
class WrongFeed:
    """A feed and what is wrong with it. Instants are on the consortium's clock."""

    name: str
    sender: str
    expected_by: datetime
    last_seen_at: datetime | None
    missed: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class FeedReport:
    """Everything that is wrong with feeds on the day `on`."""

    recipient: str
    language: str
    on: date
    feeds: tuple[WrongFeed, ...]


def feed_report(connection: Connection, register: Register, zone: ZoneInfo, on: date) -> FeedReport | None:
    """What the check of the day `on` found wrong, in the order of the register; None where all is as expected."""
    rows = connection.execute(
        sa.select(core_feed_check).where(
            core_feed_check.c.checked_on == on, core_feed_check.c.rule != FeedRule.AS_EXPECTED
        )
    ).all()
    order = {each.code: place for place, each in enumerate(register.suppliers)}
    names = {each.code: each.name for each in register.suppliers}
    found = tuple(
        _wrong_feed(row, names.get(row.sender, row.sender), register.catalogue.language, zone)
        for row in sorted(rows, key=lambda row: (order.get(row.sender, len(order)), row.sender))
    )
    catalogue = register.catalogue
    return FeedReport(catalogue.operator, catalogue.language, on, found) if found else None


def _wrong_feed(row: sa.Row[tuple[object, ...]], name: str, language: str, zone: ZoneInfo) -> WrongFeed:
    phrases = standard_book().language(language)
    values = row._mapping
    rule = values["rule"]
    parameters: dict[str, object] = {"records": phrases.number(values["records"])}
    if rule == FeedRule.STALE:
        if values["about_on"] is None:
            rule = "feed_repeated"
        else:
            parameters |= {"about": phrases.day(values["about_on"]), "least": phrases.day(values["about_from_on"])}
    if values["usual_records"] is not None:
        parameters["usual"] = phrases.number(round(values["usual_records"]))
    return WrongFeed(
        name=name,
        sender=values["sender"],
        expected_by=values["expected_by"].astimezone(zone),
        last_seen_at=values["last_seen_at"].astimezone(zone) if values["last_seen_at"] else None,
        missed=values["missed"],
        reason=Reason(rule, values["reason"], parameters),
    )


def compose_feed_report(
    report: FeedReport, catalogue_name: str, sender: str, book: PhraseBook | None = None
) -> Message:
    """The e-mail to the operator; one a day, whatever else is found on it later."""
    phrases = (book or standard_book()).language(report.language)
    names = phrases.series([each.name for each in report.feeds])
    subject = phrases.count("feeds.subject", len(report.feeds), names=names)
    values = {
        "subject": subject,
        "date": phrases.day(report.on),
        "feeds": [
            {
                "name": f"{each.name} ({each.sender})",
                "reason": _reason(each, phrases),
                "expected": _moment(each.expected_by, phrases),
                "seen": _moment(each.last_seen_at, phrases),
            }
            for each in report.feeds
        ],
        "command": COMMAND,
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.FEEDS,
        recipient=report.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("feeds", phrases, **values),
        html=render_html("feeds", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.FEEDS}|{report.on.isoformat()}",
    )


def _reason(feed: WrongFeed, phrases: Phrases) -> str:
    if feed.reason.rule == FeedRule.MISSING and feed.missed > 1:
        return phrases.count("feeds.missed", feed.missed)
    return phrases.reason(feed.reason, "feeds.rule")


def _moment(at: datetime | None, phrases: Phrases) -> str:
    return f"{phrases.day(at.date())} {at:%H:%M}" if at else phrases.say("feeds.never")
