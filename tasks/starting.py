"""Starting runs for what waits in the landing zone: the door to Prefect's API for the sweep and the watcher.

A run's idempotency key is its plan's key, so that the same files asked for twice give one run. Where that run has ended
and the work is still there, the next attempt has the key of the work and of the run before it, after a pause that
doubles. So whoever asks, and however often, walks the same chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import DeploymentStatus, FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from tasks.landing.starts import SENDER_PARAMETER, SUPPLIERS_FLOW, Start, pause_after

PASSED = "Passed"
"""State of a run that found another one at work (flows/pipeline.py): it is followed at once."""
LOST_AFTER = timedelta(minutes=10)
"""A run that has been about to start for longer is lost: another one may be started."""
TURN_TAKEN_AFTER = timedelta(seconds=30)
"""A run takes its turn a moment after it says that it runs, on a busy machine some seconds later."""
LONGEST_CHAIN = 100
_PAGE = 200


@dataclass(frozen=True)
class Started:
    """What came of a start. `is_new`: a run waits to be taken by a worker, or is under way."""

    sender: str
    files: int
    flow_run_id: str
    is_new: bool
    said: str


def is_served() -> bool:
    """Whether the deployment of the ingest exists and somebody looks for its runs."""
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(deployment_of(SUPPLIERS_FLOW))
        except ObjectNotFound:
            return False
    return not found.paused and found.status == DeploymentStatus.READY


def start_runs(starts: Iterable[Start], *, tag: str, now: datetime | None = None) -> list[Started]:
    """Start a run of its flow's deployment for each; a sender for which one is about to start is left to that one.

    `tag` says in the UI who asked. Raises `ObjectNotFound` where the deployment does not exist.
    """
    wanted = list(starts)
    if not wanted:
        return []
    moment = now or datetime.now(UTC)
    with get_client(sync_client=True) as client:
        deployments = {flow: client.read_deployment_by_name(deployment_of(flow)) for flow in _flows(wanted)}
        busy = frozenset[str]().union(*(_about_to_start(client, each) for each in deployments.values()))
        return [_start(client, deployments[each.flow], each, tag, moment) for each in wanted if each.sender not in busy]


def deployment_of(flow: str) -> str:
    """Name of a flow's deployment, as Prefect knows it."""
    return f"{flow}/{flow}"


def _flows(starts: Iterable[Start]) -> list[str]:
    return list(dict.fromkeys(each.flow for each in starts))


def _about_to_start(client: SyncPrefectClient, deployment: DeploymentResponse) -> frozenset[str]:
    """Senders for which a run waits to be taken by a worker, or has just begun; then it holds its sender's turn."""
    moment = datetime.now(UTC)
    wanted = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING])
        ),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=moment + timedelta(minutes=1)),
    )
    only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    runs = client.read_flow_runs(flow_run_filter=wanted, deployment_filter=only, limit=_PAGE)
    whose = [each.parameters for each in runs if is_beginning(each, moment)]
    return frozenset(str(each[name]) for each in whose for name in SENDER_PARAMETER.values() if name in each)


def is_beginning(run: FlowRun, moment: datetime) -> bool:
    """Whether a run is about to take its supplier's turn. What is scheduled waits for a worker to come.

    Pending for long, its process died before it said anything; running for a while, it has its turn or is lost.
    """
    state = run.state
    if state is None:
        return False
    limit = {StateType.PENDING: LOST_AFTER, StateType.RUNNING: TURN_TAKEN_AFTER}.get(state.type)
    return limit is None or moment - state.timestamp <= limit


def _start(client: SyncPrefectClient, deployment: DeploymentResponse, start: Start, tag: str, now: datetime) -> Started:
    key, attempts = start.key, 0
    for _ in range(LONGEST_CHAIN):
        run = client.create_flow_run_from_deployment(
            deployment.id,
            parameters=start.parameters,
            tags=[*deployment.tags, tag, start.sender],
            idempotency_key=key,
        )
        state = run.state
        if state is None or not state.is_final():
            return Started(start.sender, len(start.uris), str(run.id), True, _said(start))
        if state.name != PASSED:
            attempts += 1
            wait = pause_after(attempts) - (now - state.timestamp)
            if wait > timedelta():
                break
        key = f"{start.key}-{run.id}"
    said = f"run {run.name} has ended and left it; the next one is started after a pause"
    return Started(start.sender, len(start.uris), str(run.id), False, said)


def _said(start: Start) -> str:
    later = f", {start.later} left for the next run" if start.later else ""
    return f"{len(start.uris)} files{later}" if start.uris else "takes up what was left on the way"
