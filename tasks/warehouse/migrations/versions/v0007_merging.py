"""Bibs that are one: candidates, merges and splits.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

from schemas.warehouse.base import UtcInstant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_core_bib_merge()
    _create_core_bib_merge_part()
    _create_core_duplicate()
    _create_core_duplicate_look()


def _create_core_bib_merge() -> None:
    op.create_table(
        "core_bib_merge",
        sa.Column("merge_id", ID, autoincrement=False, nullable=False, comment="Surrogate id"),
        sa.Column("survivor_id", ID, nullable=False, comment="The bib that stays"),
        sa.Column("merged_id", ID, nullable=False, comment="The bib whose numbers lead to it since"),
        sa.Column(
            "rule",
            KEY,
            nullable=False,
            comment="asked, duplicate, review, catalogue; forced where objections were overruled",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in words"),
        sa.Column(
            "objections", sa.Text(), nullable=False, comment="JSON list of what spoke against it and was overruled"
        ),
        sa.Column("score", sa.Float(), nullable=True, comment="Points of the two records, as matching counts them"),
        sa.Column("evidence", sa.Text(), nullable=True, comment="JSON as in out_match"),
        sa.Column(
            "numbers", sa.Text(), nullable=False, comment="JSON [[scheme, value]] that the survivor learned by it"
        ),
        sa.Column(
            "pointers", sa.Text(), nullable=False, comment="JSON ids of bibs that had been merged into the merged one"
        ),
        sa.Column("by", sa.Text(), nullable=False, comment="Who merged: a person, or catalogue"),
        sa.Column("delivery_id", ID, nullable=True, comment="The delivery, where one brought it"),
        sa.Column("run_id", KEY, nullable=True, comment="The run that did it"),
        sa.Column("merged_at", UtcInstant(), nullable=False, comment="When"),
        sa.Column("split_at", UtcInstant(), nullable=True, comment="When they were parted again"),
        sa.Column("split_by", sa.Text(), nullable=True, comment="Who parted them"),
        sa.Column("split_reason", sa.Text(), nullable=True, comment="Why, in words"),
        sa.Column("split_run_id", KEY, nullable=True, comment="The run that parted them"),
        sa.Column(
            "left_as_is", sa.Text(), nullable=False, comment="JSON list: what the split left as it was, in words"
        ),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("pk_core_bib_merge")),
        comment="Every merge of two bibs, and how it was undone",
    )
    with op.batch_alter_table("core_bib_merge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_bib_merge_merged_id"), ["merged_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_core_bib_merge_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_core_bib_merge_survivor_id"), ["survivor_id"], unique=False)


def _create_core_bib_merge_part() -> None:
    op.create_table(
        "core_bib_merge_part",
        sa.Column("merge_id", ID, autoincrement=False, nullable=False, comment="The merge"),
        sa.Column("entity", KEY, nullable=False, comment="bib, holding"),
        sa.Column("entity_id", ID, autoincrement=False, nullable=False, comment="Id of the bib or holding"),
        sa.Column(
            "role",
            KEY,
            nullable=False,
            comment="merged (the bib), moved, emptied (its lines went to a double), joined (the double)",
        ),
        sa.Column("version_made", sa.Integer(), nullable=False, comment="Version that the merge made"),
        sa.Column("joined_id", ID, nullable=True, comment="Of an emptied holding: the one that has its lines"),
        sa.Column(
            "split_version",
            sa.Integer(),
            nullable=True,
            comment="Version that the split made; null: it was left as it was",
        ),
        sa.PrimaryKeyConstraint("merge_id", "entity", "entity_id", name=op.f("pk_core_bib_merge_part")),
        comment="What a merge changed: the bib and each holding, by version",
    )
    with op.batch_alter_table("core_bib_merge_part", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_core_bib_merge_part_entity_id_entity"), ["entity_id", "entity"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_core_bib_merge_part_joined_id"), ["joined_id"], unique=False)


def _create_core_duplicate() -> None:
    op.create_table(
        "core_duplicate",
        sa.Column("duplicate_id", ID, autoincrement=False, nullable=False, comment="D4 in the worklist is 4"),
        sa.Column("first_id", ID, nullable=False, comment="The bib with the lower id"),
        sa.Column("second_id", ID, nullable=False, comment="The other one"),
        sa.Column(
            "state",
            KEY,
            nullable=False,
            comment="open, aside (a veto or too few points), same, different, gone (no longer alike)",
        ),
        sa.Column("verdict", KEY, nullable=False, comment="match, review"),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("rule", KEY, nullable=False, comment="As in out_match"),
        sa.Column("reason", sa.Text(), nullable=False, comment="In words"),
        sa.Column("evidence", sa.Text(), nullable=False, comment="JSON as in out_match; incoming is the second bib"),
        sa.Column("owner", KEY, nullable=False, comment="Who has it: e-mail or name"),
        sa.Column("found_at", UtcInstant(), nullable=False, comment="When the pair was found first"),
        sa.Column("judged_at", UtcInstant(), nullable=False, comment="When its evidence was counted last"),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcInstant(), nullable=True),
        sa.Column(
            "merge_id",
            ID,
            nullable=True,
            comment="The merge that it ended in, or from which a decision was carried over",
        ),
        sa.PrimaryKeyConstraint("duplicate_id", name=op.f("pk_core_duplicate")),
        sa.UniqueConstraint("first_id", "second_id", name=op.f("uq_core_duplicate_first_id_second_id")),
        comment="Pairs of bibs that look like one; never merged by themselves",
    )
    with op.batch_alter_table("core_duplicate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_duplicate_second_id"), ["second_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_core_duplicate_state"), ["state"], unique=False)


def _create_core_duplicate_look() -> None:
    op.create_table(
        "core_duplicate_look",
        sa.Column("name", KEY, nullable=False, comment="bibs"),
        sa.Column(
            "after_change_no", sa.BigInteger(), nullable=False, comment="The look is about bibs changed after this"
        ),
        sa.Column("to_change_no", sa.BigInteger(), nullable=False, comment="The last change it knows"),
        sa.Column("reached_bib_id", ID, nullable=False, comment="How far it has got"),
        sa.Column(
            "is_done",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="The next look begins where this one ended",
        ),
        sa.Column("looked_at", UtcInstant(), nullable=False, comment="When it got there"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_core_duplicate_look")),
        comment="How far the search for duplicates has looked: only what changed since is looked at again",
    )


def downgrade() -> None:
    op.drop_table("core_duplicate_look")
    op.drop_table("core_duplicate")
    op.drop_table("core_bib_merge_part")
    op.drop_table("core_bib_merge")
