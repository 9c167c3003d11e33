"""Writing holdings: creating them from the working set, and new versions whose before-images are kept.

Everything here runs inside a transaction that holds the catalogue lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.warehouse.core import core_holding, core_holding_line, core_holding_version, core_outcome
from schemas.warehouse.stage import stage_holding_line
from tasks.warehouse.bulk import bulk_insert, id_set, position_set

LINE_FIELDS = ("tag", "shelf_mark", "public_note", "internal_note", "content", "owner")
"""In the order of `HoldingLine`."""


class NewHolding(NamedTuple):
    """A holding that was not there."""

    holding_id: int
    bib_id: int
    sigel: str
    is_visible: bool
    control_number: str = ""


def create_holdings(connection: Connection, delivery_id: int, holdings: Sequence[NewHolding], now: datetime) -> None:
    """Make holdings without lines; `copy_staged_lines` fills them once their outcomes are written."""
    bulk_insert(
        connection,
        core_holding,
        NewHolding._fields,
        [tuple(each) for each in holdings],
        {"version": 1, "delivery_id": delivery_id, "created_at": now, "updated_at": now, "is_deleted": False},
    )


def copy_staged_lines(
    connection: Connection, delivery_id: int, low: int, high: int, first_id: int, last_id: int
) -> None:
    """Give the holdings `first_id` to `last_id` the lines of the staged holdings that made them, in one statement."""
    names = ["line_no", *LINE_FIELDS]
    # Materialised, because SQLite would carry the range over to the lines and walk all of it for each holding.
    made = (
        sa.select(core_outcome.c.position, core_outcome.c.part, core_outcome.c.holding_id)
        .where(
            core_outcome.c.delivery_id == delivery_id,
            core_outcome.c.position > low,
            core_outcome.c.position <= high,
            core_outcome.c.is_latest,
            core_outcome.c.outcome == "created",
            (core_outcome.c.holding_id + 0).between(first_id, last_id),
        )
        .cte("made")
        .prefix_with("MATERIALIZED")
    )
    rows = sa.select(made.c.holding_id, *(stage_holding_line.c[name] for name in names)).join(
        stage_holding_line,
        sa.and_(
            stage_holding_line.c.delivery_id == delivery_id,
            stage_holding_line.c.position == made.c.position,
            stage_holding_line.c.part == made.c.part,
        ),
    )
    connection.execute(sa.insert(core_holding_line).from_select(["holding_id", *names], rows))


def lines_of(connection: Connection, holding_ids: Collection[int]) -> dict[int, list[HoldingLine]]:
    """Lines of holdings, in order."""
    wanted = id_set(connection, holding_ids)
    lines: dict[int, list[HoldingLine]] = defaultdict(list)
    rows = connection.execute(
        sa.select(core_holding_line.c.holding_id, *(core_holding_line.c[name] for name in LINE_FIELDS))
        .join(wanted, wanted.c.value == core_holding_line.c.holding_id)
        .order_by(core_holding_line.c.holding_id, core_holding_line.c.line_no)
    )
    for holding_id, *line in rows:
        lines[holding_id].append(HoldingLine(*line))
    return lines


def staged_lines(
    connection: Connection, delivery_id: int, positions: Collection[int]
) -> dict[tuple[int, int], list[HoldingLine]]:
    """Lines of staged holdings by (position, part)."""
    wanted = position_set(connection, delivery_id, positions)
    lines: dict[tuple[int, int], list[HoldingLine]] = defaultdict(list)
    rows = connection.execute(
        sa.select(
            stage_holding_line.c.position,
            stage_holding_line.c.part,
            *(stage_holding_line.c[name] for name in LINE_FIELDS),
        )
        .join(
            wanted,
            sa.and_(
                wanted.c.delivery_id == stage_holding_line.c.delivery_id,
                wanted.c.value == stage_holding_line.c.position,
            ),
        )
        .order_by(stage_holding_line.c.position, stage_holding_line.c.part, stage_holding_line.c.line_no)
    )
    for position, part, *line in rows:
        lines[position, part].append(HoldingLine(*line))
    return lines


class HoldingVersion(NamedTuple):
    """The next version of a holding: all its lines; none means that it is deleted."""

    holding_id: int
    lines: Sequence[HoldingLine]
    bib_id: int | None = None
    """Another bib, where the holding moves."""


def write_holding_versions(
    connection: Connection, delivery_id: int | None, versions: Sequence[HoldingVersion], now: datetime
) -> dict[int, int]:
    """Change holdings; before-images go to `core_holding_version`. Returns the new version numbers by holding_id."""
    if not versions:
        return {}
    ids = [each.holding_id for each in versions]
    numbers = _keep_before_images(connection, ids, now)
    for is_deleted in (False, True):
        some = id_set(connection, [each.holding_id for each in versions if (not each.lines) is is_deleted])
        connection.execute(
            sa.update(core_holding)
            .where(core_holding.c.holding_id.in_(sa.select(some.c.value)))
            .values(version=core_holding.c.version + 1, delivery_id=delivery_id, updated_at=now, is_deleted=is_deleted)
        )
    for each in versions:
        if each.bib_id is not None:
            connection.execute(
                sa.update(core_holding).where(core_holding.c.holding_id == each.holding_id).values(bib_id=each.bib_id)
            )
    wanted = id_set(connection, ids)
    connection.execute(
        sa.delete(core_holding_line).where(core_holding_line.c.holding_id.in_(sa.select(wanted.c.value)))
    )
    bulk_insert(
        connection,
        core_holding_line,
        ("holding_id", "line_no", *LINE_FIELDS),
        [(each.holding_id, number, *line) for each in versions for number, line in enumerate(each.lines, 1)],
    )
    return {holding_id: number + 1 for holding_id, number in numbers.items()}


def _keep_before_images(connection: Connection, holding_ids: Collection[int], now: datetime) -> dict[int, int]:
    wanted = id_set(connection, holding_ids)
    lines = lines_of(connection, holding_ids)
    names = ("holding_id", "version", "bib_id", "is_visible", "is_deleted", "delivery_id", "updated_at")
    rows = connection.execute(
        sa.select(*(core_holding.c[name] for name in names)).join(wanted, wanted.c.value == core_holding.c.holding_id)
    ).all()
    bulk_insert(
        connection,
        core_holding_version,
        (*names, "lines"),
        [(*row, orjson.dumps(lines[row.holding_id], default=list).decode()) for row in rows],
        {"ended_at": now},
    )
    return {row.holding_id: row.version for row in rows}
