"""The change file for a system: every account that changed since the last one, whole, as CSV or as Alma's user XML.

Alma's documents are made by the one composer of patrons. Its synchronise job replaces a user as a whole: somebody whom
the patron sync keeps there under the same id is left to it, and counted.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import IO, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.alma_users import AlmaUser, StaffRole
from schemas.patrons import ListItem
from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_outbound
from schemas.warehouse.patrons import core_patron
from tasks.accounts.roles import roles_in_force
from tasks.accounts.store import CHUNK_ACCOUNTS, FACT_COLUMNS, facts_of
from tasks.landing.fingerprint import fingerprint
from tasks.landing.keys import Area
from tasks.landing.zone import LandingZone
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_packing import HEAD, TAIL
from tasks.patrons.alma_shown import NotComposableError
from tasks.patrons.keys import email_key
from tasks.warehouse.bulk import id_set
from tasks.warehouse.ids import take_id

CSV_COLUMNS: Final = ("login", "library", "kind", "is_valid", "valid_to", "roles", "name", "email")
_COLUMNS: Final = (*FACT_COLUMNS, "login", "name", "email", "tasks")


def send_changes(
    connection: Connection, zone: LandingZone, system: AccountSystem, day: date, *, now: datetime, run_id: str | None
) -> Counter[str]:
    """Write the change file of a system into the landing zone, under `ACCOUNTS_LOCK`; nothing changed, no file.

    The same changes make the same file under the same name, so a killed run that is done again leaves one.
    """
    if system.outbound is None:
        return Counter()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryFile() as file:
        writer = _write_alma if system.outbound.format == "alma" else _write_csv
        writer(file, connection, system, day, counts)
        if not counts["sent"]:
            return counts
        file.seek(0)
        found = fingerprint(file)
        file.seek(0)
        extension = "xml" if system.outbound.format == "alma" else "csv"
        name = f"accounts-{system.code}-{day:%Y%m%d}-{found.sha256[:8]}.{extension}"
        uri = zone.put(f"{Area.EXPORTS}/accounts-{system.code}/{name}", file, sha256=found.sha256)
    connection.execute(
        sa.insert(core_account_outbound).values(
            outbound_id=take_id(connection, "account_outbound"), system=system.code, name=name, uri=uri,
            sha256=found.sha256, accounts=counts["sent"], run_id=run_id, created_at=now,
        )
    )  # fmt: skip
    return counts


def _chunks(connection: Connection, system: AccountSystem) -> Iterator[Sequence[sa.Row[Any]]]:
    """Accounts that changed, a chunk at a time; those of a chunk that was taken count as sent."""
    reached = 0
    while True:
        rows = connection.execute(
            sa.select(*(core_account.c[name] for name in _COLUMNS))
            .where(
                core_account.c.system == system.code,
                core_account.c.is_unsent,
                core_account.c.account_id > reached,
            )
            .order_by(core_account.c.account_id)
            .limit(CHUNK_ACCOUNTS)
        ).all()
        if not rows:
            return
        yield rows
        reached = rows[-1].account_id
        sent = sa.select(id_set(connection, [row.account_id for row in rows]).c.value)
        connection.execute(sa.update(core_account).where(core_account.c.account_id.in_(sent)).values(is_unsent=False))


def _write_csv(file: IO[bytes], connection: Connection, system: AccountSystem, day: date, counts: Counter[str]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for rows in _chunks(connection, system):
        counts["sent"] += len(rows)
        for row in rows:
            is_valid = row.status == "active"
            roles = roles_in_force(facts_of(row), system, day) if is_valid else ()
            codes = "|".join(_target(system, each.code) for each in roles)
            values = (row.login, row.library, row.kind, "yes" if is_valid else "no", row.expires_on or "")
            writer.writerow([*values, codes, row.name, row.email])
    text.detach()


def _target(system: AccountSystem, code: str) -> str:
    rule = system.role(code)
    return (rule.target if rule else "") or code


def _write_alma(
    file: IO[bytes], connection: Connection, system: AccountSystem, day: date, counts: Counter[str]
) -> None:
    file.write(HEAD)
    for rows in _chunks(connection, system):
        patrons = _also_patrons(connection, rows)
        for row in rows:
            if (row.library, row.login_key) in patrons:
                counts["left to the patron sync"] += 1
                continue
            try:
                file.write(compose_user(alma_user(row, system, day)).content)
            except NotComposableError:
                counts["cannot be composed"] += 1
            else:
                counts["sent"] += 1
    file.write(TAIL)


def _also_patrons(connection: Connection, rows: Sequence[sa.Row[Any]]) -> set[tuple[str, str]]:
    keys = {row.login_key for row in rows}
    found = connection.execute(
        sa.select(core_patron.c.institution, core_patron.c.primary_key).where(
            core_patron.c.primary_key.in_(keys), core_patron.c.merged_into.is_(None), core_patron.c.state != "erased"
        )
    )
    return {(row.institution, row.primary_key) for row in found}


def alma_user(row: sa.Row[Any], system: AccountSystem, day: date) -> AlmaUser:
    """The document of an account: valid or not, until when, with the roles that are in force."""
    assert system.outbound is not None
    is_valid = row.status == "active"
    given, _, family = row.name.rpartition(" ")
    values = {
        "primary_id": row.login,
        "first_name": given or None,
        "last_name": family or row.login,
        "user_group": system.outbound.alma_group,
        "job_description": row.tasks or None,
        "expiry_date": row.expires_on,
        "status": "ACTIVE" if is_valid else "INACTIVE",
    }
    fields = {"email_address": row.email}
    emails = [ListItem("work", email_key(row.email), fields, is_preferred=True)] if row.email else []
    roles = None
    if system.outbound.roles_owned:
        roles = tuple(
            StaffRole(_target(system, each.code), each.scope or row.library, expiry_date=row.expires_on)
            for each in (roles_in_force(facts_of(row), system, day) if is_valid else ())
        )
    return AlmaUser(values, {"emails": emails}, roles)
