"""Pairs about editions: their number in many words, printings, large print, school, teacher, abridged; translations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from schemas.marc import data_field
from tests.unit.labelled_pairs.books import BOOKS, HARBOUR, HOUSE, ISLAND, MATHS, SHADOW, SOUTH
from tests.unit.labelled_pairs.builders import LabelledPair, different, same

# Edition statements of one language: the same number said in several ways.
_SECOND = {
    "swe": ("2. uppl.", "2 uppl", "Andra upplagan", "Andra, omarbetade upplagan", "2:a uppl.", "2., rev. uppl."),
    "nob": ("2. utg.", "Andre utgave", "Annen utgave", "2. utg., 3. opplag"),
    "dan": ("2. udg.", "2. udgave, 1. oplag", "Anden udgave"),
    "eng": ("2nd ed.", "Second edition", "Second, revised edition", "2nd ed., 4th printing", "Ed. 2"),
    "ger": ("2. Aufl.", "Zweite Auflage", "2., überarbeitete Auflage"),
    "fre": ("2e éd.", "Deuxième édition", "2e édition revue"),
    "dut": ("2e druk", "Tweede druk", "2de, herziene druk"),
    "fin": ("2. painos", "Toinen painos", "2. uud. p. painos"),
}
_THIRD = {
    "swe": ("3. uppl.", "Tredje upplagan"),
    "nob": ("3. utg.", "Tredje utgave"),
    "dan": ("3. udgave", "Tredje udgave"),
    "eng": ("3rd ed.", "Third edition"),
    "ger": ("3. Auflage", "Dritte Auflage"),
    "fre": ("3e éd.", "Troisième édition"),
    "dut": ("3e druk", "Derde druk"),
    "fin": ("3. painos", "Kolmas painos"),
}
_FIRST = {
    "swe": ("1. uppl.", "Första upplagan", "Första upplagan, andra tryckningen"),
    "nob": ("1. utg.", "Første utgave", "1. utg., 2. opplag"),
    "dan": ("1. udgave, 3. oplag",),
    "eng": ("1st ed.", "First edition", "First edition, second impression"),
    "ger": ("1. Aufl.", "Erste Auflage"),
    "fre": ("1re éd.", "Première édition"),
    "dut": ("1e druk", "Eerste druk"),
    "fin": ("1. painos", "Ensimmäinen painos"),
}
_SPECIAL = (
    ("large print in 250", {"editions": ("Storstil",)}),
    ("large print in 250, English", {"editions": ("Large print edition",)}),
    ("large print in 340", {"further": (data_field("340", "  ", [("n", "large print")]),)}),
    ("large print in 008", {"form": "d"}),
    ("large print in 300", {"extent": "512 sidor (storstil)"}),
    ("large print in 655", {"further": (data_field("655", " 7", [("a", "Storstilsböcker")]),)}),
    ("easy reading", {"editions": ("Lättläst version",)}),
    ("easy reading in the title", {"rest": "en lättläst version"}),
    ("school", {"editions": ("Skolutgåva",)}),
    ("abridged", {"editions": ("Förkortad utg.",)}),
    ("abridged, English", {"editions": ("Abridged ed.",)}),
    ("abridged, German", {"editions": ("Gekürzte Ausgabe",)}),
    ("teacher in the title", {"rest": "lärarhandledning"}),
    ("workbook in the title", {"rest": "övningsbok"}),
    ("answers in the title", {"rest": "facit"}),
    ("teacher in 250", {"editions": ("Teacher's edition",)}),
)


def pairs() -> Iterator[LabelledPair]:
    """All pairs of this module."""
    yield from _numbers()
    yield from _special_editions()
    yield from _years_and_printings()
    yield from _translations()


def _numbers() -> Iterator[LabelledPair]:
    for book in BOOKS:
        seconds, thirds, firsts = (table[book.language] for table in (_SECOND, _THIRD, _FIRST))
        for statement in seconds[1:]:
            one, other = book.but(editions=(statement,)), book.but(editions=(seconds[0],))
            yield same("editions", f"second: {statement}", one, other)
        for place, statement in enumerate(thirds):
            other = book.but(editions=(seconds[place],))
            yield different("editions", f"third against second: {statement}", book.but(editions=(statement,)), other)
        for statement in firsts:
            yield same("editions", f"first against none: {statement}", book.but(editions=(statement,)), book)
            second = book.but(editions=(seconds[0],))
            yield different("editions", f"first against second: {statement}", book.but(editions=(statement,)), second)
        foreign = _SECOND["eng"][1] if book.language != "eng" else _SECOND["ger"][0]
        yield same("editions", f"second in two languages: {book.title}", book.but(editions=(foreign,)), second)
        yield same("editions", f"second against a silent brief record, same year: {book.title}", book, second)


def _special_editions() -> Iterator[LabelledPair]:
    for name, mark in _SPECIAL:
        for book in (HOUSE, MATHS):
            special = book.but(**mark)
            yield different("special editions", f"{name} against the ordinary one: {book.title}", special, book)
            yield same(
                "special editions", f"{name}, twice: {book.title}", special, special.but(level="3", statement="")
            )
    large = [book_mark for name, book_mark in _SPECIAL if name.startswith("large print in")]
    for one, other in pairwise(large):
        yield same(
            "special editions", "large print said in two ways", HOUSE.but(**one), HOUSE.but(**{"extent": "", **other})
        )
    whole = HARBOUR.but(editions=("Unabridged",))
    yield same("special editions", "unabridged is ordinary", whole, HARBOUR)
    readers = HOUSE.but(further=(data_field("655", " 7", [("a", "Lättlästa böcker")]),))
    yield same("special editions", "a genre term for easy readers", readers, HOUSE)
    pupil = MATHS.but(rest="elevbok")
    yield same("special editions", "pupil's book is the ordinary one", pupil, MATHS)
    yield different("special editions", "pupil's and teacher's book", pupil, MATHS.but(rest="lärarhandledning"))


def _years_and_printings() -> Iterator[LabelledPair]:
    for book in (HOUSE, SHADOW, ISLAND, SOUTH):
        later = str(int(book.year) + 4)
        reprint = book.but(year=later)
        yield same("years", f"reprint with equal pages: {book.title}", reprint, book)
        yield same("years", f"next year: {book.title}", book.but(year=str(int(book.year) + 1)), book)
        yield same(
            "years", f"reprint, pages unknown: {book.title}", reprint.but(extent="", size=""), book, review_ok=True
        )
        changed = book.but(year=later, extent="512 s.")
        yield different("years", f"silent new edition, other pages: {book.title}", changed, book)
        thicker = book.but(year=str(int(book.year) + 1), extent="512 s.")
        yield different("years", f"next year, half as many pages again: {book.title}", thicker, book)
        moved = book.but(year=later, publisher="Annat förlag")
        yield different("years", f"another publisher's edition: {book.title}", moved, book)
        numbered = book.but(year=later, editions=("2. uppl.",))
        yield different("years", f"second edition against none, years apart: {book.title}", numbered, book)
        revised = book.but(year=str(int(book.year) + 1), editions=("Rev. ed.",))
        yield different("years", f"revised next year: {book.title}", revised, book)
        reset = book.but(year=later, extent=f"{int(book.features().pages or 0) + 6} s.")
        yield different("years", f"set anew, six pages more: {book.title}", reset, book)
        copyright_ = book.but(date_type="t", year=later)
        yield same("years", f"printed later, copyright alike: {book.title}", copyright_, book, review_ok=True)
    for one, other in (("2024 års utg.", "2025 års utg."), ("2023 edition", "2024 edition")):
        yield different("years", f"{one} and {other}", MATHS.but(editions=(one,)), MATHS.but(editions=(other,)))
    yield same(
        "years", "2024 edition twice", MATHS.but(editions=("2024 års utg.",)), MATHS.but(editions=("Utg. 2024",))
    )


def _translations() -> Iterator[LabelledPair]:
    for book, language in ((HOUSE, "nob"), (SHADOW, "swe"), (ISLAND, "swe"), (HARBOUR, "ger"), (SOUTH, "eng")):
        yield different("translations", f"same title in {language}: {book.title}", book.but(language=language), book)
        told_by_041 = book.but(language="   ", languages_041=(language,))
        yield different("translations", f"told by 041 alone: {book.title}", told_by_041, book)
        for neutral in ("und", "mul", "   ", "zxx", "|||"):
            yield same("translations", f"{neutral} is neutral: {book.title}", book.but(language=neutral), book)
        run_together = book.but(language="mul", languages_041=(f"{book.language}lat",))
        yield same("translations", f"old 041: {book.title}", run_together, book)
    yield same("translations", "Norwegian and Bokmål", SHADOW.but(language="nor"), SHADOW)
    yield different("translations", "Bokmål and Nynorsk", SHADOW.but(language="nno"), SHADOW)
    translated = HARBOUR.but(title="Den tysta hamnen", rest="en berättelse om avfärd", language="swe")
    yield different("translations", "another title as well", translated, HARBOUR)
