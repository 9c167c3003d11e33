"""Tokens and limits of the intake service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any

import pytest
from starlette.requests import Request

from deployments.intake.limits import TokenBuckets, let_through, read_body
from deployments.intake.problems import ProblemError
from tasks.patrons.intake_tokens import IntakeToken, hash_of_token, matching

DAY = date(2025, 3, 14)
MADE = datetime(2025, 3, 1, tzinfo=UTC)


def token(number: int, secret: str, expires_on: date | None = None, revoked_at: datetime | None = None) -> IntakeToken:
    return IntakeToken(number, "VEST", "VESTSTUD", "a test", hash_of_token(secret), MADE, expires_on, revoked_at)


def test_a_token_is_known_by_its_hash_and_shows_it_nowhere() -> None:
    known = [token(1, "one"), token(2, "two")]
    found = matching(known, "two", DAY)
    assert found is not None
    assert found.token_id == 2
    assert matching(known, "three", DAY) is None
    assert matching(known, "", DAY) is None
    assert str(hash_of_token("two")) not in repr(known)


@pytest.mark.parametrize(
    ("expires_on", "revoked_at", "is_taken"),
    [
        (None, None, True),
        (DAY, None, True),
        (date(2025, 3, 13), None, False),
        (None, MADE, False),
        (date(2026, 1, 1), MADE, False),
    ],
)
def test_a_token_that_is_over_or_revoked_opens_nothing(
    expires_on: date | None, revoked_at: datetime | None, is_taken: bool
) -> None:
    assert (matching([token(1, "one", expires_on, revoked_at)], "one", DAY) is not None) is is_taken


def test_a_bucket_lets_through_a_burst_and_then_the_rate_and_each_token_has_its_own() -> None:
    now = 100.0
    buckets = TokenBuckets(2.0, 4.0, clock=lambda: now)
    assert [buckets.take(1) for _ in range(4)] == [0.0] * 4
    assert buckets.take(1) == pytest.approx(0.5)
    assert buckets.take(2) == 0.0
    now += 0.5
    assert buckets.take(1) == 0.0
    assert buckets.take(1) > 0
    now += 1000
    assert [buckets.take(1) for _ in range(5)] == [0.0] * 4 + [pytest.approx(0.5)]


def test_who_asks_too_often_is_told_in_whole_seconds_when_to_go_on() -> None:
    buckets = TokenBuckets(0.4, 1.0, clock=lambda: 1.0)
    let_through(buckets, 1)
    with pytest.raises(ProblemError) as error:
        let_through(buckets, 1)
    assert (error.value.status, error.value.headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "3")


def request(
    parts: list[bytes], declared: int | None = None, wait: Callable[[], Awaitable[None]] | None = None
) -> Request:
    """A request whose body comes in parts, as a chunked one does."""
    left = list(parts)
    headers = [] if declared is None else [(b"content-length", str(declared).encode())]

    async def receive() -> dict[str, Any]:
        if wait is not None:
            await wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return Request({"type": "http", "method": "PUT", "headers": headers}, receive)


def test_a_body_comes_whole() -> None:
    assert asyncio.run(read_body(request([b"ab", b"", b"cd"]), 4)) == b"abcd"


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not() -> None:
    for each in (request([b"abcde"], declared=5), request([b"ab", b"cde"]), request([b"abcde"], declared=1)):
        with pytest.raises(ProblemError) as error:
            asyncio.run(read_body(each, 4))
        assert error.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async def never() -> None:
        await asyncio.sleep(60)

    with pytest.raises(ProblemError) as error:
        asyncio.run(read_body(request([b"a"], wait=never), 4, seconds=0.05))
    assert error.value.status == HTTPStatus.REQUEST_TIMEOUT
