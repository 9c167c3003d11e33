"""The Prefect server of one HOME: started in the background by the first command that needs it, used by the next ones.

What belongs here is the life of that server (start, reuse, stop, status) and the environment in which a process talks
to it. Whoever has a server elsewhere sets PREFECT_API_URL; then nothing is started here. This module never imports
Prefect: its import takes a second, and PREFECT_API_URL would be read too early.

The server holds a lock on HOME/prefect/server.lock for as long as it lives: it inherits the open file. So the lock says
whether it runs, whatever became of the command that started it, and no process id is trusted unless it is held. That
an answer comes from this HOME's server, and not from another one that took the port first, is told by the `home` in its
settings.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from config.settings import Settings, environment_for_children
from deployments.login import known_login, make_login
from deployments.registry import HEARTBEAT_SECONDS
from deployments.server_probe import HOST, any_free_port, is_answering, is_free, is_server_of
from schemas.errors import ConfigurationError, SamkatError

USUAL_PORTS = range(4200, 4210)
START_LIMIT_SECONDS = 120.0
STOP_LIMIT_SECONDS = 10.0
_PORT_ATTEMPTS = 3
_ERROR_LINE = re.compile(r"[\w.]+(Error|Exception): ")

# The operator's variables name another server's place, database or profile; this one keeps everything in HOME.
_FOREIGN = (
    "PREFECT_API_",
    "PREFECT_SERVER_API_",
    "PREFECT_SERVER_DATABASE_",
    "PREFECT_SERVER_UI_",
    "PREFECT_UI_",
    "PREFECT_PROFILE",
    "SAMKAT_",
)
_QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false"}


@dataclass(frozen=True)
class ServerAddress:
    """Where Prefect's API and its UI are. `started`: by this call. `is_own`: of this HOME, not PREFECT_API_URL's.

    `has_login`: this HOME's server wants to know who is asking; deployments/login.py keeps the answer.
    """

    api_url: str
    ui_url: str
    started: bool
    is_own: bool
    has_login: bool = False


@dataclass(frozen=True)
class ServerStatus:
    """How things stand, without changing them. `given`: PREFECT_API_URL names another server, which is used."""

    state: Literal["running", "starting", "stopped", "given"]
    address: ServerAddress | None
    is_answering: bool
    pid: int | None
    log: Path


class ServerError(SamkatError):
    """The Prefect server cannot be started, reached or stopped."""


def ensure_server(
    settings: Settings, tell: Callable[[str], None] | None = None, *, with_login: bool = True
) -> ServerAddress:
    """The Prefect server to use: that of PREFECT_API_URL where set, else this HOME's, started where none runs.

    `tell` gets a line when a server is started and every five seconds until it answers. Two commands at once start one
    server. It asks for a login, and for tokens against forged requests, unless it is started without (`with_login`).
    Raises `ServerError` when nothing answers within 120 s, `ConfigurationError` when the port asked for is taken.
    """
    given = _given_address()
    if given is not None:
        if not is_answering(given.api_url):
            raise ServerError(
                f"no Prefect server answers at {given.api_url}",
                field="PREFECT_API_URL",
                remedy="start that server, or unset the variable: Samkat then starts one of its own",
            )
        return given
    return _Own(settings, with_login).ensure(tell or (lambda _line: None))


def stop_server(settings: Settings) -> bool:
    """End this HOME's server; False where none runs. Raises `ServerError` when it cannot be ended."""
    return _Own(settings).stop()


def server_status(settings: Settings) -> ServerStatus:
    """What runs and where. Starts nothing and waits at most a few seconds for an answer."""
    own = _Own(settings)
    given = _given_address()
    if given is not None:
        return ServerStatus("given", given, is_answering(given.api_url), None, own.log)
    if not own.is_alive():
        return ServerStatus("stopped", None, False, None, own.log)
    record = own.read_record()
    if record is not None and own.answers(record):
        return ServerStatus("running", own.address(record, started=False), True, record.pid, own.log)
    return ServerStatus("starting", None, False, record.pid if record else None, own.log)


def client_environment(settings: Settings, address: ServerAddress) -> dict[str, str]:
    """Variables for a process that runs flows against `address`; they must be set before it imports Prefect.

    Samkat's own settings are among them, so that flows started elsewhere by this process see the same ones.
    """
    environment = {**environment_for_children(settings), **_QUIET, "PREFECT_API_URL": address.api_url}
    # Else a run by hand would be silent for three minutes, and be taken for dead in the second.
    environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = str(HEARTBEAT_SECONDS)
    if address.is_own:
        environment["PREFECT_HOME"] = str(settings.prefect_home)
        # A company proxy must not be asked for the way to this machine.
        for name in ("NO_PROXY", "no_proxy"):
            others = [each for each in os.environ.get(name, "").split(",") if each and each != HOST]
            environment[name] = ",".join([*others, HOST])
    if address.has_login:
        environment["PREFECT_API_AUTH_STRING"] = known_login(settings.prefect_home) or ""
        environment["PREFECT_CLIENT_CSRF_SUPPORT_ENABLED"] = "true"
    return environment


@dataclass(frozen=True)
class _Record:
    """What a started server left behind. `pid` is missing where its starter was killed before it could note it."""

    port: int
    pid: int | None
    has_login: bool


class _Own:
    """This HOME's server and its files in HOME/prefect."""

    def __init__(self, settings: Settings, with_login: bool = True) -> None:
        self.folder = settings.prefect_home
        self.with_login = with_login
        self.wished_port = settings.prefect_port
        self.log = self.folder / "server.log"
        self._lock_file = self.folder / "server.lock"
        self._record_file = self.folder / "server.json"

    def address(self, record: _Record, *, started: bool) -> ServerAddress:
        url = f"http://{HOST}:{record.port}"
        return ServerAddress(f"{url}/api", url, started, is_own=True, has_login=record.has_login)

    def ensure(self, tell: Callable[[str], None]) -> ServerAddress:
        """Use the server that runs, wait for the one that starts, or start one."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        clock = _Clock(tell)
        while True:
            with self._lock() as lock:
                if lock is not None:
                    return self._start(lock, clock)
            record = self.read_record()
            if record is not None and self.answers(record):
                return self.address(record, started=False)
            clock.wait("Another command is starting the Prefect server")
            if clock.is_over():
                raise self._silent("stop it with `samkat server stop`, then try again")

    def is_alive(self) -> bool:
        """Whether the server, or a command that is just starting it, holds the lock."""
        if not self._lock_file.exists():
            return False
        with self._lock() as lock:
            return lock is None

    def read_record(self) -> _Record | None:
        """Port and process id of the server. Only while the lock is held do they mean anything."""
        try:
            found = json.loads(self._record_file.read_bytes())
            pid = int(found["pid"]) if found["pid"] is not None else None
            return _Record(int(found["port"]), pid, found.get("has_login") is True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def answers(self, record: _Record) -> bool:
        """Whether this HOME's server answers where the record says."""
        return is_server_of(self.folder, record.port, known_login(self.folder) if record.has_login else None)

    def stop(self) -> bool:
        deadline = time.monotonic() + STOP_LIMIT_SECONDS
        signalled: int | None = None
        was_alive = False
        while self.is_alive():
            was_alive = True
            record = self.read_record()
            is_late = time.monotonic() > deadline
            if record is not None and record.pid is not None and (signalled is None or is_late):
                signalled = record.pid
                # An open UI keeps a connection, for which the server would wait without end.
                _signal_session(record.pid, signal.SIGKILL if is_late else signal.SIGTERM)
            if time.monotonic() > deadline + STOP_LIMIT_SECONDS:
                port = record.port if record else "its port"
                raise ServerError(
                    "the Prefect server does not end",
                    file=str(self.log),
                    remedy=f"end the process that listens on {port} yourself",
                )
            time.sleep(0.05)
        if signalled is not None:
            _reap(signalled)
        return was_alive

    def _start(self, lock: IO[bytes], clock: _Clock) -> ServerAddress:
        """Start the server on the first port it can have; the caller holds the lock and hands it on."""
        last = self.read_record()
        # A process id from before must not be there while the lock is held for the new server.
        self._record_file.unlink(missing_ok=True)
        clock.tell(f"Starting a Prefect server for {self.folder.parent} in the background, 5 to 30 seconds ...")
        for attempt in range(_PORT_ATTEMPTS):
            port = self._free_port(last.port if last and attempt == 0 else None)
            self._write_record(_Record(port, None, self.with_login))
            process = self._spawn(port, lock)
            record = _Record(port, process.pid, self.with_login)
            self._write_record(record)
            try:
                while process.poll() is None and not clock.is_over():
                    if self.answers(record):
                        return self.address(record, started=True)
                    clock.wait("Waiting for the Prefect server")
            except BaseException:
                _end(process)
                raise
            _end(process)
            if clock.is_over():
                raise self._silent("see the end of that file")
            if is_free(port) or self.wished_port is not None:
                break
        raise ServerError(
            f"the Prefect server ended while it started: {self._last_line()}",
            file=str(self.log),
            remedy="that file says why",
        )

    def _spawn(self, port: int, lock: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        api_url = f"http://{HOST}:{port}/api"
        environment |= _QUIET | {
            "PREFECT_HOME": str(self.folder),
            # Two names for one setting: the built UI reads the one, the server's own settings the other.
            "PREFECT_UI_API_URL": api_url,
            "PREFECT_SERVER_UI_API_URL": api_url,
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            # A run that waits for its deployment's limit asks again so often; Prefect's own default is 30.
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
            # In memory they would be gone with a restart, and Prefect breaks off every run that has lost its place.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        }
        if self.with_login:
            environment["PREFECT_SERVER_API_AUTH_STRING"] = make_login(self.folder)
            environment["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] = "true"
        # A server that was killed may have left it; if another process has its number by now, all would wait for ever.
        (self.folder / "concurrency_leases" / "expirations.lock").unlink(missing_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            # Not `--background`: it throws the server's output away and dies with the terminal.
            return subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)],
                cwd=self.folder,  # where no stray prefect.toml or .env lies
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )

    def _free_port(self, last: int | None) -> int:
        if self.wished_port is not None:
            if not is_free(self.wished_port):
                raise ConfigurationError(
                    f"port {self.wished_port} is in use by another program",
                    field="SAMKAT_PREFECT_PORT",
                    remedy="set another port, or unset the variable: a free one is then chosen",
                )
            return self.wished_port
        for port in ([last] if last else []) + list(USUAL_PORTS):
            if is_free(port):
                return port
        return any_free_port()

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[bytes] | None]:
        """The lock, or None where somebody holds it. Closing our file leaves the lock with a child that has it too."""
        with self._lock_file.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                yield None
            else:
                yield file

    def _write_record(self, record: _Record) -> None:
        unfinished = self._record_file.with_suffix(".json.part")
        unfinished.write_text(json.dumps(dataclasses.asdict(record)))
        unfinished.replace(self._record_file)

    def _silent(self, remedy: str) -> ServerError:
        return ServerError(
            f"the Prefect server does not answer after {START_LIMIT_SECONDS:.0f} seconds",
            file=str(self.log),
            remedy=remedy,
        )

    def _last_line(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR_LINE.match(line)]
        return (errors or lines or ["it wrote nothing"])[-1]


class _Clock:
    """The time allowed for a start, and a word to the person who waits every five seconds."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self._began = self._told = time.monotonic()

    def is_over(self) -> bool:
        return time.monotonic() - self._began > START_LIMIT_SECONDS

    def wait(self, what: str) -> None:
        time.sleep(0.1)
        now = time.monotonic()
        if now - self._told >= 5:
            self._told = now
            self.tell(f"{what} ({now - self._began:.0f} s) ...")


def _given_address() -> ServerAddress | None:
    """The server that PREFECT_API_URL names, or None where it is not set."""
    api_url = os.environ.get("PREFECT_API_URL", "").strip().rstrip("/")
    if not api_url:
        return None
    if not api_url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{api_url!r} is not a URL", field="PREFECT_API_URL", remedy="write http://host:4200/api, or unset it"
        )
    ui_url = os.environ.get("PREFECT_UI_URL", "").strip() or api_url.removesuffix("/api")
    return ServerAddress(api_url, ui_url, started=False, is_own=False)


def _signal_session(pid: int, number: signal.Signals) -> None:
    """To the server and to whatever it started: it leads a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal_session(process.pid, signal.SIGKILL)
        process.wait()


def _reap(pid: int) -> None:
    """Take leave of the server where it is this process's child; otherwise it is not ours to wait for."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
