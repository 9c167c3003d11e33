"""Every rule that says no, and everything matching can object, has its words: read from the code that gives them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.expectations import EXPECTATIONS
from schemas.marc import Record, control_field, data_field
from schemas.outcomes import HoldingOutcome
from schemas.register.matching import MatchingPolicy
from tasks.catalogue.review import parse_decision
from tasks.matching.evidence import compare, features_of
from tasks.matching.verdict import judge
from tasks.notices import cards, patron_lists, rejects, worklist
from tasks.notices.cards import record_card
from tasks.notices.decisions import Choice, DecisionLine
from tasks.notices.gathering_rejects import WHOLE_FILE_RULES
from tasks.notices.message import NoticeKind
from tasks.notices.wording import Reason, standard_book
from tasks.notices.worklist import EvidenceKind, evidence_from, why_it_waits

TASKS = Path(__file__).parents[2] / "tasks"
PHRASES = standard_book().source
REGISTER = read_register(SAMPLE_REGISTER)


def first_words(folder: str, *calls: str) -> set[str]:
    """The first argument, where it is a plain string, of each call of `calls` in a folder."""
    found = set()
    for path in (TASKS / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in calls and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    return found


def holding_rules(*outcomes: HoldingOutcome) -> set[str]:
    """Rules that stand beside one of `outcomes` in a tuple of tasks/catalogue/load_holdings.py."""
    names = [each.name for each in outcomes]
    tree = ast.parse((TASKS / "catalogue" / "load_holdings.py").read_text("utf-8"))
    triples = (node.elts for node in ast.walk(tree) if isinstance(node, ast.Tuple) and len(node.elts) == 3)
    return {
        rule.value
        for outcome, rule, _ in triples
        if isinstance(outcome, ast.Attribute) and outcome.attr in names and isinstance(rule, ast.Constant)
    }


def test_every_refusal_of_the_register_has_words_for_library_and_supplier() -> None:
    rules = first_words("catalogue", "Refusal")
    assert len(rules) == 8
    for section in ("reason", "fault", "remedy"):
        assert {f"{section}.{rule}" for rule in rules} <= PHRASES.phrases.keys()


def test_every_holding_that_is_rejected_or_waits_has_words() -> None:
    rejected = holding_rules(HoldingOutcome.REJECTED)
    waiting = holding_rules(HoldingOutcome.WAITING)
    assert rejected == {"holding_unfit", "no_bib", "bib_rejected"}
    assert waiting == {"bib_in_review"}
    assert {f"reason.{rule}" for rule in rejected | waiting} <= PHRASES.phrases.keys()
    assert {f"fault.{rule}" for rule in rejected} <= PHRASES.phrases.keys()


def test_every_rule_of_a_holding_that_a_library_may_read_has_words_in_every_language() -> None:
    page = (TASKS.parent / "docs" / "supplier-ingest.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w:]+)` \| ([^|]*) \|", page, re.MULTILINE)
    attention = {rule for rule, outcome in rows if re.search(r"(holding|both) .*(waiting|refused|rejected)", outcome)}
    assert len(attention) >= 14
    silent = {"deleted", "lines_equal", "lines_replaced", "new_holding"}  # the outcome says it all
    other = {rule for rule, outcome in rows if re.match(r"holding (created|updated|unchanged|deleted)", outcome)}
    told = {f"reason.{rule}" for rule in attention | (other - silent - {"catalogue_holding"}) | {"merged_away"}}
    for language in standard_book().languages:
        assert sorted(told - standard_book().language(language).phrases.keys()) == []


def test_every_feature_veto_and_doubt_of_matching_has_a_name() -> None:
    names = first_words("matching", "Objection", "add", "agree") - {""}
    assert len(names) >= 20
    assert {f"evidence.{name}" for name in names} <= PHRASES.phrases.keys()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("veto:edition", "The numbers agree, but something says that these are two: Edition."),
        ("doubt:main_author", "The numbers agree, but something raises a doubt: Main author."),
        ("isbn_a_unconfirmed", "A number agrees, but the titles do not confirm it."),
        ("035_low_score", "A number and the title agree, but too little else does."),
        ("several_equal", "Several records in the catalogue fit about equally well."),
        ("never_heard_of", "The moon was full"),
    ],
)
def test_rules_of_matching_are_said_by_family(rule: str, said: str) -> None:
    assert why_it_waits(Reason(rule, "the moon was full"), PHRASES) == said


def test_every_class_that_can_be_held_has_a_name() -> None:
    guarded = {name for classes in REGISTER.guards.flows.values() for name in classes}
    assert guarded == {"bib_create", "bib_replace", "holding_delete"}
    guarded.add("bib_absent")  # held whatever its size
    keys = {each.change_class.removeprefix("quality:") for each in EXPECTATIONS} | guarded
    assert {f"held_class.{key}" for key in keys} <= PHRASES.phrases.keys()


def test_every_guard_that_lets_holdings_wait_has_words_for_the_library() -> None:
    guards = (TASKS / "catalogue" / "load_holdings.py").read_text("utf-8")
    classes = set(re.findall(r'guard_rule\("(\w+)"\)', guards))
    assert classes == {"bib_create", "holding_delete"}
    assert {f"reason.guard:{each}" for each in classes} <= PHRASES.phrases.keys()
    assert {f"reason.plan_rejected:{each}" for each in classes} <= PHRASES.phrases.keys()


def test_every_rule_that_ends_a_whole_file_has_words_for_library_and_supplier() -> None:
    assert {
        f"{section}.{rule}" for section in ("reason", "fault", "remedy") for rule in WHOLE_FILE_RULES
    } <= PHRASES.phrases.keys()


def test_every_field_of_a_card_has_a_name() -> None:
    assert {f"card.{name}" for name, _ in cards._READERS} <= PHRASES.phrases.keys()


def test_evidence_as_matching_stores_it_is_understood() -> None:
    def book(edition: str) -> Record:
        return Record(
            "00000nam a22000007  4500",
            [
                control_field("008", "980101s1998    sw            000 1 swe  "),
                data_field("245", "10", [("a", "Röda rummet")]),
                data_field("250", "  ", [("a", edition)]),
            ],
        )

    one, other = features_of(book("2. uppl."), ()), features_of(book("3. uppl."), ())
    evidence = evidence_from(compare(one, other, MatchingPolicy(), ("isbn",)).as_json())
    assert evidence[0].kind is EvidenceKind.VETO
    assert evidence[0].name == "edition"
    assert {each.name for each in evidence[1:]} >= {"title", "record_type", "year"}
    assert record_card(book("2. uppl.")).get("edition") == "2. uppl."
    assert judge(one, [(5, other, "isbn")], MatchingPolicy()).candidates[0].rule == "veto:edition"


@pytest.mark.parametrize(("choice", "bib_id"), [(Choice.MATCH, 881), (Choice.NEW, None), (Choice.REJECT, None)])
def test_a_decision_from_the_worklist_is_one_that_the_catalogue_takes(choice: Choice, bib_id: int | None) -> None:
    line = DecisionLine(41, choice, bib_id, "", 2)
    taken = parse_decision(line.review_id, str(line), "a cataloguer")
    assert (taken.verdict, taken.bib_id) == (choice.value, bib_id)


@pytest.mark.parametrize(
    "columns",
    [rejects.CSV_COLUMNS, worklist.CSV_COLUMNS, patron_lists.ERROR_COLUMNS, patron_lists.REVIEW_COLUMNS],
    ids=["rejects", "worklist", "rows", "persons"],
)
def test_every_column_of_the_files_we_send_is_documented(columns: tuple[str, ...]) -> None:
    page = (TASKS.parent / "docs" / "notices.md").read_text("utf-8")
    documented = set(re.findall(r"`(\w+)`", "\n".join(line for line in page.splitlines() if line.startswith("| `"))))
    assert {column for column in columns if not re.fullmatch(r"candidate_[2-4]", column)} <= documented


def test_every_language_and_every_kind_of_mail_is_documented() -> None:
    page = (TASKS.parent / "docs" / "notices.md").read_text("utf-8")
    assert {f"`{code}`" for code in standard_book().languages} <= set(re.findall(r"`\w+`", page))
    assert {f"| `{kind}` |" for kind in NoticeKind} <= set(re.findall(r"^\| `\w+` \|", page, re.MULTILINE))
