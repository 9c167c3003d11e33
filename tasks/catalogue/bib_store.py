"""Writing bibs: creating them from the working set, and making a new version of one while its before-image is kept.

Everything here runs inside a transaction that holds the catalogue lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import BibFacts, Identifier
from schemas.outcomes import Editor
from schemas.warehouse.core import core_bib, core_bib_identifier, core_bib_isbn, core_bib_version
from schemas.warehouse.stage import stage_bib, stage_identifier, stage_isbn
from tasks.catalogue.levels import ExistingBib
from tasks.matching.judging import bib_content
from tasks.warehouse.bulk import bulk_insert, id_set, rows_as_json, rows_of
from tasks.warehouse.planner import in_range, joined_as_sets

ISBN_COLUMNS = ("seq", "isbn13", "raw", "subfield", "qualifier", "status")
FACTS = (
    "title", "author", "encoding_level", "record_type", "bib_level", "carrier", "year", "is_national_bibliography",
)  # fmt: skip
VERSIONED = (
    "bib_id", "version", *FACTS, "source", "last_editor", "sent_at_name", "is_provisional", "origin_delivery_id",
    "origin_position", "content", "is_deleted", "merged_into", "updated_at",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What every bib written in one chunk shares."""

    delivery_id: int
    source: str
    sent_at_name: str | None
    change_no: int
    control_number_prefix: str | None
    """Before the id of a new bib; None where the records bring their own control numbers."""
    now: datetime
    last_editor: Editor = Editor.SUPPLIER


class Created(NamedTuple):
    """A staged bib and the id it gets."""

    position: int
    bib_id: int


def create_bibs(
    connection: Connection, change: Change, created: Sequence[Created], *, is_provisional: bool = False
) -> sa.CTE | None:
    """Make bibs of staged records, in three set-based statements. Their ids must be a gapless block, in order.

    Returns them as a table with the columns delivery_id, position and bib_id; None where there are none.
    """
    if not created:
        return None
    pairs = _pairs(connection, change.delivery_id, created)
    places = (change.delivery_id, created[0].position, created[-1].position)
    staged = sa.and_(
        stage_bib.c.delivery_id == pairs.c.delivery_id,
        stage_bib.c.position == pairs.c.position,
        in_range(connection, stage_bib, *places),
    )
    shared: dict[str, Any] = {
        "source": change.source,
        "last_editor": change.last_editor,
        "sent_at_name": change.sent_at_name,
        "is_provisional": is_provisional,
        "origin_delivery_id": change.delivery_id,
        "is_deleted": False,
        "version": 1,
        "change_no": change.change_no,
        "created_at": change.now,
        "updated_at": change.now,
    }
    names = [*FACTS, "bib_id", "origin_position", "control_number", *shared]
    values: list[Any] = [
        *(stage_bib.c[name] for name in FACTS),
        pairs.c.bib_id,
        pairs.c.position,
        _control_number(change, pairs),
        *(sa.literal(value, core_bib.c[name].type) for name, value in shared.items()),
    ]
    with joined_as_sets(connection):
        connection.execute(
            sa.insert(core_bib).from_select(names, sa.select(*values).select_from(pairs).join(stage_bib, staged))
        )
        _copy_isbns(connection, pairs, in_range(connection, stage_isbn, *places))
        _copy_identifiers(connection, change, pairs, in_range(connection, stage_identifier, *places))
    return pairs


def _control_number(change: Change, pairs: sa.CTE) -> sa.ColumnElement[str]:
    if change.control_number_prefix is None:
        return stage_bib.c.control_number
    return sa.literal(change.control_number_prefix, sa.Text) + sa.cast(pairs.c.bib_id, sa.Text)


def _pairs(connection: Connection, delivery_id: int, created: Sequence[Created]) -> sa.CTE:
    """(position, bib_id) as a table: positions in order, ids counted up from the first."""
    first = created[0].bib_id
    wanted = id_set(connection, [each.position for each in created])
    ranked = sa.select(
        sa.literal(delivery_id, sa.BigInteger).label("delivery_id"),
        wanted.c.value.label("position"),
        (sa.func.row_number().over(order_by=wanted.c.value) + (first - 1)).label("bib_id"),
    )
    return ranked.cte("pairs").prefix_with("MATERIALIZED")


def _copy_isbns(connection: Connection, pairs: sa.CTE, within: sa.ColumnElement[bool]) -> None:
    rows = sa.select(pairs.c.bib_id, *(stage_isbn.c[name] for name in ISBN_COLUMNS)).join(
        stage_isbn,
        sa.and_(stage_isbn.c.delivery_id == pairs.c.delivery_id, stage_isbn.c.position == pairs.c.position, within),
    )
    connection.execute(sa.insert(core_bib_isbn).from_select(["bib_id", *ISBN_COLUMNS], rows))


def _copy_identifiers(connection: Connection, change: Change, pairs: sa.CTE, within: sa.ColumnElement[bool]) -> None:
    rows = (
        sa.select(
            pairs.c.bib_id,
            stage_identifier.c.scheme,
            stage_identifier.c.value,
            sa.literal(change.source),
            sa.literal(change.delivery_id, core_bib_identifier.c.delivery_id.type),
        )
        .join(
            stage_identifier,
            sa.and_(
                stage_identifier.c.delivery_id == pairs.c.delivery_id,
                stage_identifier.c.position == pairs.c.position,
                within,
            ),
        )
        .distinct()
    )
    connection.execute(
        sa.insert(core_bib_identifier).from_select(["bib_id", "scheme", "value", "source", "delivery_id"], rows)
    )


def add_identifiers(connection: Connection, change: Change, rows: Iterable[tuple[int, Identifier]]) -> None:
    """Let further numbers lead to bibs; those that do already stay as they are."""
    wanted = {(bib_id, each.scheme, each.value) for bib_id, each in rows}
    if not wanted:
        return
    bibs = id_set(connection, {bib_id for bib_id, _scheme, _value in wanted})
    there = connection.execute(
        sa.select(core_bib_identifier.c.bib_id, core_bib_identifier.c.scheme, core_bib_identifier.c.value).join(
            bibs, bibs.c.value == core_bib_identifier.c.bib_id
        )
    )
    missing = wanted - {tuple(row) for row in there}
    bulk_insert(
        connection,
        core_bib_identifier,
        ("bib_id", "scheme", "value"),
        sorted(missing),
        {"source": change.source, "delivery_id": change.delivery_id},
    )


class NewVersion(NamedTuple):
    """The next version of a bib: its record and facts, and the delivery position it comes from."""

    bib_id: int
    position: int
    content: bytes
    facts: BibFacts
    last_editor: Editor = Editor.SUPPLIER


def write_versions(connection: Connection, change: Change, versions: Sequence[NewVersion]) -> dict[int, int]:
    """Replace bibs; the before-images go to `core_bib_version`. Returns the new version numbers by bib_id."""
    if not versions:
        return {}
    bib_ids = [each.bib_id for each in versions]
    numbers = keep_before_images(connection, bib_ids, change.now)
    connection.execute(
        sa.update(core_bib).where(core_bib.c.bib_id == sa.bindparam("b_bib_id")),
        [_values(each, change, numbers[each.bib_id] + 1) for each in versions],
    )
    _replace_isbns(connection, versions)
    add_identifiers(
        connection, change, [(each.bib_id, number) for each in versions for number in each.facts.identifiers]
    )
    return {bib_id: number + 1 for bib_id, number in numbers.items()}


def _values(each: NewVersion, change: Change, version: int) -> dict[str, Any]:
    return {
        "b_bib_id": each.bib_id,
        **{name: getattr(each.facts, name) for name in FACTS},
        "source": change.source,
        "last_editor": each.last_editor,
        "sent_at_name": change.sent_at_name,
        "origin_delivery_id": change.delivery_id,
        "origin_position": each.position,
        "content": each.content,
        "version": version,
        "change_no": change.change_no,
        "updated_at": change.now,
        "is_provisional": False,
        # A bib that the catalogue had deleted, and has again.
        "is_deleted": False,
    }


def _replace_isbns(connection: Connection, versions: Sequence[NewVersion]) -> None:
    wanted = id_set(connection, [each.bib_id for each in versions])
    connection.execute(sa.delete(core_bib_isbn).where(core_bib_isbn.c.bib_id.in_(sa.select(wanted.c.value))))
    bulk_insert(
        connection,
        core_bib_isbn,
        ("bib_id", *ISBN_COLUMNS),
        [(each.bib_id, seq, *isbn) for each in versions for seq, isbn in enumerate(each.facts.isbns, 1)],
    )


def note_sent_again(connection: Connection, change: Change, bib_ids: Collection[int]) -> None:
    """The source has sent these records unchanged: they are as new as this delivery, so that an older one that comes
    late does not replace them."""
    if not bib_ids or change.sent_at_name is None:
        return
    wanted = sa.select(id_set(connection, bib_ids).c.value)
    is_older = sa.or_(core_bib.c.sent_at_name.is_(None), core_bib.c.sent_at_name < change.sent_at_name)
    connection.execute(
        sa.update(core_bib).where(core_bib.c.bib_id.in_(wanted), is_older).values(sent_at_name=change.sent_at_name)
    )


def keep_before_images(connection: Connection, bib_ids: Collection[int], now: datetime) -> dict[int, int]:
    """Copy bibs as they are into `core_bib_version`; returns their version numbers by bib_id."""
    wanted = id_set(connection, bib_ids)
    isbns = rows_as_json(connection, core_bib_isbn, ISBN_COLUMNS, core_bib.c.bib_id)
    identifiers = rows_as_json(
        connection, core_bib_identifier, ("scheme", "value", "source", "delivery_id"), core_bib.c.bib_id
    )
    kept = (*VERSIONED, "change_no")
    columns = [*kept, "isbns", "identifiers", "ended_at"]
    rows = sa.select(
        *(core_bib.c[name] for name in kept), isbns, identifiers, sa.literal(now, core_bib.c.updated_at.type)
    ).join(wanted, wanted.c.value == core_bib.c.bib_id)
    connection.execute(sa.insert(core_bib_version).from_select(columns, rows))
    found = connection.execute(
        sa.select(core_bib.c.bib_id, core_bib.c.version).join(wanted, wanted.c.value == core_bib.c.bib_id)
    )
    return {row.bib_id: row.version for row in found}


class Standing(NamedTuple):
    """A bib of the catalogue as an overlay is decided by it."""

    bib_id: int
    encoding_level: str
    source: str
    last_editor: str
    is_national_bibliography: bool
    sent_at_name: str | None
    is_deleted: bool

    def as_existing(self) -> ExistingBib:
        """What the level table asks for."""
        return ExistingBib(
            self.encoding_level, self.source, self.last_editor, self.is_national_bibliography, self.sent_at_name
        )


def standing_bibs(connection: Connection, bib_ids: Collection[int]) -> dict[int, Standing]:
    """Bibs by the id asked for; a merged one is the bib that took its place."""
    found = _standing(connection, bib_ids)
    moved = {asked: into for asked, (_bib, into) in found.items() if into is not None}
    # Read apart, since hardly any is: a join of the catalogue with itself would look at all of it.
    targets = _standing(connection, set(moved.values())) if moved else {}
    return {asked: targets[moved[asked]][0] if asked in moved else bib for asked, (bib, _into) in found.items()}


def _standing(connection: Connection, bib_ids: Collection[int]) -> dict[int, tuple[Standing, int | None]]:
    """Bibs as they are by their ids, with the bib that took their place."""
    wanted = id_set(connection, bib_ids)
    rows = connection.execute(
        sa.select(core_bib.c.merged_into, *(core_bib.c[name] for name in Standing._fields))
        .select_from(wanted)
        .join(core_bib, core_bib.c.bib_id == wanted.c.value)
    )
    return {bib[0]: (Standing._make(bib), into) for into, *bib in rows.all()}


def merged_into(connection: Connection, bib_ids: Collection[int]) -> dict[int, int]:
    """Of some bibs those that were merged away, with the bib that took their place."""
    columns = (core_bib.c.bib_id, core_bib.c.merged_into)
    is_merged = core_bib.c.merged_into.is_not(None)
    rows = rows_of(connection, core_bib.c.bib_id, bib_ids, sa.select(*columns).where(is_merged))
    return dict(rows)


def bib_records(connection: Connection, bib_ids: Collection[int]) -> dict[int, bytes]:
    """The records of bibs as they are now."""
    rows = connection.execute(bib_content(id_set(connection, bib_ids)))
    return {bib_id: bytes(content) for bib_id, content in rows}
