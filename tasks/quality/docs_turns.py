"""Whose turn it is to make Data Docs in one home: one process at a time, and at most one more that waits.

Locks are on files and are held by open files, so the system lets go of them however a process ends. A run that ends
while another is at work needs no second one behind it where one waits already: the one that waits looks for work only
when its turn comes, and then finds what both have left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

AT_WORK = ".at-work.lock"
WAITING = ".waiting.lock"
LARGEST_LOG_BYTES = 1_000_000
PROJECT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[bool]:
    """Whether it is our turn to make Data Docs in `folder`, until the end of the block; False: others are at it."""
    with _lock(folder / AT_WORK) as file:
        yield file is not None


def wait_for_turn(folder: Path) -> None:
    """Wait until nobody is at work in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / AT_WORK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def start_waiting(folder: Path, module: str, log: Path, environment: Mapping[str, str]) -> int | None:
    """Start `python -m MODULE FD` as a process of its own that outlives this one; None where one waits already.

    The new process holds the waiting place from its first moment on, by the open file FD; it closes that when its
    turn has come. Its output goes to `log`. Returns its process id. Raises `OSError` where it cannot be started.
    """
    with _lock(folder / WAITING) as place:
        if place is None:
            return None
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", module, str(place.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=PROJECT,
                start_new_session=True,
                pass_fds=(place.fileno(),),
            )
        return child.pid


def leave_waiting_place(file_number: int) -> None:
    """Let the next one wait: what a process started by `start_waiting` does when its turn has come."""
    os.close(file_number)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[IO[bytes] | None]:
    """The lock, or None where somebody holds it. Closing our file leaves the lock with a child that has it too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            yield None
        else:
            yield file
