"""Staff accounts in the warehouse: the accounts now and before, what came in about them, sweeps, renewals, requests.

Rows of core_account are written by tasks/accounts alone; borrowers have tables of their own (patrons.py). No password
is kept anywhere, and no title that anybody has read.
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, flag, key_text, metadata


def _account_id() -> sa.Column[int]:
    return sa.Column("account_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id")


def _system() -> sa.Column[str]:
    return code_column("system", "Code of the system in the register")


core_account = sa.Table(
    "core_account",
    metadata,
    _account_id(),
    _system(),
    sa.Column("login", sa.Text, nullable=False, comment="Name of the account in the system, as it came"),
    sa.Column("login_key", key_text(), nullable=False, comment="To compare with: NFC, casefolded, trimmed"),
    code_column("library", "Sigel of the library that it belongs to"),
    code_column("kind", "personal, shared"),
    code_column("employment", "permanent, temporary, volunteer"),
    sa.Column("name", sa.Text, nullable=False, server_default="", comment="Of the person"),
    sa.Column("email", sa.Text, nullable=False, server_default="", comment="Of the person"),
    sa.Column("owner", sa.Text, nullable=False, server_default="", comment="Who answers for a shared account"),
    sa.Column("contact", sa.Text, nullable=False, server_default="", comment="E-mail of whom to ask about it"),
    sa.Column("supporter", sa.Text, nullable=False, server_default="", comment="E-mail of a permanent colleague"),
    sa.Column("tasks", sa.Text, nullable=False, server_default="", comment="What the person does"),
    sa.Column("made_on", sa.Date, nullable=False, comment="Day on which it was made, in the system's zone"),
    sa.Column("mission_start_on", sa.Date, comment="First day of the mission"),
    sa.Column("mission_end_on", sa.Date, comment="Last day of the mission"),
    sa.Column("leaver_on", sa.Date, comment="Day from which it may be deactivated, as reported"),
    sa.Column("renewed_on", sa.Date, comment="Day of the last renewal"),
    sa.Column("granted_until", sa.Date, comment="Last valid day that renewals gave"),
    flag("is_end_pinned", "A person has fixed the last valid day"),
    sa.Column("pinned_end", sa.Date, comment="The day that is pinned; null: pinned to have no end"),
    sa.Column("trained_on", sa.Date, comment="Day of the latest training"),
    sa.Column("training", sa.Text, nullable=False, server_default="{}", comment="JSON: course to day"),
    sa.Column("rotated_on", sa.Date, comment="Day on which a shared account got its last new password"),
    sa.Column("last_used_on", sa.Date, comment="Of a shared account: last day on which something was downloaded by it"),
    sa.Column("roles", sa.Text, nullable=False, server_default="[]", comment="JSON list of {role, scope, since}"),
    sa.Column("origins", sa.Text, nullable=False, server_default="{}", comment="JSON: field to [source, day]"),
    code_column("status", "waiting, active, expired, inactive, retired"),
    sa.Column("status_since", sa.Date, nullable=False, comment="Day on which it came there"),
    sa.Column("expires_on", sa.Date, comment="Last valid day; null: no end"),
    code_column("expiry_rule", "Rule that gave it"),
    sa.Column("look_on", sa.Date, comment="Next day on which a sweep looks at it; null: never, by itself"),
    sa.Column("judged_on", sa.Date, comment="Day of the last sweep that looked at it"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1", comment="Rises with each change"),
    sa.Column("sweep_id", big_id(), comment="The sweep that made this version; null: a file, a command"),
    flag("is_unsent", "Changed since its system was told", default=True),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("updated_at", UtcInstant, nullable=False),
    sa.Index("uq_core_account_login", "system", "login_key", unique=True),
    sa.Index(None, "system", "look_on"),
    sa.Index(None, "system", "library", "kind"),
    sa.Index(
        "ix_core_account_unsent",
        "system",
        "account_id",
        # As SQLAlchemy writes it for each engine: SQLite uses a partial index only where the words are the same.
        sqlite_where=sa.text("is_unsent = 1"),
        postgresql_where=sa.text("is_unsent"),
    ),
    comment="A staff account in a system, as it is now",
)

core_account_history = sa.Table(
    "core_account_history",
    metadata,
    sa.Column("history_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    sa.Column("account_id", big_id(), nullable=False, comment="Account"),
    code_column("field", "Column of core_account"),
    sa.Column("old", sa.Text, comment="As text; null: none"),
    sa.Column("new", sa.Text, comment="As text; null: none"),
    code_column("source", "import:NAME, command:WHO, campaign:YEAR, rotation:WHO"),
    sa.Column("said_on", sa.Date, nullable=False, comment="Business date"),
    sa.Column("changed_at", UtcInstant, nullable=False, comment="When"),
    sa.Index(None, "account_id"),
    comment="Values of accounts that were replaced, by what and from where",
)

core_account_sweep = sa.Table(
    "core_account_sweep",
    metadata,
    sa.Column("sweep_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    _system(),
    sa.Column("swept_on", sa.Date, nullable=False, comment="The day that it decided for"),
    code_column("purpose", "nightly, retirement"),
    code_column("state", "planning, planned, guarded, applied, abandoned (another took its place), reverted"),
    flag("is_preview", "A dry run: nothing was done, and its rows go"),
    sa.Column("rules_version", key_text(), nullable=False, comment="Of the system's rules: sha256"),
    sa.Column("plan_hash", key_text(), comment="Under which classes of it were held; null: none was"),
    sa.Column("planned_to", big_id(), nullable=False, server_default="0", comment="Last account that was planned"),
    sa.Column("applied_to", big_id(), nullable=False, server_default="0", comment="Last account that was applied"),
    count("looked_at", "Accounts that were due"),
    sa.Column("run_id", key_text(), comment="Run that made it"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("finished_at", UtcInstant, comment="When everything that was not held was done"),
    sa.Column("reverted_at", UtcInstant, comment="When it was undone"),
    sa.Index(None, "system", "swept_on"),
    comment="One row a sweep of a system on a day",
)

stage_account = sa.Table(
    "stage_account",
    metadata,
    sa.Column("sweep_id", big_id(), primary_key=True, autoincrement=False, comment="Sweep"),
    _account_id(),
    sa.Column("version", sa.Integer, nullable=False, comment="The account's when it was planned"),
    code_column("status", "After the sweep"),
    sa.Column("expires_on", sa.Date, comment="After the sweep"),
    code_column("expiry_rule", "After the sweep"),
    sa.Column("look_on", sa.Date, comment="After the sweep"),
    code_column("class", "Guarded class of the step; empty: none", server_default=""),
    flag("is_change", "The status or the last valid day changes: a new version"),
    flag("is_planned", "It has been looked at"),
    comment="The plan of a sweep, an account a row; what was carried out goes when the sweep is done",
)

core_account_action = sa.Table(
    "core_account_action",
    metadata,
    sa.Column("sweep_id", big_id(), primary_key=True, autoincrement=False, comment="Sweep"),
    _account_id(),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False, comment="From 1"),
    code_column("action", "expire, deactivate, reactivate, activate, retire, notify, flag"),
    code_column("rule", "Rule that fired"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words, with the dates that it used"),
    sa.Column("due_on", sa.Date, nullable=False, comment="Day on which it was due, or about which it tells"),
    sa.Column("used", sa.Text, nullable=False, comment="JSON: the dates that the rule used"),
    code_column("state", "planned, applied, held, dropped (planned anew, or changed since), reverted"),
    sa.Column("plan_hash", key_text(), comment="Approval under which it was carried out; null: unasked"),
    sa.Index(None, "account_id"),
    comment="What a sweep did with an account, or told of it: a row an account and rule",
)

core_account_before = sa.Table(
    "core_account_before",
    metadata,
    sa.Column("sweep_id", big_id(), primary_key=True, autoincrement=False, comment="The sweep that changed it"),
    _account_id(),
    sa.Column("version_made", sa.Integer, nullable=False, comment="The version that the sweep made"),
    code_column("status", "As before"),
    sa.Column("status_since", sa.Date, nullable=False, comment="As before"),
    sa.Column("expires_on", sa.Date, comment="As before"),
    code_column("expiry_rule", "As before"),
    sa.Column("look_on", sa.Date, comment="As before"),
    sa.Column("judged_on", sa.Date, comment="As before"),
    comment="Before-images: what a sweep changed, so that it can be undone",
)

core_account_told = sa.Table(
    "core_account_told",
    metadata,
    _account_id(),
    code_column("rule", "Rule by which it was told", primary_key=True),
    sa.Column("about_on", sa.Date, primary_key=True, comment="Day that it is about"),
    sa.Column("sweep_id", big_id(), comment="Sweep that told it; null: a campaign, a rotation"),
    sa.Column("told_on", sa.Date, nullable=False, comment="Business date"),
    comment="What was told of an account, so that nothing is told twice",
)

core_account_import = sa.Table(
    "core_account_import",
    metadata,
    sa.Column("import_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    _system(),
    code_column("kind", "accounts, changes, leavers, training, rotations, renewals, readers, downloads, lists"),
    sa.Column("name", sa.Text, nullable=False, comment="Name of the file"),
    code_column("sha256", "Of the file"),
    sa.Column("said_on", sa.Date, nullable=False, comment="Business date"),
    count("rows_read", "Rows, without the heading"),
    count("rows_created", "Accounts, readers or counts that are new"),
    count("rows_changed", "Accounts that were changed"),
    count("rows_unchanged", "Rows that said nothing new"),
    count("rows_incomplete", "Requests that lack something"),
    count("rows_quarantined", "Rows that cannot be taken"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Index(None, "system", "kind", "sha256"),
    comment="Files about accounts; the same file again has no effect",
)

core_account_reject = sa.Table(
    "core_account_reject",
    metadata,
    sa.Column("import_id", big_id(), primary_key=True, autoincrement=False, comment="File"),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False, comment="Line of the file, from 1"),
    code_column("field", "Column; empty: the whole row"),
    sa.Column("cause", sa.Text, nullable=False, comment="In words"),
    sa.Column("remedy", sa.Text, nullable=False, comment="What to do"),
    comment="Rows of files about accounts that cannot be taken; their neighbours go on",
)

core_account_request = sa.Table(
    "core_account_request",
    metadata,
    sa.Column("request_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    _system(),
    sa.Column("login_key", key_text(), nullable=False, comment="Of the account that was asked for"),
    code_column("library", "Sigel"),
    sa.Column("missing", sa.Text, nullable=False, comment="JSON list of what lacks; empty: nothing"),
    sa.Column("answer", sa.Text, nullable=False, comment="In words"),
    sa.Column("answer_to", sa.Text, nullable=False, comment="E-mail"),
    sa.Column("import_id", big_id(), nullable=False, comment="File"),
    sa.Column("line", sa.Integer, nullable=False, comment="Line of the file"),
    code_column("state", "open (something lacks), granted, superseded"),
    sa.Column("asked_on", sa.Date, nullable=False, comment="Business date"),
    sa.Index(None, "system", "login_key"),
    comment="Requests for accounts, and what they were answered",
)

core_account_campaign = sa.Table(
    "core_account_campaign",
    metadata,
    sa.Column("campaign_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    _system(),
    sa.Column("year", sa.Integer, nullable=False, comment="The year that ends"),
    sa.Column("ends_on", sa.Date, nullable=False, comment="Day on which the accounts expire"),
    code_column("state", "open, closed"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("closed_at", UtcInstant, comment="When its day was over and outcomes were settled"),
    sa.UniqueConstraint("system", "year"),
    comment="The yearly question to library managers",
)

core_account_renewal = sa.Table(
    "core_account_renewal",
    metadata,
    sa.Column("campaign_id", big_id(), primary_key=True, autoincrement=False, comment="Campaign"),
    _account_id(),
    code_column("library", "Sigel of the library that is asked"),
    sa.Column("expires_on", sa.Date, nullable=False, comment="When it was asked"),
    sa.Column("decision", key_text(), comment="renew, end; null: no answer"),
    sa.Column("until", sa.Date, comment="Last day that was asked for; null: as the rules have it"),
    sa.Column("decided_by", sa.Text, comment="Who said so"),
    sa.Column("decided_at", UtcInstant),
    code_column("outcome", "asked, renewed, expired, unanswered", server_default="asked"),
    sa.Column("renewed_until", sa.Date, comment="Last valid day that it got"),
    comment="An account that was asked about, and the answer",
)

core_account_reader = sa.Table(
    "core_account_reader",
    metadata,
    sa.Column("reader_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    _system(),
    sa.Column("reader_key", key_text(), nullable=False, comment="Number of the reader in the system"),
    code_column("library", "Sigel of the home library"),
    sa.Column("made_by", big_id(), nullable=False, comment="Account of the registrar"),
    sa.Column("made_on", sa.Date, nullable=False, comment="Day"),
    sa.Column("ended_on", sa.Date, comment="Day on which it was ended"),
    sa.UniqueConstraint("system", "reader_key"),
    comment="Readers whom a registrar made; what they read is nowhere",
)

core_account_download = sa.Table(
    "core_account_download",
    metadata,
    code_column("system", "Code of the system in the register", primary_key=True),
    code_column("library", "Sigel", primary_key=True),
    sa.Column("month", sa.Date, primary_key=True, comment="First day of the month"),
    code_column("purpose", "lending, streaming, own", primary_key=True),
    count("downloads", "How many"),
    comment="Downloads by staff, rolled up; of who downloaded what nothing is kept",
)

core_account_lending = sa.Table(
    "core_account_lending",
    metadata,
    code_column("system", "Code of the system in the register", primary_key=True),
    code_column("library", "Sigel", primary_key=True),
    sa.Column("title_number", key_text(), primary_key=True, comment="Number of the talking book"),
    sa.Column("isbn13", key_text(), comment="Of the talking book, where it was given"),
    sa.Column("first_on", sa.Date, nullable=False, comment="First download for lending"),
    sa.Column("last_on", sa.Date, nullable=False, comment="Last one"),
    count("downloads", "How many"),
    sa.Column("bib_id", big_id(), comment="The title in the catalogue; null: it is not catalogued"),
    sa.Column("checked_on", sa.Date, comment="Day on which the catalogue was asked last"),
    comment="Titles that a library lends on disc or card, and whether they are catalogued",
)

core_account_list = sa.Table(
    "core_account_list",
    metadata,
    sa.Column("account_id", big_id(), primary_key=True, autoincrement=False, comment="The shared account"),
    sa.Column("list_name", key_text(), primary_key=True, comment="Name of the list"),
    sa.Column("title_number", key_text(), primary_key=True, comment="Number of the talking book"),
    sa.Column("title", sa.Text, nullable=False, comment="As the system shows it"),
    sa.Column("exported_on", sa.Date, comment="Day on which its library got it"),
    comment="Lists of shared logins, which disappear with them: each is exported for its library before the day",
)

core_account_outbound = sa.Table(
    "core_account_outbound",
    metadata,
    sa.Column("outbound_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    _system(),
    sa.Column("name", sa.Text, nullable=False, comment="Name of the file"),
    sa.Column("uri", key_text(), nullable=False, comment="Where it is"),
    code_column("sha256", "Of the file"),
    count("accounts", "Accounts in it"),
    sa.Column("run_id", key_text(), comment="Run that made it"),
    sa.Column("created_at", UtcInstant, nullable=False),
    comment="Change files for systems",
)
