"""Small deliveries for one test each: books that never meet by chance, and files of them as suppliers name them.

The records are written by the sample's generator, so that a test says only which book, at which level, for whom.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from deployments.sample.books import Book, Number, draw_book
from deployments.sample.encoding import iso2709
from deployments.sample.records import OWN_PREFIX, Cataloguing, Line, bib_record, holding_record
from schemas.marc import Field, Record
from tasks.workplace import Workplace
from tests.warehouse.pipeline import land, load_catalogue

SEED = 11
DAY = date(2025, 3, 14)


@cache
def book(serial: int, **changes: Any) -> Book:
    """The `serial`-th book, with an ISBN of its own; `changes` are fields of `Book`."""
    return replace(draw_book(Random(f"parcels:{serial}"), 500 + serial, SEED, "swe"), **changes)


def with_isbn(one: Book, text: str, subfield: str = "a") -> Book:
    """The book with this number alone."""
    return replace(one, numbers=(Number(text, "", "z" if subfield == "z" else "a"),))


@dataclass
class Parcel:
    """A supplier's file: bibs, each followed by its holdings."""

    supplier: str = "NORDBOK"
    pieces: list[Record] = field(default_factory=list)
    agency: str = ""
    """040 $a; the supplier's code where empty."""
    _bib_number: str = ""

    def bib(self, one: Book, number: str, *, level: str = "7", extra: tuple[Field, ...] = ()) -> Parcel:
        """Add the supplier's record of a book, under its number."""
        self._bib_number = number
        agency = self.agency or self.supplier
        by = Cataloguing(
            number, prefix=self.supplier, level=level, agency=agency, on=DAY, is_thorough=False, extra=extra
        )
        self.pieces.append(bib_record(one, by))
        return self

    def holding(self, sigel: str, *marks: str, is_delete: bool = False) -> Parcel:
        """Add a holding under the bib before it, a line a shelf mark (`Hc` where none is given)."""
        record = holding_record(
            sigel,
            tuple(Line(mark) for mark in marks or ("Hc",)),
            control_number=f"{self._bib_number}-{sigel}",
            bib_number=self._bib_number,
            prefix=self.supplier,
            on=DAY,
            is_delete=is_delete,
        )
        self.pieces.append(record)
        return self

    @property
    def content(self) -> bytes:
        """The file, ISO2709 in UTF-8."""
        return b"".join(iso2709(each) for each in self.pieces)

    def land(self, place: Workplace, minute: int = 0, word: str = "dagfil") -> str:
        """Put the file into the landing zone, sent at 18:`minute`; returns its URI."""
        return land(place, self.supplier, file_name(self.supplier, minute, word), self.content)


def file_name(supplier: str, minute: int = 0, word: str = "dagfil") -> str:
    """A file name as agreed with NORDBOK and FORHAND."""
    return f"{supplier}_20250314{18 + minute // 60:02d}{minute % 60:02d}00_{word}.mrc"


@dataclass
class Export:
    """An export of the union catalogue."""

    pieces: list[Record] = field(default_factory=list)
    _bib_number: str = ""

    def bib(
        self,
        one: Book,
        number: str,
        *,
        level: str = " ",
        agency: str = OWN_PREFIX,
        editors: tuple[str, ...] = (),
        is_national_bibliography: bool = False,
        status: str = "n",
        extra: tuple[Field, ...] = (),
    ) -> Export:
        """Add a bib under the catalogue's number; `status` is leader/05."""
        self._bib_number = number
        by = Cataloguing(
            number,
            level=level,
            agency=agency,
            editors=editors,
            is_national_bibliography=is_national_bibliography,
            status=status,
            extra=extra,
        )
        self.pieces.append(bib_record(one, by))
        return self

    def holding(self, sigel: str, *lines: Line, is_delete: bool = False) -> Export:
        """Add a holding under the bib before it, with one line `Magasin` of the library's where none is given."""
        record = holding_record(
            sigel,
            lines or (Line("Magasin"),),
            control_number=f"{self._bib_number}-{sigel}",
            bib_number=self._bib_number,
            is_delete=is_delete,
        )
        self.pieces.append(record)
        return self

    @property
    def content(self) -> bytes:
        """The file, ISO2709 in UTF-8."""
        return b"".join(iso2709(each) for each in self.pieces)

    def load(self, place: Workplace, mode: str = "delta", name: str = "export.mrc") -> int:
        """Load it; returns the delivery."""
        folder = Path(place.settings.home) / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / name
        file.write_bytes(self.content)
        (delivery,) = load_catalogue(place, [file], mode)
        return delivery
