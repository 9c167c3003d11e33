"""Which bibs might be the one a delivery means: candidates by ISBN, ISSN, 035, control number and EAN.

One set-based statement a chunk. ISBN is no unique key: a number may lead to many bibs, a bib may have many numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib, core_bib_identifier, core_bib_isbn
from schemas.warehouse.stage import stage_bib, stage_identifier, stage_isbn, stage_match
from tasks.warehouse.bulk import position_set

FoundBy = dict[int, dict[int, str]]
"""position: {bib_id: how it was found}; of several ways the strongest."""

_STRENGTH = {"control_number": 0, "isbn_a": 1, "035": 2, "issn": 3, "ean": 4, "isbn_az": 5, "isbn_z": 6, "invalid": 7}


def find_candidates(
    connection: Connection, delivery_id: int, positions: Collection[int], serial_levels: str
) -> FoundBy:
    """Candidates for the bibs at `positions` of a delivery, in three statements. Deleted bibs are none."""
    if not positions:
        return {}
    wanted = position_set(connection, delivery_id, positions)

    def at_positions(table: sa.Table) -> sa.Subquery:
        place = sa.and_(table.c.delivery_id == wanted.c.delivery_id, table.c.position == wanted.c.value)
        return sa.select(table).select_from(wanted).join(table, place).subquery("ours")

    return _candidates(connection, at_positions, serial_levels)


def find_range_candidates(connection: Connection, delivery_id: int, low: int, high: int, serial_levels: str) -> FoundBy:
    """Candidates for all bibs with `low < position <= high` that are fit to be taken in.

    Most bibs have none, and nothing but their numbers is looked at.
    """

    def in_range(table: sa.Table) -> sa.Subquery:
        return sa.select(table).where(_in_range(table, delivery_id, low, high)).subquery("ours")

    found = _candidates(connection, in_range, serial_levels)
    unfit = sa.select(stage_bib.c.position).where(
        _in_range(stage_bib, delivery_id, low, high), stage_bib.c.reject_reason != ""
    )
    for position in connection.execute(unfit).scalars():
        found.pop(position, None)
    return found


def _candidates(connection: Connection, staged: Callable[[sa.Table], sa.Subquery], serial_levels: str) -> FoundBy:
    """`staged` gives the rows of a staging table that are asked about."""
    found: FoundBy = defaultdict(dict)
    for statement in (
        _by_isbn(staged(stage_isbn)),
        _by_invalid_isbn(staged(stage_isbn)),
        _by_identifier(staged(stage_identifier), serial_levels),
    ):
        for position, bib_id, how in connection.execute(statement):
            known = found[position].get(bib_id)
            if known is None or _STRENGTH[how] < _STRENGTH[known]:
                found[position][bib_id] = how
    return dict(found)


def _by_isbn(ours: sa.Subquery) -> sa.Select[tuple[int, int, str]]:
    theirs = core_bib_isbn
    how = sa.case(
        (sa.and_(ours.c.subfield == "a", theirs.c.subfield == "a"), "isbn_a"),
        (sa.and_(ours.c.subfield == "z", theirs.c.subfield == "z"), "isbn_z"),
        else_="isbn_az",
    )
    return (
        sa.select(ours.c.position, theirs.c.bib_id, how)
        .select_from(ours)
        .join(theirs, theirs.c.isbn13 == ours.c.isbn13)
        .join(core_bib, sa.and_(core_bib.c.bib_id == theirs.c.bib_id, sa.not_(core_bib.c.is_deleted)))
        .where(ours.c.isbn13.is_not(None))
    )


def _by_invalid_isbn(ours: sa.Subquery) -> sa.Select[tuple[int, int, str]]:
    """The same invalid number on both sides: weak, but better seen than missed."""
    theirs = core_bib_isbn
    return (
        sa.select(ours.c.position, theirs.c.bib_id, sa.literal("invalid"))
        .select_from(ours)
        .join(theirs, sa.and_(theirs.c.raw == ours.c.raw, sa.text("core_bib_isbn.status = 'invalid'")))
        .join(core_bib, sa.and_(core_bib.c.bib_id == theirs.c.bib_id, sa.not_(core_bib.c.is_deleted)))
        .where(ours.c.status == "invalid", ours.c.raw != "")
    )


def _by_identifier(ours: sa.Subquery, serial_levels: str) -> sa.Select[tuple[int, int, str]]:
    theirs = core_bib_identifier
    # The ISSN of a monograph is its series': it would bring hundreds of candidates, and none of them the book.
    is_serial = sa.exists().where(
        stage_bib.c.delivery_id == ours.c.delivery_id,
        stage_bib.c.position == ours.c.position,
        stage_bib.c.bib_level.in_(list(serial_levels)),
    )
    return (
        sa.select(ours.c.position, theirs.c.bib_id, ours.c.scheme)
        .select_from(ours)
        .join(theirs, sa.and_(theirs.c.value == ours.c.value, theirs.c.scheme == ours.c.scheme))
        .join(core_bib, sa.and_(core_bib.c.bib_id == theirs.c.bib_id, sa.not_(core_bib.c.is_deleted)))
        .where(sa.or_(ours.c.scheme != "issn", is_serial))
    )


def changed_since(connection: Connection, delivery_id: int, low: int, high: int, change_no: int) -> set[int]:
    """Positions in the range whose match is stale: bibs changed after `change_no` that their numbers lead to now, or
    that were candidates then (their numbers may be gone, as after an undo)."""
    return {
        position
        for statement in (
            _new_by_isbn(delivery_id, low, high, change_no),
            _new_by_invalid_isbn(delivery_id, low, high, change_no),
            _new_by_identifier(delivery_id, low, high, change_no),
            _changed_candidates(delivery_id, low, high, change_no),
        )
        for position in connection.execute(statement).scalars()
    }


def _in_range(table: sa.Table, delivery_id: int, low: int, high: int) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.delivery_id == delivery_id, table.c.position > low, table.c.position <= high)


def _new_by_isbn(delivery_id: int, low: int, high: int, change_no: int) -> sa.Select[tuple[int]]:
    return (
        sa.select(stage_isbn.c.position)
        .join(core_bib_isbn, core_bib_isbn.c.isbn13 == stage_isbn.c.isbn13)
        .join(core_bib, core_bib.c.bib_id == core_bib_isbn.c.bib_id)
        .where(_in_range(stage_isbn, delivery_id, low, high), _is_newer(change_no))
    )


def _new_by_invalid_isbn(delivery_id: int, low: int, high: int, change_no: int) -> sa.Select[tuple[int]]:
    is_same = sa.and_(core_bib_isbn.c.raw == stage_isbn.c.raw, sa.text("core_bib_isbn.status = 'invalid'"))
    return (
        sa.select(stage_isbn.c.position)
        .join(core_bib_isbn, is_same)
        .join(core_bib, core_bib.c.bib_id == core_bib_isbn.c.bib_id)
        .where(
            _in_range(stage_isbn, delivery_id, low, high),
            stage_isbn.c.status == "invalid",
            _is_newer(change_no),
        )
    )


def _new_by_identifier(delivery_id: int, low: int, high: int, change_no: int) -> sa.Select[tuple[int]]:
    is_same = sa.and_(
        core_bib_identifier.c.value == stage_identifier.c.value,
        core_bib_identifier.c.scheme == stage_identifier.c.scheme,
    )
    return (
        sa.select(stage_identifier.c.position)
        .join(core_bib_identifier, is_same)
        .join(core_bib, core_bib.c.bib_id == core_bib_identifier.c.bib_id)
        .where(_in_range(stage_identifier, delivery_id, low, high), _is_newer(change_no))
    )


def _changed_candidates(delivery_id: int, low: int, high: int, change_no: int) -> sa.Select[tuple[int]]:
    return (
        sa.select(stage_match.c.position)
        .join(core_bib, core_bib.c.bib_id == stage_match.c.bib_id)
        .where(_in_range(stage_match, delivery_id, low, high), _is_newer(change_no))
    )


def _is_newer(change_no: int) -> sa.ColumnElement[bool]:
    """Not by the index: PostgreSQL, which knows nothing of the newest changes, would begin with all of them."""
    return core_bib.c.change_no + 0 > change_no
