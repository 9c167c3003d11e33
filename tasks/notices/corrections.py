"""The notice of correction: a delivery was undone, and this is what it means for a library.

What could not be taken back, because somebody changed it later, comes first: that is what the library should look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tasks.notices.digest import MAX_ROWS
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Attachment, Message, NoticeKind, file_name, one_line
from tasks.notices.spreadsheet import csv_attachment
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book

CSV_COLUMNS = ("happened", "title", "author", "isbn", "shelf_mark", "reason")


class CorrectionEffect(StrEnum):
    """What became of a holding when its delivery was undone, in the order in which a library should read it."""

    KEPT = "kept"
    REMOVED = "removed"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class CorrectionLine:
    """One holding. `reason` says why it was kept: who changed it after the delivery."""

    title: str
    author: str
    isbn: str
    shelf_mark: str
    effect: CorrectionEffect
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class LibraryCorrection:
    """What one library is told about one delivery that was undone."""

    library_name: str
    sigel: str
    recipient: str
    language: str
    delivery_id: int
    supplier_name: str
    file_name: str
    delivered_on: date
    reverted_on: date
    lines: tuple[CorrectionLine, ...]
    sender_kind: str = "supplier"
    """As in the digest."""


@dataclass(frozen=True, slots=True)
class CorrectionSection:
    """The lines of one effect that are shown, out of `total`."""

    effect: CorrectionEffect
    total: int
    lines: tuple[tuple[CorrectionLine, str], ...]


def compose_correction(
    correction: LibraryCorrection,
    catalogue_name: str,
    sender: str,
    book: PhraseBook | None = None,
    max_rows: int = MAX_ROWS,
) -> Message:
    """The e-mail to one library. A delivery is undone once: the second revert makes the same message."""
    phrases = (book or standard_book()).language(correction.language).about(correction.sender_kind)
    sections = _sections(correction, phrases, max_rows)
    shown = sum(len(section.lines) for section in sections)
    attachments = (_all_lines(correction, phrases),) if shown < len(correction.lines) else ()
    subject = phrases.say(
        "correction.subject",
        titles=phrases.count("titles", len(correction.lines)),
        supplier=correction.supplier_name,
        library=correction.library_name,
    )
    summary = phrases.say(
        "correction.summary",
        file=correction.file_name,
        supplier=correction.supplier_name,
        delivered=phrases.day(correction.delivered_on),
        reverted=phrases.day(correction.reverted_on),
    )
    values = {
        "subject": subject,
        "summary": summary,
        "correction": correction,
        "sections": sections,
        "shown": shown,
        "total": len(correction.lines),
        "attached": attachments[0].name if attachments else "",
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.CORRECTION,
        recipient=correction.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("correction", phrases, **values),
        html=render_html("correction", phrases, **values),
        attachments=attachments,
        dedup_key=f"{NoticeKind.CORRECTION}|{correction.delivery_id}|{correction.sigel}",
    )


def _sections(correction: LibraryCorrection, phrases: Phrases, max_rows: int) -> tuple[CorrectionSection, ...]:
    left = max_rows
    sections = []
    for effect in CorrectionEffect:
        lines = [line for line in correction.lines if line.effect is effect]
        if lines:
            shown = tuple((line, _why(line, phrases)) for line in lines[:left])
            sections.append(CorrectionSection(effect, len(lines), shown))
            left -= len(shown)
    return tuple(sections)


def _why(line: CorrectionLine, phrases: Phrases) -> str:
    return phrases.reason(line.reason, "correction_reason") if line.reason else ""


def _all_lines(correction: LibraryCorrection, phrases: Phrases) -> Attachment:
    name = file_name(f"correction-{correction.sigel}-{correction.reverted_on:%Y-%m-%d}") + ".csv"
    rows = (
        (
            phrases.say(f"correction.effect.{line.effect}"),
            line.title,
            line.author,
            line.isbn,
            line.shelf_mark,
            _why(line, phrases),
        )
        for effect in CorrectionEffect
        for line in correction.lines
        if line.effect is effect
    )
    columns = [phrases.say(f"column.{column}") for column in CSV_COLUMNS]
    return csv_attachment(name, columns, rows, phrases.grammar.csv_separator)
