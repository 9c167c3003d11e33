"""Staff accounts: accounts and their history, sweeps, renewals, requests, readers, downloads, change files.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_core_account()
    _create_core_account_action()
    _create_core_account_before()
    _create_core_account_campaign()
    _create_core_account_download()
    _create_core_account_history()
    _create_core_account_import()
    _create_core_account_lending()
    _create_core_account_list()
    _create_core_account_outbound()
    _create_core_account_reader()
    _create_core_account_reject()
    _create_core_account_renewal()
    _create_core_account_request()
    _create_core_account_sweep()
    _create_core_account_told()
    _create_stage_account()


def _create_core_account() -> None:
    op.create_table(
        "core_account",
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("login", sa.Text(), nullable=False, comment="Name of the account in the system, as it came"),
        sa.Column("login_key", KEY, nullable=False, comment="To compare with: NFC, casefolded, trimmed"),
        sa.Column("library", KEY, nullable=False, comment="Sigel of the library that it belongs to"),
        sa.Column("kind", KEY, nullable=False, comment="personal, shared"),
        sa.Column("employment", KEY, nullable=False, comment="permanent, temporary, volunteer"),
        sa.Column("name", sa.Text(), server_default="", nullable=False, comment="Of the person"),
        sa.Column("email", sa.Text(), server_default="", nullable=False, comment="Of the person"),
        sa.Column("owner", sa.Text(), server_default="", nullable=False, comment="Who answers for a shared account"),
        sa.Column("contact", sa.Text(), server_default="", nullable=False, comment="E-mail of whom to ask about it"),
        sa.Column("supporter", sa.Text(), server_default="", nullable=False, comment="E-mail of a permanent colleague"),
        sa.Column("tasks", sa.Text(), server_default="", nullable=False, comment="What the person does"),
        sa.Column("made_on", sa.Date(), nullable=False, comment="Day on which it was made, in the system's zone"),
        sa.Column("mission_start_on", sa.Date(), nullable=True, comment="First day of the mission"),
        sa.Column("mission_end_on", sa.Date(), nullable=True, comment="Last day of the mission"),
        sa.Column("leaver_on", sa.Date(), nullable=True, comment="Day from which it may be deactivated, as reported"),
        sa.Column("renewed_on", sa.Date(), nullable=True, comment="Day of the last renewal"),
        sa.Column("granted_until", sa.Date(), nullable=True, comment="Last valid day that renewals gave"),
        sa.Column(
            "is_end_pinned",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="A person has fixed the last valid day",
        ),
        sa.Column(
            "pinned_end", sa.Date(), nullable=True, comment="The day that is pinned; null: pinned to have no end"
        ),
        sa.Column("trained_on", sa.Date(), nullable=True, comment="Day of the latest training"),
        sa.Column("training", sa.Text(), server_default="{}", nullable=False, comment="JSON: course to day"),
        sa.Column(
            "rotated_on", sa.Date(), nullable=True, comment="Day on which a shared account got its last new password"
        ),
        sa.Column(
            "last_used_on",
            sa.Date(),
            nullable=True,
            comment="Of a shared account: last day on which something was downloaded by it",
        ),
        sa.Column("roles", sa.Text(), server_default="[]", nullable=False, comment="JSON list of {role, scope, since}"),
        sa.Column("origins", sa.Text(), server_default="{}", nullable=False, comment="JSON: field to [source, day]"),
        sa.Column("status", KEY, nullable=False, comment="waiting, active, expired, inactive, retired"),
        sa.Column("status_since", sa.Date(), nullable=False, comment="Day on which it came there"),
        sa.Column("expires_on", sa.Date(), nullable=True, comment="Last valid day; null: no end"),
        sa.Column("expiry_rule", KEY, nullable=False, comment="Rule that gave it"),
        sa.Column(
            "look_on", sa.Date(), nullable=True, comment="Next day on which a sweep looks at it; null: never, by itself"
        ),
        sa.Column("judged_on", sa.Date(), nullable=True, comment="Day of the last sweep that looked at it"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="Rises with each change"),
        sa.Column("sweep_id", ID, nullable=True, comment="The sweep that made this version; null: a file, a command"),
        sa.Column(
            "is_unsent",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="Changed since its system was told",
        ),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_core_account")),
        comment="A staff account in a system, as it is now",
    )
    with op.batch_alter_table("core_account", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_account_system_library_kind"), ["system", "library", "kind"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_core_account_system_look_on"), ["system", "look_on"], unique=False)
        batch_op.create_index(
            "ix_core_account_unsent",
            ["system", "account_id"],
            unique=False,
            sqlite_where=sa.text("is_unsent = 1"),
            postgresql_where=sa.text("is_unsent"),
        )
        batch_op.create_index("uq_core_account_login", ["system", "login_key"], unique=True)


def _create_core_account_action() -> None:
    op.create_table(
        "core_account_action",
        sa.Column("sweep_id", ID, autoincrement=False, nullable=False, comment="Sweep"),
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column(
            "action", KEY, nullable=False, comment="expire, deactivate, reactivate, activate, retire, notify, flag"
        ),
        sa.Column("rule", KEY, nullable=False, comment="Rule that fired"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words, with the dates that it used"),
        sa.Column("due_on", sa.Date(), nullable=False, comment="Day on which it was due, or about which it tells"),
        sa.Column("used", sa.Text(), nullable=False, comment="JSON: the dates that the rule used"),
        sa.Column(
            "state",
            KEY,
            nullable=False,
            comment="planned, applied, held, dropped (planned anew, or changed since), reverted",
        ),
        sa.Column("plan_hash", KEY, nullable=True, comment="Approval under which it was carried out; null: unasked"),
        sa.PrimaryKeyConstraint("sweep_id", "account_id", "seq", name=op.f("pk_core_account_action")),
        comment="What a sweep did with an account, or told of it: a row an account and rule",
    )
    with op.batch_alter_table("core_account_action", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_account_action_account_id"), ["account_id"], unique=False)


def _create_core_account_before() -> None:
    op.create_table(
        "core_account_before",
        sa.Column("sweep_id", ID, autoincrement=False, nullable=False, comment="The sweep that changed it"),
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("version_made", sa.Integer(), nullable=False, comment="The version that the sweep made"),
        sa.Column("status", KEY, nullable=False, comment="As before"),
        sa.Column("status_since", sa.Date(), nullable=False, comment="As before"),
        sa.Column("expires_on", sa.Date(), nullable=True, comment="As before"),
        sa.Column("expiry_rule", KEY, nullable=False, comment="As before"),
        sa.Column("look_on", sa.Date(), nullable=True, comment="As before"),
        sa.Column("judged_on", sa.Date(), nullable=True, comment="As before"),
        sa.PrimaryKeyConstraint("sweep_id", "account_id", name=op.f("pk_core_account_before")),
        comment="Before-images: what a sweep changed, so that it can be undone",
    )


def _create_core_account_campaign() -> None:
    op.create_table(
        "core_account_campaign",
        sa.Column("campaign_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("year", sa.Integer(), nullable=False, comment="The year that ends"),
        sa.Column("ends_on", sa.Date(), nullable=False, comment="Day on which the accounts expire"),
        sa.Column("state", KEY, nullable=False, comment="open, closed"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("closed_at", UtcInstant(), nullable=True, comment="When its day was over and outcomes were settled"),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_core_account_campaign")),
        sa.UniqueConstraint("system", "year", name=op.f("uq_core_account_campaign_system_year")),
        comment="The yearly question to library managers",
    )


def _create_core_account_download() -> None:
    op.create_table(
        "core_account_download",
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("library", KEY, nullable=False, comment="Sigel"),
        sa.Column("month", sa.Date(), nullable=False, comment="First day of the month"),
        sa.Column("purpose", KEY, nullable=False, comment="lending, streaming, own"),
        sa.Column("downloads", sa.Integer(), server_default="0", nullable=False, comment="How many"),
        sa.PrimaryKeyConstraint("system", "library", "month", "purpose", name=op.f("pk_core_account_download")),
        comment="Downloads by staff, rolled up; of who downloaded what nothing is kept",
    )


def _create_core_account_history() -> None:
    op.create_table(
        "core_account_history",
        sa.Column("history_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("account_id", ID, nullable=False, comment="Account"),
        sa.Column("field", KEY, nullable=False, comment="Column of core_account"),
        sa.Column("old", sa.Text(), nullable=True, comment="As text; null: none"),
        sa.Column("new", sa.Text(), nullable=True, comment="As text; null: none"),
        sa.Column("source", KEY, nullable=False, comment="import:NAME, command:WHO, campaign:YEAR, rotation:WHO"),
        sa.Column("said_on", sa.Date(), nullable=False, comment="Business date"),
        sa.Column("changed_at", UtcInstant(), nullable=False, comment="When"),
        sa.PrimaryKeyConstraint("history_id", name=op.f("pk_core_account_history")),
        comment="Values of accounts that were replaced, by what and from where",
    )
    with op.batch_alter_table("core_account_history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_account_history_account_id"), ["account_id"], unique=False)


def _create_core_account_import() -> None:
    op.create_table(
        "core_account_import",
        sa.Column("import_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column(
            "kind",
            KEY,
            nullable=False,
            comment="accounts, changes, leavers, training, rotations, renewals, readers, downloads, lists",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the file"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the file"),
        sa.Column("said_on", sa.Date(), nullable=False, comment="Business date"),
        sa.Column("rows_read", sa.Integer(), server_default="0", nullable=False, comment="Rows, without the heading"),
        sa.Column(
            "rows_created",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Accounts, readers or counts that are new",
        ),
        sa.Column(
            "rows_changed", sa.Integer(), server_default="0", nullable=False, comment="Accounts that were changed"
        ),
        sa.Column(
            "rows_unchanged", sa.Integer(), server_default="0", nullable=False, comment="Rows that said nothing new"
        ),
        sa.Column(
            "rows_incomplete", sa.Integer(), server_default="0", nullable=False, comment="Requests that lack something"
        ),
        sa.Column(
            "rows_quarantined", sa.Integer(), server_default="0", nullable=False, comment="Rows that cannot be taken"
        ),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_core_account_import")),
        comment="Files about accounts; the same file again has no effect",
    )
    with op.batch_alter_table("core_account_import", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_account_import_system_kind_sha256"), ["system", "kind", "sha256"], unique=False
        )


def _create_core_account_lending() -> None:
    op.create_table(
        "core_account_lending",
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("library", KEY, nullable=False, comment="Sigel"),
        sa.Column("title_number", KEY, nullable=False, comment="Number of the talking book"),
        sa.Column("isbn13", KEY, nullable=True, comment="Of the talking book, where it was given"),
        sa.Column("first_on", sa.Date(), nullable=False, comment="First download for lending"),
        sa.Column("last_on", sa.Date(), nullable=False, comment="Last one"),
        sa.Column("downloads", sa.Integer(), server_default="0", nullable=False, comment="How many"),
        sa.Column("bib_id", ID, nullable=True, comment="The title in the catalogue; null: it is not catalogued"),
        sa.Column("checked_on", sa.Date(), nullable=True, comment="Day on which the catalogue was asked last"),
        sa.PrimaryKeyConstraint("system", "library", "title_number", name=op.f("pk_core_account_lending")),
        comment="Titles that a library lends on disc or card, and whether they are catalogued",
    )


def _create_core_account_list() -> None:
    op.create_table(
        "core_account_list",
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="The shared account"),
        sa.Column("list_name", KEY, nullable=False, comment="Name of the list"),
        sa.Column("title_number", KEY, nullable=False, comment="Number of the talking book"),
        sa.Column("title", sa.Text(), nullable=False, comment="As the system shows it"),
        sa.Column("exported_on", sa.Date(), nullable=True, comment="Day on which its library got it"),
        sa.PrimaryKeyConstraint("account_id", "list_name", "title_number", name=op.f("pk_core_account_list")),
        comment="Lists of shared logins, which disappear with them: each is exported for its library before the day",
    )


def _create_core_account_outbound() -> None:
    op.create_table(
        "core_account_outbound",
        sa.Column("outbound_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the file"),
        sa.Column("uri", KEY, nullable=False, comment="Where it is"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the file"),
        sa.Column("accounts", sa.Integer(), server_default="0", nullable=False, comment="Accounts in it"),
        sa.Column("run_id", KEY, nullable=True, comment="Run that made it"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("outbound_id", name=op.f("pk_core_account_outbound")),
        comment="Change files for systems",
    )


def _create_core_account_reader() -> None:
    op.create_table(
        "core_account_reader",
        sa.Column("reader_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("reader_key", KEY, nullable=False, comment="Number of the reader in the system"),
        sa.Column("library", KEY, nullable=False, comment="Sigel of the home library"),
        sa.Column("made_by", ID, nullable=False, comment="Account of the registrar"),
        sa.Column("made_on", sa.Date(), nullable=False, comment="Day"),
        sa.Column("ended_on", sa.Date(), nullable=True, comment="Day on which it was ended"),
        sa.PrimaryKeyConstraint("reader_id", name=op.f("pk_core_account_reader")),
        sa.UniqueConstraint("system", "reader_key", name=op.f("uq_core_account_reader_system_reader_key")),
        comment="Readers whom a registrar made; what they read is nowhere",
    )


def _create_core_account_reject() -> None:
    op.create_table(
        "core_account_reject",
        sa.Column("import_id", ID, autoincrement=False, nullable=False, comment="File"),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False, comment="Line of the file, from 1"),
        sa.Column("field", KEY, nullable=False, comment="Column; empty: the whole row"),
        sa.Column("cause", sa.Text(), nullable=False, comment="In words"),
        sa.Column("remedy", sa.Text(), nullable=False, comment="What to do"),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_core_account_reject")),
        comment="Rows of files about accounts that cannot be taken; their neighbours go on",
    )


def _create_core_account_renewal() -> None:
    op.create_table(
        "core_account_renewal",
        sa.Column("campaign_id", ID, autoincrement=False, nullable=False, comment="Campaign"),
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("library", KEY, nullable=False, comment="Sigel of the library that is asked"),
        sa.Column("expires_on", sa.Date(), nullable=False, comment="When it was asked"),
        sa.Column("decision", KEY, nullable=True, comment="renew, end; null: no answer"),
        sa.Column("until", sa.Date(), nullable=True, comment="Last day that was asked for; null: as the rules have it"),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="Who said so"),
        sa.Column("decided_at", UtcInstant(), nullable=True),
        sa.Column(
            "outcome", KEY, server_default="asked", nullable=False, comment="asked, renewed, expired, unanswered"
        ),
        sa.Column("renewed_until", sa.Date(), nullable=True, comment="Last valid day that it got"),
        sa.PrimaryKeyConstraint("campaign_id", "account_id", name=op.f("pk_core_account_renewal")),
        comment="An account that was asked about, and the answer",
    )


def _create_core_account_request() -> None:
    op.create_table(
        "core_account_request",
        sa.Column("request_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("login_key", KEY, nullable=False, comment="Of the account that was asked for"),
        sa.Column("library", KEY, nullable=False, comment="Sigel"),
        sa.Column("missing", sa.Text(), nullable=False, comment="JSON list of what lacks; empty: nothing"),
        sa.Column("answer", sa.Text(), nullable=False, comment="In words"),
        sa.Column("answer_to", sa.Text(), nullable=False, comment="E-mail"),
        sa.Column("import_id", ID, nullable=False, comment="File"),
        sa.Column("line", sa.Integer(), nullable=False, comment="Line of the file"),
        sa.Column("state", KEY, nullable=False, comment="open (something lacks), granted, superseded"),
        sa.Column("asked_on", sa.Date(), nullable=False, comment="Business date"),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_core_account_request")),
        comment="Requests for accounts, and what they were answered",
    )
    with op.batch_alter_table("core_account_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_account_request_system_login_key"), ["system", "login_key"], unique=False
        )


def _create_core_account_sweep() -> None:
    op.create_table(
        "core_account_sweep",
        sa.Column("sweep_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("system", KEY, nullable=False, comment="Code of the system in the register"),
        sa.Column("swept_on", sa.Date(), nullable=False, comment="The day that it decided for"),
        sa.Column("purpose", KEY, nullable=False, comment="nightly, retirement"),
        sa.Column(
            "state",
            KEY,
            nullable=False,
            comment="planning, planned, guarded, applied, abandoned (another took its place), reverted",
        ),
        sa.Column(
            "is_preview",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="A dry run: nothing was done, and its rows go",
        ),
        sa.Column("rules_version", KEY, nullable=False, comment="Of the system's rules: sha256"),
        sa.Column("plan_hash", KEY, nullable=True, comment="Under which classes of it were held; null: none was"),
        sa.Column("planned_to", ID, server_default="0", nullable=False, comment="Last account that was planned"),
        sa.Column("applied_to", ID, server_default="0", nullable=False, comment="Last account that was applied"),
        sa.Column("looked_at", sa.Integer(), server_default="0", nullable=False, comment="Accounts that were due"),
        sa.Column("run_id", KEY, nullable=True, comment="Run that made it"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("finished_at", UtcInstant(), nullable=True, comment="When everything that was not held was done"),
        sa.Column("reverted_at", UtcInstant(), nullable=True, comment="When it was undone"),
        sa.PrimaryKeyConstraint("sweep_id", name=op.f("pk_core_account_sweep")),
        comment="One row a sweep of a system on a day",
    )
    with op.batch_alter_table("core_account_sweep", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_account_sweep_system_swept_on"), ["system", "swept_on"], unique=False)


def _create_core_account_told() -> None:
    op.create_table(
        "core_account_told",
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("rule", KEY, nullable=False, comment="Rule by which it was told"),
        sa.Column("about_on", sa.Date(), nullable=False, comment="Day that it is about"),
        sa.Column("sweep_id", ID, nullable=True, comment="Sweep that told it; null: a campaign, a rotation"),
        sa.Column("told_on", sa.Date(), nullable=False, comment="Business date"),
        sa.PrimaryKeyConstraint("account_id", "rule", "about_on", name=op.f("pk_core_account_told")),
        comment="What was told of an account, so that nothing is told twice",
    )


def _create_stage_account() -> None:
    op.create_table(
        "stage_account",
        sa.Column("sweep_id", ID, autoincrement=False, nullable=False, comment="Sweep"),
        sa.Column("account_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("version", sa.Integer(), nullable=False, comment="The account's when it was planned"),
        sa.Column("status", KEY, nullable=False, comment="After the sweep"),
        sa.Column("expires_on", sa.Date(), nullable=True, comment="After the sweep"),
        sa.Column("expiry_rule", KEY, nullable=False, comment="After the sweep"),
        sa.Column("look_on", sa.Date(), nullable=True, comment="After the sweep"),
        sa.Column("class", KEY, server_default="", nullable=False, comment="Guarded class of the step; empty: none"),
        sa.Column(
            "is_change",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="The status or the last valid day changes: a new version",
        ),
        sa.Column(
            "is_planned", sa.Boolean(), server_default=sa.false(), nullable=False, comment="It has been looked at"
        ),
        sa.PrimaryKeyConstraint("sweep_id", "account_id", name=op.f("pk_stage_account")),
        comment="The plan of a sweep, an account a row; what was carried out goes when the sweep is done",
    )


def downgrade() -> None:
    op.drop_table("stage_account")
    op.drop_table("core_account_told")
    op.drop_table("core_account_sweep")
    op.drop_table("core_account_request")
    op.drop_table("core_account_renewal")
    op.drop_table("core_account_reject")
    op.drop_table("core_account_reader")
    op.drop_table("core_account_outbound")
    op.drop_table("core_account_list")
    op.drop_table("core_account_lending")
    op.drop_table("core_account_import")
    op.drop_table("core_account_history")
    op.drop_table("core_account_download")
    op.drop_table("core_account_campaign")
    op.drop_table("core_account_before")
    op.drop_table("core_account_action")
    op.drop_table("core_account")
