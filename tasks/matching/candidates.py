"""Which bibs might be the one a delivery means: candidates by ISBN, ISSN, 035, control number and EAN.

One set-based statement a chunk. ISBN is no unique key: a number may lead to many bibs, a bib may have many numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib, core_bib_identifier, core_bib_isbn
from schemas.warehouse.stage import stage_bib, stage_identifier, stage_isbn, stage_match
from tasks.warehouse.bulk import id_set, position_set

FoundBy = dict[int, dict[int, str]]
"""position: {bib_id: how it was found}; of several ways the strongest."""

_STRENGTH = {"control_number": 0, "isbn_a": 1, "035": 2, "issn": 3, "ean": 4, "isbn_az": 5, "isbn_z": 6, "invalid": 7}


def find_candidates(
    connection: Connection, delivery_id: int, positions: Collection[int], serial_levels: str
) -> FoundBy:
    """Candidates for the bibs at `positions` of a delivery, in four statements. Deleted bibs are none."""
    if not positions:
        return {}
    wanted = position_set(connection, delivery_id, positions)

    def at_positions(table: sa.Table) -> sa.Subquery:
        place = sa.and_(table.c.delivery_id == wanted.c.delivery_id, table.c.position == wanted.c.value)
        return sa.select(table).select_from(wanted).join(table, place).subquery("ours")

    return _candidates(connection, at_positions, serial_levels).get(delivery_id, {})


def find_range_candidates(connection: Connection, delivery_id: int, low: int, high: int, serial_levels: str) -> FoundBy:
    """Candidates for all bibs with `low < position <= high` that are fit to be taken in.

    Most bibs have none, and nothing but their numbers is looked at.
    """

    def in_range(table: sa.Table) -> sa.Subquery:
        return sa.select(table).where(_in_range(table, delivery_id, low, high)).subquery("ours")

    found = _candidates(connection, in_range, serial_levels).get(delivery_id, {})
    unfit = sa.select(stage_bib.c.position).where(
        _in_range(stage_bib, delivery_id, low, high), stage_bib.c.reject_reason != ""
    )
    for position in connection.execute(unfit).scalars():
        found.pop(position, None)
    return found


def find_candidates_of(connection: Connection, delivery_ids: Collection[int], serial_levels: str) -> dict[int, FoundBy]:
    """Candidates for all bibs of several small deliveries that are fit to be taken in, by delivery."""
    if not delivery_ids:
        return {}
    wanted = sa.select(id_set(connection, delivery_ids).c.value).cte(None).prefix_with("MATERIALIZED")

    def of_them(table: sa.Table) -> sa.Subquery:
        return sa.select(table).select_from(wanted).join(table, table.c.delivery_id == wanted.c.value).subquery("ours")

    found = _candidates(connection, of_them, serial_levels)
    unfit = (
        sa.select(stage_bib.c.delivery_id, stage_bib.c.position)
        .join(wanted, wanted.c.value == stage_bib.c.delivery_id)
        .where(stage_bib.c.reject_reason != "")
    )
    for delivery_id, position in connection.execute(unfit):
        found.get(delivery_id, {}).pop(position, None)
    return found


def _candidates(
    connection: Connection, staged: Callable[[sa.Table], sa.Subquery], serial_levels: str
) -> dict[int, FoundBy]:
    """By delivery. `staged` gives the rows of a staging table that are asked about.

    Few numbers lead to a bib: whether it is deleted is asked of those bibs alone, not by a join with all of them.
    """
    found: dict[int, FoundBy] = {}
    bibs: set[int] = set()
    for statement in (
        _by_isbn(staged(stage_isbn)),
        _by_invalid_isbn(staged(stage_isbn)),
        _by_identifier(staged(stage_identifier), serial_levels),
    ):
        for delivery_id, position, bib_id, how in connection.execute(statement):
            its = found.setdefault(delivery_id, {}).setdefault(position, {})
            known = its.get(bib_id)
            if known is None or _STRENGTH[how] < _STRENGTH[known]:
                its[bib_id] = how
                bibs.add(bib_id)
    deleted = _deleted(connection, bibs)
    return {each: _without(positions, deleted) for each, positions in found.items()} if deleted else found


def _deleted(connection: Connection, bib_ids: Collection[int]) -> frozenset[int]:
    if not bib_ids:
        return frozenset()
    wanted = id_set(connection, bib_ids)
    is_one = sa.and_(core_bib.c.bib_id == wanted.c.value, core_bib.c.is_deleted)
    return frozenset(
        connection.execute(sa.select(core_bib.c.bib_id).select_from(wanted).join(core_bib, is_one)).scalars()
    )


def _without(found: FoundBy, deleted: Collection[int]) -> FoundBy:
    """What was found but for these bibs; a position that only led to them has no candidate."""
    left = {
        position: {bib_id: how for bib_id, how in its.items() if bib_id not in deleted}
        for position, its in found.items()
    }
    return {position: its for position, its in left.items() if its}


def _by_isbn(ours: sa.Subquery) -> sa.Select[tuple[int, int, int, str]]:
    theirs = core_bib_isbn
    how = sa.case(
        (sa.and_(ours.c.subfield == "a", theirs.c.subfield == "a"), "isbn_a"),
        (sa.and_(ours.c.subfield == "z", theirs.c.subfield == "z"), "isbn_z"),
        else_="isbn_az",
    )
    return (
        sa.select(ours.c.delivery_id, ours.c.position, theirs.c.bib_id, how)
        .select_from(ours)
        .join(theirs, theirs.c.isbn13 == ours.c.isbn13)
        .where(ours.c.isbn13.is_not(None))
    )


def _by_invalid_isbn(ours: sa.Subquery) -> sa.Select[tuple[int, int, int, str]]:
    """The same invalid number on both sides: weak, but better seen than missed."""
    theirs = core_bib_isbn
    return (
        sa.select(ours.c.delivery_id, ours.c.position, theirs.c.bib_id, sa.literal("invalid"))
        .select_from(ours)
        .join(theirs, sa.and_(theirs.c.raw == ours.c.raw, sa.text("core_bib_isbn.status = 'invalid'")))
        .where(ours.c.status == "invalid", ours.c.raw != "")
    )


def _by_identifier(ours: sa.Subquery, serial_levels: str) -> sa.Select[tuple[int, int, int, str]]:
    theirs = core_bib_identifier
    # The ISSN of a monograph is its series': it would bring hundreds of candidates, and none of them the book.
    is_serial = sa.exists().where(
        stage_bib.c.delivery_id == ours.c.delivery_id,
        stage_bib.c.position == ours.c.position,
        stage_bib.c.bib_level.in_(list(serial_levels)),
    )
    return (
        sa.select(ours.c.delivery_id, ours.c.position, theirs.c.bib_id, ours.c.scheme)
        .select_from(ours)
        .join(theirs, sa.and_(theirs.c.value == ours.c.value, theirs.c.scheme == ours.c.scheme))
        .where(sa.or_(ours.c.scheme != "issn", is_serial))
    )


def changed_since(connection: Connection, delivery_id: int, low: int, high: int, change_no: int) -> set[int]:
    """Positions in the range whose match is stale: bibs changed after `change_no` that their numbers lead to now, or
    that were candidates then (their numbers may be gone, as after an undo)."""
    asked = {"delivery": delivery_id, "low": low, "high": high, "change": change_no}
    return {position for statement in _STALE for position in connection.execute(statement, asked).scalars()}


def _in_range(table: sa.Table, delivery_id: int, low: int, high: int) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.delivery_id == delivery_id, table.c.position > low, table.c.position <= high)


def _is_asked(table: sa.Table) -> sa.ColumnElement[bool]:
    """In the range, and the bib of the catalogue is newer.

    Not by the index of changes: PostgreSQL, which knows nothing of the newest ones, would begin with all of them.
    """
    return sa.and_(
        table.c.delivery_id == sa.bindparam("delivery"),
        table.c.position > sa.bindparam("low"),
        table.c.position <= sa.bindparam("high"),
        core_bib.c.change_no + 0 > sa.bindparam("change"),
    )


def _new_by_isbn() -> sa.Select[tuple[int]]:
    return (
        sa.select(stage_isbn.c.position)
        .join(core_bib_isbn, core_bib_isbn.c.isbn13 == stage_isbn.c.isbn13)
        .join(core_bib, core_bib.c.bib_id == core_bib_isbn.c.bib_id)
        .where(_is_asked(stage_isbn))
    )


def _new_by_invalid_isbn() -> sa.Select[tuple[int]]:
    is_same = sa.and_(core_bib_isbn.c.raw == stage_isbn.c.raw, sa.text("core_bib_isbn.status = 'invalid'"))
    return (
        sa.select(stage_isbn.c.position)
        .join(core_bib_isbn, is_same)
        .join(core_bib, core_bib.c.bib_id == core_bib_isbn.c.bib_id)
        .where(_is_asked(stage_isbn), stage_isbn.c.status == "invalid")
    )


def _new_by_identifier() -> sa.Select[tuple[int]]:
    is_same = sa.and_(
        core_bib_identifier.c.value == stage_identifier.c.value,
        core_bib_identifier.c.scheme == stage_identifier.c.scheme,
    )
    return (
        sa.select(stage_identifier.c.position)
        .join(core_bib_identifier, is_same)
        .join(core_bib, core_bib.c.bib_id == core_bib_identifier.c.bib_id)
        .where(_is_asked(stage_identifier))
    )


def _changed_candidates() -> sa.Select[tuple[int]]:
    return (
        sa.select(stage_match.c.position)
        .join(core_bib, core_bib.c.bib_id == stage_match.c.bib_id)
        .where(_is_asked(stage_match))
    )


_STALE = (_new_by_isbn(), _new_by_invalid_isbn(), _new_by_identifier(), _changed_candidates())
"""Made once: a delivery of one bib would take longer to ask than to be answered."""
