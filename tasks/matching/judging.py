"""Staged bibs against the catalogue: fetch both sides of each candidate pair, score them, keep every decision.

The evidence is computed from the records themselves, never from stored features, so it cannot be out of date. Only
bibs that have a candidate are looked at in full.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import IsbnFact
from schemas.outcomes import DeliveryState
from schemas.register.matching import MatchingPolicy
from schemas.warehouse.core import core_bib, core_bib_isbn
from schemas.warehouse.raw import raw_delivery, raw_record, record_taken
from schemas.warehouse.stage import stage_isbn, stage_match, stage_verdict
from tasks.matching.candidates import FoundBy, find_candidates, find_range_candidates, merged_away
from tasks.matching.features import MatchFeatures, stored_features
from tasks.matching.verdict import Judgement, judge
from tasks.second_process import second_process
from tasks.warehouse.bulk import bulk_insert, id_set, position_set
from tasks.warehouse.engine import WITH_RECORDS, Warehouse, connect
from tasks.warehouse.ids import current
from tasks.warehouse.ledger import chunk, set_state

STAGE = "match"
SNAPSHOT = "match_snapshot"
"""Not a stage: its `reached` is the catalogue's change number when matching began."""


WORTH_A_PROCESS = 15_000
"""Candidates still to be judged from which on a second process is worth its start (half a second, and memory)."""
UNTIL_STARTED = 2_500
"""Candidates that are judged here until the second process has started and judged its first range."""
RANGES_A_CHUNK = 4
"""Ranges are smaller than chunks of loading, so that two processes have about as much to do."""

Range = tuple[int, int]


class JudgedRows(NamedTuple):
    """The judgements of a range as rows, of `VERDICT_COLUMNS` and of `MATCH_COLUMNS`."""

    verdicts: list[tuple[Any, ...]]
    candidates: list[tuple[Any, ...]]

    def endings(self) -> Counter[str]:
        """How many bibs ended in a match, in a review, or as new for all their candidates."""
        return Counter(ending for _delivery_id, _position, ending, *_ in self.verdicts)


def match_delivery(
    warehouse: Warehouse,
    delivery_id: int,
    policy: MatchingPolicy,
    *,
    chunk_records: int,
    now: datetime,
    second_process: bool = False,
) -> Counter[str]:
    """Judge every bib of a delivery against the catalogue as it is now; returns counts by ending.

    Rows go to `stage_verdict` and `stage_match`; a bib without candidates leaves no row (it is new). What changes
    in the catalogue after this is matched again when the bib is loaded. With `second_process` every other range is
    judged there where many candidates are to be expected; the rows are the same.
    """
    counts: Counter[str] = Counter()
    last = _begin(warehouse, delivery_id)
    while True:
        with chunk(warehouse, delivery_id, STAGE) as work:
            if work.is_done:
                return counts
            ranges = _ranges(work.reached, last, max(1, chunk_records // RANGES_A_CHUNK))
        with closing(_judged(warehouse, delivery_id, ranges, policy, second_process)) as judged:
            for (low, high), rows in zip(ranges, judged, strict=True):
                with chunk(warehouse, delivery_id, STAGE) as work:
                    if work.reached != low or work.is_done:
                        break  # another run at the same delivery was faster: see how far it got
                    write_rows(work.connection, rows)
                    work.advance(high, done_at=now if high >= last else None)
                    if high >= last:
                        set_state(work.connection, delivery_id, DeliveryState.MATCHED, only_from=[DeliveryState.STAGED])
                counts.update(rows.endings())


def _ranges(low: int, last: int, size: int) -> list[Range]:
    """(low, high] in steps of `size`, at least one."""
    return [(start, min(start + size, last)) for start in range(low, max(last, low + 1), size)]


def _judged(
    warehouse: Warehouse, delivery_id: int, ranges: Sequence[Range], policy: MatchingPolicy, second_process: bool
) -> Generator[JudgedRows, None, None]:
    """The judgements of each range, in order; from two processes as soon as those so far promise work for two."""
    candidates = 0
    for number, each in enumerate(ranges, start=1):
        judged = judge_range(warehouse, delivery_id, each, policy)
        yield judged
        candidates += len(judged.candidates)
        waiting = ranges[number:]
        if second_process and candidates * len(waiting) >= WORTH_A_PROCESS * number:
            here_first = min(len(waiting) // 2, UNTIL_STARTED * number // candidates)
            yield from _judged_by_two(warehouse, delivery_id, waiting, policy, here_first)
            return


def _judged_by_two(
    warehouse: Warehouse, delivery_id: int, ranges: Sequence[Range], policy: MatchingPolicy, here_first: int
) -> Iterator[JudgedRows]:
    """The judgements of each range, in order: of the first ones here, then of every other one there."""
    url = warehouse.engine.url.render_as_string(hide_password=False)
    with second_process(judge_ranges, url, delivery_id, ranges[here_first::2], policy) as there:
        for number, each in enumerate(ranges):
            is_for_here = number < here_first or (number - here_first) % 2
            yield judge_range(warehouse, delivery_id, each, policy) if is_for_here else next(there)


def judge_ranges(url: str, delivery_id: int, ranges: Sequence[Range], policy: MatchingPolicy) -> Iterator[JudgedRows]:
    """What a second process does: its own connection, and the judgements of `ranges` in order."""
    warehouse = connect(url)
    try:
        for each in ranges:
            yield judge_range(warehouse, delivery_id, each, policy)
    finally:
        warehouse.dispose()


def judge_range(warehouse: Warehouse, delivery_id: int, within: Range, policy: MatchingPolicy) -> JudgedRows:
    """Judge the bibs of a range of positions against the catalogue as it is at this moment."""
    with warehouse.read() as connection:
        found = find_range_candidates(connection, delivery_id, *within, policy.serial_levels)
        return judged_rows(connection, delivery_id, found, policy)


def judged_rows(connection: Connection, delivery_id: int, found: FoundBy, policy: MatchingPolicy) -> JudgedRows:
    """Judge candidates that were found; the rows are not written yet."""
    return _rows(delivery_id, _judgements(connection, delivery_id, found, policy))


def _begin(warehouse: Warehouse, delivery_id: int) -> int:
    """Note the catalogue's change number once, and return the delivery's last position."""
    with chunk(warehouse, delivery_id, SNAPSHOT) as work:
        if not work.is_done:
            work.advance(current(work.connection, "change"), done_at=_received_at(work.connection, delivery_id))
        last = work.connection.execute(
            sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == delivery_id)
        ).scalar()
    return int(last or 0)


def _received_at(connection: Connection, delivery_id: int) -> datetime:
    at: datetime = connection.execute(
        sa.select(raw_delivery.c.received_at).where(raw_delivery.c.delivery_id == delivery_id)
    ).scalar_one()
    return at


def judge_positions(
    connection: Connection, delivery_id: int, positions: Collection[int], policy: MatchingPolicy
) -> dict[int, Judgement]:
    """Find and judge the candidates of `positions` anew; those without candidates are not in the result."""
    found = find_candidates(connection, delivery_id, positions, policy.serial_levels)
    return judge_candidates(connection, delivery_id, found, policy)


def judge_candidates(
    connection: Connection, delivery_id: int, found: FoundBy, policy: MatchingPolicy
) -> dict[int, Judgement]:
    """Judge each position against its candidates. Reads both sides in a few statements, whatever their number."""
    return dict(_judgements(connection, delivery_id, found, policy))


def _judgements(
    connection: Connection, delivery_id: int, found: FoundBy, policy: MatchingPolicy
) -> Iterator[tuple[int, Judgement]]:
    """As `judge_candidates`, one at a time: the evidence of a range need not be held as objects."""
    if not found:
        return
    incoming = _incoming_features(connection, delivery_id, found)
    bib_ids = {bib_id for candidates in found.values() for bib_id in candidates}
    existing = existing_features(connection, bib_ids)
    merged = merged_away(connection, bib_ids)
    for position, candidates in found.items():
        features = [(bib_id, existing[bib_id], how) for bib_id, how in sorted(candidates.items())]
        yield position, judge(incoming[position], features, policy, merged)


def _incoming_features(
    connection: Connection, delivery_id: int, positions: Collection[int]
) -> dict[int, MatchFeatures]:
    wanted = position_set(connection, delivery_id, positions)
    isbns = _isbns_by_id(
        connection.execute(
            sa.select(stage_isbn.c.position, *_isbn_columns(stage_isbn))
            .join(
                wanted,
                sa.and_(wanted.c.delivery_id == stage_isbn.c.delivery_id, wanted.c.value == stage_isbn.c.position),
            )
            .order_by(stage_isbn.c.position, stage_isbn.c.seq)
        )
    )
    rows = connection.execute(
        sa.select(raw_record.c.position, record_taken).join(
            wanted,
            sa.and_(wanted.c.delivery_id == raw_record.c.delivery_id, wanted.c.value == raw_record.c.position),
        ),
        execution_options=WITH_RECORDS,
    )
    return {position: stored_features(content, isbns.get(position, ())) for position, content in rows}


def existing_features(connection: Connection, bib_ids: Collection[int]) -> dict[int, MatchFeatures]:
    """Features of bibs of the catalogue, from their records as they are now."""
    wanted = id_set(connection, bib_ids)
    isbns = _isbns_by_id(
        connection.execute(
            sa.select(core_bib_isbn.c.bib_id, *_isbn_columns(core_bib_isbn))
            .join(wanted, wanted.c.value == core_bib_isbn.c.bib_id)
            .order_by(core_bib_isbn.c.bib_id, core_bib_isbn.c.seq)
        )
    )
    rows = connection.execute(bib_content(wanted))
    return {bib_id: stored_features(content, isbns.get(bib_id, ())) for bib_id, content in rows}


def bib_content(wanted: sa.TableValuedAlias) -> sa.Select[tuple[int, bytes]]:
    """(bib_id, record) of the wanted bibs: the bib's own bytes, or those it was delivered with."""
    return (
        sa.select(core_bib.c.bib_id, sa.func.coalesce(core_bib.c.content, record_taken))
        .select_from(wanted)
        .join(core_bib, core_bib.c.bib_id == wanted.c.value)
        .outerjoin(
            raw_record,
            sa.and_(
                core_bib.c.content.is_(None),
                raw_record.c.delivery_id == core_bib.c.origin_delivery_id,
                raw_record.c.position == core_bib.c.origin_position,
            ),
        )
        .execution_options(**WITH_RECORDS)
    )


def _isbn_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [table.c[name] for name in IsbnFact._fields]


def _isbns_by_id(rows: Iterable[Any]) -> dict[int, list[IsbnFact]]:
    grouped: dict[int, list[IsbnFact]] = defaultdict(list)
    for key, *fact in rows:
        grouped[key].append(IsbnFact._make(fact))
    return grouped


MATCH_COLUMNS = ("delivery_id", "position", "bib_id", "verdict", "score", "rule", "evidence")
VERDICT_COLUMNS = ("delivery_id", "position", "ending", "bib_id", "rule", "reason")


def write_judgements(connection: Connection, delivery_id: int, judged: dict[int, Judgement]) -> None:
    """Store judgements in `stage_verdict` and `stage_match`."""
    write_rows(connection, _rows(delivery_id, judged.items()))


def _rows(delivery_id: int, judged: Iterable[tuple[int, Judgement]]) -> JudgedRows:
    rows = JudgedRows([], [])
    for position, (ending, bib_id, rule, reason, candidates) in judged:
        rows.verdicts.append((delivery_id, position, str(ending), bib_id, rule, reason))
        rows.candidates.extend(
            (delivery_id, position, each_id, str(verdict), score, its_rule, orjson.dumps(evidence).decode())
            for each_id, verdict, score, its_rule, evidence in candidates
        )
    return rows


def write_rows(connection: Connection, rows: JudgedRows) -> None:
    """Store the rows of judgements."""
    bulk_insert(connection, stage_verdict, VERDICT_COLUMNS, rows.verdicts)
    bulk_insert(connection, stage_match, MATCH_COLUMNS, rows.candidates)


def forget_judgements(connection: Connection, delivery_id: int, positions: Collection[int]) -> None:
    """Drop what was judged of `positions`, before they are judged again."""
    wanted = sa.select(id_set(connection, positions).c.value)
    for table in (stage_verdict, stage_match):
        connection.execute(sa.delete(table).where(table.c.delivery_id == delivery_id, table.c.position.in_(wanted)))
