"""Merging two persons of the warehouse, and parting them again: both stored with their images, nothing thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.patrons import core_patron, core_patron_merge
from tasks.patrons.images import from_image, image_of
from tasks.patrons.occasion import Occasion
from tasks.patrons.plan_merging import belongings, clashing, plan_merge, plan_split
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import load_records, save_plans
from tasks.patrons.survivors import Moved, PersonMerge, PersonSplit, merge_persons, split
from tasks.warehouse.ids import take_id


def merge_two(
    connection: Connection, survivor_id: int, merged_id: int, occasion: Occasion, *, by: str, now: datetime
) -> tuple[int, PersonMerge] | None:
    """Make `merged_id` a pointer to `survivor_id`; returns the merge's id and what moved, None: it is one already.

    Raises `UsageError` for persons of two institutions, for one and itself, and for one that was merged elsewhere.
    """
    survivor, merged = _both(connection, survivor_id, merged_id)
    if survivor.institution != merged.institution:
        raise UsageError("the two persons are of two institutions", remedy="each institution keeps persons of its own")
    pointers = _pointers(connection, survivor, merged)
    theirs, ours = belongings(merged), belongings(survivor)
    done = merge_persons(survivor_id, merged_id, theirs, ours | clashing(survivor, merged), pointers)
    if done is None:
        return None
    plans = plan_merge(survivor, merged, done.moved, occasion, by)
    merge_id = take_id(connection, "patron_merge")
    save_plans(connection, plans, run_id=f"merge:{merge_id}", delivery_id=None, now=now, day=occasion.day)
    images = {
        "survivor": [survivor.version, image_of(survivor)],
        "merged": [merged.version, image_of(merged)],
        "moved": [list(each) for each in done.moved],
        "left": [list(each) for each in done.left],
    }
    connection.execute(
        sa.insert(core_patron_merge).values(
            merge_id=merge_id,
            survivor_id=survivor_id,
            merged_id=merged_id,
            images=orjson.dumps(images).decode(),
            by=by,
            merged_at=now,
        )
    )
    return merge_id, done


def split_again(
    connection: Connection, merge_id: int, occasion: Occasion, *, by: str, now: datetime
) -> PersonSplit | None:
    """Part two persons that a merge made one; None: they are parted already.

    What the sources said since goes back with them; what others took away since stays away, and is listed as lost.
    Raises `UsageError` where there is no such merge, or one of the two is no longer there.
    """
    row = connection.execute(
        sa.select(core_patron_merge).where(core_patron_merge.c.merge_id == merge_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise UsageError(f"there is no merge {merge_id}")
    if row.split_at is not None:
        return None
    survivor, merged = _both(connection, row.survivor_id, row.merged_id)
    images: dict[str, Any] = orjson.loads(row.images)
    moved, left = (tuple(Moved(*each) for each in images[name]) for name in ("moved", "left"))
    done = PersonMerge(row.survivor_id, row.merged_id, moved, left)
    parted = split(done, belongings(survivor), _pointers(connection, survivor, merged))
    if parted is not None:
        before = from_image(row.survivor_id, *images["survivor"])
        plans = plan_split(survivor, merged, before, parted.moved, occasion, by)
        save_plans(connection, plans, run_id=f"split:{merge_id}", delivery_id=None, now=now, day=occasion.day)
    connection.execute(
        sa.update(core_patron_merge).where(core_patron_merge.c.merge_id == merge_id).values(split_at=now, split_by=by)
    )
    return parted


def _both(connection: Connection, survivor_id: int, merged_id: int) -> tuple[PersonRecord, PersonRecord]:
    found = load_records(connection, {survivor_id, merged_id})
    survivor, merged = found.get(survivor_id), found.get(merged_id)
    if survivor is None or merged is None or "erased" in (survivor.standing.state, merged.standing.state):
        raise UsageError("one of the two persons is not there any more", remedy="name two persons that are there")
    return survivor, merged


def _pointers(connection: Connection, *persons: PersonRecord) -> dict[int, int]:
    """Survivor pointers from these persons on, to the end of each."""
    pointers: dict[int, int] = {}
    following = {each.person_id: each.merged_into for each in persons}
    while following:
        pointers |= {one: other for one, other in following.items() if one is not None and other is not None}
        ahead = {each for each in following.values() if each is not None} - pointers.keys()
        rows = connection.execute(
            sa.select(core_patron.c.person_id, core_patron.c.merged_into).where(core_patron.c.person_id.in_(ahead))
        ).tuples()
        following = {one: other for one, other in rows if other is not None}
    return pointers
