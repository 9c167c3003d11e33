"""A part of a bucket: the requests that the landing zone makes of an object store, each with an end.

Keys here are those of the zone; what is kept in the bucket has the prefix before them. Endpoint, region and
credentials are the AWS client's own settings (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_PROFILE`, roles); only what Samkat
promises is set here: no request hangs, and no fault is tried for ever. The client is imported with the first request.

Conditions (`If-None-Match`, `If-Match`) are always sent. A store that ignores them is one on which the caller's own
check beforehand is all there is; a store that refuses them is asked again without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from schemas.errors import ConfigurationError, SamkatError
from tasks.landing.bucket_errors import (
    explained,
    is_broken_condition,
    is_missing,
    is_over,
    is_without_conditions,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 4
"""In all, with the client's own backoff between; a stage tries again after that."""
MOST_COPIED_BYTES = 5 * 1024**3
"""S3 copies no more in one request."""
COPIED_PART_BYTES = 1024**3
KINDS = {"html": "text/html", "csv": "text/csv", "txt": "text/plain", "json": "application/json"}
KEYS_A_PAGE = 1_000
"""The most that S3 gives in one answer."""


class StoredObject(NamedTuple):
    """What a store says about an object. `etag` changes with its content; it says nothing else."""

    key: str
    size: int
    etag: str
    modified_at: datetime


class Bucket:
    """The objects of bucket `name` below `prefix` (no slash at its ends; empty for the whole bucket)."""

    def __init__(self, name: str, prefix: str = "") -> None:
        self.name = name
        self.url = f"s3://{name}/{prefix}".rstrip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self.uri_start = f"s3://{name}/{quote(self._prefix)}"

    @cached_property
    def client(self) -> S3Client:
        """The AWS client; one does for all threads."""
        import boto3
        from botocore.config import Config

        with explained(self.url):
            # A session of its own: the default one keeps the credentials that it saw first.
            session = boto3.Session()
            region = session.region_name or "us-east-1"  # the client follows a bucket to where it is
            try:
                return session.client("s3", region_name=region, config=Config(**CLIENT_SETTINGS))
            except ValueError as error:
                raise ConfigurationError(str(error), field="AWS_ENDPOINT_URL", remedy="write https://host") from error

    def at(self, key: str) -> dict[str, Any]:
        """Bucket and key as a request names them."""
        return {"Bucket": self.name, "Key": self._prefix + key}

    def key_at(self, name: str, object_key: str) -> str | None:
        """The zone's key of an object of bucket `name`; None where it is not below this prefix."""
        if name != self.name or not object_key.startswith(self._prefix):
            return None
        return object_key.removeprefix(self._prefix)

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object, or None where there is none."""
        with explained(key):
            try:
                found = self.client.head_object(**self.at(key))
            except Exception as error:
                if is_missing(error):
                    return None
                raise
        return StoredObject(key, found["ContentLength"], _plain(found["ETag"]), found["LastModified"].astimezone(UTC))

    def listed(self, start: str) -> Iterator[StoredObject]:
        """Every object whose key begins with `start`, a page at a time."""
        with explained(self.url):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self._prefix + start)
            for page in pages:
                for each in page.get("Contents", []):
                    key = each["Key"].removeprefix(self._prefix)
                    yield StoredObject(key, each["Size"], _plain(each["ETag"]), each["LastModified"].astimezone(UTC))

    def put(self, key: str, content: bytes, *, only_new: bool) -> bool:
        """Write an object in one request; False where `only_new` is set and there is one already."""
        return self.on_condition(
            key,
            lambda condition: self.client.put_object(**self.at(key), Body=content, **_kind_of(key), **condition),
            {"IfNoneMatch": "*"} if only_new else {},
        )

    @contextmanager
    def upload(self, key: str) -> Iterator[Upload]:
        """Write an object in parts. Nothing can be seen of it before `Upload.complete`; without, nothing stays."""
        with explained(key):
            number = self.client.create_multipart_upload(**self.at(key), **_kind_of(key))["UploadId"]
        upload = Upload(self, key, number)
        try:
            yield upload
        finally:
            if not upload.is_complete:
                # What was sent is of no use; where this fails as well, a lifecycle rule of the bucket removes it.
                with suppress(OSError, SamkatError), explained(key):
                    self.client.abort_multipart_upload(**self.at(key), UploadId=number)

    def copy(self, source: StoredObject, key: str) -> str | None:
        """Copy an object within the store, unless it is no longer `source` or there is one under `key` already.

        Returns the copy's etag: where it is the source's, the content is; where it is another (files sent in parts,
        encrypted ones), only reading tells. None where a condition did not hold.
        """
        made: list[str] = []

        def request(condition: dict[str, Any]) -> None:
            answer = self.client.copy_object(
                **self.at(key),
                CopySource={"Bucket": self.name, "Key": self._prefix + source.key},
                MetadataDirective="COPY",
                **condition,
            )
            made.append(_plain(answer["CopyObjectResult"].get("ETag", "")))

        conditions = {"CopySourceIfMatch": f'"{source.etag}"', "IfNoneMatch": "*"}
        return made[0] if self.on_condition(key, request, conditions) else None

    def delete(self, key: str, *, only: StoredObject | None = None) -> bool:
        """Delete an object; nothing happens where there is none. False where it is not `only` (any more)."""
        return self.on_condition(
            key,
            lambda condition: self.client.delete_object(**self.at(key), **condition),
            {"IfMatch": f'"{only.etag}"'} if only else {},
        )

    def on_condition(self, key: str, request: Callable[[dict[str, Any]], object], condition: dict[str, Any]) -> bool:
        """Make a request; False where its condition does not hold, and where it was an upload that is over.

        The client asks again when an answer is lost on its way: then the first request may be the reason why the
        second is refused. The caller looks at what is there.
        """
        with explained(key):
            for asked in _weaker_and_weaker(condition):
                try:
                    request(asked)
                    return True
                except Exception as error:
                    if asked and is_without_conditions(error):
                        continue
                    if (asked and is_broken_condition(error)) or is_over(error):
                        return False
                    if "IfMatch" in asked and is_missing(error):
                        return True  # a conditional delete of what is gone
                    raise
        raise AssertionError("the last request has no condition")


class Upload:
    """An object that is written in parts, one after the other."""

    def __init__(self, bucket: Bucket, key: str, number: str) -> None:
        self._bucket = bucket
        self._key = key
        self._number = number
        self._parts: list[CompletedPartTypeDef] = []
        self.is_complete = False

    def add(self, part: bytes) -> None:
        """Send the next part: at least 5 MiB each but for the last one."""
        with explained(self._key):
            sent = self._bucket.client.upload_part(
                **self._bucket.at(self._key), UploadId=self._number, PartNumber=len(self._parts) + 1, Body=part
            )
        self._parts.append({"PartNumber": len(self._parts) + 1, "ETag": sent["ETag"]})

    def add_copied(self, source: StoredObject, first: int, last: int) -> bool:
        """Copy the bytes from `first` to `last` of another object as the next part.

        False where that one is no longer `source`, and where the store does not know how.
        """
        with explained(self._key):
            try:
                copied = self._bucket.client.upload_part_copy(
                    **self._bucket.at(self._key),
                    UploadId=self._number,
                    PartNumber=len(self._parts) + 1,
                    CopySource={"Bucket": self._bucket.name, "Key": self._bucket.at(source.key)["Key"]},
                    CopySourceIfMatch=f'"{source.etag}"',
                    CopySourceRange=f"bytes={first}-{last}",
                )
            except Exception as error:
                if is_broken_condition(error) or is_without_conditions(error):
                    return False
                raise
        etag = copied["CopyPartResult"].get("ETag")
        if not etag:
            return False
        self._parts.append({"PartNumber": len(self._parts) + 1, "ETag": etag})
        return True

    def complete(self, *, only_new: bool) -> bool:
        """Make the object of its parts; False where `only_new` is set and there is one already."""

        def request(condition: dict[str, Any]) -> None:
            self._bucket.client.complete_multipart_upload(
                **self._bucket.at(self._key),
                UploadId=self._number,
                MultipartUpload={"Parts": self._parts},
                **condition,
            )

        self.is_complete = self._bucket.on_condition(self._key, request, {"IfNoneMatch": "*"} if only_new else {})
        return self.is_complete


CLIENT_SETTINGS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "read_timeout": READ_SECONDS,
    "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
    "tcp_keepalive": True,
    "user_agent_extra": "samkat",
    # Files are read in pieces, and a checksum is about the whole; what must be right is proved by sha256.
    "response_checksum_validation": "when_required",
}


def _kind_of(key: str) -> dict[str, Any]:
    """What a browser is told of a file made for people, so that it shows pages and does not store them."""
    kind = KINDS.get(key.rpartition(".")[2])
    return {"ContentType": f"{kind}; charset=utf-8"} if kind else {}


def _weaker_and_weaker(condition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What to ask for, one after the other where a store refuses it: all conditions, those on a copy's source, none."""
    yield condition
    of_source = {name: value for name, value in condition.items() if name.startswith("CopySource")}
    if of_source and of_source != condition:
        yield of_source
    if condition:
        yield {}


def _plain(etag: str) -> str:
    """Some stores leave the quotation marks out in listings."""
    return etag.strip('"')
