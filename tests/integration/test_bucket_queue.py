"""Bucket events through a queue. moto's server plays S3 and SQS: no real server of SQS can be had from the registries.

It speaks HTTP as AWS does, its buckets write to its queues, and a message that was read stays hidden until its time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from deployments import bucket_events
from deployments.bucket_events import BucketEvents
from schemas.errors import ConfigurationError
from tasks.landing.opening import open_zone
from tasks.landing.s3 import S3Zone
from tasks.landing.zone import StoreAwayError
from tests.object_store import client_environment, client_of, free_port

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.integration

BUCKET = "landing"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sqs(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> SQSClient:
    environment = client_environment(endpoint)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return boto3.Session().client("sqs", endpoint_url=endpoint, region_name=environment["AWS_REGION"])


@pytest.fixture
def queue(sqs: SQSClient, endpoint: str) -> Iterator[str]:
    """A queue that the bucket of the same name tells of what is created in it, with a queue for what is left."""
    s3 = client_of(client_environment(endpoint))
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    dead = sqs.create_queue(QueueName="left")["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": "2"}
    url = sqs.create_queue(QueueName="arrivals", Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn(sqs, url), "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    yield url
    for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=each["Key"])
    s3.delete_bucket(Bucket=BUCKET)
    for each_url in (url, dead):
        sqs.delete_queue(QueueUrl=each_url)


@pytest.fixture
def events(queue: str) -> BucketEvents:
    zone = open_zone(f"s3://{BUCKET}/in")
    assert isinstance(zone, S3Zone)
    zone.prepare()
    return BucketEvents(queue, zone)


def arn(sqs: SQSClient, url: str) -> str:
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def left_in(sqs: SQSClient, url: str) -> int:
    """Messages in a queue, those that somebody is at work on included."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(each) for each in found.values())


def drop(endpoint: str, key: str) -> None:
    client_of(client_environment(endpoint)).put_object(Bucket=BUCKET, Key=key, Body=b"x")


def test_what_comes_into_the_bucket_is_told_once_and_removed_when_it_is_acknowledged(
    events: BucketEvents, sqs: SQSClient, queue: str, endpoint: str
) -> None:
    for key in (
        "in/incoming/BOKAB/dag 1+2 Umeå.mrc",
        "in/incoming/NORDBOK/a.mrc",
        "in/archive/BOKAB/b.mrc",
        "elsewhere",
    ):
        drop(endpoint, key)
    arrived = events.arrivals(5)
    assert sorted((each.sender, each.key) for each in arrived) == [
        ("BOKAB", "incoming/BOKAB/dag 1+2 Umeå.mrc"),
        ("NORDBOK", "incoming/NORDBOK/a.mrc"),
    ]
    assert left_in(sqs, queue) == 2, "the test message and what does not wait are gone"
    assert events.arrivals(0) == []
    events.acknowledge(arrived)
    assert left_in(sqs, queue) == 0


def test_what_is_not_acknowledged_comes_again(
    events: BucketEvents, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_events, "HIDDEN_SECONDS", 1)
    drop(endpoint, "in/incoming/BOKAB/a.mrc")
    (first,) = events.arrivals(5)
    (again,) = events.arrivals(5)
    assert (again.key, again.sender) == (first.key, first.sender)


def test_more_than_one_batch_is_gathered(events: BucketEvents, sqs: SQSClient, queue: str, endpoint: str) -> None:
    for number in range(25):
        drop(endpoint, f"in/incoming/BOKAB/{number}.mrc")
    arrived = events.arrivals(5)
    assert len({each.key for each in arrived}) == 25
    events.acknowledge(arrived)
    assert left_in(sqs, queue) == 0


def test_a_message_that_is_not_understood_is_logged_and_left_for_the_dead_letter_queue(
    events: BucketEvents,
    sqs: SQSClient,
    queue: str,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(bucket_events, "HIDDEN_SECONDS", 0)
    sqs.send_message(QueueUrl=queue, MessageBody="buy now")
    drop(endpoint, "in/incoming/BOKAB/a.mrc")
    with caplog.at_level(logging.WARNING, "samkat.bucket_events"):
        found = {each.key for _ in range(4) for each in events.arrivals(1)}
    assert found == {"incoming/BOKAB/a.mrc"}
    assert "is not understood and left in the queue" in caplog.text
    dead = sqs.get_queue_url(QueueName="left")["QueueUrl"]
    assert "buy now" in [each["Body"] for each in sqs.receive_message(QueueUrl=dead).get("Messages", [])]


def test_a_queue_that_is_not_there_is_a_wrong_configuration(events: BucketEvents, queue: str) -> None:
    missing = BucketEvents(f"{queue}-none", events._zone)
    with pytest.raises(ConfigurationError, match="SAMKAT_BUCKET_EVENTS: there is no queue"):
        missing.arrivals(0)


def test_a_queue_that_is_away_is_a_passing_fault(events: BucketEvents) -> None:
    away = BucketEvents(f"http://127.0.0.1:{free_port()}/123/arrivals", events._zone)
    with pytest.raises(StoreAwayError, match="the queue does not answer"):
        away.arrivals(0)
