"""The flow `tell-operator`: a run that failed or is held is told once, with the reason and the command that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.catalogue_load import catalogue_load
from flows.supplier_ingest import supplier_ingest
from flows.tell_operator import tell_operator
from schemas.warehouse.core import core_notice
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.flows.test_decisions import CATALOGUE
from tests.warehouse.pipeline import land

Night = dict[str, Path]
OPERATOR = "drift@samkatalogen.example"


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: the outbox is tried on both engines in tests/warehouse."""
    return sqlite_url


def notices(home: Workplace, kind: str) -> list[sa.Row[Any]]:
    with home.warehouse.read() as connection:
        wanted = sa.select(core_notice).where(core_notice.c.kind == kind).order_by(core_notice.c.notice_id)
        return list(connection.execute(wanted))


def test_a_failed_run_is_told_once_with_the_reason_and_a_link(home: Workplace, night: Night) -> None:
    failed = run(supplier_ingest, "NORBOK", [])
    assert failed.flow_run.state_name == "Failed"
    flow_run_id = str(failed.flow_run.id)
    first = run(tell_operator, flow_run_id)
    again = run(tell_operator, flow_run_id)
    assert (first.value, again.value) == ({"failed": 1}, {})
    (mail,) = notices(home, "failed")
    assert (mail.recipient, mail.state, mail.subject) == (
        OPERATOR,
        "sent",
        "En körning har misslyckats: supplier-ingest (NORBOK)",
    )
    assert "no supplier has the code 'NORBOK'" in mail.body_text
    assert f"/runs/flow-run/{flow_run_id}" in mail.body_text
    assert '<a href="http' in mail.body_html
    assert len([path for path in home.settings.outbox.iterdir() if "-failed-" in path.name]) == 1


def test_a_hold_that_its_run_has_told_is_not_told_again_one_that_was_not_is_told(home: Workplace, night: Night) -> None:
    file = night["utan-isbn"]
    held = run(supplier_ingest, "FORHAND", [land(home, "FORHAND", file.name, file.read_bytes())])
    (mail,) = notices(home, "held")
    assert f"/runs/flow-run/{held.flow_run.id}" in mail.body_text
    assert run(tell_operator, str(held.flow_run.id)).value == {}
    with home.warehouse.write() as connection:
        connection.execute(sa.delete(core_notice).where(core_notice.c.kind == "held"))
    assert run(tell_operator, str(held.flow_run.id)).value == {"held": 1}
    (mail,) = notices(home, "held")
    assert f"/runs/flow-run/{held.flow_run.id}" in mail.body_text


def test_a_run_that_ended_well_and_one_that_nobody_knows_are_not_told(home: Workplace, night: Night) -> None:
    good = run(catalogue_load, [home.zone.adopt(CATALOGUE, "catalogue")], "delta")
    assert run(tell_operator, str(good.flow_run.id)).value == {"passed": 1}
    assert run(tell_operator, "00000000-0000-4000-8000-000000000000").value == {"passed": 1}
    assert notices(home, "failed") == []
