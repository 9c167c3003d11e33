"""Accounts between the warehouse and the rules: rows become facts, and what the rules work out becomes columns."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_told
from tasks.accounts.deciding import Told
from tasks.accounts.facts import Facts, Role
from tasks.patrons.keys import text_key
from tasks.warehouse.bulk import id_set, text_set

ACCOUNTS_LOCK: Final = "accounts"
"""One writer of accounts at a time."""
CHUNK_ACCOUNTS: Final = 4_000
FORGOTTEN: Final = "~forgotten-"
"""What the login of an account begins with of which it is forgotten whose it was; no login may."""
FACT_COLUMNS: Final = (
    *("account_id", "version", "kind", "employment", "library", "made_on", "status", "mission_start_on"),
    *("mission_end_on", "leaver_on", "renewed_on", "granted_until", "pinned_end", "is_end_pinned", "roles", "training"),
    *("owner", "contact", "expires_on", "expiry_rule", "login_key"),
)


def login_key(login: str) -> str:
    """What logins are compared by."""
    return text_key(login)


def rules_version(system: AccountSystem) -> str:
    """sha256 of a system's rules: when they change, every account is looked at."""
    rules = system.model_dump_json(
        exclude={"examples", "name", "support", "language", "health", "outbound", "guards", "retention"}
    )
    return hashlib.sha256(rules.encode()).hexdigest()


def facts_of(row: sa.Row[Any]) -> Facts:
    """The facts of a row that has `FACT_COLUMNS`."""
    return Facts(
        kind=row.kind,
        employment=row.employment,
        library=row.library,
        made_on=row.made_on,
        status=row.status,
        mission_start_on=row.mission_start_on,
        mission_end_on=row.mission_end_on,
        leaver_on=row.leaver_on,
        renewed_on=row.renewed_on,
        granted_until=row.granted_until,
        pinned_end=row.pinned_end,
        is_end_pinned=row.is_end_pinned,
        roles=roles_of(row.roles) if row.roles != "[]" else (),
        trained=training_of(row.training) if row.training != "{}" else {},
        owner=row.owner,
        contact=row.contact,
    )


def roles_of(text: str) -> tuple[Role, ...]:
    """Roles from their JSON."""
    return tuple(
        Role(each["role"], each["scope"], date.fromisoformat(each["since"]) if each["since"] else None)
        for each in orjson.loads(text)
    )


def roles_json(roles: Iterable[Role]) -> str:
    """Roles as JSON, for `out_account`."""
    return orjson.dumps([{"role": each.code, "scope": each.scope, "since": each.since} for each in roles]).decode()


def training_of(text: str) -> dict[str, date]:
    """Training by course, from its JSON."""
    return {course: date.fromisoformat(on) for course, on in orjson.loads(text).items()}


def training_json(training: Mapping[str, date]) -> str:
    """Training by course, as JSON."""
    return orjson.dumps(dict(sorted(training.items()))).decode()


def told_of(connection: Connection, account_ids: Collection[int]) -> dict[int, set[Told]]:
    """What was told of these accounts so far."""
    found: dict[int, set[Told]] = {}
    wanted = sa.select(id_set(connection, account_ids).c.value)
    rows = connection.execute(
        sa.select(core_account_told.c.account_id, core_account_told.c.rule, core_account_told.c.about_on).where(
            core_account_told.c.account_id.in_(wanted)
        )
    )
    for account_id, rule, about_on in rows:
        found.setdefault(account_id, set()).add(Told(rule, about_on))
    return found


def accounts_by_login(connection: Connection, system: str, keys: Collection[str]) -> dict[str, sa.Row[Any]]:
    """Whole rows of core_account by login key, of those that are there."""
    wanted = sa.select(text_set(connection, keys).c.value)
    rows = connection.execute(
        sa.select(core_account).where(core_account.c.system == system, core_account.c.login_key.in_(wanted))
    )
    return {row.login_key: row for row in rows}


def account_row(connection: Connection, account_id: int) -> sa.Row[Any] | None:
    """The row of an account, None where there is no such one."""
    return connection.execute(sa.select(core_account).where(core_account.c.account_id == account_id)).one_or_none()
