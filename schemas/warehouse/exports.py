"""Tables of the export to local systems: how far each profile has got, and every file that was made for one."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, count, flag, key_text, metadata

core_export_watermark = sa.Table(
    "core_export_watermark",
    metadata,
    code_column("profile", "Name of the profile in the register", primary_key=True),
    sa.Column("change_no", sa.BigInteger, nullable=False, comment="The receiver has every change up to this one"),
    sa.Column("export_id", big_id(), nullable=False, comment="The export that moved it there"),
    sa.Column("updated_at", UtcInstant, nullable=False, comment="When it was moved"),
    comment="How far each export profile has got; it never goes back",
)

core_export = sa.Table(
    "core_export",
    metadata,
    sa.Column("export_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    code_column("profile", "Name of the profile in the register"),
    code_column("kind", "changes (since the watermark), window (a past one, asked for again)"),
    code_column("state", "composed, delivered, nothing, withdrawn, failed"),
    sa.Column("after_change_no", sa.BigInteger, nullable=False, comment="The window begins after this change"),
    sa.Column("to_change_no", sa.BigInteger, nullable=False, comment="The last change in the window"),
    sa.Column("name", key_text(), comment="Name of the file; null where none was made"),
    count("records", "Records in the file, holding records included"),
    count("bibs_written", "Bibs that are new or changed for the receiver"),
    count("bibs_deleted", "Bibs that the catalogue has deleted"),
    count("bibs_merged", "Bibs that another one took the place of"),
    count("bibs_unheld", "Bibs that none of the profile's libraries holds any more"),
    count("holdings_written", "Holdings that are new or changed"),
    count("holdings_deleted", "Holdings that are gone"),
    count("left_out", "Records that the format cannot carry; the list beside the file names them"),
    count("characters_replaced", "Characters that the character set lacks; the list beside the file names them"),
    sa.Column("reason", sa.Text, comment="Why it failed or was withdrawn, in words"),
    sa.Column("run_id", sa.Text),
    sa.Column("created_at", UtcInstant, nullable=False, comment="When the file was made"),
    sa.Column("delivered_at", UtcInstant, comment="When it was read back from the receiver's place"),
    sa.Index(None, "profile", "created_at"),
    comment="One row a file for a local system, and where there was nothing to send",
)

core_export_file = sa.Table(
    "core_export_file",
    metadata,
    sa.Column("export_id", big_id(), primary_key=True, autoincrement=False, comment="Export"),
    code_column("kind", "records, deleted, left_out, manifest", primary_key=True),
    sa.Column("uri", key_text(), nullable=False, comment="Where it is, or was put"),
    sa.Column("sha256", key_text(), nullable=False, comment="Of its bytes"),
    sa.Column("bytes", sa.BigInteger, nullable=False, comment="Its size"),
    flag("is_archived", "It was moved to the archive since"),
    comment="The files of an export: the records, the lists beside them, and the manifest",
)
