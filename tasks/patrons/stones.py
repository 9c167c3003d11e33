"""Tombstones where a library system's export brings back who was erased here: the user is passed by, and noted.

What a source's file brings back is stopped where its rows are placed (lookups.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.patron_validity import ErasureRules
from schemas.warehouse.patrons import core_patron_tombstone
from tasks.patrons.erasure import Tombstone, tombstone_key


def erased_keys(
    connection: Connection,
    institution: str,
    code: str,
    namespace: str,
    keys: Collection[str],
    *,
    rules: ErasureRules,
    day: date,
    salt: bytes,
) -> set[str]:
    """Those of `keys` that a tombstone of (institution, `code`) stops on that day; it is noted that they came."""
    stone = core_patron_tombstone
    if not keys:
        return set()
    rows = connection.execute(
        sa.select(stone.c.tombstone_key, stone.c.erased_on, stone.c.seen_on).where(
            stone.c.institution == institution, stone.c.source == code
        )
    ).all()
    known = {bytes(row.tombstone_key): Tombstone(*row) for row in rows}
    if not known:
        return set()
    found: dict[str, bytes] = {}
    for each in keys:
        named = tombstone_key(institution, code, namespace, each, salt)
        if named in known and known[named].stops_on(day, rules):
            found[each] = named
    if found:
        connection.execute(
            sa.update(stone).where(stone.c.tombstone_key == sa.bindparam("stone")).values(seen_on=sa.bindparam("day")),
            [{"stone": each, "day": known[each].seen(day).seen_on} for each in sorted(found.values())],
        )
    return set(found)
