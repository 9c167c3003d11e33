"""Two bibs that a merge made one become two again: the bib comes back, and each holding goes where it was.

What others changed since survives, and what cannot be put back is said in words; nothing is ever lost. Merges are
parted from the last one back: a bib that was merged on since has to be parted from that one first. Everything here
runs under the catalogue lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.core import core_bib, core_bib_identifier, core_holding
from schemas.warehouse.merging import core_bib_merge
from tasks.catalogue.bib_store import bib_records, keep_before_images
from tasks.catalogue.splitting_holdings import Left, note_version, part_holdings
from tasks.marc.encode import decode
from tasks.marc.facts import identifiers_of, isbn_facts
from tasks.warehouse.bulk import id_set
from tasks.warehouse.ids import take_id


@dataclass(frozen=True)
class SplitOccasion:
    """Why two bibs are parted, and by whom. `own_prefix` is our 003."""

    now: datetime
    by: str
    reason: str
    own_prefix: str
    run_id: str | None = None


@dataclass(frozen=True)
class Split:
    """What parting did. `left` says in words what was left as it was, `changed` the same of each holding by rule."""

    merge_id: int
    survivor_id: int
    merged_id: int
    holdings: int
    left: tuple[str, ...]
    changed: tuple[Left, ...] = ()


def standing_merge(connection: Connection, bib_id: int) -> int:
    """The merge by which a bib is part of another one, or was last. Raises `UsageError` where there is none."""
    is_parted = core_bib_merge.c.split_at.is_not(None)
    row = connection.execute(
        sa.select(core_bib_merge.c.merge_id)
        .where(core_bib_merge.c.merged_id == bib_id)
        .order_by(sa.case((is_parted, 1), else_=0), core_bib_merge.c.merge_id.desc())
    ).first()
    if row is not None:
        return int(row.merge_id)
    merges = connection.execute(
        sa.select(core_bib_merge.c.merge_id, core_bib_merge.c.merged_id)
        .where(core_bib_merge.c.survivor_id == bib_id, core_bib_merge.c.split_at.is_(None))
        .order_by(core_bib_merge.c.merge_id.desc())
    ).all()
    if merges:
        named = ", ".join(f"bib {each.merged_id} (merge {each.merge_id})" for each in merges)
        raise UsageError(
            f"bib {bib_id} was merged into no other; others were merged into it: {named}",
            remedy="name the bib that is to come back",
        )
    raise UsageError(f"no merge of bib {bib_id} is recorded", remedy="`samkat why bib ID` says what became of it")


def split_merge(connection: Connection, merge_id: int, occasion: SplitOccasion) -> Split | None:
    """Part two bibs that a merge made one; None: they are parted already.

    Raises `UsageError` where there is no such merge, or where one of the two was merged on since.
    """
    merge = connection.execute(
        sa.select(core_bib_merge).where(core_bib_merge.c.merge_id == merge_id).with_for_update()
    ).one_or_none()
    if merge is None:
        raise UsageError(f"there is no merge {merge_id}", remedy="`samkat why bib ID` names the merges of a bib")
    if merge.split_at is not None:
        return None
    left = _require_last(connection, merge)
    change_no = take_id(connection, "change")
    _bring_back(connection, merge, change_no, occasion.now)
    _forget_numbers(connection, merge, occasion.own_prefix)
    holdings, said = part_holdings(connection, merge, occasion.now)
    said += _came_since(connection, merge)
    left += [each.words for each in said]
    connection.execute(
        sa.update(core_bib_merge)
        .where(core_bib_merge.c.merge_id == merge_id)
        .values(
            split_at=occasion.now,
            split_by=occasion.by,
            split_reason=occasion.reason,
            split_run_id=occasion.run_id,
            left_as_is=orjson.dumps(left).decode(),
        )
    )
    return Split(merge_id, merge.survivor_id, merge.merged_id, holdings, tuple(left), tuple(said))


def _require_last(connection: Connection, merge: sa.Row[Any]) -> list[str]:
    """What is to be said of the two bibs before; raises `UsageError` where they were merged on."""
    rows = connection.execute(
        sa.select(core_bib.c.bib_id, core_bib.c.is_deleted, core_bib.c.merged_into).where(
            core_bib.c.bib_id.in_([merge.survivor_id, merge.merged_id])
        )
    )
    bibs = {row.bib_id: row for row in rows}
    survivor, merged = bibs[merge.survivor_id], bibs[merge.merged_id]
    if survivor.merged_into is not None:
        raise UsageError(
            f"bib {merge.survivor_id} was itself merged into bib {survivor.merged_into} since",
            remedy=f"part that one first: `samkat catalogue split {merge.survivor_id} --by NAME`",
        )
    if merged.merged_into != merge.survivor_id:
        raise UsageError(
            f"bib {merge.merged_id} is no longer part of bib {merge.survivor_id}",
            remedy="`samkat why bib ID` says what became of it",
        )
    if survivor.is_deleted:
        return [f"bib {merge.survivor_id} was deleted since, and stays so"]
    return []


def _bring_back(connection: Connection, merge: sa.Row[Any], change_no: int, now: datetime) -> None:
    """The bib is there again, and those that had been merged into it before are part of it again."""
    version = keep_before_images(connection, [merge.merged_id], now)[merge.merged_id] + 1
    touched = {"change_no": change_no, "updated_at": now}
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id == merge.merged_id)
        .values(is_deleted=False, merged_into=None, version=version, **touched)
    )
    pointers = id_set(connection, orjson.loads(merge.pointers))
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id.in_(sa.select(pointers.c.value)), core_bib.c.merged_into == merge.survivor_id)
        .values(merged_into=merge.merged_id)
    )
    connection.execute(sa.update(core_bib).where(core_bib.c.bib_id == merge.survivor_id).values(**touched))
    note_version(connection, merge.merge_id, "bib", merge.merged_id, version)


def _forget_numbers(connection: Connection, merge: sa.Row[Any], own_prefix: str) -> None:
    """The numbers that the merge brought lead to the survivor no longer.

    They stay where its record has them now, and where another bib that is part of it has them.
    """
    survivor, number = merge.survivor_id, core_bib_identifier.c
    record = decode(bib_records(connection, [survivor])[survivor])
    own = {tuple(each) for each in identifiers_of(record, isbn_facts(record), own_prefix)}
    others = sa.select(core_bib.c.bib_id).where(core_bib.c.merged_into == survivor)
    own |= {
        tuple(row)
        for row in connection.execute(sa.select(number.scheme, number.value).where(number.bib_id.in_(others)))
    }
    controls = sa.select(core_bib.c.control_number).where(core_bib.c.merged_into == survivor)
    own |= {("control_number", each) for each in connection.execute(controls).scalars()}
    for scheme, value in orjson.loads(merge.numbers):
        if (scheme, value) not in own:
            mine = sa.and_(number.bib_id == survivor, number.scheme == scheme, number.value == value)
            connection.execute(sa.delete(core_bib_identifier).where(mine))


def _came_since(connection: Connection, merge: sa.Row[Any]) -> list[Left]:
    """Holdings that came to the survivor after the merge: nobody can say which of the two they mean."""
    rows = connection.execute(
        sa.select(core_holding.c.holding_id, core_holding.c.sigel)
        .where(
            core_holding.c.bib_id == merge.survivor_id,
            sa.not_(core_holding.c.is_deleted),
            core_holding.c.created_at > merge.merged_at,
        )
        .order_by(core_holding.c.holding_id)
    )
    words = "holding {} ({}) came to bib {} after the merge, and stays there"
    return [
        Left("came_since", row.holding_id, row.sigel, words.format(row.holding_id, row.sigel, merge.survivor_id))
        for row in rows
    ]
