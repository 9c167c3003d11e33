"""A flow run as Prefect's server has it: its state, its stages in order, its logs and what it left for people."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import MissingResult

T = TypeVar("T")

ARRIVAL_SECONDS = 30
"""Task runs and logs reach the server a moment after the run has ended."""


@dataclass(frozen=True)
class StageRun:
    """A task run: its name without the number that Prefect adds, how it ended, and how often it was tried."""

    name: str
    state: str
    tries: int


@dataclass(frozen=True)
class Ran:
    """A finished run of a flow."""

    state: State[Any]
    flow_run: FlowRun
    returned: Any = None

    @property
    def value(self) -> Any:
        """What the flow returned; raises what it raised."""
        try:
            return self.state.result()
        except MissingResult:
            # A busy server is told twice that the run has ended, and answers with its own state, which has no data.
            return self.returned.data if isinstance(self.returned, State) else self.returned

    def stages(self, last: str) -> list[StageRun]:
        """The stages in the order in which they were started, once the one called `last` has arrived."""

        def is_there(found: list[TaskRun]) -> bool:
            are_final = all(each.state is not None and each.state.is_final() for each in found)
            return are_final and any(_name_of(each) == last for each in found)

        with _client() as client:
            found = _awaited(lambda: _task_runs(client, self.flow_run), is_there)
        return [
            StageRun(_name_of(each), each.state_name or "", each.run_count)
            for each in sorted(found, key=lambda each: str(each.start_time or each.expected_start_time))
        ]

    def names(self, last: str) -> list[str]:
        """Names of the stages in their order."""
        return [each.name for each in self.stages(last)]

    def artifacts(self) -> dict[str, str]:
        """Markdown of the run's artifacts, by key; what came later under the same key follows."""
        only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[self.flow_run.id]))
        with _client() as client:
            found = sorted(client.read_artifacts(artifact_filter=only), key=lambda each: str(each.created))
        by_key: dict[str, str] = {}
        for each in found:
            by_key[str(each.key)] = f"{by_key.get(str(each.key), '')}{each.data}\n"
        return by_key

    def log(self, until: str) -> str:
        """Everything that the run logged, once the line that contains `until` has arrived."""
        only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.flow_run.id]))
        with _client() as client:
            lines = _awaited(
                lambda: [each.message for each in client.read_logs(only, limit=200, sort=LogSort.TIMESTAMP_ASC)],
                lambda some: any(until in each for each in some),
            )
        return "\n".join(lines)


def run(flow: Flow[..., Any], /, *args: Any, **parameters: Any) -> Ran:
    """Run a flow here, against the session's server, and return what the server has of it; it may have failed."""
    returned: list[Any] = []
    function = flow.fn

    @functools.wraps(function)
    def kept(*given: Any, **named: Any) -> Any:
        returned.append(function(*given, **named))
        return returned[-1]

    flow.fn = kept
    try:
        state: Any = flow(*args, return_state=True, **parameters)
    finally:
        flow.fn = function
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id is not None
    with _client() as client:
        return Ran(state, client.read_flow_run(flow_run_id), returned[-1] if returned else None)


def _client() -> SyncPrefectClient:
    return get_client(sync_client=True)


def _task_runs(client: SyncPrefectClient, flow_run: FlowRun) -> list[TaskRun]:
    return client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])), limit=200)


def _name_of(task_run: TaskRun) -> str:
    """The stage's name; Prefect puts three letters after it."""
    return task_run.name.rsplit("-", 1)[0]


def _awaited(look: Callable[[], list[T]], is_there: Callable[[list[T]], bool]) -> list[T]:
    """What `look` finds once `is_there` accepts it and no more comes; after the limit whatever it finds."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    before = -1
    while True:
        found = look()
        if is_there(found):
            if len(found) == before:
                return found
            before = len(found)
        if time.monotonic() > deadline:
            return found
        time.sleep(0.2)
