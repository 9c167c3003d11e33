"""What a bucket's event messages say: S3's own form, wrapped by SNS, EventBridge's, and what is none of them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.bucket_events import CreatedObject, UnknownMessageError, created_objects
from tasks.landing.bucket import Bucket
from tasks.landing.s3 import S3Zone


def record(key: str, event: str = "ObjectCreated:Put", bucket: str = "landing") -> dict[str, Any]:
    """As in "Event message structure" of the S3 user guide; only what is read here, and some of what is not."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": event,
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "size": 26, "sequencer": "0A1B2C"}},
    }


def records(*found: dict[str, Any]) -> str:
    return json.dumps({"Records": list(found)})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_key_is_read_as_it_was_written_whatever_is_in_it(key: str) -> None:
    assert created_objects(records(record(key))) == [CreatedObject("landing", key)]


def test_a_blank_and_a_plus_sign_are_told_apart() -> None:
    body = records(
        {**record("x"), "s3": {"bucket": {"name": "b"}, "object": {"key": "incoming/A/dag+1%2B2+Ume%C3%A5"}}}
    )
    assert created_objects(body) == [CreatedObject("b", "incoming/A/dag 1+2 Umeå")]


def test_several_records_are_all_read_and_a_removal_is_no_arrival() -> None:
    body = records(
        record("a", "ObjectCreated:CompleteMultipartUpload"),
        record("b", "ObjectRemoved:Delete"),
        record("c", "s3:ObjectCreated:Copy"),
    )
    assert [each.object_key for each in created_objects(body)] == ["a", "c"]


def test_a_message_wrapped_by_sns_is_unwrapped() -> None:
    wrapped = json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:::t", "Message": records(record("a b"))})
    assert created_objects(wrapped) == [CreatedObject("landing", "a b")]


def test_an_event_of_eventbridge_has_its_key_in_clear() -> None:
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "landing"}, "object": {"key": "incoming/A/1+1 %41"}},
    }
    assert created_objects(json.dumps(event)) == [CreatedObject("landing", "incoming/A/1+1 %41")]
    assert created_objects(json.dumps({**event, "detail-type": "Object Deleted"})) == []


def test_the_message_that_tries_the_queue_says_nothing() -> None:
    assert created_objects('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"}') == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "null",
        '"Records"',
        "{}",
        '{"Records": [{}]}',
        '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {}}}]}',
        '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "%ff"}}}]}',
        '{"Type": "Notification", "Message": "hello"}',
        '{"source": "aws.s3", "detail": {}}',
    ],
)
def test_anything_else_is_not_understood(body: str) -> None:
    with pytest.raises(UnknownMessageError):
        created_objects(body)


@pytest.mark.parametrize(
    ("bucket", "object_key", "key"),
    [
        ("landing", "in/incoming/BOKAB/a.mrc", "incoming/BOKAB/a.mrc"),
        ("landing", "in/incoming/BOKAB/2025/a b.mrc", "incoming/BOKAB/2025/a b.mrc"),
        ("other", "in/incoming/BOKAB/a.mrc", None),
        ("landing", "incoming/BOKAB/a.mrc", None),
        ("landing", "into/incoming/BOKAB/a.mrc", None),
        ("landing", "in/archive/BOKAB/a.mrc", None),
        ("landing", "in/incoming/stray.mrc", None),
        ("landing", "in/incoming/BOKAB/", None),
        ("landing", "in/incoming/BOKAB/.part/a.mrc", None),
        ("landing", "in/incoming/BOKAB/../../x", None),
    ],
)
def test_only_what_waits_in_the_zone_is_an_arrival(bucket: str, object_key: str, key: str | None) -> None:
    assert S3Zone(Bucket("landing", "in")).incoming_key(bucket, object_key) == key
