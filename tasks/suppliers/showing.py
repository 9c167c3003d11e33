"""Suppliers as `samkat suppliers` shows them: agreement, sandbox, test deliveries, customers. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.register.suppliers import Supplier
from schemas.warehouse.raw import raw_delivery
from schemas.warehouse.suppliers import (
    core_customer_finding,
    core_customer_report,
    core_supplier_customer,
    core_trial,
    core_trial_check,
)

MOST_TRIALS = 10


@dataclass(frozen=True)
class SupplierLine:
    """A supplier at a glance. `agreement`: not begun, in force, ended."""

    code: str
    name: str
    agreement: str
    sandbox: bool
    customers: int
    findings: int
    tested_at: datetime | None
    is_ready: bool | None
    delivered_at: datetime | None


@dataclass(frozen=True)
class SupplierPage:
    """A supplier with its test deliveries, the last checklist, its customers and what does not agree."""

    line: SupplierLine
    agreement_from: date
    agreement_to: date | None
    trials: tuple[dict[str, Any], ...]
    checks: tuple[dict[str, Any], ...]
    reports: tuple[dict[str, Any], ...]
    customers: tuple[dict[str, Any], ...]
    findings: tuple[dict[str, Any], ...]


def agreement_on(supplier: Supplier, on: date) -> str:
    """How the agreement stands on a day."""
    if on < supplier.agreement_from:
        return "not begun"
    return "in force" if supplier.has_agreement(on) else "ended"


def supplier_lines(connection: Connection, register: Register, on: date) -> list[SupplierLine]:
    """Every supplier of the register, in its order."""
    customers = _counted(connection, core_supplier_customer.c.supplier, core_supplier_customer.c.is_latest)
    findings = _counted(connection, core_customer_finding.c.supplier)
    newest = sa.select(sa.func.max(core_trial.c.trial_id)).group_by(core_trial.c.supplier)
    trials = {
        row.supplier: row
        for row in connection.execute(sa.select(core_trial).where(core_trial.c.trial_id.in_(newest)))
    }  # fmt: skip
    delivered = {
        row.sender: row.at
        for row in connection.execute(
            sa.select(raw_delivery.c.sender, sa.func.max(raw_delivery.c.received_at).label("at"))
            .where(raw_delivery.c.kind == "supplier", sa.not_(raw_delivery.c.is_preview))
            .group_by(raw_delivery.c.sender)
        )
    }
    return [
        SupplierLine(
            code=each.code,
            name=each.name,
            agreement=agreement_on(each, on),
            sandbox=each.sandbox,
            customers=customers.get(each.code, 0),
            findings=findings.get(each.code, 0),
            tested_at=trials[each.code].tried_at if each.code in trials else None,
            is_ready=trials[each.code].is_ready if each.code in trials else None,
            delivered_at=delivered.get(each.code),
        )
        for each in register.suppliers
    ]


def supplier_page(connection: Connection, register: Register, code: str, on: date) -> SupplierPage:
    """Everything about one supplier of the register."""
    supplier = register.supplier_by_code[code]
    trials = _rows(
        connection,
        sa.select(core_trial).where(core_trial.c.supplier == code).order_by(core_trial.c.trial_id.desc()),
        MOST_TRIALS,
    )
    last = trials[0]["trial_id"] if trials else None
    checks = sa.select(core_trial_check).where(core_trial_check.c.trial_id == last).order_by(core_trial_check.c.seq)
    table, finding, report = core_supplier_customer, core_customer_finding, core_customer_report
    customers = sa.select(table).where(table.c.supplier == code, table.c.is_latest).order_by(table.c.sigel)
    findings = sa.select(finding).where(finding.c.supplier == code).order_by(finding.c.sigel, finding.c.rule)
    reports = sa.select(report).where(report.c.supplier == code).order_by(report.c.report_id.desc())
    return SupplierPage(
        line=next(each for each in supplier_lines(connection, register, on) if each.code == code),
        agreement_from=supplier.agreement_from,
        agreement_to=supplier.agreement_to,
        trials=trials,
        checks=_rows(connection, checks) if last is not None else (),
        reports=_rows(connection, reports, MOST_TRIALS),
        customers=_rows(connection, customers),
        findings=_rows(connection, findings),
    )


def _counted(
    connection: Connection, column: sa.Column[str], condition: sa.ColumnElement[bool] | None = None
) -> dict[str, int]:
    statement = sa.select(column, sa.func.count()).group_by(column)
    if condition is not None:
        statement = statement.where(condition)
    return {code: int(number) for code, number in connection.execute(statement)}


def _rows(connection: Connection, statement: sa.Select[Any], most: int | None = None) -> tuple[dict[str, Any], ...]:
    return tuple(dict(row._mapping) for row in connection.execute(statement.limit(most)))
