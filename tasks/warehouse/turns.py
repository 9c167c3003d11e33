"""Whose turn it is: one run at a time works on a subject, such as a supplier's deliveries.

A turn is a row of `core_turn` that its holder renews while it lives. It is free again when the holder gives it back,
when its process is seen to be dead by another one on the same machine, and in any case 90 seconds after the last
renewal. The turn saves work that would be done twice and keeps runs readable; that nothing is loaded twice is the
ledger's affair (see docs/decisions/0010-turns.md).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import SamkatError
from schemas.warehouse.core import core_turn
from tasks.warehouse.away import PATIENCE_SECONDS, is_passing, patiently
from tasks.warehouse.engine import Warehouse

LASTS = timedelta(seconds=90)
RENEWED_EVERY_SECONDS = 20.0
LOOKS_EVERY_SECONDS = 0.5
LOCK = "turns"

log = logging.getLogger("samkat.turns")


class TurnLostError(SamkatError):
    """Another run has taken over, since this one was not heard of for longer than a turn lasts."""


@dataclass(frozen=True)
class Turn:
    """A turn that this process holds."""

    warehouse: Warehouse
    subject: str
    holder: str

    def keep(self) -> bool:
        """Renew the turn; False where another run, or a later attempt at this one, has taken it meanwhile."""
        with self.warehouse.write() as connection:
            kept = connection.execute(
                sa.update(core_turn).where(self._is_mine()).values(until=_clock(connection) + LASTS)
            ).rowcount
        return kept == 1

    def give_back(self) -> None:
        """Let the next run have it at once; nothing happens where it is another's already."""
        with self.warehouse.write() as connection:
            connection.execute(sa.delete(core_turn).where(self._is_mine()))

    def _is_mine(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            core_turn.c.subject == self.subject,
            core_turn.c.holder == self.holder,
            core_turn.c.process == this_process(),
        )


_held: ContextVar[Turn | None] = ContextVar("samkat_turn", default=None)


@contextmanager
def turn(warehouse: Warehouse, subject: str, holder: str, *, patience_seconds: float = 0) -> Iterator[Turn | None]:
    """The turn at `subject` until the end of the block; None where another run has it after `patience_seconds`.

    A run that is tried again under the same `holder` finds its own turn and goes on.
    """
    taken = _take_patiently(warehouse, subject, holder, patience_seconds)
    if taken is None:
        yield None
        return
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(taken, over), name=f"turn {subject}", daemon=True)
    renewing.start()
    token = _held.set(taken)
    is_done = False
    try:
        yield taken
        is_done = True
    finally:
        _held.reset(token)
        over.set()
        renewing.join()
        _give_back(taken, PATIENCE_SECONDS if is_done else 0)


def _give_back(taken: Turn, patience_seconds: float) -> None:
    """Give the turn back; where the database stays away it lapses, and how the run ended is not hidden by that.

    A run whose work is done waits: it has to note its end there as well. One that fails, or is told to end, does not.
    """
    try:
        patiently(taken.give_back, log.warning, patience_seconds=patience_seconds)
    except Exception as error:
        if not is_passing(error):
            raise
        log.warning("the turn at %s could not be given back, it lapses by itself: the warehouse is away", taken.subject)


def require_turn() -> None:
    """Renew the turn that the caller works under, if any: what a stage does before it begins.

    Raises `TurnLostError` where another run has it now.
    """
    mine = _held.get()
    if mine is not None and not mine.keep():
        raise TurnLostError(
            f"another run has taken over {mine.subject}",
            remedy="this one was not heard of for too long; nothing is lost, the other one goes on",
        )


def holder_of(connection: Connection, subject: str) -> str | None:
    """The run whose turn it is at `subject`, or None where it is free."""
    return _holders(connection, [subject]).get(subject)


def taken_subjects(connection: Connection) -> frozenset[str]:
    """Every subject that a living run is at."""
    return frozenset(_holders(connection, None))


def _holders(connection: Connection, subjects: Collection[str] | None) -> dict[str, str]:
    chosen = sa.select(core_turn)
    if subjects is not None:
        chosen = chosen.where(core_turn.c.subject.in_(list(subjects)))
    now = _clock(connection)
    return {row.subject: row.holder for row in connection.execute(chosen) if row.until > now and may_live(row.process)}


def _take_patiently(warehouse: Warehouse, subject: str, holder: str, patience_seconds: float) -> Turn | None:
    deadline = time.monotonic() + patience_seconds
    while True:
        taken = patiently(lambda: _take(warehouse, subject, holder), log.warning)
        if taken is not None or time.monotonic() >= deadline:
            return taken
        time.sleep(LOOKS_EVERY_SECONDS)


def _take(warehouse: Warehouse, subject: str, holder: str) -> Turn | None:
    with warehouse.write(LOCK) as connection:
        now = _clock(connection)
        if _holders(connection, [subject]).get(subject, holder) != holder:
            return None
        connection.execute(sa.delete(core_turn).where(core_turn.c.subject == subject))
        connection.execute(
            sa.insert(core_turn).values(
                subject=subject, holder=holder, process=this_process(), taken_at=now, until=now + LASTS
            )
        )
    return Turn(warehouse, subject, holder)


def _renew(taken: Turn, over: threading.Event) -> None:
    while not over.wait(RENEWED_EVERY_SECONDS):
        try:
            if not taken.keep():
                return  # the next stage of the run finds out
        except Exception as error:
            if not is_passing(error):
                log.exception("the turn at %s could not be renewed", taken.subject)
            continue  # the database is away; nobody else can take the turn there meanwhile


def _clock(connection: Connection) -> datetime:
    """One clock for all machines: the database server's. SQLite has one machine, and its own clock knows seconds."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)
    found: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return found.astimezone(UTC)


def this_process() -> str:
    """This process as others on the machine can recognise it: `boot/pid-namespace/pid/start`; empty where unknown."""
    return _process(os.getpid())


def may_live(process: str) -> bool:
    """Whether the process so named may still live; False only where this machine can see that it is dead."""
    place, _, pid_and_start = process.rpartition("/pid/")
    if not place or place != _place():
        return True
    return _process(int(pid_and_start.partition("/")[0])) == process


def _process(pid: int) -> str:
    """Empty where /proc has no such living process."""
    try:
        # The name in parentheses may hold anything; state and start time (fields 3 and 22) come behind it.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        place = _place()
    except OSError:
        return ""
    is_dead = fields[0] in ("Z", "X")
    return "" if is_dead or not place else f"{place}/pid/{pid}/{fields[19]}"


def _place() -> str:
    """This boot of this machine and its namespace of process ids; empty where the system has no such thing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
