"""A landing zone in a store that keeps conditional writes: what others do between two requests harms nothing.

moto's server plays the store, because `rclone serve s3` ignores conditions (tests/unit/test_landing_s3.py says what is
done there), and no other server that keeps them can be had from the registries.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tasks.landing import bucket as bucket_requests
from tasks.landing import s3
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.opening import open_zone
from tasks.landing.s3 import S3Zone
from tasks.landing.zone import ContentChangedError, KeyTakenError
from tests.object_store import client_environment, client_of, free_port

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
RECORD = b"00026nam a2200025   4500\x1e\x1d"
LARGE = bytes(range(256)) * (44 * 1024)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Store:
    """A zone, and what others do with its bucket."""

    def __init__(self, endpoint: str, bucket: str) -> None:
        self.bucket = bucket
        self.client = client_of(client_environment(endpoint))
        self.client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        zone = open_zone(f"s3://{bucket}/in")
        assert isinstance(zone, S3Zone)
        self.zone = zone

    def drop(self, key: str, content: bytes) -> str:
        self.client.put_object(Bucket=self.bucket, Key=f"in/{key}", Body=content)
        return self.zone.uri_for(key)

    def content(self) -> dict[str, bytes]:
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        keys = [each["Key"].removeprefix("in/") for each in found]
        return {
            key: self.client.get_object(Bucket=self.bucket, Key=f"in/{key}")["Body"].read()
            for key in keys
            if key != "incoming/.samkat"
        }

    def before(self, operation: str, act: Callable[[], object]) -> None:
        """Let somebody act just before the zone's next request of this kind is sent."""
        events = self.zone._bucket.client.meta.events
        name = f"before-send.s3.{operation}"

        def once(**_: Any) -> None:
            events.unregister(name, once)
            act()

        events.register(name, once)


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in client_environment(endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3, "PART_BYTES", 5 * MIB)
    made = Store(endpoint, f"samkat-{uuid.uuid4().hex[:12]}")
    made.zone.prepare(["BOKAB"])
    return made


def test_it_is_found_out_that_the_store_keeps_conditions(store: Store) -> None:
    assert store.zone.keeps_conditions() is True


@pytest.mark.parametrize(
    ("operation", "content"), [("PutObject", RECORD), ("CompleteMultipartUpload", LARGE)], ids=["whole", "in parts"]
)
def test_two_writers_of_a_key_are_told_apart_to_the_last_moment(store: Store, operation: str, content: bytes) -> None:
    store.before(operation, lambda: store.drop("archive/BOKAB/a.mrc", b"another's"))
    with pytest.raises(KeyTakenError):
        store.zone.put("archive/BOKAB/a.mrc", io.BytesIO(content))
    assert store.content() == {"archive/BOKAB/a.mrc": b"another's"}
    assert "Uploads" not in store.client.list_multipart_uploads(Bucket=store.bucket)


@pytest.mark.parametrize(
    ("operation", "content"), [("PutObject", RECORD), ("CompleteMultipartUpload", LARGE)], ids=["whole", "in parts"]
)
def test_two_writers_of_the_same_content_are_both_content(store: Store, operation: str, content: bytes) -> None:
    store.before(operation, lambda: store.drop("archive/BOKAB/a.mrc", content))
    store.zone.put("archive/BOKAB/a.mrc", io.BytesIO(content))
    assert store.content() == {"archive/BOKAB/a.mrc": content}


def test_what_is_sent_again_before_the_copy_is_not_copied(store: Store) -> None:
    uri = store.drop("incoming/BOKAB/a.mrc", RECORD)
    store.before("CopyObject", lambda: store.drop("incoming/BOKAB/a.mrc", b"the next delivery"))
    with pytest.raises(ContentChangedError):
        store.zone.move(uri, "archive/BOKAB/a.mrc", sha256=fingerprint_of(RECORD).sha256)
    assert store.content() == {"incoming/BOKAB/a.mrc": b"the next delivery"}


def test_what_is_sent_again_right_before_the_delete_is_not_deleted(store: Store) -> None:
    uri = store.drop("incoming/BOKAB/a.mrc", RECORD)
    store.before("DeleteObject", lambda: store.drop("incoming/BOKAB/a.mrc", b"the next delivery"))
    with pytest.raises(ContentChangedError):
        store.zone.move(uri, "archive/BOKAB/a.mrc", sha256=fingerprint_of(RECORD).sha256)
    assert store.content() == {"archive/BOKAB/a.mrc": RECORD, "incoming/BOKAB/a.mrc": b"the next delivery"}


def test_a_file_over_the_limit_of_one_copy_is_copied_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_requests, "MOST_COPIED_BYTES", 5 * MIB)  # 5 GiB in life
    monkeypatch.setattr(bucket_requests, "COPIED_PART_BYTES", 5 * MIB)
    uri = store.drop("incoming/BOKAB/large.mrc", LARGE)
    uploads: list[str] = []
    store.before("UploadPartCopy", lambda: uploads.append("in parts"))
    store.before("UploadPart", lambda: uploads.append("through this machine"))
    store.zone.move(uri, "archive/BOKAB/large.mrc", sha256=fingerprint_of(LARGE).sha256)
    assert store.content() == {"archive/BOKAB/large.mrc": LARGE}
    assert uploads == ["in parts"]
