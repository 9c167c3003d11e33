"""The sweep as a flow, and the runs that it starts on a real server: once for the same work, again when it is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Pending, Running, Scheduled, State

from flows.landing_sweep import FLOWS, landing_sweep
from tasks import starting
from tasks.landing.starts import SENDER_PARAMETER, Start
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.pipeline import land

URIS = ("file:///zone/incoming/NORDBOK/a.mrc",)


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: the engines have their tests in tests/warehouse."""
    return sqlite_url


@pytest.fixture
def at_once(home: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A home that takes files as soon as they are there."""
    monkeypatch.setenv("SAMKAT_STABLE_SECONDS", "0")
    return home


@pytest.fixture
def work() -> Start:
    """Files of one supplier, under a key that no other test has: Prefect keeps keys as long as runs."""
    return Start("NORDBOK", URIS, f"NORDBOK-{uuid4()}")


@pytest.fixture
def deployment(prefect_server: None) -> Iterator[UUID]:
    """The deployment, with nobody who would run it; gone afterwards."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow_from_name("supplier-ingest")
        made = client.create_deployment(flow_id=flow_id, name="supplier-ingest", enforce_parameter_schema=False)
        yield made
        client.delete_deployment(made)


def read(flow_run_id: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(flow_run_id))


def set_state(flow_run_id: str, state: State[None]) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(flow_run_id), state, force=True)


def started(start: Start, later: timedelta = timedelta()) -> list[tuple[str, bool]]:
    found = starting.start_runs([start], tag="sweep", now=datetime.now(UTC) + later)
    return [(each.flow_run_id, each.is_new) for each in found]


def test_what_waits_is_worked_off_in_this_run_where_no_deployment_is_served(
    at_once: Workplace, night: dict[str, Path]
) -> None:
    for word in ("BOKRING25031400001", "dagfil"):
        land(at_once, night[word].name.split("_")[0], night[word].name, night[word].read_bytes())
    ran = run(landing_sweep, here=True)
    assert ran.value == {"runs": 2, "failed": 0}
    assert at_once.zone.waiting() == []
    assert "| BOKRING | 1 | 0 |" in ran.artifacts()["landing-zone"]
    assert run(landing_sweep, here=True).value == {"runs": 0, "failed": 0}


def test_without_a_deployment_there_is_nobody_who_could_run_it(prefect_server: None, work: Start) -> None:
    assert not starting.is_served()
    with pytest.raises(ObjectNotFound):
        starting.start_runs([work], tag="sweep")


def test_a_run_is_started_with_the_files_and_says_who_asked(deployment: UUID, work: Start) -> None:
    ((flow_run_id, is_new),) = started(work)
    found = read(flow_run_id)
    assert is_new
    assert (found.deployment_id, found.parameters) == (deployment, {"supplier": "NORDBOK", "uris": list(URIS)})
    assert {"sweep", "NORDBOK"} <= set(found.tags)
    assert not starting.is_served()


def test_no_second_run_is_started_while_one_is_about_to_begin(deployment: UUID, work: Start) -> None:
    assert len(started(work)) == 1
    other = replace(work, uris=("file:///other",), key=f"{work.key}-other")
    assert started(work) == started(other) == []
    assert [is_new for _, is_new in started(replace(other, sender="FORHAND"))] == [True]


def test_the_same_work_is_started_again_only_after_a_pause_that_grows(deployment: UUID, work: Start) -> None:
    ((first, _),) = started(work)
    set_state(first, Completed())
    assert started(work) == [(first, False)]
    ((second, is_new),) = started(work, later=timedelta(minutes=6))
    assert is_new
    assert second != first
    set_state(second, Completed())
    assert started(work, later=timedelta(minutes=6)) == [(second, False)]
    ((third, is_new),) = started(work, later=timedelta(minutes=11))
    assert is_new
    assert third not in (first, second)


def test_a_run_that_passed_is_followed_at_once(deployment: UUID, work: Start) -> None:
    ((first, _),) = started(work)
    set_state(first, Completed(name="Passed"))
    ((second, is_new),) = started(work)
    assert (is_new, second != first) == (True, True)


@pytest.mark.parametrize(
    ("state", "seconds", "is_beginning"),
    [
        (Scheduled(), 36_000, True),
        (Pending(), 590, True),
        (Pending(), 610, False),
        (Running(), 20, True),
        (Running(), 40, False),
    ],
)
def test_a_run_is_beginning_until_it_must_have_its_turn_or_be_lost(
    state: State[None], seconds: int, is_beginning: bool
) -> None:
    run_seen = FlowRun(flow_id=uuid4(), state=state)
    assert starting.is_beginning(run_seen, state.timestamp + timedelta(seconds=seconds)) is is_beginning


def test_each_flow_that_is_started_takes_its_sender_and_files() -> None:
    assert {name: each.name for name, each in FLOWS.items()} == {name: name for name in SENDER_PARAMETER}
    for name, each in FLOWS.items():
        assert {SENDER_PARAMETER[name], "uris"} <= signature(each.fn).parameters.keys()
