"""What a library is told of records of the shared catalogue that became one, or two again, and hold its titles.

One message a library and run: what asks for a look comes first (two holdings that became one; of a split what others
had changed in between), then what only stands under another record now. It says who decided and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tasks.notices.digest import MAX_ROWS
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Attachment, Message, NoticeKind, file_name, one_line
from tasks.notices.spreadsheet import csv_attachment
from tasks.notices.wording import PhraseBook, Phrases, standard_book

CSV_COLUMNS = ("happened", "title", "author", "record_before", "record_now", "shelf_mark", "note")


class MergeEffect(StrEnum):
    """What became of a holding, in the order in which a library should read it; the first three ask for a look."""

    CHECK = "check"
    JOINED = "joined"
    PARTED = "parted"
    MOVED = "moved"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class NamedBib:
    """A record by what a librarian knows it by."""

    control_number: str
    title: str
    author: str
    isbn: str


@dataclass(frozen=True, slots=True)
class JoinedMarks:
    """What two holdings became: shelf marks kept, added from the other one, and of lines that both had."""

    kept: tuple[str, ...]
    added: tuple[str, ...]
    same: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergedTitle:
    """One holding. `before` and `now` are its records; of a holding that came later they are the same.

    `joined` where two holdings became one; `rule` where others had changed something before a split
    (tasks/catalogue/splitting_holdings.py has the rules). A shelf mark may be empty.
    """

    effect: MergeEffect
    before: NamedBib
    now: NamedBib
    shelf_marks: tuple[str, ...]
    joined: JoinedMarks | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class MergeNews:
    """What one library is told of the merges, or of the splits, of one run.

    `rule` says how it was decided: asked, forced, duplicate (from the worklist); split, reverted. `key` is made of
    what was merged, so it is the same when a run is done again.
    """

    on: date
    by: str
    rule: str
    reason: str
    key: str
    is_split: bool = False
    library_name: str = ""
    sigel: str = ""
    recipient: str = ""
    language: str = ""
    titles: tuple[MergedTitle, ...] = ()


@dataclass(frozen=True, slots=True)
class NewsLine:
    """A title with its words."""

    title: str
    author: str
    before: str
    now: str
    shelf_marks: str
    note: str


@dataclass(frozen=True, slots=True)
class NewsSection:
    """The lines of one effect that are shown, out of `total`."""

    effect: MergeEffect
    total: int
    lines: tuple[NewsLine, ...]


def compose_merge_news(
    news: MergeNews, catalogue_name: str, sender: str, book: PhraseBook | None = None, max_rows: int = MAX_ROWS
) -> Message:
    """The e-mail to one library: a digest of merges, a correction of what was split."""
    phrases = (book or standard_book()).language(news.language)
    sections = _sections(news, phrases, max_rows)
    shown = sum(len(section.lines) for section in sections)
    attachments = (_all_titles(news, phrases),) if shown < len(news.titles) else ()
    said = "merged.split" if news.is_split else "merged"
    subject = phrases.count(f"{said}.subject", len(news.titles), library=news.library_name)
    values = {
        "subject": subject,
        "summary": phrases.count(f"{said}.summary", len(news.titles), date=phrases.day(news.on)),
        "why": _why(news, phrases),
        "what_next": phrases.say(f"{said}.what_next"),
        "sections": sections,
        "shown": shown,
        "total": len(news.titles),
        "attached": attachments[0].name if attachments else "",
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    kind = NoticeKind.CORRECTION if news.is_split else NoticeKind.DIGEST
    return Message(
        kind=kind,
        recipient=news.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("merged", phrases, **values),
        html=render_html("merged", phrases, **values),
        attachments=attachments,
        dedup_key=f"{kind}|merge|{news.key}|{news.sigel}",
    )


def _why(news: MergeNews, phrases: Phrases) -> str:
    """Who decided and why; a reason in words is quoted as it was written."""
    key = "asked" if news.rule == "forced" else news.rule
    quoted = phrases.say_if_known(f"merged.why.{key}_because", by=news.by, reason=news.reason) if news.reason else None
    return quoted or phrases.say(f"merged.why.{key}", by=news.by)


def _sections(news: MergeNews, phrases: Phrases, max_rows: int) -> tuple[NewsSection, ...]:
    left = max_rows
    sections = []
    for effect in MergeEffect:
        titles = [each for each in news.titles if each.effect is effect]
        if titles:
            lines = tuple(_line(each, phrases) for each in titles[:left])
            sections.append(NewsSection(effect, len(titles), lines))
            left -= len(lines)
    return tuple(sections)


def _line(title: MergedTitle, phrases: Phrases) -> NewsLine:
    return NewsLine(
        title=title.now.title,
        author=title.now.author,
        before=_record(title.before, title.now, phrases),
        now=_record(title.now, title.now, phrases),
        shelf_marks=_series(title.shelf_marks, phrases),
        note=_note(title, phrases),
    )


def _record(bib: NamedBib, now: NamedBib, phrases: Phrases) -> str:
    """A record by its number and ISBN, and by its title where that is not the one that stands above."""
    parts = [bib.control_number]
    if bib.isbn:
        parts.append(f"{phrases.say('column.isbn')} {bib.isbn}")
    if bib.title and bib.title != now.title:
        parts.append(f"\N{LEFT DOUBLE QUOTATION MARK}{bib.title}\N{RIGHT DOUBLE QUOTATION MARK}")
    return ", ".join(parts)


def _note(title: MergedTitle, phrases: Phrases) -> str:
    values = {"before": title.before.control_number, "now": title.now.control_number}
    if title.joined is None:
        other = [phrases.say("merged.the_other", **values)] if title.effect is MergeEffect.PARTED else []
        return " ".join([*other, *([phrases.say(f"merged.left.{title.rule}", **values)] if title.rule else [])])
    said = []
    for part in ("kept", "added", "same"):
        marks = getattr(title.joined, part)
        if marks:
            said.append(phrases.say(f"merged.{part}", marks=_series(marks, phrases), **values))
    return " ".join(said if title.joined.added else [*said, phrases.say("merged.nothing_added", **values)])


def _series(marks: Iterable[str], phrases: Phrases) -> str:
    """Shelf marks, each once; where several copies stand under it, with their number."""
    counted = Counter(mark or phrases.say("merged.no_mark") for mark in marks)
    return ", ".join(mark if number == 1 else f"{mark} ({number})" for mark, number in counted.items())


def _all_titles(news: MergeNews, phrases: Phrases) -> Attachment:
    name = file_name(f"{'split' if news.is_split else 'merged'}-{news.sigel}-{news.on:%Y-%m-%d}") + ".csv"
    rows = []
    for effect in MergeEffect:
        for title in (each for each in news.titles if each.effect is effect):
            line = _line(title, phrases)
            happened = phrases.say(f"merged.effect.{effect}")
            rows.append((happened, line.title, line.author, line.before, line.now, line.shelf_marks, line.note))
    columns = [phrases.say(f"column.{column}") for column in CSV_COLUMNS]
    return csv_attachment(name, columns, rows, phrases.grammar.csv_separator)
