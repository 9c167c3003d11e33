"""Two bibs that are one become one: holdings move, a library's double holding is joined, ids lead to the survivor."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine, Identifier
from schemas.warehouse.core import core_bib, core_bib_identifier, core_holding
from tasks.catalogue.bib_store import Change, add_identifiers, keep_before_images
from tasks.catalogue.holding_store import HoldingVersion, lines_of, write_holding_versions


def merge_bibs(connection: Connection, change: Change, loser: int, survivor: int) -> dict[int, tuple[int, int]]:
    """Merge `loser` into `survivor`; what changes keeps its before-image. Merging again changes nothing.

    Returns for each holding of the loser the one that has its lines now, and the version made of that.
    """
    survivor = _resolved(connection, survivor)
    if survivor in (loser, _resolved(connection, loser)):
        return {}
    keep_before_images(connection, [loser], change.now)
    numbers = connection.execute(
        sa.select(core_bib_identifier.c.scheme, core_bib_identifier.c.value).where(
            core_bib_identifier.c.bib_id == loser
        )
    )
    add_identifiers(connection, change, [(survivor, Identifier(*row)) for row in numbers])
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id == loser)
        .values(
            is_deleted=True,
            merged_into=survivor,
            version=core_bib.c.version + 1,
            change_no=change.change_no,
            updated_at=change.now,
        )
    )
    connection.execute(sa.update(core_bib).where(core_bib.c.merged_into == loser).values(merged_into=survivor))
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id == survivor)
        .values(change_no=change.change_no, updated_at=change.now)
    )
    return _move_holdings(connection, change, loser, survivor)


def _resolved(connection: Connection, bib_id: int) -> int:
    found = connection.execute(
        sa.select(sa.func.coalesce(core_bib.c.merged_into, core_bib.c.bib_id)).where(core_bib.c.bib_id == bib_id)
    ).scalar_one()
    return int(found)


def _move_holdings(connection: Connection, change: Change, loser: int, survivor: int) -> dict[int, tuple[int, int]]:
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
        if row.sigel in there:
            emptied.append(HoldingVersion(row.holding_id, ()))
            changed.append(HoldingVersion(there[row.sigel], _joined(lines[there[row.sigel]], lines[row.holding_id])))
            went_to[row.holding_id] = there[row.sigel]
        else:
            went_to[row.holding_id] = row.holding_id
            changed.append(HoldingVersion(row.holding_id, lines[row.holding_id], bib_id=survivor))
    # The double holding goes first: at most one that is not deleted may stand for each (bib, sigel).
    write_holding_versions(connection, change.delivery_id, emptied, change.now)
    made = write_holding_versions(connection, change.delivery_id, changed, change.now)
    return {holding_id: (target, made[target]) for holding_id, target in went_to.items()}


def _joined(first: list[HoldingLine], second: list[HoldingLine]) -> list[HoldingLine]:
    known = {(line.tag, line.owner, line.content) for line in first}
    return first + [line for line in second if (line.tag, line.owner, line.content) not in known]
