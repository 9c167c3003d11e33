"""Pieces of a delivery become rows: `raw_record` and the working set in `stage_`.

The reader (tasks/marc) gives pieces in order; here they are written in chunks. A chunk commits together with the
position it reached, so a killed staging reads the file again but writes only what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import BibFacts, HoldingFacts, HoldingLine, StagedPiece
from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_member, raw_record
from schemas.warehouse.stage import (
    stage_bib,
    stage_holding,
    stage_holding_line,
    stage_identifier,
    stage_isbn,
    stage_match,
    stage_verdict,
)
from tasks.catalogue.levels import LevelReading
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import chunk, set_state

STAGE = "stage"

RAW_COLUMNS = (
    "delivery_id", "position", "member_no", "byte_offset", "record_type", "charset", "bib_position",
    "supplier_control_number", "title", "isbn13", "sigel", "reason", "findings", "normalised", "content",
)  # fmt: skip
BIB_COLUMNS = (
    "delivery_id", "position", "control_number", "title", "author", "encoding_level", "record_type", "bib_level",
    "carrier", "year", "is_national_bibliography", "reject_reason",
)  # fmt: skip
ISBN_COLUMNS = ("delivery_id", "position", "seq", "isbn13", "raw", "subfield", "qualifier", "status")
IDENTIFIER_COLUMNS = ("delivery_id", "position", "seq", "scheme", "value")
HOLDING_COLUMNS = (
    "delivery_id", "position", "part", "bib_position", "sigel", "is_delete", "control_number", "reject_reason",
)  # fmt: skip
_POSITION, _RECORD_TYPE = RAW_COLUMNS.index("position"), RAW_COLUMNS.index("record_type")
LINE_COLUMNS = ("delivery_id", "position", "part", "line_no", *HoldingLine._fields)


@dataclass(frozen=True)
class StagedMember:
    """A file inside the delivery, and its pieces."""

    member_no: int
    name: str
    format: str
    pieces: Iterable[Sequence[StagedPiece]]
    """In lists, as the reader hands them over; positions run on through the members of the delivery."""


@dataclass(frozen=True)
class StagingRules:
    """How a delivery's records are read: levels under the supplier's ceiling, and whose the holdings' lines are."""

    levels: LevelReading
    owner: str
    """Whose the lines of holdings are that do not name an owner themselves."""


@dataclass
class RowBatch:
    """Rows of some pieces of one member, ready for bulk loading. Picklable: batches may be made in another process."""

    delivery_id: int
    rules: StagingRules
    member_no: int
    member_name: str
    format: str
    raw: list[tuple[Any, ...]] = field(default_factory=list)
    bibs: list[tuple[Any, ...]] = field(default_factory=list)
    isbns: list[tuple[Any, ...]] = field(default_factory=list)
    identifiers: list[tuple[Any, ...]] = field(default_factory=list)
    holdings: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def last_position(self) -> int:
        """Position of the last piece."""
        return int(self.raw[-1][_POSITION])

    def counted(self) -> Counter[str]:
        """Pieces by `bib`, `holding`, `unreadable`; `embedded` holdings are counted beside them."""
        counts: Counter[str] = Counter(map(itemgetter(_RECORD_TYPE), self.raw))
        counts["embedded"] = len(self.holdings) - counts["holding"]
        return counts

    def add(self, piece: StagedPiece, bib_position: int | None) -> None:
        """Take in one piece; `bib_position` is the bib that a holding record belongs to."""
        (
            position, member_no, byte_offset, content, record_type, charset, findings, reason, as_taken, bib, holdings
        ) = piece  # fmt: skip
        number, title, isbn13, sigel, normalised = "", None, None, None, None
        if bib is not None:
            number, title = bib.control_number, bib.title
            isbn13 = _first_isbn(bib)
            level, normalised = self.rules.levels.apply(bib.encoding_level, as_taken, content)
            self._add_bib(position, bib, level)
        elif holdings:
            number, sigel = holdings[0].control_number, holdings[0].sigel
        told = orjson.dumps(findings, default=list).decode() if findings else None
        self.raw.append(
            (
                self.delivery_id, position, member_no, byte_offset, record_type, charset, bib_position, number, title,
                isbn13, sigel, reason or None, told, normalised, content,
            )
        )  # fmt: skip
        for holding in holdings:
            self._add_holding(position, holding, bib_position)

    def _add_bib(self, position: int, bib: BibFacts, level: str) -> None:
        delivery_id = self.delivery_id
        (
            control_number, title, author, _level, record_type, bib_level, carrier, year, is_national, isbns,
            identifiers, reject_reason,
        ) = bib  # fmt: skip
        self.bibs.append(
            (
                delivery_id, position, control_number, title, author, level, record_type, bib_level, carrier, year,
                is_national, reject_reason,
            )
        )  # fmt: skip
        for seq, isbn in enumerate(isbns, 1):
            self.isbns.append((delivery_id, position, seq, *isbn))
        for seq, each in enumerate(identifiers, 1):
            self.identifiers.append((delivery_id, position, seq, *each))

    def _add_holding(self, position: int, holding: HoldingFacts, bib_position: int | None) -> None:
        delivery_id, owner = self.delivery_id, self.rules.owner
        part, sigel, is_delete, control_number, lines, reject_reason = holding
        self.holdings.append(
            (delivery_id, position, part, bib_position, sigel, is_delete, control_number, reject_reason)
        )
        for line_no, line in enumerate(lines, 1):
            self.lines.append((delivery_id, position, part, line_no, *line[:-1], line.owner or owner))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by columns: that takes a third of the time of as many rows."""
        tables = [list(zip(*rows, strict=True)) for rows in self._tables()]
        start = (self.delivery_id, self.rules, self.member_no, self.member_name, self.format)
        return _batch_of_columns, (start, tables)

    def _tables(self) -> tuple[list[tuple[Any, ...]], ...]:
        return self.raw, self.bibs, self.isbns, self.identifiers, self.holdings, self.lines

    def write(self, connection: Connection, after: int = 0) -> None:
        """Load the rows of the positions behind `after`."""
        for table, columns, rows in (
            (raw_record, RAW_COLUMNS, self.raw),
            (stage_bib, BIB_COLUMNS, self.bibs),
            (stage_isbn, ISBN_COLUMNS, self.isbns),
            (stage_identifier, IDENTIFIER_COLUMNS, self.identifiers),
            (stage_holding, HOLDING_COLUMNS, self.holdings),
            (stage_holding_line, LINE_COLUMNS, self.lines),
        ):
            wanted = rows if after < self.raw[0][1] else [row for row in rows if row[1] > after]
            bulk_insert(connection, table, columns, wanted)


def _batch_of_columns(start: tuple[Any, ...], tables: list[list[tuple[Any, ...]]]) -> RowBatch:
    return RowBatch(*start, *(list(zip(*columns, strict=True)) for columns in tables))


def _first_isbn(bib: BibFacts) -> str | None:
    for each in bib.isbns:
        if each.isbn13 and each.subfield == "a":
            return each.isbn13
    return None


def row_batches(
    delivery_id: int, members: Iterable[StagedMember], rules: StagingRules, size: int
) -> Iterator[RowBatch]:
    """The rows of a delivery, in batches of about `size` pieces of one member each. Pure: no database is touched.

    A holding belongs to the bib before it; the reader gives it a `reject_reason` where a piece between them makes
    that doubtful.
    """
    for member in members:
        bib_position: int | None = None
        batch = RowBatch(delivery_id, rules, member.member_no, member.name, member.format)
        for piece in chain.from_iterable(member.pieces):
            if piece.record_type == "bib":
                bib_position = piece.position
            batch.add(piece, bib_position)
            if len(batch.raw) >= size:
                yield batch
                batch = RowBatch(delivery_id, rules, member.member_no, member.name, member.format)
        if batch.raw:
            yield batch


def stage_delivery(
    warehouse: Warehouse,
    delivery_id: int,
    batches: Iterable[RowBatch],
    *,
    now: datetime,
    verify: Callable[[Connection], None] | None = None,
) -> Counter[str]:
    """Write a delivery's pieces; returns counts of `bib`, `holding`, `embedded` and `unreadable`.

    A batch is a transaction. Raises whatever the reader raises (`DeliveryRejectedError`); batches committed until
    then stay, and a second call goes on after them. `verify` looks at all that was staged before the delivery counts
    as staged, and may raise as well.
    """
    counts: Counter[str] = Counter()
    members: dict[int, dict[str, Any]] = {}
    for batch in batches:
        with chunk(warehouse, delivery_id, STAGE) as work:
            if batch.last_position > work.reached:
                batch.write(work.connection, work.reached)
                work.advance(batch.last_position)
        counted = batch.counted()
        counts.update(counted)
        member = members.setdefault(
            batch.member_no, {"name": batch.member_name, "format": batch.format, "pieces": 0, "embedded_holdings": 0}
        )
        member["pieces"] += len(batch.raw)
        member["embedded_holdings"] += counted["embedded"]
    with chunk(warehouse, delivery_id, STAGE) as work:
        # By itself, so that the count stands even where the delivery is rejected for what `verify` finds.
        _store_members(work.connection, delivery_id, members)
    with chunk(warehouse, delivery_id, STAGE) as work:
        if verify is not None:
            verify(work.connection)
        work.advance(max(work.reached, counts.total() - counts["embedded"]), done_at=now)
        set_state(work.connection, delivery_id, DeliveryState.STAGED, only_from=[DeliveryState.RECEIVED])
    return counts


def _store_members(connection: Connection, delivery_id: int, members: Mapping[int, Mapping[str, Any]]) -> None:
    connection.execute(sa.delete(raw_member).where(raw_member.c.delivery_id == delivery_id))
    rows = [{"delivery_id": delivery_id, "member_no": number, **member} for number, member in members.items()]
    if rows:
        connection.execute(sa.insert(raw_member), rows)


def forget_staged(connection: Connection, delivery_id: int, keep: sa.Select[tuple[int]] | None = None) -> None:
    """Drop the working set of a delivery, except that of the bibs whose positions `keep` selects, and their holdings.

    What a dry run found stays: it is not part of the working set.
    """
    kept: Sequence[int] = list(connection.execute(keep).scalars()) if keep is not None else []
    kept_bibs = sa.select(id_set(connection, kept).c.value)
    for table in (stage_bib, stage_isbn, stage_identifier, stage_verdict, stage_match):
        connection.execute(
            sa.delete(table).where(table.c.delivery_id == delivery_id, table.c.position.not_in(kept_bibs))
        )
    kept_holdings = sa.select(stage_holding.c.position).where(
        stage_holding.c.delivery_id == delivery_id, stage_holding.c.bib_position.in_(kept_bibs)
    )
    connection.execute(
        sa.delete(stage_holding_line).where(
            stage_holding_line.c.delivery_id == delivery_id, stage_holding_line.c.position.not_in(kept_holdings)
        )
    )
    connection.execute(
        sa.delete(stage_holding).where(
            stage_holding.c.delivery_id == delivery_id,
            sa.or_(stage_holding.c.bib_position.is_(None), stage_holding.c.bib_position.not_in(kept_bibs)),
        )
    )
