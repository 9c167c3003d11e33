"""SQLite's write-ahead log, brought into the file beside the work.

A checkpoint copies the pages of the log into the file and waits twice for the disk. SQLite does it inside a commit, and
who writes in bulk would stand still; here a thread with a connection of its own does it while the next chunk is made.
Checkpoints change nothing that a transaction sees or that a crash leaves: what a commit promised it promised before.

The log's files are never opened here but by SQLite: whoever closes one takes away the locks of all its connections.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Engine

BESIDE_FROM_BYTES = 16 * 1024 * 1024
"""A smaller log is left to SQLite. It counts what the log has grown to since it was opened, not what is in it now."""
PAUSE_SECONDS, PAUSE_TIMES = 1.0, 10
"""After each checkpoint a pause, so many times as long as it took: chunks write the same pages of the indexes again and
again, and a slow disk has enough to do."""
THREAD = "samkat-checkpoint"


def checkpoint_beside(engine: Engine) -> None:
    """Start a checkpoint of a large log beside the work, unless one is under way or was just done; waits for nothing.

    To be called after the commit of a chunk. Does nothing on PostgreSQL.
    """
    database = engine.url.database
    if engine.dialect.name == "sqlite" and database and database != ":memory:":
        _LOGS.setdefault(engine, _Log(Path(database).absolute())).checkpoint_beside()


class _Log:
    """The log of one database."""

    def __init__(self, database: Path) -> None:
        self._file = database.with_name(f"{database.name}-wal")
        self._uri = f"{database.as_uri()}?mode=rw"  # a warehouse that was removed must not come back
        self._thread: threading.Thread | None = None
        self._not_before = 0.0

    def checkpoint_beside(self) -> None:
        is_under_way = self._thread is not None and self._thread.is_alive()
        if not is_under_way and time.monotonic() >= self._not_before and self._size() >= BESIDE_FROM_BYTES:
            self._thread = threading.Thread(target=self._checkpoint, name=THREAD, daemon=True)
            self._thread.start()

    def _size(self) -> int:
        with suppress(OSError):
            return self._file.stat().st_size
        return 0

    def _checkpoint(self) -> None:
        import sqlite3  # for who works on SQLite alone

        began = time.monotonic()
        # Whatever fails here, a later commit does: SQLite goes on counting the pages of the log.
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._uri, uri=True, isolation_level=None)) as own:
            own.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        ended = time.monotonic()
        self._not_before = ended + max(PAUSE_SECONDS, PAUSE_TIMES * (ended - began))


_LOGS: WeakKeyDictionary[Engine, _Log] = WeakKeyDictionary()
