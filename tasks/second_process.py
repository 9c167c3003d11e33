"""Work in a second process: what a generator yields there comes out here, in order, while this process goes on.

The second process is a fresh interpreter that runs this module and nothing else. `multiprocessing` would import the
caller's main module into it again (under Prefect seconds of imports, and as much memory), and a fork would share the
caller's database connections.

Frames go through one pipe: the second process is one item ahead, then it waits. It ends when its pipe closes, so it
never outlives the first one by more than an item.
"""

from __future__ import annotations

import gc
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import IO, Any, ParamSpec, TypeVar

from schemas.errors import SamkatError

P = ParamSpec("P")
R = TypeVar("R")

_FRAME = struct.Struct(">cQ")
_ITEM, _ERROR, _END = b"P", b"E", b"Z"


def in_second_process(
    function: Callable[P, Iterable[R]], *args: P.args, **kwargs: P.kwargs
) -> Generator[R, None, None]:
    """What `function(*args, **kwargs)` yields, computed in a second process.

    The function must be one of a module, its arguments and items picklable. Whatever it raises is raised here, with
    the same type and message, after the items before it. The second process is ended when the iterator is closed or
    has ended.
    """
    job = pickle.dumps((function, args, kwargs))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    try:
        with process.stdin as sink:
            sink.write(job)
        yield from _items(process.stdout, process)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _items(source: IO[bytes], process: subprocess.Popen[bytes]) -> Iterator[Any]:
    while True:
        head = source.read(_FRAME.size)
        kind, size = _FRAME.unpack(head) if len(head) == _FRAME.size else (b"", 0)
        payload = source.read(size)
        if not kind or len(payload) < size:
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
