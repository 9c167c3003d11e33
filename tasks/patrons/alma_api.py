"""Alma's REST API of users: list, read, replace, create, at an agreed rate and with retries.

A failure never turns into "not found": only error 401861 of status 400 does, and only where a user was asked for. So a
server that is away, a wrong key or a broken answer never ends in a user being created or taken for gone. No exception,
log line or `repr` holds the key or anybody's id.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Final, NamedTuple
from urllib.parse import quote

import httpx
from lxml import etree
from pydantic import SecretStr

from schemas.errors import ConfigurationError
from schemas.register.patron_targets import PatronTarget, api_address
from tasks.patrons.alma_answers import (
    DAILY_THRESHOLD,
    NOT_FOUND,
    AlmaAnswerError,
    AlmaAwayError,
    AlmaQuotaError,
    AlmaRefusedError,
    can_be_asked_for,
    error_body,
    local_name,
    parsed,
    primary_id_of,
    user_page,
)
from tasks.patrons.keys import text_key
from tasks.patrons.request_rate import RequestRate, retry_after, wait_seconds

PATH: Final = "/almaws/v1/users"
PAGE: Final = 100
"""Users a page, the most that the API gives."""
LIST_PASSES: Final = 3
"""Times that the list is read before it counts as one that does not add up."""
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_ASKED_WAIT_SECONDS: Final = 300.0
"""A server that asks for more is away: the run ends, and the next one tries again."""
OVERRIDE: Final = (
    *("user_group", "job_category", "pin_number", "preferred_language", "campus_code", "rs_libraries", "user_title"),
    *("library_notices", "pref_first_name", "pref_middle_name", "pref_last_name", "cataloger_level"),
)
"""Fields that Alma keeps from an update once somebody edited them there, unless they are named. Samkat has seen those
edits by then, and its merge has decided: Alma's own protection ends when a value is repeated."""


class _WithoutAddresses(logging.Filter):
    """httpx logs the address of each request, and in ours stands somebody's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        return PATH not in record.getMessage()


_WITHOUT_ADDRESSES = _WithoutAddresses()


class _Failed(NamedTuple):
    """An attempt that may end better the next time."""

    reason: str
    asked_for: float | None = None
    """Seconds that the server asked to wait."""
    is_unclear: bool = True
    """Whether the server may have carried the request out."""


class _Answer(NamedTuple):
    status: int
    body: bytes
    root: etree._Element | None
    asked_for: float | None

    def __repr__(self) -> str:
        return f"_Answer({self.status}, {len(self.body)} bytes)"


class AlmaApi:
    """The users of one institution. Close it, or use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        *,
        requests_per_second: float = 10.0,
        timeout_seconds: float = 30.0,
        attempts: int = 6,
        keep_requests: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`keep_requests`: requests of the day that are left to others. Raises `ConfigurationError` for a bad URL."""
        self.remaining: int | None = None
        """Requests that the institution has left today, as the API said last; None: it did not say."""
        self.without_id = 0
        """Entries of the last list that have no id to ask for."""
        self.vanished = 0
        """Users that were listed and were not found any more."""
        self._base_url = _checked(base_url)
        self._attempts = attempts
        self._keep = keep_requests
        self._sleep = sleep
        self._rate = RequestRate(requests_per_second, clock=clock, sleep=sleep)
        logging.getLogger("httpx").addFilter(_WITHOUT_ADDRESSES)
        self._client = httpx.Client(
            headers={
                "Authorization": f"apikey {api_key.get_secret_value()}",
                "Accept": "application/xml",
                "User-Agent": "samkat",
            },
            timeout=timeout_seconds,
            follow_redirects=False,  # the key goes to nobody else
            verify=_certificates(),
        )

    def __repr__(self) -> str:
        return f"AlmaApi({self._base_url})"

    def __enter__(self) -> AlmaApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def user_ids(self) -> list[str]:
        """The primary ids of all users, each once, in the API's order.

        Users come and go while pages are read, and push others over their edges. A pass in which that may have hidden
        somebody is read again. Raises `AlmaAnswerError` where none adds up: a part of the users is never given as all.
        """
        for _ in range(LIST_PASSES):
            entries = self._listed()
            if entries is not None:
                ids = [each for each in entries if can_be_asked_for(each)]
                self.without_id = len(entries) - len(ids)
                return ids
        raise AlmaAnswerError(
            f"the list of users did not add up in {LIST_PASSES} passes",
            remedy="read it at a time when fewer users change",
        )

    def users(self, primary_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """The full document of each user, all of them unless ids are given: one request a user.

        Who was listed and is not found any more was deleted meanwhile: counted in `vanished`.
        """
        for primary_id in self.user_ids() if primary_ids is None else primary_ids:
            document = self.user(primary_id)
            if document is None:
                self.vanished += 1
            else:
                yield document

    def user(self, primary_id: str) -> bytes | None:
        """The full document of one user (`user` as root); None where the library system says that there is none.

        Raises `AlmaAwayError`, `AlmaRefusedError`, `AlmaQuotaError`, and `AlmaAnswerError` where another user comes:
        Alma looks among all unique identifiers, so an id may find the barcode of somebody else.
        """
        answer = self._request("GET", _path_of(primary_id), {"user_id_type": "all_unique", "view": "full"})
        if _says_not_found(answer):
            return None
        root = _good(answer)
        if local_name(root) != "user":
            raise AlmaAnswerError("the answer is no user", status=answer.status)
        if text_key(primary_id_of(root)) != text_key(primary_id):
            raise AlmaAnswerError(
                "another user has the id that was asked for among its identifiers",
                status=answer.status,
                remedy="a primary id of one user is a barcode of another: correct one of them",
            )
        return answer.body

    def replace_user(self, primary_id: str, content: bytes, override: Iterable[str] = OVERRIDE) -> None:
        """Replace a user that is there. Alma swaps all of it, internal segments too; roles stay where none are sent.

        So `content` comes from alma_over.py, never from the composer alone. A user that is not there is an
        `AlmaRefusedError` with code 401861, never a create.
        """
        parameters = {"user_id_type": "all_unique", "override": ",".join(override)}
        _good(self._request("PUT", _path_of(primary_id), parameters, content))

    def create_user(self, content: bytes) -> None:
        """Make a user that is not there. Where it is unclear whether that was done, `AlmaAwayError`: look first."""
        _good(self._request("POST", PATH, {}, content))

    def _listed(self) -> list[str] | None:
        """One pass over the pages; None where it may lack somebody.

        Each page begins with the last entry of the one before it: where that stands elsewhere by then, users moved.
        """
        entries: list[str] = []
        while True:
            offset = max(len(entries) - 1, 0)
            parameters = {"limit": str(PAGE), "offset": str(offset), "order_by": "primary_id"}
            page = user_page(_good(self._request("GET", PATH, parameters)))
            if entries and page.entries[:1] != (entries[-1],):
                return None
            news = page.entries[1:] if entries else page.entries
            entries += news
            if len(entries) >= page.total:
                return entries if len({text_key(each) for each in entries}) == page.total else None
            if not news:
                return None

    def _request(self, method: str, path: str, parameters: Mapping[str, str], content: bytes | None = None) -> _Answer:
        """The answer, good or a refusal that stays one. Raises `AlmaAwayError` and `AlmaQuotaError`."""
        attempt = 0
        while True:
            attempt += 1
            self._leave_to_others()
            self._rate.wait()
            outcome = self._once(method, path, parameters, content)
            if isinstance(outcome, _Answer):
                return outcome
            asks_too_much = (outcome.asked_for or 0.0) > MAX_ASKED_WAIT_SECONDS
            # A create that may have been carried out must not be sent again.
            may_be_done = method == "POST" and outcome.is_unclear
            if attempt == self._attempts or asks_too_much or may_be_done:
                raise AlmaAwayError(f"Alma does not answer as it should: {outcome.reason} (attempt {attempt})")
            self._sleep(wait_seconds(attempt, outcome.asked_for))

    def _leave_to_others(self) -> None:
        if self._keep and self.remaining is not None and self.remaining <= self._keep:
            raise AlmaQuotaError(
                f"{self.remaining:,} requests are left today, and {self._keep:,} are kept for others",
                remedy="go on tomorrow, or lower keep_requests",
            )

    def _once(self, method: str, path: str, parameters: Mapping[str, str], content: bytes | None) -> _Answer | _Failed:
        headers = {} if content is None else {"Content-Type": "application/xml"}
        body = bytearray()
        try:
            with self._client.stream(
                method, self._base_url + path, params=dict(parameters), content=content, headers=headers
            ) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        return _Failed(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return _Failed(type(error).__name__, is_unclear=False)
        except httpx.RequestError as error:  # its words may quote the address, and so the id
            return _Failed(type(error).__name__)
        left = response.headers.get("X-Exl-Api-Remaining", "")
        self.remaining = int(left) if left.isdigit() else self.remaining
        asked_for = retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
        answer = _Answer(response.status_code, bytes(body), parsed(bytes(body)), asked_for)
        return _failure(answer) or answer


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than a request."""
    return httpx.create_ssl_context()


def _failure(answer: _Answer) -> _Failed | None:
    """Why the answer may be better the next time; None: it stays what it is. Raises `AlmaQuotaError`."""
    said = error_body(answer.body) if answer.status != 200 else None
    words = f"status {answer.status}" + (f", {said.words()}" if said and said.words() else "")
    if answer.status == 429:
        if said and DAILY_THRESHOLD in said.codes:
            raise AlmaQuotaError(
                "the requests of this day are used up", status=429, codes=said.codes, remedy="go on tomorrow"
            )
        return _Failed(words, answer.asked_for, is_unclear=False)
    if answer.status == 408 or answer.status >= 500:
        return _Failed(words, answer.asked_for)
    if answer.status == 200 and answer.root is None:
        return _Failed("an answer that breaks off")
    return None


def _says_not_found(answer: _Answer) -> bool:
    return answer.status == 400 and error_body(answer.body).codes == (NOT_FOUND,)


def _good(answer: _Answer) -> etree._Element:
    """The root of a good answer. Raises `AlmaRefusedError` for every other one."""
    if answer.status == 200 and answer.root is not None and local_name(answer.root) != "web_service_result":
        return answer.root
    said = error_body(answer.body)
    words = f"status {answer.status}" + (f", {said.words()}" if said.words() else "")
    if answer.status in (401, 403):
        raise AlmaRefusedError(
            f"the API key is not accepted, or may not do this ({words})",
            status=answer.status,
            codes=said.codes,
            remedy="check the key and its permissions for users in the developer network",
        )
    remedy = "the tracking id tells Ex Libris' support which request it was" if said.tracking_ids else None
    raise AlmaRefusedError(f"the request was refused ({words})", status=answer.status, codes=said.codes, remedy=remedy)


def api_of(target: PatronTarget, api_key: SecretStr) -> AlmaApi:
    """The API of a target of kind `alma_api`; the caller has taken the key from the variable `target.api_key` names."""
    return AlmaApi(
        target.base_url or "",
        api_key,
        requests_per_second=target.requests_per_second,
        timeout_seconds=target.timeout_seconds,
        keep_requests=target.keep_requests,
    )


def _path_of(primary_id: str) -> str:
    quoted = quote(primary_id.strip(), safe="")
    if quoted in ("", ".", ".."):
        raise AlmaRefusedError("this primary id cannot stand in an address")
    return f"{PATH}/{quoted}"


def _checked(base_url: str) -> str:
    try:
        return api_address(base_url)
    except ValueError as error:
        raise ConfigurationError(
            str(error), field="base_url", remedy="https://api-eu.hosted.exlibrisgroup.com"
        ) from None
