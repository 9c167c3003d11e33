"""Writing holdings: creating them from the working set, and new versions whose before-images are kept.

Everything here runs inside a transaction that holds the catalogue lock. What changes carries a number of the
catalogue's changes: the export to local systems finds it by that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.warehouse.core import core_holding, core_holding_line, core_holding_version, core_outcome
from schemas.warehouse.stage import stage_holding_line
from tasks.warehouse.bulk import bulk_insert, id_set, position_set, rows_as_json
from tasks.warehouse.ids import take_id
from tasks.warehouse.planner import in_range, joined_as_sets

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
        {
            "version": 1,
            "delivery_id": delivery_id,
            "created_at": now,
            "updated_at": now,
            "is_deleted": False,
            "change_no": take_id(connection, "change") if holdings else 0,
        },
    )


@dataclass(frozen=True)
class MadeHoldings:
    """Holdings made of staged ones. `pairs` has the columns delivery_id, position, part and holding_id."""

    delivery_id: int
    first: int
    last: int
    """Positions of the delivery, lowest and highest."""
    pairs: sa.CTE
    first_id: int
    number: int


_PARTS = 1 << 20
"""More holdings than a record can have."""


def made_holdings(
    connection: Connection, delivery_id: int, places: Sequence[tuple[int, int]], first_id: int
) -> MadeHoldings:
    """The places (position, part) of new holdings, in order, with their ids: a gapless block from `first_id`."""
    wanted = id_set(connection, [position * _PARTS + part for position, part in places])
    pairs = sa.select(
        sa.literal(delivery_id, sa.BigInteger).label("delivery_id"),
        sa.cast(wanted.c.value // _PARTS, sa.Integer).label("position"),
        sa.cast(wanted.c.value % _PARTS, sa.Integer).label("part"),
        (sa.func.row_number().over(order_by=wanted.c.value) + (first_id - 1)).label("holding_id"),
    )
    cte = pairs.cte("made").prefix_with("MATERIALIZED")
    return MadeHoldings(delivery_id, places[0][0], places[-1][0], cte, first_id, len(places))


def copy_staged_lines(connection: Connection, made: MadeHoldings) -> None:
    """Give new holdings the lines of the staged holdings that made them, in one statement."""
    names = ["line_no", *LINE_FIELDS]
    staged, pairs = stage_holding_line, made.pairs
    rows = (
        sa.select(pairs.c.holding_id, *(staged.c[name] for name in names))
        .join(
            staged,
            sa.and_(
                staged.c.delivery_id == pairs.c.delivery_id,
                staged.c.position == pairs.c.position,
                staged.c.part == pairs.c.part,
            ),
        )
        .where(in_range(connection, staged, made.delivery_id, made.first, made.last))
    )
    with joined_as_sets(connection):
        connection.execute(sa.insert(core_holding_line).from_select(["holding_id", *names], rows))


def write_created_outcomes(
    connection: Connection, made: MadeHoldings, outcome: str, rule: str, reason: str, now: datetime
) -> None:
    """The outcomes of new holdings whose records had none before, in one statement."""
    shared = {
        "seq": 1, "is_latest": True, "record_type": "holding", "outcome": outcome, "rule": rule, "reason": reason,
        "version": 1, "decided_at": now,
    }  # fmt: skip
    pairs, holding = made.pairs, core_holding.c
    rows = sa.select(
        pairs.c.delivery_id, pairs.c.position, pairs.c.part, holding.sigel, holding.bib_id, pairs.c.holding_id,
        *(sa.literal(value, core_outcome.c[name].type) for name, value in shared.items()),
    ).join(core_holding, holding.holding_id == pairs.c.holding_id)  # fmt: skip
    if connection.dialect.name == "postgresql":
        rows = rows.where(holding.holding_id.between(made.first_id, made.first_id + made.number - 1))
    names = ["delivery_id", "position", "part", "sigel", "bib_id", "holding_id", *shared]
    connection.execute(sa.insert(core_outcome).from_select(names, rows))


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
    statement = (
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
        .where(in_range(connection, stage_holding_line, delivery_id, min(positions), max(positions)))
        .order_by(stage_holding_line.c.position, stage_holding_line.c.part, stage_holding_line.c.line_no)
    )
    with joined_as_sets(connection):
        rows = connection.execute(statement).all()
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
    numbers = keep_before_images(connection, ids, now)
    change_no = take_id(connection, "change")
    for is_deleted in (False, True):
        some = id_set(connection, [each.holding_id for each in versions if (not each.lines) is is_deleted])
        connection.execute(
            sa.update(core_holding)
            .where(core_holding.c.holding_id.in_(sa.select(some.c.value)))
            .values(
                version=core_holding.c.version + 1,
                delivery_id=delivery_id,
                updated_at=now,
                is_deleted=is_deleted,
                change_no=change_no,
            )
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


def keep_before_images(connection: Connection, holding_ids: Collection[int], now: datetime) -> dict[int, int]:
    """Copy holdings as they are into `core_holding_version`; returns their version numbers by holding_id."""
    wanted = id_set(connection, holding_ids)
    names = ["holding_id", "version", "bib_id", "is_visible", "is_deleted", "delivery_id", "updated_at", "change_no"]
    lines = rows_as_json(connection, core_holding_line, LINE_FIELDS, core_holding.c.holding_id)
    rows = sa.select(
        *(core_holding.c[name] for name in names), lines, sa.literal(now, core_holding.c.updated_at.type)
    ).join(wanted, wanted.c.value == core_holding.c.holding_id)
    connection.execute(sa.insert(core_holding_version).from_select([*names, "lines", "ended_at"], rows))
    found = connection.execute(
        sa.select(core_holding.c.holding_id, core_holding.c.version).join(
            wanted, wanted.c.value == core_holding.c.holding_id
        )
    )
    return {row.holding_id: row.version for row in found.all()}
