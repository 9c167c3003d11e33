"""One run a supplier at a time, as the flows keep it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.supplier_ingest import supplier_ingest
from schemas.warehouse.core import core_run
from schemas.warehouse.raw import raw_delivery
from tasks.warehouse.turns import turn
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.pipeline import land


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: that the engines agree about turns is shown in tests/warehouse."""
    return sqlite_url


def test_a_run_that_finds_another_one_at_work_passes_without_effect(home: Workplace, night: dict[str, Path]) -> None:
    file = night["BOKRING25031400001"]
    uri = land(home, "BOKRING", file.name, file.read_bytes())
    with turn(home.warehouse, "supplier:BOKRING", "another run"):
        passed = run(supplier_ingest, "BOKRING", [uri])
    assert (passed.flow_run.state_name, passed.value) == ("Passed", None)
    assert passed.flow_run.state is not None
    assert "run another run is at supplier:BOKRING" in (passed.flow_run.state.message or "")
    with home.warehouse.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(raw_delivery)).scalar() == 0
        assert connection.execute(sa.select(core_run.c.state)).scalars().all() == ["done"]
    assert home.zone.exists(uri)
    follows = run(supplier_ingest, "BOKRING", [uri])
    assert [each.state for each in follows.value] == ["settled"]
