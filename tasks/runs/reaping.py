"""What becomes of a run whose process is gone. Pure: what is known of it goes in, what to do comes out.

A run is dead when Prefect says so (crashed), when it says nothing any more (running without a heartbeat), or when a
worker took it and never began (pending). One that is paused waits for a person and is none of this module's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from schemas.runs import RunSeen

HEARTBEATS_MISSED = 3
"""So many in a row, and a run is taken to be dead. Fewer crashed a healthy run that only waited."""
SILENT = "no sign of life"
"""Begins the message of a run that was set to crashed because it said nothing, by an automation (automations.py)."""
LOST = "its process was lost"
"""Begins the message of a run that failed for good."""
NEVER_TAKEN_UP = frozenset({"run-reaper", "decide"})
"""Flows that are not begun again: the next run of the one comes in two minutes, the other is a person's."""


@dataclass(frozen=True)
class Verdict:
    """What is done with a run: `to` is scheduled, crashed or failed, and `message` goes with the new state."""

    run: RunSeen
    to: str
    message: str


def is_dead(run: RunSeen, silence: timedelta) -> bool:
    """Whether nobody works at the run any more: nothing was heard of it for `silence`.

    One that was called crashed and has said something since lives: the server was away, and heard nothing. Only a
    late sign counts, since clocks differ: one from about the crash would else keep a dead run dead.
    """
    if run.state == "crashed":
        return run.silent_for >= run.in_state_for or run.silent_for > silence
    return run.state != "running" or run.silent_for > silence


def is_in_doubt(run: RunSeen) -> bool:
    """Whether it is only silent, and may live: after the server was away, all are."""
    return run.state == "running" or (run.state == "crashed" and run.message.startswith(SILENT))


def verdict(run: RunSeen, most_attempts: int, reaped: str) -> Verdict | None:
    """What to do with a run that is dead; None where nothing is.

    `most_attempts` is how often a run may begin at all. `reaped` begins the message of a run that is taken up again.
    """
    if run.flow in NEVER_TAKEN_UP or not run.has_deployment or run.is_subflow:
        # Nobody would look for it: the UI at least says the truth.
        return None if run.state == "crashed" else Verdict(run, "crashed", "its process is gone")
    attempts = max(run.run_count, run.taken_up + 1)
    if attempts >= most_attempts:
        return Verdict(run, "failed", f"{LOST} {attempts} times; it is not taken up again by itself")
    return Verdict(run, "scheduled", f"{reaped} ({attempts + 1} of {most_attempts}): {_cause(run)}")


def will_be_taken_up(run: RunSeen, most_attempts: int) -> bool:
    """Whether a crashed run will begin again."""
    decided = verdict(run, most_attempts, "")
    return decided is not None and decided.to != "crashed"


def _cause(run: RunSeen) -> str:
    if run.state == "pending":
        return f"pending for {run.in_state_for.total_seconds():.0f} s, nobody began it"
    if run.state == "running":
        return f"{SILENT} for {run.silent_for.total_seconds():.0f} s"
    return "its process crashed"
