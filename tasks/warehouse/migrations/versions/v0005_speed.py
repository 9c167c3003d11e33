"""Records stay uncompressed in their rows on PostgreSQL: compressing a delivery took as long as storing it.

Revision: 0005, after 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The most that fits on a page. Rows that are there already stay as they are.
    _set_on_postgresql("SET (toast_tuple_target = 8160)")


def downgrade() -> None:
    _set_on_postgresql("RESET (toast_tuple_target)")


def _set_on_postgresql(change: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE raw_record {change}")
