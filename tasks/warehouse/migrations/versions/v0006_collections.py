"""Collections of joining libraries, and what was found for each row of them.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_raw_collection()
    _create_raw_collection_row()


def _create_raw_collection() -> None:
    op.create_table(
        "raw_collection",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False, comment="Delivery"),
        sa.Column("libraries", KEY, nullable=False, comment="JSON [[sigel, what the file calls it], ...]"),
        sa.Column("columns", KEY, nullable=False, comment="JSON {meaning: column or tag$code}, as it was asked for"),
        sa.Column(
            "rows_read",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Rows in: bibs and what could not be read; holdings are no rows",
        ),
        sa.Column("matched", sa.Integer(), server_default="0", nullable=False, comment="Rows whose ending is matched"),
        sa.Column("review", sa.Integer(), server_default="0", nullable=False, comment="Rows whose ending is review"),
        sa.Column(
            "not_found", sa.Integer(), server_default="0", nullable=False, comment="Rows whose ending is not_found"
        ),
        sa.Column(
            "bad_isbn", sa.Integer(), server_default="0", nullable=False, comment="Rows whose ending is bad_isbn"
        ),
        sa.Column(
            "unreadable", sa.Integer(), server_default="0", nullable=False, comment="Rows whose ending is unreadable"
        ),
        sa.Column("sorted_at", UtcInstant(), nullable=True, comment="When every row had its ending"),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_raw_collection")),
        comment="The stock of joining libraries, as a delivery: whose it is, how it is read, how its rows ended",
    )


def _create_raw_collection_row() -> None:
    op.create_table(
        "raw_collection_row",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False, comment="Delivery"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="Row of the file, from 1"),
        sa.Column(
            "ending", KEY, nullable=False, comment="matched, review, not_found, bad_isbn, unreadable: as it was found"
        ),
        sa.Column("rule", KEY, nullable=False, comment="Stable id of the rule that decided"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words"),
        sa.Column("local_id", sa.Text(), nullable=False, comment="Number of the record in the library's own system"),
        sa.Column("isbn", sa.Text(), nullable=False, comment="The ISBNs as the library wrote them"),
        sa.Column("title", sa.Text(), nullable=False, comment="As the library has it"),
        sa.Column("author", sa.Text(), nullable=False, comment="As the library has it"),
        sa.Column("year", sa.Integer(), nullable=True, comment="As the library has it"),
        sa.Column("shelf_mark", sa.Text(), nullable=False, comment="First shelf mark"),
        sa.Column("libraries", sa.Text(), nullable=False, comment="Sigels that hold it, in order"),
        sa.Column("bib_id", ID, nullable=True, comment="The bib that it matched; null unless matched"),
        sa.PrimaryKeyConstraint("delivery_id", "position", name=op.f("pk_raw_collection_row")),
        comment="What was found for each row of a joining library's stock; what became of it since is in core_outcome",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("raw_collection_row")
    op.drop_table("raw_collection")
