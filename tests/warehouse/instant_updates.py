"""Updates of persons as the intake service makes them, one at a time, and what a warehouse says afterwards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.patron_limits import PatronChange, PatronGuards, PatronLimit
from schemas.register.register import Register
from tasks.patrons.instant import Instant, carry_out, instant_of
from tasks.patrons.instant_reading import Method, addressed_id, only_ids, read_body
from tasks.patrons.receipts import Asked, Receipt
from tasks.warehouse.engine import Warehouse

DAY = date(2025, 3, 14)
NOW = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
SALT = b"s" * 32
BERG = "anna.berg@vestmark.example"
MAIL = "anna.berg@vestmark.example"
PERSON: dict[str, Any] = {
    "primary_id": BERG,
    "first_name": "Anna",
    "last_name": "Berg",
    "middle_name": "Maria",
    "user_group": "student",
    "emails": [{"type": "school", "email_address": MAIL, "preferred": True}],
    "phones": [{"type": "mobile", "phone_number": "+47 555 01 234"}],
}
Send = Callable[..., Receipt]


@cache
def _register() -> Register:
    return read_register(SAMPLE_REGISTER)


def sample_instant(warehouse: Warehouse) -> Instant:
    """Updates on the day of the sample night, by the sample register."""
    return instant_of(warehouse, _register(), DAY, SALT)


def limited(instant: Instant, **limits: int) -> None:
    """Make the limit of these classes so many, in thirty days; `create` a day."""
    wanted: dict[PatronChange, PatronLimit] = {
        name: PatronLimit(at_least=number, share=0, sum_days=0 if name in ("create", "group_change") else 30)
        for name, number in limits.items()  # type: ignore[misc]
    }
    policy = instant.ground.policy.model_copy(update={"guards": PatronGuards(limits=wanted)})
    instant.ground = replace(instant.ground, policy=policy)


def asked(
    instant: Instant, method: Method, who: str = BERG, body: Any = None, key: str | None = None, code: str = "VESTSTUD"
) -> Asked:
    """An update as the service makes it."""
    source = instant.sources[code]
    raw = json.dumps(body).encode()
    addressed = addressed_id(source, None, who)
    person = only_ids(source, addressed) if method == "DELETE" else read_body(raw, "json", method, source, addressed)
    digest = hashlib.sha256(f"{method} {who}".encode() + raw).digest()
    return Asked(source.institution, code, method, person, 1, key or os.urandom(8).hex(), digest)


def sender(instant: Instant) -> Send:
    """Sends an update: `send("PUT", BERG, {...}, key=..., at=...)`."""

    def sent(method: Method, who: str = BERG, body: Any = None, key: str | None = None, at: datetime = NOW) -> Receipt:
        return carry_out(instant, asked(instant, method, who, body, key), at)

    return sent


def rows(warehouse: Warehouse, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql), values)]


def person(warehouse: Warehouse, who: str = BERG) -> dict[str, Any]:
    """Values, lists and state as they are."""
    ((document, state, version),) = rows(
        warehouse, "SELECT document, state, version FROM core_patron WHERE primary_key = :who", who=who
    )
    found = json.loads(document)
    lists = {path: [each[2] for each in items] for path, items in found["lists"].items()}
    return {**found["written"], **lists, "state": state, "version": version}


def everything(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """What updates may write, as it is."""
    tables = ("core_patron", "core_patron_source", "core_patron_change", "core_patron_version", "raw_patron_receipt")
    return [(table, *rows(warehouse, f"SELECT count(*) FROM {table}")[0]) for table in tables]


def keep_waiting(warehouse: Warehouse, one: Asked) -> None:
    from tasks.patrons.receipts import COUNTER, Outcome, enter
    from tasks.warehouse.ids import take_id

    with warehouse.write() as connection:
        enter(connection, one, take_id(connection, COUNTER), Outcome("waiting", "busy"), NOW)
