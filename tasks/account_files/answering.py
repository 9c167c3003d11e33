"""What the sender of a file about accounts is told: rows that stay behind, or a file that was refused as a whole."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_sources import AccountSource
from tasks.accounts.csv_files import Reject
from tasks.accounts.intake import ImportReport
from tasks.accounts.letters import Letter, Line, Post, Table
from tasks.accounts.roles import FINDING_WORDS
from tasks.notices.wording import Phrases, standard_book

COLUMNS: Final = ("line", "column", "cause", "remedy")
CAUSES: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?P<value>.*) is no day as YYYY-MM-DD", "no_day"),
        (r"(?P<value>.*) is a day that does not exist", "no_such_day"),
        (r"(?P<value>.*) is a day of another age", "another_age"),
        (r"(?P<value>.*) is no e-mail address", "no_email"),
        (r"(?P<value>.*) is none of (?P<known>.*)", "none_of"),
        (r"(?P<value>.*) is no role", "no_role"),
        (r"is empty", "empty"),
        (r"has (?P<cells>\d+) cells, the header (?P<columns>\d+)", "cells"),
        (r"is not UTF-8", "not_utf8"),
        (r"line (?P<line>\d+) is about the same", "twice"),
        (r"(?P<value>.*) is not there", "not_there"),
        (r"no library has the sigel (?P<value>.*)", "no_sigel"),
        (r"is about another library than (?P<own>.*)", "another_library"),
        (r"the mission ends before it starts", "ends_before_start"),
        (r"(?P<value>.*?) ?is still to come", "to_come"),
        (r"is a personal account", "personal"),
        (r"is no registrar on that day", "no_registrar"),
        (r"is not the registrar's own", "not_own"),
    )
)
"""Causes as the warehouse has them, and the phrase that says each."""


def tell_of_rows(
    connection: Connection, post: Post, source: AccountSource, delivery: sa.Row[Any], report: ImportReport
) -> Counter[str]:
    """The rows that cannot be taken as they are: line, column and cause, and a CSV with the remedy; once."""
    if not report.rejects and not report.refused_roles:
        return Counter()
    phrases = standard_book().language(source.language)
    lines = [
        Line("", phrases.say("accounts.row", line=each.line, column=each.field or "-"), about=cause_of(each, phrases))
        for each in report.rejects
    ]
    lines += [
        Line(
            "",
            phrases.say("accounts.row", line=line, column="roles"),
            about=f"{role}: {phrases.say(f'accounts.rule.{why}')}",
        )
        for line, _, role, why in report.refused_roles
    ]
    rows = [tuple(each) for each in report.rejects]
    rows += [
        (line, "roles", f"{role}: {FINDING_WORDS[why]}", "the rest of the row was taken")
        for line, _, role, why in report.refused_roles
    ]
    table = Table(f"rejects-{delivery.delivery_id}.csv", COLUMNS, rows)
    return post.send(connection, [_letter("rows", source, delivery, tuple(lines), (table,))])


def cause_of(reject: Reject, phrases: Phrases) -> str:
    """Why a row stays behind, in the reader's language where it knows the cause; else as the warehouse has it."""
    for pattern, name in CAUSES:
        found = pattern.fullmatch(reject.cause)
        if found:
            return phrases.say(f"accounts.cause.{name}", **found.groupdict())
    return f"{reject.cause}: {reject.remedy}"


def tell_of_refused_file(
    connection: Connection, post: Post, source: AccountSource, delivery: sa.Row[Any]
) -> Counter[str]:
    """A file of which nothing was taken; once."""
    why = (delivery.hold_reason or "").removeprefix(f"{delivery.name}: ")
    lines = (Line("", delivery.name, about=why),)
    return post.send(connection, [_letter("refused", source, delivery, lines)])


def _letter(
    variant: Any, source: AccountSource, delivery: sa.Row[Any], lines: tuple[Line, ...], tables: tuple[Table, ...] = ()
) -> Letter:
    key = f"delivery {delivery.delivery_id}"
    day = delivery.business_date or delivery.received_at.date()
    return Letter(variant, source.contact, source.language, delivery.name, day, lines, key, tables)
