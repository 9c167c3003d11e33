"""The landing zone kept in a bucket of an object store that speaks S3.

A store has no rename, so a move is: read and prove, copy within the store, prove the copy, delete. Killed anywhere in
it, the same move done again ends the same. What stands or falls with the store's conditional writes, and what is done
where it has none, is told in docs/decisions/0013-moves-on-s3.md.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from schemas.errors import ConfigurationError
from tasks.landing import bucket as requests
from tasks.landing.bucket import Bucket, StoredObject
from tasks.landing.bucket_listing import listed_object
from tasks.landing.bucket_reading import open_object
from tasks.landing.fingerprint import Fingerprint, fingerprint, fingerprint_of
from tasks.landing.handing import hand_in
from tasks.landing.keys import Area, KeyRefusedError, check_key, check_part, elsewhere
from tasks.landing.zone import (
    LandedFile,
    NotLandedError,
    RefusedFile,
    StoreAwayError,
    StoredFile,
    content_changed,
    key_taken,
    neither_here_nor_there,
    not_landed,
)

PART_BYTES = 16 * 1024 * 1024
"""What is sent in one request; a file has at most 10,000 parts, so 156 GiB."""
MARKER = f"{Area.INCOMING}/.samkat"
"""Left by `prepare`. A prefix that is written wrongly would otherwise look like a night without deliveries."""
MARKER_TEXT = b"A landing zone of Samkat begins here. Made by `samkat init`; leave it.\n"


class S3Zone:
    """See `LandingZone`. Nothing is asked of the store before the first call."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._start = bucket.uri_start

    def prepare(self, senders: Iterable[str] = ()) -> None:
        """See `LandingZone`. Leaves a marker; senders need no folder in a store, only a right to write.

        Raises `ConfigurationError` where there is no such bucket. Logs a warning where the store does not keep
        conditional writes.
        """
        for sender in senders:
            check_part(sender)
        if not self.keeps_conditions():
            logging.getLogger("samkat.landing").warning(
                "%s does not keep conditional writes (If-None-Match): see docs/landing.md", self._bucket.url
            )

    def keeps_conditions(self) -> bool:
        """Whether the store refuses to write over an object when it is asked to. Writes the marker to find out."""
        self._bucket.put(MARKER, MARKER_TEXT, only_new=True)
        return not self._bucket.put(MARKER, MARKER_TEXT, only_new=True)

    def waiting(self, sender: str | None = None) -> list[LandedFile]:
        """See `LandingZone`. Raises `ConfigurationError` where no `prepare` was here: a wrong prefix is no empty
        zone."""
        found = [each for each in self._listed(sender) if isinstance(each, LandedFile)]
        return sorted(found, key=lambda each: (each.modified_at, each.name, each.key))

    def refused(self, sender: str | None = None) -> list[RefusedFile]:
        """See `LandingZone`."""
        return sorted(each for each in self._listed(sender) if isinstance(each, RefusedFile))

    def stored(self, area: Area) -> Iterator[StoredFile]:
        """See `LandingZone`."""
        for each in self._bucket.listed(f"{area}/"):
            with contextlib.suppress(KeyRefusedError):
                yield StoredFile(self.uri_for(each.key), each.key, each.size, each.modified_at)

    def open(self, uri: str) -> BinaryIO:
        """See `LandingZone`. It can seek, and holds 8 MiB in memory."""
        return open_object(self._bucket, self._found(self.key_of(uri)))

    def size(self, uri: str) -> int:
        """See `LandingZone`."""
        return self._found(self.key_of(uri)).size

    def exists(self, uri: str) -> bool:
        """See `LandingZone`."""
        return self._bucket.head(self.key_of(uri)) is not None

    def put(self, key: str, content: bytes | BinaryIO, *, overwrite: bool = False, sha256: str | None = None) -> str:
        """See `LandingZone`. A stream is sent as it is read, 16 MiB at a time, and seen when all of it is there."""
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        uri = self.uri_for(key)
        part = _filled(stream)
        if len(part) < PART_BYTES:
            whole = part
            written = fingerprint_of(whole)
            self._settle(key, written, sha256, overwrite, lambda: self._bucket.put(key, whole, only_new=not overwrite))
            return uri
        digest, size = hashlib.sha256(), 0
        with self._bucket.upload(key) as upload:
            while part:
                digest.update(part)
                size += len(part)
                upload.add(part)
                part = _filled(stream)
            written = Fingerprint(digest.hexdigest(), size)
            self._settle(key, written, sha256, overwrite, lambda: upload.complete(only_new=not overwrite))
        return uri

    def _settle(
        self, key: str, written: Fingerprint, sha256: str | None, overwrite: bool, write: Callable[[], bool]
    ) -> None:
        """Let `write` happen where it may; it says False where there was something under `key` after all."""
        if sha256 is not None and written.sha256 != sha256:
            raise content_changed(key)
        there = self._holds(key, written)
        if there:
            return
        if there is False and not overwrite:
            raise key_taken(key)
        if write():
            return
        there = self._holds(key, written)
        if there is None:
            raise StoreAwayError(errno.EAGAIN, "what was written to the object store is not there", key)
        if there is False:
            raise key_taken(key)

    def move(self, uri: str, key: str, *, sha256: str | None = None) -> str:
        """See `LandingZone`. The bytes are read once to prove them, and copied within the store."""
        source_key, new_uri = self.key_of(uri), self.uri_for(key)
        source = self._bucket.head(source_key)
        try:
            if source is not None:
                self._bring(source, key, sha256)
                return new_uri
        except NotLandedError:
            pass  # another run has moved it since
        self._prove_moved(source_key, key, sha256)
        return new_uri

    def _bring(self, source: StoredObject, key: str, sha256: str | None) -> None:
        if source.key == key and sha256 is None:
            return
        with open_object(self._bucket, source) as stream:
            content = fingerprint(stream)
        if sha256 is not None and content.sha256 != sha256:
            raise content_changed(source.key)
        if source.key == key:
            return
        there = self._holds(key, content)
        if there is None:
            there = self._copy(source, key, content)
        if there is False:
            raise key_taken(key)
        self._take_away(source)

    def _copy(self, source: StoredObject, key: str, content: Fingerprint) -> bool:
        """Copy within the store and prove the copy; False where another writer's other content is there instead."""
        if source.size > requests.MOST_COPIED_BYTES:
            return self._copy_large(source, key, content)
        etag = self._bucket.copy(source, key)
        # The same etag is the store's own word that it is the same content; with another one only reading tells.
        if etag == source.etag:
            return True
        there = self._holds(key, content)
        if etag is None and there is None:
            raise content_changed(source.key)
        if etag is not None and not there:
            # A store without conditions has copied what was sent again meanwhile: that is still at its place.
            self._bucket.delete(key)
            raise content_changed(source.key)
        return bool(there)

    def _copy_large(self, source: StoredObject, key: str, content: Fingerprint) -> bool:
        with self._bucket.upload(key) as upload:
            step = requests.COPIED_PART_BYTES
            ranges = ((first, min(first + step, source.size) - 1) for first in range(0, source.size, step))
            if all(upload.add_copied(source, first, last) for first, last in ranges):
                upload.complete(only_new=True)
                return bool(self._holds(key, content))
        # A store that cannot copy in parts: the bytes go through this machine.
        with open_object(self._bucket, source) as stream:
            self.put(key, stream, sha256=content.sha256)
        return True

    def _take_away(self, source: StoredObject) -> None:
        """Delete what was copied. What the sender has put in its place meanwhile must not be deleted unread."""
        now = self._bucket.head(source.key)
        if now is None:
            return
        same = (now.etag, now.size, now.modified_at) == (source.etag, source.size, source.modified_at)
        if not same or not self._bucket.delete(source.key, only=source):
            raise content_changed(source.key)

    def _prove_moved(self, source_key: str, key: str, sha256: str | None) -> None:
        """Raise unless the file that is gone from `source_key` is under `key`."""
        found = self._bucket.head(key)
        if found is not None:
            if sha256 is None:
                return
            with open_object(self._bucket, found) as stream:
                if fingerprint(stream).sha256 == sha256:
                    return
        raise neither_here_nor_there(source_key, key)

    def delete(self, uri: str) -> None:
        """See `LandingZone`. In a bucket with versions the older versions stay."""
        self._bucket.delete(self.key_of(uri))

    def uri_for(self, key: str) -> str:
        """See `LandingZone`. `s3://bucket/prefix/key`, the key percent-encoded."""
        return self._start + quote(check_key(key))

    def local_path(self, uri: str) -> Path | None:
        """See `LandingZone`. Always None."""
        self.key_of(uri)
        return None

    def key_of(self, uri: str) -> str:
        """See `LandingZone`."""
        if not uri.startswith(self._start):
            raise elsewhere(uri, self._start)
        return check_key(unquote(uri.removeprefix(self._start), errors="surrogateescape"))

    def adopt(self, path: Path, sender: str) -> str:
        """See `LandingZone`."""
        check_part(sender)
        return hand_in(self, path, sender)

    def incoming_key(self, bucket: str, object_key: str) -> str | None:
        """The key of a file that waits, as a bucket's event names it; None for what `waiting` would not list."""
        key = self._bucket.key_at(bucket, object_key)
        if key is None or not key.startswith(f"{Area.INCOMING}/") or key.count("/") < 2:
            return None
        try:
            return check_key(key)
        except KeyRefusedError:
            return None

    def _listed(self, sender: str | None) -> Iterator[LandedFile | RefusedFile]:
        start = f"{Area.INCOMING}/" if sender is None else f"{Area.INCOMING}/{check_part(sender)}/"
        nothing = True
        for each in self._bucket.listed(start):
            nothing = False
            landed = listed_object(each, self.uri_for)
            if landed is not None:
                yield landed
        # Listed with all the others, the marker is seen by itself.
        if nothing and self._bucket.head(MARKER) is None:
            raise ConfigurationError(
                f"there is no landing zone at {self._bucket.url}",
                field="LANDING_URL",
                remedy="is the prefix right? `samkat init` begins a new landing zone",
            )

    def _found(self, key: str) -> StoredObject:
        found = self._bucket.head(key)
        if found is None:
            raise not_landed(key)
        return found

    def _holds(self, key: str, content: Fingerprint) -> bool | None:
        """Whether `content` is what is under `key`; None where nothing is."""
        found = self._bucket.head(key)
        if found is None:
            return None
        if found.size != content.size:
            return False
        with open_object(self._bucket, found) as stream:
            return fingerprint(stream) == content


def _filled(stream: BinaryIO) -> bytes:
    """The next `PART_BYTES` of a stream, or what is left: a socket gives less than it is asked for."""
    part = bytearray()
    while len(part) < PART_BYTES and (chunk := stream.read(PART_BYTES - len(part))):
        part += chunk
    return bytes(part)
