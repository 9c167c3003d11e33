"""What `samkat serve` keeps running beside a HOME's server: worker, drop watcher, intake service, until told to end.

Each is a process in a session of its own, so that Ctrl-C reaches this process alone and it ends them in order. One that
dies is started again. A lock on HOME/serve.lock says that a `serve` is there; the system lets go of it whatever becomes
of this process, and the children are ended with it. Prefect is not imported here: this process stays small.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config.settings import Settings
from deployments.registry import POOL
from schemas.errors import SamkatError, UsageError

POLL_SECONDS = 2
"""How often the worker looks for runs. Prefect's own default of 10 is for many workers on one server."""
END_SECONDS = 20.0
"""How long a child may take to end before it is killed; a chunk that is under way is committed or not at all."""
_LONGEST_PAUSE_SECONDS = 60.0
_STEADY_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_STRAYS_SECONDS = 30.0
_DIE_WITH_PARENT, _ADOPT_ORPHANS = 1, 36
"""PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of Linux."""


@dataclass
class Child:
    """A program that has to run as long as `serve` does."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    _began: float = 0.0
    _again_at: float = 0.0
    _pause: float = field(default=1.0)

    def look(self, tell: Callable[[str], None]) -> None:
        """Start it where it does not run; after a death soon, after many deaths in a row later."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None:
            self._pause = 1.0 if now - self._began > _STEADY_SECONDS else min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
            self._again_at = now + self._pause
            tell(f"The {self.name} ended with {self.process.returncode}; again in {self._pause:.0f} s. Log: {self.log}")
            self._end_session()
            self.process = None
        if now >= self._again_at:
            self._start()

    def _start(self) -> None:
        self._began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.log.parent,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_prepare_child,
            )

    def tell_to_end(self) -> None:
        """SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end until `deadline` (monotonic), then kill what is left of it and of its own children."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(max(0.0, deadline - time.monotonic()))
            self._end_session()

    def _end_session(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _prepare_child() -> None:
    """In the child: an ignored SIGINT is not inherited (the worker ends by it), and it ends with a killed `serve`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    """Ask Linux for something that concerns this process; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


class Strays:
    """Processes that outlive the one that started them, such as the Data Docs of a run that has ended.

    On Linux they become this process's children. So they can be ended with it, and leave no zombies.
    """

    def __init__(self) -> None:
        _prctl(_ADOPT_ORPHANS, 1)
        self._known = {each.pid for each in psutil.Process().children(recursive=True)}
        self._next_look = 0.0

    def bury(self, own: Iterable[Child]) -> None:
        """Take leave of those that have ended, twice a minute."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _STRAYS_SECONDS
        cared_for = self._known | {each.process.pid for each in own if each.process is not None}
        for each in psutil.Process().children():
            if each.pid not in cared_for:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(each.pid, os.WNOHANG)

    def end(self) -> None:
        """End all that came since this began."""
        left = [each for each in psutil.Process().children(recursive=True) if each.pid not in self._known]
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
        for each in psutil.wait_procs(left, timeout=END_SECONDS / 4)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def apply_deployments(environment: dict[str, str]) -> list[str]:
    """`samkat deployments apply` in a process of its own; returns what it changed, a line each.

    Raises `SamkatError` with its last words where it fails.
    """
    command = [sys.executable, "-m", "deployments.cli", "deployments", "apply", "--json"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        error = json.loads(done.stdout).get("error", {}) if done.stdout.startswith("{") else {}
        raise SamkatError(
            f"the deployments cannot be put on the server: {error.get('cause') or done.stderr[-500:]}",
            remedy=error.get("remedy") or "`samkat deployments apply` shows more",
        )
    changes = json.loads(done.stdout)["changes"]
    return [f"{each['verb']} {each['what']} {each['name']}" for each in changes]


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold this HOME's lock. Raises `UsageError` where another `serve` holds it."""
    settings.home.mkdir(parents=True, exist_ok=True)
    file = settings.home / "serve.lock"
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            raise UsageError(
                f"`samkat serve` runs for this home already (process {pid or 'unknown'})",
                file=str(settings.home),
                remedy="stop that one first, or name another home in SAMKAT_HOME",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def children(settings: Settings, environment: dict[str, str], *, watches: bool, limit: int) -> list[Child]:
    """The worker; the watcher where files are to be watched for; the intake service where it has a port.

    `environment` names the server, and its login.
    """
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    of_all = {**os.environ, **environment}
    of_worker = {**of_all, "PREFECT_WORKER_QUERY_SECONDS": str(POLL_SECONDS)}
    worker = ["prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", "serve"]
    made = [Child("worker", [sys.executable, "-m", *worker, "--limit", str(limit)], of_worker, logs / "worker.log")]
    if watches:
        made.append(Child("watcher", [sys.executable, "-m", "deployments.watcher"], of_all, logs / "watcher.log"))
    if settings.intake_port is not None:
        made.append(Child("intake", [sys.executable, "-m", "deployments.cli", "intake"], of_all, logs / "intake.log"))
    return made


def run_until(stop: threading.Event, running: list[Child], tell: Callable[[str], None]) -> None:
    """Keep all of them running until `stop` is set, then end them."""
    strays = Strays()
    try:
        while not stop.is_set():
            for each in running:
                each.look(tell)
            strays.bury(running)
            stop.wait(_LOOK_SECONDS)
    finally:
        deadline = time.monotonic() + END_SECONDS
        for each in reversed(running):
            each.tell_to_end()
        for each in reversed(running):
            each.end(deadline)
        strays.end()


@contextlib.contextmanager
def told_to_end() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, in place of what they do otherwise."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
