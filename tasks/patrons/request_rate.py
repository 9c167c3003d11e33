"""How fast, and how often again: requests to a library system at an agreed rate, with waits that get longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_WAIT_SECONDS: Final = 1.0
MAX_WAIT_SECONDS: Final = 60.0


class RequestRate:
    """A bucket of `burst` tokens that fills with `per_second`; each request takes one, and waits for it."""

    def __init__(
        self,
        per_second: float,
        *,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a rate above 0 and a burst of at least 1 are needed")
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._sleep = sleep
        self._tokens = float(burst)
        self._at = clock()
        self._turn = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may go out. Threads take turns."""
        with self._turn:
            self._fill()
            while self._tokens < 1:
                # A little more than needed: a clock that is read too early must not make it wait a second time.
                self._sleep((1 - self._tokens) / self._per_second + 1e-6)
                self._fill()
            self._tokens -= 1

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(now - self._at, 0.0) * self._per_second)
        self._at = now


def wait_seconds(attempt: int, asked_for: float | None) -> float:
    """Seconds before the next attempt, after `attempt` have failed: what the server asked for, else 1, 2, 4 ... 60."""
    grown = min(FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), MAX_WAIT_SECONDS)
    return grown if asked_for is None else max(asked_for, FIRST_WAIT_SECONDS)


def retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds that a `Retry-After` asks for, as a number or as an instant; None where it says nothing.

    An instant is compared with the server's own `Date`, so that clocks need not agree.
    """
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        if date is None:
            return None
        return max((parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
