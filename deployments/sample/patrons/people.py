"""The persons of the sample consortium: who they are in each source, drawn from the seed. All are invented.

A person depends on the seed, the source and a number alone, never on who else is drawn. Nobody has a national id.
Telephone numbers are of ranges that are never given out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Literal, TypeAlias

from deployments.sample.vocabulary import DANISH, ENGLISH, NORWEGIAN, SWEDISH, Tongue

SourceCode: TypeAlias = Literal["NORUPERS", "SJUKHUS", "VESTSTUD", "FJORKOMM"]


@dataclass(frozen=True)
class Person:
    """One person as one source has them. Which of it a source sends is the matter of `formats`."""

    number: int
    """From 1, in its source."""
    key: str
    """The id that never changes: Feide id, employee number, student id, municipal number."""
    card: str
    """Borrower id, a barcode; also the primary id where `Origin.is_known_by_card`."""
    given: str
    family: str
    category: str
    """As the source writes it."""
    department: str
    feide: str
    email: str | None
    mobile: str
    born: date
    language: str
    """Of letters: nb, nn, da, sv, en."""
    street: str
    postal_code: str
    city: str
    preferred_given: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    old_id: str = ""
    """An id that was this person's until now."""
    is_confidential: bool = False
    orders: tuple[str, ...] = ()
    """Protection orders (BUPS 2), as XML in the prefix `s`."""
    more_lines: tuple[str, ...] = ()
    """Further lines of BUPS 1, as they are to stand in the file."""


@dataclass(frozen=True)
class Origin:
    """A source: what its persons have in common."""

    code: SourceCode
    institution: str
    tongues: tuple[Tongue, ...]
    domain: str
    card_prefix: str
    categories: tuple[str, ...]
    """Drawn from evenly: a category that stands twice comes twice as often."""
    departments: tuple[str, ...]
    file_end: str
    """Of the names of its files."""
    is_known_by_card: bool
    """The primary id is the card; else it is the key."""
    charset: str = "utf-8"
    is_weekdays_only: bool = False

    def primary_id(self, person: Person) -> str:
        """The primary id that the person has at the library."""
        return person.card if self.is_known_by_card else person.key

    def file_name(self, on: date) -> str:
        """The name of the file of that night."""
        return f"{self.code}_{on:%Y%m%d}{self.file_end}"

    def delivers_on(self, day: date) -> bool:
        """Whether a file comes on that day."""
        return not self.is_weekdays_only or day.weekday() < 5


ORIGINS: dict[SourceCode, Origin] = {
    "NORUPERS": Origin(
        "NORUPERS",
        "NORU",
        (SWEDISH, SWEDISH, NORWEGIAN, DANISH),
        "nordhavet.example",
        "NB",
        # A quarter are students: a wrong mapping of all of them is for the guard of the plan, not for that of the file.
        (*("10",) * 12, *("20",) * 5, "21", "21", "30"),
        ("Havsforskning", "Nordiska språk", "Fartygsteknik", "Biblioteket", "Kusthistoria", "Vindenergi"),
        ".txt",
        True,
        charset="iso8859-1",
    ),
    "SJUKHUS": Origin(
        "SJUKHUS",
        "NORU",
        (SWEDISH,),
        "lundvikssjukhus.example",
        "LS",
        ("LAK", "SSK", "SSK", "SSK", "EXT"),
        ("Kirurgi", "Medicin", "Barnkliniken", "Röntgen"),
        ".csv",
        False,
        is_weekdays_only=True,
    ),
    "VESTSTUD": Origin(
        "VESTSTUD",
        "VEST",
        (ENGLISH, NORWEGIAN, SWEDISH, DANISH),
        "vestmark.example",
        "VB",
        (*("student",) * 8, "exchange", "staff"),
        ("MAIN", "MAIN", "HARBOUR"),
        ".zip",
        False,
    ),
    "FJORKOMM": Origin(
        "FJORKOMM",
        "FJOR",
        (NORWEGIAN, NORWEGIAN, DANISH),
        "fjordkyst.example",
        "FK",
        (*("ELEV",) * 6, "LAR", "ANS"),
        ("Solnes skole", "Myrhaug skole", "Ravnøya oppvekstsenter", "Rådhuset"),
        ".csv",
        True,
        charset="windows-1252",
    ),
}
_STREETS = {SWEDISH.country: "vägen", NORWEGIAN.country: "veien", DANISH.country: "vej"}


def primary_id(source: SourceCode, person: Person) -> str:
    """The primary id that a person of that source has at the library."""
    return ORIGINS[source].primary_id(person)


def draw_person(seed: int, source: SourceCode, number: int) -> Person:
    """The person with that number: the same one every time."""
    origin = ORIGINS[source]
    rng = Random(f"{seed}:patron:{source}:{number}")
    tongue = rng.choice(origin.tongues)
    given = rng.choice(tongue.given)
    family = rng.choice(tongue.family_start) + rng.choice(tongue.family_end)
    category = rng.choice(origin.categories)
    account = f"{_ascii(given)}.{_ascii(family)}.{number}"
    return Person(
        number=number,
        key=_key(source, number, origin.domain),
        card=f"{origin.card_prefix}{number:08d}",
        given=given,
        family=family,
        category=category,
        department=rng.choice(origin.departments),
        feide="" if source in ("SJUKHUS", "FJORKOMM") else _feide(source, number, origin.domain),
        # Some have none in every source, so that a column that is empty for all is told from one that never was full.
        email=None if rng.random() < 0.03 else f"{account}@{origin.domain}",
        mobile=fictional_number(tongue, rng),
        born=date(1958, 1, 1) + timedelta(days=rng.randrange(365 * 45)),
        language={SWEDISH.country: "sv", NORWEGIAN.country: "nb", DANISH.country: "da"}.get(tongue.country, "en"),
        street=f"{rng.choice(tongue.places)}{_STREETS.get(tongue.country, ' Road')} {rng.randrange(1, 90)}",
        postal_code=f"{rng.randrange(100, 999)} {rng.randrange(10, 99)}",
        city=rng.choice(tongue.places),
        preferred_given=rng.choice(tongue.given) if rng.random() < 0.2 else "",
        valid_from=date(2015, 8, 17) + timedelta(days=7 * rng.randrange(400)),
        valid_to=_end(source, category, rng),
    )


def fictional_number(tongue: Tongue, rng: Random) -> str:
    """A telephone number that nobody can have: ranges kept for fiction, or, in Norway and Denmark, none at all."""
    if tongue is SWEDISH:
        return f"070-1740{rng.randrange(605, 700)}"
    if tongue is ENGLISH:
        return f"07700 900{rng.randrange(1000):03d}"
    return f"{rng.randrange(10, 13)} {rng.randrange(100):02d} {rng.randrange(100):02d} {rng.randrange(100):02d}"


def _key(source: SourceCode, number: int, domain: str) -> str:
    return {
        "NORUPERS": f"n{number:06d}@{domain}",
        "SJUKHUS": f"LS-{number:05d}",
        "VESTSTUD": f"V-{number:06d}",
        "FJORKOMM": f"K-{number:05d}",
    }[source]


def _feide(source: SourceCode, number: int, domain: str) -> str:
    return f"{source[0].lower()}{number:06d}@{domain}"


def _end(source: SourceCode, category: str, rng: Random) -> date | None:
    """The last valid day that the source gives: always at the college, for guests and the like elsewhere."""
    if source == "VESTSTUD":
        return rng.choice((date(2025, 6, 30), date(2025, 8, 31), date(2026, 6, 30)))
    if category in ("21", "30", "EXT", "ELEV"):
        return rng.choice((date(2025, 6, 30), date(2025, 12, 31), date(2026, 6, 30)))
    return None


def _ascii(name: str) -> str:
    """A name as it stands in an e-mail address."""
    plain = name.casefold().replace("ø", "o").replace("æ", "ae")
    return "".join(letter for letter in unicodedata.normalize("NFD", plain) if letter.isascii() and letter.isalnum())
