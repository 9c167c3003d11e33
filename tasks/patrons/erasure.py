"""What must hold before a person is erased, and the tombstone that keeps tomorrow's file from bringing them back.

A tombstone holds no value of the person: a keyed hash of (institution, source, stable id), and days.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from schemas.register.patron_validity import ErasureRules
from tasks.patrons.lifecycle import PatronState

SALT_BYTES = 16
"""The least that makes a hash of a short id worth nothing to who does not have the salt."""


class Obligations(NamedTuple):
    """What a person and the library still owe each other, from the library system's feed."""

    as_of: datetime
    loans: int
    balance: Decimal
    """Of either sign: what the library owes keeps a person as well."""
    requests: int
    on_hold_shelf: int
    staff_roles: int


def obstacles(
    state: PatronState,
    obligations: Obligations | None,
    rules: ErasureRules,
    now: datetime,
    *,
    is_asked_for: bool = False,
) -> tuple[str, ...]:
    """What keeps a person from being erased, in words; nothing: go on.

    `is_asked_for`: the person, or the library, asks for it before the purge date; all other conditions stay.
    """
    found = []
    if state == "erased":
        found.append("already erased")
    elif state != "erasable" and not is_asked_for:
        found.append(f"the person is {state}, and nobody has asked for it")
    if obligations is None:
        return (*found, "no feed says what loans and balances there are")
    if now - obligations.as_of > timedelta(hours=rules.obligations_hours):
        found.append(f"the feed of loans and balances is older than {rules.obligations_hours} hours")
    counts = (
        (obligations.loans, "loans"),
        (obligations.requests, "requests"),
        (obligations.on_hold_shelf, "items on the hold shelf"),
        (obligations.staff_roles, "staff roles"),
    )
    found += [f"there are {words}" for count, words in counts if count]
    if obligations.balance:
        found.append("the balance is not zero")
    return tuple(found)


class Tombstone(NamedTuple):
    """Stands for an erased person's row of one source."""

    key: bytes
    erased_on: date
    seen_on: date | None = None
    """Last business date on which the row came all the same."""

    def lapses_after(self, rules: ErasureRules) -> date:
        """Last day on which it stops the row, if that does not come again."""
        return max(self.erased_on, self.seen_on or self.erased_on) + timedelta(rules.tombstone_days)

    def stops_on(self, day: date, rules: ErasureRules) -> bool:
        """Whether it stops the row on that day. One who comes after it has lapsed is a new person."""
        return day <= self.lapses_after(rules)

    def seen(self, day: date) -> Tombstone:
        """After its row came on `day`: a feed that repeats it every night is stopped for as long as it does."""
        return self._replace(seen_on=max(day, self.seen_on or day))


def tombstone_key(institution: str, source: str, namespace: str, key: str, salt: bytes) -> bytes:
    """32 bytes, HMAC-SHA256. Raises `ValueError` for a salt under 16 bytes: ids are few, and could be tried out."""
    if len(salt) < SALT_BYTES:
        raise ValueError(f"the salt of tombstones needs at least {SALT_BYTES} bytes")
    parts = "".join(f"{len(part)}:{part}" for part in (institution, source, namespace, key))
    return hmac.new(salt, parts.encode(), hashlib.sha256).digest()


def stopped_by(
    tombstones: Sequence[Tombstone], keys: Sequence[bytes], day: date, rules: ErasureRules
) -> Tombstone | None:
    """The tombstone that stops a row with these keys on that day."""
    return next((each for each in tombstones if each.key in keys and each.stops_on(day, rules)), None)
