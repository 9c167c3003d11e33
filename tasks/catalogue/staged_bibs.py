"""What loading reads of a delivery's staged bibs: how their matching ended, and their numbers and records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import Identifier
from schemas.warehouse.raw import raw_record, record_taken
from schemas.warehouse.stage import stage_bib, stage_identifier, stage_isbn, stage_verdict
from tasks.warehouse.bulk import position_set
from tasks.warehouse.engine import WITH_RECORDS


class Waiting(NamedTuple):
    """A staged bib that is to be loaded, and how its matching ended: match, review or new; a person can reject it."""

    position: int
    encoding_level: str
    reject_reason: str
    ending: str
    bib_id: int | None
    rule: str
    reason: str


NO_CANDIDATE = ("no_candidate", "no bib in the catalogue has one of its numbers")
"""Rule and reason of a bib that matching had nothing to say about."""


def staged_range(connection: Connection, delivery_id: int, low: int, high: int) -> list[Waiting]:
    """The staged bibs with `low < position <= high`, in order, as they were matched."""
    within = {"delivery": delivery_id, "low": low, "high": high}
    verdicts = {position: verdict for position, *verdict in connection.execute(_VERDICTS, within).all()}
    new = ["new", None, *NO_CANDIDATE]
    bibs = connection.execute(_BIBS, within).all()
    return [Waiting(position, *bib, *verdicts.get(position, new)) for position, *bib in bibs]


def _of_range(table: sa.Table, *names: str) -> sa.Select[Any]:
    """Made once: a delivery of one bib would take longer to say what it wants than to get it."""
    return sa.select(table.c.position, *(table.c[name] for name in names)).where(
        table.c.delivery_id == sa.bindparam("delivery"),
        table.c.position > sa.bindparam("low"),
        table.c.position <= sa.bindparam("high"),
    )


_VERDICTS = _of_range(stage_verdict, "ending", "bib_id", "rule", "reason")
_BIBS = _of_range(stage_bib, "encoding_level", "reject_reason").order_by(stage_bib.c.position)


def staged_bibs(connection: Connection, delivery_id: int, positions: Collection[int]) -> list[Waiting]:
    """The staged bibs at `positions`, in order, as they were matched."""
    wanted = frozenset(positions)
    within = staged_range(connection, delivery_id, min(wanted) - 1, max(wanted)) if wanted else []
    return [each for each in within if each.position in wanted]


def shared_numbers(connection: Connection, delivery_id: int, low: int, high: int) -> list[tuple[int, str]]:
    """Every number that two bibs of the range share, with each position that has it."""
    isbn, other = stage_isbn, stage_identifier
    shared: list[tuple[int, str]] = []
    for table, number in (
        (isbn, sa.func.coalesce(isbn.c.isbn13, isbn.c.raw)),
        (other, other.c.scheme + ":" + other.c.value),
    ):
        within = sa.and_(table.c.delivery_id == delivery_id, table.c.position > low, table.c.position <= high)
        meets_another = sa.func.min(table.c.position) != sa.func.max(table.c.position)
        found = connection.execute(sa.select(number).where(within).group_by(number).having(meets_another)).scalars()
        numbers = set(found)
        if numbers:
            rows = connection.execute(sa.select(table.c.position, number).where(within)).all()
            shared += [(position, text) for position, text in rows if text in numbers]
    return shared


def staged_identifiers(
    connection: Connection, delivery_id: int, bibs: Mapping[int, int]
) -> list[tuple[int, Identifier]]:
    """Numbers of staged bibs, with the bib of the catalogue that each was matched to."""
    wanted = position_set(connection, delivery_id, bibs)
    rows = connection.execute(
        sa.select(stage_identifier.c.position, stage_identifier.c.scheme, stage_identifier.c.value).join(
            wanted,
            sa.and_(
                wanted.c.delivery_id == stage_identifier.c.delivery_id, wanted.c.value == stage_identifier.c.position
            ),
        )
    )
    return [(bibs[position], Identifier(scheme, value)) for position, scheme, value in rows]


def staged_records(connection: Connection, delivery_id: int, positions: Collection[int]) -> dict[int, bytes]:
    """The staged records at `positions`, after normalisation."""
    wanted = position_set(connection, delivery_id, positions)
    rows = connection.execute(
        sa.select(raw_record.c.position, record_taken).join(
            wanted,
            sa.and_(wanted.c.delivery_id == raw_record.c.delivery_id, wanted.c.value == raw_record.c.position),
        ),
        execution_options=WITH_RECORDS,
    )
    return {position: bytes(content) for position, content in rows}
