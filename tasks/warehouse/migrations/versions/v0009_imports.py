"""Imports of bibs from other bases.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_raw_import()


def _create_raw_import() -> None:
    op.create_table(
        "raw_import",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("profile", KEY, nullable=False, comment="Code of the profile in the register"),
        sa.Column(
            "rules_sha256",
            KEY,
            nullable=False,
            comment="Of the profile as it was read by: another one, and the file is read anew",
        ),
        sa.Column("rules", sa.Text(), nullable=False, comment="JSON: that profile"),
        sa.Column(
            "plan_hash", KEY, nullable=True, comment="Of the plan that waits, or was approved; null: not planned yet"
        ),
        sa.Column(
            "planned_change_no",
            sa.BigInteger(),
            nullable=True,
            comment="The catalogue's last change when it was planned",
        ),
        sa.Column("planned", sa.Text(), nullable=True, comment="JSON: what would become of bibs and holdings, counted"),
        sa.Column(
            "samples", sa.Text(), nullable=True, comment="JSON: some records of each outcome, before and after in words"
        ),
        sa.Column("planned_at", UtcInstant(), nullable=True, comment="When it was planned last"),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_raw_import")),
        comment="Imports from other bases: the profile by which each was read, and its plan",
    )


def downgrade() -> None:
    op.drop_table("raw_import")
