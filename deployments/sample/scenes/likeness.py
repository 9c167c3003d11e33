"""Books that look alike and are not the same, and books that are the same and do not look alike."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from deployments.sample.books import Book, Number
from deployments.sample.cast import Cast, Outcomes, Parcel
from deployments.sample.isbn import isbn13
from deployments.sample.scenes.routine import MATCHED, of_holding


def play(cast: Cast) -> None:
    """Sets and carriers, reused numbers, editions and numbered titles, spelling, the same title twice."""
    _sets_and_carriers(cast)
    _shared_by_mistake(cast)
    _numbered(cast)
    _spelling(cast)
    _twice_in_one_file(cast)
    _from_two_suppliers(cast)


def _add(parcel: Parcel, book: Book, outcomes: Outcomes, shows: str, meets: str = "", sigel: str = "LUNV") -> None:
    parcel.bib(book, outcomes, shows, meets=meets)
    parcel.holding(sigel, of_holding(outcomes))


def _sets_and_carriers(cast: Cast) -> None:
    """Shared numbers that explain themselves: a set over its volumes, a number of the other carrier."""
    day = Parcel(cast, "NORDBOK")
    first = cast.book(part_number="D. 1", part_title="Uppväxten")
    whole = Number(isbn13("swe", 9_101, cast.seed), "hela verket")
    cast.plant(replace(first, numbers=(*first.numbers, whole)))
    own = replace(first.numbers[0], text=isbn13("swe", 9_102, cast.seed))
    second = replace(first, part_number="D. 2", part_title="Vandringsåren", numbers=(own, whole))
    _add(day, second, "created", "volume 2: shares the set's ISBN with volume 1, has one of its own")
    printed = cast.book()
    number = replace(printed.numbers[0], qualifier="inbunden")
    online = Number(isbn13("swe", 9_103, cast.seed), "e-bok")
    cast.plant(replace(printed, carrier="online", numbers=(online,)))
    both = replace(printed, numbers=(number, online))
    _add(day, both, "created", "print and e-book number in one record of a printed book; only the e-book is there")
    talking = cast.book()
    disc = Number(isbn13("swe", 9_104, cast.seed), "ljudbok")
    cast.plant(talking)
    _add(day, replace(talking, carrier="audio_disc", numbers=(disc,)), "created", "a talking book of a printed one")
    translated = cast.book("eng")
    cast.plant(translated)
    swedish = cast.book("swe", author=translated.author, original_language="eng", translator="Glimvidd, Edla")
    _add(day, swedish, "created", "a translation with a number of its own")
    day.send_iso2709("verk-och-delar.mrc", "sets and volumes, print and e-book, translation")


def _shared_by_mistake(cast: Cast) -> None:
    """A valid number that two different publications carry: always a cataloguer's question."""
    day = Parcel(cast, "NORDBOK")
    book, stranger = cast.book(), cast.book("nob", is_fiction=False)
    number = cast.plant(book)
    _add(day, replace(stranger, numbers=book.numbers), "review", "an ISBN used again for another book", number)
    book = cast.book(edition="2. uppl.")
    number = cast.plant(book)
    _add(day, replace(book, edition="Tredje upplagan"), "review", "another edition, in words", number)
    book = cast.book()
    number = cast.plant(book)
    large = replace(book, is_large_print=True, edition="Storstilsutg.", pages=book.pages * 2)
    _add(day, large, "review", "large print over the ordinary book", number)
    book = cast.book("eng")
    number = cast.plant(book)
    norwegian = replace(book, language="nob", original_language="eng", translator="Bjørkehaug, Liv")
    _add(day, norwegian, "review", "a translation under the original's number", number)
    book = cast.book("dan")
    number = cast.plant(book)
    _add(day, replace(book, carrier="audio_disc"), "review", "a talking book under the printed one's number", number)
    day.send_iso2709("samma-isbn.mrc", "one valid ISBN on two different publications")


def _numbered(cast: Cast) -> None:
    """Titles that are 95% alike: the number in them is the difference."""
    day = Parcel(cast, "NORDBOK")
    for shows, title, other in (
        ("grade 7 and 8", "Matematik för årskurs 7", "Matematik för årskurs 8"),
        ("a yearbook and the next", "Skärgårdens årsbok 2024", "Skärgårdens årsbok 2025"),
        ("part II and part III", "Seglarens handbok II", "Seglarens handbok III"),
    ):
        book = cast.book(title=title, subtitle="", year=2024, is_fiction=False)
        number = cast.plant(book)
        _add(day, replace(book, title=other), "review", shows, number, "SOLG")
    first = cast.book("nob", part_number="1")
    number = cast.plant(first)
    _add(day, replace(first, part_number="2"), "review", "volume 2 under volume 1's number", number)
    day.send_iso2709("numrerade.mrc", "grades, yearbooks and volumes under one ISBN")


def _spelling(cast: Cast) -> None:
    """The same book in another hand: trivia must not land in review."""
    day = Parcel(cast, "NORDBOK")
    book = cast.book("swe", subtitle="en släktkrönika")
    number = cast.plant(book)
    whole = replace(book, title=f"{book.title} : {book.subtitle}", subtitle="")
    _add(day, whole, MATCHED, "subtitle in 245 $a", number)
    book = cast.book("nob")
    number = cast.plant(book)
    _add(day, replace(book, title=book.title.upper(), subtitle=""), MATCHED, "capitals, no subtitle", number)
    book = cast.book("dan")
    number = cast.plant(book)
    _add(day, replace(book, title=f"{book.title}!", author=_initials(book.author)), MATCHED, "author's initial", number)
    book = cast.book("swe", title="Åskvädret över Ärlingsö", subtitle="")
    number = cast.plant(book)
    _add(day, replace(book, title=unicodedata.normalize("NFD", book.title)), MATCHED, "decomposed letters", number)
    book = cast.book("eng", title="The lighthouse at Saltmarsh", subtitle="a novel")
    number = cast.plant(book)
    _add(day, replace(book, title="Lighthouse at Saltmarsh"), MATCHED, "without the leading article", number, "VEST")
    day.send_iso2709("stavning.mrc", "the same books, written otherwise")


def _initials(author: str) -> str:
    family, _, given = author.partition(", ")
    return f"{family}, {given[0]}."


def _twice_in_one_file(cast: Cast) -> None:
    """The second meets the first."""
    day = Parcel(cast, "NORDBOK")
    book = cast.book()
    _add(day, book, "created", "a new title", sigel="SOLB")
    _add(day, book, MATCHED, "the same new title again, for another library", sigel="LUNV")
    _add(day, replace(book, title=book.title.lower()), MATCHED, "and again", sigel="NORU")
    _add(day, cast.book("dan"), "created", "another title in between", sigel="HAVN")
    day.send_iso2709("dubbletter.mrc", "one new title three times in one file")


def _from_two_suppliers(cast: Cast) -> None:
    """Whoever is loaded first makes the bib; there is one in the end."""
    book = cast.book()
    order = Parcel(cast, "BOKRING")
    order.bib(book, ("created", *MATCHED), "the same new title as in NORDBOK's file of two suppliers")
    order.holding("SOLB", "created")
    order.send_order("SOLB", "a new title that another supplier brings too")
    day = Parcel(cast, "NORDBOK")
    day.bib(book, ("created", *MATCHED), "the same new title as in BOKRING's order")
    day.holding("LUNV", "created")
    day.send_iso2709("tva-leverantorer.mrc", "a new title that another supplier brings too")
