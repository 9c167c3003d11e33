"""What is away comes back: which faults of the database pass, and how long work outside a stage waits for it.

A stage is tried again by Prefect (tasks/stage.py). What surrounds the stages of a run, such as its row in `core_run`
and its turn, waits here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from schemas.errors import SamkatError

R = TypeVar("R")

PATIENCE_SECONDS = 300.0
"""Longer than the retries of a stage last on average: what a stage outlives, the run around it outlives too."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 15.0
_REFUSED = ("password authentication failed", "no pg_hba.conf entry", "does not exist")
"""The server is there and says no: bare texts, since the driver has no code for a log-in that fails."""


def is_passing(error: BaseException) -> bool:
    """Whether trying again can help: the database or a file store was away, and nothing is wrong with the work."""
    if isinstance(error, SamkatError):
        return False
    if isinstance(error, DBAPIError):
        away = isinstance(error, OperationalError) or bool(error.connection_invalidated)
        return away and not _is_refused(error)
    if isinstance(error, sa.exc.TimeoutError):
        return True  # every connection of the pool is in use, as when many wait for a server that is away
    # Connections and time-outs are OSErrors, too.
    return (isinstance(error, OSError) or _is_of_driver(error)) and not _is_refused(error)


def _is_of_driver(error: BaseException) -> bool:
    """COPY is spoken to PostgreSQL's driver itself, so its errors come bare; on SQLite nobody has imported it."""
    driver = sys.modules.get("psycopg")
    return driver is not None and isinstance(error, driver.OperationalError)


def _is_refused(error: BaseException) -> bool:
    text = str(error)
    return "connection" in text and any(each in text for each in _REFUSED)


def patiently(
    work: Callable[[], R], tell: Callable[[str], None] | None = None, *, patience_seconds: float = PATIENCE_SECONDS
) -> R:
    """What `work` returns, tried again while the database is away, with growing waits up to `patience_seconds`.

    `work` must be harmless when it is done twice. `tell` gets a line for each wait. Raises what `work` raised last.
    """
    deadline = time.monotonic() + patience_seconds
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            return work()
        except Exception as error:
            if not is_passing(error) or time.monotonic() + wait > deadline:
                raise
            if tell is not None:
                tell(f"the warehouse is away ({type(error).__name__}), next try in {wait:.0f} s")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
