"""The checklist before a first real delivery: what is needed, what is a remark, and its words in every language."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from tasks.notices.wording import standard_book
from tasks.suppliers import comparing
from tasks.suppliers.checklist import JUDGED, REMARKS, RULES, Check, Found, checklist, is_ready

PAGE = (Path(__file__).parents[2] / "docs" / "supplier-onboarding.md").read_text("utf-8")
NORDBOK = read_register(SAMPLE_REGISTER).supplier_by_code["NORDBOK"]
DAY = date(2025, 3, 14)


def found(**changes: Any) -> Found:
    counts = Counter({"bibs_read": 12, "bibs_created": 12, "holdings_read": 12, **changes.pop("counts", {})})
    shares = {each.key: (12, 0, 0.9) for each in JUDGED}
    values: dict[str, Any] = {
        "rejected": "", "counts": counts, "shares": shares, "unknown": (), "refused": (), "unreported": (),
        "bibs_tried": 12,
    }  # fmt: skip
    return Found(**{**values, **changes})


def unmet(supplier: Any = NORDBOK, **changes: Any) -> list[str]:
    return [each.rule for each in checklist(supplier, found(**changes), DAY) if not each.is_met]


def test_a_delivery_in_order_meets_every_rule() -> None:
    checks = checklist(NORDBOK, found(), DAY)
    assert [each.rule for each in checks] == list(RULES)
    assert is_ready(checks)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"bibs_tried": 9}, "enough_bibs"),
        ({"rejected": "day.mrc: the file is empty"}, "file_accepted"),
        ({"counts": {"holdings_read": 0}}, "holdings_come"),
        ({"unknown": ("XXXX",)}, "sigels_known"),
        ({"refused": ("FJOR",)}, "libraries_allow"),
        ({"shares": {"title": (20, 3, 0.95)}}, "quality:title"),
        ({"counts": {"bibs_rejected": 1}}, "records_accepted"),
        ({"counts": {"records_unreadable": 1}}, "records_accepted"),
        ({"counts": {"bibs_review": 4}}, "reviews"),
        ({"unreported": ("LUNV",)}, "customers_reported"),
        ({"unreported": None}, "customers_reported"),
        ({"guards": ("bib_create",)}, "guards"),
    ],
)
def test_each_rule_can_fail_by_itself_and_only_a_needed_one_keeps_the_supplier(
    changes: dict[str, Any], rule: str
) -> None:
    assert unmet(**changes) == [rule]
    assert is_ready(checklist(NORDBOK, found(**changes), DAY)) is (rule in REMARKS)


def test_the_agreement_names_its_day() -> None:
    english = standard_book().source
    later = NORDBOK.model_copy(update={"agreement_from": date(2025, 4, 1)})
    (check,) = [each for each in checklist(later, found(), DAY) if each.rule == "agreement"]
    assert (check.is_met, check.words(english)[-26:]) == (False, "It begins on 1 April 2025.")
    ended = NORDBOK.model_copy(update={"agreement_to": date(2025, 3, 13)})
    assert unmet(ended) == ["agreement"]


def test_a_supplier_of_bibs_alone_sends_no_holdings_and_has_no_customers_to_report() -> None:
    alone = NORDBOK.model_copy(update={"has_holdings": False})
    assert unmet(alone, unreported=None, counts={"holdings_read": 0}) == []
    assert unmet(alone, unreported=None) == ["holdings_come"]


def test_of_a_file_that_was_not_judged_only_what_can_be_said_is_said() -> None:
    checks = checklist(NORDBOK, found(rejected="no MARC", shares={}, counts={"bibs_read": 0}), DAY)
    assert [each.rule for each in checks] == ["agreement", "file_accepted", "enough_bibs"]


@pytest.mark.parametrize("language", standard_book().languages)
def test_every_line_can_be_said_in_every_language(language: str) -> None:
    phrases = standard_book().language(language)
    wrong = found(
        unknown=("XXXX",), refused=("FJOR",), unreported=None, guards=("bib_create",), bibs_tried=0,
        counts={"holdings_read": 0, "bibs_rejected": 2, "bibs_review": 9},
    )  # fmt: skip
    ended = NORDBOK.model_copy(update={"agreement_to": date(2025, 3, 13)})
    for check in checklist(ended, wrong, DAY):
        assert "{" not in check.words(phrases)
    assert Check("holdings_come", False, "holdings", {"number": 1200}).words(phrases).count("1") >= 1


def test_the_page_has_every_rule_and_whether_it_is_needed() -> None:
    told = {}
    for names, needed in re.findall(r"^\| ((?:`[\w:]+`(?:, )?)+) \| (yes|no) \|", PAGE, re.MULTILINE):
        told.update(dict.fromkeys(re.findall(r"`([\w:]+)`", names), needed == "yes"))
    assert told == {rule: rule not in REMARKS for rule in RULES}


def test_the_page_and_every_language_have_every_finding_about_customers() -> None:
    section = PAGE.split("### What does not agree", 1)[1]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(comparing.RULES)
    for language in standard_book().languages:
        assert {f"customers.rule.{rule}" for rule in comparing.RULES} <= standard_book().language(
            language
        ).phrases.keys()
