"""Tables of bibs that are one: the pairs that look like it, what was decided of them, and every merge and split."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant, big_id, code_column, flag, key_text, metadata

core_bib_merge = sa.Table(
    "core_bib_merge",
    metadata,
    sa.Column("merge_id", big_id(), primary_key=True, autoincrement=False, comment="Surrogate id"),
    sa.Column("survivor_id", big_id(), nullable=False, comment="The bib that stays"),
    sa.Column("merged_id", big_id(), nullable=False, comment="The bib whose numbers lead to it since"),
    code_column("rule", "asked, duplicate, review, catalogue; forced where objections were overruled"),
    sa.Column("reason", sa.Text, nullable=False, comment="Why, in words"),
    sa.Column("objections", sa.Text, nullable=False, comment="JSON list of what spoke against it and was overruled"),
    sa.Column("score", sa.Float, comment="Points of the two records, as matching counts them"),
    sa.Column("evidence", sa.Text, comment="JSON as in out_match"),
    sa.Column("numbers", sa.Text, nullable=False, comment="JSON [[scheme, value]] that the survivor learned by it"),
    sa.Column("pointers", sa.Text, nullable=False, comment="JSON ids of bibs that had been merged into the merged one"),
    sa.Column("by", sa.Text, nullable=False, comment="Who merged: a person, or catalogue"),
    sa.Column("delivery_id", big_id(), comment="The delivery, where one brought it"),
    sa.Column("run_id", key_text(), comment="The run that did it"),
    sa.Column("merged_at", UtcInstant, nullable=False, comment="When"),
    sa.Column("split_at", UtcInstant, comment="When they were parted again"),
    sa.Column("split_by", sa.Text, comment="Who parted them"),
    sa.Column("split_reason", sa.Text, comment="Why, in words"),
    sa.Column("split_run_id", key_text(), comment="The run that parted them"),
    sa.Column("left_as_is", sa.Text, nullable=False, comment="JSON list: what the split left as it was, in words"),
    sa.Index(None, "survivor_id"),
    sa.Index(None, "merged_id"),
    sa.Index(None, "run_id"),
    comment="Every merge of two bibs, and how it was undone",
)

core_bib_merge_part = sa.Table(
    "core_bib_merge_part",
    metadata,
    sa.Column("merge_id", big_id(), primary_key=True, autoincrement=False, comment="The merge"),
    code_column("entity", "bib, holding", primary_key=True),
    sa.Column("entity_id", big_id(), primary_key=True, autoincrement=False, comment="Id of the bib or holding"),
    code_column("role", "merged (the bib), moved, emptied (its lines went to a double), joined (the double)"),
    sa.Column("version_made", sa.Integer, nullable=False, comment="Version that the merge made"),
    sa.Column("joined_id", big_id(), comment="Of an emptied holding: the one that has its lines"),
    sa.Column("split_version", sa.Integer, comment="Version that the split made; null: it was left as it was"),
    sa.Index(None, "entity_id", "entity"),
    sa.Index(None, "joined_id"),
    comment="What a merge changed: the bib and each holding, by version",
)

core_duplicate = sa.Table(
    "core_duplicate",
    metadata,
    sa.Column("duplicate_id", big_id(), primary_key=True, autoincrement=False, comment="D4 in the worklist is 4"),
    sa.Column("first_id", big_id(), nullable=False, comment="The bib with the lower id"),
    sa.Column("second_id", big_id(), nullable=False, comment="The other one"),
    code_column("state", "open, aside (a veto or too few points), same, different, gone (no longer alike)"),
    code_column("verdict", "match, review"),
    sa.Column("score", sa.Float, nullable=False),
    code_column("rule", "As in out_match"),
    sa.Column("reason", sa.Text, nullable=False, comment="In words"),
    sa.Column("evidence", sa.Text, nullable=False, comment="JSON as in out_match; incoming is the second bib"),
    code_column("owner", "Who has it: e-mail or name"),
    sa.Column("found_at", UtcInstant, nullable=False, comment="When the pair was found first"),
    sa.Column("judged_at", UtcInstant, nullable=False, comment="When its evidence was counted last"),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", UtcInstant),
    sa.Column("merge_id", big_id(), comment="The merge that it ended in, or from which a decision was carried over"),
    sa.UniqueConstraint("first_id", "second_id"),
    sa.Index(None, "second_id"),
    sa.Index(None, "state"),
    comment="Pairs of bibs that look like one; never merged by themselves",
)

core_duplicate_look = sa.Table(
    "core_duplicate_look",
    metadata,
    code_column("name", "bibs", primary_key=True),
    sa.Column("after_change_no", sa.BigInteger, nullable=False, comment="The look is about bibs changed after this"),
    sa.Column("to_change_no", sa.BigInteger, nullable=False, comment="The last change it knows"),
    sa.Column("reached_bib_id", big_id(), nullable=False, comment="How far it has got"),
    flag("is_done", "The next look begins where this one ended"),
    sa.Column("looked_at", UtcInstant, nullable=False, comment="When it got there"),
    comment="How far the search for duplicates has looked: only what changed since is looked at again",
)
