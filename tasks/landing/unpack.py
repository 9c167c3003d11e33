"""A delivery's file opened: plain, gzip or zip, streamed, within limits.

Nothing is written to disk and no member name is ever used as a path. What is packed in a way that hides something
(nested archives, encryption, far more content than bytes) or is damaged rejects the whole delivery, with cause and
remedy: half of an archive is not half of a delivery.
"""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from schemas.errors import DeliveryRejectedError
from schemas.marc import Finding
from tasks.landing.packing import HEAD_BYTES, packing_of
from tasks.landing.zipped import checked_entries, read_contents

CHUNK_BYTES = 256 * 1024
RATIO_FREE_BYTES = 1024 * 1024
"""The ratio is judged from here on: a small file of records that are alike packs very well (real ones: 40 to 1)."""


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """How much may come out of one file."""

    members: int = 1000
    """Entries in a zip, folders and ignored ones included; at most 32,767 (raw_record.member_no)."""
    ratio: float = 200.0
    """Bytes out for a byte in, over the whole file."""
    bytes: int = 8 * 1024**3
    """Bytes out in all. A plain file is not limited."""


class Member(NamedTuple):
    """A file inside a delivery, numbered from 0. `stream` can be read until the next member is asked for."""

    member_no: int
    member_name: str
    stream: BinaryIO


class Unpacked(NamedTuple):
    """What came out of a file that was read to its end."""

    members: int
    size: int
    """Bytes."""


def members_of(
    stream: BinaryIO,
    name: str,
    limits: UnpackLimits | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> Iterator[Member]:
    """The members of a delivery: one for a plain or gzip file, those of a zip in the order of their names.

    `stream` stands at its beginning and stays open; a zip that cannot seek is kept in a temporary file meanwhile. What
    macOS and Windows leave in a zip is ignored and told to `on_finding`. Raises `DeliveryRejectedError`, also while a
    member's stream is being read: an archive can turn out to be damaged or too large at its last byte (`measure` reads
    it all beforehand).
    """
    limits = limits or UnpackLimits()
    counted = _Counted(stream)
    buffered = io.BufferedReader(counted, CHUNK_BYTES)
    packing = packing_of(buffered.peek(HEAD_BYTES))
    if packing == "gzip":
        yield _gzip_member(buffered, name, _Allowance(name, limits, lambda: counted.bytes_read))
    elif packing == "zip":
        yield from _zip_members(stream if stream.seekable() else buffered, name, limits, on_finding)
    elif packing:
        raise DeliveryRejectedError(
            f"it is packed as {packing}", file=name, remedy="send it plain, or packed with gzip or zip"
        )
    elif stream.seekable():
        stream.seek(0)
        yield Member(0, name, stream)
    else:
        yield Member(0, name, buffered)


def measure(
    stream: BinaryIO,
    name: str,
    limits: UnpackLimits | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> Unpacked:
    """Read everything once and keep nothing: proves that a packed file is whole and within its limits.

    Raises `DeliveryRejectedError` as `members_of` does. Costs one decompression, at constant memory; of a plain file
    that can seek nothing is read but its beginning, for it has no limits.
    """
    members = size = 0
    for member in members_of(stream, name, limits, on_finding):
        members += 1
        if member.stream is stream:
            size += stream.seek(0, io.SEEK_END)
            continue
        while chunk := member.stream.read(CHUNK_BYTES):
            size += len(chunk)
    return Unpacked(members, size)


def _gzip_member(buffered: BinaryIO, name: str, allowance: _Allowance) -> Member:
    packed = gzip.GzipFile(fileobj=buffered, mode="rb")
    inner_name = name[:-3] if name.lower().endswith(".gz") and len(name) > 3 else name
    return Member(0, inner_name, _limited(packed, name, "", allowance))


def _zip_members(
    stream: BinaryIO, name: str, limits: UnpackLimits, on_finding: Callable[[Finding], None] | None
) -> Iterator[Member]:
    with ExitStack() as stack:
        whole = stream
        if not stream.seekable():
            whole = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, whole, CHUNK_BYTES)
        packed_size = whole.seek(0, io.SEEK_END)
        with damage_rejects(name):
            archive = stack.enter_context(read_contents(whole, name))
        entries = checked_entries(archive, name, limits.members, on_finding)
        allowance = _Allowance(name, limits, lambda: packed_size)
        allowance.foresee(sum(each.file_size for each in entries))
        for number, entry in enumerate(entries):
            with damage_rejects(name, entry.filename):
                packed = archive.open(entry)
            with packed:
                yield Member(number, entry.filename, _limited(packed, name, entry.filename, allowance))


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Counted(io.RawIOBase):
    """Any stream as a raw one, which counts what is taken from it."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        # Filled to the end: a short read (a socket) would leave too few bytes to see what the file is.
        filled = 0
        while filled < len(buffer) and (chunk := self._stream.read(len(buffer) - filled)):
            buffer[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        self.bytes_read += filled
        return filled


class _Allowance:
    """How much has come out of one file, over all of its members; rejects the delivery when it is too much."""

    def __init__(self, name: str, limits: UnpackLimits, packed_bytes: Callable[[], int]) -> None:
        self._name = name
        self._limits = limits
        self._packed_bytes = packed_bytes
        self._unpacked = 0

    def spend(self, size: int) -> None:
        self._unpacked += size
        self._judge(self._unpacked)

    def foresee(self, size: int) -> None:
        """What the archive itself says will come out."""
        self._judge(size)

    def _judge(self, size: int) -> None:
        if size > self._limits.bytes:
            raise DeliveryRejectedError(
                f"it unpacks to more than {self._limits.bytes:,} bytes",
                file=self._name,
                remedy="send it in several files, or have the limit raised",
            )
        packed = max(self._packed_bytes(), 1)
        if size > RATIO_FREE_BYTES and size > self._limits.ratio * packed:
            raise DeliveryRejectedError(
                f"it unpacks to more than {self._limits.ratio:g} times its size",
                file=self._name,
                remedy="send it plain; a file of records does not pack that well",
            )


class _Limited(io.RawIOBase):
    """The unpacked bytes of one member; damage and broken limits end in a rejected delivery."""

    def __init__(self, packed: _Readable, name: str, member: str, allowance: _Allowance) -> None:
        self._packed = packed
        self._name = name
        self._member = member
        self._allowance = allowance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with damage_rejects(self._name, self._member):
            chunk = self._packed.read(len(buffer))
        self._allowance.spend(len(chunk))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _limited(packed: _Readable, name: str, member: str, allowance: _Allowance) -> BinaryIO:
    stream = io.BufferedReader(_Limited(packed, name, member, allowance), CHUNK_BYTES)
    nested = packing_of(stream.peek(HEAD_BYTES))
    if nested:
        raise DeliveryRejectedError(
            f"it holds a {nested} archive{f' ({member})' if member else ''}: archives within archives are not opened",
            file=name,
            remedy="pack the files once, with gzip or zip",
        )
    return stream


@contextmanager
def damage_rejects(name: str, member: str = "") -> Iterator[None]:
    """What the unpackers raise about damaged content becomes a `DeliveryRejectedError`; errors of the disk do not."""
    where = f" at {member}" if member else ""
    try:
        yield
    except EOFError as error:
        raise DeliveryRejectedError(
            f"the packed data ends too early{where}",
            file=name,
            remedy="it was cut off, or was still being sent: send it again",
        ) from error
    except NotImplementedError as error:
        raise DeliveryRejectedError(
            f"it is packed in a way that is not supported{where}: {error}", file=name, remedy="pack it with deflate"
        ) from error
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, struct.error, UnicodeDecodeError) as error:
        raise DeliveryRejectedError(
            f"the packed data is damaged{where}: {error}", file=name, remedy="pack it again and send it again"
        ) from error
