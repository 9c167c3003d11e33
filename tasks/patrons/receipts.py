"""Receipts of instant updates: what was asked, and what became of it. One a request, kept for some weeks.

While an update is not carried out its content stands in the receipt, as does what waits for approval; afterwards it is
gone. A receipt that is shown says nothing about the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import IncomingPerson
from schemas.warehouse.patrons import raw_patron_receipt
from tasks.patrons.documents import incoming_from_json, incoming_to_json
from tasks.patrons.instant_reading import Method

ReceiptState: TypeAlias = Literal["waiting", "done", "held", "refused"]
COUNTER: Final = "patron_receipt"
COMMAND_LINE: Final = 0
"""Stands for the token of what the command line sends."""
table = raw_patron_receipt


class KeyTakenError(Exception):
    """Another request came under the same idempotency key before."""


@dataclass(frozen=True)
class Asked:
    """An instant update as it came."""

    institution: str
    source: str
    method: Method
    person: IncomingPerson = field(repr=False)
    """Of a DELETE nothing but the id."""
    token_id: int
    idempotency_key: str
    request_hash: bytes = field(repr=False)
    """32 bytes: the same again is the same request."""


@dataclass(frozen=True)
class Outcome:
    """What became of an update."""

    state: ReceiptState
    rule: str
    """Of `done`: created, changed, unchanged. Of `held`: the classes of change that wait, with commas. Of `refused`:
    why."""
    reason: str = ""
    """In words; says nothing about the person."""
    person_id: int | None = None
    version: int | None = None
    """Version of the person that it made."""
    changes_hash: str = ""
    """Of what is held: sha256 of the changes that wait, so that nothing else is approved."""
    heard: str = ""
    """Of what is held: what the source said last, so that nothing older is carried out over something newer."""


@dataclass(frozen=True)
class Receipt:
    """A receipt as it may be shown to its sender."""

    receipt_id: int
    institution: str
    source: str
    method: Method
    state: ReceiptState
    rule: str
    reason: str
    version: int | None
    plan_hash: str | None
    received_at: datetime
    committed_at: datetime | None


def receipt_of(row: sa.Row[Any]) -> Receipt:
    """A row of `raw_patron_receipt` as it may be shown."""
    return Receipt(
        *(row.receipt_id, row.institution, row.source, row.method, row.state, row.rule or "", row.reason or ""),
        *(row.version, row.plan_hash, row.received_at, row.committed_at),
    )


def find_receipt(connection: Connection, institution: str, source: str, receipt_id: int) -> Receipt | None:
    """A receipt of that source; None: it has none of this number."""
    row = connection.execute(
        sa.select(table).where(
            table.c.receipt_id == receipt_id, table.c.institution == institution, table.c.source == source
        )
    ).one_or_none()
    return None if row is None else receipt_of(row)


def find_same(connection: Connection, institution: str, key: str, request_hash: bytes) -> Receipt | None:
    """The receipt of the same request under the same key. Raises `KeyTakenError` where it was another request."""
    row = connection.execute(
        sa.select(table).where(table.c.institution == institution, table.c.idempotency_key == key)
    ).one_or_none()
    if row is None:
        return None
    if bytes(row.request_hash) != request_hash:
        raise KeyTakenError
    return receipt_of(row)


def same_and_waiting(connection: Connection, asked: Asked, limit: int) -> tuple[Receipt | None, Sequence[sa.Row[Any]]]:
    """The receipt of the same request, as `find_same`, and the updates of its source that wait, at most `limit`.

    One question to the database: each takes a while that nobody else can write persons in.
    """
    is_same = sa.and_(table.c.institution == asked.institution, table.c.idempotency_key == asked.idempotency_key)
    waits = sa.and_(table.c.state == "waiting", table.c.source == asked.source)
    # The same one first: as a rule there is none, and nothing waits.
    order = (sa.case((is_same, 0), else_=1), table.c.receipt_id)
    rows = connection.execute(sa.select(table).where(sa.or_(is_same, waits)).order_by(*order).limit(limit + 1)).all()
    same = rows[0] if rows and _is_same(rows[0], asked) else None
    if same is None:
        return None, rows[:limit]
    if bytes(same.request_hash) != asked.request_hash:
        raise KeyTakenError
    return receipt_of(same), rows[1:]


def _is_same(row: sa.Row[Any], asked: Asked) -> bool:
    return bool(row.institution == asked.institution and row.idempotency_key == asked.idempotency_key)


def enter(connection: Connection, asked: Asked, receipt_id: int, outcome: Outcome, now: datetime) -> Receipt:
    """Enter a receipt; what is not carried out whole keeps its content."""
    return enter_many(connection, [(asked, receipt_id, outcome)], now)[0]


def enter_many(connection: Connection, entered: Sequence[tuple[Asked, int, Outcome]], now: datetime) -> list[Receipt]:
    """Enter receipts with their numbers and what became of them."""
    rows: list[dict[str, Any]] = []
    for asked, receipt_id, outcome in entered:
        is_open = outcome.state in ("waiting", "held")
        rows.append(
            {
                "receipt_id": receipt_id,
                "token_id": asked.token_id,
                "institution": asked.institution,
                "source": asked.source,
                "idempotency_key": asked.idempotency_key,
                "method": asked.method,
                "request_hash": asked.request_hash,
                "received_at": now,
                **_values_of(asked.person if is_open else None, outcome, now),
            }
        )
    if rows:
        connection.execute(sa.insert(table), rows)
    return [
        Receipt(
            *(receipt_id, asked.institution, asked.source, asked.method, outcome.state, outcome.rule, outcome.reason),
            *(outcome.version, None, now, row["committed_at"]),
        )
        for row, (asked, receipt_id, outcome) in zip(rows, entered, strict=True)
    ]


def decide(connection: Connection, row: sa.Row[Any], outcome: Outcome, now: datetime) -> None:
    """Note what became of an update that waited; one that waited for approval keeps the plan that it was under."""
    is_open = outcome.state in ("waiting", "held")
    values = _values_of(person_in(row) if is_open else None, outcome, now)
    if outcome.state == "held":
        values |= {"plan_hash": None, "run_id": None}  # it waits anew, and is reported anew
    connection.execute(sa.update(table).where(table.c.receipt_id == row.receipt_id).values(**values))


def _values_of(person: IncomingPerson | None, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """`person`: of an update that waits or is held; of others nothing is kept."""
    content = None
    if person is not None:
        known = {
            "person": orjson.Fragment(incoming_to_json(person)),
            "changes": outcome.changes_hash,
            "heard": outcome.heard,
        }
        content = orjson.dumps(known).decode()
    return {
        "content": content,
        "state": outcome.state,
        "rule": outcome.rule or None,
        "reason": outcome.reason or None,
        "person_id": outcome.person_id,
        "version": outcome.version,
        "committed_at": None if outcome.state == "waiting" else now,
    }


def person_in(row: sa.Row[Any]) -> IncomingPerson:
    """The person of an update that waits."""
    return incoming_from_json(orjson.dumps(orjson.loads(row.content)["person"]).decode())


def changes_hash_in(row: sa.Row[Any]) -> str:
    """Of the changes of an update that wait for approval."""
    return str(orjson.loads(row.content)["changes"])


def heard_in(row: sa.Row[Any]) -> str:
    """What the source had said last when the update was held."""
    return str(orjson.loads(row.content)["heard"])


def open_receipts(
    connection: Connection, state: Literal["waiting", "held"], source: str | None = None, limit: int | None = None
) -> Sequence[sa.Row[Any]]:
    """Updates that wait, in the order in which they came."""
    chosen = sa.select(table).where(table.c.state == state).order_by(table.c.receipt_id).limit(limit)
    return connection.execute(chosen if source is None else chosen.where(table.c.source == source)).all()
