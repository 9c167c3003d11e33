"""The flows that carry out what persons decide, each run by Prefect once: reviews, plans, undo, and the catalogue."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.catalogue_load import catalogue_load
from flows.plan_decide import plan_decide
from flows.revert import revert
from flows.review_deadline import review_deadline
from flows.review_decide import review_decide
from flows.supplier_ingest import supplier_ingest
from schemas.warehouse.core import core_plan, core_review, core_run
from schemas.warehouse.raw import raw_delivery
from tasks.workplace import Workplace
from tests.flows.runs import Ran, run
from tests.warehouse.pipeline import catalogue_content, land, ledger

CATALOGUE = Path(__file__).parents[1] / "data" / "catalogue" / "samkatalogen-01.mrc"
UNION_STAGES = [
    "receive",
    "stage records",
    "load bibs",
    "load holdings",
    "prove conservation",
    "hold absent",
    "settle",
    "summarise",
]

Night = dict[str, Path]


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: the stages of these flows are tried on both engines in tests/warehouse."""
    return sqlite_url


@pytest.fixture
def stocked(home: Workplace) -> Workplace:
    """A home whose warehouse has the part of the union catalogue that the night's files meet."""
    load_union(home, "full")
    return home


def load_union(home: Workplace, mode: str, file: Path = CATALOGUE, **how: bool) -> Ran:
    return run(catalogue_load, [home.zone.adopt(file, "catalogue")], mode, **how)


def ingest(home: Workplace, file: Path) -> Ran:
    return run(supplier_ingest, file.parent.name, [land(home, file.parent.name, file.name, file.read_bytes())])


def open_reviews(home: Workplace) -> list[int]:
    with home.warehouse.read() as connection:
        statement = sa.select(core_review.c.review_id).where(core_review.c.state == "open")
        return list(connection.execute(statement.order_by(core_review.c.review_id)).scalars())


def last_run(home: Workplace, flow: str) -> str:
    with home.warehouse.read() as connection:
        statement = sa.select(core_run.c.state).where(core_run.c.flow == flow)
        return str(connection.execute(statement.order_by(core_run.c.started_at.desc()).limit(1)).scalar_one())


def test_an_export_of_the_union_catalogue_comes_in_as_it_is(home: Workplace) -> None:
    previewed = load_union(home, "full", dry_run=True)
    assert [(each.is_preview, each.bibs["created"]) for each in previewed.value] == [(True, 91)]
    ran = load_union(home, "full")
    (summary,) = ran.value
    assert (summary.state, summary.bibs["read"], summary.bibs["created"]) == ("settled", 91, 91)
    assert summary.holdings["read"] == summary.holdings["created"] == 91
    assert (ran.names("summarise"), ran.flow_run.name) == (UNION_STAGES, "full")
    assert "deliveries-catalogue" in ran.artifacts()


def test_decided_reviews_load_the_bib_and_the_holding_that_waited(stocked: Workplace, night: Night) -> None:
    waiting = ingest(stocked, night["samma-isbn"])
    assert [(each.bibs["review"], each.holdings["waiting"]) for each in waiting.value] == [(5, 5)]
    first, second, *others = open_reviews(stocked)
    ran = run(review_decide, {first: "new", second: "reject", others[0]: "match:999999"}, "Ada Kvist")
    assert ran.names("send notices") == [
        "decide reviews",
        "decide duplicates",
        "prove conservation",
        "notify decided",
        "send worklist",
        "send notices",
    ]
    assert (set(ran.value["done"]), set(ran.value["problems"])) == ({str(first), str(second)}, {str(others[0])})
    assert open_reviews(stocked) == others
    row = ledger(stocked.warehouse, waiting.value[0].delivery_id)
    assert (row.bibs_review, row.bibs_created, row.bibs_rejected) == (3, 1, 1)
    assert (row.holdings_waiting, row.holdings_created, row.holdings_rejected) == (3, 1, 1)
    assert last_run(stocked, "review-decide") == "done"


def test_a_review_past_its_deadline_is_loaded_as_provisional(
    stocked: Workplace, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = ingest(stocked, night["samma-isbn"])
    assert run(review_deadline).value == {"done": {}, "problems": {}}
    monkeypatch.setenv("SAMKAT_TODAY", (stocked.today + timedelta(days=3)).isoformat())
    ran = run(review_deadline)
    delivery_id = waiting.value[0].delivery_id
    assert ran.value["done"] == {f"delivery {delivery_id}": "5 bibs loaded as provisional"}
    assert ran.names("send notices") == [
        "load overdue",
        "prove conservation",
        "notify decided",
        "send worklist",
        "send notices",
    ]
    row = ledger(stocked.warehouse, delivery_id)
    assert (row.bibs_review, row.holdings_waiting, row.holdings_created) == (0, 0, 5)
    assert len(open_reviews(stocked)) == 5


def test_an_approved_hold_lets_the_delivery_go_on_in_the_same_run(home: Workplace, night: Night) -> None:
    held = ingest(home, night["utan-isbn"])
    with home.warehouse.read() as connection:
        plan_hash = connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one()
    ran = run(plan_decide, plan_hash[:8], "approve", "Bo Alm")
    assert ran.value["problems"] == {}
    row = ledger(home.warehouse, held.value[0].delivery_id)
    assert (row.state, row.hold_reason, row.bibs_read, row.bibs_created) == ("settled", None, 24, 24)
    assert ran.flow_run.name == f"approve-{plan_hash[:8]}"
    assert (last_run(home, "plan-decide"), last_run(home, "supplier-ingest")) == ("done", "done")


def test_an_approved_class_of_change_is_applied(stocked: Workplace, night: Night) -> None:
    held = ingest(stocked, night["makuleringar"])
    assert [(each.holdings["waiting"], each.holdings["deleted"]) for each in held.value] == [(25, 0)]
    with stocked.warehouse.read() as connection:
        plan_hash = connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one()
    ran = run(plan_decide, plan_hash, "approve", "Bo Alm", "holding_delete")
    assert ran.names("resubmit") == [
        "decide plan",
        "apply plan",
        "attach collections",
        "apply patron plan",
        "apply held updates",
        "apply account plan",
        "erase approved persons",
        "prove conservation",
        "settle collections",
        "notify decided",
        "notify patron plan",
        "send worklist",
        "send notices",
        "resubmit",
        "resubmit",
    ]
    row = ledger(stocked.warehouse, held.value[0].delivery_id)
    assert (row.holdings_waiting, row.holdings_deleted) == (0, 25)


def test_a_reverted_delivery_leaves_the_catalogue_as_it_was_and_tells_the_libraries(
    stocked: Workplace, night: Night
) -> None:
    before = catalogue_content(stocked.warehouse)
    delivery_id = ingest(stocked, night["dagfil"]).value[0].delivery_id
    assert catalogue_content(stocked.warehouse) != before
    previewed = run(revert, delivery_id, True)
    assert (previewed.value["dry_run"], previewed.names("revert one")) == (True, ["revert one"])
    ran = run(revert, delivery_id)
    assert (ran.value["bibs"], ran.value["holdings"]) == (previewed.value["bibs"], previewed.value["holdings"])
    assert ran.names("send notices") == ["revert one", "prove conservation", "notify reverted", "send notices"]
    assert (catalogue_content(stocked.warehouse), ran.flow_run.name) == (before, f"revert-{delivery_id}")
    again = run(revert, delivery_id)
    assert (again.value["was_reverted"], again.value["bibs"]) == (True, 0)
    with stocked.warehouse.read() as connection:
        states = connection.execute(sa.select(raw_delivery.c.state).order_by(raw_delivery.c.delivery_id)).scalars()
        assert list(states) == ["settled", "reverted"]
