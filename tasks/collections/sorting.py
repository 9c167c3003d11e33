"""Each row of a collection with what was found for it: written beside the records, counted, proved.

A row is a bib or a piece that could not be read; a holding record is no row. What the rules of loading decided about a
bib (or, of a dry run, would decide) becomes one of five endings, in words that a library can do something with.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import ConservationError
from schemas.warehouse.collections import ENDINGS, raw_collection, raw_collection_row
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import (
    stage_bib,
    stage_holding,
    stage_holding_line,
    stage_identifier,
    stage_isbn,
    stage_preview,
    stage_verdict,
)
from tasks.catalogue.import_rules import NOT_CREATED
from tasks.catalogue.loading import guard_rule
from tasks.catalogue.stock import CREATE
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import chunk

STAGE = "sort_rows"
AT_ONCE = 5_000
"""Pieces whose rows are put together at once: six tables meet there, and a chunk of loading would take 40 MB."""
COUNTED_AT_ONCE = 100_000
HOLDINGS_BEHIND = 1_000
"""So many pieces behind a range are looked at for holdings of its last bib."""
MOST_SHOWN = 500
"""Characters of a value that a list shows."""
LOOKED_FOR_BY = ("issn", "ean", "control_number")
_SCIENTIFIC = re.compile(r"[0-9][.,][0-9]+[eE][+]?[0-9]+")


class CollectionRow(NamedTuple):
    """A row of `raw_collection_row`, without its delivery."""

    position: int
    ending: str
    rule: str
    reason: str
    local_id: str
    isbn: str
    title: str
    author: str
    year: int | None
    shelf_mark: str
    libraries: str
    bib_id: int | None


def sort_rows(warehouse: Warehouse, delivery_id: int, *, is_preview: bool, chunk_records: int, now: datetime) -> None:
    """Write every row of a decided collection with its ending, in chunks; goes on where a killed run stopped."""
    outcomes, its_delivery = stage_preview if is_preview else core_outcome, {"delivery_id": delivery_id}
    while True:
        with chunk(warehouse, delivery_id, STAGE) as work:
            if work.is_done:
                return
            low, high, last = work.reached, work.reached + chunk_records, _last(work.connection, delivery_id)
            for start in range(low, high, AT_ONCE):
                rows = sorted_rows(work.connection, delivery_id, start, min(start + AT_ONCE, high), outcomes)
                bulk_insert(work.connection, raw_collection_row, CollectionRow._fields, rows, its_delivery)
            if high >= last:
                _note_counts(work.connection, delivery_id, now)
            work.advance(min(high, last), done_at=now if high >= last else None)


def _last(connection: Connection, delivery_id: int) -> int:
    last = connection.execute(
        sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == delivery_id)
    ).scalar()
    return int(last or 0)


def _note_counts(connection: Connection, delivery_id: int, now: datetime) -> None:
    """Count what was written, prove it against what came, and keep the counts."""
    counted = rows_by(connection, delivery_id, raw_collection_row.c.ending)
    endings = {ending: counted[(ending,)] for ending in ENDINGS}
    rows_read = connection.execute(
        sa.select(sa.func.count())
        .select_from(raw_record)
        .where(raw_record.c.delivery_id == delivery_id, raw_record.c.record_type != "holding")
    ).scalar_one()
    if sum(endings.values()) != rows_read:
        name = connection.execute(
            sa.select(raw_delivery.c.name).where(raw_delivery.c.delivery_id == delivery_id)
        ).scalar_one()
        shown = " + ".join(f"{ending} {number}" for ending, number in endings.items())
        raise ConservationError(
            f"rows in {rows_read} is not {shown}", file=name,
            remedy="nothing is settled; report it as a fault of Samkat and keep the file",
        )  # fmt: skip
    connection.execute(
        sa.update(raw_collection)
        .where(raw_collection.c.delivery_id == delivery_id)
        .values(rows_read=rows_read, sorted_at=now, **endings)
    )


def rows_by(connection: Connection, delivery_id: int, *columns: sa.Column[Any]) -> Counter[tuple[Any, ...]]:
    """Rows of a collection counted by columns of theirs, range by range: SQLite sorts in memory what it groups."""
    found: Counter[tuple[Any, ...]] = Counter()
    row, last = raw_collection_row.c, _last(connection, delivery_id)
    for low in range(0, last, COUNTED_AT_ONCE):
        within = sa.and_(row.delivery_id == delivery_id, row.position.between(low + 1, low + COUNTED_AT_ONCE))
        for *values, number in connection.execute(
            sa.select(*columns, sa.func.count()).where(within).group_by(*columns)
        ).all():
            found[tuple(values)] += number
    return found


def sorted_rows(
    connection: Connection, delivery_id: int, low: int, high: int, outcomes: sa.Table
) -> list[CollectionRow]:
    """The rows with `low < position <= high`, in order. Read table by table, each by its key, and put together here."""
    pieces = connection.execute(
        _of_range(raw_record, delivery_id, low, high, "record_type", "reason", "supplier_control_number", "title")
        .where(raw_record.c.record_type != "holding")
        .order_by(raw_record.c.position)
    ).all()
    bibs = _by_position(connection, _of_range(stage_bib, delivery_id, low, high, "author", "year"))
    decided = _decided(connection, delivery_id, low, high, outcomes)
    verdicts = _by_position(connection, _of_range(stage_verdict, delivery_id, low, high, "ending", "rule", "reason"))
    numbers = _numbers(connection, delivery_id, low, high)
    held = _held(connection, delivery_id, low, high)
    rows = []
    for position, record_type, defect, local_id, title in pieces:
        isbns = numbers.isbns.get(position, ())
        if record_type == "unreadable":
            ending = _Ending("unreadable", "unreadable", defect or "")
        else:
            looked_for = position in numbers.others
            ending = _ending(decided[position], verdicts.get(position), isbns, looked_for)
        author, year = bibs.get(position, ("", None))
        shelf_mark, libraries = held.get(position, ("", ""))
        rows.append(
            CollectionRow(
                position,
                ending.ending,
                ending.rule,
                ending.reason,
                local_id or "",
                "; ".join(raw for raw, _ in isbns)[:MOST_SHOWN],
                (title or "")[:MOST_SHOWN],
                author[:MOST_SHOWN],
                year,
                shelf_mark[:MOST_SHOWN],
                libraries,
                ending.bib_id,
            )
        )
    return rows


class _Ending(NamedTuple):
    ending: str
    rule: str
    reason: str
    bib_id: int | None = None


def _ending(
    decided: Sequence[Any], verdict: Sequence[Any] | None, isbns: Sequence[tuple[str, str]], looked_for: bool
) -> _Ending:
    """What the outcome of a bib means to its library. `looked_for`: it has another number than an ISBN."""
    outcome, rule, reason, bib_id = decided
    if outcome == "kept":
        if verdict is not None and verdict[0] == "match":
            return _Ending("matched", verdict[1], verdict[2], bib_id)
        return _Ending("matched", rule, reason, bib_id)
    is_missing = rule in (NOT_CREATED[0], guard_rule(CREATE))
    if outcome == "review" and not is_missing:
        return _Ending("review", rule, reason)
    if not is_missing:
        return _Ending("unreadable", rule, reason)
    is_valid = any(status != "invalid" for _, status in isbns)
    if isbns and not is_valid and not looked_for:
        return _Ending("bad_isbn", "isbn_wrong", why_wrong(isbns[0][0]))
    if not isbns and not looked_for:
        return _Ending("not_found", "no_number", "it has no ISBN, and nothing else to look for it by")
    if verdict is not None and verdict[0] == "new":
        return _Ending("not_found", verdict[1], verdict[2])
    return _Ending("not_found", "no_candidate", "no bib of the union catalogue has its number")


def why_wrong(raw: str) -> str:
    """Why an ISBN as it was written is none, as far as that can be told, and what may have happened to it."""
    if _SCIENTIFIC.search(raw):
        return f"{raw}: a spreadsheet has rounded the number; make its column text and enter the number again"
    digits = sum(char.isdigit() for char in raw) + raw.strip()[-1:].upper().count("X")
    if digits == 9:
        return f"{raw}: 9 digits; a spreadsheet may have taken the 0 at its beginning away"
    if digits in (10, 13):
        return f"{raw}: the check digit is wrong, or it is no ISBN; compare it with the book"
    return f"{raw}: {digits} digits, and an ISBN has 10 or 13"


def _decided(
    connection: Connection, delivery_id: int, low: int, high: int, outcomes: sa.Table
) -> dict[int, tuple[Any, ...]]:
    statement = _of_range(outcomes, delivery_id, low, high, "outcome", "rule", "reason", "bib_id").where(
        outcomes.c.record_type == "bib", outcomes.c.part == 0
    )
    if outcomes is core_outcome:
        statement = statement.where(core_outcome.c.is_latest)
    return _by_position(connection, statement)


class _Numbers(NamedTuple):
    isbns: dict[int, list[tuple[str, str]]]
    """(as it was written, status) of each 020 $a"""
    others: set[int]


def _numbers(connection: Connection, delivery_id: int, low: int, high: int) -> _Numbers:
    isbns: dict[int, list[tuple[str, str]]] = defaultdict(list)
    statement = _of_range(stage_isbn, delivery_id, low, high, "raw", "status")
    for position, raw, status in connection.execute(
        statement.where(stage_isbn.c.subfield == "a").order_by(stage_isbn.c.position, stage_isbn.c.seq)
    ).all():
        isbns[position].append((raw, status))
    others = connection.execute(
        _of_range(stage_identifier, delivery_id, low, high).where(stage_identifier.c.scheme.in_(LOOKED_FOR_BY))
    ).scalars()
    return _Numbers(isbns, set(others))


def _held(connection: Connection, delivery_id: int, low: int, high: int) -> dict[int, tuple[str, str]]:
    """First shelf mark, and sigels, by the bib's position."""
    behind = high + HOLDINGS_BEHIND
    lines = stage_holding_line.c
    marks: dict[tuple[int, int], str] = {}
    for position, part, mark in connection.execute(
        _of_range(stage_holding_line, delivery_id, low, behind, "part", "shelf_mark").order_by(
            lines.position, lines.part, lines.line_no
        )
    ).all():
        if mark:
            marks.setdefault((position, part), mark)
    holding = stage_holding.c
    found: dict[int, tuple[str, dict[str, None]]] = {}
    for position, part, bib_position, sigel in connection.execute(
        _of_range(stage_holding, delivery_id, low, behind, "part", "bib_position", "sigel")
        .where(holding.bib_position > low, holding.bib_position <= high)
        .order_by(holding.position, holding.part)
    ).all():
        mark, sigels = found.get(bib_position, ("", {}))
        if sigel:
            sigels[sigel] = None
        found[bib_position] = (mark or marks.get((position, part), ""), sigels)
    return {position: (mark, ", ".join(sigels)) for position, (mark, sigels) in found.items()}


def _by_position(connection: Connection, statement: sa.Select[Any]) -> dict[int, tuple[Any, ...]]:
    return {row[0]: tuple(row[1:]) for row in connection.execute(statement).all()}


def _of_range(table: sa.Table, delivery_id: int, low: int, high: int, *names: str) -> sa.Select[Any]:
    return sa.select(table.c.position, *(table.c[name] for name in names)).where(
        table.c.delivery_id == delivery_id, table.c.position > low, table.c.position <= high
    )


def counts_of(connection: Connection, delivery_id: int) -> Counter[str]:
    """Rows by ending, and `rows_read`."""
    row = connection.execute(
        sa.select(raw_collection.c.rows_read, *(raw_collection.c[each] for each in ENDINGS)).where(
            raw_collection.c.delivery_id == delivery_id
        )
    ).one()
    return Counter(dict(row._mapping))
