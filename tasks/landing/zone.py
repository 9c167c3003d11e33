"""The landing zone as the rest of Samkat sees it: one small interface, whatever store is behind it.

The interface is what an object store can do: keys under a prefix, streams, conditional writes, listing. It knows no
directories, no rename and no locks. A file that is there is named by its URI; a place where something is to be
written is named by its key (see keys.py). `folder.py` keeps the zone in a folder, `s3.py` in a bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from schemas.errors import SamkatError
from tasks.landing.keys import Area


class LandedFile(NamedTuple):
    """A file that waits below `incoming/<sender>/`. It may still be growing: see settle.py."""

    uri: str
    key: str
    sender: str
    name: str
    """The last part of the key: the file name as the sender wrote it."""
    size: int
    """Bytes."""
    modified_at: datetime
    """UTC, as the store tells it."""


class StoredFile(NamedTuple):
    """A file that is kept in an area other than `incoming/`."""

    uri: str
    key: str
    size: int
    """Bytes."""
    modified_at: datetime
    """UTC, as the store tells it: when it was written last."""


class RefusedFile(NamedTuple):
    """Something below `incoming/` that can never be taken as it is, with the reason in words."""

    sender: str
    """Empty for what lies outside every sender's folder."""
    name: str
    """Path below `incoming/`, printable."""
    reason: str
    remedy: str


class NotLandedError(SamkatError):
    """There is no file at this URI (any more)."""


class KeyTakenError(SamkatError):
    """Other content stands under this key already; it was left as it is."""


class ContentChangedError(SamkatError):
    """A file is not what it was when its fingerprint was taken: it was sent again, or is still being written."""


class UnreadableFileError(SamkatError):
    """The store holds the file back: the rights are missing, or it is no plain file."""


class StoreAwayError(ConnectionError):
    """The store does not answer, or asks to be left alone for a while: trying again later can help.

    No `SamkatError`: nothing is wrong with the work, and a stage tries again what is an `OSError`.
    """


def not_landed(key: str) -> NotLandedError:
    """There is no file under `key`."""
    return NotLandedError("is not in the landing zone", file=key, remedy="was it moved or deleted?")


def neither_here_nor_there(source_key: str, key: str) -> NotLandedError:
    """A file that should be moved from one key to another is under none of them."""
    return NotLandedError(
        f"is neither there nor under {key}",
        file=source_key,
        remedy="ask the sender to send it again; what was read of it is in the warehouse",
    )


def key_taken(key: str) -> KeyTakenError:
    """Other content stands under `key`."""
    return KeyTakenError(
        "other content is there already; it was left as it is",
        file=key,
        remedy="look at both, then delete or rename one",
    )


def content_changed(key: str) -> ContentChangedError:
    """The file under `key` is not what it was."""
    return ContentChangedError(
        "the file changed while it was worked on: it was sent again, or is still being written",
        file=key,
        remedy="nothing was moved; run again, the new content is a delivery of its own",
    )


class LandingZone(Protocol):
    """Where files come in and where they end up. Every write is atomic and can be repeated without harm."""

    def prepare(self, senders: Iterable[str] = ()) -> None:
        """Make the areas, and `incoming/<sender>/` for each sender, where the store has something like folders."""
        ...

    def waiting(self, sender: str | None = None) -> list[LandedFile]:
        """Files below `incoming/<sender>/`, of all senders where none is given; oldest first, then by name.

        Hidden files are left out; what cannot be taken at all is told by `refused`.
        """
        ...

    def refused(self, sender: str | None = None) -> list[RefusedFile]:
        """What lies in `incoming/` and can never be taken: links, names without a sender, unusable names."""
        ...

    def stored(self, area: Area) -> Iterator[StoredFile]:
        """Every file below an area that is not `incoming/`, in no order. What this zone did not write is left out."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """The bytes of a file, from the start; the caller closes it. Raises `NotLandedError` where it is gone."""
        ...

    def size(self, uri: str) -> int:
        """Bytes. Raises `NotLandedError` where it is gone."""
        ...

    def exists(self, uri: str) -> bool:
        """Whether there is a file at `uri`."""
        ...

    def put(self, key: str, content: bytes | BinaryIO, *, overwrite: bool = False, sha256: str | None = None) -> str:
        """Write a file as a whole or not at all, and return its URI. The same content again changes nothing.

        Raises `KeyTakenError` where other content stands under `key` and `overwrite` is not set, and
        `ContentChangedError` where `sha256` is given and the content has another one.
        """
        ...

    def move(self, uri: str, key: str, *, sha256: str | None = None) -> str:
        """Bring a file to `key` and return its new URI. A move that was done, or half done, before is finished.

        With `sha256` nothing else than this content is moved, and a move that seems to be done is proved.
        Raises `NotLandedError` (neither here nor there), `KeyTakenError`, `ContentChangedError`; in each case every
        file stays where it is.
        """
        ...

    def delete(self, uri: str) -> None:
        """Remove a file; nothing happens where there is none."""
        ...

    def uri_for(self, key: str) -> str:
        """The URI that a file under `key` has or would have. Raises `KeyRefusedError`."""
        ...

    def local_path(self, uri: str) -> Path | None:
        """The file behind a URI, where this machine has it as a file; None where it has to be fetched."""
        ...

    def key_of(self, uri: str) -> str:
        """The key behind a URI of this zone. Raises `KeyRefusedError` for a URI that is not of this zone."""
        ...

    def adopt(self, path: Path, sender: str) -> str:
        """Take in a file that a person named on the command line, and return its URI in the zone.

        It is copied to `handed/<sender>/<first 12 of sha256>/<name>`; the person's file stays as and where it is. A
        file that already waits in this sender's folder of the zone is taken as it is. Raises `UsageError` where there
        is no such file or it cannot be read.
        """
        ...
