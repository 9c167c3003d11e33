"""The client of Alma's REST API as its tests use it: a clock that only waiting moves, and a server of their own."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from tasks.patrons.alma_api import AlmaApi
from tests.unit.alma_stub import KEY, AlmaStub, alma_stub


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)

    def long_waits(self) -> list[float]:
        """Those that are no waits for a turn."""
        return [round(each, 3) for each in self.waits if each >= 1]


@pytest.fixture(scope="module")
def server() -> Iterator[AlmaStub]:
    with alma_stub() as running:
        yield running


@pytest.fixture
def stub(server: AlmaStub) -> AlmaStub:
    """The server as new, with two users."""
    new = AlmaStub(server.url)
    server.__dict__.update(new.__dict__)
    server.add("P1")
    server.add("P2", "<user_identifiers><user_identifier><value>CARD2</value></user_identifier></user_identifiers>")
    return server


def api(stub: AlmaStub, clock: Clock | None = None, **more: Any) -> AlmaApi:
    clock = clock or Clock()
    return AlmaApi(stub.url, SecretStr(KEY), **{"clock": clock, "sleep": clock.sleep, "timeout_seconds": 5.0} | more)


def said(error: BaseException) -> str:
    """All that a log would show of it, causes included."""
    return (
        "".join(traceback.format_exception(error)) + repr(error.__context__) + repr(error.__cause__) + repr(vars(error))
    )
