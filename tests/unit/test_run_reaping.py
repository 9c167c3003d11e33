"""Which runs are dead, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.runs import RunSeen
from tasks.runs.reaping import SILENT, is_dead, is_in_doubt, verdict, will_be_taken_up

SILENCE = timedelta(seconds=90)
CRASHED = RunSeen(
    run_id="r1",
    name="NORDBOK",
    flow="supplier-ingest",
    state="crashed",
    state_name="Crashed",
    message="",
    in_state_for=timedelta(seconds=10),
    silent_for=timedelta(seconds=10),
    run_count=1,
    taken_up=0,
    has_deployment=True,
    is_subflow=False,
)


@pytest.mark.parametrize(
    ("state", "silent_for", "dead"),
    [("running", 89, False), ("running", 91, True), ("crashed", 10, True), ("pending", 0, True)],
)
def test_a_running_run_is_dead_when_it_is_silent_the_others_are(state: str, silent_for: int, dead: bool) -> None:
    assert is_dead(replace(CRASHED, state=state, silent_for=timedelta(seconds=silent_for)), SILENCE) is dead


@pytest.mark.parametrize(("silent_for", "crashed_for", "dead"), [(5, 40, False), (40, 40, True), (100, 120, True)])
def test_a_crashed_run_that_has_said_something_since_is_not_dead(silent_for: int, crashed_for: int, dead: bool) -> None:
    seen = replace(CRASHED, silent_for=timedelta(seconds=silent_for), in_state_for=timedelta(seconds=crashed_for))
    assert is_dead(seen, SILENCE) is dead


def test_only_silence_is_a_doubt_that_is_worth_waiting_for() -> None:
    assert is_in_doubt(replace(CRASHED, state="running"))
    assert is_in_doubt(replace(CRASHED, message=f"{SILENT} for 90 s"))
    assert not is_in_doubt(CRASHED)


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("crashed", "its process crashed"),
        ("running", "no sign of life for 10 s"),
        ("pending", "pending for 10 s, nobody began it"),
    ],
)
def test_a_dead_run_is_scheduled_with_attempt_and_cause(state: str, cause: str) -> None:
    decided = verdict(replace(CRASHED, state=state), 3, "taken up again")
    assert decided is not None
    assert (decided.to, decided.message) == ("scheduled", f"taken up again (2 of 3): {cause}")


@pytest.mark.parametrize(("run_count", "taken_up"), [(3, 0), (3, 2), (0, 2)])
def test_it_is_enough_after_so_many_attempts_even_where_the_run_never_began(run_count: int, taken_up: int) -> None:
    decided = verdict(replace(CRASHED, run_count=run_count, taken_up=taken_up), 3, "taken up again")
    assert decided is not None
    assert (decided.to, decided.message) == (
        "failed",
        "its process was lost 3 times; it is not taken up again by itself",
    )


@pytest.mark.parametrize(
    "run",
    [
        replace(CRASHED, has_deployment=False),
        replace(CRASHED, is_subflow=True),
        replace(CRASHED, flow="decide"),
        replace(CRASHED, flow="run-reaper"),
    ],
    ids=["by hand", "subflow", "form", "reaper"],
)
def test_a_run_that_nobody_would_begin_again_is_only_said_to_have_crashed(run: RunSeen) -> None:
    assert verdict(run, 3, "taken up again") is None
    assert not will_be_taken_up(run, 3)
    decided = verdict(replace(run, state="running"), 3, "taken up again")
    assert decided is not None
    assert decided.to == "crashed"


def test_a_crashed_run_of_a_deployment_will_be_taken_up_or_fail_so_nobody_is_told_of_the_crash() -> None:
    assert will_be_taken_up(CRASHED, 3)
    assert will_be_taken_up(replace(CRASHED, run_count=3), 3)
