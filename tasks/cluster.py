"""Work on a Dask cluster that is there already, through `prefect-dask`: each call a task run of the stage that asks.

What belongs here is how a stage uses a cluster: connect, submit a few calls ahead, take the results in order, and say
clearly what is wrong with it. Dask itself does a call again whose worker died; a cluster that is away is a passing
fault.
`prefect-dask` is an optional dependency (`pip install -e .[dask]`) and imported when it is asked for.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect import Task
    from prefect_dask.task_runners import DaskTaskRunner

R = TypeVar("R")

CONNECT_SECONDS = 20
"""How long a scheduler may take to answer, and to have a worker."""
LONELY_SECONDS = 60.0
"""How long a cluster may be without any worker while work waits: a new one takes so long to start."""
LOOKS_EVERY_SECONDS = 5.0
_ADDRESS = re.compile(r"(?:tcp|tls|ucx|ws|wss)://[^\s/@?#]+:\d{1,5}")


class ClusterAwayError(ConnectionError):
    """The cluster does not answer, has no workers, or loses them: trying again later can help.

    No `SamkatError`: nothing is wrong with the work, and a stage tries again what is an `OSError`.
    """


def on_cluster(address: str, work: Task[..., R], calls: Iterable[dict[str, Any]]) -> Generator[R, None, None]:
    """What `work` returns for the arguments of each call, computed on the cluster of the scheduler at `address`.

    In the order of the calls. Two calls for each thread of the cluster are on their way at a time, so that results
    wait on the workers and not here; the next one is fetched while the caller is at the last. What a call raises is
    raised here. Raises `ClusterAwayError`, and `ConfigurationError` for a wrong address, where prefect-dask is missing,
    and where the workers lack the code.
    """
    _require_address(address)
    # The runner is left first, so that nobody waits for calls whose results nobody wants any more.
    with ThreadPoolExecutor(1) as fetching, _runner(address) as runner:
        still = iter(calls)
        waiting: deque[Any] = deque()

        def go_on(calls_more: int) -> Future[R] | None:
            """Submit so many more calls, and fetch what comes next."""
            waiting.extend(runner.submit(work, call) for call in islice(still, calls_more))
            return fetching.submit(_result, runner, waiting.popleft(), address) if waiting else None

        coming = go_on(2 * _threads(runner))
        while coming is not None:
            result = coming.result()
            coming = go_on(1)
            yield result


def _require_address(address: str) -> None:
    if not _ADDRESS.fullmatch(address):
        raise ConfigurationError(
            f"{address!r} is no address of a Dask scheduler", field="dask", remedy="write tcp://host:8786 or tls://"
        )


@contextmanager
def _runner(address: str) -> Iterator[DaskTaskRunner]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise ConfigurationError(
            "prefect-dask is not installed", field="dask", remedy="install it with `pip install -e .[dask]`"
        ) from error
    # Results come straight from the workers; a worker that cannot be reached is asked through the scheduler.
    options = {"timeout": CONNECT_SECONDS, "direct_to_workers": True}
    with DaskTaskRunner(address=address, client_kwargs=options) as runner:
        try:
            runner.client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except OSError as error:
            raise _away(address, "does not answer, or has no workers") from error
        yield runner


def _threads(runner: DaskTaskRunner) -> int:
    client: Any = runner.client
    threads: dict[str, int] = client.nthreads()
    return max(1, sum(threads.values()))


def _result(runner: DaskTaskRunner, future: Any, address: str) -> Any:
    """The result of a call, once it is there."""
    distributed: Any = import_module("distributed")
    lonely_since: float | None = None
    try:
        while not future.wrapped_future.done():
            try:
                return future.result(timeout=LOOKS_EVERY_SECONDS)
            except TimeoutError:
                if runner.client.scheduler_info()["workers"]:
                    lonely_since = None
                    continue
                lonely_since = lonely_since or time.monotonic()
                if time.monotonic() - lonely_since > LONELY_SECONDS:
                    raise _away(address, "has no workers any more") from None
        return future.result()
    except distributed.KilledWorker as error:
        raise _away(address, f"lost one worker after another at the same work ({error})") from error
    except CancelledError as error:
        raise _away(address, "broke off: its scheduler is gone") from error
    except (ImportError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "deserializ" not in str(error):
            raise
        raise ConfigurationError(
            f"the cluster cannot import what it needs ({error.__cause__ or error})",
            field="dask",
            remedy="install the same Samkat with [dask] where its scheduler and its workers run",
        ) from error


def _away(address: str, what: str) -> ClusterAwayError:
    return ClusterAwayError(
        f"the Dask cluster at {address} {what}; start it, or run without it (parameter `dask` empty)"
    )
