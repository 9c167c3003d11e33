"""How much a sender may ask: requests a second and token, bytes a request, seconds for them to arrive."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request

from deployments.intake.problems import ProblemError

MAX_BODY_BYTES: Final = 256 * 1024
BODY_SECONDS: Final = 20.0
"""Within which a body has to arrive."""


class TokenBuckets:
    """One bucket a token: `rate` requests a second, and after a rest `burst` at once. In this process alone."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._levels: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, token_id: int) -> float:
        """0: go on; else the seconds to wait until a request would be let through."""
        with self._lock:
            now = self._clock()
            level, since = self._levels.get(token_id, (self._burst, now))
            level = min(self._burst, level + (now - since) * self._rate)
            if level < 1:
                self._levels[token_id] = level, now
                return (1 - level) / self._rate
            self._levels[token_id] = level - 1, now
            return 0.0


def let_through(buckets: TokenBuckets, token_id: int) -> None:
    """Raises the problem 429 with `Retry-After` where a token asks too often."""
    seconds = buckets.take(token_id)
    if seconds:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_often",
            "more requests a second came with this token than are agreed",
            remedy="wait as Retry-After says; many persons at once belong in a file",
            headers={"Retry-After": str(math.ceil(seconds))},
        )


async def read_body(request: Request, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """The body, never more than `limit` bytes of it, whatever its headers say. Raises the problems 413 and 408."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
    except ClientDisconnect:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "gone", "the body broke off", remedy="send it again") from None
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            "too_slow",
            f"the body did not arrive in {seconds:.0f} s",
            remedy="send it again",
        ) from None
    return b"".join(parts)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the body has more than {limit:,} bytes",
        remedy="send one person a request",
        headers={"Connection": "close"},
    )
