"""Runs whose process is gone go on: the crash of a worker costs minutes, not the night."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.runs.stages import close_ended_runs, find_dead_runs, reschedule_runs


@pipeline(name="run-reaper", run_name="run-reaper", timeout_seconds=900)
def run_reaper(
    most_attempts: int = 3, within_hours: int = 24, pending_minutes: float = 5, silence_seconds: int | None = None
) -> dict[str, int]:
    """Take up runs that crashed, fell silent or were never begun, each until it has begun `most_attempts` times.

    A run is silent without a heartbeat for `silence_seconds`; with none given, for three heartbeats. Paused runs are
    left alone.
    """
    dead = find_dead_runs(within_hours, pending_minutes, silence_seconds)
    counts = reschedule_runs(dead, most_attempts)
    return dict(counts + close_ended_runs())
