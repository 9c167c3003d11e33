"""The engine and its transactions: the one place that knows which database is behind.

Reads see one snapshot; writes begin at once (BEGIN IMMEDIATE on SQLite, since read-then-write under a deferred BEGIN
fails whatever the timeout) and may take a named lock (advisory on PostgreSQL; SQLite has one writer anyway).
Errors hide the values of the statement: they end in logs, where records and persons have no place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExecutionContext

BUSY_TIMEOUT_MS = 120_000
CATALOGUE_LOCK = "catalogue"
CONNECTION = {
    "application_name": "samkat",
    "connect_timeout": 10,
    # A server that is gone without a word (power, network) is noticed within a minute, even amid a statement.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
"""How a connection to PostgreSQL is made; the URL may say otherwise (`?connect_timeout=5`)."""
SESSION = {
    # The other way round: a machine that is gone must not keep its locks for the hours that the system waits.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # The default of 4 is for disks that turn: with it a whole catalogue is read for the sake of two thousand bibs that
    # an index finds in a tenth of the time.
    "random_page_cost": "1.1",
    # A process that stands still in a transaction (stopped, swapped out) holds everybody up. None thinks so long.
    "idle_in_transaction_session_timeout": "30min",
}
"""Statements have no time limit: a large one is not a dead one, and the flow has a limit of its own."""


_IN_BINARY = "samkat_in_binary"
WITH_RECORDS = {_IN_BINARY: True}
"""Execution options of a statement that reads many records: PostgreSQL sends their bytes as they are. As text it writes
each byte as two digits, for four times as much work on both sides."""


@dataclass(frozen=True)
class Warehouse:
    """A connected warehouse. `engine` is pooled; the object may be shared by threads, not by processes."""

    engine: Engine

    @property
    def is_postgresql(self) -> bool:
        """Whether PostgreSQL is behind; SQLite otherwise."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; on PostgreSQL each statement sees what was committed before it."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees the warehouse as it was at its first statement, to its end."""
        with self.engine.connect() as connection:
            if self.is_postgresql:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, lock: str | None = None, wait_seconds: float | None = None) -> Iterator[Connection]:
        """A transaction that writes; waits for `lock` first, and keeps it until the commit.

        With `wait_seconds` an `OperationalError` where others have it for longer: `away.is_passing` says so, too.
        """
        with self.engine.connect() as connection:
            connection = connection.execution_options(samkat_write=True, samkat_wait_seconds=wait_seconds)
            with connection.begin():
                if lock is not None and self.is_postgresql:
                    if wait_seconds is not None:
                        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(wait_seconds * 1000)}ms'")
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_key(lock))))
                yield connection

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def needs_no_wait(connection: Connection) -> None:
    """Let this transaction's commit return before PostgreSQL has it on disk, for work that a later run would do again.

    Whatever commits is whole, and in its order: a server that crashes loses the last such commits, never one of them
    from between. The next ordinary commit puts all before it on disk, so nothing is told or closed before its rows are
    safe. SQLite's commits wait for no disk in any case (`synchronous=NORMAL` with a write-ahead log).
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def _lock_key(name: str) -> int:
    """A stable 63-bit key for an advisory lock."""
    return int.from_bytes(hashlib.sha256(f"samkat:{name}".encode()).digest()[:8], "big") >> 1


def connect(url: str) -> Warehouse:
    """The warehouse at `url` (SQLAlchemy URL; `sqlite:///path` or `postgresql+psycopg://...`)."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return Warehouse(_postgresql_engine(parsed))
    return Warehouse(_sqlite_engine(parsed))


def _postgresql_engine(url: sa.URL) -> Engine:
    from psycopg.pq import Format

    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    given = {name: value for name, value in CONNECTION.items() if name not in url.query}
    engine = sa.create_engine(url, pool_pre_ping=True, pool_size=5, hide_parameters=True, connect_args=given)

    @sa.event.listens_for(engine, "connect")
    def _session(dbapi_connection: Any, _record: Any) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            # Compiling takes longer than most statements do.
            cursor.execute("SET jit = off")
            # A plan made once for all sets takes a set of twenty thousand for one of ten.
            cursor.execute("SET plan_cache_mode = force_custom_plan")
            for name, value in SESSION.items():
                cursor.execute(f"SET {name} = '{value}'")
        dbapi_connection.commit()

    @sa.event.listens_for(engine, "before_cursor_execute")
    def _as_asked(_c: Connection, cursor: Any, _s: str, _p: Any, context: ExecutionContext | None, _many: bool) -> None:
        if context is not None and context.execution_options.get(_IN_BINARY):
            cursor.format = Format.BINARY

    return engine


def _sqlite_engine(url: sa.URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _pragmas(dbapi_connection: Any, _record: Any) -> None:
        # SQLAlchemy's begin event says which BEGIN to use; the driver must not begin by itself.
        dbapi_connection.isolation_level = None
        for pragma in (
            # Before the journal: a new file takes it, an old one keeps its own. Records fit on fewer pages.
            "page_size=8192",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "cache_size=-65536",
            "temp_store=MEMORY",
            # Pages (128 MiB): a chunk writes the same pages again and again, and each checkpoint waits for the disk.
            # Who writes in bulk has it done beside the work (`checkpoints.py`); this bounds the log of all others.
            "wal_autocheckpoint=16384",
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("samkat_write", False):
            connection.exec_driver_sql("BEGIN")
            return
        seconds = options.get("samkat_wait_seconds")
        connection.exec_driver_sql(
            f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS if seconds is None else int(seconds * 1000)}"
        )
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
