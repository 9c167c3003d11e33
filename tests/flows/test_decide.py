"""The flow `decide`: its form is filled in as Prefect's UI does it, while the run is paused on a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterState
from prefect.client.schemas.filters import FlowRunFilterStateName as StateName
from prefect.client.schemas.objects import FlowRun

from flows.decide import decide
from flows.supplier_ingest import supplier_ingest
from schemas.warehouse.core import core_plan, core_review
from tasks.plans.store import approve
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.flows.test_decisions import load_union
from tests.warehouse.pipeline import land, ledger

Night = dict[str, Path]
Answers = dict[str, Any]
Respond = Callable[[dict[str, Any], str], Answers]
"""From the properties of the form and the words above it to what a person enters."""
LIMIT_SECONDS = 60


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: what decisions do is tried on both engines in tests/warehouse."""
    return sqlite_url


def ingest(home: Workplace, file: Path) -> int:
    ran = run(supplier_ingest, "NORDBOK" if "NORDBOK" in file.name else "FORHAND", [adopt(home, file)])
    return int(ran.value[0].delivery_id)


def adopt(home: Workplace, file: Path) -> str:
    return land(home, file.name.split("_")[0], file.name, file.read_bytes())


def plan_of(home: Workplace) -> Any:
    with home.warehouse.read() as connection:
        return connection.execute(sa.select(core_plan)).one()


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused run looks for the answer more often than every two seconds."""
    monkeypatch.setattr("flows.decide.POLL_SECONDS", 0.2)


@contextmanager
def person(*responses: Respond) -> Iterator[list[str]]:
    """Somebody who fills in each form as it comes; yields the words that stood above the forms."""
    read: list[str] = []
    stop = threading.Event()

    def work() -> None:
        with get_client(sync_client=True) as client:
            for respond in responses:
                paused = _next_paused(client, stop)
                if paused is None:
                    return
                assert paused.state is not None
                keys = paused.state.state_details.run_input_keyset or {}
                schema = _input(client, paused, keys["schema"])
                words = _input(client, paused, keys["description"])
                read.append(words)
                client.resume_flow_run(paused.id, run_input=respond(schema["properties"], words))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield read
    finally:
        stop.set()
        thread.join(LIMIT_SECONDS)


def _next_paused(client: SyncPrefectClient, stop: threading.Event) -> FlowRun | None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["decide"])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(name=StateName(any_=["Paused"]))),
        )
        for paused in found:
            assert paused.state is not None
            if _input(client, paused, (paused.state.state_details.run_input_keyset or {})["description"]):
                return paused
        time.sleep(0.1)
    return None


def _input(client: SyncPrefectClient, flow_run: FlowRun, key: str) -> Any:
    """What the run keeps under a key; None where it is not there yet."""
    kept = client.filter_flow_run_input(flow_run.id, key_prefix=key, limit=1, exclude_keys=set())
    return kept[0].decoded_value if kept else None


def test_a_held_plan_is_approved_in_the_form_and_its_delivery_is_loaded(home: Workplace, night: Night) -> None:
    delivery_id = ingest(home, night["utan-isbn"])
    plan = plan_of(home)
    (field,) = [f"plan_0_{plan.plan_hash[:12]}"]

    def fill_in(properties: dict[str, Any], _words: str) -> Answers:
        assert properties[field]["enum"] == ["leave", "approve", "reject"]
        assert "quality:isbn" in properties[field]["title"]
        assert properties[field]["description"] == plan.reason
        return {field: "approve", "comment": "the supplier has asked", "by": "Bo Alm"}

    with person(fill_in):
        ran = run(decide)
    assert ran.flow_run.state_name == "Completed"
    assert ran.value["problems"] == ()
    after = plan_of(home)
    assert (after.state, after.decided_by) == ("applied", "Bo Alm")
    assert plan_of(home).reason == f"{plan.reason} [Bo Alm: the supplier has asked]"
    row = ledger(home.warehouse, delivery_id)
    assert (row.state, row.bibs_created) == ("settled", 24)
    (page,) = ran.artifacts().values()
    assert f"| quality:isbn | {plan.planned} | {plan.population} |" in page
    assert "* record 1: " in page


def test_a_wrong_entry_is_asked_again_with_the_reason_and_a_decision_taken_elsewhere_is_said(
    home: Workplace, night: Night
) -> None:
    ingest(home, night["utan-isbn"])
    plan = plan_of(home)
    field = f"plan_0_{plan.plan_hash[:12]}"

    def forget_the_name(_properties: dict[str, Any], _words: str) -> Answers:
        return {field: "reject", "by": " "}

    def come_too_late(_properties: dict[str, Any], _words: str) -> Answers:
        with home.warehouse.write() as connection:
            approve(connection, plan.plan_hash, "Eva Lind", home.now)
        return {field: "approve", "by": "Bo Alm"}

    with person(forget_the_name, come_too_late) as words:
        ran = run(decide, plan.plan_hash[:8])
    assert "**Not taken:** a decision needs a name" in words[1]
    assert "Not taken" not in words[0]
    (problem,) = ran.value["problems"]
    assert problem.startswith(
        f"quality:isbn of plan {plan.plan_hash[:12]} was decided already: approved by Eva Lind on "
    )
    assert (ran.flow_run.state_name, plan_of(home).decided_by) == ("Completed", "Eva Lind")


def test_reviews_are_decided_in_the_form_and_what_is_left_goes_on_waiting(home: Workplace, night: Night) -> None:
    load_union(home, "full")
    ingest(home, night["samma-isbn"])
    with home.warehouse.read() as connection:
        reviews = connection.execute(sa.select(core_review).order_by(core_review.c.review_id)).all()
    first, second = reviews[:2]

    def fill_in(properties: dict[str, Any], _words: str) -> Answers:
        assert {f"review_{each.review_id}" for each in reviews} < properties.keys()
        options = properties[f"review_{first.review_id}"]["enum"]
        assert (options[0], options[-2:]) == ("leave", ["new", "reject"])
        assert options[1].startswith("match:")
        return {f"review_{first.review_id}": options[1], f"review_{second.review_id}": "new", "by": "Bo Alm"}

    with person(fill_in):
        ran = run(decide)
    assert sorted(ran.value["done"]) == [f"review {each.review_id}" for each in (first, second)]
    with home.warehouse.read() as connection:
        states = {row.review_id: row.state for row in connection.execute(sa.select(core_review))}
    assert [state for _, state in sorted(states.items())] == ["decided", "decided", "open", "open", "open"]
    page = "\n".join(ran.artifacts().values())
    assert "## Reviews" in page
    assert "* `match:" in page


def test_a_form_that_nobody_answers_ends_clean_and_everything_goes_on_waiting(home: Workplace, night: Night) -> None:
    ingest(home, night["utan-isbn"])
    ran = run(decide, wait_seconds=3)
    assert (ran.flow_run.state_name, ran.value["unanswered"]) == ("Completed", True)
    assert plan_of(home).state == "held"


def test_a_decision_from_the_start_parameters_asks_nothing(home: Workplace, night: Night) -> None:
    delivery_id = ingest(home, night["utan-isbn"])
    plan_hash = plan_of(home).plan_hash
    ran = run(decide, plan_hash[:8], "reject", "Bo Alm")
    assert ran.value["done"] == {plan_hash: "rejected: quality:isbn"}
    assert (ledger(home.warehouse, delivery_id).state, plan_of(home).decided_by) == ("rejected", "Bo Alm")
    again = run(decide, plan_hash[:8])
    assert again.value == {"done": {}, "problems": ()}
    (page,) = again.artifacts().values()
    assert "was decided already: rejected by Bo Alm" in page
