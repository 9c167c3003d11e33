"""Files of persons as the patron sync leaves them in the warehouse, for tests of what is told of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from schemas.warehouse.core import core_plan
from schemas.warehouse.patrons import core_patron, core_patron_change, raw_patron_file, raw_patron_reject
from schemas.warehouse.raw import raw_delivery
from tasks.warehouse.engine import Warehouse

AT = datetime(2025, 3, 14, 2, tzinfo=UTC)
DAY = date(2025, 3, 14)


@dataclass(frozen=True)
class Person:
    """A fictional person; nothing of them may stand in an e-mail."""

    person_id: int
    primary_id: str
    family_name: str
    given_name: str = "Tuva"
    is_confidential: bool = False
    state: str = "active"

    @property
    def email(self) -> str:
        return f"{self.given_name}.{self.family_name}@nordhavet.example".casefold()


ASTRID = Person(901, "NHU-55501", "Qvarnström")
BIRK = Person(902, "NHU-55502", "Zetterlöv")
CILLA = Person(903, "NHU-55503", "Wrangelby", is_confidential=True)
PERSONS = (ASTRID, BIRK, CILLA)


@dataclass(frozen=True)
class Change:
    """A row of core_patron_change."""

    person: Person | None
    path: str
    rule: str
    decision: str = "applied"
    change_class: str = ""
    plan_hash: str | None = None


@dataclass(frozen=True)
class SentFile:
    """A file of persons with what became of it."""

    delivery_id: int
    source: str = "NORUPERS"
    institution: str = "NORU"
    day: date = DAY
    state: str = "settled"
    reason: str | None = None
    is_preview: bool = False
    rows_read: int = 1200
    findings: Sequence[tuple[str, str, str | None]] = ()
    rejects: Sequence[tuple[int, str, str]] = ()
    """(record number, kind, rule)"""
    changes: Sequence[Change] = ()
    plans: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Class that waits: (hash, how many)."""

    @property
    def name(self) -> str:
        return f"{self.source}_{self.day:%Y%m%d}.txt"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()


def add_persons(warehouse: Warehouse, *persons: Person) -> None:
    rows = [
        {
            "person_id": each.person_id,
            "institution": "NORU",
            "primary_id": each.primary_id,
            "primary_key": each.primary_id.casefold(),
            "account_type": "EXTERNAL",
            "family_name": each.family_name,
            "given_name": each.given_name,
            "email": each.email,
            "state": each.state,
            "state_since": DAY,
            "is_confidential": each.is_confidential,
            "affiliations": "[]",
            "protected": "[]",
            "document": orjson.dumps({"last_name": each.family_name, "emails": [each.email]}).decode(),
            "version": 1,
            "created_at": AT,
            "updated_at": AT,
        }
        for each in persons
    ]
    with warehouse.write() as connection:
        connection.execute(sa.insert(core_patron), rows)


def add_file(warehouse: Warehouse, file: SentFile) -> int:
    """Enter a file; returns its delivery id."""
    with warehouse.write() as connection:
        connection.execute(
            sa.insert(raw_delivery).values(
                delivery_id=file.delivery_id, kind="patron", sender=file.source, sha256=file.sha256, generation=0,
                name=file.name, uri=f"file:///archive/{file.name}", bytes=4096, state=file.state, mode="",
                business_date=file.day, received_at=AT, hold_reason=file.reason, is_preview=file.is_preview,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(raw_patron_file).values(
                delivery_id=file.delivery_id, institution=file.institution, source=file.source,
                business_date=file.day, size=4096, sha256=file.sha256, filled="{}", rows_read=file.rows_read,
                findings=orjson.dumps(list(file.findings)).decode(),
            )
        )  # fmt: skip
        for statement, rows in (
            (sa.insert(raw_patron_reject), [_reject(file, *each) for each in file.rejects]),
            (sa.insert(core_patron_change), [_change(file, n, each) for n, each in enumerate(file.changes)]),
            (sa.insert(core_plan), [_plan(file, n, *each) for n, each in enumerate(file.plans.items())]),
        ):
            if rows:
                connection.execute(statement, rows)
    return file.delivery_id


def _reject(file: SentFile, record_no: int, kind: str, rule: str) -> dict[str, Any]:
    return {
        "delivery_id": file.delivery_id, "record_no": record_no, "member": "", "line": record_no * 11,
        "byte_offset": None, "kind": kind, "rule": rule, "cause": f"cause of {rule}", "field": "KA",
        "remedy": "ask again",
    }  # fmt: skip


def _change(file: SentFile, number: int, change: Change) -> dict[str, Any]:
    person = change.person
    return {
        "change_id": file.delivery_id * 1000 + number, "run_id": f"run-{file.delivery_id}",
        "delivery_id": file.delivery_id, "person_id": person.person_id if person else None,
        "institution": file.institution, "primary_id": person.primary_id if person else "NHU-99999",
        "path": change.path, "old": orjson.dumps([person.family_name if person else None]).decode(),
        "new": orjson.dumps(["Nyström-Sekretz"]).decode(), "source": file.source, "rule": change.rule,
        "class": change.change_class, "decision": change.decision, "plan_hash": change.plan_hash,
        "reason": f"{change.path}: the words of {change.rule}", "changed_at": AT,
    }  # fmt: skip


def _plan(file: SentFile, number: int, change_class: str, waits: tuple[str, int]) -> dict[str, Any]:
    plan_hash, planned = waits
    return {
        "plan_id": file.delivery_id * 1000 + number, "plan_hash": plan_hash, "flow": "patron-sync",
        "scope": f"{file.institution}:{file.source}", "class": change_class, "planned": planned,
        "population": file.rows_read, "limit": 24.0, "state": "held", "delivery_id": file.delivery_id,
        "reason": f"{planned} of {file.rows_read} persons", "created_at": AT,
    }  # fmt: skip
