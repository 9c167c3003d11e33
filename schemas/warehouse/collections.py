"""Tables of joining libraries' collections: how each file is read, and what was found for each of its rows.

They go with the records of a delivery: what a dry run wrote is forgotten together with them.
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, key_text, metadata

ENDINGS = ("matched", "review", "not_found", "bad_isbn", "unreadable")
"""What matching can find for a row; every row has exactly one of them."""

raw_collection = sa.Table(
    "raw_collection",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False, comment="Delivery"),
    sa.Column("libraries", key_text(), nullable=False, comment="JSON [[sigel, what the file calls it], ...]"),
    sa.Column("columns", key_text(), nullable=False, comment="JSON {meaning: column or tag$code}, as it was asked for"),
    count("rows_read", "Rows in: bibs and what could not be read; holdings are no rows"),
    *(count(each, f"Rows whose ending is {each}") for each in ENDINGS),
    sa.Column("sorted_at", UtcInstant, comment="When every row had its ending"),
    comment="The stock of joining libraries, as a delivery: whose it is, how it is read, how its rows ended",
)

raw_collection_row = sa.Table(
    "raw_collection_row",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False, comment="Delivery"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False, comment="Row of the file, from 1"),
    code_column("ending", "matched, review, not_found, bad_isbn, unreadable: as it was found"),
    code_column("rule", "Stable id of the rule that decided"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words"),
    sa.Column("local_id", sa.Text, nullable=False, comment="Number of the record in the library's own system"),
    sa.Column("isbn", sa.Text, nullable=False, comment="The ISBNs as the library wrote them"),
    sa.Column("title", sa.Text, nullable=False, comment="As the library has it"),
    sa.Column("author", sa.Text, nullable=False, comment="As the library has it"),
    sa.Column("year", sa.Integer, comment="As the library has it"),
    sa.Column("shelf_mark", sa.Text, nullable=False, comment="First shelf mark"),
    sa.Column("libraries", sa.Text, nullable=False, comment="Sigels that hold it, in order"),
    sa.Column("bib_id", big_id(), comment="The bib that it matched; null unless matched"),
    sqlite_with_rowid=False,
    comment="What was found for each row of a joining library's stock; what became of it since is in core_outcome",
)
