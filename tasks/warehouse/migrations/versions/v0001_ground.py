"""The ground: ledger, staging, catalogue, plans, notices

Revision: 0001, after None
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_core_bib()
    _create_core_bib_identifier()
    _create_core_bib_isbn()
    _create_core_bib_version()
    _create_core_counter()
    _create_core_feed_check()
    _create_core_holding()
    _create_core_holding_line()
    _create_core_holding_version()
    _create_core_match()
    _create_core_notice()
    _create_core_outcome()
    _create_core_plan()
    _create_core_review()
    _create_core_run()
    _create_core_turn()
    _create_raw_check()
    _create_raw_delivery()
    _create_raw_delivery_name()
    _create_raw_member()
    _create_raw_progress()
    _create_raw_record()
    _create_raw_stray()
    _create_stage_bib()
    _create_stage_holding()
    _create_stage_holding_line()
    _create_stage_identifier()
    _create_stage_isbn()
    _create_stage_match()
    _create_stage_preview()
    _create_stage_verdict()


def _create_core_bib() -> None:
    op.create_table(
        "core_bib",
        sa.Column("bib_id", ID, autoincrement=False, nullable=False),
        sa.Column("control_number", KEY, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("encoding_level", KEY, nullable=False, comment="leader/17; blank is a space"),
        sa.Column("record_type", KEY, nullable=False, comment="leader/06"),
        sa.Column("bib_level", KEY, nullable=False, comment="leader/07"),
        sa.Column("carrier", KEY, nullable=False, comment="print, online, ...; empty where nothing tells"),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column(
            "is_national_bibliography", sa.Boolean(), server_default=sa.false(), nullable=False, comment="042 $9 NB"
        ),
        sa.Column("source", KEY, nullable=False, comment="Supplier code, or catalogue"),
        sa.Column("last_editor", KEY, nullable=False, comment="supplier, human, system"),
        sa.Column("sent_at_name", KEY, nullable=True, comment="Time stamp of the delivery it came from"),
        sa.Column(
            "is_provisional",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Loaded after the review deadline, to be merged when decided",
        ),
        sa.Column("origin_delivery_id", ID, nullable=True, comment="Delivery whose record this version is"),
        sa.Column("origin_position", sa.Integer(), nullable=True),
        sa.Column(
            "content", sa.LargeBinary(), nullable=True, comment="The record; null: as raw_record has it at the origin"
        ),
        sa.Column(
            "is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False, comment="Deleted in the catalogue"
        ),
        sa.Column("merged_into", ID, nullable=True, comment="The bib that took its place"),
        sa.Column("version", sa.Integer(), nullable=False, comment="Rises with each change"),
        sa.Column("change_no", sa.BigInteger(), nullable=False, comment="Catalogue-wide number of its last change"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("bib_id", name=op.f("pk_core_bib")),
        sa.UniqueConstraint("control_number", name=op.f("uq_core_bib_control_number")),
        comment="A bib of the union catalogue, as it is now",
    )
    with op.batch_alter_table("core_bib", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_bib_change_no"), ["change_no"], unique=False)


def _create_core_bib_identifier() -> None:
    op.create_table(
        "core_bib_identifier",
        sa.Column("bib_id", ID, autoincrement=False, nullable=False),
        sa.Column("scheme", KEY, nullable=False, comment="issn, 035, control_number, ean"),
        sa.Column("value", KEY, nullable=False),
        sa.Column("source", KEY, nullable=False, comment="Who gave it: supplier code, or catalogue"),
        sa.Column("delivery_id", ID, nullable=True, comment="The delivery that brought it"),
        sa.PrimaryKeyConstraint("bib_id", "scheme", "value", name=op.f("pk_core_bib_identifier")),
        comment="Other numbers that lead to a bib; kept through every replacement",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("core_bib_identifier", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_bib_identifier_value_scheme"), ["value", "scheme"], unique=False)


def _create_core_bib_isbn() -> None:
    op.create_table(
        "core_bib_isbn",
        sa.Column("bib_id", ID, autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("isbn13", KEY, nullable=True, comment="Canonical key; null where the number is invalid"),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("subfield", KEY, nullable=False, comment="a or z"),
        sa.Column("qualifier", sa.Text(), nullable=False),
        sa.Column("status", KEY, nullable=False, comment="valid, invalid, set"),
        sa.PrimaryKeyConstraint("bib_id", "seq", name=op.f("pk_core_bib_isbn")),
        comment="020 $a and $z of a bib",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("core_bib_isbn", schema=None) as batch_op:
        batch_op.create_index(
            "ix_core_bib_isbn_invalid",
            ["raw"],
            unique=False,
            sqlite_where=sa.text("status = 'invalid'"),
            postgresql_where=sa.text("status = 'invalid'"),
        )
        batch_op.create_index(batch_op.f("ix_core_bib_isbn_isbn13"), ["isbn13"], unique=False)


def _create_core_bib_version() -> None:
    op.create_table(
        "core_bib_version",
        sa.Column("bib_id", ID, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("encoding_level", KEY, nullable=False, comment="leader/17; blank is a space"),
        sa.Column("record_type", KEY, nullable=False, comment="leader/06"),
        sa.Column("bib_level", KEY, nullable=False, comment="leader/07"),
        sa.Column("carrier", KEY, nullable=False, comment="print, online, ...; empty where nothing tells"),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column(
            "is_national_bibliography", sa.Boolean(), server_default=sa.false(), nullable=False, comment="042 $9 NB"
        ),
        sa.Column("source", KEY, nullable=False, comment="Supplier code, or catalogue"),
        sa.Column("last_editor", KEY, nullable=False, comment="supplier, human, system"),
        sa.Column("sent_at_name", KEY, nullable=True, comment="Time stamp of the delivery it came from"),
        sa.Column(
            "is_provisional",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Loaded after the review deadline, to be merged when decided",
        ),
        sa.Column("origin_delivery_id", ID, nullable=True, comment="Delivery whose record this version is"),
        sa.Column("origin_position", sa.Integer(), nullable=True),
        sa.Column(
            "content", sa.LargeBinary(), nullable=True, comment="The record; null: as raw_record has it at the origin"
        ),
        sa.Column(
            "is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False, comment="Deleted in the catalogue"
        ),
        sa.Column("merged_into", ID, nullable=True, comment="The bib that took its place"),
        sa.Column("isbns", sa.Text(), nullable=False, comment="JSON rows of core_bib_isbn at that version"),
        sa.Column("identifiers", sa.Text(), nullable=False, comment="JSON rows of core_bib_identifier at that version"),
        sa.Column("updated_at", UtcInstant(), nullable=False, comment="When that version was made"),
        sa.Column("ended_at", UtcInstant(), nullable=False, comment="When the next one took its place"),
        sa.PrimaryKeyConstraint("bib_id", "version", name=op.f("pk_core_bib_version")),
        comment="Before-images: what a bib was before each change",
    )


def _create_core_counter() -> None:
    op.create_table(
        "core_counter",
        sa.Column("name", KEY, nullable=False, comment="bib, holding, change, ..."),
        sa.Column("next_value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_core_counter")),
        comment="Where ids come from: a block at a time, inside the transaction that uses them",
    )


def _create_core_feed_check() -> None:
    op.create_table(
        "core_feed_check",
        sa.Column("checked_on", sa.Date(), nullable=False, comment="Business date of the check"),
        sa.Column("kind", KEY, nullable=False, comment="supplier"),
        sa.Column("sender", KEY, nullable=False, comment="Supplier code"),
        sa.Column("rule", KEY, nullable=False, comment="feed_as_expected, feed_missing, feed_stale, feed_shrunken"),
        sa.Column("expected_by", UtcInstant(), nullable=False, comment="The last moment by which it was due"),
        sa.Column("last_seen_at", UtcInstant(), nullable=True, comment="When something of it came last; null: never"),
        sa.Column(
            "missed", sa.Integer(), nullable=False, comment="How many times in a row nothing came when it was due"
        ),
        sa.Column("records", sa.Integer(), nullable=False, comment="Records that came for this time"),
        sa.Column("usual_records", sa.Float(), nullable=True, comment="Median of earlier times; null: too few to say"),
        sa.Column(
            "about_on",
            sa.Date(),
            nullable=True,
            comment="The latest of the days that what came is about; null: nothing new came",
        ),
        sa.Column(
            "about_from_on", sa.Date(), nullable=False, comment="What comes is to be about this day or a later one"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words, English; e-mails translate by rule"),
        sa.Column("checked_at", UtcInstant(), nullable=False, comment="When it was checked"),
        sa.PrimaryKeyConstraint("checked_on", "kind", "sender", name=op.f("pk_core_feed_check")),
        comment="Whether each feed came in its rhythm: a row a feed and day",
    )


def _create_core_holding() -> None:
    op.create_table(
        "core_holding",
        sa.Column("holding_id", ID, autoincrement=False, nullable=False),
        sa.Column("bib_id", ID, nullable=False),
        sa.Column("sigel", KEY, nullable=False, comment="The library"),
        sa.Column("control_number", KEY, nullable=False, comment="001 of an MFHD of the catalogue, or empty"),
        sa.Column(
            "is_visible",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="False for limited participation",
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("delivery_id", ID, nullable=True, comment="The delivery that changed it last"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False, comment="No line is left"),
        sa.PrimaryKeyConstraint("holding_id", name=op.f("pk_core_holding")),
        comment="What a library holds of a bib; at most one that is not deleted for each (bib, sigel)",
    )
    with op.batch_alter_table("core_holding", schema=None) as batch_op:
        batch_op.create_index(
            "uq_core_holding_bib_sigel",
            ["bib_id", "sigel"],
            unique=True,
            sqlite_where=sa.text("is_deleted = 0"),
            postgresql_where=sa.text("NOT is_deleted"),
        )


def _create_core_holding_line() -> None:
    op.create_table(
        "core_holding_line",
        sa.Column("holding_id", ID, autoincrement=False, nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", KEY, nullable=False, comment="Supplier code, or library"),
        sa.Column("tag", KEY, nullable=False, comment="024, 852, 856 or another line a library has"),
        sa.Column("shelf_mark", sa.Text(), nullable=False),
        sa.Column("public_note", sa.Text(), nullable=False),
        sa.Column("internal_note", sa.Text(), nullable=False),
        sa.Column("content", KEY, nullable=False, comment="JSON [indicators, [[code, value], ...]]"),
        sa.PrimaryKeyConstraint("holding_id", "line_no", name=op.f("pk_core_holding_line")),
        comment="Lines of a holding; each supplier owns and replaces only its own",
        sqlite_with_rowid=False,
    )


def _create_core_holding_version() -> None:
    op.create_table(
        "core_holding_version",
        sa.Column("holding_id", ID, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bib_id", ID, nullable=False),
        sa.Column("is_visible", sa.Boolean(), server_default=sa.false(), nullable=False, comment="As then"),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False, comment="As then"),
        sa.Column("delivery_id", ID, nullable=True),
        sa.Column("lines", sa.Text(), nullable=False, comment="JSON rows of core_holding_line at that version"),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.Column("ended_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("holding_id", "version", name=op.f("pk_core_holding_version")),
        comment="Before-images: what a holding was before each change",
    )


def _create_core_match() -> None:
    op.create_table(
        "core_match",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bib_id", ID, autoincrement=False, nullable=False),
        sa.Column("verdict", KEY, nullable=False, comment="match, review, no"),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("evidence", sa.Text(), nullable=False, comment="JSON: feature, points, both values, text"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="The person who overruled or confirmed it"),
        sa.Column("decided_at", UtcInstant(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "position", "bib_id", name=op.f("pk_core_match")),
        comment="Every candidate that was considered for a bib of a delivery",
    )


def _create_core_notice() -> None:
    op.create_table(
        "core_notice",
        sa.Column("notice_id", ID, autoincrement=False, nullable=False),
        sa.Column("dedup_key", KEY, nullable=False, comment="The same message is queued once"),
        sa.Column("kind", KEY, nullable=False, comment="digest, rejects, worklist, held, correction, feeds"),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("language", KEY, nullable=False, comment="sv, nb, da, en"),
        sa.Column("body_text", sa.Text(), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("attachments", sa.Text(), nullable=False, comment="JSON list of {name, media_type, base64}"),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("state", KEY, nullable=False, comment="queued, sending, sent, failed"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("claimed_at", UtcInstant(), nullable=True),
        sa.Column("sent_at", UtcInstant(), nullable=True),
        sa.Column("delivery_id", ID, nullable=True, comment="The delivery, where it is about one"),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_core_notice")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_core_notice_dedup_key")),
        comment="The outbox",
    )
    with op.batch_alter_table("core_notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_notice_state"), ["state"], unique=False)


def _create_core_outcome() -> None:
    op.create_table(
        "core_outcome",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False, comment="0; 1.. for an embedded 852"),
        sa.Column(
            "seq", sa.Integer(), autoincrement=False, nullable=False, comment="Rises when succeeded by a new one"
        ),
        sa.Column(
            "is_latest", sa.Boolean(), server_default=sa.true(), nullable=False, comment="Counts are of the latest"
        ),
        sa.Column("record_type", KEY, nullable=False, comment="bib, holding, unreadable"),
        sa.Column("outcome", KEY, nullable=False, comment="See the vocabulary"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id of the rule that decided"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words, English; e-mails translate by rule"),
        sa.Column("sigel", sa.Text(), nullable=True),
        sa.Column("bib_id", ID, nullable=True),
        sa.Column("holding_id", ID, nullable=True),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=True,
            comment="Version of the bib or holding that this outcome made; null: no change",
        ),
        sa.Column("decided_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "position", "part", "seq", name=op.f("pk_core_outcome")),
        comment="What became of each record of a delivery, and why",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("core_outcome", schema=None) as batch_op:
        batch_op.create_index("ix_core_outcome_bib", ["bib_id"], unique=False)
        batch_op.create_index("ix_core_outcome_holding", ["holding_id"], unique=False)


def _create_core_plan() -> None:
    op.create_table(
        "core_plan",
        sa.Column("plan_id", ID, autoincrement=False, nullable=False),
        sa.Column("plan_hash", KEY, nullable=False, comment="Of everything planned; a changed plan has another hash"),
        sa.Column("flow", KEY, nullable=False, comment="Flow that planned it"),
        sa.Column("scope", KEY, nullable=False, comment="What it is about: delivery:7, source:UIN"),
        sa.Column("class", KEY, nullable=False, comment="Class of change, or quality:<expectation>"),
        sa.Column("planned", sa.BigInteger(), nullable=False, comment="How many changes of this class"),
        sa.Column("population", sa.BigInteger(), nullable=False, comment="Out of how many"),
        sa.Column("limit", sa.Float(), nullable=False),
        sa.Column("state", KEY, nullable=False, comment="held, approved, rejected, applied"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words"),
        sa.Column("delivery_id", ID, nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcInstant(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_core_plan")),
        sa.UniqueConstraint("plan_hash", "class", name=op.f("uq_core_plan_plan_hash_class")),
        comment="Classes of change that went over a limit, and what was decided",
    )
    with op.batch_alter_table("core_plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_plan_state"), ["state"], unique=False)


def _create_core_review() -> None:
    op.create_table(
        "core_review",
        sa.Column("review_id", ID, autoincrement=False, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", KEY, nullable=False, comment="open, decided, withdrawn"),
        sa.Column("rule", KEY, nullable=False, comment="Why a person has to look"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", KEY, nullable=False, comment="Who has it: e-mail or name"),
        sa.Column("opened_at", UtcInstant(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False, comment="After this day the bib is loaded as provisional"),
        sa.Column("provisional_bib_id", ID, nullable=True),
        sa.Column("decision", sa.Text(), nullable=True, comment="match:<bib_id>, new, reject"),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcInstant(), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_core_review")),
        sa.UniqueConstraint("delivery_id", "position", name=op.f("uq_core_review_delivery_id_position")),
        comment="Bibs that wait for a cataloguer",
    )
    with op.batch_alter_table("core_review", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_review_state"), ["state"], unique=False)


def _create_core_run() -> None:
    op.create_table(
        "core_run",
        sa.Column("run_id", KEY, nullable=False, comment="Prefect's flow-run id, or one of our own"),
        sa.Column("flow", KEY, nullable=False, comment="Name of the flow"),
        sa.Column("subject", KEY, nullable=False, comment="Supplier, file or scope"),
        sa.Column("state", KEY, nullable=False, comment="running, done, held, failed"),
        sa.Column("summary", sa.Text(), nullable=False, comment="JSON totals"),
        sa.Column("started_at", UtcInstant(), nullable=False),
        sa.Column("finished_at", UtcInstant(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_core_run")),
        comment="What ran, so that `samkat status` needs no Prefect server",
    )
    with op.batch_alter_table("core_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_run_started_at"), ["started_at"], unique=False)


def _create_core_turn() -> None:
    op.create_table(
        "core_turn",
        sa.Column("subject", KEY, nullable=False, comment="What one run at a time works on: supplier:NORDBOK"),
        sa.Column("holder", KEY, nullable=False, comment="The run whose turn it is: a run_id"),
        sa.Column(
            "process", sa.Text(), nullable=False, comment="Its process, so that this machine sees when it is dead"
        ),
        sa.Column("taken_at", UtcInstant(), nullable=False, comment="When it was taken"),
        sa.Column(
            "until", UtcInstant(), nullable=False, comment="Renewed while the run lives; then anyone may take it"
        ),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_core_turn")),
        comment="Whose turn it is: one run a sender at a time",
    )


def _create_raw_check() -> None:
    op.create_table(
        "raw_check",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("expectation", KEY, nullable=False, comment="Key of schemas/expectations.py"),
        sa.Column(
            "observed", sa.Float(), nullable=True, comment="Share or factor; null where there was nothing to judge"
        ),
        sa.Column("limit", sa.Float(), nullable=False),
        sa.Column("elements", sa.Integer(), nullable=False, comment="How many rows were judged"),
        sa.Column("unexpected", sa.Integer(), nullable=False),
        sa.Column(
            "is_met", sa.Boolean(), server_default=sa.false(), nullable=False, comment="Whether the expectation held"
        ),
        sa.Column(
            "is_binding",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="False where the delivery is too small to be held",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "expectation", name=op.f("pk_raw_check")),
        comment="Result of the quality gate, a row an expectation",
    )


def _create_raw_delivery() -> None:
    op.create_table(
        "raw_delivery",
        sa.Column("delivery_id", ID, nullable=False, comment="Surrogate id"),
        sa.Column("kind", KEY, nullable=False, comment="supplier, catalogue"),
        sa.Column("sender", KEY, nullable=False, comment="Who sent it: supplier code"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the file as it came"),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False, comment="Rises with each --again"),
        sa.Column("name", sa.Text(), nullable=False, comment="File name, as the sender wrote it"),
        sa.Column("uri", sa.Text(), nullable=False, comment="Where the file is now"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="Size of the file as it came"),
        sa.Column("state", KEY, nullable=False, comment="See the vocabulary: received ... reverted"),
        sa.Column(
            "mode",
            KEY,
            server_default="",
            nullable=False,
            comment="How the catalogue is loaded: full, delta; empty for suppliers",
        ),
        sa.Column(
            "is_preview",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Only looked at by a dry run so far",
        ),
        sa.Column("business_date", sa.Date(), nullable=True, comment="The sender's own day for it, from the file name"),
        sa.Column(
            "sent_at_name",
            KEY,
            nullable=True,
            comment="Time stamp in the file name, which orders a supplier's deliveries",
        ),
        sa.Column("received_at", UtcInstant(), nullable=False),
        sa.Column("finished_at", UtcInstant(), nullable=True),
        sa.Column("reverted_at", UtcInstant(), nullable=True),
        sa.Column("flow_run_id", sa.Text(), nullable=True, comment="The run that took it last"),
        sa.Column("hold_reason", sa.Text(), nullable=True, comment="Why it waits, or why it was rejected, in words"),
        sa.Column(
            "check_tally",
            sa.Text(),
            nullable=True,
            comment="JSON: the judged rows counted, and by what; Data Docs come from it",
        ),
        sa.Column("docs_uri", sa.Text(), nullable=True, comment="Data Docs of its check"),
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
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_raw_delivery")),
        sa.UniqueConstraint(
            "kind", "sender", "sha256", "generation", name=op.f("uq_raw_delivery_kind_sender_sha256_generation")
        ),
        comment="The ledger: one row a delivery. Its identity is (sender, sha256), never its name",
    )
    with op.batch_alter_table("raw_delivery", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_raw_delivery_kind_sender_received_at"), ["kind", "sender", "received_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_raw_delivery_state"), ["state"], unique=False)


def _create_raw_delivery_name() -> None:
    op.create_table(
        "raw_delivery_name",
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("uri", KEY, nullable=False),
        sa.Column("seen_at", UtcInstant(), nullable=False),
        sa.Column(
            "is_repeat",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Sent again: recognised, no effect",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "name", "uri", name=op.f("pk_raw_delivery_name")),
        comment="Every time a file with this content was seen, under whatever name",
    )
    with op.batch_alter_table("raw_delivery_name", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_raw_delivery_name_is_repeat_seen_at"), ["is_repeat", "seen_at"], unique=False
        )


def _create_raw_member() -> None:
    op.create_table(
        "raw_member",
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("member_no", sa.Integer(), nullable=False, comment="From 0; a plain file is one member"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", KEY, nullable=False, comment="iso2709 or marcxml"),
        sa.Column(
            "pieces",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Pieces between terminators, counted by the reader",
        ),
        sa.Column(
            "embedded_holdings",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Holdings made from embedded 852, counted by the reader",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "member_no", name=op.f("pk_raw_member")),
        comment="The files inside a delivery",
    )


def _create_raw_progress() -> None:
    op.create_table(
        "raw_progress",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("stage", KEY, nullable=False, comment="Name of the stage"),
        sa.Column("reached", sa.BigInteger(), nullable=False, comment="Position up to which the stage is done"),
        sa.Column("done_at", UtcInstant(), nullable=True, comment="Set when the stage is complete"),
        sa.PrimaryKeyConstraint("delivery_id", "stage", name=op.f("pk_raw_progress")),
        comment="A chunk commits its rows together with the position reached, so that a killed stage goes on from there",
    )


def _create_raw_record() -> None:
    op.create_table(
        "raw_record",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="From 1 in the delivery"),
        sa.Column("member_no", sa.SmallInteger(), nullable=False),
        sa.Column("byte_offset", sa.BigInteger(), nullable=False, comment="In the unpacked member"),
        sa.Column("record_type", KEY, nullable=False, comment="bib, holding, unreadable"),
        sa.Column("charset", KEY, nullable=False, comment="Character set the bytes were read as"),
        sa.Column(
            "bib_position",
            sa.Integer(),
            nullable=True,
            comment="The bib a holding belongs to; its own position for a bib",
        ),
        sa.Column("supplier_control_number", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("isbn13", sa.Text(), nullable=True, comment="The first valid one"),
        sa.Column("sigel", sa.Text(), nullable=True, comment="Of a holding record"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it is unreadable"),
        sa.Column("findings", sa.Text(), nullable=True, comment="JSON list of [code, text, field]"),
        sa.Column(
            "normalised", sa.LargeBinary(), nullable=True, comment="The bib as the catalogue takes it; null: as it came"
        ),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="The bytes, as they came"),
        sa.PrimaryKeyConstraint("delivery_id", "position", name=op.f("pk_raw_record")),
        comment="Every piece between two terminators",
    )


def _create_raw_stray() -> None:
    op.create_table(
        "raw_stray",
        sa.Column("path", KEY, nullable=False, comment="Below incoming/, printable"),
        sa.Column(
            "sha256", KEY, nullable=False, comment="Of a file that was taken away; empty for what was left where it is"
        ),
        sa.Column("reason", KEY, nullable=False, comment="Why it can become no delivery, in words"),
        sa.Column("remedy", sa.Text(), nullable=False, comment="What to do, in words"),
        sa.Column("sender", sa.Text(), nullable=False, comment="The folder it lay in; empty outside every folder"),
        sa.Column("uri", sa.Text(), nullable=True, comment="Where it is in quarantine; null: it was left where it is"),
        sa.Column("seen_at", UtcInstant(), nullable=False, comment="When it was seen first, and reported"),
        sa.PrimaryKeyConstraint("path", "sha256", "reason", name=op.f("pk_raw_stray")),
        comment="What lay in incoming/ and can become no delivery: unknown senders, links, unusable names",
    )


def _create_stage_bib() -> None:
    op.create_table(
        "stage_bib",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("control_number", KEY, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("encoding_level", KEY, nullable=False, comment="leader/17; blank is a space"),
        sa.Column("record_type", KEY, nullable=False, comment="leader/06"),
        sa.Column("bib_level", KEY, nullable=False, comment="leader/07"),
        sa.Column("carrier", KEY, nullable=False, comment="print, online, ...; empty where nothing tells"),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column(
            "is_national_bibliography", sa.Boolean(), server_default=sa.false(), nullable=False, comment="042 $9 NB"
        ),
        sa.Column("reject_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "position", name=op.f("pk_stage_bib")),
        comment="A bib of a delivery, after normalisation",
    )


def _create_stage_holding() -> None:
    op.create_table(
        "stage_holding",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bib_position", sa.Integer(), nullable=True, comment="Null where no bib precedes it"),
        sa.Column("sigel", KEY, nullable=False, comment="First 852 $b"),
        sa.Column("is_delete", sa.Boolean(), server_default=sa.false(), nullable=False, comment="leader/05 = d"),
        sa.Column("control_number", KEY, nullable=False),
        sa.Column("reject_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "position", "part", name=op.f("pk_stage_holding")),
        comment="A holding of a delivery: an MFHD record (part 0) or made from an embedded 852 (part 1, 2, ...)",
    )


def _create_stage_holding_line() -> None:
    op.create_table(
        "stage_holding_line",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", KEY, nullable=False, comment="Whose line it is"),
        sa.Column("tag", KEY, nullable=False, comment="024, 852, 856 or another line a library has"),
        sa.Column("shelf_mark", sa.Text(), nullable=False),
        sa.Column("public_note", sa.Text(), nullable=False),
        sa.Column("internal_note", sa.Text(), nullable=False),
        sa.Column("content", KEY, nullable=False, comment="JSON [indicators, [[code, value], ...]]"),
        sa.PrimaryKeyConstraint("delivery_id", "position", "part", "line_no", name=op.f("pk_stage_holding_line")),
        comment="Lines of a staged holding",
        sqlite_with_rowid=False,
    )


def _create_stage_identifier() -> None:
    op.create_table(
        "stage_identifier",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", KEY, nullable=False, comment="issn, 035, control_number, ean"),
        sa.Column("value", KEY, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "position", "seq", name=op.f("pk_stage_identifier")),
        comment="Other numbers of a staged bib",
        sqlite_with_rowid=False,
    )


def _create_stage_isbn() -> None:
    op.create_table(
        "stage_isbn",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("isbn13", KEY, nullable=True, comment="Canonical key; null where the number is invalid"),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("subfield", KEY, nullable=False, comment="a or z"),
        sa.Column("qualifier", sa.Text(), nullable=False),
        sa.Column("status", KEY, nullable=False, comment="valid, invalid, set"),
        sa.PrimaryKeyConstraint("delivery_id", "position", "seq", name=op.f("pk_stage_isbn")),
        comment="020 of a staged bib",
        sqlite_with_rowid=False,
    )


def _create_stage_match() -> None:
    op.create_table(
        "stage_match",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bib_id", ID, autoincrement=False, nullable=False),
        sa.Column("verdict", KEY, nullable=False, comment="match, review, no"),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("evidence", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("delivery_id", "position", "bib_id", name=op.f("pk_stage_match")),
        comment="Each candidate considered; becomes core_match when the bib is loaded",
    )


def _create_stage_preview() -> None:
    op.create_table(
        "stage_preview",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record_type", KEY, nullable=False, comment="bib, holding"),
        sa.Column("outcome", KEY, nullable=False, comment="What would become of it"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sigel", sa.Text(), nullable=True),
        sa.Column("bib_id", ID, nullable=True, comment="Null where the bib would be new"),
        sa.PrimaryKeyConstraint("delivery_id", "position", "part", name=op.f("pk_stage_preview")),
        comment="What a dry run found: the same decisions, nothing settled",
        sqlite_with_rowid=False,
    )


def _create_stage_verdict() -> None:
    op.create_table(
        "stage_verdict",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ending", KEY, nullable=False, comment="match, review, new"),
        sa.Column("bib_id", ID, nullable=True, comment="The match, or null"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id of the rule that decided"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "position", name=op.f("pk_stage_verdict")),
        comment="How matching ended for a bib that had candidates; no row: new",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("stage_verdict")
    op.drop_table("stage_preview")
    op.drop_table("stage_match")
    op.drop_table("stage_isbn")
    op.drop_table("stage_identifier")
    op.drop_table("stage_holding_line")
    op.drop_table("stage_holding")
    op.drop_table("stage_bib")
    op.drop_table("raw_stray")
    op.drop_table("raw_record")
    op.drop_table("raw_progress")
    op.drop_table("raw_member")
    with op.batch_alter_table("raw_delivery_name", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_raw_delivery_name_is_repeat_seen_at"))

    op.drop_table("raw_delivery_name")
    with op.batch_alter_table("raw_delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_raw_delivery_state"))
        batch_op.drop_index(batch_op.f("ix_raw_delivery_kind_sender_received_at"))

    op.drop_table("raw_delivery")
    op.drop_table("raw_check")
    op.drop_table("core_turn")
    with op.batch_alter_table("core_run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_run_started_at"))

    op.drop_table("core_run")
    with op.batch_alter_table("core_review", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_review_state"))

    op.drop_table("core_review")
    with op.batch_alter_table("core_plan", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_plan_state"))

    op.drop_table("core_plan")
    with op.batch_alter_table("core_outcome", schema=None) as batch_op:
        batch_op.drop_index("ix_core_outcome_holding")
        batch_op.drop_index("ix_core_outcome_bib")

    op.drop_table("core_outcome")
    with op.batch_alter_table("core_notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_notice_state"))

    op.drop_table("core_notice")
    op.drop_table("core_match")
    op.drop_table("core_holding_version")
    op.drop_table("core_holding_line")
    with op.batch_alter_table("core_holding", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_core_holding_bib_sigel",
            sqlite_where=sa.text("is_deleted = 0"),
            postgresql_where=sa.text("NOT is_deleted"),
        )

    op.drop_table("core_holding")
    op.drop_table("core_feed_check")
    op.drop_table("core_counter")
    op.drop_table("core_bib_version")
    with op.batch_alter_table("core_bib_isbn", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_bib_isbn_isbn13"))
        batch_op.drop_index(
            "ix_core_bib_isbn_invalid",
            sqlite_where=sa.text("status = 'invalid'"),
            postgresql_where=sa.text("status = 'invalid'"),
        )

    op.drop_table("core_bib_isbn")
    with op.batch_alter_table("core_bib_identifier", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_bib_identifier_value_scheme"))

    op.drop_table("core_bib_identifier")
    with op.batch_alter_table("core_bib", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_bib_change_no"))

    op.drop_table("core_bib")
