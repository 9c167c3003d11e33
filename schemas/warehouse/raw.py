"""Layer `raw_`: what came, as it came, and how far each delivery has got."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, flag, key_text, metadata

raw_delivery = sa.Table(
    "raw_delivery",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, comment="Surrogate id"),
    code_column("kind", "supplier, catalogue, patron, read_back"),
    code_column("sender", "Who sent it: supplier code"),
    code_column("sha256", "Of the file as it came"),
    sa.Column("generation", sa.Integer, nullable=False, server_default="0", comment="Rises with each --again"),
    sa.Column("name", sa.Text, nullable=False, comment="File name, as the sender wrote it"),
    sa.Column("uri", sa.Text, nullable=False, comment="Where the file is now"),
    sa.Column("bytes", sa.BigInteger, nullable=False, comment="Size of the file as it came"),
    code_column("state", "See the vocabulary: received ... reverted"),
    code_column("mode", "How the catalogue is loaded: full, delta; empty for suppliers", server_default=""),
    flag("is_preview", "Only looked at by a dry run so far"),
    sa.Column("business_date", sa.Date, comment="The sender's own day for it, from the file name"),
    sa.Column("sent_at_name", key_text(), comment="Time stamp in the file name, which orders a supplier's deliveries"),
    sa.Column("received_at", UtcInstant, nullable=False),
    sa.Column("finished_at", UtcInstant),
    sa.Column("reverted_at", UtcInstant),
    sa.Column("flow_run_id", sa.Text, comment="The run that took it last"),
    sa.Column("hold_reason", sa.Text, comment="Why it waits, or why it was rejected, in words"),
    sa.Column("check_tally", sa.Text, comment="JSON: the judged rows counted, and by what; Data Docs come from it"),
    sa.Column("docs_uri", sa.Text, comment="Data Docs of its check"),
    count("records_read", "Bib and holding records, unreadable pieces not included"),
    count("records_unreadable", "Pieces that could not be read"),
    *(count(f"bibs_{name}", f"Bibs: {name}") for name in ("read", "created", "replaced", "kept", "review", "rejected")),
    *(
        count(f"holdings_{name}", f"Holdings: {name}")
        for name in ("read", "created", "updated", "unchanged", "deleted", "waiting", "refused", "rejected")
    ),
    sa.UniqueConstraint("kind", "sender", "sha256", "generation"),
    sa.Index(None, "state"),
    sa.Index(None, "kind", "sender", "received_at"),
    comment="The ledger: one row a delivery. Its identity is (sender, sha256), never its name",
)

raw_delivery_name = sa.Table(
    "raw_delivery_name",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True),
    sa.Column("name", key_text(), primary_key=True),
    sa.Column("uri", key_text(), primary_key=True),
    sa.Column("seen_at", UtcInstant, nullable=False),
    flag("is_repeat", "Sent again: recognised, no effect"),
    sa.Index(None, "is_repeat", "seen_at"),
    comment="Every time a file with this content was seen, under whatever name",
)

raw_member = sa.Table(
    "raw_member",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True),
    sa.Column("member_no", sa.Integer, primary_key=True, comment="From 0; a plain file is one member"),
    sa.Column("name", sa.Text, nullable=False),
    code_column("format", "iso2709 or marcxml"),
    count("pieces", "Pieces between terminators, counted by the reader"),
    count("embedded_holdings", "Holdings made from embedded 852, counted by the reader"),
    comment="The files inside a delivery",
)

raw_record = sa.Table(
    "raw_record",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False, comment="From 1 in the delivery"),
    sa.Column("member_no", sa.SmallInteger, nullable=False),
    sa.Column("byte_offset", sa.BigInteger, nullable=False, comment="In the unpacked member"),
    code_column("record_type", "bib, holding, unreadable"),
    code_column("charset", "Character set the bytes were read as"),
    sa.Column("bib_position", sa.Integer, comment="The bib a holding belongs to; its own position for a bib"),
    sa.Column("supplier_control_number", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("isbn13", sa.Text, comment="The first valid one"),
    sa.Column("sigel", sa.Text, comment="Of a holding record"),
    sa.Column("reason", sa.Text, comment="Why it is unreadable"),
    sa.Column("findings", sa.Text, comment="JSON list of [code, text, field]"),
    sa.Column("normalised", sa.LargeBinary, comment="The bib as the catalogue takes it; null: as it came"),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="The bytes, as they came"),
    # On PostgreSQL rows stay as they are up to a page (migration 0005); SQLAlchemy has no word for that.
    comment="Every piece between two terminators",
)

record_taken = sa.func.coalesce(raw_record.c.normalised, raw_record.c.content)
"""The bytes of a bib after normalisation, wherever they stand."""

raw_progress = sa.Table(
    "raw_progress",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    code_column("stage", "Name of the stage", primary_key=True),
    sa.Column("reached", sa.BigInteger, nullable=False, comment="Position up to which the stage is done"),
    sa.Column("done_at", UtcInstant, comment="Set when the stage is complete"),
    comment="A chunk commits its rows together with the position reached, so that a killed stage goes on from there",
)

raw_check = sa.Table(
    "raw_check",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    code_column("expectation", "Key of schemas/expectations.py", primary_key=True),
    sa.Column("observed", sa.Float, comment="Share or factor; null where there was nothing to judge"),
    sa.Column("limit", sa.Float, nullable=False),
    sa.Column("elements", sa.Integer, nullable=False, comment="How many rows were judged"),
    sa.Column("unexpected", sa.Integer, nullable=False),
    flag("is_met", "Whether the expectation held"),
    flag("is_binding", "False where the delivery is too small to be held"),
    comment="Result of the quality gate, a row an expectation",
)

raw_stray = sa.Table(
    "raw_stray",
    metadata,
    sa.Column("path", key_text(), primary_key=True, comment="Below incoming/, printable"),
    code_column("sha256", "Of a file that was taken away; empty for what was left where it is", primary_key=True),
    sa.Column("reason", key_text(), primary_key=True, comment="Why it can become no delivery, in words"),
    sa.Column("remedy", sa.Text, nullable=False, comment="What to do, in words"),
    sa.Column("sender", sa.Text, nullable=False, comment="The folder it lay in; empty outside every folder"),
    sa.Column("uri", sa.Text, comment="Where it is in quarantine; null: it was left where it is"),
    sa.Column("seen_at", UtcInstant, nullable=False, comment="When it was seen first, and reported"),
    comment="What lay in incoming/ and can become no delivery: unknown senders, links, unusable names",
)
