"""A person's comment on what they decided: it stands with the reason of the row, after their name."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_plan, core_review
from schemas.warehouse.merging import core_duplicate
from tasks.deciding.form import Entry
from tasks.plans.store import class_column, resolve


def note_comment(connection: Connection, entered: Entry) -> Counter[str]:
    """Add the comment to the reason of each plan, review and pair of the entry that this person has decided.

    Noting the same again changes nothing. What was not decided after all gets no comment.
    """
    if not entered.comment:
        return Counter()
    words = f" [{entered.by}: {entered.comment}]"
    counts: Counter[str] = Counter()
    for choice in entered.plans:
        mine = sa.and_(
            core_plan.c.plan_hash == resolve(connection, choice.plan_hash),
            sa.true() if choice.change_class is None else class_column == choice.change_class,
        )
        counts["plans"] += _add(connection, core_plan, mine, entered.by, words)
    if entered.reviews:
        asked = core_review.c.review_id.in_([number for number, _ in entered.reviews])
        counts["reviews"] += _add(connection, core_review, asked, entered.by, words)
    if entered.pairs:
        asked = core_duplicate.c.duplicate_id.in_([number for number, _ in entered.pairs])
        counts["pairs"] += _add(connection, core_duplicate, asked, entered.by, words)
    return counts


def _add(connection: Connection, table: sa.Table, mine: sa.ColumnElement[bool], by: str, words: str) -> int:
    return connection.execute(
        sa.update(table)
        .where(mine, table.c.decided_by == by, sa.not_(table.c.reason.endswith(words, autoescape=True)))
        .values(reason=table.c.reason + words)
    ).rowcount
