"""What stages ask Prefect's server about runs and deployments: the door through which they talk to its API.

Here belong the pages of its UI, starting a deployment where somebody listens, what a run was and how it ended, and
taking a run up again. What follows from it is decided elsewhere, without Prefect (`tasks/runs`).
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import DeploymentStatus, FlowRun, State, StateType
from prefect.deployments import run_deployment
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings
from prefect.states import Crashed, Failed, Running, Scheduled
from prefect.types._datetime import now as server_now
from prefect.utilities.urls import url_for

from schemas.runs import RunSeen
from tasks.stage import stage_logger

HEARTBEAT = "prefect.flow-run.heartbeat"
REAPED = "taken up again"
"""Begins the message of every state that takes a run up again; counting these says how often it was."""
_LINK_RETRIES = 2
"""A link is worth six seconds to a server that is away; runs on a worker wait four minutes for what they need."""
_PAGE = 200
_POLL_SECONDS = 2.0


def run_page(flow_run_id: str | None) -> str | None:
    """Where the UI shows a run; None where there is no run, or no UI is known."""
    return url_for("flow-run", obj_id=UUID(flow_run_id)) if flow_run_id else None


def form_page(deployment: str) -> str | None:
    """The page of the UI on which a person starts a deployment (`flow/name`); None where there is none to be had."""
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: _LINK_RETRIES}), get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(deployment)
    except Exception as error:
        # Whoever asks wants a link to put beside what can be done without it.
        stage_logger().debug("no page for %s: %s", deployment, error)
        return None
    page = url_for("deployment", obj_id=found.id)
    return f"{page}/run" if page else None


def start_where_somebody_listens(
    deployment: str, parameters: dict[str, Any], *, idempotency_key: str, limit_seconds: float = 0
) -> FlowRun | None:
    """A run of the deployment (`flow/name`); None where it does not exist, or nobody looks for its runs.

    Waits until the run has ended, at most `limit_seconds`. The same key gives the same run.
    """
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            return None
    if found.status != DeploymentStatus.READY:
        return None
    started: Any = run_deployment(
        found.id, parameters=parameters, idempotency_key=idempotency_key, timeout=limit_seconds, poll_interval=1
    )
    return started if isinstance(started, FlowRun) else None


def ended_run(flow_run_id: str) -> RunSeen | None:
    """The run as the server has it now; None where it knows none."""
    with get_client(sync_client=True) as client:
        try:
            return _seen(client, client.read_flow_run(UUID(flow_run_id)), {})
        except ObjectNotFound:
            return None


def leave_pause(flow_run_id: str) -> None:
    """Let a run whose pause has timed out end by itself; the server would else only let it fail."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(flow_run_id), Running(), force=True)


def runs_in_doubt(since: timedelta, pending_for: timedelta) -> list[RunSeen]:
    """Runs that crashed within `since`, say that they run, or have been pending for `pending_for`; oldest first."""
    earliest = server_now("UTC") - since
    wanted = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType.CRASHED, StateType.RUNNING, StateType.PENDING])
        ),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=earliest),
    )
    found: list[RunSeen] = []
    with get_client(sync_client=True) as client:
        names: dict[UUID, str] = {}
        offset = 0
        while page := client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, offset=offset):
            found += [_seen(client, run, names) for run in page]
            offset += _PAGE
    waited = [each for each in found if each.state != "pending" or each.in_state_for >= pending_for]
    return sorted(waited, key=lambda each: each.in_state_for, reverse=True)


def _seen(client: SyncPrefectClient, run: FlowRun, names: dict[UUID, str]) -> RunSeen:
    state = run.state
    assert state is not None
    if run.flow_id not in names:
        names[run.flow_id] = client.read_flow(run.flow_id).name
    last_beat = _last_heartbeat(client, run.id) if state.is_running() or state.is_crashed() else None
    signs = [each for each in (state.timestamp, last_beat) if each is not None]
    moment = server_now("UTC")
    return RunSeen(
        run_id=str(run.id),
        name=run.name,
        flow=names[run.flow_id],
        state=state.type.value.lower(),
        state_name=state.name or "",
        message=state.message or "",
        in_state_for=moment - state.timestamp,
        silent_for=moment - max(signs),
        run_count=run.run_count,
        taken_up=_times_taken_up(client.read_flow_run_states(run.id)),
        has_deployment=run.deployment_id is not None,
        is_subflow=run.parent_task_run_id is not None and run.deployment_id is None,
    )


def _times_taken_up(states: Collection[State[Any]]) -> int:
    return sum(1 for each in states if each.is_scheduled() and (each.message or "").startswith(REAPED))


def _last_heartbeat(client: SyncPrefectClient, run_id: UUID) -> datetime | None:
    """When the run last said that it lives, within the last hour: whether earlier does not matter."""
    wanted = EventFilter(
        occurred=EventOccurredFilter(since=server_now("UTC") - timedelta(hours=1)),
        event=EventNameFilter(name=[HEARTBEAT]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run_id}"]),
    )
    newest = client.read_events(wanted, limit=1).events
    return newest[0].occurred if newest else None


def heartbeat_seconds() -> int:
    """How often runs of this environment say that they live. Raises `ValueError` where they are told not to."""
    every = get_current_settings().flows.heartbeat_frequency
    if not every:
        raise ValueError("PREFECT_FLOWS_HEARTBEAT_FREQUENCY is not set: who lives cannot be told from who is dead")
    return every


def set_state_if_same(seen: RunSeen, to: str, message: str) -> bool:
    """Set a run to `scheduled`, `crashed` or `failed`, where its state is still the one that was seen.

    By force: the server lets nobody leave `running` for `scheduled`. False where it has moved on meanwhile.
    """
    state: State[Any]
    if to == "scheduled":
        state = Scheduled(message=message)
    else:
        state = Crashed(message=message) if to == "crashed" else Failed(message=message)
    with get_client(sync_client=True) as client:
        current = client.read_flow_run(UUID(seen.run_id))
        if current.state is None or current.state.type.value.lower() != seen.state:
            return False
        client.set_flow_run_state(UUID(seen.run_id), state, force=True)
    return True


def watch(seconds: float) -> None:
    """Let time pass in which a living run would say so."""
    time.sleep(seconds)
