"""Which bibs might be the one a delivery means: candidates by ISBN, ISSN, 035, control number and EAN.

One set-based statement a chunk. ISBN is no unique key: a number may lead to many bibs, a bib may have many numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

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
    """Candidates for the bibs at `positions` of a delivery, in four statements. Deleted bibs are none.

    One that was merged into another is: its numbers lead to the bib that took its place (`merged_away`).
    """
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


class Alike(NamedTuple):
    """Bibs of the catalogue that share a number, and numbers that so many share that they say nothing."""

    found: FoundBy
    """bib_id: {other bib_id: how it was found}"""
    crowded: tuple[str, ...]


def find_alike(connection: Connection, bib_ids: Collection[int], serial_levels: str, most: int) -> Alike:
    """Bibs of the catalogue that share a number with one of `bib_ids`, by the same rules as for a delivery.

    Merged bibs may be asked about and found; a number that more than `most` bibs have is passed over and named.
    """
    wanted = id_set(connection, bib_ids)
    crowded = {
        number: _crowded(connection, table, number, wanted, most)
        for table, number in ((core_bib_isbn, "isbn13"), (core_bib_isbn, "raw"), (core_bib_identifier, "value"))
    }

    def in_catalogue(table: sa.Table) -> sa.Subquery:
        theirs = core_bib_isbn if table is stage_isbn else core_bib_identifier
        ours = theirs.alias("asked")
        names = ("isbn13", "raw", "subfield", "status") if table is stage_isbn else ("scheme", "value")
        few = [
            sa.or_(ours.c[name].is_(None), ours.c[name].not_in(crowded[name])) for name in names if crowded.get(name)
        ]
        return (
            sa.select(sa.literal(0).label("delivery_id"), ours.c.bib_id.label("position"), *(ours.c[n] for n in names))
            .join(wanted, wanted.c.value == ours.c.bib_id)
            .where(sa.and_(sa.true(), *few))
            .subquery("ours")
        )

    def is_serial(ours: sa.Subquery) -> sa.ColumnElement[bool]:
        one = core_bib.alias("one")
        return sa.exists().where(one.c.bib_id == ours.c.position, one.c.bib_level.in_(list(serial_levels)))

    found = _candidates(connection, in_catalogue, serial_levels, is_serial).get(0, {})
    others = {bib_id: {other: how for other, how in its.items() if other != bib_id} for bib_id, its in found.items()}
    named = tuple(sorted({each for some in crowded.values() for each in some}))
    return Alike({bib_id: its for bib_id, its in others.items() if its}, named)


def _crowded(connection: Connection, table: sa.Table, number: str, wanted: sa.TableValuedAlias, most: int) -> list[str]:
    """Numbers of the wanted bibs that more than `most` bibs of the catalogue have."""
    mine = sa.select(table.c[number]).join(wanted, wanted.c.value == table.c.bib_id).where(table.c[number].is_not(None))
    limited = table.c.status == "invalid" if number == "raw" else sa.true()
    rows = sa.select(table.c[number]).where(table.c[number].in_(mine.where(limited)), limited)
    return list(connection.execute(rows.group_by(table.c[number]).having(sa.func.count() > most)).scalars())


def _candidates(
    connection: Connection,
    staged: Callable[[sa.Table], sa.Subquery],
    serial_levels: str,
    is_serial: Callable[[sa.Subquery], sa.ColumnElement[bool]] | None = None,
) -> dict[int, FoundBy]:
    """By delivery. `staged` gives the rows of a staging table that are asked about.

    Few numbers lead to a bib: whether it is deleted is asked of those bibs alone, not by a join with all of them.
    """
    found: dict[int, FoundBy] = {}
    bibs: set[int] = set()
    for statement in (
        _by_isbn(staged(stage_isbn)),
        _by_invalid_isbn(staged(stage_isbn)),
        _by_identifier(staged(stage_identifier), is_serial or _is_staged_serial(serial_levels)),
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
    """Of these bibs those that are gone: deleted, and not merged into one that is there."""
    if not bib_ids:
        return frozenset()
    wanted = id_set(connection, bib_ids)
    into = core_bib.alias("into")
    rows = (
        sa.select(core_bib.c.bib_id)
        .select_from(wanted)
        .join(core_bib, sa.and_(core_bib.c.bib_id == wanted.c.value, core_bib.c.is_deleted))
        .outerjoin(into, into.c.bib_id == core_bib.c.merged_into)
        .where(sa.func.coalesce(into.c.is_deleted, sa.true()))
    )
    return frozenset(connection.execute(rows).scalars())


def merged_away(connection: Connection, bib_ids: Collection[int]) -> dict[int, int]:
    """Of these bibs those that were merged, with the bib that took their place."""
    wanted = id_set(connection, bib_ids)
    is_one = sa.and_(core_bib.c.bib_id == wanted.c.value, core_bib.c.merged_into.is_not(None))
    rows = sa.select(core_bib.c.bib_id, core_bib.c.merged_into).select_from(wanted).join(core_bib, is_one)
    return dict(tuple(row) for row in connection.execute(rows))


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


def _is_staged_serial(serial_levels: str) -> Callable[[sa.Subquery], sa.ColumnElement[bool]]:
    def is_serial(ours: sa.Subquery) -> sa.ColumnElement[bool]:
        return sa.exists().where(
            stage_bib.c.delivery_id == ours.c.delivery_id,
            stage_bib.c.position == ours.c.position,
            stage_bib.c.bib_level.in_(list(serial_levels)),
        )

    return is_serial


def _by_identifier(
    ours: sa.Subquery, is_serial: Callable[[sa.Subquery], sa.ColumnElement[bool]]
) -> sa.Select[tuple[int, int, int, str]]:
    theirs = core_bib_identifier
    # The ISSN of a monograph is its series': it would bring hundreds of candidates, and none of them the book.
    return (
        sa.select(ours.c.delivery_id, ours.c.position, theirs.c.bib_id, ours.c.scheme)
        .select_from(ours)
        .join(theirs, sa.and_(theirs.c.value == ours.c.value, theirs.c.scheme == ours.c.scheme))
        .where(sa.or_(ours.c.scheme != "issn", is_serial(ours)))
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
