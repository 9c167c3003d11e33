"""Two bibs that are one become one: holdings move, a library's double holding is joined, ids lead to the survivor.

Nothing is thrown away: what changes keeps its before-image, and each merge is a row that says who did it, why, and
what it changed, so that it can be parted again (splitting.py). Everything here runs under the catalogue lock.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.warehouse.core import core_bib, core_bib_identifier, core_holding, core_holding_version
from schemas.warehouse.merging import core_bib_merge, core_bib_merge_part
from tasks.catalogue.bib_store import Change, keep_before_images
from tasks.catalogue.holding_store import HoldingVersion, lines_of, write_holding_versions
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.ids import take_id

MERGED_AWAY = "merged_away"
"""Rule of a record of the catalogue's export whose bib was merged into another one."""
LineKey = tuple[str, str, str]
"""What makes a line the same line: (tag, owner, content)."""


@dataclass(frozen=True)
class MergeOccasion:
    """Why two bibs are merged, by whom, and in which change of the catalogue."""

    change_no: int
    now: datetime
    by: str
    rule: str
    """asked, duplicate, review, catalogue; forced."""
    reason: str
    objections: tuple[str, ...] = ()
    """What spoke against it and was overruled, in words."""
    score: float | None = None
    evidence: dict[str, Any] | None = None
    delivery_id: int | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Merged:
    """What a merge did. `went_to`: for each holding of the merged bib the one that has its lines, and its version."""

    merge_id: int
    survivor_id: int
    merged_id: int
    went_to: dict[int, tuple[int, int]] = field(default_factory=dict)


def by_delivery(change: Change, by: str, rule: str, reason: str) -> MergeOccasion:
    """The occasion of a merge that is part of what a delivery did."""
    return MergeOccasion(change.change_no, change.now, by, rule, reason, delivery_id=change.delivery_id)


def merge_bibs(connection: Connection, occasion: MergeOccasion, loser: int, survivor: int) -> Merged | None:
    """Merge `loser` into `survivor`, or into the bib that took that one's place; None: they are one already."""
    survivor = _resolved(connection, survivor)
    if survivor in (loser, _resolved(connection, loser)):
        return None
    merge_id = take_id(connection, "bib_merge")
    version = keep_before_images(connection, [loser], occasion.now)[loser] + 1
    numbers = _lead_numbers(connection, loser, survivor, occasion.delivery_id)
    pointers = connection.execute(
        sa.select(core_bib.c.bib_id).where(core_bib.c.merged_into == loser).order_by(core_bib.c.bib_id)
    ).scalars()
    _write_merge(connection, occasion, (merge_id, survivor, loser), numbers, list(pointers))
    touched = {"change_no": occasion.change_no, "updated_at": occasion.now}
    gone = {"is_deleted": True, "merged_into": survivor, "version": version}
    connection.execute(sa.update(core_bib).where(core_bib.c.bib_id == loser).values(**gone, **touched))
    connection.execute(sa.update(core_bib).where(core_bib.c.merged_into == loser).values(merged_into=survivor))
    connection.execute(sa.update(core_bib).where(core_bib.c.bib_id == survivor).values(**touched))
    parts = [_Part("bib", loser, "merged", version)]
    went_to = _move_holdings(connection, occasion, loser, survivor, parts)
    bulk_insert(connection, core_bib_merge_part, _Part._fields, [tuple(each) for each in parts], {"merge_id": merge_id})
    return Merged(merge_id, survivor, loser, went_to)


class _Part(NamedTuple):
    """A bib or holding that the merge changed; `joined_id` of an emptied holding: the one that has its lines."""

    entity: str
    entity_id: int
    role: str
    version_made: int
    joined_id: int | None = None


def _resolved(connection: Connection, bib_id: int) -> int:
    found = connection.execute(
        sa.select(sa.func.coalesce(core_bib.c.merged_into, core_bib.c.bib_id)).where(core_bib.c.bib_id == bib_id)
    ).scalar_one()
    return int(found)


def _lead_numbers(connection: Connection, loser: int, survivor: int, delivery_id: int | None) -> list[tuple[str, str]]:
    """Let the loser's numbers, its control number among them, lead to the survivor; returns those that did not yet.

    Its ISBNs stay with its record: matching looks at that, too (tasks/matching/candidates.py).
    """
    number = core_bib_identifier.c
    own = connection.execute(sa.select(number.scheme, number.value, number.source).where(number.bib_id == loser))
    wanted = {(row.scheme, row.value): row.source for row in own}
    control = sa.select(core_bib.c.control_number, core_bib.c.source).where(core_bib.c.bib_id == loser)
    control_number, source = connection.execute(control).one()
    wanted.setdefault(("control_number", control_number), source)
    there = connection.execute(sa.select(number.scheme, number.value).where(number.bib_id == survivor))
    missing = wanted.keys() - {tuple(row) for row in there}
    rows = [(survivor, *each, wanted[each]) for each in sorted(missing)]
    columns = ("bib_id", "scheme", "value", "source")
    bulk_insert(connection, core_bib_identifier, columns, rows, {"delivery_id": delivery_id})
    return sorted(missing)


def _write_merge(
    connection: Connection,
    occasion: MergeOccasion,
    ids: tuple[int, int, int],
    numbers: list[tuple[str, str]],
    pointers: list[int],
) -> None:
    merge_id, survivor, loser = ids
    connection.execute(
        sa.insert(core_bib_merge).values(
            merge_id=merge_id,
            survivor_id=survivor,
            merged_id=loser,
            rule=occasion.rule,
            reason=occasion.reason,
            objections=orjson.dumps(occasion.objections).decode(),
            score=occasion.score,
            evidence=None if occasion.evidence is None else orjson.dumps(occasion.evidence).decode(),
            numbers=orjson.dumps(numbers).decode(),
            pointers=orjson.dumps(pointers).decode(),
            by=occasion.by,
            delivery_id=occasion.delivery_id,
            run_id=occasion.run_id,
            merged_at=occasion.now,
            left_as_is="[]",
        )
    )


def _move_holdings(
    connection: Connection, occasion: MergeOccasion, loser: int, survivor: int, parts: list[_Part]
) -> dict[int, tuple[int, int]]:
    """Move the loser's holdings, and add to `parts` what changed."""
    rows = connection.execute(
        sa.select(core_holding.c.holding_id, core_holding.c.bib_id, core_holding.c.sigel)
        .where(core_holding.c.bib_id.in_([loser, survivor]), sa.not_(core_holding.c.is_deleted))
        .order_by(core_holding.c.holding_id)
    ).all()
    there = {row.sigel: row.holding_id for row in rows if row.bib_id == survivor}
    lines = lines_of(connection, [row.holding_id for row in rows])
    emptied: list[HoldingVersion] = []
    changed: list[HoldingVersion] = []
    went_to: dict[int, int] = {}
    for row in rows:
        if row.bib_id != loser:
            continue
        double = there.get(row.sigel)
        went_to[row.holding_id] = row.holding_id if double is None else double
        if double is None:
            changed.append(HoldingVersion(row.holding_id, lines[row.holding_id], bib_id=survivor))
        else:
            emptied.append(HoldingVersion(row.holding_id, ()))
            changed.append(HoldingVersion(double, joined_lines(lines[double], lines[row.holding_id])))
    # The double holding goes first: at most one that is not deleted may stand for each (bib, sigel).
    gone = write_holding_versions(connection, occasion.delivery_id, emptied, occasion.now)
    made = write_holding_versions(connection, occasion.delivery_id, changed, occasion.now)
    for holding_id, target in went_to.items():
        if holding_id == target:
            parts.append(_Part("holding", holding_id, "moved", made[holding_id]))
        else:
            parts.append(_Part("holding", holding_id, "emptied", gone[holding_id], target))
            parts.append(_Part("holding", target, "joined", made[target]))
    return {holding_id: (target, made[target]) for holding_id, target in went_to.items()}


def line_key(line: HoldingLine) -> LineKey:
    """What makes a line the same line."""
    return line.tag, line.owner, line.content


def joined_lines(first: list[HoldingLine], second: list[HoldingLine]) -> list[HoldingLine]:
    """The lines of the first, then those of the second that it lacks."""
    known = {line_key(line) for line in first}
    return first + [line for line in second if line_key(line) not in known]


def images_of(connection: Connection, versions: dict[int, int]) -> dict[int, sa.Row[Any]]:
    """Before-images of holdings by holding_id: of each the last one up to the version given in which it had lines."""
    wanted = id_set(connection, versions)
    rows = connection.execute(
        sa.select(core_holding_version)
        .join(wanted, wanted.c.value == core_holding_version.c.holding_id)
        .where(sa.not_(core_holding_version.c.is_deleted))
        .order_by(core_holding_version.c.version)
    )
    return {row.holding_id: row for row in rows if row.version <= versions[row.holding_id]}


def lines_from_merges(
    connection: Connection, survivor: int, holding_ids: Collection[int], but_for: int = 0
) -> dict[int, list[HoldingLine]]:
    """Lines that came to holdings from doubles by standing merges into `survivor`, but for one merge; by holding_id."""
    wanted = id_set(connection, holding_ids)
    part = core_bib_merge_part
    rows = connection.execute(
        sa.select(part.c.joined_id, core_holding_version.c.lines)
        .join(wanted, wanted.c.value == part.c.joined_id)
        .join(core_bib_merge, core_bib_merge.c.merge_id == part.c.merge_id)
        .join(
            core_holding_version,
            sa.and_(
                core_holding_version.c.holding_id == part.c.entity_id,
                core_holding_version.c.version == part.c.version_made - 1,
            ),
        )
        .where(part.c.role == "emptied", part.c.merge_id != but_for)
        .where(core_bib_merge.c.survivor_id == survivor, core_bib_merge.c.split_at.is_(None))
        .order_by(part.c.merge_id)
    )
    found: dict[int, list[HoldingLine]] = {}
    for holding_id, lines in rows:
        found.setdefault(holding_id, []).extend(HoldingLine(*each) for each in orjson.loads(lines))
    return found


def moved_by_merges(connection: Connection, holding_ids: Collection[int | None]) -> set[int | None]:
    """Of these holdings those that standing merges have moved with their bib."""
    if not holding_ids:
        return set()
    wanted = id_set(connection, [each for each in holding_ids if each is not None])
    part = core_bib_merge_part.c
    rows = connection.execute(
        sa.select(part.entity_id)
        .join(wanted, wanted.c.value == part.entity_id)
        .join(core_bib_merge, core_bib_merge.c.merge_id == part.merge_id)
        .where(part.entity == "holding", part.role == "moved", core_bib_merge.c.split_at.is_(None))
    )
    return set(rows.scalars())
