"""Work in a second process: what a generator yields there comes out here, in order, while this process goes on.

The second process is a fresh interpreter that runs this module and nothing else. `multiprocessing` would import the
caller's main module into it again (under Prefect seconds of imports, and as much memory), and a fork would share the
caller's database connections.

Frames go through one pipe, and some wait here (`AHEAD`), so that the second process goes on while this one is at
something else. It ends when its pipe closes, so it never outlives the first one by more than an item.
"""

from __future__ import annotations

import gc
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import IO, Any, ParamSpec, TypeVar

from schemas.errors import SamkatError

P = ParamSpec("P")
R = TypeVar("R")

_FRAME = struct.Struct(">cQ")
_Frames = Queue[tuple[bytes, bytes]]
AHEAD = 2
"""Frames that wait, besides the one that is taken and the one that is being made."""
PIPE_BYTES = 1024 * 1024
"""What every user of Linux may have. After each read the reading thread waits its turn (5 ms), so few must do."""
_ITEM, _ERROR, _END = b"P", b"E", b"Z"


def in_second_process(
    function: Callable[P, Iterable[R]], *args: P.args, **kwargs: P.kwargs
) -> Generator[R, None, None]:
    """What `function(*args, **kwargs)` yields, computed in a second process.

    The function must be one of a module, its arguments and items picklable. Whatever it raises is raised here, with
    the same type and message, after the items before it. The second process is started for the first item, and ended
    when the iterator is closed or has ended.
    """
    with second_process(function, *args, **kwargs) as items:
        yield from items


@contextmanager
def second_process(function: Callable[P, Iterable[R]], *args: P.args, **kwargs: P.kwargs) -> Iterator[Iterator[R]]:
    """As `in_second_process`, but the second process starts at once, and ends with the context."""
    job = pickle.dumps((function, args, kwargs))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        pipesize=PIPE_BYTES,
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    waiting: _Frames = Queue(AHEAD)
    reader = threading.Thread(target=_read_ahead, args=(process.stdout, waiting), daemon=True)
    reader.start()
    try:
        with process.stdin as sink:
            sink.write(job)
        yield _items(waiting, process)
    finally:
        process.kill()
        while reader.is_alive():
            with suppress(Empty):
                waiting.get(timeout=0.01)
        process.stdout.close()
        process.wait()


def _read_ahead(source: IO[bytes], waiting: _Frames) -> None:
    """Take frames out of the pipe until the last one; one without a kind where it broke off."""
    kind = _ITEM
    while kind == _ITEM:
        head = source.read(_FRAME.size)
        kind, size = _FRAME.unpack(head) if len(head) == _FRAME.size else (b"", 0)
        payload = source.read(size)
        if len(payload) < size:
            kind = b""
        waiting.put((kind, payload))


def _items(waiting: _Frames, process: subprocess.Popen[bytes]) -> Iterator[Any]:
    while True:
        kind, payload = waiting.get()
        if not kind:
            raise SamkatError(
                f"the second process ended unexpectedly (exit status {process.wait()})",
                remedy="run it again; if it happens again, set SAMKAT_SECOND_PROCESS=false and see the log",
            )
        if kind == _END:
            return
        content = pickle.loads(payload)
        if kind == _ERROR:
            raise content
        yield content


def _serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """What the second process does: one job from `source`, frames to `sink`."""
    # Rows hold no reference cycles; looking for some among a chunk of them costs a tenth of the time.
    gc.set_threshold(200_000, 50, 1000)
    try:
        function, args, kwargs = pickle.load(source)
        for item in function(*args, **kwargs):
            _send(sink, _ITEM, pickle.dumps(item, protocol=5))
    except BrokenPipeError:
        raise
    except Exception as error:
        _send(sink, _ERROR, _pickled(error))
    else:
        _send(sink, _END, b"")


def _pickled(error: Exception) -> bytes:
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:
        return pickle.dumps(SamkatError(f"{type(error).__name__}: {error}"))
    return content


def _send(sink: IO[bytes], kind: bytes, payload: bytes) -> None:
    sink.write(_FRAME.pack(kind, len(payload)))
    sink.write(payload)
    sink.flush()


def main() -> None:
    """Entry of the second process. Its standard output is the pipe, so whatever else is printed goes to stderr."""
    with os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(2, 1)
        try:
            _serve(sys.stdin.buffer, sink)
        except (BrokenPipeError, KeyboardInterrupt):
            os._exit(1)  # the first process is gone or going: nobody is left to tell


if __name__ == "__main__":
    main()
