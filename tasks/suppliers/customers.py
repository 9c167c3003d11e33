"""Customers as suppliers reported them, in the warehouse: what a file adds and changes, every version kept.

A file takes nobody away by leaving a library out; `ends_on` ends a customer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.suppliers import core_customer_report, core_customer_row, core_supplier_customer
from tasks.suppliers.customers_file import Customer, CustomersFile
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.ids import take_id

CUSTOMERS_LOCK = "customers"
_FACTS = ("name", "email", "ends_on")


@dataclass(frozen=True)
class SentFile:
    """A file as a supplier sent it."""

    supplier: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Reported:
    """What a file came to. `report_id` is None where the same content was this supplier's last file, and in a dry run.

    `counts`: rows read, added, changed, unchanged, rejected.
    """

    report_id: int | None
    counts: Counter[str]


def take_report(
    connection: Connection, source: SentFile, found: CustomersFile, now: datetime, run_id: str | None
) -> Reported:
    """Enter what a file says. Belongs under `CUSTOMERS_LOCK`. The same content as last time changes nothing."""
    supplier = source.supplier
    known = current_customers(connection, supplier)
    new = [each for each in found.customers if _facts(each) != known.get(each.sigel)]
    counts = Counter(
        read=found.rows,
        added=sum(each.sigel not in known for each in new),
        changed=sum(each.sigel in known for each in new),
        unchanged=len(found.customers) - len(new),
        rejected=found.rejected,
    )
    sha256 = hashlib.sha256(source.content).hexdigest()
    if not new and _last_sha256(connection, supplier) == sha256:
        return Reported(None, counts)
    report_id = take_id(connection, "customer_report")
    connection.execute(
        sa.insert(core_customer_report).values(
            report_id=report_id, supplier=supplier, sha256=sha256, name=source.name, run_id=run_id, reported_at=now,
            **{f"rows_{each}": counts[each] for each in ("read", "added", "changed", "unchanged", "rejected")},
        )
    )  # fmt: skip
    seen: Counter[int] = Counter()
    rows = []
    for each in found.faults:
        seen[each.line] += 1
        rows.append((report_id, each.line, seen[each.line], each.field, each.cause, each.remedy))
    bulk_insert(connection, core_customer_row, ("report_id", "row_no", "seq", "field", "reason", "remedy"), rows)
    _write_versions(connection, supplier, new, report_id, now)
    return Reported(report_id, counts)


def _facts(customer: Customer) -> tuple[str, str, date | None]:
    return customer.name, customer.email, customer.ends_on


def _last_sha256(connection: Connection, supplier: str) -> str | None:
    return connection.execute(
        sa.select(core_customer_report.c.sha256)
        .where(core_customer_report.c.supplier == supplier, core_customer_report.c.reverted_at.is_(None))
        .order_by(core_customer_report.c.report_id.desc())
        .limit(1)
    ).scalar_one_or_none()


def _write_versions(
    connection: Connection, supplier: str, customers: Sequence[Customer], report_id: int, now: datetime
) -> None:
    if not customers:
        return
    is_suppliers = core_supplier_customer.c.supplier == supplier
    newest = connection.execute(
        sa.select(core_supplier_customer.c.sigel, sa.func.max(core_supplier_customer.c.version).label("version"))
        .where(is_suppliers)
        .group_by(core_supplier_customer.c.sigel)
    )
    versions = {row.sigel: row.version for row in newest}
    connection.execute(
        sa.update(core_supplier_customer)
        .where(is_suppliers, core_supplier_customer.c.sigel == sa.bindparam("of_sigel"))
        .values(is_latest=False),
        [{"of_sigel": each.sigel} for each in customers],
    )
    columns = ("sigel", "version", "name", "email", "ends_on")
    rows = [(each.sigel, versions.get(each.sigel, 0) + 1, each.name, each.email, each.ends_on) for each in customers]
    shared = {"supplier": supplier, "is_latest": True, "report_id": report_id, "reported_at": now}
    bulk_insert(connection, core_supplier_customer, columns, rows, shared)


def current_customers(connection: Connection, supplier: str) -> dict[str, tuple[str, str, date | None]]:
    """The supplier's customers as reported last: (name, e-mail, last day) by sigel."""
    rows = connection.execute(
        sa.select(core_supplier_customer.c.sigel, *(core_supplier_customer.c[name] for name in _FACTS)).where(
            core_supplier_customer.c.supplier == supplier, core_supplier_customer.c.is_latest
        )
    )
    return {row.sigel: (row.name, row.email, row.ends_on) for row in rows}


def customers_of(connection: Connection, supplier: str, on: date) -> frozenset[str]:
    """Sigels of the libraries that are customers of the supplier on the day `on`, as it reported."""
    known = current_customers(connection, supplier)
    return frozenset(sigel for sigel, (_, _, ends_on) in known.items() if ends_on is None or on <= ends_on)


def take_back(connection: Connection, report_id: int, now: datetime) -> Counter[str]:
    """Undo a file of customers: those that it said last about are as they were before it, or gone where it was first.

    What a later file said survives. Belongs under `CUSTOMERS_LOCK`; again is harmless. Raises `UsageError` for an
    unknown file. Returns counts: `restored`, `removed`, `survived`.
    """
    report = connection.execute(
        sa.select(core_customer_report).where(core_customer_report.c.report_id == report_id)
    ).one_or_none()
    if report is None:
        raise UsageError(f"there is no list of customers {report_id}", remedy="`samkat suppliers show CODE` lists them")
    table, reports = core_supplier_customer, core_customer_report
    if report.reverted_at is not None:
        return Counter()
    connection.execute(sa.update(reports).where(reports.c.report_id == report_id).values(reverted_at=now))
    mine = connection.execute(
        sa.select(table.c.sigel, table.c.version, table.c.is_latest).where(table.c.report_id == report_id)
    ).all()
    latest = {row.sigel: row.version for row in mine if row.is_latest}
    standing = connection.execute(
        sa.select(table.c.sigel, sa.func.max(table.c.version).label("version"))
        .join(reports, reports.c.report_id == table.c.report_id)
        .where(table.c.supplier == report.supplier, reports.c.reverted_at.is_(None))
        .group_by(table.c.sigel)
    )
    before = {row.sigel: row.version for row in standing}
    _mark(connection, report.supplier, latest, is_latest=False)
    _mark(connection, report.supplier, {each: before[each] for each in latest if each in before}, is_latest=True)
    restored = sum(each in before for each in latest)
    return Counter(restored=restored, removed=len(latest) - restored, survived=len(mine) - len(latest))


def _mark(connection: Connection, supplier: str, versions: Mapping[str, int], *, is_latest: bool) -> None:
    if versions:
        table = core_supplier_customer
        connection.execute(
            sa.update(table)
            .where(
                table.c.supplier == supplier,
                table.c.sigel == sa.bindparam("of_sigel"),
                table.c.version == sa.bindparam("at_version"),
            )
            .values(is_latest=is_latest),
            [{"of_sigel": sigel, "at_version": version} for sigel, version in sorted(versions.items())],
        )
