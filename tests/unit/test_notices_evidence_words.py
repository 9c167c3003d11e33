"""The details of the evidence: all that matching can say is said in every language."""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import cache

import pytest

from schemas.register.matching import MatchingPolicy, MatchingWeights
from tasks.marc.carrier import CARRIERS
from tasks.matching import edition, evidence, title
from tasks.matching.evidence import MatchFeatures, compare
from tasks.notices.evidence_words import evidence_in_words, fitting_sentence
from tasks.notices.wording import standard_book
from tests.unit.labelled_pairs import Bib, labelled_pairs
from tests.unit.labelled_pairs.books import HOUSE

POLICY = MatchingPolicy(weights=MatchingWeights(language=0.05))
"""With points for the language too, which have none unless the register says so."""
LANGUAGES = standard_book().languages
SWEDISH = standard_book().language("sv")
_SEA = HOUSE.but(title="Havet", rest="")
FURTHER_PAIRS: tuple[tuple[Bib, Bib], ...] = (
    (HOUSE.but(record_type="z"), HOUSE.but(record_type="z")),
    (_SEA, _SEA.but(title="Havet 1939-1945")),
    (_SEA.but(rest="en stor historia om oss"), _SEA.but(rest="historia om oss")),
    (_SEA.but(title="Om havet och husen"), _SEA.but(title="Om husen och havet")),
)
"""What no labelled pair says."""


def _compared() -> Iterator[tuple[MatchFeatures, MatchFeatures, tuple[str, ...]]]:
    for pair in labelled_pairs():
        for found_by in ((), ("control_number",), ("035",)):
            yield pair.incoming.features(), pair.existing.features(), found_by
    for one, other in FURTHER_PAIRS:
        yield one.features(), other.features(), ()


@cache
def details() -> frozenset[str]:
    """Every text that matching stores with these pairs, as the worklist reads it."""
    found: set[str] = set()
    for one, other, found_by in _compared():
        for incoming, existing in ((one, other), (other, one)):
            stored = compare(incoming, existing, POLICY, found_by).as_json()
            found |= {each["text"] for part in ("features", "vetoes", "doubts") for each in stored[part]}
    return frozenset(found)


def sentences() -> set[str]:
    return {key.removeprefix("evidence_text.") for key in SWEDISH.phrases if key.startswith("evidence_text.")}


def swedish(text: str) -> str | None:
    return evidence_in_words(text, SWEDISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_detail_of_matching_is_in_every_language(language: str) -> None:
    phrases = standard_book().language(language)
    assert len(details()) > 400
    assert [text for text in sorted(details()) if evidence_in_words(text, phrases) is None] == []


def test_every_sentence_is_one_that_matching_says() -> None:
    said = {found[0] for text in details() if (found := fitting_sentence(text, SWEDISH)) is not None}
    assert sorted(sentences() - said) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_type_level_carrier_genre_and_kind_of_edition_is_in_every_language(language: str) -> None:
    phrases = standard_book().language(language).phrases
    ours = {*evidence._TYPES.values(), *evidence._LEVELS.values(), *title._GENRES, *edition._KINDS, "ordinary"}
    ours |= CARRIERS - {""}
    words = {key.removeprefix("evidence_word.") for key in phrases if key.startswith("evidence_word.")}
    assert words == ours


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_keeps_its_gaps_in_every_language(language: str) -> None:
    phrases = standard_book().language(language).phrases

    def gaps(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)

    assert [each for each in sentences() if gaps(each) != gaps(phrases[f"evidence_text.{each}"])] == []


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("same carrier", "samma bärartyp"),
        ("2 off", "2 års skillnad"),
        ("map against sound", None),
        ("map against film", "karta mot film"),
        ("audio_disc against online", "ljudskiva mot online"),
        ("large print, school edition against ordinary", "utgåva: storstil, skolutgåva mot vanlig"),
        ("part against whole (level a against m)", "del mot självständig publikation (nivå a mot m)"),
        (
            "only one side names an edition (2), and the years differ",
            "bara den ena posten anger upplaga (2), och åren skiljer sig",
        ),
        ("titles 97% alike", "titlarna är till 97 % lika"),
        (
            "shared 9789101000010, 9789101000027, 1 not shared",
            "gemensamt: 9789101000010, 9789101000027; ej gemensamma: 1",
        ),
        ("the moon was full", None),
        ("", None),
    ],
)
def test_the_most_special_sentence_that_fits_is_said(stored: str, shown: str | None) -> None:
    assert swedish(stored) == shown


def test_what_the_records_say_is_not_translated() -> None:
    assert swedish("film against print, and the years are apart") == "film mot print, och åren ligger långt isär"
    assert swedish("Text, {kind} against Map, A: no person in common") == (
        "Text, {kind} mot Map, A: ingen person gemensam"
    )
    assert swedish("edition '2. ed.\n{0}' is not 'same year'") == "upplagan '2. ed.\n{0}' är inte 'same year'"
