"""The table of imports from other bases: by which profile a file was read, and the plan that a person approves.

It is of the layer `raw_`: where what was read of a delivery is forgotten, its plan is, too.
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, key_text, metadata

raw_import = sa.Table(
    "raw_import",
    metadata,
    sa.Column("delivery_id", big_id(), primary_key=True, autoincrement=False),
    code_column("profile", "Code of the profile in the register"),
    code_column("rules_sha256", "Of the profile as it was read by: another one, and the file is read anew"),
    sa.Column("rules", sa.Text, nullable=False, comment="JSON: that profile"),
    sa.Column("plan_hash", key_text(), comment="Of the plan that waits, or was approved; null: not planned yet"),
    sa.Column("planned_change_no", sa.BigInteger, comment="The catalogue's last change when it was planned"),
    sa.Column("planned", sa.Text, comment="JSON: what would become of bibs and holdings, counted"),
    sa.Column("samples", sa.Text, comment="JSON: some records of each outcome, before and after in words"),
    sa.Column("planned_at", UtcInstant, comment="When it was planned last"),
    comment="Imports from other bases: the profile by which each was read, and its plan",
)
