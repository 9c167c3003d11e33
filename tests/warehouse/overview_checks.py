"""The page of the night held against the warehouse that it is about, and against what a page must never hold."""

from __future__ import annotations

import re
from typing import Any

from lxml import html

from tasks.quality.stages import write_overview
from tasks.workplace import Workplace

COUNTED = ("bibs_read", "bibs_created", "bibs_replaced", "bibs_kept", "bibs_review", "bibs_rejected")
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


def page_of(place: Workplace) -> str:
    """The page as the stage leaves it in the landing zone; the dated one and the latest are the same."""
    write_overview.fn()
    dated, latest = (
        place.zone.open(place.zone.uri_for(f"reports/overview/{name}.html")).read().decode()
        for name in (str(place.today), "latest")
    )
    assert dated == latest
    return dated


def assert_the_page_tells_the_night(place: Workplace) -> None:
    """Figures by supplier, what waits and what was not accepted are those of the views; nobody is named."""
    page = page_of(place)
    tree = html.fromstring(page)
    with place.warehouse.read() as connection:

        def rows(statement: str) -> list[Any]:
            return list(connection.exec_driver_sql(statement))

        sums = ", ".join(f"SUM({name})" for name in COUNTED)
        expected = {
            row[0]: [str(each) for each in row[1:]]
            for row in rows(
                f"SELECT sender, COUNT(*), {sums} FROM out_delivery WHERE kind = 'supplier' GROUP BY sender"
            )
        }
        reviews = rows("SELECT COUNT(*) FROM out_review WHERE state = 'open'")[0][0]
        hashes = {row[0][:8] for row in rows("SELECT plan_hash FROM out_plan WHERE state = 'held'")}
        rejected = rows(
            "SELECT COUNT(*) FROM out_record r JOIN out_delivery d ON d.delivery_id = r.delivery_id"
            " WHERE d.kind = 'supplier' AND (r.outcome IN ('rejected', 'refused') OR r.record_type = 'unreadable')"
        )[0][0]
        titles = {row[0] for row in rows("SELECT title FROM out_bib") if len(row[0]) > 15}
    told = {
        line.xpath("string(th)"): [cell.text_content() for cell in line.xpath("td")]
        for line in tree.xpath("//section[@aria-labelledby='suppliers']//tbody/tr")
    }
    assert {sender: [cells[0], *cells[3:9]] for sender, cells in told.items()} == expected
    text = tree.text_content()
    assert f"{reviews} bibs wait for a cataloguer" in text
    assert hashes == set(re.findall(r"samkat plans show ([0-9a-f]{8})", text))
    assert sum(int(each) for each in tree.xpath("//section[@aria-labelledby='rejects']//td[last()]/text()")) == rejected
    assert [title for title in titles if title in text] == []
    assert MAIL.findall(text) == []
