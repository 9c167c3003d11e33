"""The everyday: what an evening brings when nobody makes a mistake, from every supplier in its own habit."""

from __future__ import annotations

from dataclasses import replace

from deployments.sample.cast import TAKEN_IN, Cast, Outcomes, Parcel
from deployments.sample.encoding import gzipped, zipped
from deployments.sample.isbn import isbn13
from deployments.sample.records import Line, line_field

MATCHED = ("kept", "replaced")


def of_holding(bib: Outcomes) -> Outcomes:
    """What becomes of a new holding whose bib may end so: it waits where the bib is in review."""
    if bib == "review":
        return "waiting"
    return ("created", "waiting") if "review" in bib else "created"


def play(cast: Cast) -> None:
    """Orders, a day file, embedded holdings, pre-publications, e-books, packed files."""
    _orders(cast)
    _day_file(cast)
    _embedded(cast)
    _pre_publications(cast)
    _e_books(cast)
    _packed(cast)


def _orders(cast: Cast) -> None:
    """MARCXML, one file per ordered title."""
    for sigel, language, mark in (
        ("SOLB", "swe", Line("Hc")),
        ("FJOR", "nob", Line("839.82", internal_note="Ordre 2231")),
        ("HAVN", "dan", Line("Skønl.", public_note="Ny bog, lånes 14 dage")),
        ("VLIE", "dut", Line("Romans")),
    ):
        order = Parcel(cast, "BOKRING")
        order.bib(cast.book(language), "created", "a title that the union catalogue does not have")
        order.holding(sigel, "created", mark)
        order.send_order(sigel, "an order of a new title")
    for sigel in ("LUNV", "VEST"):
        book = cast.book("eng")
        number = cast.plant(book)
        order = Parcel(cast, "BOKRING")
        order.bib(book, "kept", "a title that is there, better catalogued", meets=number)
        order.holding(sigel, "created")
        order.send_order(sigel, "an order of a title that the union catalogue has")
    book = cast.book()
    number = cast.plant(book)
    order = Parcel(cast, "BOKRING")
    order.bib(book, "kept", "our own record, sent back under our number", meets=number, level=" ", own_number=number)
    order.holding("SOLB", "created")
    order.send_order("SOLB", "an order whose record was taken from the union catalogue", prefix="SE-LIBR")


def _day_file(cast: Cast) -> None:
    """ISO2709, bibs each followed by its holdings, one with several libraries and one with two lines."""
    day = Parcel(cast, "NORDBOK")
    for turn, sigel in enumerate(("SOLB", "LUNV", "NORU", "VEST")):
        day.bib(cast.book(("swe", "nob", "eng", "dan")[turn]), "created", "a new title")
        day.holding(sigel, "created", Line("Hc.01", public_note="Nyförvärv"))
    day.bib(cast.book(), "created", "a new title for three libraries")
    day.holding("SOLB", "created")
    day.holding("LUNV", "created", Line("Hc"), Line("Hc/LP", internal_note="Andra exemplaret"), shows="two lines")
    day.holding("SOLG", "created", Line("Hc"), shows="a school library: the holding is loaded and not shown")
    for sigel in ("HAVN", "GRAN"):
        book = cast.book("dan")
        number = cast.plant(book)
        day.bib(book, "kept", "a title that is there, better catalogued", meets=number)
        day.holding(sigel, "created")
    day.send_iso2709("dagfil.mrc", "a day file: bibs and MFHD records in UTF-8")


def _embedded(cast: Cast) -> None:
    """Latin-1, the holding in the bib's own 852."""
    for sigel in ("SOLB", "LUNV"):
        day = Parcel(cast, "MEDIAT", charset="iso8859-1")
        for turn in range(2):
            line = line_field(sigel, Line("Hc", internal_note=f"Följesedel {100 + turn}"))
            day.bib(cast.book(), "created", "a new title; åäö in Latin-1", level=" ", extra=(line,))
            day.embedded((sigel, "created", "made from the 852 of the bib"))
        book = cast.book()
        number = cast.plant(book, level="8", agency="FORHAND")
        day.bib(
            book,
            "replaced",
            "a blank level that the register forces to 7, over level 8",
            meets=number,
            level=" ",
            extra=(line_field(sigel, Line("Hc")),),
        )
        day.embedded((sigel, "created", "made from the 852 of the bib"))
        name = f"MEDIAT_{sigel}_{cast.stamp()}_MEDIAT{sigel}.iso88591"
        cast.drop("MEDIAT", name, "embedded 852, ISO 8859-1", b"".join(day.encoded()), TAKEN_IN, day.expected)


def _pre_publications(cast: Cast) -> None:
    """Level 5 and 8, months before the book is out."""
    early = Parcel(cast, "FORHAND")
    for level in "588":
        early.bib(cast.book(), "created", f"a new title at level {level}", level=level)
        early.holding("SOLB", "created", Line("", internal_note="Stående beställning"))
    book = cast.book()
    number = cast.plant(book, agency="SOLB")
    late = replace(book, year=book.year - 1, pages=book.pages - 16)
    early.bib(late, "kept", "level 8, last year's date, over a full record", meets=number, level="8")
    early.holding("LUNV", "created")
    early.send_iso2709("kommande.mrc", "pre-publication records, level 8 and 5")


def _e_books(cast: Cast) -> None:
    """Bibs alone; the printed book of one of them is in the union catalogue and must not be met."""
    shelf = Parcel(cast, "EBOKEN")
    for language in ("swe", "nob", "eng"):
        shelf.bib(cast.book(language, carrier="online"), "created", "an e-book, no holding")
    printed = cast.book("swe")
    cast.plant(printed)
    number = replace(printed.numbers[0], text=isbn13("swe", 9_001, cast.seed), qualifier="e-bok")
    online = replace(printed, carrier="online", numbers=(number,), other_format=printed.isbn)
    shelf.bib(online, "created", "an e-book whose 776 names the printed book's ISBN: never a match")
    shelf.send_marcxml("katalog.xml", "e-books without holdings, MARCXML")


def _packed(cast: Cast) -> None:
    """gzip and zip around day files."""
    for sigel in ("NORU", "VEST"):
        day = Parcel(cast, "NORDBOK")
        day.bib(cast.book("eng"), "created", "a new title in a packed file")
        day.holding(sigel, "created")
        content = b"".join(day.encoded())
        if sigel == "NORU":
            name, packed, shows = "packat.mrc.gz", gzipped(content), "a gzip file"
        else:
            second = Parcel(cast, "NORDBOK")
            second.bib(cast.book("nob"), "created", "a new title in the second member")
            second.holding(sigel, "created")
            members = [("dag-1.mrc", content), ("dag-2.mrc", b"".join(second.encoded()))]
            name, packed, shows = "packat.zip", zipped(members), "a zip file with two members"
            moved = [replace(each, position=each.position + 2) for each in second.expected]
            day.expected.extend(moved)
        cast.drop("NORDBOK", day.named(name), shows, packed, TAKEN_IN, day.expected)
