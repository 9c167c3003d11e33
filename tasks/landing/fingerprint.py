"""The fingerprint of a file: its sha256 and its size. A delivery's identity is (sender, sha256), never its name."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 1024 * 1024


class Fingerprint(NamedTuple):
    """`sha256` in 64 lower-case hex digits, `size` in bytes."""

    sha256: str
    size: int


def fingerprint(stream: BinaryIO) -> Fingerprint:
    """Read `stream` from where it stands to its end, 1 MiB at a time, and return its fingerprint."""
    digest = hashlib.sha256()
    size = 0
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return Fingerprint(digest.hexdigest(), size)


def copy_with_fingerprint(source: BinaryIO, target: BinaryIO) -> Fingerprint:
    """Write what is left of `source` to `target`, and return the fingerprint of what was written."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        target.write(chunk)
        size += len(chunk)
    return Fingerprint(digest.hexdigest(), size)


def fingerprint_of(content: bytes) -> Fingerprint:
    """The fingerprint of bytes that are in memory already."""
    return Fingerprint(hashlib.sha256(content).hexdigest(), len(content))
