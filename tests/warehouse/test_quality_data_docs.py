"""Great Expectations judges by the same declaration as the gate and comes to the same figures; its pages."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import pytest

from schemas.expectations import EXPECTATIONS
from tasks.quality.data_docs import DataDocs, DocsRequest, docs_request, write_data_docs
from tasks.quality.docs_pages import Figures, Judge, Site, figures_of
from tasks.quality.gate import CheckResult, check_deliveries
from tasks.warehouse.engine import Warehouse
from tests.warehouse.quality_samples import bib, holding, register_with, settle_some, stage, supplier, unreadable

HOSTILE = "<script>alert(1)</script>"

DELIVERIES: dict[str, list[dict[str, Any]]] = {
    "mixed": [bib(), holding("SOLB"), bib(title="", isbns=["invalid", "set"], embedded=["ZZ"]), unreadable()] * 7,
    "all good": [bib(embedded=["SOLB", "LUNV"])] * 30,
    "all bad": [bib(title="", isbns=["invalid"], level="x", embedded=[""]), unreadable()] * 15,
    "no bibs": [holding("SOLB")] * 24 + [holding("ZZ")],
    "no holdings": [bib()] * 20,
    "no ISBN and no title": [bib(title=" ", isbns=[])] * 20,
    "only unreadable": [unreadable()] * 20,
    "nothing at all": [],
    "one record": [bib(isbns=["invalid"])],
    "exactly at the limits": [bib()] * 18 + [bib(title="", isbns=["invalid"])] + [bib(isbns=["invalid"])],
    "one row under the limits": [bib()] * 17 + [bib(title="", level=" ")] * 2 + [bib(isbns=["invalid", "invalid"])],
    "blank and odd levels": [bib(level=level) for level in " 1234578uzx"] * 2,
    "many unknown sigels": [holding(f"Q{number}") for number in range(60)] + [bib()],
    "hostile text": [bib(embedded=[HOSTILE, "a$b {{x}}", "X" * 500])] * 20,
}


def as_the_child_gets_it(request: DocsRequest) -> dict[str, Any]:
    sent: dict[str, Any] = orjson.loads(orjson.dumps(dataclasses.asdict(request)))
    return sent


def test_the_gate_and_great_expectations_agree(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1, 1, 2, 2, 2])
    of = supplier()
    register = register_with(of)
    names = {stage(warehouse, pieces, f"{name}.mrc"): name for name, pieces in DELIVERIES.items()}
    with warehouse.write() as connection:
        gate = check_deliveries(connection, list(names), of, register)
        sent = as_the_child_gets_it(docs_request(connection, list(names), of, register))
    judge = Judge(sent["limits"], sent["allowed"])
    by_gate = {(names[d], e.expectation.key): _figures(e) for d, found in gate.items() for e in found}
    by_gx = {
        (names[delivery["delivery_id"]], key): figures
        for delivery in sent["deliveries"]
        for key, figures in figures_of(judge.validate(delivery["counts"], "run")).items()
    }
    assert len(by_gx) == len(DELIVERIES) * len(EXPECTATIONS)
    assert {place: each[1:] for place, each in by_gx.items()} == {place: each[1:] for place, each in by_gate.items()}
    assert {place: each.share for place, each in by_gx.items()} == pytest.approx(
        {place: each.share for place, each in by_gate.items()}
    )
    # The deliveries are worth comparing only where each expectation is met by one and broken by another.
    seen = {(key, figures.is_met) for (_, key), figures in by_gate.items()}
    assert seen == {(each.key, is_met) for each in EXPECTATIONS for is_met in (True, False)}


def _figures(result: CheckResult) -> Figures:
    """The gate's result as Great Expectations puts it: of a factor, too, the share of rows within the limit."""
    share = result.observed if result.expectation.kind == "share" else 1.0 - result.unexpected
    return Figures(None if result.observed is None else share, result.elements, result.unexpected, result.is_met)


# Pages


@pytest.fixture
def request_of(warehouse: Warehouse) -> Callable[..., DocsRequest]:
    """Stage deliveries of `DELIVERIES` by name and ask for their pages."""

    def ask(*names: str) -> DocsRequest:
        ids = [stage(warehouse, DELIVERIES[name], f"{name}.mrc") for name in names]
        of = supplier()
        with warehouse.read() as connection:
            return docs_request(connection, ids, of, register_with(of))

    return ask


def page_of(docs: DataDocs, delivery_id: int) -> str:
    return Path(unquote(urlsplit(docs.uris[delivery_id]).path)).read_text(encoding="utf-8")


def test_the_child_process_writes_a_page_a_delivery_and_one_for_the_small_ones(
    request_of: Callable[..., DocsRequest], tmp_path: Path
) -> None:
    request = request_of("mixed", "one record", "all good", "nothing at all")
    docs = write_data_docs(request, tmp_path / "docs", "2026-03-01 night/1")
    assert docs.problems == ()
    mixed, one, good, nothing = (each.delivery_id for each in request.deliveries)
    folder = tmp_path / "docs" / "NORDBOK" / "2026-03-01-night-1"
    assert docs.index_uri == (folder / "index.html").as_uri()
    own = {f"{each.delivery_id}-{each.sha256[:12]}.html" for each in request.deliveries if not each.is_small}
    assert len(own) == 2
    assert {path.name for path in folder.iterdir()} == own | {"index.html", "small-deliveries.html"}
    assert docs.uris[one] == docs.uris[nothing] == (folder / "small-deliveries.html").as_uri()
    page = page_of(docs, mixed)
    assert "mixed.mrc" in page
    assert "28 pieces, 14 bibs, 21 ISBNs, 14 holdings" in " ".join(page.split())
    assert "4 of\n7 expectations are not met" in page
    assert "All\n7 expectations are met" in page_of(docs, good)
    assert "2 small deliveries, judged together" in page_of(docs, one)
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert "Not met: Pieces can be read; Bibs have a title; ISBNs are valid; Libraries are known" in index


def write_here(request: DocsRequest, folder: Path) -> Site:
    """The pages, made in this process: Great Expectations is imported already."""
    site = Site(folder, "run", as_the_child_gets_it(request))
    site.write()
    return site


def test_pages_fetch_nothing_and_run_nothing(request_of: Callable[..., DocsRequest], tmp_path: Path) -> None:
    write_here(request_of("mixed", "one record"), tmp_path)
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) == 3
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for forbidden in ("<script", "<link", "<img", "<iframe", "http:", "https:", "onload", "@import"):
            assert forbidden not in text
        assert len(text) < 40_000


def test_text_of_a_supplier_is_never_taken_as_html(request_of: Callable[..., DocsRequest], tmp_path: Path) -> None:
    request = request_of("hostile text")
    (delivery,) = request.deliveries
    request = dataclasses.replace(
        request, supplier_name=HOSTILE, deliveries=[dataclasses.replace(delivery, name=f"{HOSTILE}.mrc")]
    )
    site = write_here(request, tmp_path)
    text = (tmp_path / site.pages[delivery.delivery_id]).read_text(encoding="utf-8")
    assert HOSTILE not in text + (tmp_path / "index.html").read_text(encoding="utf-8")
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert "X" * 60 + "..." in text
    assert "X" * 61 not in text


def test_failing_values_are_shown_with_how_often_they_stand_there(
    request_of: Callable[..., DocsRequest], tmp_path: Path
) -> None:
    site = write_here(request_of("no bibs", "no ISBN and no title"), tmp_path)
    assert site.problems == []
    first, second = ((tmp_path / page).read_text(encoding="utf-8") for page in site.pages.values())
    assert ">ZZ<" in first
    assert "missing" in second
    assert "nan" not in second


def test_one_page_that_fails_costs_no_other_its_own(request_of: Callable[..., DocsRequest], tmp_path: Path) -> None:
    request = request_of("all good", "mixed")
    broken = dataclasses.replace(request.deliveries[0], counts={"bibs": [(["present"], 30)]})
    site = write_here(dataclasses.replace(request, deliveries=[broken, request.deliveries[1]]), tmp_path)
    assert list(site.pages) == [request.deliveries[1].delivery_id]
    assert len(site.problems) == 1
    assert site.problems[0].startswith("the Data Docs page of all good.mrc could not be made: IndexError")
    assert site.problems[0] in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_child_that_fails_is_a_problem_in_words_and_no_error(
    request_of: Callable[..., DocsRequest], tmp_path: Path
) -> None:
    request = request_of("all good")
    (tmp_path / "file").write_text("in the way")
    in_the_way = write_data_docs(request, tmp_path / "file", "run")
    no_limits = write_data_docs(dataclasses.replace(request, limits={}), tmp_path, "run")
    too_slow = write_data_docs(request, tmp_path, "run", timeout_seconds=0.05)
    assert [docs.uris for docs in (in_the_way, no_limits, too_slow)] == [{}, {}, {}]
    assert "file/NORDBOK" in in_the_way.problems[0]
    assert "ended with code 1: KeyError: 'readable'" in no_limits.problems[0]
    assert "did not finish within 0.05 s" in too_slow.problems[0]
    assert all(docs.problems[0].endswith("(the load is not affected)") for docs in (in_the_way, no_limits, too_slow))


def test_no_delivery_needs_no_child(request_of: Callable[..., DocsRequest], tmp_path: Path) -> None:
    assert write_data_docs(request_of(), tmp_path / "docs", "run") == DataDocs()
    assert not (tmp_path / "docs").exists()


def test_the_pipeline_never_imports_great_expectations_or_pandas() -> None:
    code = (
        "import sys, tasks.quality.data_docs, tasks.quality.docs_pages, tasks.quality.hold, tasks.quality.conservation;"
        "print(sorted({'great_expectations', 'pandas', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
