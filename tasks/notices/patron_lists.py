"""What files of persons leave in the source's own place in the landing zone: rows that were not taken, with reasons,
and the persons about whom staff have to decide.

`errors.csv` and `list.txt` hold positions and reasons, never a person's data. `review.csv` names persons by their
primary id alone; of one with protected identity it says nothing else. Written a row at a time, and again with the same
content, so that it may come before the transaction that settles that the e-mails are queued.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.warehouse.patrons import core_patron, core_patron_change, raw_patron_reject
from tasks.landing.archive import RejectForm, rejects_key
from tasks.landing.zone import LandingZone
from tasks.notices.gathering_patrons import PatronFile, library_of
from tasks.notices.spreadsheet import write_csv
from tasks.notices.wording import Phrases, Reason, standard_book
from tasks.warehouse.engine import Warehouse

ERROR_COLUMNS = (
    *("file", "member", "record", "line", "byte_offset", "outcome", "field"),
    *("error_code", "error", "detail", "remedy"),
)
REVIEW_COLUMNS = ("primary_id", "path", "rule", "reason")
"""English in every language: programs read them."""
MOST_LISTED = 1_000
"""Rows in list.txt; errors.csv has them all."""
_AT_ONCE = 2_000
_IN_MEMORY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FiledLists:
    """Keys of the landing zone; empty where there was nothing to write."""

    errors: str = ""
    reviews: str = ""


def file_lists(
    warehouse: Warehouse, zone: LandingZone, register: Register, files: Sequence[PatronFile]
) -> dict[int, FiledLists]:
    """Write the lists of each file into `rejects/<source>/<delivery>/`; returns where they are, by delivery."""
    return {
        each.delivery_id: _file_one(warehouse, zone, register, each)
        for each in files
        if each.sender in register.patron_source_by_code and not each.is_rejected
    }


def _file_one(warehouse: Warehouse, zone: LandingZone, register: Register, file: PatronFile) -> FiledLists:
    source = register.patron_source_by_code[file.sender]
    library = library_of(register, source)
    theirs = standard_book().language(source.language)
    ours = standard_book().language(library.language if library else source.language)
    errors = reviews = ""
    with warehouse.read() as connection:
        if file.rejected or file.quarantined:
            rows = _error_rows(connection, file, theirs)
            errors = _put(
                zone, file, "errors", "csv", lambda to: write_csv(to, ERROR_COLUMNS, rows, _separator(theirs))
            )
            lines = _list_lines(connection, file, theirs)
            _put(zone, file, "list", "txt", lambda to: to.writelines(lines))
        if _has_reviews(connection, file):
            asked = _review_rows(connection, file, ours)
            reviews = _put(
                zone, file, "review", "csv", lambda to: write_csv(to, REVIEW_COLUMNS, asked, _separator(ours))
            )
    return FiledLists(errors, reviews)


def _separator(phrases: Phrases) -> str:
    return phrases.grammar.csv_separator


def _put(
    zone: LandingZone, file: PatronFile, form: RejectForm, extension: str, write: Callable[[TextIO], object]
) -> str:
    """Write one file; returns its key."""
    key = rejects_key(file.sender, file.delivery_id, form, extension)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
        text = io.TextIOWrapper(cast(BinaryIO, content), encoding="utf-8", newline="")
        write(text)
        text.flush()
        text.detach()
        content.seek(0)
        zone.put(key, cast(BinaryIO, content), overwrite=True)
    return key


def _rejected(connection: Connection, file: PatronFile) -> Iterator[sa.Row[Any]]:
    statement = (
        sa.select(raw_patron_reject)
        .where(raw_patron_reject.c.delivery_id == file.delivery_id)
        .order_by(raw_patron_reject.c.record_no)
    )
    yield from connection.execute(statement, execution_options={"yield_per": _AT_ONCE})


def _error_rows(connection: Connection, file: PatronFile, phrases: Phrases) -> Iterator[tuple[object, ...]]:
    for row in _rejected(connection, file):
        error, detail, remedy = _said(row, phrases)
        yield (
            *(file.name, row.member, row.record_no, row.line, row.byte_offset, row.kind, row.field),
            *(row.rule, error, detail, remedy),
        )


def _said(row: sa.Row[Any], phrases: Phrases) -> tuple[str, str, str]:
    """Error, particulars in English, and remedy of a row. A rule that no language knows is told as it is kept."""
    error = phrases.reason(Reason(row.rule, row.cause), "person_fault")
    remedy = phrases.say_if_known(f"person_remedy.{row.rule}") or row.remedy or phrases.say("person_remedy.file")
    return error, "; ".join(filter(None, [row.cause, row.remedy])), remedy


def _list_lines(connection: Connection, file: PatronFile, phrases: Phrases) -> Iterator[str]:
    yield phrases.say("person_list.heading", file=file.name) + "\n"
    for name, number in (("rejected", file.rejected), ("quarantined", file.quarantined)):
        if number:
            yield phrases.say(f"person_list.{name}", n=phrases.number(number)) + "\n"
    number = 0
    for number, row in enumerate(_rejected(connection, file), start=1):
        if number <= MOST_LISTED:
            error, detail, remedy = _said(row, phrases)
            yield f"\n{_place(row, phrases)}: {error} [{row.rule}]\n  {detail}\n  {remedy}\n"
    if number > MOST_LISTED:
        yield "\n" + phrases.say("person_list.more", n=phrases.number(number - MOST_LISTED)) + "\n"


def _place(row: sa.Row[Any], phrases: Phrases) -> str:
    """Where a row stands, as far as its format says."""
    parts = [phrases.say("person_list.row", record=row.record_no)]
    if row.member:
        parts.append(row.member)
    if row.line is not None:
        parts.append(phrases.say("person_list.line", line=row.line))
    if row.byte_offset is not None:
        parts.append(phrases.say("person_list.byte", byte=row.byte_offset))
    if row.field:
        parts.append(phrases.say("person_list.field", field=row.field))
    return ", ".join(parts)


def _asked(file: PatronFile) -> tuple[sa.ColumnElement[bool], ...]:
    change = core_patron_change
    return (
        change.c.delivery_id == file.delivery_id,
        change.c.decision == "review",
        change.c.reverted_at.is_(None),
        change.c.primary_id != "",
    )


def _has_reviews(connection: Connection, file: PatronFile) -> bool:
    found = connection.execute(sa.select(core_patron_change.c.change_id).where(*_asked(file)).limit(1))
    return found.one_or_none() is not None


def _review_rows(connection: Connection, file: PatronFile, phrases: Phrases) -> Iterator[tuple[object, ...]]:
    """A row a question, by id as it is now; of a person with protected identity one row with the id alone."""
    change, person = core_patron_change, core_patron
    names = (person.c.primary_id, person.c.is_confidential, change.c.path, change.c.rule, change.c.reason)
    rows = connection.execute(
        sa.select(*names)
        .join(person, person.c.person_id == change.c.person_id)
        .where(*_asked(file), person.c.state != "erased")
        .order_by(person.c.primary_id, person.c.person_id, change.c.path, change.c.change_id),
        execution_options={"yield_per": _AT_ONCE},
    )
    last: tuple[object, ...] = ()
    for row in rows:
        shown: tuple[object, ...] = (row.primary_id, None, None, None)
        if not row.is_confidential:
            reason = phrases.reason(Reason(row.rule, row.reason), "person_review")
            shown = (row.primary_id, row.path, row.rule, reason)
        if shown != last:
            yield shown
        last = shown
