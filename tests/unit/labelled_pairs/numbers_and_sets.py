"""Pairs about the number itself: how it is written, $z, wrong and dummy numbers, sets, reused numbers, 035, 776."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.labelled_pairs.books import BOOKS, EBOOK, HANDBOOK, HARBOUR, HOUSE, ISLAND, MATHS, SAGA, SHADOW, SOUTH
from tests.unit.labelled_pairs.builders import (
    Bib,
    LabelledPair,
    different,
    hyphenated,
    isbn10,
    isbn13,
    same,
    wrong,
)

_WRITTEN = (
    ("plain", "{13}"),
    ("hyphens", "{13-}"),
    ("ten digits", "{10}"),
    ("ten digits with hyphens", "{10-}"),
    ("label before", "ISBN-13: {13}"),
    ("qualifier inside", "{13} (inb.)"),
    ("qualifier without brackets", "{13} inb."),
    ("price", "{13} : 120 kr"),
    ("qualifier and price", "{10} (inbunden) : 249:00 SEK"),
    ("no-break space", "{13}\u00a0(hft.)"),
    ("en dashes", "{13–}"),
    ("no-break hyphens", "{13‑}"),
    ("soft hyphens", "{13soft}"),
    ("full width", "{full}"),
    ("spaces for hyphens", "{13 }"),
    ("trailing comma", "{13},"),
)


def written(pattern: str, serial: int) -> str:
    """One number in one of the ways of writing it."""
    thirteen, ten = isbn13(serial), isbn10(serial)
    forms = {
        "{13}": thirteen,
        "{13-}": hyphenated(thirteen),
        "{10}": ten,
        "{10-}": hyphenated(ten),
        "{13–}": hyphenated(thirteen, "\u2013"),
        "{13‑}": hyphenated(thirteen, "\u2011"),
        "{13soft}": hyphenated(thirteen, "\u00ad"),
        "{full}": "".join(chr(ord(digit) + 0xFEE0) for digit in thirteen),
        "{13 }": hyphenated(thirteen, " "),
    }
    for form, value in forms.items():
        pattern = pattern.replace(form, value)
    return pattern


def pairs() -> Iterator[LabelledPair]:
    """All pairs of this module."""
    yield from _ways_of_writing()
    yield from _several_and_cancelled()
    yield from _wrong_and_dummy()
    yield from _sets_and_volumes()
    yield from _reused()
    yield from _other_numbers()
    yield from _related_and_files()


def _ways_of_writing() -> Iterator[LabelledPair]:
    for place, (name, pattern) in enumerate(_WRITTEN):
        for book in BOOKS[place % 4 :: 4]:
            serial = 900_000 + place * 10 + BOOKS.index(book)
            existing = book.but(isbns=(isbn13(serial),))
            yield same("isbn forms", f"{name}: {book.title}", book.but(isbns=(written(pattern, serial),)), existing)
    for serial in (910_001, 910_002):
        new = isbn13(serial, "9798")
        yield same(
            "isbn forms", f"979-8 {serial}", HARBOUR.but(isbns=(hyphenated(new),)), HARBOUR.but(isbns=((new, "pbk"),))
        )
        french = isbn13(serial, "97910")
        yield same("isbn forms", f"979-10 {serial}", SAGA.but(isbns=(french,)), SAGA.but(isbns=(f"{french} (relié)",)))
    with_x = next(serial for serial in range(920_000, 920_100) if isbn10(serial).endswith("X"))
    for form in (isbn10(with_x), isbn10(with_x).lower(), hyphenated(isbn10(with_x))):
        yield same("isbn forms", f"X: {form}", SHADOW.but(isbns=(form,)), SHADOW.but(isbns=(isbn13(with_x),)))
    for ours, theirs in (("hft.", "häftad"), ("inbunden", "bound"), ("pocket", "pbk."), ("danskt band", "")):
        number = HOUSE.isbns[0]
        yield same(
            "isbn forms",
            f"qualifier {ours} and {theirs or 'none'}",
            HOUSE.but(isbns=((str(number), ours),)),
            HOUSE.but(isbns=((str(number), theirs),) if theirs else (number,)),
        )


def _several_and_cancelled() -> Iterator[LabelledPair]:
    for book in BOOKS[:4]:
        own = str(book.isbns[0])
        second, third = isbn13(930_001), isbn13(930_002)
        both = ((own, "inb."), (second, "hft."))
        yield same("several isbns", f"hardback of two bindings: {book.title}", book, book.but(isbns=both))
        yield same("several isbns", f"one of three: {book.title}", book, book.but(isbns=(*both, (third, "kart."))))
        yield same("several isbns", f"paperback first: {book.title}", book.but(isbns=tuple(reversed(both))), book)
        reprint = book.but(isbns=(second,), cancelled=(own,))
        yield same("cancelled", f"replaced number: {book.title}", book, reprint, review_ok=True)
        yield same("cancelled", f"z and z: {book.title}", book.but(isbns=(), cancelled=(own,)), reprint, review_ok=True)
        large = book.but(isbns=(second,), cancelled=(own,), editions=("Large print",), form="d", extent="512 s.")
        yield different("cancelled", f"z is the ordinary edition's: {book.title}", book, large, review_ok=False)
        other = HANDBOOK.but(isbns=(third,), cancelled=(own,), language=book.language)
        yield different("cancelled", f"z of another book: {book.title}", book, other, review_ok=False)
        e_book = book.but(isbns=(second,), cancelled=(own,), form="o", extent="1 online resource", size="")
        yield different("cancelled", f"z is the printed book's: {book.title}", book, e_book, review_ok=False)


def _wrong_and_dummy() -> Iterator[LabelledPair]:
    for book in BOOKS[:4]:
        number = wrong(str(book.isbns[0]))
        yield same("wrong digit", f"the same wrong number: {book.title}", *_both(book, number), review_ok=True)
        other = HANDBOOK.but(isbns=(number,), language=book.language)
        yield different("wrong digit", f"on two books: {book.title}", book.but(isbns=(number,)), other, review_ok=False)
        second = book.but(isbns=(number,), editions=("2. uppl.",), year="2023")
        first = book.but(isbns=(number,), editions=("1. uppl.",))
        yield different("wrong digit", f"on two editions: {book.title}", first, second, review_ok=False)
        # One digit off is another book's number: repairing it would merge the two.
        neighbour = HANDBOOK.but(isbns=book.isbns, language=book.language)
        yield different(
            "wrong digit",
            f"repaired it would be: {book.title}",
            HANDBOOK.but(isbns=(number,)),
            neighbour,
            review_ok=False,
        )
    for dummy in (
        "0000000000",
        "9999999999",
        "9780000000002",
        "9999999999999",
        "1111111111",
        "1234567890",
        "123456789X",
    ):
        yield different("wrong digit", f"dummy {dummy}", HOUSE.but(isbns=(dummy,)), SHADOW.but(isbns=(dummy,)))
    for length in (11, 14):
        number = ("9789100000000" + "1")[:length]
        yield different("wrong digit", f"{length} digits", HOUSE.but(isbns=(number,)), ISLAND.but(isbns=(number,)))


def _both(book: Bib, number: str) -> tuple[Bib, Bib]:
    return book.but(isbns=(number,)), book.but(isbns=(number,))


def _sets_and_volumes() -> Iterator[LabelledPair]:
    words = ("set", "hela verket", "komplett", "Gesamtwerk", "koko teos", "complete set", "l'ensemble", "samlet verk")
    for place, word in enumerate(words):
        whole, first, second = (isbn13(940_000 + place * 10 + step) for step in range(3))
        one = SAGA.but(isbns=((first, "del 1"), (whole, word)))
        two = SAGA.but(isbns=((second, "del 2"), (whole, word)), number="Del 2", part="Stillhet", extent="401 sidor")
        yield different("sets", f"volumes under one {word}", two, one, review_ok=False)
        yield same("sets", f"one volume twice beside {word}", one, SAGA.but(isbns=(first, (whole, word))))
        work = Bib(SAGA.title, main=SAGA.main, publisher=SAGA.publisher, extent="3 volymer", isbns=((whole, word),))
        yield different("sets", f"whole work against volume: {word}", work, one, review_ok=False)
        if place < 4:
            yield same("sets", f"whole work twice: {word}", work, work.but(extent="3 band"), review_ok=True)
    whole, first, second = isbn13(949_001), isbn13(949_002), isbn13(949_003)
    one, two = SAGA.but(isbns=(first, whole)), SAGA.but(isbns=(second, whole), number="Del 2", part="Stillhet")
    yield different("sets", "nobody says which is the set's", two, one, review_ok=False)
    yield different("sets", "only the set's, not marked", two.but(isbns=(whole,)), one.but(isbns=(whole,)))
    three = Bib("Havsfolkets saga 3", main=SAGA.main, isbns=(whole,), extent="300 sidor")
    yield different("sets", "number in $a against $n", three, one.but(isbns=(whole,)))
    work = Bib(SAGA.title, main=SAGA.main, extent="3 volymer", isbns=((first, "del 1"), (second, "del 2")))
    yield different("sets", "whole work with all its volumes' numbers", work, SAGA.but(isbns=(first,)))
    unmarked = Bib(SAGA.title, main=SAGA.main, extent="3 volymer", isbns=(whole,))
    marked = unmarked.but(isbns=((whole, "hela verket"),))
    yield same("sets", "the whole work, marked by one side only", unmarked, marked, review_ok=True)
    box = MATHS.but(isbns=(whole,), title="Matematik 7-9", extent="3 volymer")
    yield different("sets", "box of three years", box, MATHS.but(isbns=(whole,)))


def _reused() -> Iterator[LabelledPair]:
    for place, book in enumerate(BOOKS):
        other = BOOKS[(place + 1) % len(BOOKS)].but(isbns=book.isbns)
        yield different("reused isbn", f"another book altogether: {book.title}", other, book)
        same_language = HANDBOOK.but(isbns=book.isbns, language=book.language)
        yield different("reused isbn", f"another book, same language: {book.title}", same_language, book)
        namesake = book.but(main="Vinterdal, Rune", others=(), statement="Rune Vinterdal", year="2009", extent="96 s.")
        yield different("reused isbn", f"same title, another author: {book.title}", namesake, book)
        bare = book.but(main="", others=(), statement="", year="1994", extent="96 s.", publisher="Annat förlag")
        yield different("reused isbn", f"same title, no author, another time: {book.title}", bare, book)
        sequel = book.but(title=f"{book.title} 2", rest="", year="2023", extent="333 s.")
        yield different("reused isbn", f"sequel: {book.title}", sequel, book)
    for book in (HOUSE, SHADOW, SOUTH):
        later = book.but(editions=("3. uppl.",), year="2025")
        yield different("reused isbn", f"third edition against none: {book.title}", later, book)
        by_illustrator = book.but(main="Vinterdal, Rune", others=("Ask, Lo",), title=book.title)
        yield different(
            "reused isbn", f"only the illustrator shared: {book.title}", by_illustrator, book.but(others=("Ask, Lo",))
        )


def _other_numbers() -> Iterator[LabelledPair]:
    for place, book in enumerate(BOOKS[:4]):
        number = f"(SE-LEV){77_000 + place}"
        ours, theirs = book.but(isbns=(), numbers=(number,)), book.but(isbns=(), numbers=(number, "(XX)1"))
        yield same("other numbers", f"same 035: {book.title}", ours, theirs)
        other = HANDBOOK.but(isbns=(), numbers=(number,), language=book.language)
        yield different("other numbers", f"035 on another book: {book.title}", other, theirs)
        new = ours.but(isbns=(isbn13(950_000 + place),), editions=("2. uppl.",), year="2024")
        yield different("other numbers", f"new edition on an old 035: {book.title}", new, theirs.but(isbns=book.isbns))
        taken = LabelledPair(
            "other numbers", f"taken from us: {book.title}", book.but(isbns=()), book, "same", False, True
        )
        yield taken
        changed = LabelledPair(
            "other numbers",
            f"taken from us, made another book: {book.title}",
            HANDBOOK.but(isbns=()),
            book,
            "different",
            True,
            True,
        )
        yield changed
        e_book = book.but(isbns=(isbn13(951_000 + place),), form="o", extent="1 online resource", size="")
        yield LabelledPair(
            "other numbers", f"our print made e-book: {book.title}", e_book, book, "different", True, True
        )


def _related_and_files() -> Iterator[LabelledPair]:
    for book in BOOKS[:4]:
        own = str(book.isbns[0])
        digital = isbn13(960_001)
        e_book = book.but(isbns=(digital,), cancelled=(own,), other_formats=(own,), extent="", size="")
        yield different("776", f"number of the other format in $z and 776: {book.title}", book, e_book, review_ok=False)
        mixed_up = book.but(isbns=((digital, "e-bok"), own), other_formats=(own,), form="o", extent="", size="")
        yield different("776", f"number of the other format in $a and 776: {book.title}", book, mixed_up)
        yield same("776", f"both name the e-book: {book.title}", *_naming(book, digital))
        yield same("one file", f"twice: {book.title}", book, book)
        brief = Bib(book.title, isbns=book.isbns, year="", language="   ", level="3")
        yield same("one file", f"a brief record beside: {book.title}", brief, book, review_ok=bool(book.rest))
    yield different("one file", "two numbers, one title", HOUSE, HOUSE.but(isbns=(isbn13(960_777),)), review_ok=False)
    yield different("one file", "print and e-book of one title", HOUSE, EBOOK, review_ok=False)


def _naming(book: Bib, digital: str) -> tuple[Bib, Bib]:
    return book.but(other_formats=(digital,)), book.but(other_formats=(digital,))
