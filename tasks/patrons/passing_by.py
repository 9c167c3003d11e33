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
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

from schemas.warehouse.patrons import core_patron, core_patron_source, stage_patron
from tasks.patrons.pieces import PersonPiece, hash_of
from tasks.warehouse.bulk import id_list
from tasks.warehouse.planner import sets_in_memory

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

    left: frozenset[int]
    """Record numbers of the others."""
    filled: Counter[int]
    """Persons by the bits of the paths that have a value (file_guards.py)."""


_HASH_BYTES: Final = 16
_NO_RECORD: Final = hash_of(b"", b"no record")
"""Stands for a piece that has no hash; no person has it."""
_KNOWN = sa.table(
    "persons_known",
    sa.column("record_no", sa.Integer),
    sa.column("content_hash", sa.LargeBinary),
    sa.column("person_id", sa.BigInteger),
    sa.column("filled", sa.BigInteger),
)
_FOUND: Final = ("record_no", "content_hash", "person_id", "filled")
_STAGED: Final = ("delivery_id", "record_no", "content_hash", "person_id", "outcome")


def pass_by(connection: Connection, pieces: Sequence[PersonPiece], passing: Passing) -> PassedBy:
    """Stage those of `pieces` as unchanged who may be passed by, in the caller's transaction."""
    sets_in_memory(connection)
    rows = (_in_one_statement if connection.dialect.name == "postgresql" else _by_a_table)(connection, pieces, passing)
    left = frozenset(number for filled, _, numbers in rows if filled is None for number in numbers)
    return PassedBy(left, Counter({filled: number for filled, number, _ in rows if filled is not None}))


def _as_merged(asked: sa.FromClause, passing: Passing) -> sa.Select[Any]:
    """(person, filled) of whom the source has as they were merged last, for a row of `asked`."""
    source = core_patron_source
    return sa.select(source.c.person_id, source.c.filled).where(
        source.c.source == asked.c.source,
        source.c.content_hash == asked.c.content_hash,
        source.c.policy_version == passing.policy_version,
        sa.not_(source.c.needs_merge),
        source.c.missing_runs == 0,
        source.c.left_on.is_(None),
        source.c.seen_on.is_(None),
        source.c.person_id.not_in(_to_be_looked_at(passing)),
    )


def _staged(known: sa.FromClause, passing: Passing) -> sa.Select[Any]:
    """Rows of stage_patron, in the order of `_STAGED`."""
    columns = (known.c[name] for name in _FOUND[:3])
    rows = sa.select(sa.literal(passing.delivery_id, sa.BigInteger), *columns, sa.literal(UNCHANGED, sa.Text))
    return rows.order_by(known.c.record_no)


def _asked(connection: Connection, pieces: Sequence[PersonPiece], passing: Passing) -> tuple[sa.CTE, dict[str, bytes]]:
    """(source, record number, hash) of all pieces, in the order of the hashes, and what to execute it with.

    All hashes are one value: a list of them is looked at one by one, by the driver and by the engine, for longer than
    everything else takes. In their order the index is gone through once, not jumped about in. The source stands in
    the set as well: as a constant of the statement it makes SQLite walk through all its persons.
    """
    rows = sorted([(each.content_hash or _NO_RECORD, each.position.record_no) for each in pieces])
    hashes = sa.bindparam("hashes", type_=sa.LargeBinary)
    numbers = id_list(connection, [number for _, number in rows])
    asked = sa.select(
        sa.literal(passing.source, sa.Text).label("source"),
        numbers.c.value.label("record_no"),
        sa.func.substr(hashes, numbers.c.place * _HASH_BYTES + 1, _HASH_BYTES).label("content_hash"),
    )
    return asked.cte("asked").prefix_with("MATERIALIZED"), {"hashes": b"".join([each for each, _ in rows])}


def _in_one_statement(
    connection: Connection, pieces: Sequence[PersonPiece], passing: Passing
) -> Sequence[tuple[int | None, int, list[int]]]:
    """On PostgreSQL: nothing is written twice.

    Each hash is looked up by itself, or the planner would rather read all persons of the source for each batch.
    """
    asked, hashes = _asked(connection, pieces, passing)
    person = _as_merged(asked, passing).limit(1).lateral("person")
    looked_up = (
        sa.select(asked.c.record_no, asked.c.content_hash, person.c.person_id, person.c.filled)
        .join_from(asked, person, sa.true(), isouter=True)
        .cte("looked_up")
        .prefix_with("MATERIALIZED")
    )
    known = _staged(looked_up, passing).where(looked_up.c.person_id.is_not(None))
    staged = sa.insert(stage_patron).from_select(list(_STAGED), known).cte("staged")
    left = sa.func.array_agg(looked_up.c.record_no).filter(looked_up.c.person_id.is_(None))
    counted = sa.select(looked_up.c.filled, sa.func.count(), left).group_by(looked_up.c.filled)
    return connection.execute(counted.add_cte(staged), hashes).tuples().all()


def _by_a_table(
    connection: Connection, pieces: Sequence[PersonPiece], passing: Passing
) -> Sequence[tuple[int | None, int, list[int]]]:
    """On SQLite: by a table of the connection alone."""
    connection.exec_driver_sql(
        "CREATE TEMP TABLE IF NOT EXISTS persons_known"
        " (record_no INTEGER PRIMARY KEY, content_hash BLOB, person_id BIGINT, filled BIGINT)"
    )
    connection.exec_driver_sql("DELETE FROM persons_known")
    asked, hashes = _asked(connection, pieces, passing)
    found = _as_merged(asked, passing).with_only_columns(
        asked.c.record_no, asked.c.content_hash, core_patron_source.c.person_id, core_patron_source.c.filled
    )
    insert = sqlite.insert(_KNOWN).from_select(list(_FOUND), found)
    connection.execute(insert.on_conflict_do_nothing(), hashes)
    connection.execute(sa.insert(stage_patron).from_select(list(_STAGED), _staged(_KNOWN, passing)))
    counted = connection.execute(sa.select(_KNOWN.c.filled, sa.func.count()).group_by(_KNOWN.c.filled)).tuples().all()
    left: list[int] = []
    if sum(number for _, number in counted) < len(pieces):
        known = connection.execute(sa.select(_KNOWN.c.record_no)).scalars()
        left = list({each.position.record_no for each in pieces}.difference(known))
    return [*((filled, number, []) for filled, number in counted), (None, len(left), left)]


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
