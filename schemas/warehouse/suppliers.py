"""Tables about suppliers: what a delivery in the sandbox came to, and the customers that each has reported."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, flag, metadata

core_trial = sa.Table(
    "core_trial",
    metadata,
    sa.Column("trial_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("supplier", "Supplier code"),
    code_column("sha256", "Of the file as it came"),
    sa.Column("name", sa.Text, nullable=False, comment="File name, as the sender wrote it"),
    sa.Column("uri", sa.Text, comment="Where the file is; null: it was handed over on the command line"),
    sa.Column("bytes", sa.BigInteger, nullable=False, comment="Size of the file"),
    code_column("state", "tried, rejected"),
    flag("is_ready", "Every needed rule of the checklist is met"),
    sa.Column("reason", sa.Text, comment="Why the file was rejected as a whole, in words"),
    code_column("findings_digest", "Of everything that was found: the same again is told once"),
    count("records_read", "Bib and holding records, unreadable pieces not included"),
    count("records_unreadable", "Pieces that could not be read"),
    *(count(f"bibs_{name}", f"Bibs: {name}") for name in ("read", "created", "replaced", "kept", "review", "rejected")),
    *(
        count(f"holdings_{name}", f"Holdings: {name}")
        for name in ("read", "created", "updated", "unchanged", "deleted", "waiting", "refused", "rejected")
    ),
    sa.Column("run_id", sa.Text),
    sa.Column("tried_at", UtcInstant, nullable=False, comment="When it was tried"),
    sa.Index(None, "supplier", "tried_at"),
    comment="One row a test delivery and time it was tried; nothing of it is in the catalogue",
)

core_trial_record = sa.Table(
    "core_trial_record",
    metadata,
    sa.Column("trial_id", big_id(), primary_key=True, autoincrement=False, comment="Test delivery"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False, comment="From 1 in the file"),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False, comment="0; 1, 2, ... of an embedded 852"),
    sa.Column("byte_offset", sa.BigInteger, nullable=False, comment="In the unpacked file"),
    code_column("record_type", "bib, holding, unreadable"),
    code_column("outcome", "What would become of it; unreadable where it cannot be read"),
    code_column("rule", "Stable id"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words"),
    sa.Column("supplier_control_number", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("isbn13", sa.Text, comment="The first valid one"),
    sa.Column("sigel", sa.Text, comment="Of a holding"),
    sa.Column("bib_id", big_id(), comment="The bib that it would match; null where it would be new"),
    sa.Column("findings", sa.Text, comment="JSON list of [code, text, field]: what else was noticed"),
    comment="What would become of each record of a test delivery",
)

core_trial_check = sa.Table(
    "core_trial_check",
    metadata,
    sa.Column("trial_id", big_id(), primary_key=True, autoincrement=False, comment="Test delivery"),
    code_column("rule", "Stable id", primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False, comment="Order of the checklist"),
    flag("is_met", "Whether it holds"),
    flag("is_needed", "Whether a real delivery has to wait for it"),
    sa.Column("reason", sa.Text, nullable=False, comment="What was found, in words"),
    comment="The checklist of a test delivery",
)

core_customer_report = sa.Table(
    "core_customer_report",
    metadata,
    sa.Column("report_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("supplier", "Supplier code"),
    code_column("sha256", "Of the file"),
    sa.Column("name", sa.Text, nullable=False, comment="File name, as the sender wrote it"),
    count("rows_read", "Rows after the header"),
    count("rows_added", "Customers that were new"),
    count("rows_changed", "Customers whose name, e-mail or end changed"),
    count("rows_unchanged", "Customers that are as they were"),
    count("rows_rejected", "Rows that could not be taken"),
    sa.Column("run_id", sa.Text),
    sa.Column("reported_at", UtcInstant, nullable=False, comment="When it was taken in"),
    sa.Column("reverted_at", UtcInstant, comment="When it was undone"),
    sa.Index(None, "supplier", "reported_at"),
    comment="One row a file of customers that a supplier reported",
)

core_customer_row = sa.Table(
    "core_customer_row",
    metadata,
    sa.Column("report_id", big_id(), primary_key=True, autoincrement=False, comment="The file"),
    sa.Column("row_no", sa.Integer, primary_key=True, autoincrement=False, comment="Line of the file, from 1"),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False, comment="Several things may be wrong"),
    code_column("field", "Column; empty where the whole row is meant"),
    sa.Column("reason", sa.Text, nullable=False, comment="What is wrong, in words"),
    sa.Column("remedy", sa.Text, nullable=False, comment="What to do, in words"),
    comment="What was wrong with rows of a file of customers",
)

core_supplier_customer = sa.Table(
    "core_supplier_customer",
    metadata,
    code_column("supplier", "Supplier code", primary_key=True),
    code_column("sigel", "The library's", primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, comment="From 1"),
    flag("is_latest", "As the supplier reported last"),
    sa.Column("name", sa.Text, nullable=False, comment="Name of the library, as the supplier has it"),
    sa.Column("email", sa.Text, nullable=False, comment="The library's contact, as the supplier has it"),
    sa.Column("ends_on", sa.Date, comment="Last day as a customer; null: open"),
    sa.Column("report_id", big_id(), nullable=False, comment="The file that said so"),
    sa.Column("reported_at", UtcInstant, nullable=False, comment="When it was taken in"),
    comment="Customers that suppliers reported, every version; no file takes one away by leaving it out",
)

core_customer_finding = sa.Table(
    "core_customer_finding",
    metadata,
    code_column("supplier", "Supplier code", primary_key=True),
    code_column("sigel", "The library's", primary_key=True),
    code_column("rule", "Stable id", primary_key=True),
    sa.Column("reason", sa.Text, nullable=False, comment="In words"),
    count("holdings", "Holdings of the library with lines of this supplier"),
    sa.Column("found_at", UtcInstant, nullable=False, comment="When it was found first"),
    sa.Column("checked_at", UtcInstant, nullable=False, comment="When it was looked at last"),
    comment="Where customers, register and holdings do not agree, as the last comparison found it",
)
