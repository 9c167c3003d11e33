"""Titles: trivia are equal, and what tells two books apart is seen in the likest titles."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import data_field
from schemas.register.matching import MatchingPolicy
from tasks.matching.numbers import number_key, numbers_in, ordinal, roman
from tasks.matching.title import Title, TitleComparison, compare_titles, title_key, title_of

POLICY = MatchingPolicy()


def title(*subfields: tuple[str, str], variants: tuple[str, ...] = ()) -> Title:
    field = data_field("245", "10", list(subfields))
    return title_of([field], [data_field("246", "1 ", [("a", each)]) for each in variants], [])


def compared(one: str | Title, other: str | Title, language: str = "swe") -> TitleComparison:
    titles = [each if isinstance(each, Title) else title(("a", each)) for each in (one, other)]
    return compare_titles(titles[0], titles[1], (language, language), POLICY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Det stora huset", "DET STORA HUSET."),
        ("Det stora huset", "Stora huset"),
        ("Öar & skär", "Oar och skar"),
        ("Öar", unicodedata.normalize("NFD", "Öar")),
        ("L'été", "L’ete"),
        ("Sommar-Sverige", "Sommarsverige"),
        ("Historia II", "Historia två"),
        ("1 000 sjöar", "1000 sjöar"),
        ("Havet / Anna Berg", "Havet"),
        ("Havet (e-bok)", "Havet"),
        ("Havet : roman", "Havet"),
    ],
)
def test_trivia_are_equal(one: str, other: str) -> None:
    assert compared(one, other).likeness == "equal"
    assert compared(other, one).likeness == "equal"


def test_where_a_ends_and_b_begins_does_not_matter() -> None:
    assert compared(title(("a", "Havet :"), ("b", "en historia")), "Havet en historia").likeness == "equal"


def test_a_missing_subtitle_is_a_part() -> None:
    assert compared(title(("a", "Havet :"), ("b", "en historia")), "Havet").likeness == "part"


def test_a_title_of_the_cover_is_close() -> None:
    assert compared(title(("a", "Det stora huset vid havet"), variants=("Huset",)), "Huset").likeness == "close"


def test_one_letter_in_a_long_word_is_close() -> None:
    found = compared("Handbok i trädgårdsskötsel för alla", "Handbok i trädgårdskötsel för alla")
    assert found.likeness == "close"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Introduktion till kognitiv terapi för barn", "Introduktion till kognitiv terapi för vuxna"),
        ("Den stora handboken för hundägare", "Den stora handboken för hästägare"),
    ],
)
def test_another_word_in_a_long_title_is_not_close(one: str, other: str) -> None:
    assert compared(one, other).likeness in ("near", "differs")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Matematik 7", "Matematik 8"),
        ("Matematik 7A", "Matematik 7B"),
        ("Engelska A", "Engelska B"),
        ("Skärgårdens årsbok 2024", "Skärgårdens årsbok 2025"),
        ("Historia I", "Historia II"),
        ("Fysik ett", "Fysik två"),
        ("Vinguiden 2023/24", "Vinguiden 2024/25"),
        ("En mycket lång titel om matematik för årskurs 7", "En mycket lång titel om matematik för årskurs 8"),
    ],
)
def test_different_numbers_veto(one: str, other: str) -> None:
    assert compared(one, other).veto == "title_number"


def test_a_number_on_one_side_is_a_doubt() -> None:
    assert compared("Matematik 7", "Matematik").doubt == "title_number"
    grade = title(("a", "Matematik 7"), variants=("Matematik",))
    assert compared(grade, "Matematik").doubt == "title_number"


def test_a_period_in_a_missing_subtitle_is_no_doubt() -> None:
    with_period = title(("a", "Havet :"), ("b", "Bohuslän 1939-1945"))
    assert compared(with_period, "Havet") == TitleComparison("part", "equal but for a missing $b or $p")


def test_different_parts_veto_and_the_same_part_in_other_words_does_not() -> None:
    first, second, worded = (title(("a", "Sagan"), ("n", each)) for each in ("Del 1", "Del 2", "Första bandet"))
    assert compared(first, second).veto == "part"
    assert compared(first, worded).likeness == "equal"
    register, supplement = (title(("a", "Sagan"), ("n", each)) for each in ("Register", "Supplement"))
    assert compared(register, supplement).veto == "part"


def test_poems_and_stories_under_one_title_are_not_equal() -> None:
    one, other = (title(("a", "Havet :"), ("b", each)) for each in ("dikter", "noveller"))
    assert compared(one, other).likeness == "near"


@pytest.mark.parametrize(("one", "other"), [("Programmering i C", "Programmering i C++"), ("Bas 5000", "Bas 5000+")])
def test_plus_and_sharp_are_read(one: str, other: str) -> None:
    assert compared(one, other).likeness != "equal"


def test_a_cut_off_title_is_close_and_a_shorter_title_is_not() -> None:
    whole = "Introduktion till friluftslivets pedagogik för förskolan"
    assert compared(whole, whole[:40]).likeness == "close"
    assert compared("Bokföring", "Bokföring för föreningar").likeness == "differs"


def test_titles_in_two_scripts_are_not_compared() -> None:
    assert compared("Тихая гавань", "Tichaja gavan").likeness == "other_script"
    both = title_of(
        [data_field("245", "10", [("a", "Tichaja gavan")])],
        [],
        [data_field("880", "10", [("6", "245-01"), ("a", "Тихая гавань")])],
    )
    assert compared("Тихая гавань", both).likeness == "close"


def test_a_missing_title_is_neither_for_nor_against() -> None:
    assert compared("Havet", title(("c", "Anna Berg"))).likeness == "missing"


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("Guide to Stockholm", "eng", ()),
        ("Bind to", "dan", ("2",)),
        ("Sex and the city", "eng", ()),
        ("Sex dagar", "swe", ("6",)),
        ("VI SOM STANNADE", "swe", ()),
        ("Henrik VIII och hans tid", "swe", ("8",)),
        ("Den 2:a boken", "swe", ("2",)),
        ("The 7th wave", "eng", ("7",)),
        ("Årsbok 2024/25", "swe", ("2024", "2025")),
        ("2025-03", "swe", ("03", "2025")),
        ("Vitamin C\nen handbok", "swe", ("c",)),
        ("Onze taal", "dut", ()),
        ("I", "swe", ()),
    ],
)
def test_numbers_are_read_in_the_language_of_the_text(text: str, language: str, numbers: tuple[str, ...]) -> None:
    assert numbers_in(text, language) == tuple(sorted(each.lstrip("0") or "0" for each in numbers))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Sagan 2", ""),
        ("Sagan II", ""),
        ("Sagan två", "swe"),
        ("Sagan to", "nob"),
        ("Sagan zwei", "ger"),
        ("Sagan deux", "fre"),
        ("Sagan twee", "dut"),
        ("Sagan two", "eng"),
        ("Sagan kaksi", "fin"),
        ("Sagan, del 2", ""),
    ],
)
def test_two_is_two_in_every_language(text: str, language: str) -> None:
    assert number_key(text, language) == "sagan 2"


@given(st.integers(1, 39))
def test_roman_figures_are_read(value: int) -> None:
    tens, ones = divmod(value, 10)
    written = "X" * tens + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[ones]
    assert roman(written) == value


@pytest.mark.parametrize("token", ["", "IIII", "VX", "LIV", "MIX", "x", "XXXX"])
def test_what_is_no_roman_figure(token: str) -> None:
    assert roman(token) is None


@pytest.mark.parametrize(
    ("word", "value"), [("andra", 2), ("premier", 1), ("10", 10), ("3rd", 3), ("tolv", 12), ("ny", None)]
)
def test_ordinals(word: str, value: int | None) -> None:
    assert ordinal(word) == value


@given(st.text(min_size=1, max_size=60))
def test_the_key_does_not_depend_on_composition_or_case(text: str) -> None:
    assert title_key(unicodedata.normalize("NFD", text)) == title_key(unicodedata.normalize("NFC", text))


@given(st.text(alphabet=st.characters(codec="latin-1", categories=("L", "Zs", "Nd", "Po")), max_size=40))
def test_a_title_is_equal_to_itself_in_capitals_or_says_nothing(text: str) -> None:
    assert compared(text, text).likeness in ("equal", "missing")


@given(st.text(alphabet="abcåäö 12IV", max_size=30), st.text(alphabet="abcåäö 12IV", max_size=30))
def test_likeness_and_objections_are_mutual(one: str, other: str) -> None:
    there, back = compared(one, other), compared(other, one)
    assert (there.likeness, there.veto, there.doubt) == (back.likeness, back.veto, back.doubt)
