"""Layer `stage_`: the working set of a delivery until it is settled. Rows of a bib in review stay until then."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.warehouse.base import big_id, code_column, flag, key_text, metadata


def _place(*more: str) -> list[sa.Column[Any]]:
    """(delivery_id, position, ...) as the primary key."""
    columns: list[sa.Column[Any]] = [sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False)]
    return columns + [
        sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in ("position", *more)
    ]


def isbn_columns() -> list[sa.Column[Any]]:
    """One 020 $a or $z, alike in stage_isbn and core_bib_isbn."""
    return [
        sa.Column("isbn13", key_text(), comment="Canonical key; null where the number is invalid"),
        sa.Column("raw", sa.Text, nullable=False),
        code_column("subfield", "a or z"),
        sa.Column("qualifier", sa.Text, nullable=False),
        code_column("status", "valid, invalid, set"),
    ]


def line_columns() -> list[sa.Column[Any]]:
    """One line of a holding, alike in stage_holding_line and core_holding_line."""
    return [
        code_column("tag", "024, 852, 856 or another line a library has"),
        sa.Column("shelf_mark", sa.Text, nullable=False),
        sa.Column("public_note", sa.Text, nullable=False),
        sa.Column("internal_note", sa.Text, nullable=False),
        sa.Column("content", key_text(), nullable=False, comment="JSON [indicators, [[code, value], ...]]"),
    ]


def bib_facts_columns() -> list[sa.Column[Any]]:
    """What is kept beside a bib's bytes, alike in stage_bib, core_bib and core_bib_version."""
    return [
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        code_column("encoding_level", "leader/17; blank is a space"),
        code_column("record_type", "leader/06"),
        code_column("bib_level", "leader/07"),
        code_column("carrier", "print, online, ...; empty where nothing tells"),
        sa.Column("year", sa.Integer),
        flag("is_national_bibliography", "042 $9 NB"),
    ]


stage_bib = sa.Table(
    "stage_bib",
    metadata,
    *_place(),
    sa.Column("control_number", key_text(), nullable=False),
    *bib_facts_columns(),
    sa.Column("reject_reason", sa.Text, nullable=False),
    comment="A bib of a delivery, after normalisation",
)

stage_isbn = sa.Table(
    "stage_isbn", metadata, *_place("seq"), *isbn_columns(), sqlite_with_rowid=False, comment="020 of a staged bib"
)

stage_identifier = sa.Table(
    "stage_identifier",
    metadata,
    *_place("seq"),
    code_column("scheme", "issn, 035, control_number, ean"),
    sa.Column("value", key_text(), nullable=False),
    sqlite_with_rowid=False,
    comment="Other numbers of a staged bib",
)

stage_verdict = sa.Table(
    "stage_verdict",
    metadata,
    *_place(),
    code_column("ending", "match, review, new"),
    sa.Column("bib_id", big_id(), comment="The match, or null"),
    code_column("rule", "Stable id of the rule that decided"),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_with_rowid=False,
    comment="How matching ended for a bib that had candidates; no row: new",
)

stage_match = sa.Table(
    "stage_match",
    metadata,
    *_place(),
    sa.Column("bib_id", big_id(), primary_key=True, autoincrement=False),
    code_column("verdict", "match, review, no"),
    sa.Column("score", sa.Float, nullable=False),
    code_column("rule", "Stable id"),
    sa.Column("evidence", sa.Text, nullable=False, comment="JSON"),
    # With a rowid: rows as long as these would take an overflow page each in SQLite's index.
    comment="Each candidate considered; becomes core_match when the bib is loaded",
)

stage_holding = sa.Table(
    "stage_holding",
    metadata,
    *_place("part"),
    sa.Column("bib_position", sa.Integer, comment="Null where no bib precedes it"),
    code_column("sigel", "First 852 $b"),
    flag("is_delete", "leader/05 = d"),
    sa.Column("control_number", key_text(), nullable=False),
    sa.Column("reject_reason", sa.Text, nullable=False),
    comment="A holding of a delivery: an MFHD record (part 0) or made from an embedded 852 (part 1, 2, ...)",
)

stage_holding_line = sa.Table(
    "stage_holding_line",
    metadata,
    *_place("part", "line_no"),
    code_column("owner", "Whose line it is"),
    *line_columns(),
    sqlite_with_rowid=False,
    comment="Lines of a staged holding",
)

stage_preview = sa.Table(
    "stage_preview",
    metadata,
    *_place("part"),
    code_column("record_type", "bib, holding"),
    code_column("outcome", "What would become of it"),
    code_column("rule", "Stable id"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sigel", sa.Text),
    sa.Column("bib_id", big_id(), comment="Null where the bib would be new"),
    sqlite_with_rowid=False,
    comment="What a dry run found: the same decisions, nothing settled",
)
