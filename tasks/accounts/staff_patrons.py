"""Staff who are patrons, too: their one document in Alma is the patron sync's, and it carries the roles of the account.

A library system keeps one user under one id. The patron sync says who the person is and until when they borrow; the
account rules say which roles of staff are in force. So the account's roles go out in the patron's document, and a
mission's end ends them there while the borrower goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_rules import AccountSystem
from schemas.register.register import Register
from schemas.warehouse.accounts import core_account
from schemas.warehouse.patrons import core_patron
from tasks.accounts.store import FACT_COLUMNS
from tasks.accounts.target_roles import staff_roles
from tasks.patrons.sending_out import NO_STAFF, Staff

_COLUMNS: Final = (*FACT_COLUMNS, "is_unsent")


def staff_of(connection: Connection, register: Register, institution: str, day: date) -> Staff:
    """The roles of everybody of an institution who has a staff account in a system that gets Alma's documents."""
    systems = [each for each in register.account_systems if _owns_roles(each)]
    sigels = [sigel for sigel, found in institutions_of(register).items() if institution in found]
    if not systems or not sigels:
        return NO_STAFF
    roles: dict[int, tuple[Any, ...]] = {}
    unsent: dict[int, list[tuple[int, int]]] = {}
    for system in systems:
        for row in _staff(connection, system.code, institution, sigels):
            roles[row.person_id] = (*roles.get(row.person_id, ()), *staff_roles(row, system, day))
            if row.is_unsent:
                unsent.setdefault(row.person_id, []).append((row.account_id, row.version))

    def note_told(noting: Connection, persons: Collection[int]) -> None:
        told = [one for each in persons for one in unsent.get(each, ())]
        if told:
            noting.execute(
                sa.update(core_account)
                .where(
                    core_account.c.account_id == sa.bindparam("account"), core_account.c.version == sa.bindparam("then")
                )
                .values(is_unsent=False),
                [{"account": account_id, "then": version} for account_id, version in told],
            )

    return Staff(roles, frozenset(unsent), note_told)


def _owns_roles(system: AccountSystem) -> bool:
    return system.outbound is not None and system.outbound.format == "alma" and system.outbound.roles_owned


def _staff(connection: Connection, system: str, institution: str, sigels: Collection[str]) -> Iterator[sa.Row[Any]]:
    account, person = core_account.c, core_patron.c
    return iter(
        connection.execute(
            sa.select(person.person_id, *(account[name] for name in _COLUMNS))
            .join(core_patron, person.primary_key == account.login_key)
            .where(
                account.system == system,
                account.kind == "personal",
                account.library.in_(sigels),
                person.institution == institution,
                is_kept(),
            )
            .order_by(account.account_id)
        ).all()
    )


def is_kept() -> sa.ColumnElement[bool]:
    """Whether the patron sync writes documents of a row of core_patron."""
    person = core_patron.c
    return sa.and_(
        person.merged_into.is_(None),
        person.state.not_in(["staged", "erased"]),
        person.account_type.in_(["EXTERNAL", ""]),
    )


def institutions_of(register: Register) -> Mapping[str, frozenset[str]]:
    """By sigel the institutions of a library whose library system the patron sync writes to."""
    written = {each.institution for each in register.patron_targets if each.kind != "warehouse"}
    found: dict[str, set[str]] = {}
    for source in register.patron_sources:
        if source.institution in written:
            for sigel in {source.library or source.institution, source.institution}:
                found.setdefault(sigel, set()).add(source.institution)
    return {sigel: frozenset(institutions) for sigel, institutions in found.items()}
