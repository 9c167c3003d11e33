"""The child process of the Data Docs: pages of deliveries, made of what Great Expectations finds and renders.

Reads one JSON document on stdin, writes one a site on stdout; data_docs.py starts `python -m tasks.quality.docs_pages`.
Great Expectations is imported inside functions: whoever imports this module must not pay for it.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jinja2
import orjson
from markupsafe import Markup

from schemas.expectations import EXPECTATION_BY_KEY, EXPECTATIONS, Expectation, RowSet
from tasks.quality.docs_judge import Counts, Figures, Judge, figures_of

TEMPLATES = Path(__file__).parent / "templates"
SHARED_PAGE = "small-deliveries.html"


def together(deliveries: Iterable[dict[str, Any]]) -> Counts:
    """The tallies of several deliveries as one."""
    added: dict[str, dict[tuple[str | float | None, ...], int]] = {}
    for delivery in deliveries:
        for row_set, pairs in delivery["counts"].items():
            counted = added.setdefault(row_set, {})
            for values, number in pairs:
                counted[tuple(values)] = counted.get(tuple(values), 0) + number
    return {row_set: [(list(values), n) for values, n in counted.items()] for row_set, counted in added.items()}


class Finding(NamedTuple):
    """A line of a page: one expectation in words, and the values that fail where they say more than their number."""

    title: str
    about: str
    needed: str
    found: str
    verdict: Literal["met", "not met", "nothing to judge"]
    values: list[tuple[Markup, int]]


def findings(validation: Any, limits: Mapping[str, float], sizes: list[float]) -> list[Finding]:
    """What Great Expectations found, in words, in the order of the declaration; `sizes` are the judged factors."""
    figures = figures_of(validation)
    shown = {each.expectation_config.meta["key"]: each.result for each in validation.results}
    return [
        Finding(
            title=each.title,
            about=each.about,
            needed=_needed(each, limits[each.key]),
            found=_found(each, figures[each.key], sizes),
            verdict=_verdict(figures[each.key]),
            # Ready to be shown: docs_judge has escaped what a supplier wrote.
            values=[(Markup(one["value"]), one["count"]) for one in shown[each.key]["partial_unexpected_counts"]]
            if isinstance(each.allowed, str)
            else [],
        )
        for each in EXPECTATIONS
    ]


def _needed(each: Expectation, limit: float) -> str:
    return f"at most {limit:g} times the usual" if each.kind == "factor" else f"at least {limit * 100:.4g}%"


def _found(each: Expectation, figures: Figures, sizes: list[float]) -> str:
    if figures.share is None:
        return "nothing to judge"
    if each.kind == "factor":
        least, most = (f"{size:.2g}" for size in (min(sizes), max(sizes)))
        return f"{least} times" if least == most else f"{least} to {most} times"
    good = figures.elements - figures.unexpected
    return f"{figures.share * 100:.4g}%: {good} of {figures.elements} {each.row_set.words}"


def _verdict(figures: Figures) -> Literal["met", "not met", "nothing to judge"]:
    if figures.share is None:
        return "nothing to judge"
    return "met" if figures.is_met else "not met"


def standing_out(delivery: Mapping[str, Any]) -> str:
    """What failed in a delivery, within the limits or not: `3 of 7 bibs without an ISBN; 1 of 9 pieces unreadable`."""
    said = []
    for key, (unexpected, elements) in delivery["unexpected"].items():
        each = EXPECTATION_BY_KEY[key]
        rows = f"{unexpected} of {elements} {each.row_set.words} " if each.kind == "share" else ""
        said.append(f"{rows}{each.failing}")
    return "; ".join(said)


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
        title = deliveries[0]["name"] if page != SHARED_PAGE else _small(len(deliveries))
        try:
            counts = together(deliveries)
            validation = judge.validate(counts)
            text = self._render(title, validation, deliveries, counts)
            (self.folder / page).write_text(text, encoding="utf-8")
        except Exception as error:
            # Whatever Great Expectations does with one page must not cost the others theirs.
            traceback.print_exc(file=sys.stderr)
            of = f"{self.request['supplier']}, {title},"
            self.problems.append(f"the Data Docs page of {of} could not be made: {type(error).__name__}: {error}")
            return
        self._rows.append(
            {
                "page": page,
                "title": title,
                "pieces": _number_of_rows(counts, RowSet.PIECES),
                "not_met": [each.title for each in EXPECTATIONS if not figures_of(validation)[each.key].is_met],
            }
        )
        self.pages |= {each["delivery_id"]: page for each in deliveries}

    def _render(self, title: str, validation: Any, deliveries: list[dict[str, Any]], counts: Counts) -> str:
        from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
        from great_expectations.render.view.view import DefaultJinjaPageView

        document = ValidationResultsPageRenderer(run_info_at_end=True).render(validation)
        _make_readable(document)
        view: Any = DefaultJinjaPageView(custom_views_directory=str(TEMPLATES))
        sizes = [float(values[0] or 0) for values, _ in counts.get(RowSet.DELIVERY.value, [])]
        found = findings(validation, self.request["limits"], sizes)
        listed = [{**each, "standing_out": standing_out(each), "pieces": _pieces(each)} for each in deliveries]
        return str(
            view.render(
                document,
                template="data_docs_page.html",
                request=self.request,
                run_name=self.run_name,
                title=title,
                deliveries=sorted(listed, key=lambda each: not each["standing_out"]),
                rows={row_set.value: _number_of_rows(counts, row_set) for row_set in RowSet},
                findings=found,
                not_met=[each.title for each in found if each.verdict == "not met"],
            )
        )

    def _index(self) -> None:
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
        text = environment.get_template("data_docs_index.html").render(
            request=self.request, run_name=self.run_name, rows=self._rows, problems=self.problems
        )
        (self.folder / "index.html").write_text(text, encoding="utf-8")


def _make_readable(document: Any) -> None:
    """Great Expectations' sections in the order of the declaration, each under its title and not under a column."""
    titles = {each.column: each.title for each in EXPECTATIONS}
    # The first section links to a page of the suite, the last repeats the run: neither is made here.
    sections = {each.section_name: each for each in document.sections[1:-1]}
    document.sections = [sections[column] for column in titles]
    for column, title in titles.items():
        sections[column].content_blocks[0].header.string_template["template"] = title


def _small(number: int) -> str:
    return f"{number} small deliveries" if number > 1 else "1 small delivery"


def _pieces(delivery: Mapping[str, Any]) -> int:
    return _number_of_rows(delivery["counts"], RowSet.PIECES)


def _number_of_rows(counts: Counts, row_set: RowSet) -> int:
    return sum(number for _, number in counts.get(row_set, []))


def main() -> None:
    """Answer the sites asked for, a line each: `{"pages": {delivery_id: file name}, "problems": [words]}`."""
    answers = sys.stdout.buffer
    for asked in orjson.loads(sys.stdin.buffer.read()):
        with contextlib.redirect_stdout(sys.stderr):
            told = _answer(asked)
        answers.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
        answers.flush()


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    site = Site(Path(asked["folder"]), asked["run_name"], asked["request"])
    try:
        site.write()
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        supplier = asked["request"]["supplier"]
        site.problems.append(f"the Data Docs of {supplier} could not be made: {type(error).__name__}: {error}")
    return {"pages": {str(delivery_id): page for delivery_id, page in site.pages.items()}, "problems": site.problems}


if __name__ == "__main__":
    main()
