"""Editions and languages: what a record says of them, and what conflicts."""

from __future__ import annotations

import pytest

from schemas.marc import data_field
from tasks.matching.edition import Edition, compare_editions, edition_kinds, edition_number, edition_of
from tasks.matching.language import languages_conflict, languages_of


def edition(*statements: str, title: str = "", marks: tuple[str, ...] = (), form: str = " ") -> Edition:
    return edition_of(statements, marks, title, form)


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("2. uppl.", 2),
        ("2:a uppl.", 2),
        ("[2. uppl.]", 2),
        ("Andra, omarbetade upplagan", 2),
        ("Första upplagan, andra tryckningen", 1),
        ("Fjerde utgave, 2. opplag", 4),
        ("1. udgave, 3. oplag", 1),
        ("2nd ed.", 2),
        ("Third, revised edition", 3),
        ("3rd ed., 2nd printing", 3),
        ("2., überarb. Aufl.", 2),
        ("Zweite Auflage", 2),
        ("2e druk", 2),
        ("Tweede druk", 2),
        ("Deuxième édition revue", 2),
        ("Toinen painos", 2),
        ("II wyd.", 2),
        ("Ed. 2", 2),
        ("Utgåva nr 3", 3),
        ("2024 års utgåva", 2024),
        ("Ny utg.", None),
        ("Rev. ed.", None),
        ("3. tryckningen", None),
        ("2. opplag", None),
        ("10th anniversary edition", None),
        ("Bokklubbsutg.", None),
        ("", None),
    ],
)
def test_the_number_of_an_edition(statement: str, number: int | None) -> None:
    assert edition_number(statement) == number


def test_two_numbers_are_two_books() -> None:
    assert compare_editions(edition("2. uppl."), edition("Tredje upplagan"))[0] == "edition"
    assert compare_editions(edition("2. uppl."), edition("Second edition"))[0] == ""


def test_first_and_none_are_one() -> None:
    assert compare_editions(edition("Första upplagan"), edition()) == ("", "")
    assert compare_editions(edition("1. uppl."), edition("2. uppl."))[0] == "edition"


def test_a_number_against_nothing_is_no_conflict() -> None:
    assert compare_editions(edition("2. uppl."), edition()) == ("", "")


@pytest.mark.parametrize("statement", ["Rev. ed.", "Ny utg.", "2., überarb. Aufl.", "Nouvelle édition", "3. uppl."])
def test_a_revised_edition_is_a_later_one(statement: str) -> None:
    assert edition(statement).is_later


@pytest.mark.parametrize("statement", ["1. uppl.", "Första upplagan", "Bokklubbsutg.", "2. tryckningen", ""])
def test_what_is_no_later_edition(statement: str) -> None:
    assert not edition(statement).is_later


def test_editions_named_by_their_year() -> None:
    assert compare_editions(edition("2024 års utg."), edition("2025 års utg."))[0] == "edition"
    assert compare_editions(edition("2024 års utg."), edition("3. uppl."))[0] == ""


@pytest.mark.parametrize(
    "special",
    [
        edition("Storstil"),
        edition("Large print edition"),
        edition(form="d"),
        edition(marks=("large print",)),
        edition(marks=("512 s. (storstil)",)),
        edition("Skolutgåva"),
        edition("Förkortad utg."),
        edition("Gekürzte Ausgabe"),
        edition(title="Matematik 7\nlärarhandledning"),
        edition(title="Matematik 7\nTeacher's guide"),
        edition(title="Matematik 7\nfacit"),
    ],
)
def test_a_special_edition_is_not_the_ordinary_one(special: Edition) -> None:
    assert compare_editions(special, edition())[0] == "edition_kind"
    assert compare_editions(edition(), special)[0] == "edition_kind"
    assert compare_editions(special, special)[0] == ""


@pytest.mark.parametrize(
    "text",
    [
        "Unabridged",
        "Oförkortad",
        "Icke förkortad utgåva",
        "Läromedel",
        "Teacher man",
        "Condensed matter",
        "Schooled",
        "",
    ],
)
def test_what_names_no_special_edition(text: str) -> None:
    assert edition_kinds(text) == frozenset()


def test_a_genre_term_for_easy_readers_makes_no_other_edition() -> None:
    assert edition(marks=("Lättlästa böcker",)).kinds == frozenset()
    assert edition("Lättläst").kinds == {"easy reading"}


def test_languages_come_from_008_and_041() -> None:
    fixed = " " * 35 + "swe  "
    assert languages_of(fixed, []) == {"swe"}
    assert languages_of(None, [data_field("041", "1 ", [("a", "sweeng"), ("h", "ger")])]) == {"swe", "eng"}
    assert languages_of(fixed, [data_field("041", " 7", [("a", "sv"), ("2", "iso639-1")])]) == {"swe"}
    assert languages_of(" " * 35 + "deu  ", []) == {"ger"}


@pytest.mark.parametrize("code", ["und", "zxx", "mul", "   ", "|||", "N/A"])
def test_codes_that_say_nothing(code: str) -> None:
    assert languages_of(" " * 35 + code + "  ", []) == frozenset()


def test_languages_conflict_only_where_both_are_known_and_none_is_shared() -> None:
    swedish, english, both = frozenset({"swe"}), frozenset({"eng"}), frozenset({"swe", "eng"})
    assert languages_conflict(swedish, english)
    assert not languages_conflict(swedish, both)
    assert not languages_conflict(swedish, frozenset())


def test_norwegian_agrees_with_its_two_forms_which_do_not_agree_with_each_other() -> None:
    norwegian, bokmal, nynorsk = frozenset({"nor"}), frozenset({"nob"}), frozenset({"nno"})
    assert not languages_conflict(norwegian, bokmal)
    assert not languages_conflict(nynorsk, norwegian)
    assert languages_conflict(bokmal, nynorsk)
