"""What a book of the sample is, before anybody has catalogued it: `Book`, and drawing one from the vocabulary.

Two records of one book (the union catalogue's and a supplier's) are written from the same `Book` by
deployments/sample/records.py; a book that only looks like another one is made with `dataclasses.replace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from deployments.sample.isbn import isbn13
from deployments.sample.vocabulary import LANGUAGE_SHARES, TONGUES, Tongue

Carrier = Literal["print", "online", "audio_disc"]


@dataclass(frozen=True)
class Number:
    """One 020: `text` as it is written there, in $a or $z, with a $q or without."""

    text: str
    qualifier: str = ""
    subfield: Literal["a", "z"] = "a"


@dataclass(frozen=True)
class Book:
    """A publication. Empty text and None mean that the title page does not say."""

    title: str
    language: str
    author: str
    """Inverted: family name, given name."""
    publisher: str
    place: str
    year: int
    pages: int
    numbers: tuple[Number, ...]
    subtitle: str = ""
    part_number: str = ""
    part_title: str = ""
    edition: str = ""
    series: str = ""
    carrier: Carrier = "print"
    original_language: str = ""
    translator: str = ""
    subjects: tuple[str, ...] = ()
    summary: str = ""
    is_fiction: bool = True
    is_large_print: bool = False
    other_format: str = ""
    """ISBN of the other format, for 776 $z."""

    @property
    def country(self) -> str:
        """MARC country code."""
        return TONGUES[self.language].country

    @property
    def isbn(self) -> str:
        """The first number's text, empty where there is none."""
        return self.numbers[0].text if self.numbers else ""


def draw_book(rng: Random, serial: int, seed: int, language: str = "") -> Book:
    """A plain printed book in one volume. `serial` makes its ISBN: give each book another one."""
    code = language or rng.choice(LANGUAGE_SHARES)
    tongue = TONGUES[code]
    noun, noun2 = rng.sample(tongue.nouns, 2)
    place = rng.choice(tongue.places)
    title = rng.choice(tongue.patterns).format(noun=noun, noun2=noun2, place=place)
    publisher, town = rng.choice(tongue.publishers)
    return Book(
        title=title[0].upper() + title[1:],
        subtitle=rng.choice(tongue.subtitles) if rng.random() < 0.6 else "",
        language=code,
        author=draw_person(rng, tongue),
        publisher=publisher,
        place=town,
        year=rng.randint(1985, 2024),
        pages=rng.randint(48, 640),
        numbers=(Number(isbn13(code, serial, seed), _binding(rng, code)),),
        series=f"{publisher} {rng.randint(1, 90)}" if rng.random() < 0.15 else "",
        subjects=tuple(rng.sample(tongue.subjects, 2)),
        summary=tongue.summary.format(noun=noun, place=place),
        is_fiction=rng.random() < 0.7,
    )


def draw_person(rng: Random, tongue: Tongue) -> str:
    """A person's name, family name first."""
    start = rng.choice(tongue.family_start)
    end = rng.choice(tongue.family_end)
    family = start.replace("~", " ") + (end.capitalize() if start.endswith("~") else end)
    return f"{family}, {rng.choice(tongue.given)}"


def direct_order(name: str) -> str:
    """`Ljungskär, Alva` as it stands on the title page: Alva Ljungskär."""
    family, _, given = name.partition(", ")
    return f"{given} {family}".strip()


def _binding(rng: Random, language: str) -> str:
    words = {
        "swe": ("inbunden", "häftad", ""),
        "nob": ("innb.", "heftet", ""),
        "dan": ("indbundet", "hæftet", ""),
        "dut": ("gebonden", "paperback", ""),
        "eng": ("hardback", "paperback", ""),
    }
    return rng.choice(words[language])
