"""What the command line says about Data Docs: where they are, where they will be, and how to get them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console

from config.settings import Settings
from deployments.cli.data_docs import in_words
from deployments.cli.deliveries import Told, render_deliveries
from tasks.quality.stages import BUSY
from tasks.warehouse.overview import DeliveryLine

AT = datetime(2025, 3, 14, 18, 0, tzinfo=UTC)
COUNTS = dict.fromkeys(
    (
        "records_unreadable",
        *(f"bibs_{each}" for each in ("read", "created", "replaced", "kept", "review", "rejected")),
        *(
            f"holdings_{each}"
            for each in ("read", "created", "updated", "unchanged", "deleted", "waiting", "refused", "rejected")
        ),
    ),
    0,
)


def delivery(docs_uri: str | None, **values: Any) -> DeliveryLine:
    usual: dict[str, Any] = {"kind": "supplier", "sender": "NORDBOK", "state": "settled", "is_preview": False}
    return DeliveryLine(
        delivery_id=1, name="day.mrc", received_at=AT, finished_at=AT, reverted_at=None, hold_reason=None, uri="",
        docs_uri=docs_uri, flow_run_id=None, counts=COUNTS, **usual | values,
    )  # fmt: skip


def said(mode: Literal["background", "wait", "off"], *deliveries: DeliveryLine) -> list[str]:
    """The lines about Data Docs below the tables of an ingest."""
    console = Console(width=200)
    settings = Settings(home=Path("/srv/samkat"), data_docs_mode=mode)
    with console.capture() as captured:
        render_deliveries(console, Told(deliveries, ()), settings, None)
    return [line for line in captured.get().splitlines() if line.startswith("Data docs")]


def test_pages_that_are_there_are_named_each_once() -> None:
    one, other = "file:///srv/samkat/data-docs/NORDBOK/a/1.html", "file:///srv/samkat/data-docs/NORDBOK/a/2.html"
    assert said("wait", delivery(other), delivery(one), delivery(one)) == [f"Data docs: {one}", f"Data docs: {other}"]


def test_many_pages_are_found_from_the_one_that_leads_to_all() -> None:
    many = [delivery(f"file:///srv/samkat/data-docs/NORDBOK/a/{number}.html") for number in range(4)]
    assert said("wait", *many) == ["Data docs: file:///srv/samkat/data-docs/index.html"]


@pytest.mark.parametrize("state", ["settled", "held"])
def test_pages_that_are_still_made_are_announced(state: str) -> None:
    lines = said("background", delivery(None, state=state))
    assert lines == ["Data docs: in a moment, see file:///srv/samkat/data-docs/index.html"]
    assert said("off", delivery(None, state=state)) == ["Data docs: `samkat data-docs` makes them"]


def test_nothing_is_announced_for_what_is_never_checked() -> None:
    assert said("background", delivery(None, kind="catalogue"), delivery(None, state="rejected")) == []


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"deliveries": 51, "pages": 9, "problems": 0}, "Data docs: deliveries 51, pages 9"),
        ({"deliveries": 0, "problems": 0}, "Data docs: every delivery that was checked has its page"),
        (
            {BUSY: 1},
            "Another process makes the Data Docs already; `samkat data-docs` later makes what it leaves.",
        ),
    ],
)
def test_the_command_says_what_it_made(made: dict[str, int], words: str) -> None:
    assert in_words(made) == words
