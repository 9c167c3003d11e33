"""The holdings of a merge that is parted: moved ones go back with their bib, double ones come back.

What others did since survives: a holding that changed keeps its lines, one that its library gave up stays gone, and
what other merges brought stays with the bib. Each of these is said in words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.warehouse.core import core_holding
from schemas.warehouse.merging import core_bib_merge, core_bib_merge_part
from tasks.catalogue.holding_store import HoldingVersion, lines_of, write_holding_versions
from tasks.catalogue.merging import LineKey, images_of, line_key, lines_from_merges
from tasks.warehouse.bulk import id_set


class Left(NamedTuple):
    """A holding that others changed since the merge, and what that means for the split.

    `rule`: changed_since, given_up, moved_on (of one that had moved with its bib), double_changed, double_gone (of one
    that had been joined), came_since (of one that came to the joint bib later).
    """

    rule: str
    holding_id: int
    sigel: str
    words: str


@dataclass
class _Parting:
    """What becomes of the holdings of a merge; `back` are those that get the delivery of their before-image again."""

    versions: list[HoldingVersion] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def part_holdings(connection: Connection, merge: sa.Row[Any], now: datetime) -> tuple[int, list[Left]]:
    """Put each holding back; returns how many, and what others had changed since."""
    parts = connection.execute(
        sa.select(core_bib_merge_part)
        .where(core_bib_merge_part.c.merge_id == merge.merge_id, core_bib_merge_part.c.entity == "holding")
        .order_by(core_bib_merge_part.c.entity_id)
    ).all()
    made = {each.entity_id: each.version_made for each in parts}
    wanted = id_set(connection, made)
    rows = connection.execute(sa.select(core_holding).join(wanted, wanted.c.value == core_holding.c.holding_id))
    now_there = {row.holding_id: row for row in rows}
    lines = lines_of(connection, made)
    images = images_of(connection, {holding_id: version - 1 for holding_id, version in made.items()})
    done = _Parting()
    others = lines_from_merges(connection, merge.survivor_id, made, merge.merge_id)
    for part in parts:
        if part.role == "moved":
            own = _without(lines.get(part.entity_id, []), images[part.entity_id], others.get(part.entity_id, ()))
            is_as_moved = _keys(own) == _keys(_lines(images[part.entity_id]))
            _move_back(merge, now_there[part.entity_id], own, is_as_moved, done)
    doubles = [each for each in parts if each.role == "emptied"]
    for part in doubles:
        pair = (now_there[part.entity_id], now_there[part.joined_id])
        _part_double(merge, pair, made, (images, lines, others), done)
    versions = write_holding_versions(connection, None, done.versions, now)
    left_behind = [each.holding_id for each in done.versions if each.bib_id is not None and each.holding_id in others]
    _keep_for_others(connection, merge, left_behind, now)
    _give_back_deliveries(connection, images, done.back)
    for holding_id, version in versions.items():
        note_version(connection, merge.merge_id, "holding", holding_id, version)
    return len(versions), done.left


def _move_back(
    merge: sa.Row[Any], holding: sa.Row[Any], lines: Sequence[HoldingLine], is_as_moved: bool, done: _Parting
) -> None:
    """A holding that moved with its bib moves back, with the lines that it has now."""
    left = partial(_left, done, holding)
    if holding.bib_id != merge.survivor_id:
        left("moved_on", f"was moved to bib {holding.bib_id} since, and stays there")
    elif holding.is_deleted:
        left("given_up", "was given up by its library since: it does not come back")
    else:
        done.versions.append(HoldingVersion(holding.holding_id, lines, bib_id=merge.merged_id))
        if is_as_moved:
            done.back.append(holding.holding_id)
        else:
            left("changed_since", "was changed since: it went back with the lines that it has now")


def _without(lines: Sequence[HoldingLine], image: sa.Row[Any], others: Sequence[HoldingLine]) -> Sequence[HoldingLine]:
    """The lines of a moved holding but for those that only other merges brought to it."""
    foreign = _keys(others) - _keys(_lines(image))
    return [line for line in lines if line_key(line) not in foreign]


def _keep_for_others(connection: Connection, merge: sa.Row[Any], holding_ids: Collection[int], now: datetime) -> None:
    """Doubles that other merges had joined with a holding that goes: the first of them takes its place.

    It comes to life under the surviving bib, with the lines of all of them, as if it had been moved there itself.
    """
    part = core_bib_merge_part
    wanted = id_set(connection, holding_ids)
    rows = connection.execute(
        sa.select(part.c.joined_id, part.c.entity_id, part.c.merge_id)
        .join(wanted, wanted.c.value == part.c.joined_id)
        .join(core_bib_merge, core_bib_merge.c.merge_id == part.c.merge_id)
        .where(part.c.role == "emptied", part.c.merge_id != merge.merge_id)
        .where(core_bib_merge.c.survivor_id == merge.survivor_id, core_bib_merge.c.split_at.is_(None))
        .order_by(part.c.joined_id, part.c.merge_id)
    ).all()
    lines = lines_from_merges(connection, merge.survivor_id, holding_ids, merge.merge_id)
    heirs = {row.joined_id: row for row in reversed(rows)}
    made = write_holding_versions(
        connection,
        None,
        [
            HoldingVersion(heir.entity_id, _each_once(lines[joined_id]), bib_id=merge.survivor_id)
            for joined_id, heir in sorted(heirs.items())
        ],
        now,
    )
    for row in rows:
        heir = heirs[row.joined_id].entity_id
        double = sa.and_(part.c.merge_id == row.merge_id, part.c.entity == "holding")
        is_heir = row.entity_id == heir
        moved = {"role": "moved", "joined_id": None, "version_made": made[heir]}
        was_joined = sa.and_(double, part.c.entity_id == row.joined_id)
        if is_heir:
            connection.execute(sa.delete(part).where(was_joined))
            connection.execute(sa.update(part).where(double, part.c.entity_id == heir).values(**moved))
        else:
            connection.execute(sa.update(part).where(double, part.c.entity_id == row.entity_id).values(joined_id=heir))
            connection.execute(sa.update(part).where(was_joined).values(entity_id=heir, version_made=made[heir]))


def _part_double(
    merge: sa.Row[Any],
    pair: tuple[sa.Row[Any], sa.Row[Any]],
    made: dict[int, int],
    known: tuple[dict[int, sa.Row[Any]], dict[int, list[HoldingLine]], dict[int, list[HoldingLine]]],
    done: _Parting,
) -> None:
    """A library's double holding comes back, and the one that it was joined with loses what it brought."""
    (emptied, joined), (images, lines, others) = pair, known
    left = partial(_left, done, emptied)
    if joined.is_deleted or joined.bib_id != merge.survivor_id:
        happened = "given up by the library" if joined.is_deleted else f"moved to bib {joined.bib_id}"
        left("double_gone", f"was joined with holding {joined.holding_id}, which was {happened} since: it stays so")
        return
    back, before = _lines(images[emptied.holding_id]), _lines(images[joined.holding_id])
    done.versions.append(HoldingVersion(emptied.holding_id, back))
    done.back.append(emptied.holding_id)
    if joined.version == made[joined.holding_id]:
        done.versions.append(HoldingVersion(joined.holding_id, before))
        done.back.append(joined.holding_id)
        return
    brought = _keys(back) - _keys(before)
    present = lines.get(joined.holding_id, [])
    kept = _keys(others.get(joined.holding_id, ()))
    rest = [line for line in present if line_key(line) not in brought or line_key(line) in kept]
    if len(rest) < len(present):
        done.versions.append(HoldingVersion(joined.holding_id, rest))
    changed = brought - _keys(present)
    if changed:
        left(
            "double_changed",
            f"has its {len(back)} lines again; {len(changed)} of them had been changed or removed since on"
            f" holding {joined.holding_id}, which stays as it is",
        )


def _left(done: _Parting, holding: sa.Row[Any], rule: str, words: str) -> None:
    what = f"holding {holding.holding_id} ({holding.sigel})"
    done.left.append(Left(rule, holding.holding_id, holding.sigel, f"{what} {words}"))


def _lines(image: sa.Row[Any]) -> list[HoldingLine]:
    return [HoldingLine(*each) for each in orjson.loads(image.lines)]


def _each_once(lines: Iterable[HoldingLine]) -> list[HoldingLine]:
    return list({line_key(line): line for line in lines}.values())


def _keys(lines: Iterable[HoldingLine]) -> set[LineKey]:
    return {line_key(line) for line in lines}


def _give_back_deliveries(connection: Connection, images: dict[int, sa.Row[Any]], back: Collection[int]) -> None:
    """Holdings that are as they were are those of the delivery that had changed them last."""
    for holding_id in back:
        if images[holding_id].delivery_id is not None:
            connection.execute(
                sa.update(core_holding)
                .where(core_holding.c.holding_id == holding_id)
                .values(delivery_id=images[holding_id].delivery_id)
            )


def note_version(connection: Connection, merge_id: int, entity: str, entity_id: int, version: int) -> None:
    """Say in a part of the merge which version the split made."""
    part = core_bib_merge_part
    connection.execute(
        sa.update(part)
        .where(part.c.merge_id == merge_id, part.c.entity == entity, part.c.entity_id == entity_id)
        .values(split_version=version)
    )
