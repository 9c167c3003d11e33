"""What is asked of a library that joins: every rule met, unmet and not asked, with words that help."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.base import RegisterModel
from tasks.joining.rules import RULES, Check, Known, Verdict, checklist, is_eligible
from tests.unit.library_samples import HOSPITAL, PUBLIC, SCHOOL, application

REGISTER = read_register(SAMPLE_REGISTER)
DAY = date(2025, 3, 14)
KNOWN = Known(REGISTER.library_by_sigel, REGISTER.supplier_by_code.keys(), REGISTER.participation, DAY)
PAGE = (Path(__file__).parents[2] / "docs" / "library-onboarding.md").read_text("utf-8")


def unmet(text: str, *changes: tuple[str, str], known: Known = KNOWN) -> dict[str, Check]:
    """The rules that are not met, by rule."""
    found = checklist(application(text, *changes), known)
    return {each.rule: each for each in found if each.verdict == Verdict.UNMET}


@pytest.mark.parametrize("text", [PUBLIC, SCHOOL, HOSPITAL], ids=["public", "school", "hospital"])
def test_a_library_that_meets_every_rule_may_be_admitted(text: str) -> None:
    found = checklist(application(text), KNOWN)
    assert [each.rule for each in found] == list(RULES)
    assert [each for each in found if each.verdict == Verdict.UNMET] == []
    assert is_eligible(found)
    assert all(each.reason and not each.remedy for each in found)


@pytest.mark.parametrize(
    ("text", "not_asked"),
    [
        (PUBLIC, {"limited_kind", "school_staffed", "municipality_agreed"}),
        (
            SCHOOL,
            {"open_to_public", "cataloguing_competence", "cataloguing_training", "holdings_kept_current"},
        ),
        (
            HOSPITAL,
            {"open_to_public", "cataloguing_competence", "cataloguing_training", "holdings_kept_current"}
            | {"school_staffed", "municipality_agreed"},
        ),
    ],
    ids=["public", "school", "hospital"],
)
def test_what_belongs_to_another_participation_is_not_asked(text: str, not_asked: set[str]) -> None:
    found = checklist(application(text), KNOWN)
    assert {each.rule for each in found if each.verdict == Verdict.NOT_ASKED} == not_asked


@pytest.mark.parametrize(
    ("text", "changes", "rule", "said"),
    [
        (PUBLIC, [("answered_on = 2025-03-04\n", "")], "contact_reachable", "nobody has answered"),
        (PUBLIC, [("2025-03-04", "2025-03-15")], "contact_reachable", "2025-03-15 is still to come"),
        (PUBLIC, [("signed_on = 2025-03-10\n", "")], "agreement_signed", "no agreement is signed"),
        (PUBLIC, [("signed_on = 2025-03-10", "signed_on = 2025-03-15")], "agreement_signed", "still to come"),
        (PUBLIC, [("starts_on = 2025-04-01", "")], "agreement_dates", "nobody has said when"),
        (PUBLIC, [("2025-04-01", "2025-03-09")], "agreement_dates", "before it was signed on 2025-03-10"),
        (
            PUBLIC,
            [("2025-03-10", "2024-01-01"), ("2025-04-01", "2024-01-01\nends_on = 2025-03-13")],
            "agreement_dates",
            "ended on 2025-03-13",
        ),
        (PUBLIC, [('["NORDBOK"]', '["NORDBOK", "NORDBOG"]')], "suppliers_known", "no supplier NORDBOG"),
        (PUBLIC, [("open_to_public = true", "")], "open_to_public", "not open to the public"),
        (PUBLIC, [("is_competent = true\n", "")], "cataloguing_competence", "nobody there catalogues"),
        (PUBLIC, [("trained_on = 2025-01-20\n", "")], "cataloguing_training", "has completed the training"),
        (PUBLIC, [("2025-01-20", "2025-03-20")], "cataloguing_training", "2025-03-20 is still to come"),
        (PUBLIC, [('"KAT-1"', '"KAT-9"')], "cataloguing_training", "KAT-9 does not count"),
        (PUBLIC, [("keeps_current = true", "")], "holdings_kept_current", "has not committed itself"),
        (HOSPITAL, [("is_closed = true", "")], "limited_kind", "not closed to the public"),
        (HOSPITAL, [("publicly_funded = true", "")], "limited_kind", "not publicly funded"),
        (SCHOOL, [("hours_a_week = 25", "hours_a_week = 19.5")], "school_staffed", "19.5 hours a week, not 20"),
        (SCHOOL, [("hours_a_week = 25", "")], "school_staffed", "nobody has said how much"),
        (SCHOOL, [("agreed_on = 2025-02-27", "")], "municipality_agreed", "stadsbibliotek has not agreed"),
        (SCHOOL, [('sigel = "SOLB"', 'sigel = "LUNV"')], "municipality_agreed", "of Lundviken, not of Solberg"),
        (SCHOOL, [('sigel = "SOLB"', 'sigel = "SOLG"')], "municipality_agreed", "no registering library"),
        (SCHOOL, [('sigel = "SOLB"', 'sigel = "NONE"')], "municipality_agreed", "no library NONE"),
        (SCHOOL, [('sigel = "SOLB"', "")], "municipality_agreed", "is not named"),
        (SCHOOL, [('municipality = "Solberg"', "")], "municipality_agreed", "school's municipality is not named"),
    ],
)
def test_a_rule_that_is_not_met_says_why_and_what_to_do(
    text: str, changes: list[tuple[str, str]], rule: str, said: str
) -> None:
    found = unmet(text, *changes)
    assert list(found) == [rule]
    assert said in found[rule].reason
    assert len(found[rule].remedy) > 15


def test_a_school_is_staffed_at_exactly_the_hours_of_the_register() -> None:
    assert unmet(SCHOOL, ("hours_a_week = 25", "hours_a_week = 20")) == {}
    more = replace(KNOWN, rules=REGISTER.participation.model_copy(update={"school_hours_a_week": 25.5}))
    assert list(unmet(SCHOOL, known=more)) == ["school_staffed"]


def test_without_courses_in_the_register_any_training_counts() -> None:
    anything = replace(KNOWN, rules=REGISTER.participation.model_copy(update={"courses": ()}))
    assert unmet(PUBLIC, ('course = "KAT-1"\n', ""), known=anything) == {}
    assert list(unmet(PUBLIC, ('course = "KAT-1"\n', ""))) == ["cataloguing_training"]


def test_a_sigel_that_somebody_has_is_not_given_twice() -> None:
    found = unmet(PUBLIC, known=replace(KNOWN, taken_by="Nyby bibliotek in the register"))
    assert "NYLU belongs to Nyby bibliotek in the register" in found["sigel_unique"].reason


def test_an_address_that_refused_the_last_e_mail_is_not_reachable_whatever_it_answered() -> None:
    found = unmet(PUBLIC, known=replace(KNOWN, mail_error="550 no such user"))
    assert "550 no such user" in found["contact_reachable"].reason


def test_a_registering_library_need_not_be_in_a_municipality_and_several_rules_are_told_at_once() -> None:
    assert unmet(PUBLIC, ('municipality = "Nylunda"\n', "")) == {}
    assert list(unmet(PUBLIC, ("open_to_public = true", ""), ("keeps_current = true", ""))) == [
        "open_to_public",
        "holdings_kept_current",
    ]


def test_every_rule_stands_on_the_page_in_its_order() -> None:
    section = PAGE.split("\n## The rules\n", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(RULES)


def test_every_key_of_an_application_stands_on_the_page_with_its_default() -> None:
    section = PAGE.split("\n## The application\n", 1)[1].split("\n## ", 1)[0]
    told = dict(re.findall(r"^\| `([\w.]+)` \| .* \| ([^|]+) \|$", section, re.MULTILINE))
    expected = {}
    for name, key in type(application()).model_fields.items():
        inner = key.annotation
        if isinstance(inner, type) and issubclass(inner, RegisterModel):
            expected |= {f"{name}.{each}": field for each, field in inner.model_fields.items()}
        else:
            expected[name] = key
    assert list(told) == list(expected)
    words = {None: "not set", False: "`false`", (): "empty", "sv": '`"sv"`'}
    assert told == {name: "needed" if key.is_required() else words[key.get_default()] for name, key in expected.items()}


def test_the_examples_of_the_page_are_applications_that_meet_every_rule() -> None:
    examples = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    later = replace(KNOWN, on=date(2026, 3, 14))
    assert [unmet(each, known=later) for each in examples] == [{}, {}]
