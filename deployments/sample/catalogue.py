"""The existing union catalogue: what the scenes planted, then as many ordinary bibs as are asked for.

Bibs come with our control numbers, at mixed encoding levels, some edited by cataloguers, some of the national
bibliography; each is followed by its holdings. Ordinary bib no. i depends on the seed and i alone, so that catalogues
of different sizes agree in what they share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from deployments.sample.books import Book, Number, draw_book, draw_person
from deployments.sample.cast import Plant, control_number
from deployments.sample.encoding import iso2709
from deployments.sample.isbn import isbn10, isbn13
from deployments.sample.records import Cataloguing, Line, bib_record, holding_record
from deployments.sample.scenes import compose
from deployments.sample.vocabulary import LIMITED, REGISTERING, TONGUES

BIBS = 3_000
BIBS_A_FILE = 2_000
FIRST_SERIAL = 10_000
"""ISBN serials under this are the scenes'."""
ANY_DATE = date(2025, 1, 1)
"""Plants do not depend on the date of the night."""
SUPPLIERS = ("BOKRING", "NORDBOK", "MEDIAT")


def write_catalogue(folder: Path, seed: int, bibs: int = BIBS) -> list[Path]:
    """Write the union catalogue into `folder` as ISO2709 in UTF-8; the files are returned, in order.

    `bibs` counts bibs, the planted ones included. Raises `ValueError` where it is too small to hold those.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    parts: list[bytes] = []
    for index, plant in enumerate(catalogue(seed, bibs), start=1):
        parts += _encoded(plant)
        if index % BIBS_A_FILE == 0 or index == bibs:
            file = folder / f"samkatalogen-{len(files) + 1:02d}.mrc"
            file.write_bytes(b"".join(parts))
            files.append(file)
            parts = []
    return files


def catalogue(seed: int, bibs: int = BIBS) -> Iterator[Plant]:
    """Every bib of the union catalogue, in the order of control numbers. Raises `ValueError`, see `write_catalogue`."""
    planted = compose(seed, ANY_DATE).plants
    if bibs < len(planted):
        raise ValueError(f"the scenes alone plant {len(planted)} bibs: ask for at least so many, not {bibs}")
    yield from planted
    for index in range(len(planted), bibs):
        yield _ordinary(index, seed)


def _encoded(plant: Plant) -> list[bytes]:
    """The bib and its holdings, one MFHD record a library."""
    pieces = [iso2709(bib_record(plant.book, plant.by))]
    for sigel, lines in plant.holdings.items():
        number = f"{plant.by.control_number}-{sigel}"
        holding = holding_record(
            sigel, lines, control_number=number, bib_number=plant.by.control_number, on=plant.by.on
        )
        pieces.append(iso2709(holding))
    return pieces


def _ordinary(index: int, seed: int) -> Plant:
    rng = Random(f"{seed}:ordinary:{index}")
    book = _variant(
        rng, draw_book(rng, FIRST_SERIAL + 2 * index, seed), isbn13("swe", FIRST_SERIAL + 2 * index + 1, seed)
    )
    agency = rng.choice(("SAMKAT", "NORU", "SOLB", *SUPPLIERS))
    is_early = agency in SUPPLIERS and rng.random() < 0.4
    by = Cataloguing(
        control_number(index),
        level=rng.choice("588") if is_early else rng.choice("   2337"),
        agency=agency,
        editors=(rng.choice(REGISTERING),) if rng.random() < 0.15 else (),
        on=date(2015, 1, 2) + timedelta(days=rng.randrange(3_400)),
        is_national_bibliography=book.language == "swe" and not is_early and rng.random() < 0.2,
        is_thorough=not is_early,
        status=rng.choice("nnc"),
    )
    return Plant(book, by, _holdings(rng, agency))


def _variant(rng: Random, book: Book, second_isbn: str) -> Book:
    """Most books are plain; the rest are e-books, large print, volumes, translations, yearbooks, old numbers."""
    throw = rng.random()
    if throw < 0.07:
        return replace(book, carrier="online", numbers=(replace(book.numbers[0], qualifier="e-bok"),))
    if throw < 0.10:
        return replace(book, is_large_print=True, edition="Storstilsutg.", pages=book.pages * 2)
    if throw < 0.16:
        whole = Number(second_isbn, "hela verket")
        return replace(book, part_number=f"D. {rng.randint(1, 5)}", numbers=(*book.numbers, whole))
    if throw < 0.24 and book.language != "eng":
        translator = draw_person(rng, TONGUES[book.language])
        author = draw_person(rng, TONGUES["eng"])
        return replace(book, author=author, original_language="eng", translator=translator)
    if throw < 0.28:
        return replace(book, title=f"{book.title}, årsbok {book.year}", subtitle="", author="", is_fiction=False)
    if throw < 0.36:
        return replace(
            book, edition=f"{rng.randint(2, 4)}. uppl.", numbers=(*book.numbers, Number(second_isbn, "", "z"))
        )
    if throw < 0.46 and book.year < 2007 and book.isbn.startswith("978"):
        return replace(book, numbers=(Number(isbn10(book.isbn), book.numbers[0].qualifier),))
    return book


def _holdings(rng: Random, agency: str) -> dict[str, tuple[Line, ...]]:
    """None to four libraries; some lines are a supplier's."""
    sigels = rng.sample(REGISTERING + LIMITED, rng.choice((0, 1, 1, 1, 2, 2, 3, 4)))
    owner = agency if agency in SUPPLIERS else ""
    holdings = {}
    for sigel in sigels:
        mark = rng.choice(("Hc", "Hc.01", "Vuxen/Roman", "Magasin", "Öppna hyllan", "Barn"))
        lines = [Line(mark, owner=owner if rng.random() < 0.6 else "")]
        if rng.random() < 0.1:
            lines.append(Line("Ref", public_note="Ej hemlån"))
        holdings[sigel] = tuple(lines)
    return holdings
