"""`samkat status` over a warehouse in which a night went partly wrong, on both engines."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.console import Console

from deployments.cli import status
from deployments.cli.output import plain
from schemas.warehouse.core import core_plan, core_review, core_run
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.workplace import Workplace

TODAY = "2025-03-14"
PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")


@pytest.fixture
def night(place: Workplace) -> Workplace:
    """A failed run, a held delivery with its plan, a late review; nothing but NORDBOK came."""
    at = datetime(2025, 3, 14, 1, tzinfo=UTC)
    shared = {"run_id": "2", "flow": "supplier-ingest", "started_at": at}
    with place.warehouse.write() as connection:
        connection.execute(
            sa.insert(core_run),
            [
                {**shared, "run_id": "1", "subject": "NORDBOK", "state": "held",
                 "summary": json.dumps({"deliveries": 1, "bibs read": 5, "bibs created": 5})},
                {**shared, "subject": "MEDIAT", "state": "failed", "summary": '{"error": "the store is away"}'},
                {**shared, "run_id": "3", "subject": "old", "state": "failed", "summary": "{}",
                 "started_at": at - timedelta(days=3)},
            ],
        )  # fmt: skip
        connection.execute(
            sa.insert(raw_delivery).values(
                delivery_id=1, kind="supplier", sender="NORDBOK", sha256="ab", name="day.mrc", uri="u", bytes=1,
                state="held", hold_reason="too few ISBNs", received_at=at, business_date=at.date(), bibs_read=5,
                bibs_created=5, records_read=5, docs_uri="file:///docs/1.html",
            )
        )  # fmt: skip
        connection.execute(sa.insert(raw_delivery_name).values(delivery_id=1, name="day.mrc", uri="u", seen_at=at))
        connection.execute(
            sa.insert(core_plan).values(
                {
                    "plan_id": 1, "plan_hash": "abc", "flow": "f", "scope": "s", "class": "c", "planned": 1,
                    "population": 1, "limit": 0.0, "state": "held", "reason": "r", "created_at": at,
                }
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(core_review).values(
                review_id=1, delivery_id=1, position=1, state="open", rule="ambiguous", reason="two",
                owner="a@x.example", opened_at=at, due_on=at.date() - timedelta(days=1),
            )
        )  # fmt: skip
    return place


def looked(place: Workplace) -> status.Status:
    with place.warehouse.read() as connection:
        return status.look(connection, place.settings, newest=10)


def shown(place: Workplace) -> list[str]:
    console = Console(file=io.StringIO(), width=160, markup=False, highlight=False)
    status._render(console, place.settings, looked(place), ["Prefect server: not running"])
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_the_night_is_told_first_then_what_needs_a_person_with_its_reason(night: Workplace) -> None:
    lines = shown(night)
    assert "Last night, since 2025-03-13 12:00: 1 failed, 1 held" in lines
    assert "NORDBOK 1 1 5 5" in lines
    for expected in (
        "runs that failed 1 2025-03-14 02:00 see below, then run them again",
        "feeds not as expected 4 see below, then ask the sender",
        "changes held by a guard 1 2025-03-14 02:00 samkat plans list",
        "bibs in review 1 2025-03-14 02:00 1 samkat review list",
        "! 2025-03-14 02:00 supplier-ingest MEDIAT failed: the store is away",
        "! delivery 1: too few ISBNs",
        f"Data Docs of each: {night.settings.data_docs_index}",
    ):
        assert expected in lines
    feeds = [line.partition(":")[0] for line in lines if line.startswith("! feed ")]
    assert feeds == [f"! feed {each} is missing" for each in ("BOKRING", "MEDIAT", "FORHAND", "EBOKEN")]


def test_a_run_that_took_deliveries_is_told_in_short_and_a_failed_one_by_its_error(night: Workplace) -> None:
    lines = shown(night)
    assert any(line.endswith("NORDBOK held deliveries 1, bibs 5") for line in lines)
    assert any(line.endswith("MEDIAT failed the store is away") for line in lines)


def test_a_home_in_which_nothing_happened_has_nothing_to_repair_but_its_feeds(place: Workplace) -> None:
    lines = shown(place)
    assert "Last night, since 2025-03-13 12:00: nothing ran; no supplier delivered anything." in lines
    assert "No delivery has come yet." in lines
    assert "No flow has run yet." in lines
    assert sum("nothing has ever come" in line for line in lines) == 5


def documented() -> list[str]:
    """The keys that the page names for `--json`."""
    table = PAGE.split("| key of `--json` | what |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    first = [line.strip("| ").split(" | ")[0] for line in table.splitlines()]
    return [key.strip("` ") for cell in first for key in cell.split(", ")]


def test_the_json_document_has_the_keys_that_the_page_names(night: Workplace) -> None:
    found: dict[str, Any] = plain(status.document(looked(night), night.settings, {"state": "stopped"}))
    json.dumps(found)
    assert [key for key in documented() if _value(found, key) is None] == []
    assert set(found) == {key.partition(".")[0] for key in documented()}
    assert set(found["overview"]) == {key.partition(".")[2] for key in documented() if key.startswith("overview.")}
    assert found["night"]["runs_by_state"] == {"failed": 1, "held": 1}
    assert found["night"]["suppliers"][0]["counts"]["bibs_created"] == 5
    rules = {each["sender"]: each["rule"] for each in found["feeds"]}
    assert rules == {"BOKRING": "feed_missing", "NORDBOK": "feed_as_expected", "MEDIAT": "feed_missing",
                     "FORHAND": "feed_missing", "EBOKEN": "feed_missing"}  # fmt: skip
    assert found["overview"]["newest"][0]["docs_uri"] == "file:///docs/1.html"
    assert all(f"`{key}`" in PAGE for key in (*found["feeds"][0], *found["night"]) if key != "suppliers")


def _value(found: Any, key: str) -> Any:
    for step in key.split("."):
        found = found.get(step)
    return found
