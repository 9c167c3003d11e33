"""The form: its fields, what is offered, what answers mean; and the page beside it."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from tasks.deciding.form import Entry, PlanChoice, entry, form
from tasks.deciding.page import as_markdown, description
from tasks.deciding.waiting import HeldClass, Sample, Waiting
from tasks.notices.cards import RecordCard
from tasks.notices.wording import Reason
from tasks.notices.worklist import Candidate, DuplicateCase, ReviewCase, Verdict, WaitingHolding

ONE, OTHER = "a" * 64, "b" * 64


def held(plan_hash: str, change_class: str) -> HeldClass:
    samples = (Sample(3, "N7", "The [salt] marsh", "LUNV"),)
    return HeldClass(plan_hash, change_class, 12, 340, 10, "12 of 340", 7, "NORDBOK, day_1.mrc", samples)


CASE = ReviewCase(
    review_id=4,
    supplier_name="Nordbok",
    file_name="day.mrc",
    position=2,
    incoming=RecordCard((("title", "The salt marsh"), ("author", "Uldmose, Lone"), ("year", "2025"))),
    candidates=(
        Candidate(9, "SAMKAT9", RecordCard((("title", "Salt marshes"), ("year", "2024"))), 3.5, Verdict("review"), ()),
    ),
    reason=Reason("doubt:author", "the authors differ"),
    owner="cataloguing",
    opened_on=date(2025, 3, 14),
    due_on=date(2025, 3, 16),
    waiting=(WaitingHolding("LUNV", "Lund"),),
)
WAITING = Waiting((held(ONE, "holding_delete"), held(ONE, "bib_create"), held(OTHER, "quality:isbn")), (CASE,), 3)
FIRST, SECOND, THIRD = (f"plan_{n}_{h[:12]}" for n, h in enumerate((ONE, ONE, OTHER)))


def test_each_held_class_and_each_review_is_a_field_that_offers_what_can_be_chosen() -> None:
    properties = form(WAITING).model_json_schema()["properties"]
    assert list(properties) == [FIRST, SECOND, THIRD, "review_4", "comment", "by"]
    assert properties[FIRST]["enum"] == ["leave", "approve", "reject"]
    assert properties["review_4"]["enum"] == ["leave", "match:9", "new", "reject"]
    assert properties["review_4"]["title"] == "Review 4: The salt marsh"
    assert "match:9 is Salt marshes, 2024" in properties["review_4"]["description"]
    assert form(WAITING).model_json_schema()["required"] == ["by"]


def test_what_is_not_offered_is_refused() -> None:
    with pytest.raises(ValidationError):
        form(WAITING).model_validate({"review_4": "match:10", "by": "Bo Alm"})


def test_one_word_on_all_classes_of_a_plan_decides_the_plan_different_words_each_class() -> None:
    same = entry(WAITING, {FIRST: "approve", SECOND: "approve", "by": " Bo Alm "})
    assert same == Entry("Bo Alm", (PlanChoice(ONE, "approve"),))
    apart = entry(WAITING, {FIRST: "reject", SECOND: "leave", THIRD: "approve", "review_4": "new", "by": "Bo Alm"})
    assert apart.plans == (PlanChoice(ONE, "reject", "holding_delete"), PlanChoice(OTHER, "approve"))
    assert apart.reviews == ((4, "new"),)
    assert entry(WAITING, {"by": "Bo Alm"}).is_empty
    assert entry(WAITING, {FIRST: "approve", "comment": " the supplier\n has asked ", "by": "Bo"}).comment == (
        "the supplier has asked"
    )
    assert entry(WAITING, {"comment": "let us wait", "by": "Bo Alm"}).is_empty


def test_the_page_has_numbers_samples_reasons_and_no_markup_of_a_delivery() -> None:
    page = as_markdown(WAITING, ["no such plan"])
    assert "* no such plan" in page
    assert r"| holding\_delete | 12 | 340 | 10 | 12 of 340 |" in page
    assert r"* record 3: The \[salt\] marsh, N7, LUNV" in page
    assert "| 4 | The salt marsh | the authors differ | LUNV | 2025-03-16 |" in page
    assert "* `match:9`: Salt marshes, 2024 (3.50 points)" in page
    assert "3 more wait" in page
    assert "Uldmose" not in page
    assert "Nothing waits." in as_markdown(Waiting(), [])


def test_the_words_above_the_form_begin_with_what_was_not_taken() -> None:
    assert description(["a decision needs a name"], 0).startswith("**Not taken:** a decision needs a name\n\nChoose")


PAIR = DuplicateCase(
    duplicate_id=2,
    bib_id=12,
    control_number="SAMKAT12",
    incoming=RecordCard((("title", "The salt marsh"), ("year", "2025"))),
    candidate=Candidate(9, "SAMKAT9", RecordCard((("title", "Salt <marsh>"),)), 1.9, Verdict("match"), ()),
    reason=Reason("isbn_a+title", "a valid ISBN and the title agree"),
    owner="cataloguing",
    found_on=date(2025, 3, 14),
    held=("LUNV",),
)
WITH_PAIR = Waiting(pairs=(PAIR,))


def test_a_pair_of_bibs_is_a_field_that_asks_which_of_the_two_stays() -> None:
    field = form(WITH_PAIR).model_json_schema()["properties"]["pair_2"]
    assert field["enum"] == ["leave", "same:9", "same:12", "different"]
    assert field["title"] == "D2: The salt marsh"
    assert "same:12 keeps The salt marsh, 2025, held by LUNV" in field["description"]
    assert entry(WITH_PAIR, {"pair_2": "same:12", "by": "Bo Alm"}) == Entry("Bo Alm", pairs=((2, "same:12"),))
    assert entry(WITH_PAIR, {"pair_2": "leave", "by": "Bo Alm"}).is_empty
    page = as_markdown(WITH_PAIR, ())
    assert "**D2**, 1.90 points" in page
    assert "Salt \\<marsh\\>; held by no library" in page
