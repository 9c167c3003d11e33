"""The page of the night: one file that stands alone, that everybody can read, whatever stands in the warehouse."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from lxml import etree, html

from schemas.register.rhythm import Rhythm
from tasks.landing.rhythm import Came, Feed, judge, turns
from tasks.quality.overview_figures import (
    COUNTS,
    DeliveryOfNight,
    Figures,
    HeldPlan,
    NightFigures,
    RejectLine,
    SenderNight,
)
from tasks.quality.overview_page import Setting, as_html, as_markdown
from tasks.warehouse.nights import FailedRun, NightRuns, nights
from tasks.warehouse.overview import Waiting

ZONE = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
TODAY = date(2026, 3, 3)
HOSTILE = '<script src="https://x.example/">"|`*[a](b)'
SETTING = Setting("Samkatalogen", ZONE, NOW, "file:///srv/data-docs/index.html", "../worklist/worklist.html")
FEED = Feed("supplier", "MEDIAT", "Medietjänst", Rhythm(every="day", by=time(6)), date(2020, 1, 1))


def counts(**some: int) -> dict[str, int]:
    return dict.fromkeys(COUNTS, 0) | some


def quiet() -> Figures:
    """A night in which nothing happened."""
    some = nights(TODAY, ZONE, NOW, 30)
    nothing = Waiting(0, None)
    series = tuple(NightFigures(each.on, 0, {}, 0) for each in some)
    return Figures(some[-1], NightRuns(some[-1].begins, 0, {}, {}, ()), (), series, (), (), (), nothing, nothing)


def busy(text: str = "NORDBOK") -> Figures:
    """A night with something in every part; `text` wherever text comes from outside."""
    calm = quiet()
    last_turns = turns(FEED, ZONE, NOW)
    bibs = counts(bibs_read=10, bibs_created=4, bibs_kept=5, bibs_review=1)
    return replace(
        calm,
        runs=NightRuns(
            calm.night.begins, 3, {"done": 2, "failed": 1}, {"supplier-ingest": {"done": 2, "failed": 1}},
            (FailedRun("supplier-ingest", text, NOW, text),),
        ),
        senders=(SenderNight(text, 2, 1, 0, bibs),),
        series=(*calm.series[:-1], NightFigures(TODAY, 2, bibs, 7)),
        rejects=(RejectLine("holding", "refused", "unknown_sigel", 1234),),
        deliveries=(DeliveryOfNight(5, text, text, "held", text, "file:///srv/data-docs/5.html"),),
        plans=(HeldPlan("0123456789ab", "supplier-ingest", text, "bib_replace", text, NOW),),
        reviews=Waiting(7, NOW - timedelta(days=2), 3),
        notices=Waiting(2, NOW, 1),
        feeds=(judge(FEED, last_turns, [Came()] * len(last_turns), None),),
    )  # fmt: skip


def pictures(tree: html.HtmlElement) -> list[etree._Element]:
    return [etree.fromstring(base64.b64decode(src.partition("base64,")[2])) for src in tree.xpath("//img/@src")]


@pytest.mark.parametrize("figures", [quiet(), busy(), busy(HOSTILE)], ids=["quiet", "busy", "hostile"])
def test_the_page_stands_alone(figures: Figures) -> None:
    tree = html.fromstring(as_html(figures, SETTING))
    assert tree.xpath("//script | //link | //iframe | //object | //form") == []
    assert [src for src in tree.xpath("//@src") if not src.startswith("data:image/svg+xml;base64,")] == []
    assert [each for each in tree.xpath("//@href") if each.startswith(("http", "//"))] == []
    assert not re.search(r"@import|url\(", "".join(tree.xpath("//style/text()")))
    for picture in pictures(tree):
        assert picture.xpath("//@*[local-name() = 'href' and starts-with(., 'http')]") == []
        assert picture.xpath("//*[local-name() = 'script']/@src") == []


def test_everybody_can_read_it() -> None:
    tree = html.fromstring(as_html(busy(), SETTING))
    assert tree.get("lang") == "en"
    assert len(tree.xpath("//h1")) == 1
    assert tree.xpath("//meta[@name='viewport']/@content") == ["width=device-width, initial-scale=1"]
    assert len(tree.xpath("//img")) == 4
    assert all(len(alt) > 10 for alt in tree.xpath("//img/@alt"))
    for region in tree.xpath("//section"):
        assert tree.xpath(f"//*[@id='{region.get('aria-labelledby')}']")
    assert [table for table in tree.xpath("//table") if not table.xpath(".//th[@scope='col']")] == []


def test_what_comes_from_outside_is_never_markup() -> None:
    page, text = as_html(busy(HOSTILE), SETTING), as_markdown(busy(HOSTILE), SETTING, "file:///page.html")
    assert HOSTILE in html.fromstring(page).text_content()
    assert "<script" not in page
    needing = text.partition("## Needs a person")[2].partition("## ")[0]
    assert "<script" not in needing.replace("\\<script", "")


def test_what_needs_a_person_comes_first_with_what_to_do() -> None:
    tree = html.fromstring(as_html(busy(), SETTING))
    needed = [each.text_content().split("\n")[0] for each in tree.xpath("//ul[@class='needs']/li")]
    assert [each.partition(":")[0] for each in needed] == [
        "supplier-ingest NORDBOK failedNORDBOK",
        "Feed MEDIAT is missingexpected by 2026-03-02 06",
        "Waits for approval",
        "7 bibs wait for a cataloguer3 past their day",
        "1 e-mail could not be sentsee out_notice",
    ]
    assert tree.xpath("//ul[@class='needs']//code/text()") == ["samkat plans show 01234567", "samkat review list"]
    assert tree.xpath("//ul[@class='needs']//a/@href") == ["../worklist/worklist.html"]
    looks = [" ".join(each.text_content().split()) for each in tree.xpath("//ul[@class='tiles']/li[@class='look']")]
    assert looks == [
        "8 wait for a person ⚠ 7 reviews, 1 plan", "3 runs ⚠ 1 failed", "1 feeds due ⚠ 1 not as expected",
    ]  # fmt: skip


def test_a_quiet_night_says_so() -> None:
    page = as_html(quiet(), Setting("Samkatalogen", ZONE, NOW))
    text = " ".join(html.fromstring(page).text_content().split())
    for said in ("No supplier delivered anything.", "Every record was accepted.", "Nothing ran.", "nothing was due"):
        assert said in text
    assert "Needs a person" not in text
    assert "⚠" not in text


def test_deliveries_lead_to_their_data_docs() -> None:
    tree = html.fromstring(as_html(busy(), SETTING))
    links = tree.xpath("//section[@aria-labelledby='files']//a/@href")
    assert links == ["file:///srv/data-docs/index.html", "file:///srv/data-docs/5.html"]


def test_the_charts_show_the_figures_and_the_words_beside_them_say_the_same() -> None:
    tree = html.fromstring(as_html(busy(), SETTING))
    by_supplier, match_rate, _, rejects = pictures(tree)
    assert {"NORDBOK", "created", "kept", "review"} <= set(by_supplier.xpath("//*/text()"))
    assert {"replaced", "rejected"}.isdisjoint(by_supplier.xpath("//*/text()"))
    assert {"matched", "in review", "3 Mar", "100%"} <= set(match_rate.xpath("//*/text()"))
    assert {"unknown sigel", "1,234"} <= set(rejects.xpath("//*/text()"))
    assert "Matched: 50% in the last night; 50% to 50% in 1 night with bibs." in tree.xpath("//img/@alt")


def test_the_artifact_says_the_same_in_short() -> None:
    text = as_markdown(busy(), SETTING, "file:///srv/landing/reports/overview/2026-03-03.html")
    assert "# The night to Tuesday 3 March 2026" in text
    assert "* **3** runs: 1 failed" in text
    assert "| NORDBOK | 2 | 1 | 0 | 10 | 4 | 0 | 5 | 1 | 0 |" in text
    assert "](data:image/svg+xml;base64," in text
    assert len(text) < 100_000
