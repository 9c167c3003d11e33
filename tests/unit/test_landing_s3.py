"""What only a landing zone in a bucket has: pages, pieces, parts, moves by copying, and a store that is away.

On a real server that ignores conditions (`rclone serve s3`); tests/integration/test_s3_conditions.py has one that
keeps them.
"""

from __future__ import annotations

import http.server
import io
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from schemas.errors import ConfigurationError
from tasks.landing import bucket as bucket_requests
from tasks.landing import bucket_reading, s3
from tasks.landing.bucket import Bucket, StoredObject
from tasks.landing.bucket_listing import listed_object
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.opening import open_zone
from tasks.landing.s3 import S3Zone
from tasks.landing.zone import ContentChangedError, KeyTakenError, NotLandedError, StoreAwayError, UnreadableFileError
from tasks.stage import is_passing
from tests.landing_zones import BucketKept
from tests.object_store import ObjectStore, client_environment, free_port

RECORD = b"00026nam a2200025   4500\x1e\x1d"
MIB = 1024 * 1024
LARGE = bytes(range(256)) * (44 * 1024)
"""11 MiB, no two pieces alike in place."""
NOT_IMPLEMENTED = b"<?xml version='1.0'?><Error><Code>NotImplemented</Code><Message>A header ...</Message></Error>"
SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@pytest.fixture
def kept(object_store: ObjectStore, bucket_url: str) -> BucketKept:
    kept = BucketKept(object_store, bucket_url)
    kept.zone.prepare()
    return kept


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that S3 allows, so that 11 MiB are three parts; and pieces that are smaller still."""
    monkeypatch.setattr(s3, "PART_BYTES", 5 * MIB)
    monkeypatch.setattr(bucket_reading, "PIECE_BYTES", 3 * MIB)


def client_of(zone: object) -> Any:
    assert isinstance(zone, S3Zone)
    return zone._bucket.client


def when(zone: object, operation: str, act: Callable[[], object]) -> None:
    """Let somebody act just before the zone's next request of this kind is sent."""
    events = client_of(zone).meta.events
    name = f"before-send.s3.{operation}"

    def once(**_: Any) -> None:
        events.unregister(name, once)
        act()

    events.register(name, once)


def test_nothing_is_asked_of_the_store_before_it_is_needed() -> None:
    zone = open_zone("s3://no-such-bucket/a")
    assert zone.key_of("s3://no-such-bucket/a/reports/x.html") == "reports/x.html"
    assert zone.local_path("s3://no-such-bucket/a/reports/x.html") is None


def test_variables_that_are_empty_count_as_not_set_and_a_wrong_one_is_told(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "")
    open_zone(bucket_url).prepare()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL: Invalid endpoint"):
        open_zone(bucket_url).prepare()


def test_a_whole_bucket_can_be_the_zone(object_store: ObjectStore, bucket_url: str) -> None:
    kept = BucketKept(object_store, f"s3://{object_store.new_bucket()}")
    kept.zone.prepare()
    uri = kept.zone.put("reports/a.txt", b"one")
    assert uri == f"s3://{kept.name}/reports/a.txt"
    assert kept.client.get_object(Bucket=kept.name, Key="reports/a.txt")["Body"].read() == b"one"


def test_a_prefix_beside_the_zone_is_not_in_it(object_store: ObjectStore, bucket_url: str) -> None:
    kept = BucketKept(object_store, bucket_url)
    kept.zone.prepare()
    beside = BucketKept(object_store, f"{bucket_url}-old")
    beside.drop("incoming/BOKAB/a.mrc", RECORD)
    assert kept.zone.waiting() == []


def test_a_prefix_without_a_zone_is_not_an_empty_one(bucket_url: str) -> None:
    zone = open_zone(bucket_url)
    for sender in (None, "BOKAB"):
        with pytest.raises(ConfigurationError, match=r"there is no landing zone at s3://.*samkat init"):
            zone.waiting(sender)
    zone.prepare()
    assert zone.waiting() == zone.waiting("BOKAB") == []


def test_a_bucket_that_is_not_there_is_told(bucket_url: str) -> None:
    zone = open_zone("s3://samkat-no-such-bucket/a")
    for ask in (zone.prepare, zone.waiting, lambda: zone.put("reports/a", b"x")):
        with pytest.raises(ConfigurationError, match="there is no such bucket: samkat-no-such-bucket"):
            ask()


def test_credentials_that_are_not_accepted_are_told(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises((ConfigurationError, UnreadableFileError), match=r"credentials|denies"):
        open_zone(bucket_url).waiting()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match="Unable to locate credentials"):
        open_zone(bucket_url).waiting()


def test_more_files_than_a_page_holds_are_all_seen(kept: BucketKept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_requests, "KEYS_A_PAGE", 2)  # 1,000 in life
    for number in range(5):
        kept.drop(f"incoming/BOKAB/{number}.mrc", RECORD)
    assert sorted(each.name for each in kept.zone.waiting("BOKAB")) == [f"{number}.mrc" for number in range(5)]


def test_what_a_console_draws_folders_with_is_no_file(kept: BucketKept) -> None:
    # rclone stores no such object, so it is given as a listing would give it.
    marker = StoredObject("incoming/BOKAB/", 0, "d41d8", datetime(2025, 3, 14, tzinfo=UTC))
    assert listed_object(marker, kept.zone.uri_for) is None


@pytest.mark.usefixtures("small_parts")
class TestLargeFiles:
    def test_a_stream_goes_in_parts_and_comes_back_in_pieces(self, kept: BucketKept) -> None:
        sha256 = fingerprint_of(LARGE).sha256
        uri = kept.zone.put("incoming/BOKAB/large.mrc", io.BytesIO(LARGE), sha256=sha256)
        assert kept.zone.put("incoming/BOKAB/large.mrc", io.BytesIO(LARGE)) == uri
        with kept.zone.open(uri) as stream:
            stream.seek(7 * MIB + 1)
            assert stream.read(4 * MIB) == LARGE[7 * MIB + 1 :][: 4 * MIB]
            stream.seek(0)
            assert stream.read() == LARGE

    def test_it_is_moved(self, kept: BucketKept) -> None:
        uri = kept.zone.put("incoming/BOKAB/large.mrc", io.BytesIO(LARGE))
        kept.zone.move(uri, "archive/BOKAB/large.mrc", sha256=fingerprint_of(LARGE).sha256)
        assert kept.everything() == {"archive/BOKAB/large.mrc": LARGE}

    def test_over_the_limit_of_one_copy_it_is_moved_as_well(
        self, kept: BucketKept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bucket_requests, "MOST_COPIED_BYTES", 5 * MIB)  # 5 GiB in life
        monkeypatch.setattr(bucket_requests, "COPIED_PART_BYTES", 5 * MIB)
        uri = kept.zone.put("incoming/BOKAB/large.mrc", io.BytesIO(LARGE))
        kept.zone.move(uri, "archive/BOKAB/large.mrc")
        assert kept.everything() == {"archive/BOKAB/large.mrc": LARGE}

    def test_what_is_not_as_it_should_be_leaves_nothing(self, kept: BucketKept) -> None:
        with pytest.raises(ContentChangedError):
            kept.zone.put("archive/BOKAB/large.mrc", io.BytesIO(LARGE), sha256="0" * 64)
        assert kept.everything() == {}
        assert "Uploads" not in kept.client.list_multipart_uploads(Bucket=kept.name)

    def test_memory_holds_a_few_parts_however_large_the_file(self, kept: BucketKept) -> None:
        size = 60 * MIB
        tracemalloc.start()
        try:
            uri = kept.zone.put("incoming/BOKAB/large.mrc", io.BufferedReader(Zeros(size), MIB))
            kept.zone.move(uri, "archive/BOKAB/large.mrc")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept.zone.size(kept.zone.uri_for("archive/BOKAB/large.mrc")) == size
        assert most < 6 * s3.PART_BYTES

    def test_a_file_that_is_replaced_while_it_is_read_is_told(self, kept: BucketKept) -> None:
        uri = kept.drop("incoming/BOKAB/large.mrc", LARGE)
        with kept.zone.open(uri) as stream:
            assert stream.read(10) == LARGE[:10]
            kept.drop("incoming/BOKAB/large.mrc", LARGE[::-1])
            with pytest.raises(ContentChangedError):
                stream.read(5 * MIB)


class Zeros(io.RawIOBase):
    """A stream of so many NULs, as long as they are asked for."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        number = min(len(buffer), self._left)
        buffer[:number] = bytes(number)
        self._left -= number
        return number


class TestMoving:
    SHA = fingerprint_of(RECORD).sha256

    def test_a_move_that_was_cut_off_before_the_delete_is_finished(self, kept: BucketKept) -> None:
        class Killed(BaseException):
            pass

        def kill() -> None:
            raise Killed

        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        when(kept.zone, "DeleteObject", kill)
        with pytest.raises(Killed):
            kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert sorted(kept.everything()) == ["archive/BOKAB/a.mrc", "incoming/BOKAB/a.mrc"]
        kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert kept.everything() == {"archive/BOKAB/a.mrc": RECORD}

    def test_what_is_sent_again_before_the_copy_stays_and_is_not_taken_for_the_old(self, kept: BucketKept) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        when(kept.zone, "CopyObject", lambda: kept.drop("incoming/BOKAB/a.mrc", RECORD * 2))
        with pytest.raises(ContentChangedError):
            kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert kept.everything() == {"incoming/BOKAB/a.mrc": RECORD * 2}

    def test_what_is_sent_again_after_the_copy_stays_and_the_old_is_in_the_archive(self, kept: BucketKept) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        events = client_of(kept.zone).meta.events
        events.register("after-call.s3.CopyObject", lambda **_: kept.drop("incoming/BOKAB/a.mrc", RECORD * 2) and None)
        with pytest.raises(ContentChangedError):
            kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert kept.everything() == {"incoming/BOKAB/a.mrc": RECORD * 2, "archive/BOKAB/a.mrc": RECORD}

    def test_two_runs_may_move_the_same_file(self, kept: BucketKept) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        other = S3Zone(Bucket(kept.name, kept.prefix))
        when(kept.zone, "CopyObject", lambda: other.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA))
        kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert kept.everything() == {"archive/BOKAB/a.mrc": RECORD}


def test_a_store_that_refuses_conditions_is_asked_without(kept: BucketKept) -> None:
    # No server at hand answers so; the answer is given in its place, right where the request would be sent.
    refused: list[str] = []

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        conditions = [name for name in request.headers if name.lower() in ("if-none-match", "if-match")]
        if not conditions or request.method not in ("PUT", "DELETE"):
            return None
        refused.append(request.method)
        raw = HTTPResponse(io.BytesIO(NOT_IMPLEMENTED), preload_content=False)
        return AWSResponse(request.url, 501, {"Content-Length": str(len(NOT_IMPLEMENTED))}, raw)

    client_of(kept.zone).meta.events.register("before-send.s3", refuse)
    uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
    kept.zone.put("reports/a.txt", b"one")
    with pytest.raises(KeyTakenError):
        kept.zone.put("reports/a.txt", b"two")
    kept.zone.move(uri, "archive/BOKAB/a.mrc")
    assert kept.everything() == {"reports/a.txt": b"one", "archive/BOKAB/a.mrc": RECORD}
    assert set(refused) == {"PUT", "DELETE"}


class _Busy(http.server.BaseHTTPRequestHandler):
    """A store that asks to be left alone, which no real one does when it is asked to."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(503)
        self.send_header("Content-Length", str(len(SLOW_DOWN)))
        self.end_headers()
        self.wfile.write(SLOW_DOWN)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass


class TestAStoreThatIsAway:
    """Each fault must end, and end as one that a stage tries again."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(bucket_requests.CLIENT_SETTINGS, "retries", {"mode": "standard", "total_max_attempts": 1})
        monkeypatch.setitem(bucket_requests.CLIENT_SETTINGS, "read_timeout", 0.3)

    @pytest.fixture(params=["refused", "silent", "busy"])
    def endpoint(self, request: pytest.FixtureRequest) -> Iterator[str]:
        if request.param == "refused":
            yield f"http://127.0.0.1:{free_port()}"
        elif request.param == "silent":
            with socket.create_server(("127.0.0.1", 0)) as listener:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        else:
            with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Busy) as server:
                threading.Thread(target=server.serve_forever, daemon=True).start()
                yield f"http://127.0.0.1:{server.server_port}"
                server.shutdown()

    def test_every_request_ends_as_a_passing_fault(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in client_environment(endpoint).items():
            monkeypatch.setenv(name, value)
        zone = open_zone("s3://bucket/landing")
        uri = zone.uri_for("incoming/BOKAB/a.mrc")
        requests: list[Callable[[], object]] = [
            zone.waiting,
            lambda: zone.put("reports/a.txt", b"one"),
            lambda: zone.move(uri, "archive/BOKAB/a.mrc"),
            lambda: zone.delete(uri),
            lambda: zone.open(uri),
        ]
        for request in requests:
            with pytest.raises(StoreAwayError) as away:
                request()
            assert is_passing(away.value)
            assert "object store" in str(away.value)

    def test_a_store_that_comes_back_is_used_again(
        self, object_store: ObjectStore, kept: BucketKept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = kept.zone.put("reports/a.txt", b"one")
        object_store.stop()
        try:
            with pytest.raises(StoreAwayError):
                kept.zone.open(uri)
        finally:
            object_store.start()
        with kept.zone.open(uri) as stream:
            assert stream.read() == b"one"

    def test_a_file_that_is_gone_is_no_passing_fault(self, kept: BucketKept) -> None:
        with pytest.raises(NotLandedError) as gone:
            kept.zone.open(kept.zone.uri_for("reports/none.txt"))
        assert not is_passing(gone.value)
