"""The phrase files: every language says everything, and a language is a file."""

from __future__ import annotations

import re
import string
import tomllib
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from schemas.outcomes import BibOutcome, HoldingOutcome, RecordType
from tasks.notices.corrections import CorrectionEffect
from tasks.notices.wording import PHRASES, PhraseBook, Reason, standard_book

OTHERS = sorted(path.stem for path in PHRASES.glob("*.toml") if path.stem != "en")


def places(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}


def copied_book(folder: Path, **files: str) -> PhraseBook:
    for path in PHRASES.glob("*.toml"):
        (folder / path.name).write_bytes(path.read_bytes())
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return PhraseBook(folder)


FINNISH = """
no_title = "[ei nimekettä]"
[language]
name = "suomi"
aliases = ["fi-fi"]
conjunction = "ja"
date_form = "{day}. {month} {year}"
months = ["tammikuuta", "helmikuuta", "maaliskuuta", "huhtikuuta", "toukokuuta", "kesäkuuta", "heinäkuuta",
  "elokuuta", "syyskuuta", "lokakuuta", "marraskuuta", "joulukuuta"]
thousands = "\\u00a0"
decimal = ","
csv_separator = ";"
[titles]
one = "{n} nimeke"
other = "{n} nimekettä"
"""


def test_the_languages_of_the_first_release_are_there() -> None:
    assert standard_book().languages == ("da", "en", "nb", "sv")


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_every_phrase_and_none_that_english_lacks(code: str) -> None:
    source = standard_book().source.phrases
    assert set(standard_book().language(code).phrases) == set(source)


@pytest.mark.parametrize("code", OTHERS)
def test_every_phrase_has_the_same_places_in_every_language(code: str) -> None:
    source = standard_book().source.phrases
    wrong = {
        key for key, phrase in standard_book().language(code).phrases.items() if places(phrase) != places(source[key])
    }
    assert wrong == set()


@pytest.mark.parametrize("code", OTHERS)
def test_no_sentence_was_left_in_english(code: str) -> None:
    source = standard_book().source.phrases
    same = [
        key for key, phrase in standard_book().language(code).phrases.items() if phrase == source[key] and " " in phrase
    ]
    assert [key for key in same if len(re.sub(r"\{\w+\}|\W", "", source[key])) > 8] == []


@pytest.mark.parametrize("code", ["en", *OTHERS])
def test_every_outcome_has_its_words(code: str) -> None:
    phrases = standard_book().language(code)
    for outcome in HoldingOutcome:
        assert phrases.say(f"section.{outcome}")
        assert phrases.say(f"section_note.{outcome}")
        assert phrases.say(f"outcome.{outcome}")
        assert phrases.count(f"outcome_count.{outcome}", 2).startswith("2 ")
    for bib_outcome in BibOutcome:
        assert phrases.count(f"bib_count.{bib_outcome}", 1).startswith("1 ")
    for record_type in RecordType:
        assert phrases.say(f"remedy_of_type.{record_type}")
    for effect in CorrectionEffect:
        assert phrases.say(f"correction.effect.{effect}")
        assert phrases.say(f"correction.note.{effect}")


def test_a_language_is_added_by_adding_a_file(tmp_path: Path) -> None:
    book = copied_book(tmp_path, fi=FINNISH)
    finnish = book.language("fi")
    assert book.languages == ("da", "en", "fi", "nb", "sv")
    assert finnish.count("titles", 1) == "1 nimeke"
    assert finnish.count("titles", 3) == "3 nimekettä"
    assert finnish.day(date(2025, 11, 21)) == "21. marraskuuta 2025"


def test_what_a_new_language_does_not_say_yet_is_said_in_english(tmp_path: Path) -> None:
    finnish = copied_book(tmp_path, fi=FINNISH).language("fi")
    assert finnish.say("column.title") == "Title"


@pytest.mark.parametrize(
    ("asked", "given"),
    [("sv", "sv"), ("SV", "sv"), ("no", "nb"), ("nb", "nb"), ("nn", "nb"), ("da", "da"), ("en", "en"), ("xx", "en")],
)
def test_language_codes_lead_to_a_language_and_unknown_ones_to_english(asked: str, given: str) -> None:
    assert standard_book().language(asked).code == given


def test_a_file_of_its_own_wins_over_an_alias(tmp_path: Path) -> None:
    book = copied_book(tmp_path, nn=FINNISH.replace("suomi", "nynorsk"))
    assert book.language("nn").grammar.name == "nynorsk"
    assert book.language("no").code == "nb"


def test_numbers_dates_points_and_series_follow_the_language() -> None:
    swedish, danish, english = (standard_book().language(code) for code in ("sv", "da", "en"))
    assert swedish.number(1234567) == "1\u00a0234\u00a0567"
    assert danish.number(1234567) == "1.234.567"
    assert english.number(1234567) == "1,234,567"
    assert swedish.day(date(2025, 5, 3)) == "3 maj 2025"
    assert danish.day(date(2025, 5, 3)) == "3. maj 2025"
    assert swedish.points(-0.75) == "−0,75"
    assert english.points(0.5) == "+0.50"
    assert english.series(["a"]) == "a"
    assert swedish.series(["a", "b", "c"]) == "a, b och c"
    assert swedish.limit(2.5) == "2,5"
    assert english.limit(1200.0) == "1,200"
    assert english.limit(20.5) == "20.5"


def test_a_language_may_count_nothing_as_one(tmp_path: Path) -> None:
    text = FINNISH.replace('name = "suomi"', 'name = "français"\ntakes_one = [0, 1]')
    french = copied_book(tmp_path, fr=text).language("fr")
    assert [french.count("titles", n) for n in (0, 1, 2)] == ["0 nimeke", "1 nimeke", "2 nimekettä"]


def test_a_reason_is_said_by_its_rule_in_the_readers_language() -> None:
    reason = Reason("not_a_customer", "Lund is not a reported customer of Nordbok")
    said = standard_book().language("sv").reason(reason, library="Lund", supplier="Nordbok", sigel="L")
    assert said == "Nordbok har inte anmält Lund som kund. Be Nordbok att anmäla er."


def test_an_unknown_rule_falls_back_to_the_words_the_warehouse_has() -> None:
    assert standard_book().language("sv").reason(Reason("never_heard_of", "the moon was full")) == "The moon was full"
    assert standard_book().language("sv").reason(Reason("never_heard_of")) == "never_heard_of"


def test_a_rule_whose_phrase_lacks_a_value_falls_back_too() -> None:
    assert standard_book().language("sv").reason(Reason("unknown_sigel", "no library Q")) == "No library Q"


def test_values_are_never_read_as_places_of_a_phrase() -> None:
    reason = Reason("unknown_sigel", parameters={"sigel": "{0.__class__}{supplier}"})
    assert "{0.__class__}{supplier}" in standard_book().language("en").reason(reason)


def test_a_phrase_that_nobody_has_is_a_mistake_in_a_template() -> None:
    with pytest.raises(KeyError, match=r"no phrase 'digest\.nothing'"):
        standard_book().language("sv").say("digest.nothing")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[language]\nname = ", "not readable as TOML"),
        ("no_title = 'x'", r"the table \[language\] is missing"),
        (FINNISH.replace('conjunction = "ja"', 'conjuncton = "ja"'), "conjuncton"),
        (FINNISH.replace('"tammikuuta", ', ""), "11 months, not 12"),
        (FINNISH.replace('one = "{n} nimeke"\n', ""), "titles: a counted phrase needs `one` and `other`"),
        (FINNISH.replace("{n} nimekettä", "{n nimekettä"), r"titles\.other: expected '}'"),
        (FINNISH.replace('"[ei nimekettä]"', "7"), "no_title: 7 is not a phrase"),
    ],
)
def test_a_phrase_file_that_cannot_be_used_is_named_with_its_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        copied_book(tmp_path, fi=text)
    assert "fi.toml" in str(caught.value)


def test_without_english_there_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "fi.toml").write_text(FINNISH, "utf-8")
    with pytest.raises(ConfigurationError, match="the phrases of English are missing"):
        PhraseBook(tmp_path)


def test_phrase_files_hold_no_markup_and_no_doubled_keys() -> None:
    for path in PHRASES.glob("*.toml"):
        text = path.read_text("utf-8")
        assert not re.search(r"</?[a-z]", text), path.name
        assert tomllib.loads(text)["language"]["name"], path.name
