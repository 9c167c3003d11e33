"""Events of a bucket from an SQS queue: which files have come into a landing zone on S3, seconds after they came.

An event is a hint and never the truth: it may come twice, late or not at all. So whoever asks here lists the landing
zone of the senders named, the ledger recognises what was taken before, and the scheduled sweep finds what no event
told of. How bucket and queue are set up is told in docs/landing.md.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from config.settings import variable_of
from schemas.errors import ConfigurationError
from tasks.landing.bucket import CLIENT_SETTINGS
from tasks.landing.bucket_errors import code_of, explained
from tasks.landing.s3 import S3Zone

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOST_WAIT_SECONDS = 20
"""SQS lets nobody wait longer for a message."""
A_BATCH = 10
"""SQS gives no more messages at once."""
MOST_MESSAGES = 1_000
"""In one look; what is left comes with the next."""
HIDDEN_SECONDS = 300
"""For so long no one else gets a message that was read; not acknowledged by then, it comes again."""
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com")
_QUEUE_AWAY = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"})

logger = logging.getLogger("samkat.bucket_events")


class UnknownMessageError(ValueError):
    """A message that no bucket writes, or in a form that is not known here."""


class CreatedObject(NamedTuple):
    """An object that was written, as an event names it."""

    bucket: str
    object_key: str


class Arrived(NamedTuple):
    """A file that came in: its key in the landing zone, its sender, and the receipt of the message that told of it."""

    key: str
    sender: str
    receipt: str


def created_objects(body: str) -> list[CreatedObject]:
    """What a message says was written. Test messages, and events about anything else, say nothing: an empty list.

    Known are S3's own event messages (of other stores, too), the same wrapped by SNS, and EventBridge's. Raises
    `UnknownMessageError` for everything else.
    """
    try:
        return list(_created(json.loads(body)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnknownMessageError(f"{type(error).__name__}: {error}") from error


def _created(message: Any) -> Iterator[CreatedObject]:
    if message.get("Type") == "Notification" and "Message" in message:
        yield from _created(json.loads(message["Message"]))
    elif message.get("Event") == "s3:TestEvent":
        return
    elif message.get("source") == "aws.s3" and "detail" in message:
        if message["detail-type"] == "Object Created":
            detail = message["detail"]
            yield CreatedObject(detail["bucket"]["name"], detail["object"]["key"])
    else:
        for record in message["Records"]:
            about = record["s3"]
            if "ObjectCreated:" in record["eventName"]:
                # Encoded as in a form: a blank is a plus sign.
                yield CreatedObject(about["bucket"]["name"], unquote_plus(about["object"]["key"], errors="strict"))


class BucketEvents:
    """The arrivals that a queue tells of, for the zone whose bucket writes to it."""

    def __init__(self, queue_url: str, zone: S3Zone) -> None:
        self._queue_url = queue_url
        self._zone = zone

    def arrivals(self, wait_seconds: float) -> list[Arrived]:
        """Files that came in below `incoming/<sender>/`, waiting up to 20 s for the first of them.

        Each stays in the queue until it is acknowledged. Messages that tell of nothing that waits are removed; those
        that are not understood are logged and left, so that SQS brings them to its dead-letter queue. Raises
        `StoreAwayError` where the queue does not answer, `ConfigurationError` where there is none.
        """
        found: list[Arrived] = []
        wait, number = min(max(int(wait_seconds), 0), MOST_WAIT_SECONDS), 0
        while number < MOST_MESSAGES:
            messages = self._received(wait)
            number += len(messages)
            wait = 0
            of_no_interest: list[str] = []
            for message in messages:
                try:
                    told = list(self._told(message["Body"], message["ReceiptHandle"]))
                except UnknownMessageError as error:
                    logger.warning(
                        "message %s is not understood and left in the queue: %s", message["MessageId"], error
                    )
                    continue
                found += told
                of_no_interest += [] if told else [message["ReceiptHandle"]]
            self._remove(of_no_interest)
            if len(messages) < A_BATCH:
                break
        return found

    def acknowledge(self, arrived: Iterable[Arrived]) -> None:
        """Remove the messages that told of these files: whatever is done about them is sure to be done."""
        self._remove([each.receipt for each in arrived])

    @cached_property
    def _client(self) -> SQSClient:
        import boto3
        from botocore.config import Config

        # The queue's URL names its server; AWS_ENDPOINT_URL may be about another store than AWS's own.
        parts = urlsplit(self._queue_url)
        session = boto3.Session()
        of_url = _REGION.search(parts.netloc)
        region = of_url[1] if of_url else session.region_name or "us-east-1"
        with explained(self._queue_url, "queue"):
            return session.client(
                "sqs",
                endpoint_url=f"{parts.scheme}://{parts.netloc}",
                region_name=region,
                config=Config(**CLIENT_SETTINGS),
            )

    def _received(self, wait_seconds: int) -> list[Any]:
        with explained(self._queue_url, "queue"):
            try:
                answer = self._client.receive_message(
                    QueueUrl=self._queue_url,
                    MaxNumberOfMessages=A_BATCH,
                    WaitTimeSeconds=wait_seconds,
                    VisibilityTimeout=HIDDEN_SECONDS,
                )
            except Exception as error:
                if code_of(error) in _QUEUE_AWAY:
                    raise ConfigurationError(
                        f"there is no queue {self._queue_url}",
                        field=variable_of("bucket_events"),
                        remedy="create it, or correct the URL; without the setting the sweep finds what comes",
                    ) from error
                raise
        return list(answer.get("Messages", []))

    def _told(self, body: str, receipt: str) -> Iterator[Arrived]:
        for each in created_objects(body):
            key = self._zone.incoming_key(each.bucket, each.object_key)
            if key is not None:
                yield Arrived(key, key.split("/")[1], receipt)

    def _remove(self, receipts: Iterable[str]) -> None:
        left = list(dict.fromkeys(receipts))
        while left:
            now, left = left[:A_BATCH], left[A_BATCH:]
            entries: Any = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(now)]
            with explained(self._queue_url, "queue"):
                # What could not be removed comes again, which does no harm.
                self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
