"""Tokens of the intake service: an institution shows one with each instant update. Kept as a hash alone.

A token is 256 random bits, so its sha256 needs no salt and no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.patrons import core_intake_token
from tasks.warehouse.ids import take_id

PREFIX: Final = "samkat-"
"""So that a scanner of leaked secrets can know one."""
_BYTES: Final = 32


@dataclass(frozen=True)
class IntakeToken:
    """A token as the warehouse has it."""

    token_id: int
    institution: str
    """Whose persons it may change."""
    source: str
    """Source as which it speaks."""
    name: str
    token_hash: bytes = field(repr=False)
    created_at: datetime
    expires_on: date | None = None
    """Last day on which it is taken."""
    revoked_at: datetime | None = None

    def is_taken_on(self, day: date) -> bool:
        """Whether it opens anything on that day."""
        return self.revoked_at is None and (self.expires_on is None or day <= self.expires_on)


def hash_of_token(token: str) -> bytes:
    """32 bytes: what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def add_token(
    connection: Connection, institution: str, source: str, name: str, now: datetime, expires_on: date | None = None
) -> tuple[int, str]:
    """Make a token; returns its id, and the token itself, which is shown this once and kept nowhere."""
    token = f"{PREFIX}{secrets.token_urlsafe(_BYTES)}"
    token_id = take_id(connection, "intake_token")
    connection.execute(
        sa.insert(core_intake_token).values(
            token_id=token_id,
            institution=institution,
            source=source,
            name=name,
            token_hash=hash_of_token(token),
            created_at=now,
            expires_on=expires_on,
        )
    )
    return token_id, token


def revoke_token(connection: Connection, token_id: int, now: datetime) -> bool:
    """Take a token no more; False: it was revoked before. Raises `UsageError` for an unknown one."""
    revoked = connection.execute(
        sa.update(core_intake_token)
        .where(core_intake_token.c.token_id == token_id, core_intake_token.c.revoked_at.is_(None))
        .values(revoked_at=now)
    ).rowcount
    if not revoked and all(each.token_id != token_id for each in tokens(connection)):
        raise UsageError(f"there is no token {token_id}", remedy="`samkat patrons tokens list` shows them")
    return bool(revoked)


def tokens(connection: Connection) -> list[IntakeToken]:
    """Every token there was, the oldest first."""
    rows = connection.execute(sa.select(core_intake_token).order_by(core_intake_token.c.token_id))
    return [
        IntakeToken(
            *(row.token_id, row.institution, row.source, row.name, bytes(row.token_hash)),
            *(row.created_at, row.expires_on, row.revoked_at),
        )
        for row in rows
    ]


def matching(known: Iterable[IntakeToken], shown: str, day: date) -> IntakeToken | None:
    """The token that was shown, where it is taken on that day. Each is compared, in a time that tells nothing."""
    digest, found = hash_of_token(shown), None
    for each in known:
        if hmac.compare_digest(each.token_hash, digest) and each.is_taken_on(day):
            found = each
    return found
