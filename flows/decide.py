"""The form in the Prefect UI: what waits for a person is shown, decided, and goes on."""

from __future__ import annotations

import time
from typing import Literal

from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import ValidationError

from flows.pipeline import pipeline
from flows.plan_decide import plan_decide
from flows.review_decide import review_decide
from tasks.deciding.form import Entry, PlanChoice, entry, form
from tasks.deciding.page import description
from tasks.deciding.stages import check_entry, keep_comment, show_waiting
from tasks.deciding.waiting import Waiting
from tasks.orchestrator import leave_pause
from tasks.stage import run_id

POLL_SECONDS = 2


@pipeline(name="decide", run_name="decide", timeout_seconds=6 * 3600)
def decide(
    plan_hash: str | None = None,
    decision: Literal["approve", "reject"] | None = None,
    by: str = "",
    wait_seconds: int = 3600,
) -> dict[str, object]:
    """Ask a person, in a form of this page, about held plans and open reviews; carry out what is decided.

    With `plan_hash` only that plan; with `decision` and `by` as well nothing is asked, unless it cannot be done. The
    form waits `wait_seconds` in all, then the run ends and nothing is lost: start it again.
    """
    until = time.monotonic() + wait_seconds
    done: dict[str, object] = {}
    said: tuple[str, ...] = ()
    entered = Entry(by, (PlanChoice(plan_hash, decision),)) if plan_hash and decision else None
    while True:
        if entered is None:
            waiting = show_waiting(plan_hash, said)
            if waiting.is_empty:
                break
            entered = _ask(waiting, said, until)
        if entered is None:
            return {"done": done, "problems": said, "unanswered": True}
        checked = check_entry(entered)
        said = checked.problems + _carry_out(checked.entry, done)
        keep_comment(checked.entry)
        if not said:
            break
        entered = None
    return {"done": done, "problems": said}


def _ask(waiting: Waiting, said: tuple[str, ...], until: float) -> Entry | None:
    """What a person entered until then, on the monotonic clock; None where nobody did."""
    asked = RunInput.subclass_from_base_model_type(form(waiting))
    seconds = until - time.monotonic()
    if seconds < 1:
        return None
    try:
        answers = pause_flow_run(
            wait_for_input=asked.with_initial_data(description=description(said, waiting.further)),
            timeout=int(seconds),
            poll_interval=POLL_SECONDS,
        )
    except FlowPauseTimeout:
        leave_pause(run_id() or "")
        return None
    except ValidationError:
        return _ask(waiting, ("what was entered could not be read; choose from the lists",), until)
    return entry(waiting, answers.model_dump())


def _carry_out(entered: Entry, done: dict[str, object]) -> tuple[str, ...]:
    """Run the flows that the command line runs, and note what they did; returns what could not be done."""
    for choice in entered.plans:
        report = plan_decide(choice.plan_hash, choice.decision, entered.by, choice.change_class)
        done.update(report["done"])  # type: ignore[call-overload]
    if not entered.reviews and not entered.pairs:
        return ()
    report = review_decide(dict(entered.reviews), entered.by, dict(entered.pairs))
    done.update({_named(number): said for number, said in report["done"].items()})  # type: ignore[attr-defined]
    return tuple(f"{_named(number)}: {said}" for number, said in report["problems"].items())  # type: ignore[attr-defined]


def _named(number: str) -> str:
    return f"pair {number}" if number.startswith("D") else f"review {number}"
