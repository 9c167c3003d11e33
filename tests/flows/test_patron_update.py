"""The flow `patron-update`, and the decision on what it holds, against a real Prefect server."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.orchestration import get_client

from flows.patron_update import patron_update
from flows.plan_decide import plan_decide
from tasks.patrons.instant import carry_out, instant_of
from tasks.patrons.instant_reading import addressed_id, read_body
from tasks.patrons.receipts import Asked
from tasks.workplace import Workplace
from tests.flows.runs import run


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: what the transactions do is tried on both engines in tests/warehouse."""
    return sqlite_url


def put(home: Workplace, number: int) -> str:
    """A new student, as the service would make one; the state of the receipt."""
    instant = instant_of(home.warehouse, home.register, home.today, home.patron_salt)
    source = instant.sources["VESTSTUD"]
    who = f"hemlig{number}@vestmark.example"
    body = json.dumps({"last_name": "Hemlig", "user_group": "student"}).encode()
    person = read_body(body, "json", "PUT", source, addressed_id(source, None, who))
    asked = Asked("VEST", "VESTSTUD", "PUT", person, 1, f"k{number}", hashlib.sha256(who.encode()).digest())
    return carry_out(instant, asked, home.now).state


def rows(home: Workplace, sql: str) -> list[tuple[Any, ...]]:
    with home.warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]


def artifacts() -> str:
    with get_client(sync_client=True) as client:
        return json.dumps([each.model_dump(mode="json") for each in client.read_artifacts()])


def test_a_minute_of_updates_is_reported_and_what_is_held_is_approved_by_its_hash(
    home: Workplace, tmp_path: Path
) -> None:
    states = [put(home, number) for number in range(12)]
    assert states == ["done"] * 10 + ["held"] * 2
    reported = run(patron_update)
    assert reported.flow_run.state_name == "Held"
    assert "2 persons would be created by instant updates" in str(reported.flow_run.state.message)
    said = artifacts()
    assert "| VEST | VESTSTUD | 10 | 0 | 0 | 2 | 0 |" in said
    assert "hemlig" not in said.lower()
    ((plan_hash, planned),) = rows(home, "SELECT plan_hash, planned FROM core_plan WHERE flow = 'patron-update'")
    assert planned == 2
    assert run(patron_update).flow_run.state_name == "Completed"
    decided = run(plan_decide, plan_hash, "approve", "Bo Alm")
    assert decided.flow_run.state_name == "Completed"
    assert rows(home, "SELECT count(*) FROM core_patron") == [(12,)]
    assert rows(home, "SELECT DISTINCT state FROM raw_patron_receipt") == [("done",)]
    assert rows(home, "SELECT state FROM core_plan WHERE flow = 'patron-update'") == [("applied",)]
