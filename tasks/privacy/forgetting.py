"""What is kept for a while is forgotten: earlier values, images of earlier days, ended locks, tombstones that lapsed.

Decisions stay, with rule and reason: their values go with the history that they are part of. Receipts of instant
updates are forgotten by `patron-update`.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.patron_policy import PatronPolicy
from schemas.warehouse.patrons import (
    core_patron_change,
    core_patron_history,
    core_patron_lock,
    core_patron_merge,
    core_patron_tombstone,
    core_patron_version,
)
from tasks.patrons.erasure import Tombstone


def forget(connection: Connection, policy: PatronPolicy, day: date, now: datetime) -> Counter[str]:
    """Forget what is older than the policy keeps it; returns rows by what they were."""
    before = now - timedelta(days=policy.retention.history_days)
    history, image, lock = core_patron_history, core_patron_version, core_patron_lock
    merge, change = core_patron_merge, core_patron_change
    gone = {
        "earlier values": sa.delete(history).where(history.c.said_until < before.date()),
        "earlier persons": sa.delete(image).where(image.c.ended_at < before),
        "ended locks": sa.delete(lock).where(lock.c.released_at < before),
        "merges": sa.delete(merge).where(sa.func.coalesce(merge.c.split_at, merge.c.merged_at) < before),
        "values of changes": sa.update(change)
        .where(change.c.changed_at < before, sa.or_(change.c.old.is_not(None), change.c.new.is_not(None)))
        .values(old=None, new=None),
    }
    counts = Counter({name: connection.execute(statement).rowcount for name, statement in gone.items()})
    counts["tombstones"] = _lapsed(connection, policy, day)
    return counts


def _lapsed(connection: Connection, policy: PatronPolicy, day: date) -> int:
    stone = core_patron_tombstone
    rows = connection.execute(sa.select(stone.c.tombstone_key, stone.c.erased_on, stone.c.seen_on)).all()
    over = [
        row.tombstone_key
        for row in rows
        if day > Tombstone(bytes(row.tombstone_key), row.erased_on, row.seen_on).lapses_after(policy.erasure)
    ]
    if over:
        connection.execute(
            sa.delete(stone).where(stone.c.tombstone_key == sa.bindparam("stone")), [{"stone": each} for each in over]
        )
    return len(over)
