"""What the command line shows of accounts: lists, sweeps, and why an account is as it is. Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import (
    core_account,
    core_account_action,
    core_account_campaign,
    core_account_history,
    core_account_renewal,
    core_account_sweep,
)
from tasks.accounts.campaign import campaign_days, days_of_year
from tasks.accounts.roles import judge_roles
from tasks.accounts.standing import STANDING_WORDS, next_due, standing
from tasks.accounts.store import account_row, facts_of, login_key

MOST: Final = 500


def accounts(
    connection: Connection, *, system: str | None = None, library: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    """Accounts by system, library and login, at most `MOST`."""
    columns = ("account_id", "system", "library", "login", "kind", "employment", "status", "expires_on", "expiry_rule")
    statement = sa.select(*(core_account.c[name] for name in columns))
    for name, value in (("system", system), ("library", library), ("status", status)):
        if value is not None:
            statement = statement.where(core_account.c[name] == value)
    order = (core_account.c.system, core_account.c.library, core_account.c.login_key)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(*order).limit(MOST))]


def renewal_list(connection: Connection, system: AccountSystem, year: int | None, day: date) -> list[dict[str, Any]]:
    """Who was asked about in a year, with the answers; before the campaign is open, who would be."""
    assert system.campaign is not None
    days = campaign_days(system.campaign, day) if year is None else days_of_year(system.campaign, year)
    renewal, account, campaign = core_account_renewal.c, core_account.c, core_account_campaign.c
    rows = connection.execute(
        sa.select(campaign.system, campaign.year, core_account_renewal, account.login)
        .join(core_account_campaign, campaign.campaign_id == renewal.campaign_id)
        .join(core_account, account.account_id == renewal.account_id)
        .where(campaign.system == system.code, campaign.year == days.year)
        .order_by(renewal.library, account.login_key)
    ).all()
    if rows:
        return [dict(row._mapping) for row in rows]
    coming = connection.execute(
        sa.select(account.account_id, account.library, account.login, account.expires_on)
        .where(
            account.system == system.code,
            account.kind == "personal",
            account.status.in_(["active", "waiting"]),
            account.employment.in_(system.campaign.employments),
            account.expires_on.between(date(days.year, 1, 1), days.ends_on),
        )
        .order_by(account.library, account.login_key)
    )
    blank = {"system": system.code, "year": days.year, "decision": None, "until": None, "outcome": "not asked yet"}
    return [{**blank, **row._mapping} for row in coming]


def account_id_of(connection: Connection, text: str, system: str | None = None) -> int:
    """The id of an account that a person names by its id or its login.

    Raises `UsageError` where there is none, and where several systems have the login and none is named.
    """
    wanted = text.strip()
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
        # A login may be digits, too; the id is what every other command shows.
        by_id = account_row(connection, int(wanted))
        if by_id is not None and system in (None, by_id.system):
            return int(by_id.account_id)
    account = core_account.c
    named = sa.select(account.account_id, account.system, account.library).where(account.login_key == login_key(wanted))
    found = connection.execute(named.order_by(account.system)).all()
    mine = [each for each in found if system in (None, each.system)]
    if not mine:
        raise UsageError(
            f"there is no account with the id or login {wanted!r}", field="ID",
            remedy="`samkat accounts show` lists them",
        )  # fmt: skip
    if len(mine) > 1:
        ids = ", ".join(f"{each.account_id} in {each.system}" for each in mine)
        raise UsageError(f"{len(mine)} accounts have the login {wanted!r}: {ids}", field="ID", remedy="give the id")
    return int(mine[0].account_id)


def why_account(
    connection: Connection, account_id: int, systems: Mapping[str, AccountSystem], day: date
) -> dict[str, Any]:
    """Everything that made an account what it is. Raises `UsageError` where there is none."""
    row = account_row(connection, account_id)
    if row is None:
        raise UsageError(f"there is no account {account_id}", remedy="`samkat accounts show` lists them")
    found: dict[str, Any] = {"account": dict(row._mapping), "origins": orjson.loads(row.origins)}
    system = systems.get(row.system)
    if system is not None:
        now = standing(facts_of(row), system, day)
        found["standing"] = {
            "on": day, "status": now.status, "rule": now.rule, "why": STANDING_WORDS[now.rule],
            "dates": dict(now.used), "looked_at_again_on": next_due(facts_of(row), system, day),
        }  # fmt: skip
        found["roles"] = [
            {"role": each.role.code, "scope": each.role.scope or row.library, "since": each.role.since,
             "in_force": each.in_force, "finding": each.finding}
            for each in judge_roles(facts_of(row), system, day)
        ]  # fmt: skip
    history, action, sweep = core_account_history, core_account_action, core_account_sweep
    found["changes"] = [
        dict(each._mapping)
        for each in connection.execute(
            sa.select(history).where(history.c.account_id == account_id).order_by(history.c.history_id)
        )
    ]
    found["actions"] = [
        dict(each._mapping)
        for each in connection.execute(
            sa.select(sweep.c.swept_on, action)
            .join(sweep, sweep.c.sweep_id == action.c.sweep_id)
            .where(action.c.account_id == account_id)
            .order_by(action.c.sweep_id, action.c.seq)
        )
    ]
    return found
