"""To a patron source's contact: how many rows, and which files, were not taken, and where the particulars lie.

The e-mail says nothing about any row: the lists in the source's own place in the landing zone do (patron_lists.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, Phrases, standard_book


@dataclass(frozen=True, slots=True)
class FileRows:
    """One file of which rows were not taken: how many of how many, and the key of the list in the landing zone."""

    file_name: str
    rows_read: int
    rejected: int
    quarantined: int
    where: str


@dataclass(frozen=True, slots=True)
class FileNotTaken:
    """A file that was rejected as a whole. `detail` is in English, and says nothing about any person."""

    file_name: str
    business_date: date
    detail: str


@dataclass(frozen=True, slots=True)
class PatronRejects:
    """What one source is told about one run; `run_key` as in the digest."""

    source_code: str
    source_name: str
    recipient: str
    language: str
    run_key: str
    run_date: date
    rows: tuple[FileRows, ...] = ()
    files: tuple[FileNotTaken, ...] = ()


def compose_patron_rejects(
    rejects: PatronRejects, catalogue_name: str, sender: str, book: PhraseBook | None = None
) -> Message | None:
    """The e-mail to the source, in its language; None where everything was taken."""
    if not rejects.rows and not rejects.files:
        return None
    phrases = (book or standard_book()).language(rejects.language)
    subject = _subject(rejects, phrases)
    values = {
        "subject": subject,
        "rejects": rejects,
        "files": [(each, phrases.day(each.business_date)) for each in rejects.files],
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.REJECTS,
        recipient=rejects.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("patron_rejects", phrases, **values),
        html=render_html("patron_rejects", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.REJECTS}|patrons|{rejects.run_key}|{rejects.source_code}",
    )


def _subject(rejects: PatronRejects, phrases: Phrases) -> str:
    rows = sum(each.rejected + each.quarantined for each in rejects.rows)
    parts = [phrases.count("files", len(rejects.files))] if rejects.files else []
    if rows:
        parts.append(phrases.count("person_rejects.rows", rows))
    return phrases.say(
        "person_rejects.subject",
        what=phrases.series(parts),
        source=rejects.source_name,
        date=phrases.day(rejects.run_date),
    )
