"""`data-docs` run by Prefect, and the last step of an ingest that starts it in the background."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import sqlalchemy as sa

from flows.data_docs import data_docs
from flows.supplier_ingest import supplier_ingest
from schemas.warehouse.core import core_run
from schemas.warehouse.raw import raw_delivery
from tasks.quality.stages import BUSY
from tasks.workplace import Workplace
from tests.flows.runs import Ran, run
from tests.warehouse.pipeline import land

LIMIT_SECONDS = 120.0

Night = dict[str, Path]


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: tests/warehouse/test_quality_docs_backlog.py has both engines."""
    return sqlite_url


def ingest(home: Workplace, file: Path) -> Ran:
    uri = land(home, file.parent.name, file.name, file.read_bytes())
    return run(supplier_ingest, file.parent.name, [uri])


def pages(home: Workplace) -> list[Path | None]:
    with home.warehouse.read() as connection:
        uris = connection.execute(sa.select(raw_delivery.c.docs_uri).order_by(raw_delivery.c.delivery_id)).scalars()
        return [Path(unquote(urlsplit(uri).path)) if uri else None for uri in uris]


def test_a_run_makes_the_pages_and_its_totals_are_recorded(home: Workplace, night: Night) -> None:
    assert "start data docs: nothing to do in " in ingest(home, night["utan-isbn"]).log("start data docs:")
    assert pages(home) == [None]
    ran = run(data_docs)
    assert (ran.flow_run.state_name, ran.names("write data docs")) == ("Completed", ["write data docs"])
    assert {name: number for name, number in ran.value.items() if number} == {"deliveries": 1, "pages": 1}
    (page,) = pages(home)
    assert page is not None
    assert "Not met: Bibs have an ISBN" in page.read_text(encoding="utf-8")
    with home.warehouse.read() as connection:
        recorded = connection.execute(sa.select(core_run).where(core_run.c.flow == "data-docs")).one()
    assert (recorded.run_id, recorded.state, '"pages":1' in recorded.summary) == (str(ran.flow_run.id), "done", True)


@pytest.mark.integration
def test_an_ingest_ends_before_the_pages_are_made_in_the_background(
    home: Workplace, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMKAT_DATA_DOCS", "background")
    first = ingest(home, night["utan-isbn"])
    assert first.flow_run.state_name == "Held"
    assert "start data docs: started in the background 1 in " in first.log("start data docs:")
    assert pages(home) == [None]
    second = ingest(home, night["dagfil"])
    assert second.flow_run.state_name == "Completed"
    deadline = time.monotonic() + LIMIT_SECONDS
    while None in pages(home) and time.monotonic() < deadline:
        time.sleep(0.5)
    started = sum("started in the background" in each.log("start data docs:") for each in (first, second))
    while _ended(home) < started and time.monotonic() < deadline:
        time.sleep(0.5)
    log = (home.settings.home / "logs" / "data-docs.log").read_text(encoding="utf-8")
    assert [each is not None and each.is_file() for each in pages(home)] == [True, True], log
    assert "write data docs: deliveries " in log
    assert _ended(home) == started, log


def _ended(home: Workplace) -> int:
    """How many processes have made their pages; none may be left when the test's folder goes.

    One that found another at work waits and runs once more, so its first run is not counted.
    """
    with home.warehouse.read() as connection:
        return connection.execute(
            sa.select(sa.func.count()).where(
                core_run.c.flow == "data-docs",
                core_run.c.state == "done",
                core_run.c.summary.not_like(f"%{BUSY}%"),
            )
        ).scalar_one()
