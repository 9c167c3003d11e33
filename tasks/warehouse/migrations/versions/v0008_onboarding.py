"""Applicants and their checklists, holdings that stand still, customers of suppliers and test deliveries.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_core_customer_finding()
    _create_core_customer_report()
    _create_core_customer_row()
    _create_core_holdings_freshness()
    _create_core_library_application()
    _create_core_library_check()
    _create_core_supplier_customer()
    _create_core_trial()
    _create_core_trial_check()
    _create_core_trial_record()


def _create_core_customer_finding() -> None:
    op.create_table(
        "core_customer_finding",
        sa.Column("supplier", KEY, nullable=False, comment="Supplier code"),
        sa.Column("sigel", KEY, nullable=False, comment="The library's"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words"),
        sa.Column(
            "holdings",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Holdings of the library with lines of this supplier",
        ),
        sa.Column("found_at", UtcInstant(), nullable=False, comment="When it was found first"),
        sa.Column("checked_at", UtcInstant(), nullable=False, comment="When it was looked at last"),
        sa.PrimaryKeyConstraint("supplier", "sigel", "rule", name=op.f("pk_core_customer_finding")),
        comment="Where customers, register and holdings do not agree, as the last comparison found it",
    )


def _create_core_customer_report() -> None:
    op.create_table(
        "core_customer_report",
        sa.Column("report_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("supplier", KEY, nullable=False, comment="Supplier code"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the file"),
        sa.Column("name", sa.Text(), nullable=False, comment="File name, as the sender wrote it"),
        sa.Column("rows_read", sa.Integer(), server_default="0", nullable=False, comment="Rows after the header"),
        sa.Column("rows_added", sa.Integer(), server_default="0", nullable=False, comment="Customers that were new"),
        sa.Column(
            "rows_changed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Customers whose name, e-mail or end changed",
        ),
        sa.Column(
            "rows_unchanged",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Customers that are as they were",
        ),
        sa.Column(
            "rows_rejected", sa.Integer(), server_default="0", nullable=False, comment="Rows that could not be taken"
        ),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("reported_at", UtcInstant(), nullable=False, comment="When it was taken in"),
        sa.Column("reverted_at", UtcInstant(), nullable=True, comment="When it was undone"),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_core_customer_report")),
        comment="One row a file of customers that a supplier reported",
    )
    with op.batch_alter_table("core_customer_report", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_customer_report_supplier_reported_at"), ["supplier", "reported_at"], unique=False
        )


def _create_core_customer_row() -> None:
    op.create_table(
        "core_customer_row",
        sa.Column("report_id", ID, autoincrement=False, nullable=False, comment="The file"),
        sa.Column("row_no", sa.Integer(), autoincrement=False, nullable=False, comment="Line of the file, from 1"),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="Several things may be wrong"),
        sa.Column("field", KEY, nullable=False, comment="Column; empty where the whole row is meant"),
        sa.Column("reason", sa.Text(), nullable=False, comment="What is wrong, in words"),
        sa.Column("remedy", sa.Text(), nullable=False, comment="What to do, in words"),
        sa.PrimaryKeyConstraint("report_id", "row_no", "seq", name=op.f("pk_core_customer_row")),
        comment="What was wrong with rows of a file of customers",
    )


def _create_core_holdings_freshness() -> None:
    op.create_table(
        "core_holdings_freshness",
        sa.Column("checked_on", sa.Date(), nullable=False, comment="Business date of the check"),
        sa.Column("sigel", KEY, nullable=False, comment="A registering library whose agreement is in force"),
        sa.Column("name", sa.Text(), nullable=False, comment="The library"),
        sa.Column(
            "is_stale",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Nothing has moved for the months of the register",
        ),
        sa.Column("holdings", sa.BigInteger(), nullable=False, comment="Holdings that it has now"),
        sa.Column(
            "last_moved_at",
            UtcInstant(),
            nullable=True,
            comment="When one was last made, changed or deleted; null: never",
        ),
        sa.Column(
            "still_since_on", sa.Date(), nullable=False, comment="That day, or the first day of its agreement if later"
        ),
        sa.Column("months_still", sa.Integer(), nullable=False, comment="Whole months from then to the check"),
        sa.Column("limit_months", sa.Integer(), nullable=False, comment="As the register said"),
        sa.Column("checked_at", UtcInstant(), nullable=False, comment="When it was checked"),
        sa.PrimaryKeyConstraint("checked_on", "sigel", name=op.f("pk_core_holdings_freshness")),
        comment="Whether the holdings of registering libraries move: a row a library and check",
    )


def _create_core_library_application() -> None:
    op.create_table(
        "core_library_application",
        sa.Column("application_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("sigel", KEY, nullable=False, comment="The code that the library is to have"),
        sa.Column("name", sa.Text(), nullable=False, comment="The library, as it is to stand in e-mails"),
        sa.Column("kind", KEY, nullable=False, comment="public, research, special, school"),
        sa.Column("participation", KEY, nullable=False, comment="registering, limited"),
        sa.Column(
            "state",
            KEY,
            nullable=False,
            comment="refused, eligible, admitting, admitted, withdrawn, replaced (by a later application)",
        ),
        sa.Column("file_name", sa.Text(), nullable=False, comment="Name of the file as it came"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the application"),
        sa.Column("content", sa.Text(), nullable=False, comment="The application: TOML"),
        sa.Column("contact", sa.Text(), nullable=False, comment="Address of its e-mails"),
        sa.Column("language", KEY, nullable=False, comment="Language of its e-mails"),
        sa.Column("agreement_from", sa.Date(), nullable=True, comment="First day of its agreement"),
        sa.Column("agreement_to", sa.Date(), nullable=True, comment="Last day; null: open"),
        sa.Column("check_no", sa.Integer(), server_default="0", nullable=False, comment="The latest checklist"),
        sa.Column(
            "rules_met",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Rules of the latest checklist that are met",
        ),
        sa.Column(
            "rules_unmet",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Rules of the latest checklist that are not",
        ),
        sa.Column("checked_on", sa.Date(), nullable=False, comment="Business date of the last check"),
        sa.Column("checked_at", UtcInstant(), nullable=False, comment="When it was last checked"),
        sa.Column("admissions", sa.Integer(), server_default="0", nullable=False, comment="How often it was admitted"),
        sa.Column("entry", sa.Text(), nullable=True, comment="The entry as it was written into the register: TOML"),
        sa.Column("entry_file", sa.Text(), nullable=True, comment="Its file, from the register's folder"),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="Who admitted or withdrew it"),
        sa.Column("decided_at", UtcInstant(), nullable=True, comment="When it was admitted or withdrawn"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was withdrawn"),
        sa.Column("run_id", sa.Text(), nullable=True, comment="The run that checked or decided it last"),
        sa.Column("created_at", UtcInstant(), nullable=False, comment="When it came"),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_core_library_application")),
        sa.UniqueConstraint("sigel", "sha256", name=op.f("uq_core_library_application_sigel_sha256")),
        comment="Applications of libraries to take part: one row for each text that a library sent",
    )


def _create_core_library_check() -> None:
    op.create_table(
        "core_library_check",
        sa.Column("application_id", ID, autoincrement=False, nullable=False, comment="Application"),
        sa.Column(
            "check_no", sa.Integer(), autoincrement=False, nullable=False, comment="From 1; a new one where it differs"
        ),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="Place in the checklist, from 1"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id of the rule"),
        sa.Column("verdict", KEY, nullable=False, comment="met, unmet, not_asked"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in words"),
        sa.Column("remedy", sa.Text(), nullable=False, comment="What to do; empty where nothing is"),
        sa.Column("checked_on", sa.Date(), nullable=False, comment="Business date of the first check that said so"),
        sa.PrimaryKeyConstraint("application_id", "check_no", "seq", name=op.f("pk_core_library_check")),
        comment="Checklists of applications: a row a rule",
    )


def _create_core_supplier_customer() -> None:
    op.create_table(
        "core_supplier_customer",
        sa.Column("supplier", KEY, nullable=False, comment="Supplier code"),
        sa.Column("sigel", KEY, nullable=False, comment="The library's"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column(
            "is_latest",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="As the supplier reported last",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the library, as the supplier has it"),
        sa.Column("email", sa.Text(), nullable=False, comment="The library's contact, as the supplier has it"),
        sa.Column("ends_on", sa.Date(), nullable=True, comment="Last day as a customer; null: open"),
        sa.Column("report_id", ID, nullable=False, comment="The file that said so"),
        sa.Column("reported_at", UtcInstant(), nullable=False, comment="When it was taken in"),
        sa.PrimaryKeyConstraint("supplier", "sigel", "version", name=op.f("pk_core_supplier_customer")),
        comment="Customers that suppliers reported, every version; no file takes one away by leaving it out",
    )


def _create_core_trial() -> None:
    op.create_table(
        "core_trial",
        sa.Column("trial_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("supplier", KEY, nullable=False, comment="Supplier code"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the file as it came"),
        sa.Column("name", sa.Text(), nullable=False, comment="File name, as the sender wrote it"),
        sa.Column(
            "uri", sa.Text(), nullable=True, comment="Where the file is; null: it was handed over on the command line"
        ),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="Size of the file"),
        sa.Column("state", KEY, nullable=False, comment="tried, rejected"),
        sa.Column(
            "is_ready",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Every needed rule of the checklist is met",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why the file was rejected as a whole, in words"),
        sa.Column(
            "findings_digest", KEY, nullable=False, comment="Of everything that was found: the same again is told once"
        ),
        sa.Column(
            "records_read",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Bib and holding records, unreadable pieces not included",
        ),
        sa.Column(
            "records_unreadable",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Pieces that could not be read",
        ),
        sa.Column("bibs_read", sa.Integer(), server_default="0", nullable=False, comment="Bibs: read"),
        sa.Column("bibs_created", sa.Integer(), server_default="0", nullable=False, comment="Bibs: created"),
        sa.Column("bibs_replaced", sa.Integer(), server_default="0", nullable=False, comment="Bibs: replaced"),
        sa.Column("bibs_kept", sa.Integer(), server_default="0", nullable=False, comment="Bibs: kept"),
        sa.Column("bibs_review", sa.Integer(), server_default="0", nullable=False, comment="Bibs: review"),
        sa.Column("bibs_rejected", sa.Integer(), server_default="0", nullable=False, comment="Bibs: rejected"),
        sa.Column("holdings_read", sa.Integer(), server_default="0", nullable=False, comment="Holdings: read"),
        sa.Column("holdings_created", sa.Integer(), server_default="0", nullable=False, comment="Holdings: created"),
        sa.Column("holdings_updated", sa.Integer(), server_default="0", nullable=False, comment="Holdings: updated"),
        sa.Column(
            "holdings_unchanged", sa.Integer(), server_default="0", nullable=False, comment="Holdings: unchanged"
        ),
        sa.Column("holdings_deleted", sa.Integer(), server_default="0", nullable=False, comment="Holdings: deleted"),
        sa.Column("holdings_waiting", sa.Integer(), server_default="0", nullable=False, comment="Holdings: waiting"),
        sa.Column("holdings_refused", sa.Integer(), server_default="0", nullable=False, comment="Holdings: refused"),
        sa.Column("holdings_rejected", sa.Integer(), server_default="0", nullable=False, comment="Holdings: rejected"),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("tried_at", UtcInstant(), nullable=False, comment="When it was tried"),
        sa.PrimaryKeyConstraint("trial_id", name=op.f("pk_core_trial")),
        comment="One row a test delivery and time it was tried; nothing of it is in the catalogue",
    )
    with op.batch_alter_table("core_trial", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_trial_supplier_tried_at"), ["supplier", "tried_at"], unique=False)


def _create_core_trial_check() -> None:
    op.create_table(
        "core_trial_check",
        sa.Column("trial_id", ID, autoincrement=False, nullable=False, comment="Test delivery"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("seq", sa.Integer(), nullable=False, comment="Order of the checklist"),
        sa.Column("is_met", sa.Boolean(), server_default=sa.false(), nullable=False, comment="Whether it holds"),
        sa.Column(
            "is_needed",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether a real delivery has to wait for it",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="What was found, in words"),
        sa.PrimaryKeyConstraint("trial_id", "rule", name=op.f("pk_core_trial_check")),
        comment="The checklist of a test delivery",
    )


def _create_core_trial_record() -> None:
    op.create_table(
        "core_trial_record",
        sa.Column("trial_id", ID, autoincrement=False, nullable=False, comment="Test delivery"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="From 1 in the file"),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False, comment="0; 1, 2, ... of an embedded 852"),
        sa.Column("byte_offset", sa.BigInteger(), nullable=False, comment="In the unpacked file"),
        sa.Column("record_type", KEY, nullable=False, comment="bib, holding, unreadable"),
        sa.Column(
            "outcome", KEY, nullable=False, comment="What would become of it; unreadable where it cannot be read"
        ),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words"),
        sa.Column("supplier_control_number", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("isbn13", sa.Text(), nullable=True, comment="The first valid one"),
        sa.Column("sigel", sa.Text(), nullable=True, comment="Of a holding"),
        sa.Column("bib_id", ID, nullable=True, comment="The bib that it would match; null where it would be new"),
        sa.Column(
            "findings", sa.Text(), nullable=True, comment="JSON list of [code, text, field]: what else was noticed"
        ),
        sa.PrimaryKeyConstraint("trial_id", "position", "part", name=op.f("pk_core_trial_record")),
        comment="What would become of each record of a test delivery",
    )


def downgrade() -> None:
    op.drop_table("core_trial_record")
    op.drop_table("core_trial_check")
    op.drop_table("core_trial")
    op.drop_table("core_supplier_customer")
    op.drop_table("core_library_check")
    op.drop_table("core_library_application")
    op.drop_table("core_holdings_freshness")
    op.drop_table("core_customer_row")
    op.drop_table("core_customer_report")
    op.drop_table("core_customer_finding")
