"""Roles as their system has them: codes of its own, the roles of Alma's documents."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa

from schemas.alma_users import StaffRole
from schemas.register.account_rules import AccountSystem
from tasks.accounts.roles import roles_in_force
from tasks.accounts.store import facts_of


def target_of(system: AccountSystem, code: str) -> str:
    """The code of a role in its system."""
    rule = system.role(code)
    return (rule.target if rule else "") or code


def codes_in_force(row: sa.Row[Any], system: AccountSystem, day: date) -> list[str]:
    """Codes of the roles in force, of a row with `FACT_COLUMNS`; none where the account is not valid."""
    return [target_of(system, each.code) for each in _in_force(row, system, day)]


def staff_roles(row: sa.Row[Any], system: AccountSystem, day: date) -> tuple[StaffRole, ...]:
    """The roles in force as Alma's documents have them, each until the account's last valid day."""
    return tuple(
        StaffRole(target_of(system, each.code), each.scope or row.library, expiry_date=row.expires_on)
        for each in _in_force(row, system, day)
    )


def _in_force(row: sa.Row[Any], system: AccountSystem, day: date) -> Any:
    return roles_in_force(facts_of(row), system, day) if row.status == "active" else ()
