"""Conservation: proves from the warehouse that every record of a delivery ended in exactly one counted outcome.

The equations stand in docs/quality.md. A delivery that does not add up raises, so a flow that cannot prove it fails.
The proof is per record: equal totals alone could hide one record that was lost beside one that was counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import ConservationError
from schemas.outcomes import BibOutcome, HoldingOutcome, RecordType
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_member, raw_record
from schemas.warehouse.stage import stage_holding
from tasks.warehouse.bulk import id_set
from tasks.warehouse.ledger import last_positions
from tasks.warehouse.planner import joined_as_sets

FIRST_SHOWN = 5
COUNTED_AT_ONCE = 100_000
"""Records of a delivery that are counted by one statement: SQLite sorts in memory what it groups."""
REMEDY = "nothing is settled; report it as a fault of Samkat and keep the file"


@dataclass(frozen=True)
class Conservation:
    """A delivery that adds up. `bibs` and `holdings` count the latest outcomes; every outcome is there, 0 included."""

    delivery_id: int
    name: str
    pieces: int
    bib_records: int
    holding_records: int
    unreadable: int
    embedded_holdings: int
    bibs: Mapping[str, int]
    holdings: Mapping[str, int]

    @property
    def bibs_read(self) -> int:
        """Bib records."""
        return self.bib_records

    @property
    def holdings_read(self) -> int:
        """Holding records, and holdings made from the 852 of a bib."""
        return self.holding_records + self.embedded_holdings

    def equations(self) -> tuple[str, str, str]:
        """The three equations with their numbers, each side as it was counted."""
        return (
            f"pieces {self.pieces} = bib records {self.bib_records} + holding records {self.holding_records}"
            f" + unreadable {self.unreadable}",
            _equation("bibs_read", self.bibs_read, self.bibs),
            _equation("holdings_read", self.holdings_read, self.holdings),
        )


def _equation(left: str, number: int, outcomes: Mapping[str, int]) -> str:
    return f"{left} {number} = {' + '.join(f'{name} {counted}' for name, counted in outcomes.items())}"


def prove(connection: Connection, delivery_id: int) -> Conservation:
    """Prove the equations for a loaded delivery and return its figures.

    Raises `ConservationError` that names the file, the equation with its numbers, and the first positions that are
    missing or counted twice.
    """
    return prove_all(connection, [delivery_id])[delivery_id]


def prove_all(connection: Connection, delivery_ids: Collection[int]) -> dict[int, Conservation]:
    """As `prove`, for many small deliveries in as many statements as for one. Raises for the first that fails."""
    of = _those(connection, delivery_ids)
    files = connection.execute(
        sa.select(raw_delivery.c.delivery_id, raw_delivery.c.name, raw_delivery.c.bytes).where(
            of(raw_delivery.c.delivery_id)
        )
    ).all()
    found = {row.delivery_id: row.name for row in files}
    ranges = list(_ranges(connection, delivery_ids, max((row.bytes for row in files), default=0)))
    records = _records(connection, of, ranges, found)
    outcomes = _latest_outcomes(connection, of, ranges)
    return {
        each: _proved(connection, each, found[each], records[each], outcomes.get(each) or _LatestOutcomes())
        for each in delivery_ids
    }


Those = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bool]]
"""Says of a column with a delivery's id that it is one of those."""


def _those(connection: Connection, delivery_ids: Collection[int]) -> Those:
    if len(delivery_ids) == 1:
        (one,) = delivery_ids
        return lambda column: column == one
    return lambda column: column.in_(sa.select(id_set(connection, delivery_ids).c.value))


Within = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bool]]
"""Says of a column with a position that it lies in a range; the ranges of a delivery leave no position out."""


def _ranges(connection: Connection, delivery_ids: Collection[int], largest: int) -> Iterator[Within]:
    """The positions of one large delivery in parts; all at once of several small ones. `largest`: bytes of a file."""
    last = 0
    if len(delivery_ids) == 1 and largest > COUNTED_AT_ONCE:  # no record has less than a byte
        last = max(last_positions(connection, delivery_ids).values())
    edges = [None, *range(COUNTED_AT_ONCE, last, COUNTED_AT_ONCE), None]
    for low, high in pairwise(edges):
        yield partial(_lies_between, low, high)


def _lies_between(low: int | None, high: int | None, position: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(sa.true() if low is None else position > low, sa.true() if high is None else position <= high)


_EVERYWHERE: Within = partial(_lies_between, None, None)


def _proved(
    connection: Connection, delivery_id: int, name: str, records: _Records, outcomes: _LatestOutcomes
) -> Conservation:
    found = Conservation(
        delivery_id=delivery_id,
        name=name,
        pieces=sum(records.types.values()),
        bib_records=records.types[RecordType.BIB],
        holding_records=records.types[RecordType.HOLDING],
        unreadable=records.types[RecordType.UNREADABLE],
        embedded_holdings=records.embedded,
        bibs=outcomes.bibs,
        holdings=outcomes.holdings,
    )
    if outcomes.strange:
        strange = ", ".join(sorted(outcomes.strange))
        raise ConservationError(f"outcomes not in the vocabulary: {strange}", file=name, remedy=REMEDY)
    doubled = _doubled(connection, delivery_id) if len(outcomes.seqs) > 1 else []
    adds_up = found.bibs_read == sum(found.bibs.values()) and found.holdings_read == sum(found.holdings.values())
    if doubled or not adds_up or not records.are_right:
        raise _not_conserved(connection, found, doubled)
    return found


@dataclass(frozen=True)
class _Records:
    """Records by type, embedded holdings as the reader counted them, and whether each record has its outcomes."""

    types: dict[RecordType, int]
    embedded: int
    are_right: bool


def _records(
    connection: Connection, of: Those, ranges: Iterable[Within], names: Mapping[int, str]
) -> dict[int, _Records]:
    rows: list[sa.Row[Any]] = []
    for within in ranges:
        each = _records_with_outcomes(of, within).subquery().c
        with joined_as_sets(connection):
            rows += connection.execute(
                sa.select(
                    each.delivery_id,
                    each.member_no,
                    each.record_type,
                    sa.func.count().label("number"),
                    sa.func.sum(each.last_part).label("embedded"),
                    sa.func.sum(sa.case((_is_wrong(each), 1), else_=0)).label("wrong"),
                ).group_by(each.delivery_id, each.member_no, each.record_type)
            ).all()
    members: dict[int, dict[int, sa.Row[Any]]] = defaultdict(dict)
    for row in connection.execute(sa.select(raw_member).where(of(raw_member.c.delivery_id))):
        members[row.delivery_id][row.member_no] = row
    by_delivery: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    for row in rows:
        by_delivery[row.delivery_id].append(row)
    return {each: _summed(by_delivery[each], members[each], name) for each, name in names.items()}


def _summed(rows: Iterable[sa.Row[Any]], members: Mapping[int, sa.Row[Any]], name: str) -> _Records:
    types = dict.fromkeys(RecordType, 0)
    by_member: dict[int, dict[RecordType, int]] = {}
    embedded: dict[int, int] = {}
    are_right = True
    for row in rows:
        types[RecordType(row.record_type)] += row.number
        by_member.setdefault(row.member_no, dict.fromkeys(RecordType, 0))[RecordType(row.record_type)] += row.number
        embedded[row.member_no] = embedded.get(row.member_no, 0) + int(row.embedded)
        are_right = are_right and not row.wrong
    counted = _counted_by_reader(members, name, by_member)
    are_right = are_right and all(embedded.get(no, 0) == counted[no] for no in counted)
    return _Records(types, sum(counted.values()), are_right)


def _counted_by_reader(
    members: Mapping[int, sa.Row[Any]], name: str, by_member: Mapping[int, Mapping[RecordType, int]]
) -> dict[int, int]:
    """Embedded holdings by member, as the reader counted them; raises where its pieces are not those in raw_record."""
    for member_no in sorted({*members, *by_member}):
        kept = by_member.get(member_no, dict.fromkeys(RecordType, 0))
        pieces = members[member_no].pieces if member_no in members else 0
        if pieces != sum(kept.values()):
            inside = members[member_no].name if member_no in members else f"member {member_no}"
            raise ConservationError(
                f"the reader counted {pieces} pieces, but bib records {kept[RecordType.BIB]} + holding records"
                f" {kept[RecordType.HOLDING]} + unreadable {kept[RecordType.UNREADABLE]} = {sum(kept.values())}",
                file=name if inside == name else f"{name} ({inside})",
                remedy=REMEDY,
            )
    return {member_no: row.embedded_holdings for member_no, row in members.items()}


def _records_with_outcomes(of: Those, within: Within | None = None) -> sa.Select[Any]:
    """One row a record, with its latest outcomes: how many, the last part, its own, ones of another type, staged ones.

    `staged` counts the embedded holdings of a bib that are still staged; null where none is.
    """
    record, outcome, within = raw_record.c, core_outcome.c, within or _EVERYWHERE
    is_own = sa.and_(outcome.part == 0, outcome.record_type == record.record_type)
    is_odd = sa.and_(outcome.part > 0, outcome.record_type != RecordType.HOLDING)
    staged = (
        sa.select(stage_holding.c.delivery_id, stage_holding.c.position, sa.func.count().label("number"))
        .where(of(stage_holding.c.delivery_id), within(stage_holding.c.position), stage_holding.c.part > 0)
        .group_by(stage_holding.c.delivery_id, stage_holding.c.position)
        .subquery()
    )
    is_outcome = sa.and_(
        outcome.delivery_id == record.delivery_id, outcome.position == record.position, outcome.is_latest
    )
    is_staged = sa.and_(staged.c.delivery_id == record.delivery_id, staged.c.position == record.position)
    return (
        sa.select(
            record.delivery_id,
            record.position,
            record.member_no,
            record.record_type,
            sa.func.count(outcome.part).label("outcomes"),
            sa.func.coalesce(sa.func.max(outcome.part), 0).label("last_part"),
            _sum_where(is_own).label("own"),
            _sum_where(is_odd).label("odd"),
            sa.func.max(staged.c.number).label("staged"),
        )
        .select_from(raw_record.outerjoin(core_outcome, is_outcome).outerjoin(staged, is_staged))
        .where(of(record.delivery_id), within(record.position))
        .group_by(record.delivery_id, record.position)
    )


def _is_wrong(each: sa.ColumnCollection[str, sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
    """Whether a record has not exactly its outcomes: one of its own type, and for a bib one for each embedded holding.

    Parts run from 1 without a gap. While the embedded holdings are staged they are compared one by one; afterwards
    their total is, with what the reader counted. That no part is there twice is for `_doubled`. An unreadable piece
    needs no outcome: raw_record says it all.
    """
    has_its_parts = sa.and_(
        each.outcomes == 1 + each.last_part,
        each.last_part == sa.func.coalesce(each.staged, each.last_part),
        sa.or_(each.last_part == 0, each.record_type == RecordType.BIB),
    )
    needs_none = sa.and_(each.outcomes == 0, each.record_type == RecordType.UNREADABLE)
    return sa.not_(sa.or_(needs_none, sa.and_(each.own == 1, each.odd == 0, has_its_parts)))


def _doubled(connection: Connection, delivery_id: int) -> list[tuple[int, str]]:
    """The first positions with a part whose outcomes do not end in exactly one latest, each in words.

    Only needed where outcomes were succeeded by new ones: else the primary key allows one outcome a part.
    """
    each = core_outcome.c
    latest = _sum_where(each.is_latest)
    last_is_latest = sa.func.max(sa.case((each.is_latest, each.seq))) == sa.func.max(each.seq)
    rows = connection.execute(
        sa.select(each.position, each.part, latest.label("latest"))
        .where(each.delivery_id == delivery_id)
        .group_by(each.position, each.part)
        .having(sa.not_(sa.and_(latest == 1, sa.func.coalesce(last_is_latest, sa.false()))))
        .order_by(each.position, each.part)
        .limit(FIRST_SHOWN)
    )
    return [
        (
            row.position,
            f"record {row.position}, part {row.part} has {row.latest} latest outcomes"
            if row.latest != 1
            else f"the latest outcome of record {row.position}, part {row.part} is not its last one",
        )
        for row in rows
    ]


@dataclass
class _LatestOutcomes:
    """Latest outcomes by name, in words those that the vocabulary does not know, and first and last seq of any."""

    bibs: dict[str, int] = field(default_factory=lambda: dict.fromkeys((each.value for each in BibOutcome), 0))
    holdings: dict[str, int] = field(default_factory=lambda: dict.fromkeys((each.value for each in HoldingOutcome), 0))
    strange: list[str] = field(default_factory=list)
    seqs: set[int] = field(default_factory=set)


def _latest_outcomes(connection: Connection, of: Those, ranges: Iterable[Within]) -> dict[int, _LatestOutcomes]:
    each = core_outcome.c
    found: dict[int, _LatestOutcomes] = defaultdict(_LatestOutcomes)
    counted = (
        sa.select(
            each.delivery_id,
            each.record_type,
            each.outcome,
            _sum_where(each.is_latest).label("number"),
            sa.func.min(each.seq).label("first_seq"),
            sa.func.max(each.seq).label("last_seq"),
        )
        .where(of(each.delivery_id))
        .group_by(each.delivery_id, each.record_type, each.outcome)
    )
    for row in chain.from_iterable(connection.execute(counted.where(within(each.position))) for within in ranges):
        its = found[row.delivery_id]
        its.seqs |= {row.first_seq, row.last_seq}
        counts = {RecordType.BIB.value: its.bibs, RecordType.HOLDING.value: its.holdings}.get(row.record_type)
        if counts is not None and row.outcome in counts:
            counts[row.outcome] += row.number
        elif row.record_type != RecordType.UNREADABLE:
            its.strange.append(f"{row.record_type} {row.outcome!r} {row.number} times")
    return found


def _not_conserved(connection: Connection, found: Conservation, doubled: list[tuple[int, str]]) -> ConservationError:
    """The error, with the equation that fails and the first positions at fault."""
    unequal = [
        _equation(left, number, outcomes).replace("=", "is not", 1)
        for left, number, outcomes in (
            ("bibs_read", found.bibs_read, found.bibs),
            ("holdings_read", found.holdings_read, found.holdings),
        )
        if number != sum(outcomes.values())
    ]
    faults = sorted([*doubled, *_first_faults(connection, found.delivery_id)])[:FIRST_SHOWN]
    words = unequal or ["the totals agree, the records do not: " + "; ".join(found.equations()[1:])]
    return ConservationError(
        "; ".join([*words, *(text for _, text in faults)]),
        file=found.name,
        position=faults[0][0] if faults else None,
        remedy=REMEDY,
    )


def _first_faults(connection: Connection, delivery_id: int) -> list[tuple[int, str]]:
    """The first positions at fault, each in words: a record without its outcomes, an outcome without a record."""
    each = _records_with_outcomes(lambda column: column == delivery_id).subquery()
    statement = sa.select(each).where(_is_wrong(each.c)).order_by(each.c.position).limit(FIRST_SHOWN)
    with joined_as_sets(connection):
        records = connection.execute(statement).all()
    there = sa.select(raw_record.c.position).where(raw_record.c.delivery_id == delivery_id)
    strays = connection.execute(
        sa.select(core_outcome.c.position)
        .where(core_outcome.c.delivery_id == delivery_id, core_outcome.c.is_latest)
        .where(core_outcome.c.position.not_in(there))
        .distinct()
        .order_by(core_outcome.c.position)
        .limit(FIRST_SHOWN)
    ).scalars()
    faults = [(row.position, f"record {row.position} ({row.record_type}) {_fault(row)}") for row in records]
    return faults + [(stray, f"there is an outcome for record {stray}, but no such record") for stray in strays]


def _fault(row: sa.Row[Any]) -> str:
    if row.outcomes == 0:
        return "has no outcome"
    if row.own != 1 or row.odd:
        return "has not exactly one outcome of its own type"
    if row.staged is None:
        return f"has outcomes for {row.outcomes - 1} embedded holdings, up to part {row.last_part}"
    return f"has {row.staged} embedded holdings, but outcomes for {row.outcomes - 1}"


def _sum_where(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))
