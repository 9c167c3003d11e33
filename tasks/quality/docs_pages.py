"""The child process of the Data Docs: Great Expectations judges the tallied rows and its renderers make the pages.

Reads one JSON document on stdin, writes one on stdout: `python -m tasks.quality.docs_pages` (data_docs.py starts it).
Great Expectations is imported inside functions: whoever imports this module must not pay for it.
"""

from __future__ import annotations

import contextlib
import html
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import orjson

from schemas.expectations import EXPECTATIONS, ROW_SET_COLUMNS, Expectation, RowSet

if TYPE_CHECKING:
    import pandas as pd

TEMPLATES = Path(__file__).parent / "templates"
SHARED_PAGE = "small-deliveries.html"

Pairs = list[tuple[list[str | float | None], int]]
"""A row's values, and how many rows have them."""
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
        self._definitions = {}
        for row_set in RowSet:
            rows = source.add_dataframe_asset(row_set.value).add_batch_definition_whole_dataframe("rows")
            suite = context.suites.add(suite_of(row_set, limits, allowed))
            definition = gx.ValidationDefinition(name=row_set.value, data=rows, suite=suite)
            self._definitions[row_set] = context.validation_definitions.add(definition)

    def validate(self, counts: Counts, run_name: str) -> Any:
        """The validation result of the rows behind `counts`, one row set after the other, as one result."""
        import great_expectations as gx
        from great_expectations.core import ExpectationSuiteValidationResult

        run_id = gx.RunIdentifier(run_name=run_name)
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
        _make_presentable(whole)
        return whole


def _make_presentable(validation: Any) -> None:
    """Ready the failing values for a page: nulls have a word, and a supplier's text is never taken as HTML.

    Great Expectations 1.24 puts these values on its pages as they are, so markup in a 852 $b would be run by a browser.
    """
    for each in validation.results:
        counted: dict[Any, int] = {}
        for shown in each.result.get("partial_unexpected_counts", []):
            value = _presentable(shown["value"])
            counted[value] = counted.get(value, 0) + shown["count"]
        each.result["partial_unexpected_counts"] = [{"value": value, "count": n} for value, n in counted.items()]
        values = each.result.get("partial_unexpected_list", [])
        each.result["partial_unexpected_list"] = [_presentable(value) for value in values]


def _presentable(value: Any) -> Any:
    if value is None or value != value:
        return "missing"
    return html.escape(value) if isinstance(value, str) else value


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


def together(deliveries: Iterable[dict[str, Any]]) -> Counts:
    """The tallies of several deliveries as one."""
    added: dict[str, dict[tuple[str | float | None, ...], int]] = {}
    for delivery in deliveries:
        for row_set, pairs in delivery["counts"].items():
            counted = added.setdefault(row_set, {})
            for values, number in pairs:
                counted[tuple(values)] = counted.get(tuple(values), 0) + number
    return {row_set: [(list(values), n) for values, n in counted.items()] for row_set, counted in added.items()}


class Site:
    """The pages of one batch in one folder. Self-contained: no script, nothing is fetched when they are opened."""

    def __init__(self, folder: Path, run_name: str, request: dict[str, Any]) -> None:
        self.folder = folder
        self.run_name = run_name
        self.request = request
        self.pages: dict[int, str] = {}
        self.problems: list[str] = []
        self._rows: list[dict[str, Any]] = []

    def write(self) -> None:
        """Write every page and the index; a page that fails is a problem, and the others are written all the same."""
        judge = Judge(self.request["limits"], self.request["allowed"])
        deliveries = self.request["deliveries"]
        small = [each for each in deliveries if each["is_small"]]
        for delivery in deliveries:
            if not delivery["is_small"]:
                self._page(judge, [delivery], f"{delivery['delivery_id']}-{delivery['sha256'][:12]}.html")
        if small:
            self._page(judge, small, SHARED_PAGE)
        self._index()

    def _page(self, judge: Judge, deliveries: list[dict[str, Any]], page: str) -> None:
        names = ", ".join(each["name"] for each in deliveries[:3]) + (", ..." if len(deliveries) > 3 else "")
        try:
            counts = together(deliveries)
            validation = judge.validate(counts, self.run_name)
            text = self._render(validation, deliveries, counts)
            (self.folder / page).write_text(text, encoding="utf-8")
        except Exception as error:
            # Whatever Great Expectations does with one page must not cost the others theirs.
            traceback.print_exc(file=sys.stderr)
            self.problems.append(f"the Data Docs page of {names} could not be made: {type(error).__name__}: {error}")
            return
        self._rows.append(
            {
                "page": page,
                "names": names,
                "deliveries": len(deliveries),
                "pieces": _number_of_rows(counts, RowSet.PIECES),
                "not_met": [each.title for each in EXPECTATIONS if not figures_of(validation)[each.key].is_met],
            }
        )
        self.pages |= {each["delivery_id"]: page for each in deliveries}

    def _render(self, validation: Any, deliveries: list[dict[str, Any]], counts: Counts) -> str:
        from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
        from great_expectations.render.view.view import DefaultJinjaPageView

        document = ValidationResultsPageRenderer(run_info_at_end=True).render(validation)
        view: Any = DefaultJinjaPageView(custom_views_directory=str(TEMPLATES))
        rows = {row_set.value: _number_of_rows(counts, row_set) for row_set in RowSet}
        return str(
            view.render(
                document,
                template="data_docs_page.html",
                request=self.request,
                run_name=self.run_name,
                deliveries=deliveries,
                rows=rows,
                sizes=[values[0] for values, _ in counts.get(RowSet.DELIVERY.value, [])],
                statistics=validation.statistics,
            )
        )

    def _index(self) -> None:
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
        text = environment.get_template("data_docs_index.html").render(
            request=self.request, run_name=self.run_name, rows=self._rows, problems=self.problems
        )
        (self.folder / "index.html").write_text(text, encoding="utf-8")


def _number_of_rows(counts: Counts, row_set: RowSet) -> int:
    return sum(number for _, number in counts.get(row_set, []))


def main() -> None:
    """Answer one request: `{"pages": {delivery_id: file name}, "problems": [words]}`."""
    asked = orjson.loads(sys.stdin.buffer.read())
    site = Site(Path(asked["folder"]), asked["run_name"], asked["request"])
    with contextlib.redirect_stdout(sys.stderr):
        site.write()
    pages = {str(delivery_id): page for delivery_id, page in site.pages.items()}
    sys.stdout.buffer.write(orjson.dumps({"pages": pages, "problems": site.problems}))


if __name__ == "__main__":
    main()
