"""Where the sample is put together: bibs that stand in the union catalogue, and files that arrive in the night.

A scene (deployments/sample/scenes) plants the bibs that it needs and delivers the files that meet them, each piece with
what ought to become of it. Plants depend on the seed alone, deliveries on the seed and the date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any, Literal

from deployments.sample.books import Book, draw_book
from deployments.sample.encoding import Charset, iso2709, marcxml
from deployments.sample.records import OWN_PREFIX, Cataloguing, Line, bib_record, holding_record
from schemas.marc import Field, Record

Kind = Literal["bib", "holding", "unreadable"]
Outcomes = str | tuple[str, ...]

TAKEN_IN = ("loaded", "settled")
"""States of a delivery that nothing stopped."""


@dataclass(frozen=True)
class Plant:
    """A bib of the union catalogue, with the lines of each library's holding by sigel."""

    book: Book
    by: Cataloguing
    holdings: dict[str, tuple[Line, ...]]


@dataclass(frozen=True)
class Expected:
    """What ought to become of one piece, or of one embedded 852 (`part` 1, 2, ...) of it.

    `outcomes` are the outcomes that the reference allows; empty where it leaves them open. `meets` is the control
    number of the bib in the union catalogue that the record is about; empty for none.
    """

    position: int
    part: int
    kind: Kind
    outcomes: tuple[str, ...]
    shows: str = ""
    meets: str = ""
    title: str = ""
    isbn: str = ""
    sigel: str = ""


@dataclass(frozen=True)
class Drop:
    """One file of the night. `states` are those the delivery may end in; empty where it makes no delivery at all."""

    supplier: str
    name: str
    shows: str
    content: bytes
    states: tuple[str, ...]
    expected: tuple[Expected, ...]
    resent_of: str = ""
    """Name of the file whose bytes it repeats."""


class Cast:
    """Collects plants and drops; hands out numbers that are never used twice."""

    def __init__(self, seed: int, on: date) -> None:
        self.seed = seed
        self.on = on
        self.plants: list[Plant] = []
        self.drops: list[Drop] = []
        self._books = 0
        self._numbers: dict[str, int] = {}
        self._seconds = 0

    def book(self, language: str = "swe", **changes: Any) -> Book:
        """A new book with a new ISBN; `changes` are fields of `Book` that the scene needs to be so."""
        self._books += 1
        rng = Random(f"{self.seed}:book:{self._books}")
        return replace(draw_book(rng, self._books, self.seed, language), **changes)

    def plant(
        self,
        book: Book,
        *,
        level: str = " ",
        agency: str = "SAMKAT",
        editors: tuple[str, ...] = (),
        is_national_bibliography: bool = False,
        holdings: dict[str, tuple[Line, ...]] | None = None,
    ) -> str:
        """Put a bib into the union catalogue; its control number is returned."""
        number = control_number(len(self.plants))
        by = Cataloguing(
            number,
            level=level,
            agency=agency,
            editors=editors,
            on=date(2019, 1, 7) + timedelta(days=11 * len(self.plants)),
            is_national_bibliography=is_national_bibliography,
        )
        self.plants.append(Plant(book, by, {"NORU": (Line("Hc"),)} if holdings is None else holdings))
        return number

    def number(self, supplier: str) -> str:
        """The next record number of a supplier."""
        self._numbers[supplier] = self._numbers.get(supplier, 0) + 1
        return f"{supplier[:2]}{self.on:%y%m%d}{self._numbers[supplier]:05d}"

    def stamp(self) -> str:
        """Date and time for a file name (YYYYMMDDhhmmss), later at each call."""
        self._seconds += 37
        hours, rest = divmod(self._seconds, 3600)
        return f"{self.on:%Y%m%d}{18 + hours:02d}{rest // 60:02d}{rest % 60:02d}"

    def drop(
        self,
        supplier: str,
        name: str,
        shows: str,
        content: bytes,
        states: tuple[str, ...],
        expected: Sequence[Expected] = (),
        resent_of: str = "",
    ) -> None:
        """Add a finished file to the night."""
        self.drops.append(Drop(supplier, name, shows, content, states, tuple(expected), resent_of))


def control_number(index: int) -> str:
    """Our number of the `index`-th bib of the union catalogue, counted from 0."""
    return f"SK{index + 1:08d}"


@dataclass
class Parcel:
    """A supplier's file while it is filled: one bib, then its holdings, then the next bib (the reading contract)."""

    cast: Cast
    supplier: str
    charset: Charset = "utf-8"
    charset_code: str | None = None
    pieces: list[Record | bytes] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    _bib_number: str = ""

    def bib(
        self,
        book: Book,
        outcomes: Outcomes,
        shows: str = "",
        *,
        meets: str = "",
        level: str = "7",
        extra: tuple[Field, ...] = (),
        own_number: str = "",
    ) -> Record:
        """Add the supplier's record of a book; returned so that a scene can spoil it.

        `own_number` is our control number, for a record that the supplier took from the union catalogue.
        """
        self._bib_number = own_number or self.cast.number(self.supplier)
        by = Cataloguing(
            self._bib_number,
            prefix=OWN_PREFIX if own_number else self.supplier,
            level=level,
            agency=self.supplier,
            on=self.cast.on,
            is_thorough=False,
            extra=extra,
        )
        record = bib_record(book, by)
        self.pieces.append(record)
        self._expect("bib", outcomes, shows, meets=meets, title=book.title, isbn=book.isbn)
        return record

    def holding(self, sigel: str, outcomes: Outcomes, *lines: Line, shows: str = "", is_delete: bool = False) -> Record:
        """Add the holding of one library under the bib before it, with one line `Hc` where none is given."""
        record = holding_record(
            sigel,
            lines or (Line("Hc"),),
            control_number=f"{self._bib_number}-{sigel}",
            bib_number=self._bib_number,
            prefix=self.supplier,
            on=self.cast.on,
            is_delete=is_delete,
        )
        self.pieces.append(record)
        self._expect("holding", outcomes, shows, sigel=sigel)
        return record

    def embedded(self, *holdings: tuple[str, Outcomes, str]) -> None:
        """Say what becomes of the 852s that the last bib carries: (sigel, outcomes, what it shows)."""
        for part, (sigel, outcomes, shows) in enumerate(holdings, start=1):
            self._expect("holding", outcomes, shows, sigel=sigel, part=part)

    def raw(self, content: bytes, kind: Kind, outcomes: Outcomes, shows: str) -> None:
        """Add bytes as they are."""
        self.pieces.append(content)
        self._expect(kind, outcomes, shows)

    def encoded(self) -> list[bytes]:
        """Each piece in ISO2709."""
        return [
            each if isinstance(each, bytes) else iso2709(each, self.charset, self.charset_code) for each in self.pieces
        ]

    def send_iso2709(self, name: str, shows: str, states: tuple[str, ...] = TAKEN_IN) -> bytes:
        """Drop the file; `name` is what stands after supplier and stamp. The content is returned."""
        content = b"".join(self.encoded())
        self.cast.drop(self.supplier, self.named(name), shows, content, states, self.expected)
        return content

    def send_marcxml(self, name: str, shows: str, states: tuple[str, ...] = TAKEN_IN) -> bytes:
        """Drop the file as a MARCXML collection."""
        content = marcxml([each for each in self.pieces if isinstance(each, Record)])
        self.cast.drop(self.supplier, self.named(name), shows, content, states, self.expected)
        return content

    def send_order(self, sigel: str, shows: str, states: tuple[str, ...] = TAKEN_IN, prefix: str = "BOKRING") -> str:
        """Drop the file as an order: `SUPPLIER_[SIGEL]_[stamp]_[source][number].xml`; the name is returned."""
        number = f"{prefix}{self._bib_number[2:]}"
        name = f"{self.supplier}_{sigel}_{self.cast.stamp()}_{number}.xml"
        content = marcxml([each for each in self.pieces if isinstance(each, Record)])
        self.cast.drop(self.supplier, name, shows, content, states, self.expected)
        return name

    def named(self, rest: str) -> str:
        """`SUPPLIER_[stamp]_rest`"""
        return f"{self.supplier}_{self.cast.stamp()}_{rest}"

    def _expect(
        self,
        kind: Kind,
        outcomes: Outcomes,
        shows: str,
        *,
        part: int = 0,
        meets: str = "",
        title: str = "",
        isbn: str = "",
        sigel: str = "",
    ) -> None:
        allowed = (outcomes,) if isinstance(outcomes, str) else outcomes
        self.expected.append(
            Expected(len(self.pieces), part, kind, tuple(filter(None, allowed)), shows, meets, title, isbn, sigel)
        )
