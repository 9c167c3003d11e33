"""The library digest: what comes first, what is said, what is attached."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from schemas.outcomes import BibOutcome, HoldingOutcome
from tasks.notices.digest import compose_library_digest
from tasks.notices.message import Message, NoticeKind
from tasks.notices.wording import Reason
from tests.unit.notices_samples import CATALOGUE, SENDER, digest, digest_line


def composed(*lines: object, max_rows: int = 200, **changes: object) -> Message:
    return compose_library_digest(digest(*lines, **changes), CATALOGUE, SENDER, max_rows=max_rows)  # type: ignore[arg-type]


CREATED = digest_line(title="Added book")
REFUSED = digest_line(title="Refused book", outcome=HoldingOutcome.REFUSED, reason=Reason("not_a_customer", "x"))
REJECTED = digest_line(title="Rejected book", outcome=HoldingOutcome.REJECTED, reason=Reason("bib_unfit", "x"))
WAITING = digest_line(title="Waiting book", outcome=HoldingOutcome.WAITING, reason=Reason("bib_in_review", "x"))
UNCHANGED = digest_line(title="Known book", outcome=HoldingOutcome.UNCHANGED, bib_outcome=BibOutcome.KEPT)


@pytest.mark.parametrize(
    ("lines", "subject"),
    [
        ([CREATED], "1 title from Nordbok: all done (Storstads bibliotek)"),
        ([UNCHANGED, UNCHANGED], "2 titles from Nordbok: nothing changed (Storstads bibliotek)"),
        ([CREATED, REFUSED, REJECTED], "3 titles from Nordbok: 2 not added (Storstads bibliotek)"),
        ([CREATED, WAITING], "2 titles from Nordbok: 1 waiting (Storstads bibliotek)"),
        ([REFUSED, WAITING], "2 titles from Nordbok: 1 not added, 1 waiting (Storstads bibliotek)"),
    ],
)
def test_the_subject_says_what_and_how_many(lines: list[object], subject: str) -> None:
    assert composed(*lines).subject == subject


@pytest.mark.parametrize(
    ("language", "subject", "summary"),
    [
        (
            "sv",
            "3 titlar från Nordbok: 1 inte inläst, 1 väntar (Storstads bibliotek)",
            "3 titlar från Nordbok kom den 21 november 2025: 1 nekad, 1 väntar på beslut och 1 tillagd.",
        ),
        (
            "no",
            "3 titler fra Nordbok: 1 ikke lagt inn, 1 venter (Storstads bibliotek)",
            "3 titler fra Nordbok kom 21. november 2025: 1 avslått, 1 venter på avgjørelse og 1 lagt inn.",
        ),
        (
            "da",
            "3 titler fra Nordbok: 1 ikke indlæst, 1 venter (Storstads bibliotek)",
            "3 titler fra Nordbok kom den 21. november 2025: 1 afslået, 1 venter på afgørelse og 1 tilføjet.",
        ),
        (
            "en",
            "3 titles from Nordbok: 1 not added, 1 waiting (Storstads bibliotek)",
            "3 titles from Nordbok arrived on 21 November 2025: 1 refused, 1 waiting for a decision and 1 added.",
        ),
    ],
)
def test_subject_and_first_line_in_the_librarys_language(language: str, subject: str, summary: str) -> None:
    message = composed(CREATED, WAITING, REFUSED, language=language)
    assert message.subject == subject
    assert message.text.splitlines()[0] == summary


def test_what_needs_attention_comes_before_what_went_well() -> None:
    message = composed(UNCHANGED, CREATED, WAITING, REJECTED, REFUSED)
    for part in (message.text, message.html):
        places = [part.index(f"{word} book") for word in ("Refused", "Rejected", "Waiting", "Added", "Known")]
        assert places == sorted(places)


def test_a_title_stands_with_author_isbn_shelf_mark_and_what_happened() -> None:
    page = html.fromstring(composed(digest_line(reason=Reason("lines_added", "x"))).html)
    cells = [cell.text_content() for cell in page.xpath("//table/tbody/tr/*")]
    assert cells == [
        "Skärgårdens fåglar",
        "Öberg, Åsa",
        "9789100000001",
        "Ncb",
        "The title is new in the catalogue. The supplier's shelf mark was added to the holding that you had.",
    ]


def test_a_refusal_says_why_what_to_do_and_where_it_stood() -> None:
    page = html.fromstring(composed(REFUSED).html)
    assert page.xpath("//table/tbody/tr/td[last()]")[0].text_content() == (
        "Nordbok has not reported Storstads bibliotek as its customer. Ask Nordbok to report you."
        "NORDBOK_[STO]_[20251120093000]_NORDBOK[77].xml, record 1"
    )


def test_english_technicalities_are_shown_only_where_something_went_wrong() -> None:
    assert "the moon was full" not in composed(digest_line(reason=Reason("odd", "the moon was full"))).text
    refused = digest_line(outcome=HoldingOutcome.REFUSED, reason=Reason("odd", "the moon was full"))
    assert "The moon was full" in composed(refused, language="sv").text


def test_missing_values_are_a_dash_and_a_missing_title_is_named() -> None:
    page = html.fromstring(composed(digest_line(title="", author="", isbn="", shelf_mark="")).html)
    assert [cell.text_content() for cell in page.xpath("//table/tbody/tr/*")][:4] == ["[no title]", "–", "–", "–"]


def test_whom_to_ask_is_named() -> None:
    text = composed().text
    assert "write to catalogue@samkatalogen.example" in text
    assert "About the order itself, ask Nordbok." in text


def test_counts_of_the_catalogue_are_told() -> None:
    counts = {BibOutcome.CREATED: 2, BibOutcome.REPLACED: 1, BibOutcome.REVIEW: 0}
    assert (
        "In the shared catalogue: 2 new titles and 1 record replaced by a better one."
        in composed(bib_counts=counts).text
    )


def test_a_short_digest_has_no_attachment() -> None:
    assert composed(*[CREATED] * 200).attachments == ()


def test_a_long_digest_shows_its_first_rows_and_attaches_all_of_them() -> None:
    message = composed(*[CREATED] * 5, *[REFUSED] * 2, max_rows=4, language="sv")
    assert len(html.fromstring(message.html).xpath("//table/tbody/tr")) == 4
    assert message.text.count("* Refused book") == 2
    assert message.text.count("* Added book") == 2
    assert "Mejlet visar 4 av 7 titlar. Alla finns i den bifogade filen NORDBOK-STO-2025-11-21.csv." in message.text
    (attachment,) = message.attachments
    assert (attachment.name, attachment.media_type) == ("NORDBOK-STO-2025-11-21.csv", "text/csv")
    rows = list(csv.reader(io.StringIO(attachment.content.decode("utf-8-sig")), delimiter=";"))
    assert len(rows) == 8
    assert rows[0] == ["Utfall", "Vad som hände", "Titel", "Författare", "ISBN", "Hyllsignum", "Fil", "Post nr"]
    assert rows[1][0] == "Inte inlästa: nekade enligt reglerna"
    assert rows[7][2:6] == ["Added book", "Öberg, Åsa", "9789100000001", "Ncb"]


def test_two_hundred_rows_stay_under_the_size_at_which_gmail_cuts() -> None:
    assert len(composed(*[digest_line(title="A title of quite ordinary length")] * 200).html.encode()) < 80_000


def test_counts_beyond_the_lines_are_told_and_said_not_to_be_listed() -> None:
    message = composed(CREATED, counts={HoldingOutcome.CREATED: 1, HoldingOutcome.UNCHANGED: 1200})
    assert message.text.startswith(
        "1,201 titles from Nordbok arrived on 21 November 2025: 1 added and 1,200 unchanged."
    )
    assert "1,200 titles are counted but not listed." in message.text
    assert "UNCHANGED (1,200)" in message.text


def test_one_digest_a_library_supplier_and_run() -> None:
    keys = {
        composed(**changes).dedup_key  # type: ignore[arg-type]
        for changes in ({}, {"run_key": "run-2"}, {"supplier_code": "OST"}, {"sigel": "LIL"}, {"language": "sv"})
    }
    assert keys == {
        "digest|run-1|NORDBOK|STO",
        "digest|run-2|NORDBOK|STO",
        "digest|run-1|OST|STO",
        "digest|run-1|NORDBOK|LIL",
    }


def test_the_message_goes_to_the_librarys_contact() -> None:
    message = composed(run_date=date(2025, 1, 2))
    assert message.recipient == "kontakt@storstad.example"
    assert message.kind is NoticeKind.DIGEST


@given(st.lists(st.sampled_from(list(HoldingOutcome)), min_size=1, max_size=30), st.integers(0, 30))
def test_every_holding_is_shown_or_attached(outcomes: list[HoldingOutcome], max_rows: int) -> None:
    lines = [digest_line(title=f"Title {number}.", outcome=outcome) for number, outcome in enumerate(outcomes)]
    message = composed(*lines, max_rows=max_rows)
    told = message.attachments[0].content.decode("utf-8-sig") if message.attachments else message.text
    assert all(line.title in told for line in lines)
    assert message.text.count("\n* ") == min(len(lines), max_rows)


@pytest.mark.parametrize(
    ("language", "subject", "summary"),
    [
        (
            "en",
            "4 titles from Nordbok that had waited: 1 refused, 1 not added (Storstads bibliotek)",
            "News of 21 November 2025 about 4 titles from Nordbok that had waited:"
            " 1 refused, 1 not added, 1 added and 1 unchanged.",
        ),
        (
            "sv",
            "4 titlar från Nordbok som har väntat: 1 nekad, 1 inte inläst (Storstads bibliotek)",
            "Besked den 21 november 2025 om 4 titlar från Nordbok som har väntat:"
            " 1 nekad, 1 inte inläst, 1 tillagd och 1 oförändrad.",
        ),
        (
            "no",
            "4 titler fra Nordbok som har ventet: 1 avslått, 1 ikke lagt inn (Storstads bibliotek)",
            "Beskjed 21. november 2025 om 4 titler fra Nordbok som har ventet:"
            " 1 avslått, 1 ikke lagt inn, 1 lagt inn og 1 uendret.",
        ),
        (
            "da",
            "4 titler fra Nordbok, der har ventet: 1 afslået, 1 ikke indlæst (Storstads bibliotek)",
            "Besked den 21. november 2025 om 4 titler fra Nordbok, der har ventet:"
            " 1 afslået, 1 ikke indlæst, 1 tilføjet og 1 uændret.",
        ),
    ],
)
def test_a_digest_of_titles_that_waited_says_so_in_every_language(language: str, subject: str, summary: str) -> None:
    message = composed(CREATED, REFUSED, REJECTED, UNCHANGED, language=language, has_waited=True)
    assert message.subject == subject
    assert message.text.startswith(summary)


def test_what_was_decided_against_after_waiting_is_not_called_an_error() -> None:
    line = digest_line(
        outcome=HoldingOutcome.REJECTED, bib_outcome=BibOutcome.REJECTED, reason=Reason("decided_reject", "x")
    )
    message = composed(line, has_waited=True)
    assert "NOT ADDED (1)\nThese waited, and it was decided not to add them." in message.text
    assert "A cataloguer has decided that the title is not to be added." in message.text
    assert "error" not in message.text + message.html
