"""Reading an object like a file: from anywhere in it, a piece a request, and always the same version of it.

A stage reads for minutes while it writes to the warehouse. One long answer would be cut off by then, so each piece is
a request of its own, which can be made again.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from tasks.landing.bucket import Bucket, StoredObject
from tasks.landing.bucket_errors import explained, is_broken_condition
from tasks.landing.zone import StoreAwayError, content_changed

PIECE_BYTES = 8 * 1024 * 1024
TRIES = 3
"""The client tries again until an answer begins; this is for answers that are cut off."""


def open_object(bucket: Bucket, found: StoredObject) -> BinaryIO:
    """A buffered stream over `found` that can seek; holds one piece in memory.

    Reading raises `ContentChangedError` where another object has taken its place.
    """
    return io.BufferedReader(_Pieces(bucket, found), max(1, min(PIECE_BYTES, found.size)))


class _Pieces(io.RawIOBase):
    def __init__(self, bucket: Bucket, found: StoredObject) -> None:
        self._bucket = bucket
        self._found = found
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._found.size}[whence]
        if start + offset < 0:
            raise OSError(22, "a place before the beginning", self._found.key)
        self._position = start + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._piece(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._piece(PIECE_BYTES), b""))

    def _piece(self, size: int) -> bytes:
        first, last = self._position, min(self._position + size, self._found.size) - 1
        if last < first:
            return b""
        piece = self._fetched(first, last)
        if len(piece) != last - first + 1:
            raise content_changed(self._found.key)
        self._position = last + 1
        return piece

    def _fetched(self, first: int, last: int) -> bytes:
        for left in reversed(range(TRIES)):
            try:
                with explained(self._found.key):
                    return self._request(first, last)
            except StoreAwayError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _request(self, first: int, last: int) -> bytes:
        etag = self._found.etag
        try:
            answer = self._bucket.client.get_object(
                **self._bucket.at(self._found.key), Range=f"bytes={first}-{last}", IfMatch=f'"{etag}"'
            )
        except Exception as error:
            if is_broken_condition(error):
                raise content_changed(self._found.key) from error
            raise
        # Asked again, because a store may ignore the condition.
        if answer["ETag"].strip('"') != etag:
            answer["Body"].close()
            raise content_changed(self._found.key)
        return answer["Body"].read()
