"""The change file for a system: every account that changed since the last one, whole, as CSV or as Alma's user XML.

Alma's documents are made by the one composer of patrons. Its synchronise job replaces a user as a whole: somebody whom
the patron sync keeps there under the same id has one document, the patron sync's. It carries the roles of the account
(staff_patrons.py); here the person is left out, and counted.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import IO, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.alma_users import AlmaUser
from schemas.patrons import ListItem
from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_outbound
from schemas.warehouse.patrons import core_patron
from tasks.accounts.staff_patrons import is_kept
from tasks.accounts.store import CHUNK_ACCOUNTS, FACT_COLUMNS
from tasks.accounts.target_roles import codes_in_force, staff_roles
from tasks.landing.fingerprint import fingerprint
from tasks.landing.keys import Area
from tasks.landing.zone import LandingZone
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_packing import HEAD, TAIL
from tasks.patrons.alma_shown import NotComposableError
from tasks.patrons.keys import email_key
from tasks.warehouse.bulk import id_set, text_set
from tasks.warehouse.ids import take_id

CSV_COLUMNS: Final = ("login", "library", "kind", "is_valid", "valid_to", "roles", "name", "email")
_COLUMNS: Final = (*FACT_COLUMNS, "login", "name", "email", "tasks")


def send_changes(
    connection: Connection,
    zone: LandingZone,
    system: AccountSystem,
    day: date,
    *,
    now: datetime,
    run_id: str | None,
    institutions: Mapping[str, frozenset[str]] | None = None,
) -> Counter[str]:
    """Write the change file of a system into the landing zone, under `ACCOUNTS_LOCK`; nothing changed, no file.

    `institutions` are those, by sigel, whose persons the patron sync writes to the system. The same changes make the
    same file under the same name, so a killed run that is done again leaves one.
    """
    if system.outbound is None:
        return Counter()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryFile() as file:
        if system.outbound.format == "alma":
            _write_alma(file, connection, system, day, counts, institutions or {})
        else:
            _write_csv(file, connection, system, day, counts)
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


def _chunks(
    connection: Connection, system: AccountSystem, left: Collection[int] = ()
) -> Iterator[Sequence[sa.Row[Any]]]:
    """Accounts that changed, a chunk at a time; those of a chunk that was taken count as sent, but for those `left`."""
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
        sent = sa.select(id_set(connection, [row.account_id for row in rows if row.account_id not in left]).c.value)
        connection.execute(sa.update(core_account).where(core_account.c.account_id.in_(sent)).values(is_unsent=False))


def _write_csv(file: IO[bytes], connection: Connection, system: AccountSystem, day: date, counts: Counter[str]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for rows in _chunks(connection, system):
        counts["sent"] += len(rows)
        for row in rows:
            is_valid = row.status == "active"
            codes = "|".join(codes_in_force(row, system, day))
            values = (row.login, row.library, row.kind, "yes" if is_valid else "no", row.expires_on or "")
            writer.writerow([*values, codes, row.name, row.email])
    text.detach()


def _write_alma(
    file: IO[bytes],
    connection: Connection,
    system: AccountSystem,
    day: date,
    counts: Counter[str],
    institutions: Mapping[str, frozenset[str]],
) -> None:
    file.write(HEAD)
    assert system.outbound is not None
    left: set[int] = set()
    for rows in _chunks(connection, system, left):
        patrons = _also_patrons(connection, rows)
        for row in rows:
            if row.kind == "personal" and institutions.get(row.library, frozenset()) & patrons[row.login_key]:
                counts["left to the patron sync"] += 1
                if system.outbound.roles_owned:
                    # Its roles wait for the document of the patron sync, which says when they are told.
                    left.add(row.account_id)
                continue
            try:
                file.write(compose_user(alma_user(row, system, day)).content)
            except NotComposableError:
                counts["cannot be composed"] += 1
            else:
                counts["sent"] += 1
    file.write(TAIL)


def _also_patrons(connection: Connection, rows: Sequence[sa.Row[Any]]) -> defaultdict[str, set[str]]:
    """By key of the login the institutions whose patron sync writes a document of such a person."""
    keys = sa.select(text_set(connection, {row.login_key for row in rows}).c.value)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in connection.execute(
        sa.select(core_patron.c.institution, core_patron.c.primary_key).where(
            core_patron.c.primary_key.in_(keys), is_kept()
        )
    ):
        found[row.primary_key].add(row.institution)
    return found


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
        roles = staff_roles(row, system, day)
    return AlmaUser(values, {"emails": emails}, roles)
