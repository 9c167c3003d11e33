"""What the service does behind HTTP: who is asking, and the update carried out. Blocking; called in a thread."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Final

import sqlalchemy as sa

from deployments.intake.limits import MAX_BODY_BYTES
from deployments.intake.problems import ProblemError
from schemas.patrons import Identifier
from schemas.register.patron_sources import PatronSource
from schemas.register.register import Register
from tasks.patrons.instant import LOCK_SECONDS, Instant, instant_of
from tasks.patrons.instant_limits import Populations
from tasks.patrons.instant_many import Answer, carry_out_many
from tasks.patrons.instant_reading import Form, Method, addressed_id, only_ids, read_body
from tasks.patrons.intake_tokens import IntakeToken, matching, tokens
from tasks.patrons.keys import text_key
from tasks.patrons.person_draft import RowRejectedError
from tasks.patrons.receipts import Asked, Receipt, find_receipt
from tasks.salt import shown_id
from tasks.warehouse.engine import Warehouse

TOKEN_SECONDS: Final = 2.0
"""A token that is added or revoked counts after this time at the latest."""
FORMS: Final[dict[str, Form]] = {
    "application/json": "json",
    "application/merge-patch+json": "json",
    "application/xml": "xml",
    "text/xml": "xml",
}


@dataclass(frozen=True)
class Sent:
    """A request for an update, before its body is understood."""

    token: IntakeToken
    method: Method
    id_type: str | None
    person_id: str = field(repr=False)
    idempotency_key: str
    form: Form
    body: bytes = field(default=b"", repr=False)


@dataclass
class IntakeService:
    """Tokens, sources and the warehouse of one process."""

    warehouse: Warehouse
    register: Register
    salt: bytes = field(repr=False)
    today: Callable[[], date]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    lock_seconds: float = LOCK_SECONDS
    max_body_bytes: int = MAX_BODY_BYTES
    _populations: Populations = field(default_factory=Populations)
    _instant: Instant | None = None
    _tokens: tuple[float, list[IntakeToken]] | None = None

    def authorise(self, shown: str | None) -> IntakeToken:
        """The token that was shown. Raises the problem 401 where none was, or one that opens nothing (any more)."""
        known = self._tokens
        if known is None or time.monotonic() - known[0] > TOKEN_SECONDS:
            with self.warehouse.read() as connection:
                known = time.monotonic(), tokens(connection)
            self._tokens = known
        found = matching(known[1], shown, self.today()) if shown else None
        if found is None or self._source(found) is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "no_token",
                "there is no token, or it is unknown, expired or revoked",
                field="Authorization",
                remedy="send `Authorization: Bearer TOKEN`; the operator makes tokens",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found

    def _source(self, token: IntakeToken) -> PatronSource | None:
        source = self.register.patron_source_by_code.get(token.source)
        return source if source is not None and source.institution == token.institution else None

    def understood(self, sent: Sent) -> Asked:
        """The update of a request. Raises the problem 422 where it cannot be read as one."""
        source = self.register.patron_source_by_code[sent.token.source]
        try:
            addressed = addressed_id(source, sent.id_type, sent.person_id)
            if sent.method == "DELETE":
                person = only_ids(source, addressed)
            else:
                person = read_body(sent.body, sent.form, sent.method, source, addressed)
        except RowRejectedError as error:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, error.rule, error.cause, field=error.field, remedy=error.remedy
            ) from None
        return Asked(
            source.institution,
            source.code,
            sent.method,
            person,
            sent.token.token_id,
            sent.idempotency_key,
            request_hash(sent, source, addressed),
        )

    def carry_out(self, many: Sequence[Asked]) -> list[Answer]:
        """Receipts of updates that are there at the same time, or what each ends in."""
        return carry_out_many(self.instant(), many, self.now())

    def instant(self) -> Instant:
        """What updates of today are carried out with."""
        day = self.today()
        known = self._instant
        if known is None or known.ground.day != day:
            known = instant_of(self.warehouse, self.register, day, self.salt)
            known.populations, known.lock_seconds = self._populations, self.lock_seconds
            self._instant = known
        return known

    def receipt(self, token: IntakeToken, receipt_id: int) -> Receipt | None:
        """A receipt of the source that asks."""
        with self.warehouse.read() as connection:
            return find_receipt(connection, token.institution, token.source, receipt_id)

    def is_well(self) -> bool:
        """Whether the warehouse answers."""
        with self.warehouse.read() as connection:
            return bool(connection.execute(sa.select(1)).scalar_one() == 1)

    def shown(self, token: IntakeToken, person_id: str) -> str:
        """The person of a request as the log may show them."""
        return shown_id(self.salt, token.institution, text_key(person_id))


def request_hash(sent: Sent, source: PatronSource, addressed: Identifier) -> bytes:
    """32 bytes: the same request again has the same."""
    parts = (sent.method, source.code, addressed.type, addressed.key, sent.form if sent.body else "")
    head = "\0".join(parts).encode()
    return hashlib.sha256(len(head).to_bytes(4, "big") + head + sent.body).digest()
