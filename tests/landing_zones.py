"""A landing zone as senders and people see it, past the interface: in a folder, and in a bucket of a real server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from tasks.landing.folder import FolderZone
from tasks.landing.keys import KeyRefusedError
from tasks.landing.opening import open_zone
from tasks.landing.zone import LandingZone
from tests.object_store import ObjectStore


class KeptZone(Protocol):
    """A landing zone, and the store behind it."""

    zone: LandingZone

    def drop(self, key: str, content: bytes, at: int | None = None) -> str:
        """Put a file there as a sender does; `at` is its time in seconds. Returns its URI, empty for a wrong name."""
        ...

    def everything(self) -> dict[str, bytes]:
        """Every file by its key, but for what only tells that there is a zone."""
        ...


def uri_or_nothing(zone: LandingZone, key: str) -> str:
    """The URI of a file, or an empty text for a name that the zone refuses."""
    try:
        return zone.uri_for(key)
    except KeyRefusedError:
        return ""


class FolderKept:
    """A zone in a folder."""

    def __init__(self, root: Path) -> None:
        self.zone: LandingZone = FolderZone(root)
        self._root = root

    def drop(self, key: str, content: bytes, at: int | None = None) -> str:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if at is not None:
            os.utime(path, (at, at))
        return uri_or_nothing(self.zone, key)

    def everything(self) -> dict[str, bytes]:
        found = (each for each in self._root.rglob("*") if each.is_file())
        return {each.relative_to(self._root).as_posix(): each.read_bytes() for each in found}


class BucketKept:
    """A zone in a bucket, at the URL `s3://bucket/prefix`."""

    def __init__(self, store: ObjectStore, url: str) -> None:
        self.zone = open_zone(url)
        self.name, _, self.prefix = url.removeprefix("s3://").partition("/")
        self.client = store.client()

    def drop(self, key: str, content: bytes, at: int | None = None) -> str:
        # rclone takes a file's time from here; other stores set it themselves.
        times = {"mtime": str(at)} if at is not None else {}
        self.client.put_object(Bucket=self.name, Key=f"{self.prefix}/{key}", Body=content, Metadata=times)
        return uri_or_nothing(self.zone, key)

    def everything(self) -> dict[str, bytes]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        found = {
            key.removeprefix(f"{self.prefix}/"): self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
            for key in keys
        }
        return {key: content for key, content in found.items() if key != "incoming/.samkat"}
