"""What a file is composed of: bibs with their records, and their holdings with their lines, a set at a time.

Every statement takes the ids of a whole chunk. Instants come as the text of a 005, so that nobody parses them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.export_profiles import ExportProfile
from schemas.warehouse.core import core_bib, core_holding, core_holding_line, core_holding_version
from schemas.warehouse.raw import raw_delivery, raw_record, record_taken
from tasks.exports.choosing import Chosen, Reason, ids_of, is_mine
from tasks.exports.window import Window
from tasks.warehouse.bulk import id_set
from tasks.warehouse.engine import WITH_RECORDS


class BibRow(NamedTuple):
    """A bib as it is now."""

    bib_id: int
    control_number: str
    content: bytes
    """The record in its stored form (tasks/marc/encode.py)."""
    is_catalogues: bool
    """The record came in an export of the union catalogue: its 005 is the catalogue's own."""
    changed_at: str
    """005 of its last change here: YYYYMMDDhhmmss.0, UTC."""
    is_deleted: bool
    successor: str | None
    """Control number of the bib that took its place."""
    former: tuple[str, ...] = ()
    """Control numbers of the bibs whose place it took."""


class HoldingLineRow(NamedTuple):
    """A line of a holding; `content` is JSON `[indicators, [[code, value], ...]]`."""

    tag: str
    owner: str
    content: str


class HoldingRow(NamedTuple):
    """A holding of one of the profile's libraries. One that is gone has no lines."""

    bib_id: int
    sigel: str
    control_number: str
    created_on: str
    """YYMMDD."""
    changed_at: str
    """As in a 005."""
    is_deleted: bool
    lines: Sequence[HoldingLineRow] = ()


class Gathered(NamedTuple):
    """A chunk of bibs in the order in which they were chosen, with their holdings by sigel."""

    bibs: list[tuple[Reason, BibRow]]
    holdings: dict[int, list[HoldingRow]]


def gather(connection: Connection, profile: ExportProfile, window: Window, chosen: Sequence[Chosen]) -> Gathered:
    """Everything that the records of these bibs are made of."""
    bibs = _bibs(connection, [each.bib_id for each in chosen])
    holdings: dict[int, list[HoldingRow]] = {}
    if profile.holdings != "none":
        written = ids_of(chosen, Reason.WRITTEN)
        holdings = _holdings(connection, profile, written)
        if profile.holdings != "embedded" and not window.is_whole:
            _add_gone(connection, profile, window, written, holdings)
    return Gathered([(each.reason, bibs[each.bib_id]) for each in chosen], holdings)


def _moment(connection: Connection, column: sa.Column[Any]) -> sa.ColumnElement[str]:
    """An instant as YYYYMMDDhhmmss, in UTC on both engines."""
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(column, "YYYYMMDDHH24MISS")
    return sa.func.strftime("%Y%m%d%H%M%S", column)


def _bibs(connection: Connection, bib_ids: Collection[int]) -> dict[int, BibRow]:
    wanted = id_set(connection, bib_ids)
    successor = core_bib.alias("successor")
    rows = connection.execute(
        sa.select(
            core_bib.c.bib_id,
            core_bib.c.control_number,
            sa.func.coalesce(core_bib.c.content, record_taken),
            sa.func.coalesce(raw_delivery.c.kind == "catalogue", sa.false()),
            _moment(connection, core_bib.c.updated_at),
            core_bib.c.is_deleted,
            successor.c.control_number,
        )
        .select_from(wanted)
        .join(core_bib, core_bib.c.bib_id == wanted.c.value)
        .outerjoin(
            raw_record,
            sa.and_(
                raw_record.c.delivery_id == core_bib.c.origin_delivery_id,
                raw_record.c.position == core_bib.c.origin_position,
            ),
        )
        .outerjoin(raw_delivery, raw_delivery.c.delivery_id == core_bib.c.origin_delivery_id)
        .outerjoin(successor, successor.c.bib_id == core_bib.c.merged_into),
        execution_options=WITH_RECORDS,
    ).all()
    former = _former_numbers(connection, bib_ids)
    return {
        row[0]: BibRow(
            row[0], row[1], bytes(row[2]), bool(row[3]), f"{row[4]}.0", bool(row[5]), row[6], former.get(row[0], ())
        )
        for row in rows
    }


def _former_numbers(connection: Connection, bib_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    wanted = id_set(connection, bib_ids)
    rows = connection.execute(
        sa.select(core_bib.c.merged_into, core_bib.c.control_number)
        .join(wanted, wanted.c.value == core_bib.c.merged_into)
        .order_by(core_bib.c.merged_into, core_bib.c.control_number)
    )
    former: dict[int, tuple[str, ...]] = {}
    for bib_id, number in rows:
        former[bib_id] = (*former.get(bib_id, ()), number)
    return former


def _holdings(connection: Connection, profile: ExportProfile, bib_ids: Collection[int]) -> dict[int, list[HoldingRow]]:
    wanted = id_set(connection, bib_ids)
    line = core_holding_line.c
    rows = connection.execute(
        sa.select(
            core_holding.c.holding_id, line.tag, line.owner, line.content, *_columns(connection, profile.holding_dates)
        )
        .select_from(wanted)
        .join(core_holding, core_holding.c.bib_id == wanted.c.value)
        .outerjoin(core_holding_line, line.holding_id == core_holding.c.holding_id)
        .where(sa.not_(core_holding.c.is_deleted), is_mine(profile))
        .order_by(core_holding.c.bib_id, core_holding.c.sigel, core_holding.c.holding_id, line.line_no)
    ).all()
    found: dict[int, list[HoldingRow]] = {}
    last: int | None = None
    lines: list[HoldingLineRow] = []
    for holding_id, tag, owner, content, bib_id, sigel, number, created, changed in rows:
        if holding_id != last:
            last, lines = holding_id, []
            row = HoldingRow(bib_id, sigel, number, created, f"{changed}.0", False, lines)
            found.setdefault(bib_id, []).append(row)
        if tag is not None:
            lines.append(HoldingLineRow(tag, owner, content))
    return found


def _columns(connection: Connection, has_dates: bool) -> list[sa.ColumnElement[Any]]:
    """What a holding is; its days only where somebody asks for them."""
    no_day = sa.literal("")
    return [
        core_holding.c.bib_id,
        core_holding.c.sigel,
        core_holding.c.control_number,
        sa.func.substr(_moment(connection, core_holding.c.created_at), 3, 6) if has_dates else no_day,
        _moment(connection, core_holding.c.updated_at) if has_dates else no_day,
    ]


def _add_gone(
    connection: Connection,
    profile: ExportProfile,
    window: Window,
    bib_ids: Collection[int],
    holdings: dict[int, list[HoldingRow]],
) -> None:
    """Holdings that went from these bibs in the window: deleted, or moved to another bib.

    Not where the library holds the bib again, and not where the moved record keeps its number under its new bib.
    """
    wanted = id_set(connection, bib_ids)
    columns = _columns(connection, profile.holding_dates)
    in_window = core_holding.c.change_no > window.after
    deleted = (
        sa.select(*columns)
        .select_from(wanted)
        .join(core_holding, core_holding.c.bib_id == wanted.c.value)
        .where(core_holding.c.is_deleted, is_mine(profile), in_window)
    )
    image = core_holding_version
    moved = (
        sa.select(image.c.bib_id, *columns[1:])
        .select_from(wanted)
        .join(image, image.c.bib_id == wanted.c.value)
        .join(core_holding, core_holding.c.holding_id == image.c.holding_id)
        .where(core_holding.c.bib_id != image.c.bib_id, core_holding.c.control_number == "")
        .where(is_mine(profile), in_window)
    )
    found = {(row[0], row[1]): row for row in [*connection.execute(moved), *connection.execute(deleted)]}
    for (bib_id, sigel), row in sorted(found.items()):
        there = holdings.setdefault(bib_id, [])
        if all(each.sigel != sigel for each in there):
            there.append(HoldingRow(bib_id, sigel, row[2], row[3], f"{row[4]}.0", True))
