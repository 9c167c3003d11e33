"""docs/supplier-ingest.md and docs/normalisation.md say what the code does: states, outcomes, rules, remarks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome
from schemas.register.suppliers import NormalisationRules
from tasks.catalogue.levels import ExistingBib, may_replace

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "supplier-ingest.md").read_text("utf-8")
NORMALISATION = (ROOT / "docs" / "normalisation.md").read_text("utf-8")
REGISTER = read_register(SAMPLE_REGISTER)
LEVELS = {"5": "5", "8": "8", "3, 7": "37", "blank, 1, 2": " 12"}
RULE_PLACE = {
    "Refusal": 0, "LineChange": 1, "OverlayDecision": 1, "_outcome": 2, "reject_delivery": 2, "OutcomeRow": 4,
}  # fmt: skip
"""Calls that name a rule, and which argument it is."""

WRITTEN_ELSEWHERE = {
    "delivery_rejected", "no_candidate", "no_candidate_fits", "decided_new", "decided_match", "decided_reject",
    "lines_added", "lines_replaced", "reverted", "not_in_catalogue",
}  # fmt: skip
"""Rules that come from another area, are put together, or stand in a variable."""


def rows(page: str, first_header: str) -> list[list[str]]:
    """The cells of every table whose first header is this one."""
    found = re.findall(rf"^\| {re.escape(first_header)} \|.*\n\|[-|: ]+\n((?:\|.*\n)*)", page, re.MULTILINE)
    return [line.strip("| ").split(" | ") for table in found for line in table.splitlines()]


def names(page: str, first_header: str) -> list[str]:
    """What stands in backticks in the first cells."""
    return [name for cells in rows(page, first_header) for name in re.findall(r"`([^`]+)`", cells[0])]


def calls(folder: str) -> Iterator[ast.Call | ast.Tuple]:
    """Every call and every tuple in the modules of an area."""
    for path in sorted((ROOT / "tasks" / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call | ast.Tuple):
                yield node


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def rules_of_the_catalogue() -> set[str]:
    """Every rule that is written out where an outcome is made."""
    found = set()
    for node in calls("catalogue"):
        if isinstance(node, ast.Tuple):
            is_outcome = len(node.elts) == 3 and ast.unparse(node.elts[0]).startswith("HoldingOutcome.")
            place = node.elts[1] if is_outcome else None
        else:
            number = RULE_PLACE.get(name_of(node))
            place = node.args[number] if number is not None and len(node.args) > number else None
        if isinstance(place, ast.Constant) and isinstance(place.value, str):
            found.add(place.value)
    return found


def test_every_delivery_state_is_told() -> None:
    assert names(PAGE, "state") == list(DeliveryState)


def test_every_outcome_is_told() -> None:
    assert names(PAGE, "bibs") == list(BibOutcome)
    assert names(PAGE, "holdings") == list(HoldingOutcome)


def test_the_equations_name_every_outcome() -> None:
    assert f"bibs_read     = {' + '.join(BibOutcome)}\n" in PAGE
    assert f"holdings_read = {' + '.join(HoldingOutcome)}\n" in PAGE


@pytest.mark.parametrize("incoming", LEVELS)
@pytest.mark.parametrize("standing", LEVELS)
def test_the_level_table_is_what_the_code_decides(incoming: str, standing: str) -> None:
    (cells,) = [cells for cells in rows(PAGE, r"N \ E") if cells[0] == incoming]
    said = cells[1 + list(LEVELS).index(standing)]
    supplier = REGISTER.supplier_by_code["NORDBOK"]
    for level in LEVELS[incoming]:
        for existing in LEVELS[standing]:
            by_source = {
                source: may_replace(
                    level, None, ExistingBib(existing, source, "supplier", False, None), supplier, REGISTER.levels
                ).replaces
                for source in ("NORDBOK", "MEDIAT")
            }
            found = "yes" if by_source["MEDIAT"] else "same source" if by_source["NORDBOK"] else "no"
            assert (level, existing, found) == (level, existing, said)


def test_every_rule_of_the_catalogue_is_told() -> None:
    rules = rules_of_the_catalogue()
    assert rules >= {"kept_human_edit", "unknown_sigel", "new_holding", "name_promise_broken", "review_deadline"}
    rules |= WRITTEN_ELSEWHERE | {f"guard:{each}" for each in REGISTER.guards.flows["supplier-ingest"]}
    assert sorted(names(PAGE, "rule")) == sorted(rules)


def test_every_guarded_class_is_told() -> None:
    assert sorted(names(PAGE, "class")) == sorted(REGISTER.guards.flows["supplier-ingest"])


def test_every_normalising_rule_is_told() -> None:
    told = {name for cells in rows(NORMALISATION, "rule") for name in re.findall(r"`(\w+)`", cells[1])}
    assert told == set(NormalisationRules.model_fields)


def test_every_remark_is_told() -> None:
    codes = {
        node.args[0].value
        for node in calls("marc")
        if isinstance(node, ast.Call) and name_of(node) == "Finding" and isinstance(node.args[0], ast.Constant)
    }
    assert len(codes) >= 25
    assert names(NORMALISATION, "code") == sorted(codes)
