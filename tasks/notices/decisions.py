"""Cataloguers' decisions, read from the worklist that comes back as CSV.

It may have been through Excel, LibreOffice or a text editor: BOM or none, UTF-8, UTF-16 or Windows-1252; semicolons,
commas or tabs; CRLF or LF; a `sep=` line; blanks and capitals where nobody meant them; columns moved or dropped. A
line that cannot be understood becomes a problem that says which line and what to do; the other lines count.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

MAX_BYTES = 20_000_000
_BLANK = " \t\r\n\xa0"
_HOW = "write match: and the number of the bib, or new, or reject, or leave it empty"
_HOW_PAIR = "write same, or same: and the number of the bib that stays, or different, or leave it empty"
_DECISION = re.compile(r"(?P<match>match)\s*[:=]?\s*(?P<bib_id>\d{1,18})|(?P<new>new)|(?P<reject>reject)")
_PAIR = re.compile(r"(?P<same>same)(?:\s*[:=]?\s*(?P<bib_id>\d{1,18}))?|(?P<different>different)")


class Choice(StrEnum):
    """What a cataloguer can decide of an incoming bib; and of two bibs of the catalogue that look like one."""

    MATCH = "match"
    NEW = "new"
    REJECT = "reject"
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decided case. `bib_id` is there for a match, and where it says which of two stays. `line` is from 1."""

    review_id: int
    choice: Choice
    bib_id: int | None
    comment: str
    line: int
    is_pair: bool = False
    """It is about a pair of bibs: `review_id` is 4 of D4."""

    @property
    def key(self) -> str:
        """As the worklist names it: 4, or D4."""
        return f"D{self.review_id}" if self.is_pair else str(self.review_id)

    def __str__(self) -> str:
        """As the warehouse keeps it: `match:<bib_id>`, `new`, `reject`, `same`, `same:<bib_id>` or `different`."""
        return self.choice.value if self.bib_id is None else f"{self.choice.value}:{self.bib_id}"


@dataclass(frozen=True, slots=True)
class DecisionProblem:
    """A line that was not taken, and what to do. `line` is 0 where it is about the whole file."""

    line: int
    cause: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "the file"
        return f"{where}: {self.cause} ({self.remedy})"


def read_decisions(stream: BinaryIO) -> tuple[list[DecisionLine], list[DecisionProblem]]:
    """Decisions in the order of the file, and problems in the order of their lines.

    A row whose `decision` is empty is not decided, and no problem. A case decided twice in the same way counts once;
    decided in two ways, neither counts. Whether the case is open and the bib is there is for the caller to check.
    """
    payload = stream.read(MAX_BYTES + 1)
    if len(payload) > MAX_BYTES:
        return [], [DecisionProblem(0, f"larger than {MAX_BYTES // 1_000_000} MB", "send the worklist alone")]
    text = _decoded(payload)
    if text is None:
        return [], [DecisionProblem(0, "not a text file", "save the worklist as CSV, not as a workbook (xlsx, ods)")]
    problems: list[DecisionProblem] = []
    taken: dict[str, DecisionLine] = {}
    disputed: set[str] = set()
    for found in _rows(text):
        if isinstance(found, DecisionProblem):
            problems.append(found)
            continue
        earlier = taken.setdefault(found.key, found)
        if str(earlier) != str(found):
            disputed.add(found.key)
            problems.append(_dispute(earlier, found))
    return [decision for key, decision in taken.items() if key not in disputed], problems


def _decoded(payload: bytes) -> str | None:
    """The text, or None where it is none. Windows-1252 only where it is not UTF-8: Excel's plain CSV is that."""
    if payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charsets = ["utf-16"]
    elif b"\0" in payload or payload.startswith(b"PK\x03\x04"):
        return None
    else:
        charsets = ["utf-8-sig", "cp1252", "latin-1"]
    for charset in charsets:
        try:
            return payload.decode(charset)
        except UnicodeDecodeError:
            continue
    return None


def _rows(text: str) -> Iterator[DecisionLine | DecisionProblem]:
    """Each row's decision or problem; undecided rows are passed over."""
    lines = list(io.StringIO(text, newline=""))
    skipped = 0
    while skipped < len(lines) and (not lines[skipped].strip(_BLANK + ";,") or lines[skipped].startswith("sep=")):
        skipped += 1
    if skipped == len(lines):
        yield DecisionProblem(0, "empty", "send the worklist with its heading line")
        return
    rows = _numbered(lines, skipped)
    try:
        line, heading = next(rows)
        columns = [_column(cell) for cell in heading]
        missing = [name for name in ("review_id", "decision") if columns.count(name) != 1]
        if missing:
            cause = f"the heading line must have the column {' and '.join(missing)} once"
            yield DecisionProblem(line, cause, "keep the worklist's heading line; the separator is ; or , or tab")
            return
        for line, cells in rows:
            found = _one(dict(zip(columns, (cell.strip(_BLANK) for cell in cells), strict=False)), line)
            if found is not None:
                yield found
    except csv.Error as error:
        yield DecisionProblem(line, f"not CSV after this line: {error}", "check the quotation marks from there on")


def _numbered(lines: list[str], skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line on which each starts; a quoted cell may run over several lines."""
    # The separator is the one the heading line has most of: no column name has one inside.
    reader = csv.reader(lines[skipped:], delimiter=max(";,\t", key=lines[skipped].count))
    start = 1
    for cells in reader:
        yield skipped + start, cells
        start = reader.line_num + 1


def _one(row: dict[str, str], line: int) -> DecisionLine | DecisionProblem | None:
    words = " ".join(row.get("decision", "").replace("\xa0", " ").strip("'\" ").lower().split())
    if not words:
        return None
    number = re.fullmatch(r"'?([Dd]?)\s*(\d{1,18})(?:[.,]0+)?", row.get("review_id", ""))
    if number is None:
        return DecisionProblem(
            line, f"review_id is {_quoted(row.get('review_id', ''))}, not a number", "copy it from the worklist"
        )
    is_pair = bool(number[1])
    found = (_PAIR if is_pair else _DECISION).fullmatch(words)
    if found is None:
        how = _HOW_PAIR if is_pair else _HOW
        return DecisionProblem(line, f"decision {_quoted(row['decision'])} is not understood", how)
    chosen = next(word for name, word in found.groupdict().items() if word and name != "bib_id")
    bib_id = int(found["bib_id"]) if found["bib_id"] else None
    return DecisionLine(int(number[2]), Choice(chosen), bib_id, row.get("comment", ""), line, is_pair)


def _dispute(earlier: DecisionLine, later: DecisionLine) -> DecisionProblem:
    return DecisionProblem(
        later.line,
        f"review {later.key} is decided twice: {earlier} in line {earlier.line}, {later} here",
        "keep one of the two lines and send the file again; neither was taken",
    )


def _column(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", cell.replace("\ufeff", "").strip(_BLANK + "'\"").lower())


def _quoted(text: str) -> str:
    return f"'{text[:40]}'" if text else "empty"
