"""`@stage`: a Prefect task as Samkat wants it, so that every stage behaves alike.

A stage is named in the words of its docstring's first line, is never cached (it works on the warehouse, not on its
arguments), logs one line of totals, and retries only where it says so: on what meets the outside world.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import MissingContextError

from schemas.summaries import DeliverySummary
from tasks.warehouse import away
from tasks.warehouse.turns import require_turn

P = ParamSpec("P")
R = TypeVar("R")

MOST_NAMED = 8
"""More names than these are a number in the log."""
RETRIES = 8
DELAYS_SECONDS = (4, 8, 16, 32, 60, 60, 60, 60)
"""Waits before each retry: five minutes in all, and with all the luck of the jitter against it more than three."""
JITTER = 0.3
"""Each wait is longer or shorter by up to this share, so that the runs of a night do not all come back at once."""


def stage(*, name: str | None = None, retries: int = RETRIES) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a Prefect task of a function.

    What it returns is logged as totals where it is a mapping. Passing faults (a database or file store that is away)
    are retried with backoff; a wrong configuration or a failed proof never is.
    """

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        title = name or function.__name__.replace("_", " ")

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            started = time.monotonic()
            require_turn()
            result = function(*args, **kwargs)
            stage_logger().info("%s: %s in %.1f s", title, _totals(result), time.monotonic() - started)
            return result

        return Task(
            fn=run,
            name=title,
            description=function.__doc__,
            retries=retries,
            retry_delay_seconds=list(DELAYS_SECONDS[:retries]),
            retry_jitter_factor=JITTER,
            retry_condition_fn=_is_passing,
            cache_policy=NO_CACHE,
            persist_result=False,
        )

    return decorate


def _totals(result: object) -> str:
    if isinstance(result, Mapping):
        if any(isinstance(value, Mapping) for value in result.values()):
            return _totals(sum((Counter(each) for each in result.values()), Counter(deliveries=len(result))))
        return ", ".join(f"{key} {value}" for key, value in result.items() if value) or "nothing to do"
    if isinstance(result, list):
        return _listed(result)
    return "done"


def _listed(result: list[Any]) -> str:
    """Names as they are, where they are few; ids and summaries by their number."""
    if all(isinstance(each, str) for each in result) and len(result) <= MOST_NAMED:
        return ", ".join(result) or "nothing to do"
    is_of_deliveries = all(isinstance(each, int | DeliverySummary) for each in result)
    return f"{len(result)} deliveries" if is_of_deliveries else f"{len(result)} in all"


def _is_passing(_task: Any, _run: Any, state: Any) -> bool:
    try:
        state.result()
    except Exception as error:
        return is_passing(error)
    return False


def is_passing(error: Exception) -> bool:
    """Whether trying again can help: the outside world was away, and nothing is wrong with the work itself."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500
    # Prefect's server: what an artifact or a question to its API ends in while it is away.
    return isinstance(error, httpx.TransportError) or away.is_passing(error)


def stage_logger() -> logging.Logger | logging.LoggerAdapter[Any]:
    """The run's logger, or a plain one where a stage is called without Prefect."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("samkat.stage")


def run_id() -> str | None:
    """The id of the flow run that this stage belongs to, or None without Prefect."""
    from prefect.runtime import flow_run

    return str(flow_run.id) if flow_run.id else None
