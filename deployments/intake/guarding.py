"""The outermost layer of the service: each request ends in an answer and one line of the log, with no person in it."""

from __future__ import annotations

import logging
import time
import traceback
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.intake.problems import ProblemError
from tasks.warehouse.away import is_passing

log = logging.getLogger("samkat.intake")
RETRY_SECONDS: Final = 5
SHOWN: Final = "samkat.shown"
"""Key of the scope under which the endpoint leaves whom the request was about, as a keyed hash."""


class Outermost:
    """Answers what failed, and logs method, person as a keyed hash, status and time: never path, query or body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if status:
                raise ConnectionError("the answer broke off") from None
            await _failed(error).response()(scope, receive, sending)
        if scope["path"] != "/health":
            shown = scope.get(SHOWN, "-")
            log.info("%s %s %d in %.0f ms", scope["method"], shown, status, 1000 * (time.perf_counter() - began))


def _failed(error: Exception) -> ProblemError:
    """What the sender is told; the log gets kind and place, and not the words: they may quote a person."""
    places = traceback.extract_tb(error.__traceback__)
    where = f"{places[-1].filename.rpartition('/')[2]}:{places[-1].lineno}" if places else "unknown"
    own = next(
        (f"{each.filename.rpartition('/')[2]}:{each.lineno}" for each in reversed(places) if _is_own(each)), where
    )
    if is_passing(error):
        log.warning("the warehouse is away: %s at %s", type(error).__name__, own)
        return ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "away",
            "the warehouse does not answer; nothing was stored",
            remedy="send the same request with the same key again",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    log.error("a request failed: %s at %s, called at %s", type(error).__name__, where, own)
    return ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "the request failed; nothing was stored", remedy="tell the operator"
    )


def _is_own(frame: traceback.FrameSummary) -> bool:
    return "/site-packages/" not in frame.filename
