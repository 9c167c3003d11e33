"""Layer `core_`: the truth now, and its history."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, change_no, code_column, flag, key_text, metadata
from schemas.warehouse.stage import bib_facts_columns, isbn_columns, line_columns


def _bib_state() -> list[sa.Column[Any]]:
    """What a version of a bib is, beside its facts: alike in core_bib and its history."""
    return [
        *bib_facts_columns(),
        code_column("source", "Supplier code, or catalogue"),
        code_column("last_editor", "supplier, human, system"),
        sa.Column("sent_at_name", key_text(), comment="Time stamp of the delivery it came from"),
        flag("is_provisional", "Loaded after the review deadline, to be merged when decided"),
        sa.Column("origin_delivery_id", big_id(), comment="Delivery whose record this version is"),
        sa.Column("origin_position", sa.Integer),
        sa.Column(
            "content",
            sa.LargeBinary,
            comment="The record; null: as raw_record has it at the origin",
        ),
        flag("is_deleted", "Deleted in the catalogue"),
        sa.Column("merged_into", big_id(), comment="The bib that took its place"),
    ]


core_bib = sa.Table(
    "core_bib",
    metadata,
    sa.Column("bib_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("control_number", key_text(), nullable=False, unique=True),
    *_bib_state(),
    sa.Column("version", sa.Integer, nullable=False, comment="Rises with each change"),
    sa.Column("change_no", sa.BigInteger, nullable=False, comment="Catalogue-wide number of its last change"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("updated_at", UtcInstant, nullable=False),
    sa.Index(None, "change_no"),
    sa.Index(
        "ix_core_bib_merged_into",
        "merged_into",
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    ),
    comment="A bib of the union catalogue, as it is now",
)

core_bib_version = sa.Table(
    "core_bib_version",
    metadata,
    sa.Column("bib_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    *_bib_state(),
    change_no("Catalogue-wide number of the change that made that version"),
    sa.Column("isbns", sa.Text, nullable=False, comment="JSON rows of core_bib_isbn at that version"),
    sa.Column("identifiers", sa.Text, nullable=False, comment="JSON rows of core_bib_identifier at that version"),
    sa.Column("updated_at", UtcInstant, nullable=False, comment="When that version was made"),
    sa.Column("ended_at", UtcInstant, nullable=False, comment="When the next one took its place"),
    comment="Before-images: what a bib was before each change",
)

core_bib_isbn = sa.Table(
    "core_bib_isbn",
    metadata,
    sa.Column("bib_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    *isbn_columns(),
    sa.Index(None, "isbn13"),
    sa.Index(
        "ix_core_bib_isbn_invalid",
        "raw",
        sqlite_where=sa.text("status = 'invalid'"),
        postgresql_where=sa.text("status = 'invalid'"),
    ),
    sqlite_with_rowid=False,
    comment="020 $a and $z of a bib",
)

core_bib_identifier = sa.Table(
    "core_bib_identifier",
    metadata,
    sa.Column("bib_id", big_id(), primary_key=True, autoincrement=False),
    code_column("scheme", "issn, 035, control_number, ean", primary_key=True),
    sa.Column("value", key_text(), primary_key=True),
    code_column("source", "Who gave it: supplier code, or catalogue"),
    sa.Column("delivery_id", big_id(), comment="The delivery that brought it"),
    sa.Index(None, "value", "scheme"),
    sqlite_with_rowid=False,
    comment="Other numbers that lead to a bib; kept through every replacement",
)

core_holding = sa.Table(
    "core_holding",
    metadata,
    sa.Column("holding_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("bib_id", big_id(), nullable=False),
    code_column("sigel", "The library"),
    sa.Column("control_number", key_text(), nullable=False, comment="001 of an MFHD of the catalogue, or empty"),
    flag("is_visible", "False for limited participation", default=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("delivery_id", big_id(), comment="The delivery that changed it last"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("updated_at", UtcInstant, nullable=False),
    flag("is_deleted", "No line is left"),
    change_no("Catalogue-wide number of its last change"),
    sa.Index(None, "change_no"),
    sa.Index(
        "uq_core_holding_bib_sigel",
        "bib_id",
        "sigel",
        unique=True,
        # As SQLAlchemy writes it for each engine: SQLite uses a partial index only where the words are the same.
        sqlite_where=sa.text("is_deleted = 0"),
        postgresql_where=sa.text("NOT is_deleted"),
    ),
    sa.Index(
        "ix_core_holding_gone",
        "bib_id",
        sqlite_where=sa.text("is_deleted = 1"),
        postgresql_where=sa.text("is_deleted"),
    ),
    comment="What a library holds of a bib; at most one that is not deleted for each (bib, sigel)",
)

core_holding_line = sa.Table(
    "core_holding_line",
    metadata,
    sa.Column("holding_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("line_no", sa.Integer, primary_key=True, autoincrement=False),
    code_column("owner", "Supplier code, or library"),
    *line_columns(),
    sqlite_with_rowid=False,
    comment="Lines of a holding; each supplier owns and replaces only its own",
)

core_holding_version = sa.Table(
    "core_holding_version",
    metadata,
    sa.Column("holding_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bib_id", big_id(), nullable=False),
    flag("is_visible", "As then"),
    flag("is_deleted", "As then"),
    sa.Column("delivery_id", big_id()),
    sa.Column("lines", sa.Text, nullable=False, comment="JSON rows of core_holding_line at that version"),
    sa.Column("updated_at", UtcInstant, nullable=False),
    sa.Column("ended_at", UtcInstant, nullable=False),
    change_no("Catalogue-wide number of the change that made that version"),
    sa.Index(None, "bib_id"),
    comment="Before-images: what a holding was before each change",
)

core_outcome = sa.Table(
    "core_outcome",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False, comment="0; 1.. for an embedded 852"),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False, comment="Rises when succeeded by a new one"),
    flag("is_latest", "Counts are of the latest", default=True),
    code_column("record_type", "bib, holding, unreadable"),
    code_column("outcome", "See the vocabulary"),
    code_column("rule", "Stable id of the rule that decided"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words, English; e-mails translate by rule"),
    sa.Column("sigel", sa.Text),
    sa.Column("bib_id", big_id()),
    sa.Column("holding_id", big_id()),
    sa.Column("version", sa.Integer, comment="Version of the bib or holding that this outcome made; null: no change"),
    sa.Column("decided_at", UtcInstant, nullable=False),
    sa.Index("ix_core_outcome_bib", "bib_id"),
    sa.Index("ix_core_outcome_holding", "holding_id"),
    sqlite_with_rowid=False,
    comment="What became of each record of a delivery, and why",
)

core_match = sa.Table(
    "core_match",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bib_id", big_id(), primary_key=True, autoincrement=False),
    code_column("verdict", "match, review, no"),
    sa.Column("score", sa.Float, nullable=False),
    code_column("rule", "Stable id"),
    sa.Column("evidence", sa.Text, nullable=False, comment="JSON: feature, points, both values, text"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("decided_by", sa.Text, comment="The person who overruled or confirmed it"),
    sa.Column("decided_at", UtcInstant),
    # With a rowid: rows as long as these would take an overflow page each in SQLite's index.
    comment="Every candidate that was considered for a bib of a delivery",
)

core_review = sa.Table(
    "core_review",
    metadata,
    sa.Column("review_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("delivery_id", big_id(), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    code_column("state", "open, decided, withdrawn"),
    code_column("rule", "Why a person has to look"),
    sa.Column("reason", sa.Text, nullable=False),
    code_column("owner", "Who has it: e-mail or name"),
    sa.Column("opened_at", UtcInstant, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False, comment="After this day the bib is loaded as provisional"),
    sa.Column("provisional_bib_id", big_id()),
    sa.Column("decision", sa.Text, comment="match:<bib_id>, new, reject"),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", UtcInstant),
    sa.UniqueConstraint("delivery_id", "position"),
    sa.Index(None, "state"),
    comment="Bibs that wait for a cataloguer",
)

core_plan = sa.Table(
    "core_plan",
    metadata,
    sa.Column("plan_id", big_id(), primary_key=True, autoincrement=False),
    code_column("plan_hash", "Of everything planned; a changed plan has another hash"),
    code_column("flow", "Flow that planned it"),
    code_column("scope", "What it is about: delivery:7, source:UIN"),
    code_column("class", "Class of change, or quality:<expectation>"),
    sa.Column("planned", sa.BigInteger, nullable=False, comment="How many changes of this class"),
    sa.Column("population", sa.BigInteger, nullable=False, comment="Out of how many"),
    sa.Column("limit", sa.Float, nullable=False),
    code_column("state", "held, approved, rejected, applied"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words"),
    sa.Column("delivery_id", big_id()),
    sa.Column("run_id", sa.Text),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", UtcInstant),
    sa.UniqueConstraint("plan_hash", "class"),
    sa.Index(None, "state"),
    comment="Classes of change that went over a limit, and what was decided",
)

core_notice = sa.Table(
    "core_notice",
    metadata,
    sa.Column("notice_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("dedup_key", key_text(), nullable=False, unique=True, comment="The same message is queued once"),
    code_column("kind", "digest, rejects, worklist, held, correction, feeds"),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    code_column("language", "sv, nb, da, en"),
    sa.Column("body_text", sa.Text, nullable=False),
    sa.Column("body_html", sa.Text, nullable=False),
    sa.Column("attachments", sa.Text, nullable=False, comment="JSON list of {name, media_type, base64}"),
    sa.Column("message_id", sa.Text, nullable=False),
    code_column("state", "queued, sending, sent, failed"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("claimed_at", UtcInstant),
    sa.Column("sent_at", UtcInstant),
    sa.Column("delivery_id", big_id(), comment="The delivery, where it is about one"),
    sa.Column("run_id", sa.Text),
    sa.Index(None, "state"),
    comment="The outbox",
)

core_run = sa.Table(
    "core_run",
    metadata,
    sa.Column("run_id", key_text(), primary_key=True, comment="Prefect's flow-run id, or one of our own"),
    code_column("flow", "Name of the flow"),
    code_column("subject", "Supplier, file or scope"),
    code_column("state", "running, done, held, failed"),
    sa.Column("summary", sa.Text, nullable=False, comment="JSON totals"),
    sa.Column("started_at", UtcInstant, nullable=False),
    sa.Column("finished_at", UtcInstant),
    sa.Index(None, "started_at"),
    comment="What ran, so that `samkat status` needs no Prefect server",
)

core_turn = sa.Table(
    "core_turn",
    metadata,
    code_column("subject", "What one run at a time works on: supplier:NORDBOK", primary_key=True),
    sa.Column("holder", key_text(), nullable=False, comment="The run whose turn it is: a run_id"),
    sa.Column("process", sa.Text, nullable=False, comment="Its process, so that this machine sees when it is dead"),
    sa.Column("taken_at", UtcInstant, nullable=False, comment="When it was taken"),
    sa.Column("until", UtcInstant, nullable=False, comment="Renewed while the run lives; then anyone may take it"),
    comment="Whose turn it is: one run a sender at a time",
)

core_feed_check = sa.Table(
    "core_feed_check",
    metadata,
    sa.Column("checked_on", sa.Date, primary_key=True, comment="Business date of the check"),
    code_column("kind", "supplier, patron", primary_key=True),
    code_column("sender", "Supplier code", primary_key=True),
    code_column("rule", "feed_as_expected, feed_missing, feed_stale, feed_shrunken"),
    sa.Column("expected_by", UtcInstant, nullable=False, comment="The last moment by which it was due"),
    sa.Column("last_seen_at", UtcInstant, comment="When something of it came last; null: never"),
    sa.Column("missed", sa.Integer, nullable=False, comment="How many times in a row nothing came when it was due"),
    sa.Column("records", sa.Integer, nullable=False, comment="Records that came for this time"),
    sa.Column("usual_records", sa.Float, comment="Median of earlier times; null: too few to say"),
    sa.Column("about_on", sa.Date, comment="The latest of the days that what came is about; null: nothing new came"),
    sa.Column("about_from_on", sa.Date, nullable=False, comment="What comes is to be about this day or a later one"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words, English; e-mails translate by rule"),
    sa.Column("checked_at", UtcInstant, nullable=False, comment="When it was checked"),
    comment="Whether each feed came in its rhythm: a row a feed and day",
)

core_counter = sa.Table(
    "core_counter",
    metadata,
    code_column("name", "bib, holding, change, ...", primary_key=True),
    sa.Column("next_value", sa.BigInteger, nullable=False),
    comment="Where ids come from: a block at a time, inside the transaction that uses them",
)
