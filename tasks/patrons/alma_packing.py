"""Users packed for Alma's synchronise job: zips of at most 50 XML files, in constant memory, the same bytes each time.

A file that is whole is written before the next user is asked for, so any number of users takes the memory of one.
Times inside the zip are fixed: the same users make the same bytes, so that a repeated run can be recognised.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import IO, BinaryIO, Final, NamedTuple

import orjson

MAX_FILES: Final = 50
"""XML files that one zip may hold (Alma's synchronise job)."""
HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n<users>\n'
TAIL: Final = b"</users>\n"
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say."""
_BUFFER_BYTES = 64 * 1024


class PackedFile(NamedTuple):
    """One XML file inside a zip."""

    name: str
    persons: int
    size: int
    """Bytes, unpacked."""
    sha256: str


class PackedZip(NamedTuple):
    """One zip as it was written."""

    name: str
    persons: int
    size: int
    """Bytes, packed."""
    sha256: str
    files: tuple[PackedFile, ...]
    content: BinaryIO
    """At its beginning; to be read before the next zip is asked for."""

    def manifest(self) -> bytes:
        """What stands beside it: JSON with counts and sums, and nothing of any person."""
        return orjson.dumps(
            {
                "persons": self.persons,
                "sha256": self.sha256,
                "size": self.size,
                "files": [each._asdict() for each in self.files],
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )


def pack_users(users: Iterable[bytes], prefix: str, persons_per_file: int) -> Iterator[PackedZip]:
    """Pack `users` (whole `user` elements, as the composer makes them) into `PREFIX_001.zip` and so on.

    Each zip lies in a temporary file without a name until the next one is asked for. No zip is made of nobody: an empty
    synchronise file is a mistake, never a message.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", prefix) or persons_per_file < 1:
        raise ValueError("a prefix of letters, digits, dots and dashes, and at least one person a file are needed")
    waiting = iter(users)
    number = 0
    while (first := next(waiting, None)) is not None:
        number += 1
        stem = f"{prefix}_{number:03}"
        share = islice(chain([first], waiting), MAX_FILES * persons_per_file)
        with tempfile.TemporaryFile() as stream:
            # Sizes stand before the content, since the file can seek: some readers of zip know no other way.
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                files = tuple(_files(archive, share, stem, persons_per_file))
            size = stream.tell()
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            yield PackedZip(f"{stem}.zip", sum(each.persons for each in files), size, digest, files, stream)


def _files(archive: zipfile.ZipFile, users: Iterator[bytes], stem: str, persons_per_file: int) -> Iterator[PackedFile]:
    number = 0
    while (first := next(users, None)) is not None:
        number += 1
        entry = zipfile.ZipInfo(f"{stem}_{number:02}.xml", _TIME)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3  # the same on every system
        entry.external_attr = 0o644 << 16
        with archive.open(entry, "w") as member:
            packed = _file(member, entry.filename, chain([first], islice(users, persons_per_file - 1)))
        yield packed


def _file(member: IO[bytes], name: str, users: Iterable[bytes]) -> PackedFile:
    digest, size, persons = hashlib.sha256(), 0, 0
    buffer = bytearray(HEAD)
    for user in users:
        persons += 1
        buffer += user
        if len(buffer) >= _BUFFER_BYTES:
            digest.update(buffer)
            size += member.write(buffer)
            buffer.clear()
    buffer += TAIL
    digest.update(buffer)
    size += member.write(buffer)
    return PackedFile(name, persons, size, digest.hexdigest())
