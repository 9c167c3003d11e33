"""ISBN as suppliers write it: every form of a number that must match, and every one that must not."""

from __future__ import annotations

from dataclasses import replace

from deployments.sample.books import Book, Number
from deployments.sample.cast import Cast, Outcomes, Parcel
from deployments.sample.isbn import hyphenated, isbn10, isbn13, wrong_check_digit
from deployments.sample.scenes.routine import MATCHED, of_holding

_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def play(cast: Cast) -> None:
    """Three files: numbers written oddly, numbers that decide nothing, fields that are no numbers."""
    _written_oddly(cast)
    _dashes(cast)
    _never_deciding(cast)
    _no_numbers(cast)


def _with(book: Book, text: str, qualifier: str = "", subfield: str = "a") -> Book:
    return replace(book, numbers=(Number(text, qualifier, "z" if subfield == "z" else "a"),))


def _add(parcel: Parcel, book: Book, outcomes: Outcomes, shows: str, meets: str = "", sigel: str = "SOLB") -> None:
    parcel.bib(book, outcomes, shows, meets=meets)
    parcel.holding(sigel, of_holding(outcomes))


def _written_oddly(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    forms = (
        ("a qualifier in parentheses", lambda isbn: f"{isbn} (inb.)"),
        ("a qualifier without parentheses", lambda isbn: f"{isbn} inb."),
        ("a price behind the number", lambda isbn: f"{isbn} : 120 kr"),
        ("words before the number", lambda isbn: f"ISBN-13: {isbn}"),
        ("ISBN-10, where the union catalogue has ISBN-13", isbn10),
        ("ISBN-10 with hyphens and a qualifier", lambda isbn: f"{hyphenated(isbn10(isbn))} (h.)"),
    )
    for shows, form in forms:
        book = cast.book()
        number = cast.plant(book)
        _add(day, _with(book, form(book.isbn)), MATCHED, shows, number)
    book = cast.book("eng")
    book = _with(book, isbn13("979", 11, cast.seed), "paperback")
    number = cast.plant(book)
    _add(day, book, MATCHED, "979-8, which has no ISBN-10 and stands in few tables", number, "VEST")
    day.send_iso2709("isbn-former.mrc", "ISBNs with qualifiers, prices, as ISBN-10, 979-8")


def _dashes(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    for shows, dash in (
        ("hyphen U+2010", "\u2010"),
        ("en dash U+2013", "\u2013"),
        ("minus sign U+2212", "\u2212"),
        ("soft hyphens U+00AD", "\u00ad"),
        ("no-break spaces U+00A0", "\u00a0"),
    ):
        book = cast.book("nob")
        number = cast.plant(book)
        day.bib(_with(book, hyphenated(book.isbn, dash)), MATCHED, f"dashes: {shows}", meets=number)
        day.holding("NORU", "updated", shows="a line of its own beside the one that the library has")
    book = cast.book("dan")
    number = cast.plant(book)
    _add(day, _with(book, book.isbn.translate(_FULL_WIDTH)), MATCHED, "full width digits", number, "HAVN")
    day.send_iso2709("isbn-streck.mrc", "ISBNs with every kind of dash, full width digits")


def _never_deciding(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    book = cast.book()
    cast.plant(book)
    _add(day, _with(book, wrong_check_digit(book.isbn)), "created", "a wrong check digit is never repaired")
    book = cast.book()
    wrong = _with(book, wrong_check_digit(book.isbn))
    number = cast.plant(wrong)
    _add(day, wrong, "review", "the same wrong number on both sides, same title: a person decides", number)
    book = cast.book()
    number = cast.plant(book)
    _add(day, _with(book, book.isbn, "", "z"), "review", "$z alone, same title: a person decides", number)
    book, other = cast.book(), cast.book("eng")
    number, stranger = cast.plant(book), cast.plant(other)
    both = replace(book, numbers=(*book.numbers, *other.numbers))
    _add(day, both, (*MATCHED, "review"), f"two ISBNs that meet two bibs: never {stranger}", number)
    day.send_iso2709("isbn-svaga.mrc", "numbers that may not decide by themselves")


def _no_numbers(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    book = cast.book()
    _add(day, _with(book, ": 249 kr"), "created", "020 with a price and no ISBN becomes 024")
    _add(day, _with(cast.book(), "0198526636X"), "created", "eleven characters are no ISBN")
    _add(day, _with(cast.book(), f"{cast.book().isbn}7"), "created", "fourteen digits are no ISBN")
    twice = [_with(cast.book(), "9780000000002"), _with(cast.book("eng"), "9780000000002")]
    cast.plant(twice[0])
    _add(day, twice[1], "created", "a dummy number that another bib has too")
    _add(day, replace(cast.book(), numbers=()), "created", "no 020 at all")
    day.send_iso2709("isbn-inga.mrc", "020 without a usable ISBN")
