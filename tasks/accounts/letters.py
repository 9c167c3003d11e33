"""E-mails about accounts: a list of accounts, what is about them, and what the reader is asked to do.

One letter a library (or the support desk) and occasion. Its key names the occasion, so nothing is told twice; a library
that the register does not know any more is told of at the support desk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_rules import AccountSystem
from schemas.register.register import Register
from schemas.warehouse.core import core_notice
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Attachment, Message, NoticeKind, file_name, one_line
from tasks.notices.queue import queue_messages
from tasks.notices.spreadsheet import csv_attachment
from tasks.notices.wording import Phrases, standard_book

Variant: TypeAlias = Literal[
    "expiring", "expired", "training", "flagged", "request", "renewal", "reminder", "unanswered", "settled",
    "rotation", "overdue", "retirement", "retired", "lending", "rows", "refused",
]  # fmt: skip
MOST_LINES: Final = 200
"""Accounts that stand in the e-mail itself; all of them are in the file that is attached."""


class Line(NamedTuple):
    """An account of a letter, or a title."""

    library: str
    account: str
    name: str = ""
    day: date | None = None
    rule: str = ""
    """Key of `accounts.rule`; empty: nothing is said."""
    about: str = ""
    """In words that need no translation, before the rule."""


class Table(NamedTuple):
    """A CSV that goes along; without one the lines themselves do, where they are too many."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Letter:
    """One e-mail."""

    variant: Variant
    recipient: str
    language: str
    place: str
    """Library, as it stands in the e-mail."""
    day: date
    lines: tuple[Line, ...]
    key: str
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Post:
    """What all letters of a run share."""

    register: Register
    system: AccountSystem
    now: datetime
    run_id: str | None = None

    def send(self, connection: Connection, letters: Iterable[Letter]) -> Counter[str]:
        """Put letters into the outbox; counts by variant of those that are new."""
        counts: Counter[str] = Counter()
        for each in letters:
            counts[f"told {each.variant}"] += sum(
                queue_messages(
                    connection, [self.message(each)],
                    sender=self.register.catalogue.sender, now=self.now, run_id=self.run_id,
                ).values()
            )  # fmt: skip
        return +counts

    def is_told(self, connection: Connection, letter: Letter) -> bool:
        """Whether a letter with this key is in the outbox, or was sent."""
        key = core_notice.c.dedup_key == self.dedup_key(letter)
        return connection.execute(sa.select(sa.literal(1)).where(key)).scalar() is not None

    def dedup_key(self, letter: Letter) -> str:
        """What names the occasion of a letter: the same key is queued once."""
        return f"{NoticeKind.ACCOUNTS}|{letter.variant}|{self.system.code}|{letter.key}"

    def message(self, letter: Letter) -> Message:
        """The letter as it is sent."""
        phrases = standard_book().language(letter.language)
        key, number = f"accounts.{letter.variant}", len(letter.lines)
        words = {"system": self.system.name, "library": letter.place, "date": phrases.day(letter.day)}
        subject = phrases.count(f"{key}.subject", number, system=self.system.name)
        shown = [_shown(each, phrases, letter) for each in letter.lines[:MOST_LINES]]
        columns = [name for name in ("library", "account", "name", "day", "about") if any(each[name] for each in shown)]
        values = {
            "subject": subject,
            "intro": phrases.say(f"{key}.intro", **words),
            "what": phrases.say(f"{key}.what", **words),
            "lines": shown,
            "columns": columns,
            "more": max(0, number - MOST_LINES),
            "catalogue_name": self.register.catalogue.name,
            "sender": self.register.catalogue.sender,
        }
        return Message(
            kind=NoticeKind.ACCOUNTS,
            recipient=letter.recipient,
            subject=one_line(subject),
            language=phrases.code,
            text=render_text("accounts", phrases, **values),
            html=render_html("accounts", phrases, **values),
            attachments=tuple(_attached(letter, self.system, phrases)),
            dedup_key=self.dedup_key(letter),
        )

    def to_libraries(
        self,
        variant: Variant,
        day: date,
        lines: Iterable[Line],
        key: str,
        tables: Mapping[str, Sequence[Table]] | None = None,
    ) -> list[Letter]:
        """A letter to each library of these lines."""
        by_library: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            by_library[line.library].append(line)
        return [
            self._to_library(variant, day, sigel, mine, f"{key}|{sigel}", tuple((tables or {}).get(sigel, ())))
            for sigel, mine in sorted(by_library.items())
        ]

    def _to_library(
        self, variant: Variant, day: date, sigel: str, lines: Sequence[Line], key: str, tables: tuple[Table, ...]
    ) -> Letter:
        library = self.register.library_by_sigel.get(sigel)
        if library is None:
            return Letter(variant, self.system.support, self.system.language, sigel, day, tuple(lines), key, tables)
        plain = tuple(each._replace(library="") for each in lines)
        return Letter(variant, library.contact, library.language, library.name, day, plain, key, tables)

    def to_support(
        self, variant: Variant, day: date, lines: Iterable[Line], key: str, tables: Sequence[Table] = ()
    ) -> list[Letter]:
        """A letter to the support desk; none where there are no lines."""
        found = tuple(lines)
        if not found:
            return []
        place = self.register.catalogue.name
        return [
            Letter(
                variant, self.system.support, self.system.language, place, day, found, f"{key}|support", tuple(tables)
            )
        ]


def _shown(line: Line, phrases: Phrases, letter: Letter) -> dict[str, str]:
    said = phrases.say_if_known(f"accounts.rule.{line.rule}") if line.rule else ""
    return {
        "library": line.library,
        "account": line.account,
        "name": line.name,
        "day": phrases.day(line.day) if line.day else "",
        "about": ": ".join(filter(None, [line.about, said])),
    }


def _attached(letter: Letter, system: AccountSystem, phrases: Phrases) -> Iterable[Attachment]:
    separator = phrases.grammar.csv_separator
    for table in letter.tables:
        yield csv_attachment(file_name(table.name), table.columns, table.rows, separator)
    if not letter.tables and len(letter.lines) > MOST_LINES:
        rows = [(each.library, each.account, each.name, each.day, each.rule, each.about) for each in letter.lines]
        name = file_name(f"{letter.variant}-{system.code}-{letter.day}.csv")
        yield csv_attachment(name, ("library", "login", "name", "expires_on", "rule", "about"), rows, separator)
