"""A bib as a few named values, from which its MARC record is built; and the pair that carries the label.

Titles, persons and publishers are invented. ISBNs have right check digits unless a pair is about wrong ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from stdnum import ean

from schemas.marc import Field, IsbnFact, Record, control_field, data_field
from tasks.marc.isbn import isbn_fact
from tasks.matching.evidence import MatchFeatures, features_of

Truth = Literal["same", "different"]


def isbn13(serial: int, prefix: str = "97891") -> str:
    """The `serial`-th number under a prefix, with its check digit."""
    body = prefix + str(serial).zfill(12 - len(prefix))
    return body + str(ean.calc_check_digit(body))


def isbn10(serial: int) -> str:
    """The ten-digit form of `isbn13(serial)`."""
    body = isbn13(serial)[3:12]
    rest = sum((place + 1) * int(digit) for place, digit in enumerate(body)) % 11
    return body + ("X" if rest == 10 else str(rest))


def hyphenated(number: str, dash: str = "-") -> str:
    """A number with dashes where a publisher might put them."""
    if len(number) == 10:
        return dash.join((number[:2], number[2:5], number[5:9], number[9:]))
    return dash.join((number[:3], number[3:5], number[5:8], number[8:12], number[12:]))


def wrong(number: str) -> str:
    """The number with its check digit off by one."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


@dataclass(frozen=True)
class Bib:
    """What a record says. Empty means that the field is not there."""

    title: str
    rest: str = ""
    number: str = ""
    part: str = ""
    medium: str = ""
    statement: str = ""
    isbns: tuple[str | tuple[str, str], ...] = ()
    """020 $a, or ($a, $q)"""
    cancelled: tuple[str | tuple[str, str], ...] = ()
    main: str = ""
    dates: str = ""
    others: tuple[str, ...] = ()
    year: str = "2021"
    date_type: str = "s"
    level: str = " "
    record_type: str = "a"
    bib_level: str = "m"
    language: str = "swe"
    languages_041: tuple[str, ...] = ()
    editions: tuple[str, ...] = ()
    publisher: str = ""
    extent: str = ""
    size: str = "22 cm"
    form: str = " "
    """008/23, or 29"""
    category: str = ""
    """007"""
    media: str = ""
    carrier: str = ""
    """338 $b"""
    variants: tuple[str, ...] = ()
    linked: tuple[tuple[str, str], ...] = ()
    """880: (linked tag, $a)"""
    issn: str = ""
    ean: str = ""
    numbers: tuple[str, ...] = ()
    """035 $a"""
    other_formats: tuple[str, ...] = ()
    """776 $z"""
    further: tuple[Field, ...] = ()

    def but(self, **changes: Any) -> Bib:
        """The same record with some values changed."""
        return replace(self, **changes)

    def record(self) -> Record:
        """The MARC record."""
        leader = f"00000n{self.record_type}{self.bib_level} a22000{self.level}i 4500"
        leader = leader[:17] + self.level + leader[18:]
        return Record(leader, sorted(self._fields(), key=lambda each: each.tag))

    def isbn_facts(self) -> tuple[IsbnFact, ...]:
        """The 020s as the project reads them."""
        facts = []
        for subfield, values in (("a", self.isbns), ("z", self.cancelled)):
            for value in values:
                raw, qualifier = (value, "") if isinstance(value, str) else value
                facts.append(isbn_fact(raw, subfield, qualifier))  # type: ignore[arg-type]
        return tuple(facts)

    def features(self) -> MatchFeatures:
        """What matching sees."""
        return features_of(self.record(), self.isbn_facts())

    def _fields(self) -> Iterable[Field]:
        yield self._fixed()
        if self.category:
            yield control_field("007", self.category)
        for code, values in (("a", self.isbns), ("z", self.cancelled)):
            for value in values:
                raw, qualifier = (value, "") if isinstance(value, str) else value
                yield data_field("020", "  ", [(code, raw), ("q", qualifier)] if qualifier else [(code, raw)])
        yield from _simple(
            ("022", "  ", "a", self.issn),
            ("024", "3 ", "a", self.ean),
            *(("035", "  ", "a", each) for each in self.numbers),
            *(("041", "  ", "a", each) for each in self.languages_041),
            *(("246", "1 ", "a", each) for each in self.variants),
            *(("250", "  ", "a", each) for each in self.editions),
            *(("700", "1 ", "a", each) for each in self.others),
            *(("776", "08", "z", each) for each in self.other_formats),
            ("337", "  ", "b", self.media),
            ("338", "  ", "b", self.carrier),
        )
        if self.main:
            yield data_field("100", "1 ", _given(("a", self.main), ("d", self.dates)))
        yield data_field("245", "10", self._title())
        if self.publisher or self.year:
            yield data_field("264", " 1", _given(("b", self.publisher), ("c", self.year)))
        if self.extent:
            yield data_field("300", "  ", _given(("a", self.extent), ("c", self.size)))
        for place, (tag, text) in enumerate(self.linked):
            yield data_field("880", "1 ", [("6", f"{tag}-0{place + 1}"), ("a", text)])
        yield from self.further

    def _fixed(self) -> Field:
        year = self.year if len(self.year) == 4 and self.year.isdigit() else "||||"
        place = 29 if self.record_type in "efgkor" else 23
        body = f"210101{self.date_type}{year}    xx ".ljust(35, "|")
        body = body[:place] + self.form + body[place + 1 :]
        return control_field("008", f"{body}{self.language.ljust(3)}|c")

    def _title(self) -> list[tuple[str, str]]:
        ends = " :" if self.rest else " /" if self.statement else ""
        return _given(
            ("a", self.title + ends),
            ("n", self.number),
            ("p", self.part),
            ("h", self.medium),
            ("b", self.rest),
            ("c", self.statement),
        )


@dataclass(frozen=True)
class LabelledPair:
    """An incoming and an existing record, and what a cataloguer says of them.

    `review_ok`: it is no fault to ask a person. A pair that is the same and not `review_ok` must match; one that is
    different and not `review_ok` must be told apart by itself.
    """

    family: str
    name: str
    incoming: Bib
    existing: Bib
    truth: Truth
    review_ok: bool
    has_our_number: bool = False
    """The incoming record carries the existing bib's control number."""

    def found_by(self) -> tuple[str, ...]:
        """The schemes by which the catalogue would find the existing bib; none where nothing leads to it."""
        ours, theirs = self.incoming.isbn_facts(), self.existing.isbn_facts()
        ways = ["control_number"] if self.has_our_number else []
        for one in ours:
            for other in theirs:
                if one.isbn13 is not None and one.isbn13 == other.isbn13:
                    same = one.subfield == other.subfield
                    ways.append(f"isbn_{one.subfield}" if same else "isbn_az")
                elif one.status == other.status == "invalid" and one.raw == other.raw:
                    ways.append("invalid")
        for scheme, value, others in (
            ("issn", self.incoming.issn, (self.existing.issn,)),
            ("ean", self.incoming.ean, (self.existing.ean,)),
            *(("035", each, self.existing.numbers) for each in self.incoming.numbers),
        ):
            if value and value in others:
                ways.append(scheme)
        return tuple(dict.fromkeys(ways))


def same(family: str, name: str, incoming: Bib, existing: Bib, *, review_ok: bool = False) -> LabelledPair:
    """One book, described twice."""
    return LabelledPair(family, name, incoming, existing, "same", review_ok)


def different(family: str, name: str, incoming: Bib, existing: Bib, *, review_ok: bool = True) -> LabelledPair:
    """Two books."""
    return LabelledPair(family, name, incoming, existing, "different", review_ok)


def _simple(*values: tuple[str, str, str, str]) -> Iterable[Field]:
    for tag, indicators, code, value in values:
        if value:
            yield data_field(tag, indicators, [(code, value)])


def _given(*subfields: tuple[str, str]) -> list[tuple[str, str]]:
    return [(code, value) for code, value in subfields if value]
