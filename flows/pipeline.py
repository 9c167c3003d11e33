"""`@pipeline`: a Prefect flow as Samkat wants it, so that every flow is recorded and ends alike.

A run leaves a row in `core_run`. One that leaves something for a person ends Completed, named *Held*: no worker
waits, and nothing is lost.
"""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast, get_type_hints

from prefect import Flow
from prefect.runtime import flow_run
from prefect.states import Completed

from tasks.stage import stage_logger
from tasks.warehouse.runs import finish_run, start_run
from tasks.workplace import workplace

P = ParamSpec("P")
R = TypeVar("R")


def pipeline(*, name: str, run_name: str, timeout_seconds: float) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a flow of a function. `run_name` may name the function's arguments: `{supplier}`."""

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            place = workplace()
            run_id = str(flow_run.id or uuid.uuid4())
            start_run(place.warehouse, run_id, name, flow_run.name or name, place.now)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                finish_run(place.warehouse, run_id, "failed", {"error": str(error)}, place.now)
                raise
            held, summary = _ending(result)
            finish_run(place.warehouse, run_id, "held" if held else "done", summary, place.now)
            stage_logger().info("%s", ", ".join(f"{key} {value}" for key, value in summary.items()) or "done")
            if held:
                # Prefect takes a state in place of a result, and hands the caller its data.
                return cast(R, Completed(name="Held", message=held, data=result))
            return result

        # Prefect builds the form of the parameters from these; as strings it would look for their names here.
        run.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
        run.__annotations__ = get_type_hints(function)
        return Flow(
            fn=run,
            name=name,
            description=function.__doc__,
            flow_run_name=run_name,
            timeout_seconds=timeout_seconds,
            persist_result=False,
            validate_parameters=True,
        )

    return decorate


def _ending(result: Any) -> tuple[str, dict[str, Any]]:
    """Why the run is held (empty where it is not), and its totals."""
    from schemas.summaries import DeliverySummary
    from tasks.quality.summary import totals

    if isinstance(result, list) and all(isinstance(each, DeliverySummary) for each in result):
        held = [each for each in result if each.is_held]
        reason = "; ".join(f"{each.name}: {each.reason}" for each in held)
        return reason, totals(result)
    return "", dict(result) if isinstance(result, dict) else {}
