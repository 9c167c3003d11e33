"""Undo of a delivery's holdings: lines back as they were, or only the supplier's own where others have changed it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.warehouse.core import core_holding, core_holding_version, core_outcome
from schemas.warehouse.raw import raw_delivery
from tasks.catalogue.holding_lines import merge_lines
from tasks.catalogue.holding_store import HoldingVersion, lines_of, write_holding_versions
from tasks.catalogue.reverting_bibs import Made, made_versions, still_as_made
from tasks.plans.revert import Reversible, RevertReport, Survivor, sort_for_undo
from tasks.warehouse.bulk import id_set


def revert_holdings(
    connection: Connection, delivery_id: int, changed: Collection[int], owner: str | None, now: datetime
) -> RevertReport:
    """Undo what the delivery made of the holdings `changed`.

    `owner` is the supplier whose lines they are; None for an export of the catalogue, which has the whole holding.
    """
    made = made_versions(connection, delivery_id, core_outcome.c.holding_id, changed)
    standing = _standing(connection, made)
    before = _before(connection, made)
    changes = [Reversible("holding", holding_id, each.last) for holding_id, each in sorted(made.items())]
    numbers: dict[int, int] = {holding_id: row.version for holding_id, row in standing.items()}
    as_made = still_as_made(connection, delivery_id, core_outcome.c.holding_id, made, numbers)
    untouched, survived = sort_for_undo(
        changes,
        lambda _entity, holding_id: made[holding_id].last if holding_id in as_made else numbers.get(holding_id),
    )
    back = {each.entity_id: before[each.entity_id] for each in untouched if made[each.entity_id].is_unbroken}
    if owner is not None:
        touched = {holding_id: made[holding_id] for holding_id in made if holding_id not in back}
        own, survived = _own_lines_back(connection, delivery_id, touched, before, owner, standing)
        back |= own
    else:
        survived += tuple(
            Survivor("holding", each.entity_id, "others changed it between two changes of this delivery")
            for each in untouched
            if each.entity_id not in back
        )
    there_again = _there_again(connection, standing, back)
    survived += tuple(
        Survivor("holding", holding_id, "the library has a new holding of this bib since") for holding_id in there_again
    )
    versions = [HoldingVersion(each, lines) for each, lines in sorted(back.items()) if each not in there_again]
    write_holding_versions(connection, None, versions, now)
    return RevertReport(len(versions), survived)


def _standing(connection: Connection, holding_ids: Collection[int]) -> dict[int, sa.Row[Any]]:
    wanted = id_set(connection, holding_ids)
    rows = connection.execute(sa.select(core_holding).join(wanted, wanted.c.value == core_holding.c.holding_id))
    return {row.holding_id: row for row in rows}


def _before(connection: Connection, made: Mapping[int, Made]) -> dict[int, list[HoldingLine]]:
    """Lines of each holding as they were before the delivery; none for one that it created."""
    wanted = id_set(connection, made)
    lines: dict[int, list[HoldingLine]] = {holding_id: [] for holding_id in made}
    rows = connection.execute(
        sa.select(core_holding_version.c.holding_id, core_holding_version.c.version, core_holding_version.c.lines).join(
            wanted, wanted.c.value == core_holding_version.c.holding_id
        )
    )
    for row in rows:
        if row.version == made[row.holding_id].first - 1:
            lines[row.holding_id] = [HoldingLine(*line) for line in orjson.loads(row.lines)]
    return lines


def _own_lines_back(
    connection: Connection,
    delivery_id: int,
    touched: Mapping[int, Made],
    before: Mapping[int, Sequence[HoldingLine]],
    owner: str,
    standing: Mapping[int, sa.Row[Any]],
) -> tuple[dict[int, list[HoldingLine]], tuple[Survivor, ...]]:
    """The lines of holdings that others changed, with the owner's lines as they were before; and what stays."""
    newer = _changed_by_same_sender(connection, delivery_id, touched)
    lines = lines_of(connection, touched)
    back: dict[int, list[HoldingLine]] = {}
    survived: list[Survivor] = []
    for holding_id in sorted(touched):
        own = [line for line in before[holding_id] if line.owner == owner]
        if holding_id in newer:
            survived.append(Survivor("holding", holding_id, "a later delivery of the same sender changed it"))
        elif standing[holding_id].is_deleted:
            survived.append(Survivor("holding", holding_id, "it was removed, or joined with another one, since"))
        else:
            now_there = lines[holding_id]
            back[holding_id] = list(merge_lines(now_there, owner, own).lines)
    return back, tuple(survived)


def _changed_by_same_sender(connection: Connection, delivery_id: int, made: Mapping[int, Made]) -> set[int]:
    """Holdings that another delivery of the same sender changed after this one."""
    wanted = id_set(connection, made)
    mine = raw_delivery.alias("mine")
    rows = connection.execute(
        sa.select(core_outcome.c.holding_id, core_outcome.c.version)
        .join(wanted, wanted.c.value == core_outcome.c.holding_id)
        .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
        .join(mine, sa.and_(mine.c.delivery_id == delivery_id, mine.c.sender == raw_delivery.c.sender))
        .where(core_outcome.c.delivery_id != delivery_id, core_outcome.c.is_latest)
    )
    return {row.holding_id for row in rows if row.version and row.version > made[row.holding_id].first}


def _there_again(
    connection: Connection, standing: Mapping[int, sa.Row[Any]], back: Mapping[int, Sequence[HoldingLine]]
) -> set[int]:
    """Holdings that would come back from the dead beside a new one of the same (bib, sigel)."""
    deleted = {holding_id for holding_id, lines in back.items() if lines and standing[holding_id].is_deleted}
    bibs = id_set(connection, {standing[holding_id].bib_id for holding_id in deleted})
    live = {
        (row.bib_id, row.sigel)
        for row in connection.execute(
            sa.select(core_holding.c.bib_id, core_holding.c.sigel)
            .join(bibs, bibs.c.value == core_holding.c.bib_id)
            .where(sa.not_(core_holding.c.is_deleted))
        )
    }
    return {each for each in deleted if (standing[each].bib_id, standing[each].sigel) in live}
