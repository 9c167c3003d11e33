"""Real servers for the integration tests: Debian's PostgreSQL 15, Prefect's server on it, a process worker.

Each can be stopped, killed and started again by a test that stages an outage. Everything lies in a temporary folder of
its own and listens on loopback only. tests/integration/conftest.py makes fixtures of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deployments.login import authorization
from tasks.warehouse.engine import Warehouse, connect
from tests.integration.commands import Done, environment_of, run, samkat

ROOT = Path(__file__).resolve().parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))
POOL = "samkat"
START_SECONDS = 120.0
_ROLE = "samkat"
_QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false"}


def wait_until(condition: Callable[[], Any], limit_seconds: float, what: str, every_seconds: float = 0.1) -> Any:
    """The first true answer of `condition`. Fails the test, naming `what` did not happen, after the limit."""
    deadline = time.monotonic() + limit_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {limit_seconds:.0f} s: {what}")
        time.sleep(every_seconds)
    return answer


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(api_url: str, path: str, body: dict[str, Any] | None = None, login: str | None = None) -> Any:
    """What Prefect's API answers: GET where there is no body, else POST. With a login goes a token for the change."""
    headers = {"Content-Type": "application/json", **authorization(login)}
    if login is not None and body is not None:
        client = str(uuid.uuid4())
        token = ask(api_url, f"/csrf-token?client={client}", login=login)["token"]
        headers |= {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": client}
    data = None if body is None else json.dumps(body).encode()
    # A busy server on SQLite asks to come again.
    for attempt in range(5):
        try:
            with urllib.request.urlopen(urllib.request.Request(api_url + path, data, headers), timeout=30) as answer:
                said = answer.read()
                return json.loads(said) if said else None
        except urllib.error.HTTPError as error:
            if error.code != 503 or attempt == 4:
                raise
            time.sleep(1)


def debian_postgresql() -> Path | None:
    """Folder of PostgreSQL's programs, which Debian does not put on PATH; None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """A PostgreSQL server with a password, in a folder of its own. It never runs as root, so `postgres` runs it."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self.folder = Path(tempfile.mkdtemp(prefix="samkat-postgres-"))
        self._data = self.folder / "data"
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        word = self.folder / "password"
        word.write_text(self.password)
        word.chmod(0o644)
        self._run("initdb", "-D", self._data, "-U", _ROLE, "-A", "scram-sha-256", f"--pwfile={word}", "-E", "UTF8")
        word.unlink()

    def start(self) -> None:
        """Start it and wait until it answers."""
        # What a power cut would lose is of no interest here.
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """`fast` breaks off every connection, `immediate` is as a crash; harmless where it does not run."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop it and leave nothing."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, driver: str = "postgresql+psycopg") -> str:
        """URL of a database, with the password."""
        return f"{driver}://{_ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        self._administer(f"CREATE DATABASE {name}")

    def dumped(self, name: str) -> bytes:
        """Everything that a database holds, as SQL."""
        command = [str(self.programs / "pg_dump"), "--inserts", self.url(name, "postgresql")]
        return subprocess.run(command, check=True, capture_output=True, timeout=START_SECONDS).stdout

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever still uses it."""
        self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        admin = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)
        admin.dispose()

    def _run(self, program: str, *arguments: str | Path) -> None:
        as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*as_owner, str(self.programs / program), *map(str, arguments)]
        # To a file, not to a pipe: the server would hold the pipe open.
        with tempfile.TemporaryFile() as said:
            subprocess.run(command, cwd="/", check=True, stdout=said, stderr=said, timeout=START_SECONDS)


class _Child:
    """A program in a session of its own, its output in a file."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def _spawn(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, limit_seconds: float = 20) -> None:
        """SIGTERM, and SIGKILL to the whole session where that is not enough."""
        if self.process is not None and self.is_running:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(limit_seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and to its children of the same session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class PrefectServer(_Child):
    """Prefect's server on a PostgreSQL database; stopped and started again it is the same server on the same port."""

    def __init__(self, folder: Path, database_url: str, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder / "server.log")
        self.folder = folder
        self.database_url = database_url
        self.ui_url = f"http://127.0.0.1:{free_port()}"
        self.api_url = f"{self.ui_url}/api"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SAMKAT_"))}
        self._environment = kept | _QUIET | {
            "PREFECT_HOME": str(folder),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url,
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_UI_API_URL": self.api_url,
            "PREFECT_SERVER_UI_API_URL": self.api_url,
            **(settings or {}),
        }  # fmt: skip
        self.login = (settings or {}).get("PREFECT_SERVER_API_AUTH_STRING")
        self.environment = _QUIET | {"PREFECT_API_URL": self.api_url, "PREFECT_HOME": str(folder)}
        """Variables of a process that talks to this server."""
        if self.login:
            self.environment |= {"PREFECT_API_AUTH_STRING": self.login, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true"}

    def start(self) -> None:
        """Start it and wait until it answers."""
        port = self.ui_url.rpartition(":")[2]
        command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port]
        self._spawn(command, self._environment, self.folder)
        wait_until(
            lambda: self.is_answering or not self.is_running, START_SECONDS, f"Prefect's server answers, {self.log}"
        )
        assert self.is_running, self.log.read_text("utf-8")[-4000:]

    @property
    def is_answering(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.api_url}/health", timeout=5):
            return True
        return False

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API answers: GET where there is no body, else POST. `path` begins with a slash."""
        return ask(self.api_url, path, body, self.login)

    def flow_runs(self, *states: str, flow: str | None = None) -> list[dict[str, Any]]:
        """Flow runs in these states by name (`Completed`, `Held`), all where none is named, of one flow or of all."""
        body: dict[str, Any] = {"sort": "START_TIME_ASC"}
        if states:
            body["flow_runs"] = {"state": {"name": {"any_": list(states)}}}
        if flow:
            body["flows"] = {"name": {"any_": [flow]}}
        return list(self.ask("/flow_runs/filter", body))


class Worker(_Child):
    """A process worker of a pool, which looks for work every second."""

    def __init__(
        self,
        log: Path,
        environment: dict[str, str],
        pool: str = POOL,
        limit: int | None = None,
        queue: str | None = None,
    ) -> None:
        super().__init__(log)
        # The API is asked as often as a test needs it; a person leaves this at its default.
        self._environment = environment | {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_HEARTBEAT_SECONDS": "5"}
        self._command = [PREFECT, "worker", "start", "--pool", pool, "--type", "process"]
        self._command += ["--limit", str(limit)] if limit else []
        self._command += ["--work-queue", queue] if queue else []

    def start(self) -> None:
        """Start it; it takes up runs some seconds later."""
        self._spawn(self._command, self._environment, self.log.parent)


@dataclass
class Production:
    """A home whose warehouse is a PostgreSQL database, and Prefect's server on another one."""

    home: Path
    warehouse_url: str
    server: PrefectServer
    environment: dict[str, str]
    """Variables of its commands, flows and workers: SAMKAT_ settings, PREFECT_API_URL, PREFECT_HOME."""
    workers: list[Worker] = field(default_factory=list)

    def samkat(self, *arguments: str) -> Done:
        """Run one command to its end, whatever its exit code."""
        return samkat(self.environment, *arguments)

    def prefect(self, *arguments: str) -> Done:
        """Run one command of Prefect's own command line to its end."""
        return run([PREFECT, *arguments], self.environment)

    def connected(self) -> Warehouse:
        """The warehouse; the caller disposes of it."""
        return connect(self.warehouse_url)

    def rows(self, statement: sa.Select[Any]) -> list[sa.Row[Any]]:
        """What the warehouse answers."""
        warehouse = self.connected()
        try:
            with warehouse.read() as connection:
                return list(connection.execute(statement))
        finally:
            warehouse.dispose()

    def start_worker(self, limit: int | None = None, queue: str | None = None, **settings: str) -> Worker:
        """One more process worker of the pool, or of one of its queues, gone at the end of the test."""
        log = self.home.parent / f"worker-{len(self.workers)}.log"
        self.workers.append(Worker(log, self.environment | settings, limit=limit, queue=queue))
        self.workers[-1].start()
        return self.workers[-1]


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server of Debian's PostgreSQL; the test is skipped where it is not installed."""
    programs = debian_postgresql()
    if programs is None:
        pytest.skip("needs Debian's package postgresql (its pg_trgm serves Prefect's database)")
    server = Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextlib.contextmanager
def running_prefect(
    folder: Path, postgres: Postgres, settings: dict[str, str] | None = None
) -> Iterator[PrefectServer]:
    """Prefect's server on a database of its own."""
    name = f"prefect_{uuid.uuid4().hex[:8]}"
    postgres.create_database(name)
    server = PrefectServer(folder, postgres.url(name, "postgresql+asyncpg"), settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        postgres.drop_database(name)


@contextlib.contextmanager
def production_home(folder: Path, postgres: Postgres, server: PrefectServer, **settings: str) -> Iterator[Production]:
    """A home in `folder`, initialised, its warehouse a new database; its workers end with it."""
    name = f"warehouse_{uuid.uuid4().hex[:8]}"
    postgres.create_database(name)
    url = postgres.url(name)
    environment = environment_of(folder / "home", SAMKAT_WAREHOUSE_URL=url, SAMKAT_DATA_DOCS="off", **settings)
    made = Production(folder / "home", url, server, environment | server.environment)
    try:
        done = made.samkat("init")
        assert done.code == 0, done.err
        yield made
    finally:
        for worker in made.workers:
            worker.stop()
        postgres.drop_database(name)
