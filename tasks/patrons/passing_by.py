"""Whose record is as it was merged last is passed by, as sets: no row of such a person leaves the warehouse.

All that is asked stands in one index of core_patron_source (docs/performance.md); the persons themselves are wide rows.
Of whom a day is due, and who was merged into another one, are told apart as a small set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from schemas.warehouse.patrons import core_patron, core_patron_source, stage_patron
from tasks.patrons.pieces import PersonPiece

UNCHANGED: Final = "unchanged"
GONE_STATES: Final = ("inactive", "erasable", "erased")


class Passing(NamedTuple):
    """Under what a file's persons may be passed by."""

    delivery_id: int
    source: str
    institution: str
    policy_version: str
    day: date


class PassedBy(NamedTuple):
    """Who of a batch was passed by, and is staged so."""

    record_nos: frozenset[int]
    filled: Counter[int]
    """Persons by the bits of the paths that have a value (file_guards.py)."""


_ASKED = sa.table("persons_asked", sa.column("record_no", sa.Integer), sa.column("content_hash", sa.LargeBinary))
_KNOWN = sa.table(
    "persons_known",
    sa.column("record_no", sa.Integer),
    sa.column("content_hash", sa.LargeBinary),
    sa.column("person_id", sa.BigInteger),
    sa.column("filled", sa.BigInteger),
)


def pass_by(connection: Connection, pieces: Sequence[PersonPiece], passing: Passing) -> PassedBy:
    """Stage those of `pieces` as unchanged who may be passed by, in the caller's transaction."""
    rows = _asked(connection, [(each.content_hash, each.position.record_no) for each in pieces if not each.rejected])
    _empty(
        connection,
        "persons_known",
        "record_no INTEGER PRIMARY KEY, content_hash {bytes}, person_id BIGINT, filled BIGINT",
    )
    source = core_patron_source
    # The source stands in the set as well: as a constant of the statement it makes SQLite walk through all its persons.
    asked = (
        sa.select(sa.literal(passing.source, sa.Text).label("source"), rows.c.record_no, rows.c.content_hash)
        .cte(None)
        .prefix_with("MATERIALIZED")
    )
    found = (
        sa.select(asked.c.record_no, asked.c.content_hash, source.c.person_id, source.c.filled)
        .join_from(
            asked, source, sa.and_(source.c.source == asked.c.source, source.c.content_hash == asked.c.content_hash)
        )
        .where(
            source.c.policy_version == passing.policy_version,
            sa.not_(source.c.needs_merge),
            source.c.missing_runs == 0,
            source.c.left_on.is_(None),
            source.c.seen_on.is_(None),
            source.c.person_id.not_in(_to_be_looked_at(passing)),
        )
    )
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    columns = ["record_no", "content_hash", "person_id", "filled"]
    connection.execute(insert(_KNOWN).from_select(columns, found).on_conflict_do_nothing())
    staged = sa.select(
        sa.literal(passing.delivery_id, sa.BigInteger),
        *(_KNOWN.c[name] for name in columns[:3]),
        sa.literal(UNCHANGED, sa.Text),
    )
    names = ["delivery_id", "record_no", "content_hash", "person_id", "outcome"]
    connection.execute(sa.insert(stage_patron).from_select(names, staged))
    counted = connection.execute(sa.select(_KNOWN.c.filled, sa.func.count()).group_by(_KNOWN.c.filled))
    filled = Counter(dict(counted.tuples().all()))
    if filled.total() == len(pieces):
        return PassedBy(frozenset(each.position.record_no for each in pieces), filled)
    numbers: Any = connection.execute(sa.select(_KNOWN.c.record_no)).cursor
    return PassedBy(frozenset(number for (number,) in numbers.fetchall()), filled)


def _to_be_looked_at(passing: Passing) -> sa.CompoundSelect[Any]:
    """Persons of whom a day is due, and those who were merged into another one; of erased ones there is no source."""
    person = core_patron
    return sa.union_all(
        sa.select(person.c.person_id).where(
            person.c.institution == passing.institution, person.c.look_on <= passing.day
        ),
        sa.select(person.c.person_id).where(person.c.merged_into.is_not(None)),
    )


def gone(institution: str) -> sa.CompoundSelect[Any]:
    """Persons of an institution who are inactive, erased or near it, and all who were merged into another one."""
    person = core_patron
    return sa.union_all(
        sa.select(person.c.person_id).where(person.c.institution == institution, person.c.state.in_(GONE_STATES)),
        sa.select(person.c.person_id).where(person.c.merged_into.is_not(None)),
    )


def _asked(connection: Connection, rows: Sequence[tuple[bytes, int]]) -> sa.FromClause:
    if connection.dialect.name == "postgresql":
        numbers = sa.bindparam(None, [number for _, number in rows], type_=sa.ARRAY(sa.Integer()), unique=True)
        hashes = sa.bindparam(None, [each for each, _ in rows], type_=sa.ARRAY(sa.LargeBinary()), unique=True)
        columns = (sa.column("record_no", sa.Integer), sa.column("content_hash", sa.LargeBinary))
        return sa.func.unnest(numbers, hashes).table_valued(*columns).render_derived()
    _empty(connection, "persons_asked", "content_hash {bytes}, record_no INTEGER")
    if rows:
        # In the order of the index: its pages are gone through once, not jumped about in.
        connection.exec_driver_sql("INSERT INTO persons_asked VALUES (?, ?)", sorted(rows))
    return _ASKED


def _empty(connection: Connection, name: str, columns: str) -> None:
    """A table of the connection alone, without rows."""
    is_postgresql = connection.dialect.name == "postgresql"
    kind = "BYTEA" if is_postgresql else "BLOB"
    connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns.format(bytes=kind)})")
    connection.exec_driver_sql(f"TRUNCATE {name}" if is_postgresql else f"DELETE FROM {name}")
