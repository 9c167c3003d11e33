"""Export to local systems: watermarks, files, and change numbers on holdings and before-images.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_core_export()
    _create_core_export_file()
    _create_core_export_watermark()
    _number_changes()


def _create_core_export() -> None:
    op.create_table(
        "core_export",
        sa.Column("export_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("profile", KEY, nullable=False, comment="Name of the profile in the register"),
        sa.Column(
            "kind", KEY, nullable=False, comment="changes (since the watermark), window (a past one, asked for again)"
        ),
        sa.Column("state", KEY, nullable=False, comment="composed, delivered, nothing, withdrawn, failed"),
        sa.Column("after_change_no", sa.BigInteger(), nullable=False, comment="The window begins after this change"),
        sa.Column("to_change_no", sa.BigInteger(), nullable=False, comment="The last change in the window"),
        sa.Column("name", KEY, nullable=True, comment="Name of the file; null where none was made"),
        sa.Column(
            "records",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Records in the file, holding records included",
        ),
        sa.Column(
            "bibs_written",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Bibs that are new or changed for the receiver",
        ),
        sa.Column(
            "bibs_deleted",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Bibs that the catalogue has deleted",
        ),
        sa.Column(
            "bibs_merged",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Bibs that another one took the place of",
        ),
        sa.Column(
            "bibs_unheld",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Bibs that none of the profile's libraries holds any more",
        ),
        sa.Column(
            "holdings_written",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Holdings that are new or changed",
        ),
        sa.Column(
            "holdings_deleted", sa.Integer(), server_default="0", nullable=False, comment="Holdings that are gone"
        ),
        sa.Column(
            "left_out",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Records that the format cannot carry; the list beside the file names them",
        ),
        sa.Column(
            "characters_replaced",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Characters that the character set lacks; the list beside the file names them",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it failed or was withdrawn, in words"),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("created_at", UtcInstant(), nullable=False, comment="When the file was made"),
        sa.Column(
            "delivered_at", UtcInstant(), nullable=True, comment="When it was read back from the receiver's place"
        ),
        sa.PrimaryKeyConstraint("export_id", name=op.f("pk_core_export")),
        comment="One row a file for a local system, and where there was nothing to send",
    )
    with op.batch_alter_table("core_export", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_export_profile_created_at"), ["profile", "created_at"], unique=False)


def _create_core_export_file() -> None:
    op.create_table(
        "core_export_file",
        sa.Column("export_id", ID, autoincrement=False, nullable=False, comment="Export"),
        sa.Column("kind", KEY, nullable=False, comment="records, deleted, left_out, manifest"),
        sa.Column("uri", KEY, nullable=False, comment="Where it is, or was put"),
        sa.Column("sha256", KEY, nullable=False, comment="Of its bytes"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="Its size"),
        sa.Column(
            "is_archived",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="It was moved to the archive since",
        ),
        sa.PrimaryKeyConstraint("export_id", "kind", name=op.f("pk_core_export_file")),
        comment="The files of an export: the records, the lists beside them, and the manifest",
    )


def _create_core_export_watermark() -> None:
    op.create_table(
        "core_export_watermark",
        sa.Column("profile", KEY, nullable=False, comment="Name of the profile in the register"),
        sa.Column("change_no", sa.BigInteger(), nullable=False, comment="The receiver has every change up to this one"),
        sa.Column("export_id", ID, nullable=False, comment="The export that moved it there"),
        sa.Column("updated_at", UtcInstant(), nullable=False, comment="When it was moved"),
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_core_export_watermark")),
        comment="How far each export profile has got; it never goes back",
    )


def _number_changes() -> None:
    with op.batch_alter_table("core_bib", schema=None) as batch_op:
        batch_op.create_index(
            "ix_core_bib_merged_into",
            ["merged_into"],
            unique=False,
            sqlite_where=sa.text("merged_into IS NOT NULL"),
            postgresql_where=sa.text("merged_into IS NOT NULL"),
        )
    with op.batch_alter_table("core_bib_version", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "change_no",
                sa.BigInteger(),
                server_default="0",
                nullable=False,
                comment="Catalogue-wide number of the change that made that version",
            )
        )

    with op.batch_alter_table("core_holding", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "change_no",
                sa.BigInteger(),
                server_default="0",
                nullable=False,
                comment="Catalogue-wide number of its last change",
            )
        )
        batch_op.create_index(batch_op.f("ix_core_holding_change_no"), ["change_no"], unique=False)
        batch_op.create_index(
            "ix_core_holding_gone",
            ["bib_id"],
            unique=False,
            sqlite_where=sa.text("is_deleted = 1"),
            postgresql_where=sa.text("is_deleted"),
        )

    with op.batch_alter_table("core_holding_version", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "change_no",
                sa.BigInteger(),
                server_default="0",
                nullable=False,
                comment="Catalogue-wide number of the change that made that version",
            )
        )
        batch_op.create_index(batch_op.f("ix_core_holding_version_bib_id"), ["bib_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("core_holding_version", schema=None) as batch_op:
        batch_op.drop_index("ix_core_holding_version_bib_id")
        batch_op.drop_column("change_no")
    with op.batch_alter_table("core_holding", schema=None) as batch_op:
        batch_op.drop_index("ix_core_holding_gone")
        batch_op.drop_index("ix_core_holding_change_no")
        batch_op.drop_column("change_no")
    with op.batch_alter_table("core_bib_version", schema=None) as batch_op:
        batch_op.drop_column("change_no")
    with op.batch_alter_table("core_bib", schema=None) as batch_op:
        batch_op.drop_index("ix_core_bib_merged_into")
    op.drop_table("core_export_watermark")
    op.drop_table("core_export_file")
    op.drop_table("core_export")
