"""Accounts of a test, and a night over them: what the flow `account-sweep` does, without Prefect."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_action, core_account_sweep
from tasks.accounts.applying import apply_sweep
from tasks.accounts.changing import Occasion, make_accounts
from tasks.accounts.guarding import guard_sweep
from tasks.accounts.planning import Sweep, next_day, open_sweep, plan_sweep
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, day

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)


def occasion(on: str = "2026-01-15", source: str = "test", system: AccountSystem = ALMA) -> Occasion:
    """A day on which somebody says something."""
    return Occasion(system, day(on), NOW, source)


def made(
    warehouse: Warehouse, *rows: dict[str, Any], on: str = "2026-01-15", system: AccountSystem = ALMA
) -> list[int]:
    """New accounts: personal ones of SOLB, but for what is given; days as text."""
    usual = {"library": "SOLB", "kind": "personal", "owner": "SOLB", "contact": "kontakt@solberg.example"}
    whole = [
        {"login": f"user{number}"} | usual
        | {key: day(each) if isinstance(each, str) and key.endswith(("_on", "_end", "_until")) else each
           for key, each in row.items()}
        for number, row in enumerate(rows, 1)
    ]  # fmt: skip
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        return make_accounts(connection, occasion(on, system=system), whole)


def temp(mission_end: str, **given: Any) -> dict[str, Any]:
    """A temp's row."""
    return {"employment": "temporary", "mission_end_on": mission_end, **given}


def sweep(warehouse: Warehouse, on: str, system: AccountSystem = ALMA, **options: Any) -> Counter[str]:
    """A night: every day that was missed, planned, guarded, carried out. Counts of actions that were done."""
    counts: Counter[str] = Counter()
    while True:
        with warehouse.read() as connection:
            each = next_day(connection, system.code, day(on))
        counts += one(warehouse, each, system, until=day(on), **options)
        if each == day(on):
            return counts


def one(warehouse: Warehouse, on: date, system: AccountSystem = ALMA, **options: Any) -> Counter[str]:
    """The sweep of one day."""
    opened = planned(warehouse, on, system, **options)
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        _, held = guard_sweep(connection, opened, now=NOW, run_id=None)
    counts = apply_sweep(warehouse, opened, held, now=NOW)
    return counts + Counter({f"held {each}": 1 for each in held})


def planned(warehouse: Warehouse, on: date, system: AccountSystem = ALMA, **options: Any) -> Sweep:
    """The sweep of one day, as far as its plan."""
    opened = open_sweep(warehouse, system, on, now=NOW, run_id=None, **options)
    plan_sweep(warehouse, opened)
    return opened


def statuses(warehouse: Warehouse) -> dict[str, str]:
    """Status by login."""
    with warehouse.read() as connection:
        return dict(connection.execute(sa.select(core_account.c.login, core_account.c.status)).tuples().all())


def actions(warehouse: Warehouse, *states: str) -> list[tuple[date, str, str, str]]:
    """(day of the sweep, login, action, rule) of every action in one of `states`, in order."""
    action, made_by, account = core_account_action.c, core_account_sweep.c, core_account.c
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(made_by.swept_on, account.login, action.action, action.rule)
            .join(core_account_sweep, made_by.sweep_id == action.sweep_id)
            .join(core_account, account.account_id == action.account_id)
            .where(action.state.in_(states or ("applied",)))
            .order_by(action.sweep_id, action.account_id, action.seq)
        )
        return [tuple(row) for row in rows]


def content(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """The accounts by content: no surrogate ids, no instants, no version."""
    names = [
        each.name for each in core_account.columns
        if each.name not in ("account_id", "version", "sweep_id", "created_at", "updated_at", "is_unsent")
    ]  # fmt: skip
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(*(core_account.c[name] for name in names)).order_by(core_account.c.login_key)
        )
        return [tuple(row) for row in rows]
