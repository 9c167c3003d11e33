"""How a landing zone is opened from its URL: a folder, or a part of a bucket."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from schemas.errors import ConfigurationError
from tasks.landing.bucket import Bucket
from tasks.landing.folder import FolderZone
from tasks.landing.keys import KeyRefusedError, check_part, printable
from tasks.landing.s3 import S3Zone
from tasks.landing.zone import LandingZone

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
"""Wider than AWS's rule of today: older buckets and other stores have capitals and underscores."""


def open_zone(url: str) -> LandingZone:
    """The landing zone at `url`: a path, a `file://` URL or `s3://bucket/prefix`.

    Nothing is created or asked for yet (see `LandingZone.prepare`). Raises `ConfigurationError` for an empty value, for
    any other scheme, and for a bucket or prefix that no store can have.
    """
    scheme, separator, _ = url.partition("://")
    if not url.strip() or "\0" in url:
        raise _wrong_url(url, "is empty or holds a NUL", "give a folder, a file:// URL or s3://bucket/prefix")
    if not separator:
        return FolderZone(Path(url))
    if scheme == "s3":
        return _bucket_zone(url)
    if scheme != "file":
        raise _wrong_url(url, f"unknown scheme {scheme}://", "give a folder, a file:// URL or s3://bucket/prefix")
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise _wrong_url(url, "names another machine or no absolute path", "write file:///path/to/folder")
    return FolderZone(Path(unquote(parts.path)))


def _bucket_zone(url: str) -> S3Zone:
    # Not by urlsplit: to S3 a question mark or number sign is a letter like any other.
    name, _, prefix = url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(name):
        remedy = "write s3://bucket/prefix; keys belong in the AWS client's own settings"
        raise _wrong_url(url, "names no bucket", remedy)
    prefix = prefix.rstrip("/")
    try:
        for part in prefix.split("/") if prefix else []:
            check_part(part)
    except KeyRefusedError as error:
        raise _wrong_url(url, f"its prefix cannot be used, {error.cause}", "use a plain prefix") from error
    return S3Zone(Bucket(name, prefix))


def _wrong_url(url: str, cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{cause}: {printable(url)!r}", field="LANDING_URL", remedy=remedy)
