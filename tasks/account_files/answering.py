"""What the sender of a file about accounts is told: rows that stay behind, or a file that was refused as a whole."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_sources import AccountSource
from tasks.accounts.intake import ImportReport
from tasks.accounts.letters import Letter, Line, Post, Table
from tasks.notices.wording import standard_book

COLUMNS = ("line", "column", "cause", "remedy")


def tell_of_rows(
    connection: Connection, post: Post, source: AccountSource, delivery: sa.Row[Any], report: ImportReport
) -> Counter[str]:
    """The rows that cannot be taken, each with line, column, cause and remedy, in the e-mail and as a CSV; once."""
    if not report.rejects:
        return Counter()
    phrases = standard_book().language(source.language)
    lines = tuple(
        Line(
            "",
            phrases.say("accounts.row", line=each.line, column=each.field or "-"),
            about=f"{each.cause}: {each.remedy}",
        )
        for each in report.rejects
    )
    table = Table(f"rejects-{delivery.delivery_id}.csv", COLUMNS, [tuple(each) for each in report.rejects])
    return post.send(connection, [_letter("rows", source, delivery, lines, (table,))])


def tell_of_refused_file(
    connection: Connection, post: Post, source: AccountSource, delivery: sa.Row[Any]
) -> Counter[str]:
    """A file of which nothing was taken; once."""
    lines = (Line("", delivery.name, about=delivery.hold_reason or ""),)
    return post.send(connection, [_letter("refused", source, delivery, lines)])


def _letter(
    variant: Any, source: AccountSource, delivery: sa.Row[Any], lines: tuple[Line, ...], tables: tuple[Table, ...] = ()
) -> Letter:
    key = f"delivery {delivery.delivery_id}"
    day = delivery.business_date or delivery.received_at.date()
    return Letter(variant, source.contact, source.language, delivery.name, day, lines, key, tables)
