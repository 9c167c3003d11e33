"""The worklist: two records side by side, evidence in words, and the CSV that goes out."""

from __future__ import annotations

import csv
import io
from datetime import date

from lxml import html

from schemas.marc import Record, control_field, data_field
from schemas.outcomes import Verdict
from tasks.notices.cards import RecordCard, compare_cards, record_card
from tasks.notices.decisions import read_decisions
from tasks.notices.message import Message
from tasks.notices.worklist import (
    CSV_COLUMNS,
    Candidate,
    Evidence,
    EvidenceKind,
    compose_worklist,
    worklist_csv,
    worklist_html,
)
from tests.unit.notices_samples import CATALOGUE, SENDER, book_card, review_case, worklist


def composed(*cases: object, **changes: object) -> Message:
    message = compose_worklist(worklist(*cases, **changes), CATALOGUE, SENDER)  # type: ignore[arg-type]
    assert message is not None
    return message


def relations(incoming: RecordCard, candidate: RecordCard) -> dict[str, str]:
    return {field.name: field.relation for field in compare_cards(incoming, candidate)}


def rows(content: bytes, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=separator))


def test_a_card_shows_what_tells_one_book_from_another() -> None:
    assert dict(book_card(number="SAMKAT881").fields) == {
        "title": "Röda rummet : skildringar",
        "responsibility": "A. Strindberg",
        "author": "Strindberg, August, 1849-1912",
        "edition": "2. uppl.",
        "publication": "Stockholm : Skärgård, 1998",
        "year": "1998",
        "extent": "312 s. ; 22 cm",
        "isbn": "9789100000003 inb.",
        "language": "swe",
        "record_type": "a",
        "bib_level": "m",
        "encoding_level": "7",
        "control_number": "SAMKAT881",
    }


def test_a_card_of_a_poor_record_has_what_there_is() -> None:
    record = Record(
        "00000nam a2200000   4500", [control_field("008", "short"), data_field("245", "00", [("h", "[CD]")])]
    )
    assert dict(record_card(record).fields) == {
        "medium_in_title": "[CD]",
        "record_type": "a",
        "bib_level": "m",
        "encoding_level": "#",
    }


def test_case_blanks_and_punctuation_at_the_ends_are_no_difference() -> None:
    left, right = (
        RecordCard((("title", "Röda rummet :  skildringar."),)),
        RecordCard((("title", "röda RUMMET skildringar"),)),
    )
    assert relations(left, right) == {"title": "same"}


def test_composed_and_decomposed_letters_are_the_same() -> None:
    left, right = RecordCard((("title", "Röda"),)), RecordCard((("title", "Ro\u0308da"),))
    assert relations(left, right) == {"title": "same"}


def test_a_field_is_same_different_or_on_one_side_only() -> None:
    left = RecordCard((("title", "A"), ("edition", "2. uppl."), ("series", "S")))
    right = RecordCard((("title", "A"), ("edition", "3. uppl."), ("issn", "1")))
    assert relations(left, right) == {
        "title": "same",
        "edition": "differs",
        "series": "only_incoming",
        "issn": "only_candidate",
    }


def test_the_words_that_differ_are_found() -> None:
    (field,) = compare_cards(
        RecordCard((("edition", "2. omarb. uppl."),)), RecordCard((("edition", "3. omarb. uppl. i pocket"),))
    )
    assert [(segment.text, segment.differs) for segment in field.incoming] == [("2.", True), ("omarb. uppl.", False)]
    assert [(segment.text, segment.differs) for segment in field.candidate] == [
        ("3.", True),
        ("omarb. uppl.", False),
        ("i pocket", True),
    ]


def test_differences_are_marked_by_sign_word_and_underline() -> None:
    page = html.fromstring(composed().html)
    cells = {row.xpath("th")[0].text: row.xpath("td") for row in page.xpath("//table/tbody/tr")}
    assert cells["Edition"][0].text_content() == "≠ different"
    assert cells["Edition"][1].xpath(".//b/u/text()") == ["2."]
    assert cells["Edition"][2].xpath(".//b/u/text()") == ["3."]
    assert cells["Title"][0].text_content() == "= same"
    assert cells["Title"][1].xpath(".//b") == []
    assert "Edition:\n     New record: *2.* uppl.\n     In the catalogue: *3.* uppl." in composed().text


def test_evidence_is_in_words_vetoes_first() -> None:
    page = html.fromstring(composed().html)
    items = [" ".join(item.text_content().split()) for item in page.xpath("//ul[last()]/li")]
    assert [item.split(" ")[0] for item in items[-2:]] == ["Veto", "+0.50"]
    assert items[-2].endswith(": 2 and 3")


def test_age_owner_deadline_and_waiting_libraries_are_told() -> None:
    text = composed().text
    assert "Waiting for 3 days. Overdue since 20 November 2025. Assigned to cataloguing@samkatalogen.example." in text
    assert "Books of these libraries are waiting: Storstads bibliotek (STO, Hc)" in text
    loaded = composed(review_case(is_provisional=True)).text
    assert "Overdue since 20 November 2025. The title has been loaded provisionally and still has to be" in loaded
    paragraphs = [" ".join(each.text_content().split()) for each in html.fromstring(composed().html).xpath("//p")]
    assert (
        "From Nordbok, day.mrc, record 7. Waiting for 3 days. Overdue since 20 November 2025. "
        "Assigned to cataloguing@samkatalogen.example."
    ) in paragraphs
    in_time = composed(review_case(due_on=date(2025, 11, 21), opened_on=date(2025, 11, 20))).text
    assert "Waiting for 1 day. Decide by 21 November 2025;" in in_time


def test_the_subject_says_how_many_and_how_many_are_overdue() -> None:
    in_time = review_case(42, due_on=date(2025, 11, 25))
    assert composed(review_case(), in_time).subject == "2 titles to decide on, 1 overdue"
    assert composed(in_time).subject == "1 title to decide on"


def test_nothing_is_sent_when_nothing_waits() -> None:
    empty = worklist()
    assert compose_worklist(type(empty)(empty.recipient, "en", "r", empty.today, ()), CATALOGUE, SENDER) is None


def test_candidates_stand_best_first() -> None:
    weak = Candidate(12, "SAMKAT12", book_card(), 0.1, Verdict.NO, ())
    strong = Candidate(99, "SAMKAT99", book_card(), 0.8, Verdict.REVIEW, ())
    text = composed(review_case(candidates=(weak, strong))).text
    assert text.index("match:99 - candidate 1 of 2, control number SAMKAT99 - +0.80 points") < text.index("match:12 -")


def test_a_case_without_candidate_shows_the_record_alone() -> None:
    text = composed(review_case(candidates=())).text
    assert "There is no candidate in the catalogue.\n  Title: Röda rummet : skildringar" in text


def test_many_cases_go_into_an_attached_page() -> None:
    cases = [review_case(number) for number in range(1, 21)]
    message = composed(*cases)
    assert [each.name for each in message.attachments] == ["worklist.csv", "worklist.html"]
    assert len(html.fromstring(message.html).xpath("//h2")) == 15
    assert len(html.fromstring(message.attachments[1].content.decode()).xpath("//h2")) == 20
    assert "The first 15 of 20 follow." in message.text
    assert len(rows(message.attachments[0].content)) == 20
    assert [each.name for each in composed().attachments] == ["worklist.csv"]


def test_the_page_alone_shows_every_case() -> None:
    made = worklist(*[review_case(number) for number in range(1, 21)], language="sv")
    page = html.fromstring(worklist_html(made, CATALOGUE, SENDER))
    assert len(page.xpath("//h2")) == 20
    assert page.xpath("/html/@lang") == ["sv"]


def test_the_csv_has_one_row_a_case_and_room_for_the_decision() -> None:
    candidates = tuple(Candidate(number, "c", book_card(), 1 / number, Verdict.NO, ()) for number in range(1, 8))
    (row,) = rows(worklist_csv(worklist(review_case(candidates=candidates))))
    assert tuple(row) == CSV_COLUMNS
    assert (row["review_id"], row["decision"], row["comment"]) == ("41", "", "")
    assert (row["due_on"], row["age_days"]) == ("2025-11-20", "3")
    assert row["libraries_waiting"] == "Storstads bibliotek (STO)"
    assert row["title"] == "Röda rummet : skildringar"
    assert row["candidate_5"].startswith("match:5 | Röda rummet")
    assert row["further_candidates"] == "match:6; match:7"


def test_a_candidates_cell_says_what_speaks_against_it() -> None:
    (row,) = rows(worklist_csv(worklist()))
    assert row["candidate_1"].startswith(
        "match:881 | Röda rummet : skildringar / Strindberg, August, 1849-1912 / 3. uppl."
    )
    assert "+0.72 | Veto: Edition: 2 and 3 | " in row["candidate_1"]
    assert row["candidate_1"].endswith("differs in: Edition, Publication, Year")


def test_the_csv_uses_the_separator_of_the_readers_excel() -> None:
    assert worklist_csv(worklist(language="sv")).startswith(b"\xef\xbb\xbfreview_id;decision;comment;")
    assert worklist_csv(worklist(language="en")).startswith(b"\xef\xbb\xbfreview_id,decision,comment,")


def test_the_worklist_filled_in_comes_back_as_decisions() -> None:
    sent = worklist_csv(worklist(review_case(41), review_case(42), review_case(43), language="sv")).decode("utf-8-sig")
    lines = sent.split("\r\n")
    lines[1] = lines[1].replace("41;;;", "41;match:881;samma bok;")
    lines[3] = lines[3].replace("43;;;", "43;new;;")
    decisions, problems = read_decisions(io.BytesIO("\r\n".join(lines).encode("cp1252", "replace")))
    assert [(each.review_id, str(each), each.comment) for each in decisions] == [
        (41, "match:881", "samma bok"),
        (43, "new", ""),
    ]
    assert problems == []


def test_unknown_evidence_keeps_its_own_name_and_words() -> None:
    odd = Candidate(5, "c", book_card(), 0.5, Verdict.NO, (Evidence("moon_phase", -0.25, "full and new"),))
    assert "−0.25  moon_phase: full and new" in composed(review_case(candidates=(odd,))).text


def test_the_details_of_the_evidence_are_in_the_readers_language() -> None:
    evidence = (
        Evidence("carrier", 0.0, "audio_disc against print", EvidenceKind.VETO),
        Evidence("year", -0.25, "2 off"),
        Evidence("moon_phase", -0.25, "full and new"),
    )
    case = review_case(candidates=(Candidate(5, "c", book_card(), 0.5, Verdict.NO, evidence),))
    message = composed(case, language="nb")
    assert "Veto  Bærertype: lydplate mot trykt" in message.text
    assert "−0,25  År: 2 års forskjell" in message.text
    page = html.fromstring(message.html)
    items = [" ".join(item.text_content().split()) for item in page.xpath("//ul[last()]/li")]
    assert items[-3:] == [
        "Veto Bærertype: lydplate mot trykt",
        "−0,25 moon_phase: full and new",
        "−0,25 År: 2 års forskjell",
    ]
    assert [each.text_content() for each in page.xpath("//li/span[@lang='en']")] == ["full and new"]
    (row,) = rows(worklist_csv(worklist(case, language="nb")), ";")
    assert row["candidate_1"].endswith("| +0,50 | Veto: Bærertype: lydplate mot trykt")
