"""A Dask cluster for tests: a scheduler and two workers, each a process of its own, on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.integration.servers import ROOT, free_port, wait_until

WORKERS = 2


class DaskCluster:
    """Started with `start`; single processes can be killed. `environment` is what its workers get."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.log = folder / "dask.log"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._environment = environment
        self._scheduler: subprocess.Popen[bytes] | None = None

    def start(self, workers: int = WORKERS) -> None:
        """Start the scheduler and its workers, and wait until they know each other."""
        port = self.address.rpartition(":")[2]
        self._scheduler = self._spawn("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        wait_until(lambda: "Scheduler at" in self._said(), 60, f"the scheduler listens, {self.log}")
        for _ in range(workers):
            self.start_worker()

    def start_worker(self) -> None:
        """One more worker of one thread; it is not started again when it dies."""
        known = self._said().count("Register worker")
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        self.workers.append(self._spawn("worker", self.address, *options))
        wait_until(lambda: self._said().count("Register worker") > known, 60, f"the worker is known, {self.log}")

    def kill_worker(self) -> None:
        """SIGKILL to the worker that was started first."""
        _kill(self.workers.pop(0))

    def kill_scheduler(self) -> None:
        """SIGKILL to the scheduler."""
        if self._scheduler is not None:
            _kill(self._scheduler)

    def stop(self) -> None:
        """End all of it."""
        for each in self.workers:
            _kill(each)
        self.kill_scheduler()

    def _said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name("dask")), *arguments],
                env=self._environment | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )


@contextmanager
def running_dask(folder: Path, environment: dict[str, str], workers: int = WORKERS) -> Iterator[DaskCluster]:
    """A cluster for the block."""
    cluster = DaskCluster(folder, environment)
    try:
        cluster.start(workers)
        yield cluster
    finally:
        cluster.stop()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
