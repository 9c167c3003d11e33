"""Cataloguing the sample's books: `Book` to MARC 21 records, bibliographic and holdings.

Two hands write: the union catalogue's (`thorough`: ISBD punctuation, subjects, summary) and a supplier's (lean, its own
punctuation). Both describe the same book, so a match is never a comparison of equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from deployments.sample.books import Book, direct_order
from deployments.sample.vocabulary import TONGUES
from schemas.marc import Field, Record, control_field, data_field

OWN_PREFIX = "SAMKAT"
# $a, $2 of 336-338 and 007 by carrier.
_MEDIA = {
    "print": ("n", "omedierad", "nc", "volym"),
    "online": ("c", "dator", "cr", "online resurs"),
    "audio_disc": ("s", "audio", "sd", "ljudskiva"),
}


@dataclass(frozen=True)
class Cataloguing:
    """Who wrote a bib record, when, and how well."""

    control_number: str
    prefix: str = OWN_PREFIX
    level: str = " "
    agency: str = OWN_PREFIX
    editors: tuple[str, ...] = ()
    """040 $d, in order."""
    on: date = date(2020, 1, 7)
    is_national_bibliography: bool = False
    is_thorough: bool = True
    extra: tuple[Field, ...] = ()
    status: str = "n"


def bib_record(book: Book, by: Cataloguing) -> Record:
    """The bibliographic record, leader/06 `a` or `i` (a talking book), with its fields in the order of their tags."""
    record_type = "i" if book.carrier == "audio_disc" else "a"
    record = Record(f"00000{by.status}{record_type}m a2200000{by.level}i 4500")
    fields = [
        control_field("001", by.control_number),
        control_field("003", by.prefix),
        control_field("005", f"{by.on:%Y%m%d}073000.0"),
        *_physical_control_fields(book),
        control_field("008", _fixed_data(book, by)),
        *_number_fields(book),
        data_field("040", "  ", [("a", by.agency), *(("d", each) for each in by.editors)]),
        *_description(book, by.is_thorough),
        *by.extra,
    ]
    if by.is_national_bibliography:
        fields.append(data_field("042", "  ", [("9", "NB")]))
    record.all_fields = sorted(fields, key=lambda each: each.tag)
    return record


@dataclass(frozen=True)
class Line:
    """One 852 of a holding."""

    shelf_mark: str
    public_note: str = ""
    internal_note: str = ""
    owner: str = ""
    """Supplier's code: becomes `$x origin:CODE`, the union catalogue's way of showing who owns the line."""


def line_field(sigel: str, line: Line) -> Field:
    """The 852 of a line."""
    subfields = [("b", sigel)]
    if line.shelf_mark:
        subfields.append(("h", line.shelf_mark))
    if line.internal_note:
        subfields.append(("x", line.internal_note))
    if line.owner:
        subfields.append(("x", f"origin:{line.owner}"))
    if line.public_note:
        subfields.append(("z", line.public_note))
    return data_field("852", "8 ", subfields)


def holding_record(
    sigel: str,
    lines: tuple[Line, ...],
    *,
    control_number: str,
    bib_number: str,
    prefix: str = OWN_PREFIX,
    on: date = date(2020, 1, 7),
    is_delete: bool = False,
    charset_code: str = "a",
) -> Record:
    """The MFHD record of one library's holding; `bib_number` goes to 004."""
    record = Record(f"00000{'d' if is_delete else 'n'}x  {charset_code}2200000zn 4500")
    record.all_fields = [
        control_field("001", control_number),
        control_field("003", prefix),
        control_field("004", bib_number),
        control_field("005", f"{on:%Y%m%d}073500.0"),
        control_field("008", f"{on:%y%m%d}0u    8   4001uu   0{on:%y%m%d}"),
        *(line_field(sigel, line) for line in lines),
    ]
    return record


def _physical_control_fields(book: Book) -> list[Field]:
    if book.carrier == "online":
        return [control_field("006", "m     o  d        "), control_field("007", "cr |||||||||||")]
    if book.carrier == "audio_disc":
        return [control_field("007", "sd fungnn|||eu")]
    return [control_field("007", "tb" if book.is_large_print else "ta")]


def _fixed_data(book: Book, by: Cataloguing) -> str:
    form = {"online": "o", "print": "d" if book.is_large_print else " ", "audio_disc": " "}[book.carrier]
    literary = "1" if book.is_fiction else "0"
    entered = f"{by.on:%y%m%d}s{book.year}    {book.country}"
    return f"{entered}|||||{form}|||||00| {literary}|{book.language} {' ' if by.is_national_bibliography else 'c'}"


def _number_fields(book: Book) -> list[Field]:
    fields = []
    for number in book.numbers:
        subfields: list[tuple[str, str]] = [(number.subfield, number.text)]
        if number.qualifier:
            subfields.append(("q", number.qualifier))
        fields.append(data_field("020", "  ", subfields))
    return fields


def _description(book: Book, is_thorough: bool) -> list[Field]:
    fields = [_title(book, is_thorough), _imprint(book, is_thorough), _extent(book, is_thorough), *_content_types(book)]
    if book.author:
        end = "," if is_thorough else ""
        fields.append(data_field("100", "1 ", [("a", book.author + end), ("4", "aut")]))
    if book.edition:
        fields.append(data_field("250", "  ", [("a", book.edition)]))
    if book.original_language:
        fields.append(data_field("041", "1 ", [("a", book.language), ("h", book.original_language)]))
    if book.translator:
        fields.append(data_field("700", "1 ", [("a", book.translator), ("4", "trl")]))
    if book.other_format:
        fields.append(data_field("776", "08", [("i", "Annat format"), ("z", book.other_format)]))
    if book.carrier == "online":
        fields.append(data_field("856", "40", [("u", f"https://lana.ebokscentralen.example/{book.isbn}")]))
    if is_thorough:
        fields += _thorough(book)
    return fields


def _title(book: Book, is_thorough: bool) -> Field:
    pieces = [("a", book.title)]
    if book.part_number:
        pieces.append(("n", book.part_number))
    if book.part_title:
        pieces.append(("p", book.part_title))
    if book.subtitle:
        pieces.append(("b", book.subtitle))
    if is_thorough:
        marks = {"b": " :", "n": ".", "p": ","}
        pieces = [
            (code, text + (marks[pieces[place + 1][0]] if place + 1 < len(pieces) else " /"))
            for place, (code, text) in enumerate(pieces)
        ]
        said = direct_order(book.author)
        if book.translator:
            said += f" ; {_TRANSLATED_BY[book.language]} {direct_order(book.translator)}"
        pieces.append(("c", said))
    # Lean records leave the leading article to be sorted on, as many suppliers do.
    skipped = next((len(each) for each in _ARTICLES[book.language] if book.title.startswith(each)), 0)
    indicators = f"{1 if book.author else 0}{skipped if is_thorough else 0}"
    return data_field("245", indicators, pieces)


_ARTICLES = {
    "swe": ("Den ", "Det ", "Ett "),
    "nob": ("Den ", "Det ", "Et "),
    "dan": ("Den ", "Det ", "Et "),
    "dut": ("De ", "Het ", "Een "),
    "eng": ("The ", "A "),
}
_TRANSLATED_BY = {
    "swe": "översättning:",
    "nob": "oversatt av",
    "dan": "oversat af",
    "dut": "vertaald door",
    "eng": "translated by",
}


def _imprint(book: Book, is_thorough: bool) -> Field:
    if is_thorough:
        subfields = [("a", f"{book.place} :"), ("b", f"{book.publisher},"), ("c", str(book.year))]
        return data_field("264", " 1", subfields)
    return data_field("260", "  ", [("a", book.place), ("b", book.publisher), ("c", str(book.year))])


def _extent(book: Book, is_thorough: bool) -> Field:
    if book.carrier == "online":
        return data_field("300", "  ", [("a", "1 onlineresurs")])
    if book.carrier == "audio_disc":
        return data_field("300", "  ", [("a", "1 CD (MP3)")])
    pages = TONGUES[book.language].pages.format(book.pages)
    return data_field("300", "  ", [("a", pages), ("c", "22 cm")] if is_thorough else [("a", pages)])


def _content_types(book: Book) -> list[Field]:
    media_code, media, carrier_code, carrier = _MEDIA[book.carrier]
    content = ("spw", "tal") if book.carrier == "audio_disc" else ("txt", "text")
    return [
        data_field("336", "  ", [("a", content[1]), ("b", content[0]), ("2", "rdacontent")]),
        data_field("337", "  ", [("a", media), ("b", media_code), ("2", "rdamedia")]),
        data_field("338", "  ", [("a", carrier), ("b", carrier_code), ("2", "rdacarrier")]),
    ]


def _thorough(book: Book) -> list[Field]:
    fields = [data_field("082", "04", [("a", "839.738" if book.is_fiction else "948.5"), ("2", "23/swe")])]
    fields += [data_field("650", " 7", [("a", subject), ("2", "sao")]) for subject in book.subjects]
    if book.summary:
        fields.append(data_field("520", "  ", [("a", book.summary)]))
    if book.series:
        fields.append(data_field("490", "0 ", [("a", book.series)]))
    return fields
