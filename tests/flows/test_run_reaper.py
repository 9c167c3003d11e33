"""The flow `run-reaper` on a real server: dead runs are scheduled again, living and paused ones are left alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Crashed, Failed, Paused, Pending, Running, Scheduled

from flows.run_reaper import run_reaper
from schemas.warehouse.core import core_run
from tasks.orchestrator import HEARTBEAT
from tasks.runs.reaping import SILENT
from tasks.warehouse.runs import start_run
from tasks.workplace import Workplace
from tests.flows.runs import run

pytestmark = pytest.mark.usefixtures("heartbeats")


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: the reaper asks Prefect only."""
    return sqlite_url


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@flow(name="night-work")
def night_work() -> None:
    """Stands for any flow that is deployed."""


def deployed(client: SyncPrefectClient, name: str = "night-work") -> uuid.UUID:
    flow_id = client.create_flow_from_name(name)
    return client.create_deployment(flow_id=flow_id, name=uuid.uuid4().hex)


def run_in(client: SyncPrefectClient, deployment_id: uuid.UUID, *states: State[None]) -> uuid.UUID:
    """A run that has gone through these states."""
    made = client.create_flow_run_from_deployment(deployment_id)
    for state in states:
        client.set_flow_run_state(made.id, state, force=True)
    return made.id


def name_of(client: SyncPrefectClient, run_id: uuid.UUID) -> str:
    state = client.read_flow_run(run_id).state
    assert state is not None
    return str(state.name)


def test_dead_runs_are_scheduled_again_and_all_others_are_left_alone(
    home: Workplace, client: SyncPrefectClient, tmp_path: Path
) -> None:
    deployment, form = deployed(client), deployed(client, "decide")
    dead = {
        "crashed": run_in(client, deployment, Pending(), Running(), Crashed()),
        "silent": run_in(client, deployment, Pending(), Running()),
        "never begun": run_in(client, deployment, Pending()),
    }
    left = {
        "Paused": run_in(client, deployment, Pending(), Running(), Paused()),
        "Completed": run_in(client, deployment, Pending(), Running(), Completed()),
        "Failed": run_in(client, deployment, Pending(), Running(), Failed()),
        "Scheduled": run_in(client, deployment),
        "Crashed": run_in(client, form, Pending(), Running(), Crashed()),
    }
    by_hand = client.create_flow_run(night_work, state=Running()).id
    ran = run(run_reaper, pending_minutes=0, silence_seconds=0)
    assert {what: name_of(client, run_id) for what, run_id in dead.items()} == dict.fromkeys(dead, "Scheduled")
    assert {name: name_of(client, run_id) for name, run_id in left.items()} == {name: name for name in left}
    assert name_of(client, by_hand) == "Crashed"
    assert ran.value == {"scheduled": 3, "crashed": 1}


def test_a_run_that_was_called_crashed_while_the_server_was_away_and_lives_is_left_alone(
    home: Workplace, client: SyncPrefectClient
) -> None:
    deployment = deployed(client)
    crashed = Crashed(message=f"{SILENT} for 90 s: the process that ran it is gone")
    alive, dead = (run_in(client, deployment, Pending(), Running(), crashed) for _ in range(2))
    beat = emit_event(HEARTBEAT, {"prefect.resource.id": f"prefect.flow-run.{alive}"})
    assert beat is not None
    assert run(run_reaper, silence_seconds=30).value == {"scheduled": 1}
    assert [name_of(client, each) for each in (alive, dead)] == ["Crashed", "Scheduled"]


def test_a_run_that_is_young_is_not_dead_and_one_that_was_lost_too_often_fails_for_good(
    home: Workplace, client: SyncPrefectClient
) -> None:
    deployment = deployed(client)
    young = run_in(client, deployment, Pending(), Running())
    waits = run_in(client, deployment, Pending())
    lost = run_in(client, deployment)
    for _ in range(3):
        for state in (Pending(), Running(), Crashed(), Scheduled()):
            client.set_flow_run_state(lost, state, force=True)
    client.set_flow_run_state(lost, Crashed(), force=True)
    assert run(run_reaper, silence_seconds=600).value == {"failed": 1}
    assert [name_of(client, each) for each in (young, waits, lost)] == ["Running", "Pending", "Failed"]
    state = client.read_flow_run(lost).state
    assert state is not None
    assert state.message == "its process was lost 3 times; it is not taken up again by itself"


def test_the_end_of_a_run_that_could_not_note_it_is_noted(home: Workplace, client: SyncPrefectClient) -> None:
    deployment = deployed(client)
    long_ago = home.now - timedelta(hours=1)
    ended = {
        "failed": run_in(client, deployment, Pending(), Running(), Failed(message="the warehouse was away")),
        "running": run_in(client, deployment),
    }
    for each in (*ended.values(), uuid.uuid4()):
        start_run(home.warehouse, str(each), "night-work", "NORDBOK", long_ago)
    assert run(run_reaper).value == {"failed": 1}
    with home.warehouse.read() as connection:
        rows = connection.execute(sa.select(core_run.c.run_id, core_run.c.state, core_run.c.summary)).all()
    noted = {row.run_id: (row.state, row.summary) for row in rows if row.run_id in map(str, ended.values())}
    assert noted == {
        str(ended["failed"]): ("failed", '{"error":"the warehouse was away"}'),
        str(ended["running"]): ("running", "{}"),
    }
