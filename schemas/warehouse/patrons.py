"""Patrons in the warehouse: the persons now, what each source says of them, locks, changes, plans and receipts.

Values are documents: one a person (what Samkat wrote and what is there), one a person and source (what it said). A
value that is replaced becomes a row of the history (docs/decisions/0017-patron-documents.md). JSON is written by
tasks/patrons/documents.py and by nothing else.
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, flag, key_text, metadata


def _person_id() -> sa.Column[int]:
    return sa.Column("person_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id of the person")


_MERGED = sa.text("merged_into IS NOT NULL")

core_patron = sa.Table(
    "core_patron",
    metadata,
    _person_id(),
    code_column("institution", "Code in the register"),
    sa.Column("primary_id", sa.Text, nullable=False, comment="As it came"),
    sa.Column("primary_key", key_text(), nullable=False, comment="To compare with: NFC, casefolded, trimmed"),
    code_column("account_type", "EXTERNAL, INTERNAL, INTEXTAUTH"),
    sa.Column("user_group", key_text(), comment="After the source's mapping"),
    sa.Column("family_name", sa.Text, comment="Legal"),
    sa.Column("given_name", sa.Text, comment="Legal"),
    sa.Column("email", sa.Text, comment="The preferred one"),
    code_column("state", "Of the lifecycle: staged, active, missing, grace, expired, inactive, erasable, erased"),
    sa.Column("state_since", sa.Date, nullable=False, comment="Day on which it came there"),
    sa.Column("not_before", sa.Date, comment="First valid day"),
    sa.Column("expires_on", sa.Date, comment="Last valid day, in the institution's zone"),
    sa.Column("expiry_rule", sa.Text, comment="Rule that gave the last valid day"),
    sa.Column("purge_on", sa.Date, comment="Day from which the person may be erased"),
    sa.Column("grace_until", sa.Date, comment="Last day of the grace"),
    sa.Column("look_on", sa.Date, comment="Next day on which time alone may change something; null: never"),
    flag("is_confidential", "Protected identity"),
    flag("is_desk_stub", "Made at the desk, waits for its first feed"),
    sa.Column("affiliations", sa.Text, nullable=False, comment="JSON list, for out_patron"),
    sa.Column("protected", sa.Text, nullable=False, comment="JSON list of paths with a lock in force, for out_patron"),
    sa.Column("document", sa.Text, nullable=False, comment="JSON: what Samkat wrote, and what is there"),
    sa.Column("version", sa.Integer, nullable=False, comment="Rises with each change"),
    sa.Column("delivery_id", big_id(), comment="The delivery that changed it last; null: an edit, a lock, an update"),
    sa.Column("read_back_hash", sa.LargeBinary, comment="16 bytes: of its record in the last read-back"),
    sa.Column("sent_hash", sa.LargeBinary, comment="16 bytes: of the document that was sent last"),
    sa.Column("sent_version", sa.Integer, nullable=False, server_default="0", comment="Version last composed"),
    sa.Column("acknowledged_version", sa.Integer, nullable=False, server_default="0", comment="Version seen there"),
    sa.Column("merged_into", big_id(), comment="The person that took its place"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("updated_at", UtcInstant, nullable=False),
    sa.Index(None, "institution", "primary_key"),
    sa.Index(None, "institution", "look_on"),
    sa.Index(None, "institution", "state"),
    sa.Index("ix_core_patron_merged", "merged_into", sqlite_where=_MERGED, postgresql_where=_MERGED),
    sa.Index(None, "read_back_hash"),
    comment="A person at one institution, as it is now",
)

core_patron_source = sa.Table(
    "core_patron_source",
    metadata,
    _person_id(),
    code_column("source", "Code of the patron source", primary_key=True),
    code_column("institution", "Code in the register"),
    sa.Column("content_hash", sa.LargeBinary, nullable=False, comment="16 bytes: of the record that was merged last"),
    sa.Column("policy_version", key_text(), nullable=False, comment="Policy under which it was merged"),
    flag("needs_merge", "Touched since, or not carried out whole: the same hash must not pass it by"),
    sa.Column("filled", sa.BigInteger, nullable=False, server_default="0", comment="A bit a path that has a value"),
    sa.Column("said", sa.Text, nullable=False, comment="JSON: values, items and affiliation, with the day of each"),
    sa.Column("seen_on", sa.Date, comment="Last day in a file before it went missing; null: in the latest"),
    count("missing_runs", "Complete files in a row without the person"),
    sa.Column("missing_since", sa.Date, comment="Day of the first of them"),
    sa.Column("counted_on", sa.Date, comment="Business date of the last file in which absence was counted"),
    sa.Column("left_on", sa.Date, comment="The source said that the person has left"),
    sa.Index(
        "ix_core_patron_source_as_merged",
        *("source", "content_hash", "policy_version", "needs_merge", "missing_runs", "left_on", "seen_on"),
        *("person_id", "filled"),
    ),
    comment="What one source says of a person; never what the others or staff say",
)

core_patron_identifier = sa.Table(
    "core_patron_identifier",
    metadata,
    _person_id(),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    code_column("institution", "Code in the register"),
    code_column("type", "primary_id, barcode, feide, ..."),
    sa.Column("key", key_text(), nullable=False, comment="To compare with"),
    sa.Column("value", sa.Text, nullable=False, comment="As it came"),
    code_column("source", "Source in which it is a stable id; empty: it only searches", server_default=""),
    sa.Column("valid_from", sa.Date, comment="First valid day"),
    sa.Column("valid_to", sa.Date, comment="Last valid day; null: still theirs"),
    sa.Index(None, "institution", "type", "key"),
    comment="Ids of persons, with the days on which they were theirs",
)

core_patron_lock = sa.Table(
    "core_patron_lock",
    metadata,
    sa.Column("lock_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    sa.Column("person_id", big_id(), nullable=False, comment="The person"),
    code_column("path", "docs/patron-formats.md lists them"),
    code_column("item_type", "Of a list: the item's type; empty: a scalar, or the whole list", server_default=""),
    sa.Column("item_key", key_text(), nullable=False, server_default="", comment="Of a list: the item's key"),
    code_column("kind", "pin, automatic, exempt"),
    sa.Column("held_value", sa.Text, comment="JSON; null is a value as any other"),
    sa.Column("baseline", sa.Text, comment="JSON of what the source said when it was set; null: not carried"),
    sa.Column("by", sa.Text, nullable=False, comment="Who set it"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words"),
    sa.Column("until", sa.Date, comment="Last day, inclusive"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("released_at", UtcInstant, comment="When it ended before its time"),
    sa.Column("released_by", sa.Text, comment="Who ended it"),
    sa.Index(None, "person_id"),
    comment="What protects a path of a person; released ones stay as history",
)

core_patron_change = sa.Table(
    "core_patron_change",
    metadata,
    sa.Column("change_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("run_id", "Run, receipt or edit that made it"),
    sa.Column("delivery_id", big_id(), comment="The file, where it came from one"),
    sa.Column("person_id", big_id(), comment="Null: a person that was not made, since its class is held"),
    code_column("institution", "Code in the register"),
    sa.Column("primary_id", sa.Text, nullable=False, comment="As it was then; erasing clears it"),
    code_column("path", "Path; `person` for a person as a whole, `state` for a step of the lifecycle"),
    code_column("item_type", "Of a list", server_default=""),
    sa.Column("old", sa.Text, comment="JSON; null: not there"),
    sa.Column("new", sa.Text, comment="JSON; null: not there"),
    code_column("source", "Source that spoke; empty: staff, time or policy"),
    code_column("rule", "Stable id of the rule that decided"),
    code_column("class", "Class of change that the guards count; empty: free", server_default=""),
    code_column("decision", "applied, suppressed, review, held"),
    sa.Column("plan_hash", key_text(), comment="Approval under which it was carried out; null: unasked"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words; says nothing about the person"),
    sa.Column("version", sa.Integer, comment="Version of the person that it made; null: no change"),
    sa.Column("changed_at", UtcInstant, nullable=False, comment="When"),
    sa.Column("reverted_at", UtcInstant),
    sa.Index(None, "person_id"),
    sa.Index(None, "delivery_id"),
    sa.Index(None, "run_id"),
    sa.Index(None, "institution", "class", "changed_at"),
    comment="Every decision that did something, asked something or kept something from being done",
)

core_patron_history = sa.Table(
    "core_patron_history",
    metadata,
    sa.Column("history_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    sa.Column("person_id", big_id(), nullable=False, comment="The person"),
    code_column("source", "Who said it; empty: staff"),
    code_column("path", "Path"),
    code_column("item_type", "Of a list", server_default=""),
    sa.Column("item_key", key_text(), nullable=False, server_default="", comment="Of a list"),
    sa.Column("value", sa.Text, comment="JSON; null is a value as any other"),
    sa.Column("said_from", sa.Date, nullable=False, comment="Day on which it was said first"),
    sa.Column("said_until", sa.Date, nullable=False, comment="Day on which something else was said"),
    sa.Index(None, "person_id"),
    comment="Values that a source, or staff, said once and say no more, per (person, source, path, item)",
)

core_patron_version = sa.Table(
    "core_patron_version",
    metadata,
    _person_id(),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, comment="The version that was replaced"),
    sa.Column("image", sa.Text, nullable=False, comment="JSON: the person, its sources, ids and locks at that version"),
    sa.Column("delivery_id", big_id(), comment="The delivery that replaced it"),
    code_column("run_id", "The run that replaced it"),
    sa.Column("ended_at", UtcInstant, nullable=False),
    sa.Index(None, "delivery_id"),
    comment="Before-images: what a person was before each change, so that a run can be undone",
)

core_patron_tombstone = sa.Table(
    "core_patron_tombstone",
    metadata,
    sa.Column("tombstone_key", sa.LargeBinary, primary_key=True, comment="32 bytes: keyed hash of a stable id"),
    code_column("institution", "Code in the register"),
    code_column("source", "Code of the patron source"),
    sa.Column("erased_on", sa.Date, nullable=False, comment="Day on which the person was erased"),
    sa.Column("seen_on", sa.Date, comment="Last day on which the row came all the same"),
    comment="Stands for an erased person's row of one source; holds no value of the person",
)

core_patron_obligation = sa.Table(
    "core_patron_obligation",
    metadata,
    _person_id(),
    sa.Column("as_of", UtcInstant, nullable=False, comment="When the library system said so"),
    count("loans", "Loans"),
    sa.Column("balance", sa.Text, nullable=False, comment="Decimal, of either sign"),
    count("requests", "Requests"),
    count("on_hold_shelf", "Items on the hold shelf"),
    count("staff_roles", "Staff roles"),
    comment="What a person and the library still owe each other; without it nobody is erased",
)

core_patron_merge = sa.Table(
    "core_patron_merge",
    metadata,
    sa.Column("merge_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    sa.Column("survivor_id", big_id(), nullable=False, comment="The person that stays"),
    sa.Column("merged_id", big_id(), nullable=False, comment="The person that became a pointer to it"),
    sa.Column("images", sa.Text, nullable=False, comment="JSON: both persons before, and what moved"),
    sa.Column("by", sa.Text, nullable=False, comment="Who merged them"),
    sa.Column("merged_at", UtcInstant, nullable=False, comment="When"),
    sa.Column("split_at", UtcInstant, comment="When they were parted again"),
    sa.Column("split_by", sa.Text, comment="Who parted them"),
    sa.Index(None, "survivor_id"),
    sa.Index(None, "merged_id"),
    comment="Two persons that turned out to be one, and how to part them again",
)

core_patron_read_back = sa.Table(
    "core_patron_read_back",
    metadata,
    sa.Column("read_back_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("institution", "Code in the register"),
    sa.Column("delivery_id", big_id(), comment="The export file; null: the library system's API"),
    sa.Column("as_of", UtcInstant, nullable=False, comment="When the library system was so"),
    sa.Column("taken_at", UtcInstant, nullable=False, comment="When Samkat read it"),
    count("persons", "Users in it"),
    count("edited", "Users that differ from what Samkat knew"),
    code_column("state", "used, held"),
    sa.Column("reason", sa.Text, comment="Why it was not used, in words"),
    sa.Index(None, "institution", "as_of"),
    comment="What the library system held, and when: the C of the merge",
)

core_patron_out = sa.Table(
    "core_patron_out",
    metadata,
    sa.Column("out_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("institution", "Code in the register"),
    code_column("run_id", "Run that made it"),
    sa.Column("uri", sa.Text, nullable=False, comment="Where the file is"),
    code_column("sha256", "Of the file"),
    count("persons", "Users in it"),
    count("renewed", "Of these, those whose document is another one than was sent before"),
    code_column("state", "made, acknowledged"),
    sa.Column("made_at", UtcInstant, nullable=False, comment="When it was made"),
    sa.Column("acknowledged_at", UtcInstant, comment="A read-back that is newer shows its users as they were sent"),
    sa.Index(None, "institution", "made_at"),
    comment="Synchronise files made for a library system",
)

core_intake_token = sa.Table(
    "core_intake_token",
    metadata,
    sa.Column("token_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("institution", "Whose persons it may change"),
    code_column("source", "Source as which it speaks"),
    sa.Column("name", sa.Text, nullable=False, comment="What people call it"),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True, comment="32 bytes; the token is kept nowhere"),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("expires_on", sa.Date, comment="Last day on which it is taken; null: until it is revoked"),
    sa.Column("revoked_at", UtcInstant, comment="When it was revoked"),
    comment="Tokens of the intake service",
)

raw_patron_file = sa.Table(
    "raw_patron_file",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    code_column("institution", "Code in the register"),
    code_column("source", "Code of the patron source"),
    sa.Column("business_date", sa.Date, nullable=False, comment="The day it is about"),
    flag("is_complete", "A whole snapshot that passed its checks: absence counts"),
    flag("is_used", "Planned from: the next file is judged by it"),
    sa.Column("size", sa.BigInteger, nullable=False, comment="Bytes, after national ids were cut out"),
    code_column("sha256", "As it is judged: after national ids were cut out"),
    sa.Column("filled", sa.Text, nullable=False, comment="JSON: path, persons that have a value in it"),
    sa.Column("findings", sa.Text, nullable=False, comment="JSON list of [rule, text, field]"),
    sa.Column("manifest", sa.Text, comment="JSON of {persons, sha256}, where one came with it"),
    count("national_ids_cut", "Lines that were cut out on receipt"),
    *(
        count(name, about)
        for name, about in (
            ("rows_read", "Rows of persons, unreadable ones included"),
            ("rows_unchanged", "Persons as they were: passed by"),
            ("rows_created", "New persons"),
            ("rows_changed", "Persons of whom something changed"),
            ("rows_kept", "Persons whose row was new, and of whom nothing changed"),
            ("rows_held", "Persons of whom a change waits for approval, and nothing else changed"),
            ("rows_quarantined", "Rows that cannot be placed: a person has to look"),
            ("rows_rejected", "Rows that cannot be read"),
            ("persons_missing", "Persons of the source that the file lacks"),
            ("persons_moved", "Persons that only time or absence moved"),
        )
    ),
    sa.Index(None, "source", "business_date"),
    comment="A file of persons: what it held, and what became of its rows",
)

raw_patron_reject = sa.Table(
    "raw_patron_reject",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("record_no", sa.Integer, primary_key=True, autoincrement=False, comment="From 1, over all members"),
    sa.Column("member", sa.Text, nullable=False, comment="Inside a zip; empty otherwise"),
    sa.Column("line", sa.Integer, comment="From 1, in its member"),
    sa.Column("byte_offset", sa.BigInteger, comment="In its member, where lines say nothing"),
    code_column("kind", "rejected, quarantined"),
    code_column("rule", "Stable id"),
    sa.Column("cause", sa.Text, nullable=False, comment="In words; says nothing about the person"),
    sa.Column("field", sa.Text, comment="As the sender calls it"),
    sa.Column("remedy", sa.Text, comment="What to do, in words"),
    comment="Rows of a file that were not taken, and why",
)

raw_patron_receipt = sa.Table(
    "raw_patron_receipt",
    metadata,
    sa.Column("receipt_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    sa.Column("token_id", big_id(), nullable=False, comment="Token that was shown"),
    code_column("institution", "Code in the register"),
    code_column("source", "Source as which it spoke"),
    sa.Column(
        "idempotency_key", key_text(), nullable=False, comment="The sender's own; the same again changes nothing"
    ),
    code_column("method", "PUT, PATCH, DELETE"),
    sa.Column("request_hash", sa.LargeBinary, nullable=False, comment="32 bytes: another request under the same key"),
    sa.Column("content", sa.Text, comment="JSON, while it is not carried out; then null"),
    code_column("state", "waiting, done, held, refused"),
    sa.Column("rule", key_text(), comment="Stable id of the rule that decided"),
    sa.Column("reason", sa.Text, comment="In words; says nothing about the person"),
    sa.Column("person_id", big_id(), comment="The person"),
    sa.Column("version", sa.Integer, comment="Version of the person that it made; null: no change"),
    sa.Column("plan_hash", key_text(), comment="Plan under which it waits, or waited, for approval"),
    sa.Column("run_id", key_text(), comment="The run of patron-update that reported it"),
    sa.Column("received_at", UtcInstant, nullable=False, comment="When it came"),
    sa.Column("committed_at", UtcInstant, comment="When it was carried out"),
    sa.UniqueConstraint("institution", "idempotency_key"),
    sa.Index(None, "state"),
    sa.Index(None, "run_id"),
    sa.Index(None, "plan_hash"),
    sa.Index(None, "received_at"),
    comment="Instant updates: what was asked, and what became of it",
)

stage_patron = sa.Table(
    "stage_patron",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("record_no", sa.Integer, primary_key=True, autoincrement=False, comment="From 1, over all members"),
    sa.Column("content_hash", sa.LargeBinary, nullable=False, comment="16 bytes: of the record"),
    sa.Column("person_id", big_id(), comment="The person it is about; null: not placed yet, or new"),
    sa.Column("stable_key", key_text(), comment="Its first stable id; null: as it was merged last"),
    sa.Column("incoming", sa.Text, comment="JSON of the person; null: as it was merged last"),
    code_column("outcome", "unchanged, created, changed, kept, held, quarantined, rejected; empty: not planned"),
    code_column("classes", "Guarded classes of change, with commas", server_default=""),
    sa.Column("plan", sa.Text, comment="JSON of what is to be written; null: nothing"),
    sa.Index("ix_stage_patron_person", "delivery_id", "person_id"),
    sqlite_with_rowid=False,
    comment="Rows of a file of persons until it is settled",
)

stage_patron_due = sa.Table(
    "stage_patron_due",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    _person_id(),
    code_column("why", "absent, due, touched"),
    code_column("outcome", "unchanged, moved, held; empty: not planned"),
    code_column("classes", "Guarded classes of change, with commas", server_default=""),
    sa.Column("plan", sa.Text, comment="JSON of what is to be written; null: nothing"),
    sqlite_with_rowid=False,
    comment="Persons that are not in the file, and that absence, time or an edit may move all the same",
)
