"""The page of a sweep: what was done and what is held, and what expires, drawn for the libraries with most."""

from __future__ import annotations

import base64
import re
from datetime import date

from schemas.summaries import AccountSummary
from tasks.accounts.summary import MOST_CHARTS, as_markdown

DAY = date(2026, 11, 16)


def test_each_library_has_a_chart_of_twelve_months_and_a_row_of_the_table() -> None:
    chart = {"SOLB": [0, 3, 0, 0, 12, 0, 0, 0, 0, 0, 0, 2], "VEST": [0, 1] + [0] * 10}
    page = as_markdown(
        [AccountSummary("alma", DAY, {"expire": 2}, {"deactivate": "20 of 35 | many"})], {"alma": chart}, DAY
    )
    assert "| alma | expire 2 | 20 of 35 / many |" in page
    drawn = [base64.b64decode(each).decode() for each in re.findall(r"base64,([A-Za-z0-9+/=]+)\)", page)]
    assert len(drawn) == 2
    months = [*re.findall(r">(\d\d(?:/\d\d)?)</text>", drawn[0])]
    assert [each for each in months if "/" in each] == ["11/26", "01/27"]
    assert "Accounts of SOLB that expire, by month: 17 in all" in page
    assert "| VEST |  | 1 |  |" in page


def test_of_many_libraries_those_with_most_are_drawn_and_all_are_in_the_table() -> None:
    chart = {f"L{number:02}": [number] + [0] * 11 for number in range(1, 21)}
    page = as_markdown([AccountSummary("alma", DAY)], {"alma": chart}, DAY)
    assert re.findall(r"^### (\w+)", page, re.MULTILINE) == [
        f"L{number:02}" for number in range(20, 20 - MOST_CHARTS, -1)
    ]
    assert "| L01 | 1 |" in page
    assert len(page) < 400_000


def test_where_nothing_expires_the_page_says_so() -> None:
    assert as_markdown([AccountSummary("alma", DAY)], {"alma": {}}, DAY).endswith("Nothing.")
