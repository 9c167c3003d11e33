"""A flow run as Prefect's server has it, in words that need no Prefect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class RunSeen:
    """A run as the server has it. `state` is the type of its state (`crashed`, `running`, `completed`), `state_name`
    may say more (`Held`); `silent_for` is since its last sign of life.

    `taken_up` counts how often it was taken up again; `is_subflow`: its parent's fate is its own.
    """

    run_id: str
    name: str
    flow: str
    state: str
    state_name: str
    message: str
    in_state_for: timedelta
    silent_for: timedelta
    run_count: int
    taken_up: int
    has_deployment: bool
    is_subflow: bool
