"""`@pipeline`: a Prefect flow as Samkat wants it, so that every flow is recorded and ends alike.

A run leaves a row in `core_run`. One that leaves something for a person ends Completed, named *Held*: no worker
waits, and nothing is lost. One that finds another run at the same subject ends Completed, named *Passed*: it has done
nothing, and what waits is taken up by the run that follows.
"""

from __future__ import annotations

import functools
import inspect
import time
import uuid
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, cast, get_type_hints

from prefect import Flow
from prefect.runtime import flow_run
from prefect.states import Completed, Crashed
from pydantic_core import to_jsonable_python

from schemas.summaries import RunSummary, totals
from tasks.stage import stage_logger
from tasks.warehouse.away import is_passing, patiently
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.runs import finish_run, start_run
from tasks.warehouse.turns import TurnLostError, holder_of, turn
from tasks.workplace import Workplace, workplace

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


PASSED = "Passed"
"""Name of the state of a run that left the work to another one."""
PLACE_LOST = "Prefect's server no longer keeps this run's place: it was started anew, or away for too long"
"""Message of a run that Prefect broke off for that, and that may be taken up again."""
CLOCK_BEGAN_WITHIN_SECONDS = 5
"""Prefect's clock of the time limit begins so much earlier than a flow's own first line, at the most."""
HELD_BECAUSE = "held_because"
"""Key of a flow's result under which it says why it is held; empty: it is not."""


class Pipeline(Flow[P, R]):
    """A flow that makes JSON of its parameters without loading a web framework, as Prefect would: it starts sooner."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters as Prefect's server keeps them and shows them."""
        shown: dict[str, Any] = to_jsonable_python(parameters, fallback=lambda value: f"<{type(value).__name__}>")
        return shown


def pipeline(
    *, name: str, run_name: str, timeout_seconds: float, turn_at: str | None = None
) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a flow of a function. `run_name` and `turn_at` may name the function's arguments: `{supplier}`.

    `turn_at` is what one run at a time works on. A second one waits as long as its argument `patience_seconds` says,
    then it ends without effect; its result is None.
    """

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        signature = inspect.signature(function, eval_str=True)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            times_out_at = time.monotonic() + timeout_seconds - CLOCK_BEGAN_WITHIN_SECONDS
            place = workplace()
            run_id = str(flow_run.id or uuid.uuid4())
            begun_at, title = place.now, flow_run.name or name
            _noted(lambda: start_run(place.warehouse, run_id, name, title, begun_at))
            try:
                with _turn(place.warehouse, turn_at, run_id, signature.bind(*args, **kwargs)) as passed:
                    if passed:
                        raise TurnLostError(passed)
                    result = function(*args, **kwargs)
            except TurnLostError as error:
                _finish(place, run_id, "done", {"passed": error.cause})
                stage_logger().warning("%s", error)
                return cast(R, Completed(name=PASSED, message=str(error)))
            except CancelledError:
                if time.monotonic() >= times_out_at:
                    _note_failure(place, run_id, f"it took longer than its limit of {timeout_seconds:.0f} s")
                    raise
                _note_failure(place, run_id, PLACE_LOST)
                # Prefect would call it a timeout of hours. As crashed it is taken up again by `run-reaper`.
                stage_logger().warning("%s", PLACE_LOST)
                return cast(R, Crashed(message=PLACE_LOST))
            except BaseException as error:
                _note_failure(place, run_id, str(error), is_patient=isinstance(error, Exception))
                raise
            held, summary = _ending(result)
            _finish(place, run_id, "held" if held else "done", summary)
            stage_logger().info("%s", ", ".join(f"{key} {value}" for key, value in summary.items()) or "done")
            if held:
                # Prefect takes a state in place of a result, and hands the caller its data.
                return cast(R, Completed(name="Held", message=held, data=result))
            return result

        # Prefect builds the form of the parameters from these; as strings it would look for their names here.
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = get_type_hints(function)
        return Pipeline(
            fn=run,
            name=name,
            description=function.__doc__,
            flow_run_name=run_name,
            timeout_seconds=timeout_seconds,
            persist_result=False,
            validate_parameters=True,
        )

    return decorate


def _noted(note: Callable[[], T]) -> T:
    """What the warehouse is told or asked around the stages: waited for where it is away, since no retry covers it."""
    return patiently(note, stage_logger().warning)


def _finish(place: Workplace, run_id: str, state: str, summary: dict[str, Any]) -> None:
    ended_at = place.now
    _noted(lambda: finish_run(place.warehouse, run_id, state, summary, ended_at))


def _note_failure(place: Workplace, run_id: str, why: str, *, is_patient: bool = False) -> None:
    """Note that a run failed, without hiding why. What cannot be noted now is put right by `run-reaper`.

    A run that is not `is_patient` was told to end, and is killed if it takes long.
    """
    try:
        if is_patient:
            _finish(place, run_id, "failed", {"error": why})
        else:
            finish_run(place.warehouse, run_id, "failed", {"error": why}, place.now)
    except Exception as second:
        if not is_passing(second):
            raise
        stage_logger().warning("how the run ended could not be noted: the warehouse is away")


@contextmanager
def _turn(
    warehouse: Warehouse, turn_at: str | None, run_id: str, arguments: inspect.BoundArguments
) -> Iterator[str | None]:
    """The turn for the block, where one is needed; says why where another run has it."""
    if turn_at is None:
        yield None
        return
    arguments.apply_defaults()
    given = arguments.arguments
    subject, patience = turn_at.format(**given), given.get("patience_seconds", 0)
    other = _noted(lambda: _holder(warehouse, subject))
    if patience and other not in (None, run_id):
        stage_logger().info("run %s is at %s; waiting up to %s s for it to end", other, subject, patience)
    with turn(warehouse, subject, run_id, patience_seconds=patience) as mine:
        if mine is not None:
            yield None
            return
    yield f"run {other or 'another'} is at {subject}: what waits is taken up by the run that follows"


def _holder(warehouse: Warehouse, subject: str) -> str | None:
    with warehouse.read() as connection:
        return holder_of(connection, subject)


def _ending(result: Any) -> tuple[str, dict[str, Any]]:
    """Why the run is held (empty where it is not), and its totals."""
    if isinstance(result, list):
        found = [each for each in result if isinstance(each, RunSummary)]
        return "; ".join(f"{each.name}: {each.reason}" for each in found if each.is_held), totals(found)
    summary = dict(result) if isinstance(result, dict) else {}
    return str(summary.pop(HELD_BECAUSE, "")), summary
