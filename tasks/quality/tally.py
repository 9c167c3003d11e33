"""The judged rows of deliveries, tallied: how often each combination of values stands in each row set.

A tally holds every row, none is sampled or cut off, and yet it is small: the judged columns have few values. It is what
the gate and Great Expectations both look at.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.expectations import HISTORY_AT_LEAST, HISTORY_LENGTH, ROW_SET_COLUMNS, Expectation, RowSet
from schemas.outcomes import DeliveryState, RecordType
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import stage_bib, stage_holding, stage_isbn
from tasks.warehouse.bulk import id_set

Values = tuple[str | float | None, ...]
"""The values of one row, in the order of `ROW_SET_COLUMNS`."""


@dataclass(frozen=True)
class Tally:
    """The judged rows of one delivery: row set, then values of a row, then how many rows have them.

    `median` is of the supplier's last settled deliveries; None where there are too few.
    """

    delivery_id: int
    counts: Mapping[RowSet, Mapping[Values, int]] = field(default_factory=dict)
    median: float | None = None

    def rows(self, row_set: RowSet) -> int:
        """How many rows the row set has."""
        return sum(self.counts.get(row_set, {}).values())

    def of_column(self, expectation: Expectation) -> dict[str | float | None, int]:
        """How often each value stands in the column that `expectation` judges."""
        index = list(ROW_SET_COLUMNS[expectation.row_set]).index(expectation.column)
        counted: dict[str | float | None, int] = {}
        for values, number in self.counts.get(expectation.row_set, {}).items():
            counted[values[index]] = counted.get(values[index], 0) + number
        return counted

    @property
    def pieces(self) -> int:
        """Pieces between terminators, unreadable ones included."""
        return self.rows(RowSet.PIECES)

    @property
    def records(self) -> int:
        """Bib and holding records."""
        unreadable = self.counts.get(RowSet.PIECES, {}).get((RecordType.UNREADABLE.value,), 0)
        return self.pieces - unreadable


def read_tallies(connection: Connection, delivery_ids: Collection[int]) -> dict[int, Tally]:
    """The tallies of staged deliveries of one sender, by delivery id: two statements, however many there are.

    Reads the stage tables, so it comes before they are cleaned.
    """
    if not delivery_ids:
        return {}
    counts: dict[int, dict[RowSet, dict[Values, int]]] = {each: {} for each in delivery_ids}
    for row in connection.execute(_all_rows(connection, delivery_ids)):
        row_set = RowSet(row.row_set)
        values = (row.first, row.second, row.third)[: len(ROW_SET_COLUMNS[row_set])]
        counts[row.delivery_id].setdefault(row_set, {})[values] = row.number
    medians = _medians(connection, delivery_ids)
    return {each: _with_size(Tally(each, counts[each], medians[each])) for each in counts}


def _with_size(tally: Tally) -> Tally:
    if tally.median is None:
        return tally
    size: dict[Values, int] = {(tally.records / max(tally.median, 1.0),): 1}
    return Tally(tally.delivery_id, {**tally.counts, RowSet.DELIVERY: size}, tally.median)


def _all_rows(connection: Connection, delivery_ids: Collection[int]) -> sa.CompoundSelect[tuple[object, ...]]:
    """Every row set in one statement: delivery, row set, up to three values, how many rows."""
    nothing = sa.cast(sa.null(), sa.Text)
    with_isbn = (
        sa.select(stage_isbn.c.delivery_id, stage_isbn.c.position)
        .where(stage_isbn.c.subfield == "a", _is_wanted(connection, stage_isbn.c.delivery_id, delivery_ids))
        .distinct()
        .subquery()
    )
    has_isbn = (stage_bib.c.delivery_id == with_isbn.c.delivery_id) & (stage_bib.c.position == with_isbn.c.position)
    present = sa.literal_column("'present'", sa.Text)
    parts: list[tuple[RowSet, sa.FromClause, list[sa.ColumnElement[str]], list[sa.ColumnElement[bool]]]] = [
        (RowSet.PIECES, raw_record, [raw_record.c.record_type, nothing, nothing], []),
        (
            RowSet.BIBS,
            stage_bib.outerjoin(with_isbn, has_isbn),
            [
                sa.case((_has_title(), present)),
                sa.case((with_isbn.c.position.is_not(None), present)),
                stage_bib.c.encoding_level,
            ],
            [],
        ),
        (RowSet.ISBNS, stage_isbn, [stage_isbn.c.status, nothing, nothing], [stage_isbn.c.subfield == "a"]),
        (RowSet.HOLDINGS, stage_holding, [stage_holding.c.sigel, nothing, nothing], []),
    ]
    selects = []
    for row_set, source, columns, conditions in parts:
        table = source.left if isinstance(source, sa.Join) else source
        delivery_id = table.c.delivery_id
        name = sa.literal_column(f"'{row_set.value}'", sa.Text)
        selects.append(
            sa.select(
                delivery_id,
                name.label("row_set"),
                columns[0].label("first"),
                columns[1].label("second"),
                columns[2].label("third"),
                sa.func.count().label("number"),
            )
            .select_from(source)
            .where(_is_wanted(connection, delivery_id, delivery_ids), *conditions)
            .group_by(delivery_id, *(each for each in columns if each is not nothing))
        )
    return sa.union_all(*selects)


def _has_title() -> sa.ColumnElement[bool]:
    """Whether there is a 245 $a. The title for people may be a $b alone, so the reason for rejection counts too."""
    has_words = sa.func.trim(stage_bib.c.title) != ""
    return sa.and_(has_words, sa.not_(stage_bib.c.reject_reason.startswith("245 $a", autoescape=True)))


def _is_wanted(
    connection: Connection, column: sa.ColumnElement[int], delivery_ids: Collection[int]
) -> sa.ColumnElement[bool]:
    return column.in_(sa.select(id_set(connection, delivery_ids).c.value))


def _medians(connection: Connection, delivery_ids: Collection[int]) -> dict[int, float | None]:
    """Per delivery the median size of the last settled deliveries of its sender before it.

    Only earlier deliveries count, so that a delivery that is judged again (after a hold) is judged alike.
    """
    first, last = min(delivery_ids), max(delivery_ids)
    this = raw_delivery.alias("this")
    sender = sa.select(this.c.kind, this.c.sender).where(this.c.delivery_id == first).subquery()
    settled = (
        sa.select(raw_delivery.c.delivery_id, raw_delivery.c.records_read)
        .join(sender, (sender.c.kind == raw_delivery.c.kind) & (sender.c.sender == raw_delivery.c.sender))
        .where(raw_delivery.c.state == DeliveryState.SETTLED)
    )
    before = settled.where(raw_delivery.c.delivery_id < first).order_by(raw_delivery.c.delivery_id.desc())
    between = settled.where(raw_delivery.c.delivery_id.between(first, last))
    history = sorted(
        (row.delivery_id, row.records_read)
        for row in connection.execute(
            sa.union_all(sa.select(before.limit(HISTORY_LENGTH).subquery()), sa.select(between.subquery()))
        )
    )
    return {each: _median_before(history, each) for each in delivery_ids}


def _median_before(history: list[tuple[int, int]], delivery_id: int) -> float | None:
    sizes = [records for earlier, records in history if earlier < delivery_id][-HISTORY_LENGTH:]
    return float(statistics.median(sizes)) if len(sizes) >= HISTORY_AT_LEAST else None
