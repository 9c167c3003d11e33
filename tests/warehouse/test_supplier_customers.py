"""Customers as suppliers report them: taken, kept with their history, undone, held against register and holdings."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from schemas.errors import UsageError
from schemas.warehouse.core import core_notice
from schemas.warehouse.suppliers import core_customer_row
from tasks.suppliers import stages
from tasks.suppliers.report import CustomersReport
from tasks.workplace import Workplace
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import everything, ingest, land

HEAD = "name;sigel;email;ends_on\n"
SOLB = "Solbergs stadsbibliotek;SOLB;medier@solberg.example;\n"
LUNV = "Lundvikens bibliotek;LUNV;annan@lundviken.example;\n"


def report(place: Workplace, text: str, name: str = "customers.csv", *, dry_run: bool = False) -> CustomersReport:
    """A run of `supplier-customers` with one file."""
    uri = land(place, "NORDBOK", name, text.encode())
    found = stages.take_customers.fn("NORDBOK", [uri], dry_run=dry_run)
    stages.put_away.fn("NORDBOK", [uri], only_copies=dry_run)
    if dry_run:
        place.zone.delete(uri)
    return found


def customers(place: Workplace) -> list[tuple[Any, ...]]:
    with place.warehouse.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT sigel, name, email, ends_on, version, has_findings FROM out_supplier_customer ORDER BY sigel"
        )
        return [(*row[:3], row[3] and str(row[3]), row[4], bool(row[5])) for row in found]


def findings(place: Workplace) -> list[tuple[str, str, int]]:
    with place.warehouse.read() as connection:
        statement = "SELECT sigel, rule, holdings FROM out_customer_finding ORDER BY sigel, rule"
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def mails(place: Workplace) -> list[tuple[str, str]]:
    with place.warehouse.read() as connection:
        rows = connection.execute(
            sa.select(core_notice.c.recipient, core_notice.c.body_text)
            .where(core_notice.c.kind == "customers")
            .order_by(core_notice.c.notice_id)
        )
        return [(row.recipient, row.body_text) for row in rows]


def test_a_list_adds_and_changes_and_leaves_nobody_out(place: Workplace) -> None:
    first = report(place, HEAD + SOLB + LUNV)
    assert (first["rows read"], first["rows added"]) == (2, 2)
    second = report(place, HEAD + LUNV.replace("annan@", "inkop@").replace(";\n", ";2025-12-31\n"), "customers-2.csv")
    assert second["rows changed"] == 1
    assert [row[:5] for row in customers(place)] == [
        ("LUNV", "Lundvikens bibliotek", "inkop@lundviken.example", "2025-12-31", 2),
        ("SOLB", "Solbergs stadsbibliotek", "medier@solberg.example", None, 1),
    ]
    before = everything(place.warehouse)
    report(place, HEAD + LUNV.replace("annan@", "inkop@").replace(";\n", ";2025-12-31\n"), "again.csv")
    after = everything(place.warehouse)
    assert [name for name in after if after[name] != before[name]] == ["core_customer_finding"]  # looked at again
    assert place.zone.waiting("NORDBOK") == []


def test_rows_that_cannot_be_taken_are_kept_told_once_and_cost_themselves_only(place: Workplace) -> None:
    text = HEAD + SOLB + "Lundviken;LUNX;nobody;\n"
    found = report(place, text)
    assert [(each.line, each.field, each.rule) for each in found.faults["customers.csv"]] == [
        (3, "sigel", "unknown_sigel"),
        (3, "email", "no_email"),
    ]
    assert [row[0] for row in customers(place)] == ["SOLB"]
    report(place, text, "customers-again.csv")
    with place.warehouse.read() as connection:
        kept = connection.execute(sa.select(core_customer_row.c.row_no, core_customer_row.c.field)).all()
    assert [tuple(row) for row in kept] == [(3, "sigel"), (3, "email")]
    contact = place.register.supplier_by_code["NORDBOK"].contact
    told = [text for recipient, text in mails(place) if recipient == contact]
    assert len(told) == 1
    assert "LUNX" in told[0]


def test_customers_register_and_holdings_are_compared_and_the_consortium_is_told_once(place: Workplace) -> None:
    parcel = Parcel().bib(book(1), "N1").holding("SOLB").bib(book(2), "N2").holding("NORU").holding("SOLB")
    ingest("NORDBOK", [parcel.land(place)])
    report(place, HEAD + SOLB + LUNV + "Fjordkyst;FJOR;bibliotek@fjordkyst.example;\n")
    found = findings(place)
    assert [each for each in found if each[1] != "not_reported"] == [
        ("FJOR", "not_in_register", 0),
        ("FJOR", "without_holdings", 0),
        ("LUNV", "other_contact", 0),
        ("LUNV", "without_holdings", 0),
        ("NORU", "holdings_without_customer", 1),
    ]
    assert {sigel for sigel, rule, _ in found if rule == "not_reported"} == {
        "FJVG", "GRAN", "HAVN", "NORU", "OSTA", "SOLG", "VEST", "VLIE",
    }  # fmt: skip
    assert [row[5] for row in customers(place)] == [True, True, False]
    operator = place.register.catalogue.operator
    assert [recipient for recipient, _ in mails(place)] == [operator]
    again = stages.take_customers.fn(None, [])
    assert len(again.findings) == len(found)
    assert "BOKRING" in again.never
    assert len(mails(place)) == 1


def test_a_list_is_taken_back_and_what_a_later_one_said_survives(place: Workplace) -> None:
    (first,) = report(place, HEAD + SOLB + LUNV).reports
    (second,) = report(place, HEAD + LUNV.replace("annan@", "inkop@"), "customers-2.csv").reports
    assert stages.take_customers_back.fn(first) == {"restored": 0, "removed": 1, "survived": 1}
    assert [row[0] for row in customers(place)] == ["LUNV"]
    assert stages.take_customers_back.fn(first) == {}
    assert stages.take_customers_back.fn(second)["removed"] == 1  # what it replaced is undone as well
    assert customers(place) == []
    report(place, HEAD + SOLB)
    assert [(row[0], row[4]) for row in customers(place)] == [("SOLB", 2)]
    with pytest.raises(UsageError, match="no list of customers 99"):
        stages.take_customers_back.fn(99)


def test_a_dry_run_reads_and_compares_and_keeps_nothing(place: Workplace) -> None:
    before = everything(place.warehouse)
    found = report(place, HEAD + SOLB + "x;y;z;\n", dry_run=True)
    assert (found["rows added"], found["rows rejected"], found["findings"]) == (1, 1, 10)
    assert everything(place.warehouse) == before
