"""A library's stock as a table (CSV): each row becomes a small MARC record, so that it is matched like any other.

The bytes of a row are kept as they came. A row is read by itself: what is wrong with one is told of it and of no other,
and a quotation mark that nobody closes does not swallow the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from schemas.errors import DeliveryRejectedError
from schemas.marc import Finding, StagedPiece
from tasks.marc.encode import assemble
from tasks.marc.facts import bib_facts
from tasks.marc.records import SUBFIELD_MARK, LazyRecord
from tasks.marc.stock import TABLE_MEANINGS, StockRules, stock_of_cells

MOST_LINES = 40
"""Lines that one row may run over, with line ends inside quotation marks."""
LEADER = "00000nam a22000005  4500"
"""A book, level 5: what a table says is little, and any record may take its place."""
_SEPARATORS = ";\t,|"
_BOM = b"\xef\xbb\xbf"
_BREAKS = re.compile("[\x00-\x1f\x7f\u2028\u2029]+")
_YEAR = re.compile(r"(?<![0-9])(1[4-9][0-9]{2}|20[0-9]{2})(?![0-9])")
# Not the decimal comma of a number that a spreadsheet has rounded (9,78914E+12): that is told as such.
_ISBNS = re.compile(r"\s*(?:[;|/\n]|,(?![0-9]+[eE]\+?[0-9]))\s*")
_NAMES = re.compile(r"\s*[;|]\s*")
_NOT_LETTERS = re.compile(r"[^0-9a-zåäöæøéü]+")
HEADINGS: Mapping[str, frozenset[str]] = {
    "isbn": frozenset({"isbn", "isbn13", "isbn10", "isbnissn", "isbnnummer", "ean"}),
    "title": frozenset({"title", "titel", "tittel", "nimeke", "titre", "maintitle", "huvudtitel"}),
    "author": frozenset(
        {"author", "authors", "författare", "forfatter", "forfattere", "upphov", "upphovsperson", "tekijä", "verfasser"}
    ),
    "year": frozenset(
        {"year", "år", "aar", "utgivningsår", "utgivelsesår", "udgivelsesår", "pubyear", "vuosi", "jahr"}
    ),
    "shelf_mark": frozenset(
        {"shelfmark", "callnumber", "hylla", "hyllsignum", "hyllplacering", "signum", "hylle", "opstilling", "signatur"}
    ),
    "local_id": frozenset(
        {"id", "localid", "recordid", "bibid", "titelid", "titleid", "postid", "katalogid", "biblionumber", "nr"}
    ),
    "library": frozenset({"library", "bibliotek", "sigel", "branch", "filial", "enhet", "avdeling", "kirjasto"}),
    "control_number": frozenset({"controlnumber", "kontrollnummer", "librisid", "catalogueid"}),
}
"""Headings that are understood without being told, letters and digits only."""


class Table(NamedTuple):
    """The heading line of a table, and where in a row each meaning stands."""

    separator: str
    headings: tuple[str, ...]
    places: Mapping[str, int]

    def leaves_open(self, content: bytes) -> bool:
        """Whether a cell of these lines begins with a quotation mark that nothing closes. One inside a cell is text."""
        if b'"' not in content:
            return False
        sign = re.escape(self.separator.encode())
        closed = rb"(?:(?<=^)|(?<=" + sign + rb'))"(?:[^"]|"")*"(?=' + sign + rb"|\r?\n?\Z)"
        return re.search(rb"(?:^|" + sign + rb')"', re.sub(closed, b"", content)) is not None


class Row(NamedTuple):
    """A row's bytes, where they begin, and its cells; without cells `defect` says why."""

    byte_offset: int
    content: bytes
    cells: tuple[str, ...]
    charset: str
    defect: str


def is_table(head: bytes) -> bool:
    """Whether a file that is no MARC begins like a table: a line of several cells, and text throughout."""
    line = head.removeprefix(_BOM).lstrip().splitlines()[:1]
    if not line or b"\x00" in head or line[0][:1] in b"<{[":
        return False
    return any(separator.encode() in line[0] for separator in _SEPARATORS)


def table_pieces(
    stream: BinaryIO, *, member_no: int, first_position: int, rules: StockRules, own_prefix: str, file: str | None
) -> Iterator[StagedPiece]:
    """The rows of a table as pieces, in order. Raises `DeliveryRejectedError` where its heading cannot be understood,
    or where no row follows."""
    lines = _Lines(stream)
    table = _table(lines.next(), rules, file)
    position = first_position
    for row in _rows(lines, table):
        yield _piece(row, table, rules, own_prefix, member_no, position)
        position += 1
    if position == first_position:
        raise DeliveryRejectedError(
            "the table has a heading line and no row", file=file, remedy="send it again with its rows"
        )


class _Lines:
    """Lines as bytes with their offsets; those looked at in vain can be put back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._back: list[tuple[int, bytes]] = []
        self._offset = 0

    def next(self) -> tuple[int, bytes]:
        """The next line with its end; empty bytes at the end of the file."""
        if self._back:
            return self._back.pop()
        line = self._stream.readline(1024 * 1024)
        offset, self._offset = self._offset, self._offset + len(line)
        return offset, line

    def put_back(self, lines: list[tuple[int, bytes]]) -> None:
        """Give these again, in their order."""
        self._back += reversed(lines)


def _table(first: tuple[int, bytes], rules: StockRules, file: str | None) -> Table:
    line = first[1].removeprefix(_BOM)
    text = _text(line)[0].strip("\r\n")
    separator = max(_SEPARATORS, key=text.count)
    headings = tuple(each.strip() for each in _cells(text, separator))
    by_name = {each.casefold(): place for place, each in reversed(list(enumerate(headings)))}
    shown = ", ".join(each for each in headings if each) or "nothing"
    places: dict[str, int] = {}
    for meaning, name in rules.columns.items():
        if meaning not in TABLE_MEANINGS:
            raise DeliveryRejectedError(
                f"a table has no {meaning!r}", file=file, field="--columns",
                remedy=f"what a column can be: {', '.join(TABLE_MEANINGS)}",
            )  # fmt: skip
        if name.strip().casefold() not in by_name:
            raise DeliveryRejectedError(
                f"no column {name!r} (for {meaning}) in its heading line, which has: {shown}", file=file, position=1,
                field=meaning, remedy="name the columns with --columns as they stand in the first line",
            )  # fmt: skip
        places[meaning] = by_name[name.strip().casefold()]
    for place, heading in enumerate(headings):
        for meaning, known in HEADINGS.items():
            if meaning not in rules.columns and _NOT_LETTERS.sub("", heading.casefold()) in known:
                places.setdefault(meaning, place)
    if len(rules.libraries) == 1 and "library" not in rules.columns:
        places.pop("library", None)  # a column of branches says nothing about whose stock it is
    _require(places, rules, shown, file)
    return Table(separator, headings, places)


def _require(places: Mapping[str, int], rules: StockRules, shown: str, file: str | None) -> None:
    wanted = ["isbn", "title"] + (["library"] if len(rules.libraries) > 1 else [])
    missing = [each for each in wanted if each not in places]
    if missing:
        raise DeliveryRejectedError(
            f"it cannot be told which column has the {' and the '.join(missing)}; the heading line has: {shown}",
            file=file,
            position=1,
            remedy=f"say it: --columns {','.join(f'{each}=COLUMN' for each in missing)}",
        )


def _rows(lines: _Lines, table: Table) -> Iterator[Row]:
    while True:
        offset, line = lines.next()
        if not line:
            return
        if not line.strip(b'\r\n\t ;,|"'):
            continue  # an empty line is no row
        taken = [(offset, line)]
        whole = line
        while (is_open := table.leaves_open(whole)) and len(taken) < MOST_LINES:
            more = lines.next()
            if not more[1]:
                break
            taken.append(more)
            whole += more[1]
        if is_open:
            lines.put_back(taken[1:])
            yield Row(offset, line, (), "", "a quotation mark is opened and not closed: its cells cannot be told apart")
            continue
        yield _row(offset, whole, table)


def _row(offset: int, content: bytes, table: Table) -> Row:
    text, charset = _text(content)
    cells = tuple(_BREAKS.sub(" ", each).strip() for each in _cells(text.strip("\r\n"), table.separator))
    width = len(table.headings)
    defect = ""
    if any(cells[width:]):
        defect = f"it has {len(cells)} cells and the heading line {width}: does a separator stand in a cell?"
    elif len(cells) <= max(table.places["isbn"], table.places["title"]):
        defect = f"it has {len(cells)} cells and the heading line {width}: it ends before its ISBN or title"
    return Row(offset, content, () if defect else cells, charset, defect)


def _cells(text: str, separator: str) -> list[str]:
    if '"' not in text:
        return text.split(separator)
    try:
        return next(csv.reader([text.replace("\0", "")], delimiter=separator), [])
    except csv.Error:  # a carriage return in a cell, a cell of many pages
        return text.split(separator)


def _text(content: bytes) -> tuple[str, str]:
    """The text and the character set that it was read as: UTF-8, or what Excel writes without being asked."""
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), "cp1252"


def _piece(row: Row, table: Table, rules: StockRules, own_prefix: str, member_no: int, position: int) -> StagedPiece:
    nothing = StagedPiece(
        position, member_no, row.byte_offset, row.content, "unreadable", "", (), row.defect, None, None, ()
    )
    if row.defect:
        return nothing
    said = {meaning: row.cells[place] if place < len(row.cells) else "" for meaning, place in table.places.items()}
    record = record_of(said, own_prefix)
    local_id = said.get("local_id", "")
    findings = (Finding("charset_mislabelled", "not UTF-8: read as Windows-1252"),) if row.charset == "cp1252" else ()
    return StagedPiece(
        position, member_no, row.byte_offset, row.content, "bib", row.charset, findings, "", assemble(record),
        bib_facts(record, own_prefix=own_prefix, control_number=local_id),
        stock_of_cells(said.get("library", ""), said.get("shelf_mark", ""), local_id, rules),
    )  # fmt: skip


def record_of(said: Mapping[str, str], own_prefix: str) -> LazyRecord:
    """What a row says, as a MARC record. Nothing is repaired: an ISBN stands as it was written, and so do names."""
    fields: list[tuple[str, str]] = []
    if said.get("control_number"):
        fields += [("001", said["control_number"]), ("003", own_prefix)]
    fields += [("020", _data("  ", "a", each)) for each in _ISBNS.split(said.get("isbn", "")) if each]
    names = [each for each in _NAMES.split(said.get("author", "")) if each]
    if names:
        fields.append(("100", _data("1 ", "a", names[0])))
    title = said.get("title", "")
    if title:
        fields.append(("245", _data("00", "a", title)))
    year = _YEAR.search(said.get("year", ""))
    if year is not None:
        fields.append(("264", _data(" 1", "c", year[1])))
    fields += [("700", _data("1 ", "a", each)) for each in names[1:]]
    return LazyRecord(LEADER, [tag for tag, _ in fields], [text for _, text in fields])


def _data(indicators: str, code: str, value: str) -> str:
    return f"{indicators}{SUBFIELD_MARK}{code}{value}"
