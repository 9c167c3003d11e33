"""The pages that Great Expectations' findings become: numbers, words, and nothing that a supplier could slip in."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest

from tasks.quality.data_docs import DataDocs, DocsRequest, docs_requests, write_data_docs
from tasks.quality.docs_pages import Site
from tasks.quality.gate import check_deliveries
from tasks.warehouse.engine import Warehouse
from tests.warehouse.quality_samples import (
    DELIVERIES,
    HOSTILE,
    as_the_child_gets_it,
    holding,
    register_with,
    settle_some,
    stage,
    supplier,
)

CLOCK = ZoneInfo("Europe/Stockholm")
MADE = "2026-03-02 04:00 CET"
NOT_MET = "Not met: Pieces can be read; Bibs have a title; ISBNs are valid; Libraries are known"

RequestOf = Callable[..., DocsRequest]


@pytest.fixture
def warehouse_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: pages are made from what the ledger keeps, whatever keeps it."""
    file = tmp_path / "warehouse.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def request_of(warehouse: Warehouse) -> RequestOf:
    """Stage deliveries, by name or by their pieces, let the gate judge them, and ask for their pages."""

    def ask(*wanted: str | list[dict[str, Any]]) -> DocsRequest:
        ids = [
            stage(warehouse, DELIVERIES[each] if isinstance(each, str) else each, f"{str(each)[:30]}.mrc")
            for each in wanted
        ]
        of = supplier()
        with warehouse.write() as connection:
            check_deliveries(connection, ids, of, register_with(of))
            (request,) = docs_requests(connection, ids, {"NORDBOK": "Nordbok"}, CLOCK)
        return request

    return ask


def write_here(request: DocsRequest, folder: Path) -> Site:
    """The pages, made in this process: Great Expectations is imported already."""
    folder.mkdir(exist_ok=True)
    site = Site(folder, MADE, as_the_child_gets_it(request))
    site.write()
    return site


def text_of(page: Path) -> str:
    """A page, with any white space as one blank."""
    return " ".join(page.read_text(encoding="utf-8").split())


def pages_of(site: Site) -> list[str]:
    """Its pages in the order of the deliveries."""
    assert site.problems == []
    return [text_of(site.folder / page) for page in dict.fromkeys(site.pages.values())]


def test_the_child_process_writes_pages_and_a_request_that_fails_costs_no_other_its_own(
    request_of: RequestOf, tmp_path: Path
) -> None:
    request = request_of("mixed", "one record", "all good", "nothing at all")
    broken = dataclasses.replace(request, supplier="FORHAND", limits={})
    docs = write_data_docs([broken, request], tmp_path / "docs", MADE)
    assert docs.problems == ("the Data Docs of FORHAND could not be made: KeyError: 'readable'",)
    mixed, one, good, nothing = (each.delivery_id for each in request.deliveries)
    (folder,) = (tmp_path / "docs" / "NORDBOK").iterdir()
    assert docs.index_uris == ((folder / "index.html").as_uri(),)
    own = {f"{each.delivery_id}-{each.sha256[:12]}.html" for each in request.deliveries if not each.is_small}
    assert len(own) == 2
    assert {path.name for path in folder.iterdir()} == own | {"index.html", "small-deliveries.html"}
    assert docs.uris[one] == docs.uris[nothing] == (folder / "small-deliveries.html").as_uri()
    page = text_of(Path(unquote(urlsplit(docs.uris[mixed]).path)))
    assert "28 pieces, 14 bibs, 21 ISBNs, 14 holdings; every row was judged." in page
    assert f"Page made {MADE}" in page
    assert "All expectations are met." in text_of(Path(unquote(urlsplit(docs.uris[good]).path)))


def test_a_page_says_what_was_needed_and_what_was_found(
    warehouse: Warehouse, request_of: RequestOf, tmp_path: Path
) -> None:
    settle_some(warehouse, [2, 2, 2, 2, 2])
    (page, small) = pages_of(write_here(request_of("mixed", "one record", "nothing at all"), tmp_path / "docs"))
    assert f"{NOT_MET}.</span> Such a delivery waits for approval." in page
    for needed, found in (
        ("at least 90%", "75%: 21 of 28 pieces"),
        ("at least 95%", "50%: 7 of 14 bibs"),
        ("at least 50%", "100%: 14 of 14 bibs"),
        ("at least 90%", "66.67%: 14 of 21 ISBNs"),
        ("at least 80%", '50%: 7 of 14 holdings<br><span class="badge">ZZ</span> 7'),
        ("at least 95%", "100%: 14 of 14 bibs"),
        ("at most 20 times the usual", "10 times"),
    ):
        assert f"<td>{needed}</td> <td>{found}</td>" in page
    stands_out = (
        "7 of 28 pieces unreadable; 7 of 14 bibs without a title; 7 of 21 ISBNs invalid; 7 of 14 holdings of an"
    )
    assert f"<td>{stands_out} unknown library</td>" in page

    assert "2 small deliveries" in small
    assert "Deliveries with fewer than 20 pieces are judged together here." in small
    assert "waits for approval" not in small
    assert "<td>1 of 1 ISBNs invalid</td>" in small
    assert "<td>nothing</td>" in small
    assert "<td>at least 80%</td> <td>nothing to judge</td>" in small
    assert "<td>0 to 0.5 times</td>" in small


def test_the_index_of_a_batch_leads_to_its_pages(request_of: RequestOf, tmp_path: Path) -> None:
    site = write_here(request_of("mixed", "one record", "all good"), tmp_path / "docs")
    index = text_of(tmp_path / "docs" / "index.html")
    for page in site.pages.values():
        assert f'<a href="{page}">' in index
    assert NOT_MET in index
    assert "1 small delivery" in index


def test_pages_fetch_nothing_and_run_nothing(request_of: RequestOf, tmp_path: Path) -> None:
    write_here(request_of("mixed", "one record"), tmp_path / "docs")
    pages = list((tmp_path / "docs").glob("*.html"))
    assert len(pages) == 3
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for forbidden in ("<script", "<link", "<img", "<iframe", "http:", "https:", "onload", "@import"):
            assert forbidden not in text
        assert len(text) < 40_000


def test_text_of_a_supplier_is_never_taken_as_html(request_of: RequestOf, tmp_path: Path) -> None:
    request = request_of("hostile text")
    (delivery,) = request.deliveries
    request = dataclasses.replace(
        request, supplier_name=HOSTILE, deliveries=[dataclasses.replace(delivery, name=f"{HOSTILE}.mrc")]
    )
    (text,) = pages_of(write_here(request, tmp_path / "docs"))
    assert HOSTILE not in text + text_of(tmp_path / "docs" / "index.html")
    # In the title, twice in the heading and in the list; the value in our words, and in those of Great Expectations.
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 6
    assert "&amp;lt;" not in text
    assert "X" * 60 + "..." in text
    assert "X" * 61 not in text


def test_all_failing_values_are_counted_and_not_only_the_first_ones(request_of: RequestOf, tmp_path: Path) -> None:
    pieces = [holding("ZZ")] * 300 + [holding("YY")] * 250 + [holding("")] * 3 + [holding("SOLB")] * 7
    pieces += [holding(f"Q{number}") for number in range(30)]
    (text,) = pages_of(write_here(request_of(pieces), tmp_path / "docs"))
    assert "1.186%: 7 of 590 holdings" in text
    for value, number in (("ZZ", 300), ("YY", 250), ("(empty)", 3), ("Q0", 1), ("(further values)", 13)):
        assert f'<span class="badge">{value}</span> {number}<' in text
    # In the words of Great Expectations too, which by itself counts 20 rows.
    assert "583 unexpected values found." in text
    assert re.search(r">\s*ZZ\s*<.{0,400}?>\s*300\s*<", text[text.index("<details>") :])


def test_what_is_missing_is_called_missing(request_of: RequestOf, tmp_path: Path) -> None:
    (text,) = pages_of(write_here(request_of("no ISBN and no title"), tmp_path / "docs"))
    assert "missing" in text
    assert "nan" not in text


def test_one_page_that_fails_costs_no_other_its_own(request_of: RequestOf, tmp_path: Path) -> None:
    request = request_of("all good", "mixed")
    broken = dataclasses.replace(request.deliveries[0], counts={"bibs": [(["present"], 30)]})
    site = write_here(dataclasses.replace(request, deliveries=[broken, request.deliveries[1]]), tmp_path / "docs")
    assert list(site.pages) == [request.deliveries[1].delivery_id]
    assert len(site.problems) == 1
    why = "the Data Docs page of NORDBOK, all good.mrc, could not be made: IndexError"
    assert site.problems[0].startswith(why)
    assert why in text_of(tmp_path / "docs" / "index.html")


def test_a_child_that_cannot_work_is_a_problem_in_words_and_no_error(request_of: RequestOf, tmp_path: Path) -> None:
    request = request_of("all good")
    (tmp_path / "file").write_text("in the way")
    in_the_way = write_data_docs([request], tmp_path / "file", MADE)
    too_slow = write_data_docs([request], tmp_path, MADE, timeout_seconds=0.05)
    assert [docs.uris for docs in (in_the_way, too_slow)] == [{}, {}]
    assert "file/NORDBOK" in in_the_way.problems[0]
    assert "did not finish within 0.05 s" in too_slow.problems[0]
    assert all(docs.problems[0].endswith("(the load is not affected)") for docs in (in_the_way, too_slow))
    assert (len(in_the_way.problems), len(too_slow.problems)) == (1, 1)


def test_no_request_needs_no_child(tmp_path: Path) -> None:
    assert write_data_docs([], tmp_path / "docs", MADE) == DataDocs()
    assert not (tmp_path / "docs").exists()
