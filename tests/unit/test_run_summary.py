"""The artifact of a run: what became of its deliveries, with a link to the Data Docs of each."""

from __future__ import annotations

from schemas.summaries import DeliverySummary
from tasks.quality.summary import as_markdown

INDEX = "file:///srv/data-docs/index.html"
DAY = DeliverySummary(7, "NORDBOK", "day.mrc", "settled", bibs={"read": 2, "created": 2}, docs_uri="file:///srv/7.html")


def test_a_delivery_leads_to_its_data_docs_and_the_run_to_all_of_them() -> None:
    text = as_markdown("NORDBOK", [DAY], INDEX)
    assert "| 7 | [day.mrc](file:///srv/7.html) | settled | 2 | 2 |" in text
    assert f"[Data Docs]({INDEX}) of the deliveries" in text


def test_a_delivery_without_a_page_is_named_all_the_same() -> None:
    text = as_markdown("NORDBOK", [DeliverySummary(8, "NORDBOK", "b.mrc", "rejected", reason="no MARC")])
    assert "| 8 | b.mrc | rejected |" in text
    assert "* b.mrc: no MARC" in text
    assert "Data Docs" not in text


def test_a_name_from_outside_ends_neither_its_cell_nor_its_link() -> None:
    text = as_markdown("NORDBOK", [DeliverySummary(9, "NORDBOK", "a|b](x).mrc", "settled", docs_uri="file:///9.html")])
    assert "| 9 | [a\\|b\\](x).mrc](file:///9.html) | settled |" in text
