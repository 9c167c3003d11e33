"""Damaged files: what can be read is taken in, what cannot is kept with its place and reason."""

from __future__ import annotations

from deployments.sample.cast import TAKEN_IN, Cast, Expected, Parcel
from deployments.sample.encoding import RECORD_END, XML_HEAD, marcxml_record
from schemas.marc import Record, data_field


def play(cast: Cast) -> None:
    """One bad record among good ones, then files that are no delivery at all."""
    _truncated(cast)
    _truncated_with_holding(cast)
    _wrong_lengths(cast)
    _oversize(cast)
    _xml_breaks_off(cast)
    _xml_entity(cast)
    _not_marc(cast)


def _truncated(cast: Cast) -> None:
    """No. 11 of 50 is cut short, its terminator is there: 49 records and one that cannot be read."""
    day = Parcel(cast, "NORDBOK")
    while len(day.pieces) < 50:
        if len(day.pieces) == 10:
            day.bib(cast.book(), "", "cut short")
            continue
        day.bib(cast.book(), "created", "a new title")
        if len(day.pieces) < 50:
            day.holding("SOLB" if len(day.pieces) % 4 else "LUNV", "created")
    pieces = day.encoded()
    pieces[10] = pieces[10][:180] + RECORD_END
    day.expected[10] = Expected(11, 0, "unreadable", (), "cut short: kept with its offset and the reason")
    content = b"".join(pieces)
    cast.drop("NORDBOK", day.named("avklippt.mrc"), "record 11 of 50 is cut short", content, TAKEN_IN, day.expected)


def _truncated_with_holding(cast: Cast) -> None:
    """The cut record is a bib, and its holding follows: that must not go to the bib before."""
    day = Parcel(cast, "NORDBOK")
    day.bib(cast.book(), "created", "a new title")
    day.holding("SOLB", "created")
    day.bib(cast.book(), "", "cut short")
    day.holding("LUNV", "rejected", shows="its bib cannot be read, and the bib before is another one")
    pieces = day.encoded()
    pieces[2] = pieces[2][:180] + RECORD_END
    day.expected[2] = Expected(3, 0, "unreadable", (), "cut short")
    content = b"".join(pieces)
    shows = "a cut bib that is followed by its holding"
    cast.drop("NORDBOK", day.named("avklippt-bib.mrc"), shows, content, TAKEN_IN, day.expected)


def _wrong_lengths(cast: Cast) -> None:
    """Whole records whose length field lies."""
    day = Parcel(cast, "NORDBOK")
    for _ in range(3):
        day.bib(cast.book(), "created", "whole, with a wrong length field")
        day.holding("NORU", "created")
    pieces = day.encoded()
    for place, length in ((0, b"00100"), (2, b"09000"), (4, b"     ")):
        pieces[place] = length + pieces[place][5:]
    content = b"".join(pieces)
    cast.drop("NORDBOK", day.named("langder.mrc"), "wrong length fields", content, TAKEN_IN, day.expected)


def _oversize(cast: Cast) -> None:
    """More than the five digits of the length field can say; the rest of the directory is right."""
    day = Parcel(cast, "NORDBOK")
    chapter = "Kapitel om havet, vinden och människorna på ön. " * 30
    contents = tuple(data_field("505", "8 ", [("a", f"{number}. {chapter}")]) for number in range(1, 76))
    day.bib(cast.book(), "created", "over 99,999 bytes", extra=contents)
    day.holding("NORU", "created")
    day.send_iso2709("for-stor.mrc", "a record over 99,999 bytes")


def _xml_breaks_off(cast: Cast) -> None:
    """Five whole records, and the sixth ends in the middle."""
    shelf = Parcel(cast, "EBOKEN")
    for _ in range(6):
        shelf.bib(cast.book("eng", carrier="online"), "created", "an e-book")
    whole = XML_HEAD + "".join(marcxml_record(each) for each in shelf.pieces if isinstance(each, Record))
    content = whole[: whole.rindex("<subfield") + 20].encode()
    shelf.expected[5] = Expected(6, 0, "unreadable", (), "the file ends inside it")
    name = shelf.named("avbruten.xml")
    cast.drop("EBOKEN", name, "XML that breaks off inside record 6", content, TAKEN_IN, shelf.expected)


def _xml_entity(cast: Cast) -> None:
    """A document type with an external entity: never followed. The file it names does not exist."""
    shelf = Parcel(cast, "EBOKEN")
    record = shelf.bib(cast.book("eng", carrier="online", title="Tidewater stories"), (), "its title has the entity")
    head = XML_HEAD.replace(
        "<collection",
        '<!DOCTYPE collection [<!ENTITY outside SYSTEM "file:///nonexistent/samkat-sample.txt">]>\n<collection',
    )
    text = head + marcxml_record(record).replace("Tidewater stories", "Tidewater &outside; stories") + "</collection>\n"
    states = (*TAKEN_IN, "rejected")
    cast.drop("EBOKEN", shelf.named("entitet.xml"), "XML with an external entity", text.encode(), states)


_LOGIN_PAGE = """<!DOCTYPE html>
<html lang="sv"><head><title>Logga in - Bokringen</title></head>
<body><h1>Din session har gått ut</h1><form method="post"><input name="user"><input type="password" name="password">
<button>Logga in</button></form></body></html>
"""


def _not_marc(cast: Cast) -> None:
    name = f"BOKRING_SOLB_{cast.stamp()}_BOKRING990001.xml"
    cast.drop("BOKRING", name, "a login page in place of MARCXML", _LOGIN_PAGE.encode(), ("rejected",))
    name = f"NORDBOK_{cast.stamp()}_tom.mrc"
    cast.drop("NORDBOK", name, "an empty file", b"", ("rejected",))
