"""Writing accounts: new ones, and what a file, a command, a campaign or a rotation changes about one.

Every value remembers where it came from, and what it replaced. A change moves the last valid day at once, where nothing
is pinned; the status is moved by a sweep alone, under its guards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_history
from tasks.accounts.ending import end_of
from tasks.accounts.facts import Facts
from tasks.accounts.standing import standing
from tasks.accounts.store import facts_of, login_key, roles_of, training_of
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.ids import take_ids

VALUES: Final = (
    *("library", "kind", "employment", "name", "email", "owner", "contact", "supporter", "tasks", "made_on"),
    *("mission_start_on", "mission_end_on", "leaver_on", "renewed_on", "granted_until", "is_end_pinned", "pinned_end"),
    *("trained_on", "training", "rotated_on", "roles"),
)
"""Columns that files and people write."""
_DEFAULTS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("name", "email", "owner", "contact", "supporter", "tasks"), ""),
    "employment": "permanent",
    "is_end_pinned": False,
    "training": "{}",
    "roles": "[]",
}
_NEW: Final = (
    *("account_id", "login", "login_key", *VALUES, "origins", "status", "status_since", "expires_on", "expiry_rule"),
    "look_on",
)
_HISTORY: Final = ("history_id", "account_id", "field", "old", "new")


@dataclass(frozen=True)
class Occasion:
    """When something is said, and where it comes from."""

    system: AccountSystem
    day: date
    now: datetime
    source: str
    """import:NAME, command:WHO, campaign:YEAR, rotation:WHO."""


def make_accounts(connection: Connection, occasion: Occasion, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """New accounts from `rows` (login and any of `VALUES`); returns their ids in that order."""
    ids = take_ids(connection, "account", len(rows))
    made = [_new_row(each, row, occasion) for each, row in zip(ids, rows, strict=True)]
    constants = {
        "system": occasion.system.code,
        "version": 1,
        "is_unsent": True,
        "created_at": occasion.now,
        "updated_at": occasion.now,
    }
    bulk_insert(connection, core_account, _NEW, made, constants)
    return list(ids)


def _new_row(account_id: int, row: Mapping[str, Any], occasion: Occasion) -> tuple[Any, ...]:
    values = {**dict.fromkeys(VALUES), **_DEFAULTS, "made_on": occasion.day, **row}
    origins = {name: [occasion.source, occasion.day] for name in VALUES if name in row}
    facts = facts_of_values(values)
    found = standing(facts, occasion.system, occasion.day)
    return (
        *(account_id, row["login"], login_key(row["login"]), *(values[name] for name in VALUES)),
        *(orjson.dumps(origins).decode(), found.status, occasion.day, found.end.day, found.end.rule),
        # What is to be told of it, tonight's sweep finds out.
        occasion.day,
    )


def facts_of_values(values: Mapping[str, Any]) -> Facts:
    """Facts from columns by name."""
    return Facts(
        kind=values["kind"],
        employment=values["employment"],
        library=values["library"],
        made_on=values["made_on"],
        mission_start_on=values["mission_start_on"],
        mission_end_on=values["mission_end_on"],
        leaver_on=values["leaver_on"],
        renewed_on=values["renewed_on"],
        granted_until=values["granted_until"],
        pinned_end=values["pinned_end"],
        is_end_pinned=values["is_end_pinned"],
        roles=roles_of(values["roles"]),
        trained=training_of(values["training"]),
        owner=values["owner"],
        contact=values["contact"],
    )


def change_accounts(
    connection: Connection, occasion: Occasion, changes: Iterable[tuple[sa.Row[Any], Mapping[str, Any]]]
) -> Counter[str]:
    """Change accounts (whole rows of core_account, and new values of `VALUES`). Counts changed and unchanged ones."""
    counts: Counter[str] = Counter()
    updates: list[dict[str, Any]] = []
    history: list[tuple[Any, ...]] = []
    for row, given in changes:
        there = row._mapping
        new = {name: value for name, value in given.items() if there[name] != value}
        counts["changed" if new else "unchanged"] += 1
        if not new:
            continue
        updates.append(_updated(row, new, occasion))
        history += [(row.account_id, name, _text(there[name]), _text(value)) for name, value in new.items()]
    if updates:
        connection.execute(_UPDATE, updates)
        ids = take_ids(connection, "account_history", len(history))
        rows = [(each, *line) for each, line in zip(ids, history, strict=True)]
        constants = {"source": occasion.source, "said_on": occasion.day, "changed_at": occasion.now}
        bulk_insert(connection, core_account_history, _HISTORY, rows, constants)
    return counts


def _updated(row: sa.Row[Any], new: Mapping[str, Any], occasion: Occasion) -> dict[str, Any]:
    values = {name: new.get(name, row._mapping[name]) for name in VALUES}
    end = end_of(facts_of_values(values), occasion.system.ends)
    origins = orjson.loads(row.origins) | {name: [occasion.source, occasion.day] for name in new}
    return {
        **{f"new_{name}": values[name] for name in VALUES},
        "of_account": row.account_id,
        "new_origins": orjson.dumps(origins).decode(),
        "new_expires_on": end.day,
        "new_expiry_rule": end.rule,
        "new_look_on": occasion.day,
        "new_updated_at": occasion.now,
    }


_UPDATE: Final = (
    sa.update(core_account)
    .where(core_account.c.account_id == sa.bindparam("of_account"))
    .values(
        {name: sa.bindparam(f"new_{name}") for name in (*VALUES, "origins", "expires_on", "expiry_rule", "look_on")}
        | {
            "version": core_account.c.version + 1,
            "sweep_id": None,
            "is_unsent": True,
            "updated_at": sa.bindparam("new_updated_at"),
        }
    )
)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, date) else str(value).lower()


def renewed_values(row: sa.Row[Any], facts: Facts) -> dict[str, Any]:
    """The columns that a renewal moved, from the facts after it."""
    before = facts_of(row)
    names = ("mission_end_on", "renewed_on", "granted_until")
    return {name: getattr(facts, name) for name in names if getattr(facts, name) != getattr(before, name)}
