"""The operator hears of a run that needs a person: why, which delivery, and what to do next."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.notices.stages import send_notices
from tasks.runs.stages import tell_of_run


@pipeline(name="tell-operator", run_name="{flow_run_id}", timeout_seconds=900)
def tell_operator(flow_run_id: str, most_attempts: int = 3) -> dict[str, int]:
    """E-mail the operator about a run that failed, was lost for good, or is held; a run is told once.

    `most_attempts` as in `run-reaper`: a crashed run that it will take up again is not told.
    """
    told = tell_of_run(flow_run_id, most_attempts)
    send_notices()
    return {str(kind): number for kind, number in told.items()}
