"""What Prefect's server does by itself when it sees events of runs: kept here, put there by `samkat deployments apply`.

An automation that starts a deployment needs the id that the server gave it, so `Declared.automation` takes the ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.registry import HEARTBEAT_SECONDS
from tasks.runs.reaping import SILENT

SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
"""After so much silence a run is taken to be dead. A window under three heartbeats crashed healthy paused runs."""
TELL_OPERATOR = "tell-operator/tell-operator"
RUNS = {"prefect.resource.id": "prefect.flow-run.*"}


@dataclass(frozen=True)
class Declared:
    """An automation as it is kept in git. `runs` is the deployment (`flow/name`) that it starts, if it starts one."""

    name: str
    description: str
    trigger: EventTrigger
    runs: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    crashes: str | None = None
    """Why the run of the event is set to Crashed, where that is what it does."""

    def automation(self, deployment_ids: Mapping[str, UUID]) -> AutomationCore:
        """The automation for a server that knows the deployment under this id. Raises KeyError where it has none."""
        action: RunDeployment | ChangeFlowRunState
        if self.runs is not None:
            action = RunDeployment(
                source="selected", deployment_id=deployment_ids[self.runs], parameters=dict(self.parameters)
            )
        else:
            action = ChangeFlowRunState(state=StateType.CRASHED, message=self.crashes)
        return AutomationCore(
            name=self.name, description=self.description, trigger=self.trigger, actions=[action], tags=["samkat"]
        )


def _of_the_run(template: str) -> dict[str, Any]:
    """A parameter that is filled from the event's run; as a plain string Prefect would pass it on as it stands."""
    return {"__prefect_kind": "jinja", "template": template}


AUTOMATIONS: tuple[Declared, ...] = (
    Declared(
        name="samkat: tell the operator",
        description="A run that failed, crashed or is held: an e-mail with the reason and what to do (tell-operator).",
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in ("Failed", "TimedOut", "Crashed", "Held")},
            match=RUNS,
            # Were it told of its own failures, it would go round in circles.
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": "!tell-operator"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        runs=TELL_OPERATOR,
        parameters={"flow_run_id": _of_the_run("{{ flow_run.id }}")},
    ),
    Declared(
        name="samkat: a run without a heartbeat has crashed",
        description="Its process and its worker are gone; the run-reaper takes it up again.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=RUNS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        crashes=f"{SILENT} for {SILENCE.seconds} s: the process that ran it is gone",
    ),
)
"""Each is told apart by its name: applying again renews it."""
