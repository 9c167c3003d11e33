"""E-mails to libraries that join, and the list of those whose holdings stand still, in every language."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from tasks.joining.entry import library_of
from tasks.joining.freshness import Freshness
from tasks.joining.letters import Welcome, compose_freshness, compose_welcome, compose_withdrawn
from tasks.joining.report import ApplicantReport, as_markdown
from tasks.joining.rules import Check, Verdict
from tasks.notices.wording import standard_book
from tests.unit.library_samples import PUBLIC, SCHOOL, application

REGISTER = read_register(SAMPLE_REGISTER)
CATALOGUE = REGISTER.catalogue
DAY = date(2025, 3, 14)


def welcome(text: str = PUBLIC, *changes: tuple[str, str], on: date = DAY, suppliers: tuple[str, ...] = ()) -> Welcome:
    return Welcome(library_of(application(text, *changes)), suppliers, on, 12, "NYLU|1|1")


@pytest.mark.parametrize("code", standard_book().languages)
def test_a_welcome_says_in_its_language_how_the_library_stands_in_the_register(code: str) -> None:
    message = compose_welcome(welcome(PUBLIC, ('"sv"', f'"{code}"'), suppliers=("Nordbok",)), CATALOGUE)
    phrases = standard_book().language(code)
    assert (message.recipient, message.language) == ("medier@nylunda.example", code)
    assert "Nylunda bibliotek" in message.subject
    for text in (message.text, message.html):
        assert phrases.say("joining.participation.registering") in text
        assert phrases.day(date(2025, 4, 1)) in text
        assert "NYLU" in text
        assert "Nordbok" in text
    assert "{" not in message.text


def test_only_an_agreement_that_begins_later_is_warned_of() -> None:
    begins = standard_book().language("sv").say("joining.welcome.begins", date="1 april 2025")
    assert begins in compose_welcome(welcome(), CATALOGUE).text
    assert begins not in compose_welcome(welcome(on=date(2025, 4, 1)), CATALOGUE).text


def test_a_school_is_told_that_its_holdings_are_not_shown_and_of_all_suppliers() -> None:
    phrases = standard_book().language("da")
    text = compose_welcome(welcome(SCHOOL), CATALOGUE).text
    assert phrases.say("joining.welcome.limited") in text
    assert phrases.say("joining.suppliers.all") in text
    assert "12" not in text.split(phrases.say("joining.welcome.limited"))[1].split("-----")[0]


def test_an_agreement_with_an_end_says_both_days() -> None:
    changed = welcome(PUBLIC, ("starts_on = 2025-04-01", "starts_on = 2025-04-01\nends_on = 2027-03-31"))
    assert "från 1 april 2025 till 31 mars 2027" in compose_welcome(changed, CATALOGUE).text


def test_what_a_library_calls_itself_is_text_in_html_and_one_line_in_a_subject() -> None:
    hostile = welcome(PUBLIC, ('"Nylunda bibliotek"', '"<b>Ny</b> {library}"'))
    message = compose_welcome(hostile, CATALOGUE)
    assert "<b>Ny" not in message.html
    assert "&lt;b&gt;Ny&lt;/b&gt; {library}" in message.html
    taken = compose_withdrawn(hostile.library, "<script>", CATALOGUE, "x")
    assert "<script>" not in taken.html
    assert "<script>" in taken.text


def test_welcome_and_its_undoing_have_keys_of_their_own() -> None:
    keys = {
        compose_welcome(welcome(), CATALOGUE).dedup_key,
        compose_withdrawn(welcome().library, "x", CATALOGUE, "NYLU|1|1").dedup_key,
    }
    assert len(keys) == 2


@pytest.mark.parametrize("code", standard_book().languages)
def test_the_list_of_those_that_stand_still_is_in_the_consortiums_language(code: str) -> None:
    catalogue = CATALOGUE.model_copy(update={"language": code})
    register = REGISTER.model_copy(update={"catalogue": catalogue})
    moved = datetime(2022, 7, 1, tzinfo=UTC)
    stale = [
        Freshness("VLIE", "Bibliotheek Vlierbeke", True, 1234, moved, moved.date(), moved.date(), 32),
        Freshness("FJOR", "Fjordkyst folkebibliotek", True, 0, None, None, date(2016, 3, 1), 108),
    ]
    message = compose_freshness(stale, register, DAY)
    phrases = standard_book().language(code)
    assert message.recipient == "medlem@samkatalogen.example"
    assert message.subject == phrases.count("freshness.subject", 2)
    for said in (
        phrases.day(moved.date()),
        phrases.say("freshness.never"),
        phrases.number(1234),
        "bibliotek@fjordkyst",
    ):
        assert said in message.text
        assert said in message.html


def test_without_a_contact_of_its_own_the_list_goes_to_the_operator() -> None:
    rules = REGISTER.participation.model_copy(update={"contact": None})
    one = [Freshness("VLIE", "Vlierbeke", True, 0, None, None, date(2021, 1, 1), 50)]
    assert compose_freshness(one, REGISTER.model_copy(update={"participation": rules}), DAY).recipient == (
        CATALOGUE.operator
    )


def test_the_page_of_a_run_keeps_its_table_whatever_a_reason_holds() -> None:
    check = Check("suppliers_known", Verdict.UNMET, "the register has no supplier A|B", "correct it")
    page = as_markdown(ApplicantReport("NYLU", "Nylunda", "refused", [check]))
    assert "| `suppliers_known` | **not met** | the register has no supplier A/B | correct it |" in page
