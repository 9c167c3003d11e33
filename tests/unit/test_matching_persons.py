"""Names: compatible unless something speaks against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import data_field
from schemas.register.matching import MatchingPolicy
from tasks.matching.persons import PersonsComparison, compare_persons, compatible, person, persons_of

POLICY = MatchingPolicy()
_WORDS = st.text(alphabet="abcdefghijåäöøé", min_size=1, max_size=8)


def is_one(name: str, other: str, dates: str = "", other_dates: str = "") -> bool:
    return compatible(person(name, dates, True), person(other, other_dates, True), POLICY)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Berg, Anna", "Anna Berg"),
        ("Berg, A.", "Berg, Anna"),
        ("Berg, Anna Maria", "Berg, Maria"),
        ("Berg, Anna, 1970-", "Berg, Anna"),
        ("BERG, ANNA", "Berg, Anna"),
        ("Müller, Hans", "Mueller, H."),
        ("Åberg, Ulf", "Aaberg, Ulf"),
        ("Møller, Søren", "Möller, Sören"),
        ("von Essen, Carl", "Essen, Carl von"),
        ("Tolstojev, Lev Nikolaevič", "Tolstoyev, Lev"),
        ("Tjechovin, Anton", "Chekhovin, Anton Pavlovich"),
        ("Lindgrensson", "Lindgrensson, Astrid"),
    ],
)
def test_one_person_written_in_two_ways(name: str, other: str) -> None:
    assert is_one(name, other)
    assert is_one(other, name)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Berg, Anna", "Berg, Anders"),
        ("Berg, Anna", "Borg, Anna"),
        ("Thomas, Dylan", "Dylan, Thomas"),
        ("Holm, Per", "Holm, Nils"),
        ("Ek, A.", "Ask, A."),
        ("B., A.", "Berg, Anna"),
    ],
)
def test_two_persons(name: str, other: str) -> None:
    assert not is_one(name, other)
    assert not is_one(other, name)


def test_years_of_birth_tell_namesakes_apart() -> None:
    assert not is_one("Holm, Per", "Holm, Per", "1950-", "1981-")
    assert is_one("Holm, Per", "Holm, Per", "1950-", "1950-2021")
    assert is_one("Holm, Per", "Holm, Per", "1950-", "")


@given(st.lists(_WORDS, min_size=2, max_size=3), st.lists(_WORDS, min_size=2, max_size=3))
def test_compatible_is_mutual(one: list[str], other: list[str]) -> None:
    names = [f"{words[0]}, {' '.join(words[1:])}" for words in (one, other)]
    assert is_one(*names) == is_one(*reversed(names))


def people(*names: str, statement: str = "") -> tuple[tuple, str]:  # type: ignore[type-arg]
    fields = [data_field("100" if place == 0 else "700", "1 ", [("a", name)]) for place, name in enumerate(names)]
    return persons_of(fields), statement


def compared(one: tuple, other: tuple) -> PersonsComparison | None:  # type: ignore[type-arg]
    return compare_persons(one[0], other[0], (one[1], other[1]), POLICY)


def test_share_counts_the_shorter_list() -> None:
    found = compared(people("Berg, Anna", "Ek, Ulf"), people("Berg, Anna"))
    assert found == PersonsComparison(1.0, "1 of 1 in common")


def test_nobody_in_common_is_a_conflict() -> None:
    found = compared(people("Berg, Anna"), people("Ek, Ulf"))
    assert found is not None
    assert found.conflict


def test_a_side_without_names_is_neutral_unless_its_statement_names_them() -> None:
    assert compared(people("Berg, Anna"), people()) is None
    assert compared(people("Berg, Anna"), people(statement="Ulf Ek")) is None
    found = compared(people("Berg, Anna"), people(statement="av Anna Berg"))
    assert found is not None
    assert (found.share, found.conflict) == (1.0, False)


def test_another_script_is_no_conflict() -> None:
    assert compared(people("Орлова, Нина"), people("Orlova, Nina")) is None


def test_only_the_illustrator_in_common_leaves_the_main_authors_different() -> None:
    found = compared(people("Berg, Anna", "Ask, Lo"), people("Ek, Ulf", "Ask, Lo"))
    assert found is not None
    assert found.main_differs


def test_a_700_with_a_title_names_a_work() -> None:
    assert persons_of([data_field("700", "12", [("a", "Berg, Anna"), ("t", "Havet")])]) == ()
