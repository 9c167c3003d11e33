"""What suppliers reported, held against the register and against the holdings: where they do not agree, a row each.

The register is the consortium's and stays the rule of what is taken in; a report changes nothing of it. A supplier that
has reported no customers yet is not compared: everything would be a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.register.suppliers import Supplier
from schemas.warehouse.core import core_holding, core_holding_line
from schemas.warehouse.suppliers import core_customer_finding, core_supplier_customer
from tasks.suppliers.customers import current_customers
from tasks.warehouse.bulk import bulk_insert, text_set

RULES = {
    "unknown_sigel": "reported as a customer, but no library has this sigel any more",
    "library_without_agreement": "reported as a customer, but its agreement with the catalogue is not in force",
    "not_allowed_by_library": "reported as a customer, but the library does not take deliveries of this supplier",
    "not_in_register": "reported as a customer, but not among the supplier's libraries in the register",
    "other_contact": "the supplier has another e-mail address than the register",
    "without_holdings": "reported as a customer, but it holds nothing from this supplier",
    "not_reported": "among the supplier's libraries in the register, but never reported",
    "holdings_without_customer": "it holds something from this supplier, but is not reported as a customer",
}
"""What can be found, with its English words."""


class Finding(NamedTuple):
    """Something that does not agree about a supplier and a library; `holdings` are those with lines of the supplier."""

    supplier: str
    sigel: str
    rule: str
    holdings: int

    @property
    def reason(self) -> str:
        """In words."""
        return RULES[self.rule]


def compare(connection: Connection, register: Register, on: date) -> list[Finding]:
    """Everything that does not agree on the day `on`, by supplier and sigel. Reads only."""
    reported = {each.code: current_customers(connection, each.code) for each in register.suppliers}
    asked = [code for code, customers in reported.items() if customers]
    holdings = _holdings(connection, asked)
    return [
        finding
        for supplier in register.suppliers
        if supplier.code in asked
        for finding in _of_supplier(register, supplier, reported[supplier.code], holdings, on)
    ]


def never_reported(connection: Connection, register: Register) -> list[str]:
    """Codes of suppliers with holdings to deliver that have reported no customer."""
    known = set(connection.execute(sa.select(core_supplier_customer.c.supplier).distinct()).scalars())
    return [each.code for each in register.suppliers if each.has_holdings and each.code not in known]


def _holdings(connection: Connection, suppliers: list[str]) -> dict[tuple[str, str], int]:
    """Holdings that are there with lines of each supplier, by (supplier, sigel)."""
    if not suppliers:
        return {}
    wanted = text_set(connection, suppliers)
    rows = connection.execute(
        sa.select(
            core_holding_line.c.owner, core_holding.c.sigel, sa.func.count(sa.distinct(core_holding.c.holding_id))
        )
        .join(core_holding, core_holding.c.holding_id == core_holding_line.c.holding_id)
        .where(core_holding_line.c.owner.in_(sa.select(wanted.c.value)), sa.not_(core_holding.c.is_deleted))
        .group_by(core_holding_line.c.owner, core_holding.c.sigel)
    )
    return {(owner, sigel): int(number) for owner, sigel, number in rows}


def _of_supplier(
    register: Register,
    supplier: Supplier,
    customers: Mapping[str, tuple[str, str, date | None]],
    holdings: Mapping[tuple[str, str], int],
    on: date,
) -> Iterator[Finding]:
    held = {sigel: number for (code, sigel), number in holdings.items() if code == supplier.code}
    for sigel in sorted({*customers, *held, *supplier.libraries}):
        _, email, ends_on = customers.get(sigel, ("", "", None))
        if sigel not in customers:
            rules = ["not_reported"] if sigel in supplier.libraries else []
            rules += ["holdings_without_customer"] if sigel in held else []
        elif ends_on is not None and ends_on < on:
            rules = []
        else:
            rules = list(_of_customer(register, supplier, sigel, email, on))
            rules += ["without_holdings"] if supplier.has_holdings and sigel not in held else []
        yield from (Finding(supplier.code, sigel, rule, held.get(sigel, 0)) for rule in rules)


def _of_customer(register: Register, supplier: Supplier, sigel: str, email: str, on: date) -> Iterator[str]:
    library = register.library_by_sigel.get(sigel)
    if library is None:
        yield "unknown_sigel"
        return
    if not library.has_agreement(on):
        yield "library_without_agreement"
    if library.suppliers and supplier.code not in library.suppliers:
        yield "not_allowed_by_library"
    if supplier.libraries and sigel not in supplier.libraries:
        yield "not_in_register"
    if email.casefold() != library.contact.casefold():
        yield "other_contact"


def keep_findings(connection: Connection, found: list[Finding], now: datetime) -> None:
    """Put the findings in place of the last ones; what was found before keeps the moment at which it was."""
    rows = connection.execute(sa.select(core_customer_finding))
    since = {(row.supplier, row.sigel, row.rule): row.found_at for row in rows}
    connection.execute(sa.delete(core_customer_finding))
    bulk_insert(
        connection,
        core_customer_finding,
        ("supplier", "sigel", "rule", "reason", "holdings", "found_at"),
        [(each[0], each[1], each[2], each.reason, each.holdings, since.get(each[:3], now)) for each in found],
        {"checked_at": now},
    )
