"""The digest: what a library is told about one supplier's deliveries of one run, or of what waited and was decided.

What needs attention comes first (refused, rejected, waiting), then what went well. A long digest shows its first
rows and carries the whole list as CSV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from schemas.outcomes import BibOutcome, HoldingOutcome
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Attachment, Message, NoticeKind, file_name, one_line
from tasks.notices.spreadsheet import csv_attachment
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book

MAX_ROWS = 200
"""Rows of an e-mail's tables together. Gmail cuts a message off at about 100 kB, which is some 250 rows."""

ORDER = (
    HoldingOutcome.REFUSED,
    HoldingOutcome.REJECTED,
    HoldingOutcome.WAITING,
    HoldingOutcome.CREATED,
    HoldingOutcome.UPDATED,
    HoldingOutcome.DELETED,
    HoldingOutcome.UNCHANGED,
)
NOT_LOADED = (HoldingOutcome.REFUSED, HoldingOutcome.REJECTED)
ADDED = (HoldingOutcome.CREATED, HoldingOutcome.UPDATED)
NEEDS_ATTENTION = (*NOT_LOADED, HoldingOutcome.WAITING)

CSV_COLUMNS = ("outcome", "happened", "title", "author", "isbn", "shelf_mark", "file", "record")


@dataclass(frozen=True, slots=True)
class DigestLine:
    """One holding of the library in a delivery. `position` is the record's place in the file, from 1."""

    title: str
    author: str
    isbn: str
    shelf_mark: str
    outcome: HoldingOutcome
    bib_outcome: BibOutcome | None
    reason: Reason | None
    position: int
    file_name: str


@dataclass(frozen=True, slots=True)
class LibraryDigest:
    """What one library is told about one supplier and one run.

    `run_key` must be the same when a run that was killed is done again: it makes the message the same message.
    `counts` and `bib_counts` may be more than the lines given; left out, they are counted from the lines.
    `has_waited`: these titles were told of before, as waiting, and this says what was decided.
    """

    library_name: str
    sigel: str
    recipient: str
    supplier_code: str
    supplier_name: str
    language: str
    run_key: str
    run_date: date
    lines: tuple[DigestLine, ...]
    counts: Mapping[HoldingOutcome, int] = field(default_factory=dict)
    bib_counts: Mapping[BibOutcome, int] = field(default_factory=dict)
    has_waited: bool = False
    sender_kind: str = "supplier"
    """`import` where an import profile stands for the supplier."""

    def total_of(self, outcome: HoldingOutcome) -> int:
        """How many holdings ended so; never less than the lines that say so."""
        return max(self.counts.get(outcome, 0), sum(line.outcome is outcome for line in self.lines))

    def total(self) -> int:
        """How many holdings there were."""
        return sum(self.total_of(outcome) for outcome in HoldingOutcome)


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line with its words."""

    line: DigestLine
    happened: str
    needs_attention: bool


@dataclass(frozen=True, slots=True)
class Section:
    """The lines of one outcome that are shown, out of `total`. `note` says what the outcome means."""

    outcome: HoldingOutcome
    heading: str
    note: str
    total: int
    lines: tuple[ShownLine, ...]


def compose_library_digest(
    digest: LibraryDigest, catalogue_name: str, sender: str, book: PhraseBook | None = None, max_rows: int = MAX_ROWS
) -> Message:
    """The e-mail for one library, in its language. With more than `max_rows` holdings all of them are attached."""
    phrases = (book or standard_book()).language(digest.language).about(digest.sender_kind)
    sections = _sections(digest, phrases, max_rows)
    shown = sum(len(section.lines) for section in sections)
    attachments: tuple[Attachment, ...] = ()
    if shown < len(digest.lines):
        attachments = (_all_lines(digest, phrases),)
    values = {
        "subject": _subject(digest, phrases),
        "summary": _summary(digest, phrases),
        "digest": digest,
        "sections": sections,
        "shown": shown,
        "total": digest.total(),
        "listed": len(digest.lines),
        "attached": attachments[0].name if attachments else "",
        "catalogue_counts": _catalogue_counts(digest, phrases),
        "files": sorted({line.file_name for line in digest.lines}),
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.DIGEST,
        recipient=digest.recipient,
        subject=one_line(_subject(digest, phrases)),
        language=phrases.code,
        text=render_text("digest", phrases, **values),
        html=render_html("digest", phrases, **values),
        attachments=attachments,
        dedup_key=f"{NoticeKind.DIGEST}|{digest.run_key}|{digest.supplier_code}|{digest.sigel}",
    )


def happened(line: DigestLine, digest: LibraryDigest, phrases: Phrases) -> str:
    """What became of a holding, as a sentence or two in the language of `phrases`.

    A reason in the warehouse's own English is shown only where something went wrong: elsewhere it would be noise.
    """
    context = {"library": digest.library_name, "sigel": digest.sigel, "supplier": digest.supplier_name}
    outcome = phrases.say(f"outcome.{line.outcome}")
    if line.outcome in NEEDS_ATTENTION:
        return phrases.reason(line.reason, **context) if line.reason else outcome
    words = []
    if line.outcome in ADDED and line.bib_outcome is not None:
        words.append(phrases.say_if_known(f"bib_note.{line.bib_outcome}"))
    if line.reason is not None:
        words.append(phrases.say_if_known(f"reason.{line.reason.rule}", **{**context, **line.reason.parameters}))
    return " ".join(filter(None, words)) or outcome


def _sections(digest: LibraryDigest, phrases: Phrases, max_rows: int) -> tuple[Section, ...]:
    left = max_rows
    sections = []
    for outcome in ORDER:
        lines = [line for line in digest.lines if line.outcome is outcome]
        total = digest.total_of(outcome)
        if total:
            shown = _shown(lines[:left], digest, phrases)
            note = _said("section_note", outcome, digest, phrases)
            sections.append(Section(outcome, _said("section", outcome, digest, phrases), note, total, shown))
            left -= len(shown)
    return tuple(sections)


def _said(what: str, outcome: HoldingOutcome, digest: LibraryDigest, phrases: Phrases) -> str:
    """Heading or note of an outcome. What was decided by a person is no error in the record: it has its own words."""
    later = phrases.say_if_known(f"later.{what}.{outcome}") if digest.has_waited else None
    return later or phrases.say(f"{what}.{outcome}")


def _shown(lines: Iterable[DigestLine], digest: LibraryDigest, phrases: Phrases) -> tuple[ShownLine, ...]:
    return tuple(
        ShownLine(line, happened(line, digest, phrases), needs_attention=line.outcome in NEEDS_ATTENTION)
        for line in lines
    )


def _subject(digest: LibraryDigest, phrases: Phrases) -> str:
    not_loaded = sum(digest.total_of(outcome) for outcome in NOT_LOADED)
    waiting = digest.total_of(HoldingOutcome.WAITING)
    parts = []
    if digest.has_waited:
        # What was refused may be a removal that was not approved: "not added" would be wrong.
        refused = digest.total_of(HoldingOutcome.REFUSED)
        parts += [phrases.count("outcome_count.refused", refused)] if refused else []
        not_loaded -= refused
    if not_loaded:
        parts.append(phrases.count("digest.not_loaded", not_loaded))
    if waiting:
        parts.append(phrases.count("digest.waiting", waiting))
    if not parts:
        changed = digest.total() - digest.total_of(HoldingOutcome.UNCHANGED)
        parts = [phrases.say("digest.all_done" if changed else "digest.no_change")]
    return phrases.say(
        "later.subject" if digest.has_waited else "digest.subject",
        titles=phrases.count("titles", digest.total()),
        supplier=digest.supplier_name,
        result=", ".join(parts),
        library=digest.library_name,
    )


def _summary(digest: LibraryDigest, phrases: Phrases) -> str:
    counts = Counter({outcome: digest.total_of(outcome) for outcome in ORDER})
    words = {outcome: f"outcome_count.{outcome}" for outcome in ORDER}
    if digest.has_waited:
        words[HoldingOutcome.REJECTED] = "digest.not_loaded"
    parts = [phrases.count(words[outcome], counts[outcome]) for outcome in ORDER if counts[outcome]]
    return phrases.say(
        "later.summary" if digest.has_waited else "digest.summary",
        titles=phrases.count("titles", digest.total()),
        supplier=digest.supplier_name,
        date=phrases.day(digest.run_date),
        result=phrases.series(parts or [phrases.say("digest.no_change")]),
    )


def _catalogue_counts(digest: LibraryDigest, phrases: Phrases) -> str:
    counts = digest.bib_counts or Counter(line.bib_outcome for line in digest.lines if line.bib_outcome is not None)
    # What was decided against is no error in the record, as this phrase would say; the section has said what it is.
    told = [each for each in BibOutcome if not (digest.has_waited and each is BibOutcome.REJECTED)]
    parts = [phrases.count(f"bib_count.{outcome}", counts[outcome]) for outcome in told if counts.get(outcome)]
    return phrases.say("digest.catalogue_counts", result=phrases.series(parts)) if parts else ""


def _all_lines(digest: LibraryDigest, phrases: Phrases) -> Attachment:
    name = file_name(f"{digest.supplier_code}-{digest.sigel}-{digest.run_date:%Y-%m-%d}") + ".csv"
    rows = (
        (
            _said("section", line.outcome, digest, phrases),
            happened(line, digest, phrases),
            line.title,
            line.author,
            line.isbn,
            line.shelf_mark,
            line.file_name,
            line.position,
        )
        for outcome in ORDER
        for line in digest.lines
        if line.outcome is outcome
    )
    columns = [phrases.say(f"column.{column}") for column in CSV_COLUMNS]
    return csv_attachment(name, columns, rows, phrases.grammar.csv_separator)
