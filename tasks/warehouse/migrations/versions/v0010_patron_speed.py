"""A quiet night of persons is told by two indexes alone: the rows themselves are wide, and lie anywhere.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

AS_MERGED = "ix_core_patron_source_as_merged"
COLUMNS = ["source", "content_hash", "policy_version", "needs_merge", "missing_runs", "left_on", "seen_on"]
COLUMNS += ["person_id", "filled"]
BY_HASH = "ix_core_patron_source_source_content_hash"
MERGED, IS_MERGED = "ix_core_patron_merged", sa.text("merged_into IS NOT NULL")
BY_STATE = "ix_core_patron_institution_state"


def upgrade() -> None:
    op.create_index(AS_MERGED, "core_patron_source", COLUMNS)
    op.drop_index(BY_HASH, table_name="core_patron_source")
    op.create_index(BY_STATE, "core_patron", ["institution", "state"])
    op.create_index(MERGED, "core_patron", ["merged_into"], sqlite_where=IS_MERGED, postgresql_where=IS_MERGED)


def downgrade() -> None:
    op.drop_index(MERGED, table_name="core_patron")
    op.drop_index(BY_STATE, table_name="core_patron")
    op.create_index(BY_HASH, "core_patron_source", ["source", "content_hash"])
    op.drop_index(AS_MERGED, table_name="core_patron_source")
