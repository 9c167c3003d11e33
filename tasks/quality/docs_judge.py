"""Great Expectations judges tallied rows by the declared expectations; used in the child process of the Data Docs only.

Great Expectations and pandas are imported inside functions: whoever imports this module must not pay for them.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.expectations import EXPECTATION_BY_KEY, EXPECTATIONS, ROW_SET_COLUMNS, Expectation, RowSet
from tasks.quality.judged import FURTHER, Pairs

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 20
"""So many different failing values stand on a page, the most frequent ones; the rest counts as one."""

Counts = dict[str, Pairs]
"""Pairs by row set."""


def frame_of(row_set: RowSet, kinds: Pairs) -> pd.DataFrame:
    """The rows of a row set behind its tally, every one of them, with the judged columns.

    Values are categories, so a million rows take a few MiB. One row of each kind comes first: Great Expectations shows
    the first failing values, and they should be different ones.
    """
    import numpy as np
    import pandas as pd

    further = np.repeat(np.arange(len(kinds), dtype="int32"), [number - 1 for _, number in kinds])
    kind_of_row = np.concatenate([np.arange(len(kinds), dtype="int32"), further])
    columns = {}
    for index, name in enumerate(ROW_SET_COLUMNS[row_set]):
        values = [of_kind[index] for of_kind, _ in kinds]
        if row_set is RowSet.DELIVERY:
            columns[name] = np.array(values, dtype="float64")[kind_of_row]
            continue
        columns[name] = pd.Categorical(values).take(kind_of_row)
    return pd.DataFrame(columns, copy=False)


def suite_of(row_set: RowSet, limits: dict[str, float], allowed: dict[str, list[str]]) -> Any:
    """The `ExpectationSuite` of the declaration for one row set, with a supplier's limits."""
    import great_expectations as gx

    suite = gx.ExpectationSuite(name=row_set.value)
    for each in EXPECTATIONS:
        if each.row_set is row_set:
            suite.add_expectation(_as_great_expectation(each, limits[each.key], allowed.get(each.key, [])))
    return suite


def _as_great_expectation(each: Expectation, limit: float, allowed: Iterable[str]) -> Any:
    from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
    from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
    from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull

    common: dict[str, Any] = {"column": each.column, "meta": {"key": each.key}}
    if each.rule == "at_most":
        common["description"] = f"{each.title}. {each.about} At most {limit:g} times."
        return ExpectColumnValuesToBeBetween(max_value=limit, **common)
    common["description"] = f"{each.title}. {each.about} At least {limit * 100:.4g}% of the {each.row_set.words}."
    common["mostly"] = limit
    if each.rule == "present":
        return ExpectColumnValuesToNotBeNull(**common)
    return ExpectColumnValuesToBeInSet(value_set=list(allowed), **common)


class Judge:
    """Great Expectations, ready for one supplier's limits: judges any number of deliveries."""

    def __init__(self, limits: dict[str, float], allowed: dict[str, list[str]]) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("warehouse")
        self._allowed = allowed
        self._definitions = {}
        for row_set in RowSet:
            rows = source.add_dataframe_asset(row_set.value).add_batch_definition_whole_dataframe("rows")
            suite = context.suites.add(suite_of(row_set, limits, allowed))
            definition = gx.ValidationDefinition(name=row_set.value, data=rows, suite=suite)
            self._definitions[row_set] = context.validation_definitions.add(definition)

    def validate(self, counts: Counts) -> Any:
        """The validation result of the rows behind `counts`, one row set after the other, as one result."""
        import great_expectations as gx
        from great_expectations.core import ExpectationSuiteValidationResult

        run_id = gx.RunIdentifier(run_name="data docs")
        each = [
            definition.run(
                batch_parameters={"dataframe": frame_of(row_set, counts.get(row_set.value, []))}, run_id=run_id
            )
            for row_set, definition in self._definitions.items()
        ]
        results = [result for validation in each for result in validation.results]
        met = sum(bool(result.success) for result in results)
        whole = ExpectationSuiteValidationResult(
            success=met == len(results),
            results=results,
            suite_name="delivery",
            statistics={
                "evaluated_expectations": len(results),
                "successful_expectations": met,
                "unsuccessful_expectations": len(results) - met,
                "success_percent": 100 * met / len(results),
            },
            meta=each[0].meta,
        )
        self._make_presentable(whole, counts)
        return whole

    def _make_presentable(self, validation: Any, counts: Counts) -> None:
        """Ready the failing values for a page: all of them are counted, and a supplier's text is never taken as HTML.

        Great Expectations 1.24 counts the first 20 failing rows only, and puts values on its pages as they are, so that
        markup in a 852 $b would be run by a browser.
        """
        for each in validation.results:
            expectation = EXPECTATION_BY_KEY[each.expectation_config.meta["key"]]
            if expectation.rule == "at_most":
                continue
            failing = self._failing(expectation, counts)
            further = failing.pop(FURTHER, 0)
            ranked = sorted(failing.items(), key=lambda item: (-item[1], str(item[0])))
            further += sum(number for _, number in ranked[MOST_SHOWN:])
            shown = [{"value": _presentable(value), "count": number} for value, number in ranked[:MOST_SHOWN]]
            shown += [{"value": FURTHER, "count": further}] if further else []
            each.result["partial_unexpected_counts"] = shown
            each.result["partial_unexpected_list"] = [one["value"] for one in shown]

    def _failing(self, expectation: Expectation, counts: Counts) -> Counter[str | None]:
        """How often each value that fails stands in the judged column."""
        index = list(ROW_SET_COLUMNS[expectation.row_set]).index(expectation.column)
        allowed = self._allowed.get(expectation.key, ())
        failing: Counter[str | None] = Counter()
        for values, number in counts.get(expectation.row_set.value, []):
            value = None if values[index] is None else str(values[index])
            if value is None if expectation.rule == "present" else value not in (None, *allowed):
                failing[value] += number
        return failing


def _presentable(value: str | None) -> str:
    return "missing" if value is None else html.escape(value)


class Figures(NamedTuple):
    """What Great Expectations found about one expectation. `share` satisfies it; None where nothing was judged."""

    share: float | None
    elements: int
    unexpected: int
    is_met: bool


def figures_of(validation: Any) -> dict[str, Figures]:
    """The figures of a validation result, by key of the expectation."""
    figures = {}
    for each in validation.results:
        percent = each.result.get("unexpected_percent")
        figures[each.expectation_config.meta["key"]] = Figures(
            share=None if percent is None else 1 - percent / 100,
            elements=each.result["element_count"],
            unexpected=each.result["unexpected_count"],
            is_met=bool(each.success),
        )
    return figures
