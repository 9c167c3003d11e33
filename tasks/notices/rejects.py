"""What a supplier is told when something was not accepted, and only then: one message a supplier and run.

Three forms, after the practice of the National Library of Australia: the rejected records as files (rejects_files.py),
the same as a table with the error of each, and a brief list in the mail itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from schemas.marc import Finding
from schemas.outcomes import RecordType
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Attachment, Message, NoticeKind, file_name, one_line
from tasks.notices.rejects_files import PieceBytes, PlacedPiece, collect_pieces, readable_record
from tasks.notices.spreadsheet import csv_attachment
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book

MAX_ROWS = 50
MAX_ATTACHED_BYTES = 7_000_000
"""Files together, before base64 makes them a third larger: many mail servers stop at 10 MB."""

CSV_COLUMNS = (
    "file",
    "record",
    "byte_offset",
    "record_type",
    "control_number",
    "title",
    "error_code",
    "error",
    "detail",
    "remedy",
    "findings",
    "attached_in",
    "attached_at_byte",
    "bytes",
    "content",
)
"""English in every language: programs read them."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A piece of a delivery that was not accepted, with the bytes as they came.

    `position` counts from 1 in the delivery, `byte_offset` is in the unpacked file. `format` is that of its file.
    """

    file_name: str
    format: Literal["iso2709", "marcxml"]
    position: int
    byte_offset: int
    record_type: RecordType
    content: bytes
    charset: str
    control_number: str
    title: str
    reason: Reason
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A whole delivery that could not be taken in."""

    file_name: str
    byte_count: int
    sha256: str
    reason: Reason
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class SupplierRejects:
    """What one supplier is told about one run. `run_key` as in the digest; `records_read` counts all that came.

    `rejected` may be more than the records given; left out, they are counted. The files are kept for `kept_days`.
    """

    supplier_code: str
    supplier_name: str
    recipient: str
    language: str
    run_key: str
    run_date: date
    records_read: int
    records: tuple[RejectedRecord, ...]
    files: tuple[RejectedFile, ...] = ()
    rejected: int = 0
    kept_days: int = 90
    sender_kind: str = "supplier"
    """As in the digest."""

    def total(self) -> int:
        """How many records were not accepted; never less than those given."""
        return max(self.rejected, len(self.records))


@dataclass(frozen=True, slots=True)
class ShownReject:
    """A rejected record with its error and its remedy in words."""

    record: RejectedRecord
    error: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A rejected file with its error and its remedy in words."""

    file: RejectedFile
    error: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class RejectForms:
    """The three forms: the brief lists, the table and the records as `attachments`, each with what it is.

    `left_out` counts the records that were too large to be attached.
    """

    records: tuple[ShownReject, ...]
    files: tuple[ShownFile, ...]
    attachments: tuple[Attachment, ...]
    about: tuple[tuple[str, str], ...]
    left_out: int


def reject_forms(
    rejects: SupplierRejects,
    phrases: Phrases,
    max_attached_bytes: int = MAX_ATTACHED_BYTES,
    names: Mapping[str, str] | None = None,
) -> RejectForms:
    """What was not accepted, in the three forms. `names` gives the files other names, by their extension."""
    placed = collect_pieces([_piece(record) for record in rejects.records], _stem(rejects), max_attached_bytes, names)
    attachments = placed.attachments
    if rejects.records:
        table = f"rejected-{_stem(rejects)}.csv" if names is None else names["csv"]
        attachments = (_table(table, rejects, placed.places, phrases), *attachments)
    return RejectForms(
        records=tuple(_shown(record, phrases) for record in rejects.records[:MAX_ROWS]),
        files=tuple(_shown_file(each, phrases) for each in rejects.files[:MAX_ROWS]),
        attachments=attachments,
        about=tuple((each.name, phrases.say(f"rejects.form.{_form(each)}")) for each in attachments),
        left_out=sum(place.attached_in == "" for place in placed.places.values()),
    )


def compose_supplier_rejects(
    rejects: SupplierRejects,
    catalogue_name: str,
    sender: str,
    book: PhraseBook | None = None,
    max_attached_bytes: int = MAX_ATTACHED_BYTES,
    names: Mapping[str, str] | None = None,
) -> Message | None:
    """The e-mail to the supplier, or None when everything was accepted.

    `names` gives the attached files other names, by their extension (`csv`, `mrc`, `xml`, `bin`).
    """
    if not rejects.records and not rejects.files:
        return None
    phrases = (book or standard_book()).language(rejects.language).about(rejects.sender_kind)
    forms = reject_forms(rejects, phrases, max_attached_bytes, names)
    subject = _subject(rejects, phrases)
    values = {
        "subject": subject,
        "rejects": rejects,
        "records": forms.records,
        "files": forms.files,
        "records_read": phrases.count("records", rejects.records_read),
        "records_rejected": phrases.count("records", rejects.total()),
        "not_listed": rejects.total() - len(rejects.records),
        "date": phrases.day(rejects.run_date),
        "attachments": forms.about,
        "left_out": forms.left_out,
        "kept_days": rejects.kept_days,
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.REJECTS,
        recipient=rejects.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("rejects", phrases, **values),
        html=render_html("rejects", phrases, **values),
        attachments=forms.attachments,
        dedup_key=f"{NoticeKind.REJECTS}|{rejects.run_key}|{rejects.supplier_code}",
    )


def _subject(rejects: SupplierRejects, phrases: Phrases) -> str:
    parts = []
    if rejects.files:
        parts.append(phrases.count("files", len(rejects.files)))
    if rejects.records:
        parts.append(phrases.count("records", rejects.total()))
    return phrases.say(
        "rejects.subject",
        what=phrases.series(parts),
        supplier=rejects.supplier_name,
        date=phrases.day(rejects.run_date),
    )


def _shown(record: RejectedRecord, phrases: Phrases) -> ShownReject:
    error = phrases.reason(record.reason, "fault", title=record.title)
    detail = "" if record.reason.text.casefold() == error.casefold() else record.reason.text
    remedy = phrases.say_if_known(f"remedy.{record.reason.rule}", **record.reason.parameters) or ""
    return ShownReject(record, error, detail, remedy or phrases.say(f"remedy_of_type.{record.record_type}"))


def _shown_file(file: RejectedFile, phrases: Phrases) -> ShownFile:
    remedy = phrases.say_if_known(f"remedy.{file.reason.rule}", **file.reason.parameters) or file.remedy
    error = phrases.reason(file.reason, "fault")
    detail = "" if file.reason.text.casefold() == error.casefold() else file.reason.text
    return ShownFile(file, error, detail, remedy or phrases.say("remedy_of_type.file"))


def _piece(record: RejectedRecord) -> PieceBytes:
    return PieceBytes(
        content=record.content,
        format=record.format,
        charset=record.charset,
        is_readable=record.record_type is not RecordType.UNREADABLE,
    )


def _stem(rejects: SupplierRejects) -> str:
    return file_name(f"{rejects.supplier_code}-{rejects.run_date:%Y-%m-%d}")


def _form(attachment: Attachment) -> str:
    """What an attachment is, as the mail explains it: table, iso2709, marcxml or unreadable."""
    return {"csv": "table", "mrc": "iso2709", "xml": "marcxml"}.get(attachment.name.rpartition(".")[2], "unreadable")


def _table(name: str, rejects: SupplierRejects, places: Mapping[int, PlacedPiece], phrases: Phrases) -> Attachment:
    def row(number: int, record: RejectedRecord) -> tuple[object, ...]:
        shown, place = _shown(record, phrases), places[number]
        return (
            record.file_name,
            record.position,
            record.byte_offset,
            record.record_type,
            record.control_number,
            record.title,
            record.reason.rule,
            shown.error,
            shown.detail,
            shown.remedy,
            "; ".join(f"{finding.code}: {finding.text}" for finding in record.findings),
            place.attached_in,
            place.at_byte if place.attached_in else None,
            len(record.content),
            readable_record(record.content),
        )

    rows = [row(number, record) for number, record in enumerate(rejects.records)]
    return csv_attachment(name, CSV_COLUMNS, rows, phrases.grammar.csv_separator)
