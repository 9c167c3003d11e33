"""Tables of libraries that join, and of those whose holdings stand still."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, flag, key_text, metadata

core_library_application = sa.Table(
    "core_library_application",
    metadata,
    sa.Column("application_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("sigel", "The code that the library is to have"),
    sa.Column("name", sa.Text, nullable=False, comment="The library, as it is to stand in e-mails"),
    code_column("kind", "public, research, special, school"),
    code_column("participation", "registering, limited"),
    code_column("state", "refused, eligible, admitting, admitted, withdrawn, replaced (by a later application)"),
    sa.Column("file_name", sa.Text, nullable=False, comment="Name of the file as it came"),
    sa.Column("sha256", key_text(), nullable=False, comment="Of the application"),
    sa.Column("content", sa.Text, nullable=False, comment="The application: TOML"),
    sa.Column("contact", sa.Text, nullable=False, comment="Address of its e-mails"),
    code_column("language", "Language of its e-mails"),
    sa.Column("agreement_from", sa.Date, comment="First day of its agreement"),
    sa.Column("agreement_to", sa.Date, comment="Last day; null: open"),
    count("check_no", "The latest checklist"),
    count("rules_met", "Rules of the latest checklist that are met"),
    count("rules_unmet", "Rules of the latest checklist that are not"),
    sa.Column("checked_on", sa.Date, nullable=False, comment="Business date of the last check"),
    sa.Column("checked_at", UtcInstant, nullable=False, comment="When it was last checked"),
    count("admissions", "How often it was admitted"),
    sa.Column("entry", sa.Text, comment="The entry as it was written into the register: TOML"),
    sa.Column("entry_file", sa.Text, comment="Its file, from the register's folder"),
    sa.Column("decided_by", sa.Text, comment="Who admitted or withdrew it"),
    sa.Column("decided_at", UtcInstant, comment="When it was admitted or withdrawn"),
    sa.Column("reason", sa.Text, comment="Why it was withdrawn"),
    sa.Column("run_id", sa.Text, comment="The run that checked or decided it last"),
    sa.Column("created_at", UtcInstant, nullable=False, comment="When it came"),
    sa.UniqueConstraint("sigel", "sha256"),
    comment="Applications of libraries to take part: one row for each text that a library sent",
)

core_library_check = sa.Table(
    "core_library_check",
    metadata,
    sa.Column("application_id", big_id(), primary_key=True, autoincrement=False, comment="Application"),
    sa.Column(
        "check_no", sa.Integer, primary_key=True, autoincrement=False, comment="From 1; a new one where it differs"
    ),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False, comment="Place in the checklist, from 1"),
    code_column("rule", "Stable id of the rule"),
    code_column("verdict", "met, unmet, not_asked"),
    sa.Column("reason", sa.Text, nullable=False, comment="Why, in words"),
    sa.Column("remedy", sa.Text, nullable=False, comment="What to do; empty where nothing is"),
    sa.Column("checked_on", sa.Date, nullable=False, comment="Business date of the first check that said so"),
    comment="Checklists of applications: a row a rule",
)

core_holdings_freshness = sa.Table(
    "core_holdings_freshness",
    metadata,
    sa.Column("checked_on", sa.Date, primary_key=True, comment="Business date of the check"),
    code_column("sigel", "A registering library whose agreement is in force", primary_key=True),
    sa.Column("name", sa.Text, nullable=False, comment="The library"),
    flag("is_stale", "Nothing has moved for the months of the register"),
    sa.Column("holdings", sa.BigInteger, nullable=False, comment="Holdings that it has now"),
    sa.Column("last_moved_at", UtcInstant, comment="When one was last made, changed or deleted; null: never"),
    sa.Column(
        "still_since_on", sa.Date, nullable=False, comment="That day, or the first day of its agreement if later"
    ),
    sa.Column("months_still", sa.Integer, nullable=False, comment="Whole months from then to the check"),
    sa.Column("limit_months", sa.Integer, nullable=False, comment="As the register said"),
    sa.Column("checked_at", UtcInstant, nullable=False, comment="When it was checked"),
    comment="Whether the holdings of registering libraries move: a row a library and check",
)
