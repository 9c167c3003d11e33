"""`feed-watch` and `nightly-overview` run by Prefect: their stages, what they leave, and what they tell whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.feed_watch import feed_watch
from flows.nightly_overview import nightly_overview
from flows.supplier_ingest import supplier_ingest
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.pipeline import land

Night = dict[str, Path]


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: tests/warehouse has both engines."""
    return sqlite_url


@pytest.fixture
def home(home: Workplace, night: Night) -> Workplace:
    """NORDBOK has delivered; nobody else has."""
    file = night["dagfil"]
    run(supplier_ingest, "NORDBOK", [land(home, "NORDBOK", file.name, file.read_bytes())])
    return home


def mails(home: Workplace) -> list[str]:
    return sorted(path.name for path in home.settings.outbox.glob("*-feeds-*.eml"))


def test_a_feed_that_did_not_come_is_told_once_a_day(home: Workplace) -> None:
    ran = run(feed_watch)
    assert ran.names("send notices") == ["check feeds", "notify feeds", "send notices"]
    assert ran.value == {"feeds": 5, "feed missing": 4, "feed as expected": 1}
    table = ran.artifacts()["feeds"]
    assert "| BOKRING | **look** | expected by 2025-03-13 23:00 and not there" in table
    assert "| NORDBOK | as expected |" in table
    (told,) = mails(home)
    run(feed_watch)
    assert mails(home) == [told]


def test_the_page_of_the_night_lies_in_the_landing_zone_and_in_short_with_the_run(home: Workplace) -> None:
    ran = run(nightly_overview)
    assert ran.names("remove old files") == ["write overview", "remove old files"]
    folder = Path(home.settings.landing_url) / "reports" / "overview"
    assert sorted(path.name for path in folder.iterdir()) == ["2025-03-14.html", "latest.html"]
    page = (folder / "latest.html").read_text("utf-8")
    assert "NORDBOK" in page
    assert "Feed BOKRING is missing" in page
    artifact = ran.artifacts()["overview"]
    assert (folder / "2025-03-14.html").as_uri() in artifact
    assert "**Feed BOKRING is missing**" in artifact
    assert ran.value["feeds not as expected"] == 4
