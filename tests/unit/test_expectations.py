"""The declaration of the expectations, and the pure part of the gate that judges tallies by it."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.expectations import EXPECTATION_BY_KEY, EXPECTATIONS, ROW_SET_COLUMNS, RowSet
from schemas.register.suppliers import QualityLimits
from tasks.quality.gate import CheckResult, Judgement, judge
from tasks.quality.tally import Tally, Values
from tests.warehouse.quality_samples import supplier

DOCS = Path(__file__).parents[2] / "docs" / "quality.md"


def judged(
    key: str, counts: dict[RowSet, dict[Values, int]], median: float | None = None, **limits: float
) -> CheckResult:
    """The result for `key` of a delivery with these rows; 100 readable pieces unless told otherwise."""
    rows = {RowSet.PIECES: {("bib",): 100}, **counts}
    judgement = Judgement(supplier(**limits), frozenset({"SOLB", "LUNV"}), frozenset({"5", "7", "8"}))
    return next(each for each in judge(Tally(1, rows, median), judgement) if each.expectation.key == key)


def test_keys_are_unique_and_each_judges_a_declared_column() -> None:
    assert len(EXPECTATION_BY_KEY) == len(EXPECTATIONS) == 7
    for each in EXPECTATIONS:
        assert each.column in ROW_SET_COLUMNS[each.row_set]


def test_every_limit_of_a_supplier_has_its_expectation() -> None:
    limits = set(QualityLimits.model_fields) - {"min_records_to_judge"}
    assert {each.limit for each in EXPECTATIONS} == limits


def test_hold_reasons_use_only_what_they_are_given() -> None:
    for each in EXPECTATIONS:
        names = {name for _, name, _, _ in string.Formatter().parse(each.breach) if name}
        given_names = {"share", "rows"} if each.kind == "share" else {"records", "factor", "median"}
        assert names == given_names | {"limit", "supplier"}


def test_the_docs_page_has_each_expectation_with_its_limit() -> None:
    page = DOCS.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| `(\w+)` \|$", page, flags=re.MULTILINE))
    assert rows == {each.key: each.limit for each in EXPECTATIONS}


def test_nothing_to_judge_is_met_with_no_observed_value() -> None:
    result = judged("sigel", {RowSet.HOLDINGS: {}})
    assert (result.observed, result.elements, result.is_met, result.is_breach) == (None, 0, True, False)


def test_a_share_exactly_at_the_limit_is_met_and_one_row_less_is_not() -> None:
    at = judged("isbn_valid", {RowSet.ISBNS: {("valid",): 300, ("set",): 6, ("invalid",): 34}})
    under = judged("isbn_valid", {RowSet.ISBNS: {("valid",): 305, ("invalid",): 35}})
    assert (at.observed, at.is_met, at.let_through, at.reason) == (0.9, True, 34, "")
    assert (under.is_met, under.unexpected, under.let_through) == (False, 35, 34)


def test_the_hold_reason_names_share_rows_supplier_and_limit() -> None:
    result = judged("isbn_valid", {RowSet.ISBNS: {("valid",): 299, ("invalid",): 41}})
    assert result.reason == ("12% of 340 ISBNs have a wrong check digit or length; the limit for NORDBOK is 10%")


def test_percentages_get_decimals_until_they_differ() -> None:
    result = judged("title", {RowSet.BIBS: {(None, "present", "7"): 51, ("present", "present", "7"): 949}})
    assert result.reason == "5.1% of 1000 bibs have no title (245 $a); the limit for NORDBOK is 5.0%"


def test_unknown_sigels_are_named_the_most_frequent_first() -> None:
    rows: dict[Values, int] = {("SOLB",): 1, ("",): 2, ("B" * 30,): 9, ("AA",): 4, ("CC",): 4}
    reason = judged("sigel", {RowSet.HOLDINGS: rows}).reason
    assert reason.startswith("95% of 20 holdings name a library that is not in the register")
    assert reason.endswith(f"({'B' * 20!r}: 9, 'AA': 4, 'CC': 4, ...)")


def test_a_small_delivery_is_never_held_for_a_share_but_the_breach_is_told() -> None:
    rows: dict[RowSet, dict[Values, int]] = {RowSet.PIECES: {("bib",): 19}, RowSet.ISBNS: {("invalid",): 19}}
    result = judged("isbn_valid", rows)
    assert (result.is_met, result.is_binding, result.is_breach) == (False, False, False)
    assert result.reason.startswith("100% of 19 ISBNs")
    rows[RowSet.PIECES] = {("bib",): 20}
    assert judged("isbn_valid", rows).is_breach


def test_the_size_is_a_factor_of_the_median() -> None:
    rows: dict[RowSet, dict[Values, int]] = {
        RowSet.PIECES: {("bib",): 4190, ("holding",): 10, ("unreadable",): 7},
        RowSet.DELIVERY: {(35.0,): 1},
    }
    result = judged("size", rows, median=120.0)
    assert (result.observed, result.planned, result.population, result.let_through) == (35.0, 4200, 120, 2400)
    assert result.is_breach
    assert result.reason == "4200 records are 35 times the usual 120; the limit for NORDBOK is 20 times"


def test_a_size_at_the_limit_is_met() -> None:
    assert judged("size", {RowSet.DELIVERY: {(20.0,): 1}}, median=5.0).is_met


def test_a_level_outside_the_table_is_unexpected() -> None:
    result = judged("level", {RowSet.BIBS: {("present", None, "7"): 9, ("present", None, "x"): 1}})
    assert (result.observed, result.is_met) == (0.9, False)
    assert result.reason.endswith("('x': 1)")


@given(elements=st.integers(1, 5000), thousandths=st.integers(0, 1000), data=st.data())
def test_a_share_is_met_exactly_as_far_as_rows_are_let_through(
    elements: int, thousandths: int, data: st.DataObject
) -> None:
    unexpected = data.draw(st.integers(0, elements))
    limit = thousandths / 1000
    rows: dict[Values, int] = {("valid",): elements - unexpected, ("invalid",): unexpected}
    result = judged("isbn_valid", {RowSet.ISBNS: rows}, min_valid_isbn_share=limit)
    assert result.is_met == (unexpected <= result.let_through)


@pytest.mark.parametrize("key", [each.key for each in EXPECTATIONS if each.kind == "share"])
def test_every_share_can_be_broken_and_says_so(key: str) -> None:
    wrong: dict[RowSet, dict[Values, int]] = {
        RowSet.PIECES: {("unreadable",): 50},
        RowSet.BIBS: {(None, None, "x"): 50},
        RowSet.ISBNS: {("invalid",): 50},
        RowSet.HOLDINGS: {("ZZ",): 50},
    }
    result = judged(key, wrong)
    assert result.is_breach
    assert result.reason.startswith("100% of 50 ")
