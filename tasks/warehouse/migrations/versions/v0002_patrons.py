"""Patrons: persons, sources, locks, changes, read-backs, receipts

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_core_intake_token()
    _create_core_patron()
    _create_core_patron_change()
    _create_core_patron_history()
    _create_core_patron_identifier()
    _create_core_patron_lock()
    _create_core_patron_merge()
    _create_core_patron_obligation()
    _create_core_patron_out()
    _create_core_patron_read_back()
    _create_core_patron_source()
    _create_core_patron_tombstone()
    _create_core_patron_version()
    _create_raw_patron_file()
    _create_raw_patron_receipt()
    _create_raw_patron_reject()
    _create_stage_patron()
    _create_stage_patron_due()
    _tell_of_new_kinds()


def _tell_of_new_kinds() -> None:
    """Files of persons are deliveries, and feeds, too; SQLite keeps no comments."""
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("raw_delivery", "kind", comment="supplier, catalogue, patron, read_back")
        op.alter_column("core_feed_check", "kind", comment="supplier, patron")


def _create_core_intake_token() -> None:
    op.create_table(
        "core_intake_token",
        sa.Column("token_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("institution", KEY, nullable=False, comment="Whose persons it may change"),
        sa.Column("source", KEY, nullable=False, comment="Source as which it speaks"),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call it"),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="32 bytes; the token is kept nowhere"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column(
            "expires_on", sa.Date(), nullable=True, comment="Last day on which it is taken; null: until it is revoked"
        ),
        sa.Column("revoked_at", UtcInstant(), nullable=True, comment="When it was revoked"),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_core_intake_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_core_intake_token_token_hash")),
        comment="Tokens of the intake service",
    )


def _create_core_patron() -> None:
    op.create_table(
        "core_patron",
        sa.Column("person_id", ID, autoincrement=False, nullable=False, comment="Surrogate id of the person"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("primary_id", sa.Text(), nullable=False, comment="As it came"),
        sa.Column("primary_key", KEY, nullable=False, comment="To compare with: NFC, casefolded, trimmed"),
        sa.Column("account_type", KEY, nullable=False, comment="EXTERNAL, INTERNAL, INTEXTAUTH"),
        sa.Column("user_group", KEY, nullable=True, comment="After the source's mapping"),
        sa.Column("family_name", sa.Text(), nullable=True, comment="Legal"),
        sa.Column("given_name", sa.Text(), nullable=True, comment="Legal"),
        sa.Column("email", sa.Text(), nullable=True, comment="The preferred one"),
        sa.Column(
            "state",
            KEY,
            nullable=False,
            comment="Of the lifecycle: staged, active, missing, grace, expired, inactive, erasable, erased",
        ),
        sa.Column("state_since", sa.Date(), nullable=False, comment="Day on which it came there"),
        sa.Column("not_before", sa.Date(), nullable=True, comment="First valid day"),
        sa.Column("expires_on", sa.Date(), nullable=True, comment="Last valid day, in the institution's zone"),
        sa.Column("expiry_rule", sa.Text(), nullable=True, comment="Rule that gave the last valid day"),
        sa.Column("purge_on", sa.Date(), nullable=True, comment="Day from which the person may be erased"),
        sa.Column("grace_until", sa.Date(), nullable=True, comment="Last day of the grace"),
        sa.Column(
            "look_on",
            sa.Date(),
            nullable=True,
            comment="Next day on which time alone may change something; null: never",
        ),
        sa.Column(
            "is_confidential", sa.Boolean(), server_default=sa.false(), nullable=False, comment="Protected identity"
        ),
        sa.Column(
            "is_desk_stub",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Made at the desk, waits for its first feed",
        ),
        sa.Column("affiliations", sa.Text(), nullable=False, comment="JSON list, for out_patron"),
        sa.Column(
            "protected", sa.Text(), nullable=False, comment="JSON list of paths with a lock in force, for out_patron"
        ),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON: what Samkat wrote, and what is there"),
        sa.Column("version", sa.Integer(), nullable=False, comment="Rises with each change"),
        sa.Column(
            "delivery_id",
            ID,
            nullable=True,
            comment="The delivery that changed it last; null: an edit, a lock, an update",
        ),
        sa.Column(
            "read_back_hash", sa.LargeBinary(), nullable=True, comment="16 bytes: of its record in the last read-back"
        ),
        sa.Column("sent_hash", sa.LargeBinary(), nullable=True, comment="16 bytes: of the document that was sent last"),
        sa.Column("sent_version", sa.Integer(), server_default="0", nullable=False, comment="Version last composed"),
        sa.Column(
            "acknowledged_version", sa.Integer(), server_default="0", nullable=False, comment="Version seen there"
        ),
        sa.Column("merged_into", ID, nullable=True, comment="The person that took its place"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_core_patron")),
        comment="A person at one institution, as it is now",
    )
    with op.batch_alter_table("core_patron", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_patron_institution_look_on"), ["institution", "look_on"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_core_patron_institution_primary_key"), ["institution", "primary_key"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_core_patron_read_back_hash"), ["read_back_hash"], unique=False)


def _create_core_patron_change() -> None:
    op.create_table(
        "core_patron_change",
        sa.Column("change_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("run_id", KEY, nullable=False, comment="Run, receipt or edit that made it"),
        sa.Column("delivery_id", ID, nullable=True, comment="The file, where it came from one"),
        sa.Column("person_id", ID, nullable=True, comment="Null: a person that was not made, since its class is held"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("primary_id", sa.Text(), nullable=False, comment="As it was then; erasing clears it"),
        sa.Column(
            "path",
            KEY,
            nullable=False,
            comment="Path; `person` for a person as a whole, `state` for a step of the lifecycle",
        ),
        sa.Column("item_type", KEY, server_default="", nullable=False, comment="Of a list"),
        sa.Column("old", sa.Text(), nullable=True, comment="JSON; null: not there"),
        sa.Column("new", sa.Text(), nullable=True, comment="JSON; null: not there"),
        sa.Column("source", KEY, nullable=False, comment="Source that spoke; empty: staff, time or policy"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id of the rule that decided"),
        sa.Column(
            "class",
            KEY,
            server_default="",
            nullable=False,
            comment="Class of change that the guards count; empty: free",
        ),
        sa.Column("decision", KEY, nullable=False, comment="applied, suppressed, review, held"),
        sa.Column("plan_hash", KEY, nullable=True, comment="Approval under which it was carried out; null: unasked"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words; says nothing about the person"),
        sa.Column(
            "version", sa.Integer(), nullable=True, comment="Version of the person that it made; null: no change"
        ),
        sa.Column("changed_at", UtcInstant(), nullable=False, comment="When"),
        sa.Column("reverted_at", UtcInstant(), nullable=True),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_core_patron_change")),
        comment="Every decision that did something, asked something or kept something from being done",
    )
    with op.batch_alter_table("core_patron_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_patron_change_delivery_id"), ["delivery_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_core_patron_change_institution_class_changed_at"),
            ["institution", "class", "changed_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_core_patron_change_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_core_patron_change_run_id"), ["run_id"], unique=False)


def _create_core_patron_history() -> None:
    op.create_table(
        "core_patron_history",
        sa.Column("history_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("person_id", ID, nullable=False, comment="The person"),
        sa.Column("source", KEY, nullable=False, comment="Who said it; empty: staff"),
        sa.Column("path", KEY, nullable=False, comment="Path"),
        sa.Column("item_type", KEY, server_default="", nullable=False, comment="Of a list"),
        sa.Column("item_key", KEY, server_default="", nullable=False, comment="Of a list"),
        sa.Column("value", sa.Text(), nullable=True, comment="JSON; null is a value as any other"),
        sa.Column("said_from", sa.Date(), nullable=False, comment="Day on which it was said first"),
        sa.Column("said_until", sa.Date(), nullable=False, comment="Day on which something else was said"),
        sa.PrimaryKeyConstraint("history_id", name=op.f("pk_core_patron_history")),
        comment="Values that a source, or staff, said once and say no more, per (person, source, path, item)",
    )
    with op.batch_alter_table("core_patron_history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_patron_history_person_id"), ["person_id"], unique=False)


def _create_core_patron_identifier() -> None:
    op.create_table(
        "core_patron_identifier",
        sa.Column("person_id", ID, autoincrement=False, nullable=False, comment="Surrogate id of the person"),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("type", KEY, nullable=False, comment="primary_id, barcode, feide, ..."),
        sa.Column("key", KEY, nullable=False, comment="To compare with"),
        sa.Column("value", sa.Text(), nullable=False, comment="As it came"),
        sa.Column(
            "source",
            KEY,
            server_default="",
            nullable=False,
            comment="Source in which it is a stable id; empty: it only searches",
        ),
        sa.Column("valid_from", sa.Date(), nullable=True, comment="First valid day"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="Last valid day; null: still theirs"),
        sa.PrimaryKeyConstraint("person_id", "seq", name=op.f("pk_core_patron_identifier")),
        comment="Ids of persons, with the days on which they were theirs",
    )
    with op.batch_alter_table("core_patron_identifier", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_patron_identifier_institution_type_key"), ["institution", "type", "key"], unique=False
        )


def _create_core_patron_lock() -> None:
    op.create_table(
        "core_patron_lock",
        sa.Column("lock_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("person_id", ID, nullable=False, comment="The person"),
        sa.Column("path", KEY, nullable=False, comment="docs/patron-formats.md lists them"),
        sa.Column(
            "item_type",
            KEY,
            server_default="",
            nullable=False,
            comment="Of a list: the item's type; empty: a scalar, or the whole list",
        ),
        sa.Column("item_key", KEY, server_default="", nullable=False, comment="Of a list: the item's key"),
        sa.Column("kind", KEY, nullable=False, comment="pin, automatic, exempt"),
        sa.Column("held_value", sa.Text(), nullable=True, comment="JSON; null is a value as any other"),
        sa.Column(
            "baseline",
            sa.Text(),
            nullable=True,
            comment="JSON of what the source said when it was set; null: not carried",
        ),
        sa.Column("by", sa.Text(), nullable=False, comment="Who set it"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words"),
        sa.Column("until", sa.Date(), nullable=True, comment="Last day, inclusive"),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("released_at", UtcInstant(), nullable=True, comment="When it ended before its time"),
        sa.Column("released_by", sa.Text(), nullable=True, comment="Who ended it"),
        sa.PrimaryKeyConstraint("lock_id", name=op.f("pk_core_patron_lock")),
        comment="What protects a path of a person; released ones stay as history",
    )
    with op.batch_alter_table("core_patron_lock", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_patron_lock_person_id"), ["person_id"], unique=False)


def _create_core_patron_merge() -> None:
    op.create_table(
        "core_patron_merge",
        sa.Column("merge_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("survivor_id", ID, nullable=False, comment="The person that stays"),
        sa.Column("merged_id", ID, nullable=False, comment="The person that became a pointer to it"),
        sa.Column("images", sa.Text(), nullable=False, comment="JSON: both persons before, and what moved"),
        sa.Column("by", sa.Text(), nullable=False, comment="Who merged them"),
        sa.Column("merged_at", UtcInstant(), nullable=False, comment="When"),
        sa.Column("split_at", UtcInstant(), nullable=True, comment="When they were parted again"),
        sa.Column("split_by", sa.Text(), nullable=True, comment="Who parted them"),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("pk_core_patron_merge")),
        comment="Two persons that turned out to be one, and how to part them again",
    )
    with op.batch_alter_table("core_patron_merge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_patron_merge_merged_id"), ["merged_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_core_patron_merge_survivor_id"), ["survivor_id"], unique=False)


def _create_core_patron_obligation() -> None:
    op.create_table(
        "core_patron_obligation",
        sa.Column("person_id", ID, autoincrement=False, nullable=False, comment="Surrogate id of the person"),
        sa.Column("as_of", UtcInstant(), nullable=False, comment="When the library system said so"),
        sa.Column("loans", sa.Integer(), server_default="0", nullable=False, comment="Loans"),
        sa.Column("balance", sa.Text(), nullable=False, comment="Decimal, of either sign"),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False, comment="Requests"),
        sa.Column("on_hold_shelf", sa.Integer(), server_default="0", nullable=False, comment="Items on the hold shelf"),
        sa.Column("staff_roles", sa.Integer(), server_default="0", nullable=False, comment="Staff roles"),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_core_patron_obligation")),
        comment="What a person and the library still owe each other; without it nobody is erased",
    )


def _create_core_patron_out() -> None:
    op.create_table(
        "core_patron_out",
        sa.Column("out_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("run_id", KEY, nullable=False, comment="Run that made it"),
        sa.Column("uri", sa.Text(), nullable=False, comment="Where the file is"),
        sa.Column("sha256", KEY, nullable=False, comment="Of the file"),
        sa.Column("persons", sa.Integer(), server_default="0", nullable=False, comment="Users in it"),
        sa.Column(
            "renewed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Of these, those whose document is another one than was sent before",
        ),
        sa.Column("state", KEY, nullable=False, comment="made, acknowledged"),
        sa.Column("made_at", UtcInstant(), nullable=False, comment="When it was made"),
        sa.Column(
            "acknowledged_at",
            UtcInstant(),
            nullable=True,
            comment="A read-back that is newer shows its users as they were sent",
        ),
        sa.PrimaryKeyConstraint("out_id", name=op.f("pk_core_patron_out")),
        comment="Synchronise files made for a library system",
    )
    with op.batch_alter_table("core_patron_out", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_patron_out_institution_made_at"), ["institution", "made_at"], unique=False
        )


def _create_core_patron_read_back() -> None:
    op.create_table(
        "core_patron_read_back",
        sa.Column("read_back_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("delivery_id", ID, nullable=True, comment="The export file; null: the library system's API"),
        sa.Column("as_of", UtcInstant(), nullable=False, comment="When the library system was so"),
        sa.Column("taken_at", UtcInstant(), nullable=False, comment="When Samkat read it"),
        sa.Column("persons", sa.Integer(), server_default="0", nullable=False, comment="Users in it"),
        sa.Column(
            "edited",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Users that differ from what Samkat knew",
        ),
        sa.Column("state", KEY, nullable=False, comment="used, held"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was not used, in words"),
        sa.PrimaryKeyConstraint("read_back_id", name=op.f("pk_core_patron_read_back")),
        comment="What the library system held, and when: the C of the merge",
    )
    with op.batch_alter_table("core_patron_read_back", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_patron_read_back_institution_as_of"), ["institution", "as_of"], unique=False
        )


def _create_core_patron_source() -> None:
    op.create_table(
        "core_patron_source",
        sa.Column("person_id", ID, autoincrement=False, nullable=False, comment="Surrogate id of the person"),
        sa.Column("source", KEY, nullable=False, comment="Code of the patron source"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column(
            "content_hash", sa.LargeBinary(), nullable=False, comment="16 bytes: of the record that was merged last"
        ),
        sa.Column("policy_version", KEY, nullable=False, comment="Policy under which it was merged"),
        sa.Column(
            "needs_merge",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Touched since, or not carried out whole: the same hash must not pass it by",
        ),
        sa.Column(
            "filled", sa.BigInteger(), server_default="0", nullable=False, comment="A bit a path that has a value"
        ),
        sa.Column(
            "said", sa.Text(), nullable=False, comment="JSON: values, items and affiliation, with the day of each"
        ),
        sa.Column(
            "seen_on",
            sa.Date(),
            nullable=True,
            comment="Last day in a file before it went missing; null: in the latest",
        ),
        sa.Column(
            "missing_runs",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Complete files in a row without the person",
        ),
        sa.Column("missing_since", sa.Date(), nullable=True, comment="Day of the first of them"),
        sa.Column(
            "counted_on",
            sa.Date(),
            nullable=True,
            comment="Business date of the last file in which absence was counted",
        ),
        sa.Column("left_on", sa.Date(), nullable=True, comment="The source said that the person has left"),
        sa.PrimaryKeyConstraint("person_id", "source", name=op.f("pk_core_patron_source")),
        comment="What one source says of a person; never what the others or staff say",
    )
    with op.batch_alter_table("core_patron_source", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_patron_source_source_content_hash"), ["source", "content_hash"], unique=False
        )


def _create_core_patron_tombstone() -> None:
    op.create_table(
        "core_patron_tombstone",
        sa.Column("tombstone_key", sa.LargeBinary(), nullable=False, comment="32 bytes: keyed hash of a stable id"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("source", KEY, nullable=False, comment="Code of the patron source"),
        sa.Column("erased_on", sa.Date(), nullable=False, comment="Day on which the person was erased"),
        sa.Column("seen_on", sa.Date(), nullable=True, comment="Last day on which the row came all the same"),
        sa.PrimaryKeyConstraint("tombstone_key", name=op.f("pk_core_patron_tombstone")),
        comment="Stands for an erased person's row of one source; holds no value of the person",
    )


def _create_core_patron_version() -> None:
    op.create_table(
        "core_patron_version",
        sa.Column("person_id", ID, autoincrement=False, nullable=False, comment="Surrogate id of the person"),
        sa.Column(
            "version", sa.Integer(), autoincrement=False, nullable=False, comment="The version that was replaced"
        ),
        sa.Column(
            "image", sa.Text(), nullable=False, comment="JSON: the person, its sources, ids and locks at that version"
        ),
        sa.Column("delivery_id", ID, nullable=True, comment="The delivery that replaced it"),
        sa.Column("run_id", KEY, nullable=False, comment="The run that replaced it"),
        sa.Column("ended_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "version", name=op.f("pk_core_patron_version")),
        comment="Before-images: what a person was before each change, so that a run can be undone",
    )
    with op.batch_alter_table("core_patron_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_patron_version_delivery_id"), ["delivery_id"], unique=False)


def _create_raw_patron_file() -> None:
    op.create_table(
        "raw_patron_file",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("source", KEY, nullable=False, comment="Code of the patron source"),
        sa.Column("business_date", sa.Date(), nullable=False, comment="The day it is about"),
        sa.Column(
            "is_complete",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="A whole snapshot that passed its checks: absence counts",
        ),
        sa.Column(
            "is_used",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Planned from: the next file is judged by it",
        ),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes, after national ids were cut out"),
        sa.Column("sha256", KEY, nullable=False, comment="As it is judged: after national ids were cut out"),
        sa.Column("filled", sa.Text(), nullable=False, comment="JSON: path, persons that have a value in it"),
        sa.Column("findings", sa.Text(), nullable=False, comment="JSON list of [rule, text, field]"),
        sa.Column("manifest", sa.Text(), nullable=True, comment="JSON of {persons, sha256}, where one came with it"),
        sa.Column(
            "national_ids_cut",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Lines that were cut out on receipt",
        ),
        sa.Column(
            "rows_read",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Rows of persons, unreadable ones included",
        ),
        sa.Column(
            "rows_unchanged",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Persons as they were: passed by",
        ),
        sa.Column("rows_created", sa.Integer(), server_default="0", nullable=False, comment="New persons"),
        sa.Column(
            "rows_changed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Persons of whom something changed",
        ),
        sa.Column(
            "rows_kept",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Persons whose row was new, and of whom nothing changed",
        ),
        sa.Column(
            "rows_held",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Persons of whom a change waits for approval, and nothing else changed",
        ),
        sa.Column(
            "rows_quarantined",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Rows that cannot be placed: a person has to look",
        ),
        sa.Column(
            "rows_rejected", sa.Integer(), server_default="0", nullable=False, comment="Rows that cannot be read"
        ),
        sa.Column(
            "persons_missing",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Persons of the source that the file lacks",
        ),
        sa.Column(
            "persons_moved",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Persons that only time or absence moved",
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_raw_patron_file")),
        comment="A file of persons: what it held, and what became of its rows",
    )
    with op.batch_alter_table("raw_patron_file", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_raw_patron_file_source_business_date"), ["source", "business_date"], unique=False
        )


def _create_raw_patron_receipt() -> None:
    op.create_table(
        "raw_patron_receipt",
        sa.Column("receipt_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("token_id", ID, nullable=False, comment="Token that was shown"),
        sa.Column("institution", KEY, nullable=False, comment="Code in the register"),
        sa.Column("source", KEY, nullable=False, comment="Source as which it spoke"),
        sa.Column("idempotency_key", KEY, nullable=False, comment="The sender's own; the same again changes nothing"),
        sa.Column("method", KEY, nullable=False, comment="PUT, PATCH, DELETE"),
        sa.Column(
            "request_hash", sa.LargeBinary(), nullable=False, comment="32 bytes: another request under the same key"
        ),
        sa.Column("content", sa.Text(), nullable=True, comment="JSON, while it is not carried out; then null"),
        sa.Column("state", KEY, nullable=False, comment="waiting, done, held, refused"),
        sa.Column("rule", KEY, nullable=True, comment="Stable id of the rule that decided"),
        sa.Column("reason", sa.Text(), nullable=True, comment="In words; says nothing about the person"),
        sa.Column("person_id", ID, nullable=True, comment="The person"),
        sa.Column(
            "version", sa.Integer(), nullable=True, comment="Version of the person that it made; null: no change"
        ),
        sa.Column("plan_hash", KEY, nullable=True, comment="Plan under which it waits, or waited, for approval"),
        sa.Column("run_id", KEY, nullable=True, comment="The run of patron-update that reported it"),
        sa.Column("received_at", UtcInstant(), nullable=False, comment="When it came"),
        sa.Column("committed_at", UtcInstant(), nullable=True, comment="When it was carried out"),
        sa.PrimaryKeyConstraint("receipt_id", name=op.f("pk_raw_patron_receipt")),
        sa.UniqueConstraint(
            "institution", "idempotency_key", name=op.f("uq_raw_patron_receipt_institution_idempotency_key")
        ),
        comment="Instant updates: what was asked, and what became of it",
    )
    with op.batch_alter_table("raw_patron_receipt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_raw_patron_receipt_plan_hash"), ["plan_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_raw_patron_receipt_received_at"), ["received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_raw_patron_receipt_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_raw_patron_receipt_state"), ["state"], unique=False)


def _create_raw_patron_reject() -> None:
    op.create_table(
        "raw_patron_reject",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("record_no", sa.Integer(), autoincrement=False, nullable=False, comment="From 1, over all members"),
        sa.Column("member", sa.Text(), nullable=False, comment="Inside a zip; empty otherwise"),
        sa.Column("line", sa.Integer(), nullable=True, comment="From 1, in its member"),
        sa.Column("byte_offset", sa.BigInteger(), nullable=True, comment="In its member, where lines say nothing"),
        sa.Column("kind", KEY, nullable=False, comment="rejected, quarantined"),
        sa.Column("rule", KEY, nullable=False, comment="Stable id"),
        sa.Column("cause", sa.Text(), nullable=False, comment="In words; says nothing about the person"),
        sa.Column("field", sa.Text(), nullable=True, comment="As the sender calls it"),
        sa.Column("remedy", sa.Text(), nullable=True, comment="What to do, in words"),
        sa.PrimaryKeyConstraint("delivery_id", "record_no", name=op.f("pk_raw_patron_reject")),
        comment="Rows of a file that were not taken, and why",
    )


def _create_stage_patron() -> None:
    op.create_table(
        "stage_patron",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("record_no", sa.Integer(), autoincrement=False, nullable=False, comment="From 1, over all members"),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False, comment="16 bytes: of the record"),
        sa.Column("person_id", ID, nullable=True, comment="The person it is about; null: not placed yet, or new"),
        sa.Column("stable_key", KEY, nullable=True, comment="Its first stable id; null: as it was merged last"),
        sa.Column("incoming", sa.Text(), nullable=True, comment="JSON of the person; null: as it was merged last"),
        sa.Column(
            "outcome",
            KEY,
            nullable=False,
            comment="unchanged, created, changed, kept, held, quarantined, rejected; empty: not planned",
        ),
        sa.Column("classes", KEY, server_default="", nullable=False, comment="Guarded classes of change, with commas"),
        sa.Column("plan", sa.Text(), nullable=True, comment="JSON of what is to be written; null: nothing"),
        sa.PrimaryKeyConstraint("delivery_id", "record_no", name=op.f("pk_stage_patron")),
        comment="Rows of a file of persons until it is settled",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("stage_patron", schema=None) as batch_op:
        batch_op.create_index("ix_stage_patron_person", ["delivery_id", "person_id"], unique=False)


def _create_stage_patron_due() -> None:
    op.create_table(
        "stage_patron_due",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("person_id", ID, autoincrement=False, nullable=False, comment="Surrogate id of the person"),
        sa.Column("why", KEY, nullable=False, comment="absent, due, touched"),
        sa.Column("outcome", KEY, nullable=False, comment="unchanged, moved, held; empty: not planned"),
        sa.Column("classes", KEY, server_default="", nullable=False, comment="Guarded classes of change, with commas"),
        sa.Column("plan", sa.Text(), nullable=True, comment="JSON of what is to be written; null: nothing"),
        sa.PrimaryKeyConstraint("delivery_id", "person_id", name=op.f("pk_stage_patron_due")),
        comment="Persons that are not in the file, and that absence, time or an edit may move all the same",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("stage_patron_due")
    op.drop_table("stage_patron")
    op.drop_table("raw_patron_reject")
    op.drop_table("raw_patron_receipt")
    op.drop_table("raw_patron_file")
    op.drop_table("core_patron_version")
    op.drop_table("core_patron_tombstone")
    op.drop_table("core_patron_source")
    op.drop_table("core_patron_read_back")
    op.drop_table("core_patron_out")
    op.drop_table("core_patron_obligation")
    op.drop_table("core_patron_merge")
    op.drop_table("core_patron_lock")
    op.drop_table("core_patron_identifier")
    op.drop_table("core_patron_history")
    op.drop_table("core_patron_change")
    op.drop_table("core_patron")
    op.drop_table("core_intake_token")
