"""Reading in a second process: the same pieces in the same order, parsed while the first process writes rows.

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
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

from schemas.errors import SamkatError
from schemas.marc import StagedPiece
from tasks.marc.reading import ReadingRules, read_delivery

T = TypeVar("T")
MemberOpener = Callable[[Path], Iterable[tuple[int, BinaryIO]]]
"""A path to (member number, stream) pairs. A function of a module, because it is called in the second process."""

_FRAME = struct.Struct(">cQ")
_ITEM, _ERROR, _END = b"I", b"E", b"Z"


def plain_file(path: Path) -> Iterator[tuple[int, BinaryIO]]:
    """A file that is not packed: one member, number 0."""
    with path.open("rb") as stream:
        yield 0, stream


def read_in_second_process(
    path: Path,
    *,
    rules: ReadingRules,
    first_position: int = 1,
    chunk_size: int = 5000,
    members: MemberOpener = plain_file,
) -> Iterator[list[StagedPiece]]:
    """As `read_delivery` over all members of a file, in lists of at most `chunk_size` pieces of one member each.

    Positions run on from one member to the next. For errors and the end see `in_second_process`.
    """
    return in_second_process(_read, path, rules, first_position, chunk_size, members)


def in_second_process(produce: Callable[..., Iterable[T]], *arguments: object) -> Iterator[T]:
    """Call a function of some module in a second process and iterate over what it gives, one item ahead.

    Function, arguments and items are pickled: large items (lists of some thousand) cost least. Whatever the function
    raises is raised here, with the same type and message, after the items before it. The second process is ended when
    the iterator is closed or has ended. Raises `SamkatError` where it dies.
    """
    job = pickle.dumps((produce, arguments))
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
                f"the process that reads ahead ended unexpectedly (exit status {process.wait()})",
                remedy="run it again; if it happens again, set parsing to one process and see the log",
            )
        if kind == _END:
            return
        content = pickle.loads(payload)
        if kind == _ERROR:
            raise content
        yield content


def _serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """What the second process does: one job from `source`, frames to `sink`."""
    # Pieces hold no reference cycles; looking for some among a chunk of them costs a tenth of the time.
    gc.set_threshold(200_000, 50, 1000)
    try:
        produce, arguments = pickle.load(source)
        for item in produce(*arguments):
            _send(sink, _ITEM, pickle.dumps(item, protocol=5))
    except BrokenPipeError:
        raise
    except Exception as error:
        _send(sink, _ERROR, _pickled(error))
    else:
        _send(sink, _END, b"")


def _read(
    path: Path, rules: ReadingRules, position: int, chunk_size: int, members: MemberOpener
) -> Iterator[list[StagedPiece]]:
    for member_no, stream in members(path):
        pieces = read_delivery(stream, member_no=member_no, first_position=position, rules=rules, file=path.name)
        while True:
            chunk: list[StagedPiece] = []
            try:
                chunk.extend(islice(pieces, chunk_size))
            except Exception:
                if chunk:
                    yield chunk
                raise
            if not chunk:
                break
            yield chunk
            position += len(chunk)


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
