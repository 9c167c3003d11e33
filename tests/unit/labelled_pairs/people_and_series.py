"""Pairs about persons, about records made before the book, and about serials."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.labelled_pairs.books import BOOKS, HANDBOOK, HARBOUR, HOUSE, ISLAND, JOURNAL, MATHS, SHADOW, YEARBOOK
from tests.unit.labelled_pairs.builders import LabelledPair, different, same

_ONE_PERSON = (
    ("Bergström, Anna", "Anna Bergström"),
    ("Bergström, Anna", "Bergström, A."),
    ("Bergström, Anna Maria", "Bergström, Anna"),
    ("Bergström, Anna Maria", "Bergström, A. M."),
    ("Bergström, Anna, 1970-", "Bergström, Anna"),
    ("Bergström, Anna, Dr", "Bergström, Anna"),
    ("BERGSTRÖM, ANNA", "Bergstrom, Anna"),
    ("Møller, Søren", "Möller, Sören"),
    ("Møller, Søren", "Moeller, Soeren"),
    ("Åkesson, Per", "Aakesson, Per"),
    ("Müller-Stein, Jörg", "Mueller Stein, Joerg"),
    ("von Essenberg, Carl", "Essenberg, Carl von"),
    ("Tolstinskij, Lev Nikolaevič", "Tolstinsky, Lev"),
    ("Tjechovskij, Anton", "Chekhovsky, Anton"),
    ("Dostojnev, Fjodor", "Dostoynev, Fyodor"),
    ("Gorkinskij, Maksim", "Gorkinsky, Maxim"),
    ("O'Hearn, Siobhan", "O’Hearn, Siobhan"),
    ("Nordli, Kåre", "Nordli"),
)
_TWO_PERSONS = (
    ("Bergström, Anna", "Bergström, Anders"),
    ("Bergström, Anna", "Lundqvist, Anna"),
    ("Nordli, Kåre", "Nordvik, Kåre"),
    ("Thomas, Dylan", "Dylan, Thomas"),
    ("Berg, Eva", "Borg, Eva"),
    ("Holm, Per", "Holm, Nils"),
    ("Ek, A.", "Ask, A."),
)


def pairs() -> Iterator[LabelledPair]:
    """All pairs of this module."""
    yield from _persons()
    yield from _before_the_book()
    yield from _serials()


def _persons() -> Iterator[LabelledPair]:
    for one, other in _ONE_PERSON:
        yield same("persons", f"{one} = {other}", HANDBOOK.but(main=one), HANDBOOK.but(main=other))
    generic = HANDBOOK.but(title="Dikter", rest="", statement="")
    for one, other in _TWO_PERSONS:
        yield different("persons", f"{one} ≠ {other}", generic.but(main=one), generic.but(main=other))
    born = generic.but(main="Holm, Per", dates="1950-")
    yield different("persons", "born in another year", born, born.but(dates="1981-"))
    yield same("persons", "living and dead", born, born.but(dates="1950-2021"))
    for book in BOOKS[:4]:
        yield same("persons", f"no heading: {book.title}", book.but(main="", others=()), book)
        yield same("persons", f"author in 700: {book.title}", book.but(main="", others=(book.main, *book.others)), book)
        yield same("persons", f"translator as well: {book.title}", book.but(others=(*book.others, "Ek, Ulf")), book)
        nameless = book.but(main="", others=(), statement="")
        yield same("persons", f"nobody named: {book.title}", nameless, book)
    yield same("persons", "pen name", HOUSE.but(main="Havsvind, A.", statement="A. Havsvind"), HOUSE, review_ok=True)
    hard = HANDBOOK.but(main="Čajkovskij, Pëtr Ilʹič")
    yield same("persons", "far transliterations", hard, HANDBOOK.but(main="Tschaikowsky, Peter"), review_ok=True)
    swapped = HARBOUR.but(main="Oddy, James", others=("Whitcombe, Eleanor",))
    yield same("persons", "two authors in another order", swapped, HARBOUR)


def _before_the_book() -> Iterator[LabelledPair]:
    for book in BOOKS:
        year = int(book.year)
        early = book.but(level="8", extent="", size="", editions=())
        for apart in (-1, 1, 2):
            moved = early.but(year=str(year + apart))
            yield same("pre-publication", f"{apart:+} years, level 8: {book.title}", moved, book)
        order = book.but(level="5", year=str(year - 1), rest="", extent="ca 300 s.")
        yield same("pre-publication", f"order record, level 5: {book.title}", order, book)
        full_late = early.but(year=str(year - 1))
        yield same("pre-publication", f"full record meets the early one: {book.title}", book, full_late)
        guess = early.but(extent="400 s.", size="22 cm")
        yield same("pre-publication", f"pages guessed: {book.title}", guess, book)
        imprint = early.but(publisher="Annat Imprint", main="", others=(), statement="")
        yield same("pre-publication", f"imprint, no author: {book.title}", imprint, book)
        working = early.but(title=f"Arbetstitel {book.title.split()[0]}", rest="")
        yield same("pre-publication", f"working title: {book.title}", working, book, review_ok=True)
        no_year = early.but(year="", main="")
        yield same("pre-publication", f"no year: {book.title}", no_year, book)
    for length in (32, 40, 50):
        cut = HANDBOOK.but(title=f"{HANDBOOK.title} {HANDBOOK.rest}"[:length], rest="", level="8")
        yield same("pre-publication", f"title cut after {length} letters", cut, HANDBOOK)
        yield same(
            "pre-publication", f"title cut after {length} letters, dots", cut.but(title=cut.title + "..."), HANDBOOK
        )
    later = MATHS.but(level="8", title="Matematik 8")
    yield different("pre-publication", "next grade under the number", later, MATHS)
    new = HOUSE.but(level="8", editions=("2. uppl.",), year="2024")
    yield different("pre-publication", "new edition under the number", new, HOUSE.but(editions=("1. uppl.",)))
    silent = HOUSE.but(level="8", editions=("3. uppl.",), year="2026")
    yield different("pre-publication", "third edition announced, the first says nothing", silent, HOUSE)
    yield different("pre-publication", "another year altogether", HOUSE.but(level="5", year="2006"), HOUSE)
    other = HANDBOOK.but(level="8", isbns=HOUSE.isbns)
    yield different("pre-publication", "number given to another book", other, HOUSE)


def _serials() -> Iterator[LabelledPair]:
    yield same("serials", "by ISSN", JOURNAL, JOURNAL.but(publisher="", title="NORDISK FÅGELTIDSKRIFT"))
    yield same("serials", "years differ", JOURNAL.but(year="2001"), JOURNAL)
    online = JOURNAL.but(form="o", extent="1 onlineresurs", size="")
    yield different("serials", "print and online under one ISSN", online, JOURNAL)
    renamed = JOURNAL.but(title="Fåglar i Norden")
    yield different("serials", "renamed, ISSN kept by mistake", renamed, JOURNAL)
    section = JOURNAL.but(number="Serie B")
    yield different("serials", "section against whole", section, JOURNAL)
    yield different("serials", "two sections", section, JOURNAL.but(number="Serie A"))
    in_series = HOUSE.but(issn=JOURNAL.issn, isbns=())
    yield different("serials", "monograph with the ISSN of its series", in_series, JOURNAL, review_ok=False)
    other = SHADOW.but(issn=JOURNAL.issn)
    yield different("serials", "two monographs of one series", in_series, other, review_ok=False)
    as_serial = YEARBOOK.but(bib_level="s", date_type="c", title="Skärgårdens årsbok", year="1998")
    yield different("serials", "yearbook as serial and as book", YEARBOOK, as_serial)
    same_title = YEARBOOK.but(bib_level="s", date_type="c")
    yield different("serials", "yearbook as serial with the volume's title", YEARBOOK, same_title)
    following = YEARBOOK.but(title="Skärgårdens årsbok 2025", year="2025")
    yield different("serials", "next yearbook under the same number", following, YEARBOOK)
    yield different("serials", "other ISSN, number of ours", *_other_issn())
    yield same("serials", "Danish by ISSN", *_danish())


def _other_issn() -> tuple:  # type: ignore[type-arg]
    number = ("(SE-LEV)9001",)
    return JOURNAL.but(issn="1402-3040", numbers=number), JOURNAL.but(numbers=number)


def _danish() -> tuple:  # type: ignore[type-arg]
    journal = JOURNAL.but(title="Øernes tidende", language="dan", issn="1402-3059")
    return journal, journal.but(title="Øernes Tidende :", rest="ugeblad for kysten", publisher=ISLAND.publisher)
