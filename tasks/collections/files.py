"""The result files of a collection: CSV that a librarian opens in a spreadsheet, a file an ending.

Names follow from the delivery, and writing them again gives the same: they are as the warehouse is now. English column
names in every language; `review.csv` has the columns that `samkat review decide --csv` reads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.collections import ENDINGS, raw_collection_row
from schemas.warehouse.core import core_bib, core_match, core_outcome, core_review
from schemas.warehouse.raw import raw_record
from schemas.warehouse.stage import stage_match, stage_preview
from tasks.landing.keys import Area, check_key
from tasks.landing.zone import LandingZone
from tasks.notices.spreadsheet import write_csv
from tasks.warehouse.bulk import id_set, position_set
from tasks.warehouse.engine import Warehouse

AT_ONCE = 5_000
"""Rows of a file that are put together at a time."""
SPAN = 20_000
"""Positions of the collection that are looked at for them: of what is rare, as many rows may lie all over it."""
CANDIDATES = 3
_ROW = ("row", "local_id", "isbn", "title", "author", "year", "library", "shelf_mark")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "matched": (*_ROW, "catalogue_number", "catalogue_title", "catalogue_author", "catalogue_year", "points", "why",
                "holding"),
    "review": ("review_id", "decision", "comment", *_ROW, "why",
               *(f"candidate_{number}" for number in range(1, CANDIDATES + 1)), "further_candidates"),
    "not_found": (*_ROW, "why", "became"),
    "bad_isbn": (*_ROW, "why"),
    "unreadable": (*_ROW, "why", "starts"),
}  # fmt: skip
NAMES = {ending: f"{ending.replace('_', '-')}.csv" for ending in ENDINGS}
"""matched.csv, review.csv, not-found.csv, bad-isbn.csv; unreadable.csv only where something was."""
REPORT_NAME = "report.html"
_STARTS = 200


class Source(NamedTuple):
    """The collection whose files are written, and whether only a dry run has looked at it."""

    delivery_id: int
    is_preview: bool

    @property
    def outcomes(self) -> sa.Table:
        """What was, or would be, decided."""
        return stage_preview if self.is_preview else core_outcome

    def is_latest(self) -> sa.ColumnElement[bool]:
        """Of rows of `outcomes`."""
        return sa.true() if self.is_preview else core_outcome.c.is_latest

    @property
    def matches(self) -> sa.Table:
        """Candidates with their points."""
        return stage_match if self.is_preview else core_match


def result_key(delivery_id: int, name: str) -> str:
    """`reports/collections/<delivery>/<name>`."""
    return check_key(f"{Area.REPORTS}/collections/{delivery_id}/{name}")


def write_files(
    warehouse: Warehouse, zone: LandingZone, source: Source, counts: Mapping[str, int], separator: str
) -> dict[str, str]:
    """Write the result files; returns their URIs by ending. Constant memory: rows go through in pieces."""
    written = {}
    with tempfile.TemporaryDirectory(prefix="samkat-collection-") as folder:
        for ending in ENDINGS:
            if ending == "unreadable" and not counts.get(ending):
                continue
            path = Path(folder) / NAMES[ending]
            with path.open("w", encoding="utf-8", newline="") as stream:
                write_csv(stream, _COLUMNS[ending], _rows(warehouse, source, ending), separator)
            with path.open("rb") as done:
                written[ending] = zone.put(result_key(source.delivery_id, NAMES[ending]), done, overwrite=True)
    return written


def _rows(warehouse: Warehouse, source: Source, ending: str) -> Iterator[tuple[object, ...]]:
    """The rows of a file, in the order of the library's. Each piece is read by itself: no transaction stays open."""
    row, told, reached = raw_collection_row.c, _TOLD[ending], 0
    its_own = row.delivery_id == source.delivery_id
    with warehouse.read() as connection:
        last = connection.execute(sa.select(sa.func.max(row.position)).where(its_own)).scalar() or 0
    while reached < last:
        within = sa.and_(its_own, row.position > reached, row.position <= reached + SPAN)
        with warehouse.read() as connection:
            some = connection.execute(
                sa.select(raw_collection_row).where(within, row.ending == ending).order_by(row.position).limit(AT_ONCE)
            ).all()
            rows = list(told(connection, source, list(some))) if some else []
        yield from rows
        reached = some[-1].position if len(some) == AT_ONCE else reached + SPAN


def _shown(row: sa.Row[Any]) -> tuple[object, ...]:
    return (
        row.position, row.local_id, row.isbn, row.title, row.author, row.year, row.libraries, row.shelf_mark,
    )  # fmt: skip


def _matched(connection: Connection, source: Source, rows: list[sa.Row[Any]]) -> Iterator[tuple[object, ...]]:
    bibs = _bibs(connection, {row.bib_id for row in rows})
    points = {(position, bib_id): score for position, bib_id, score, _ in _candidates(connection, source, rows)}
    holdings = _holdings(connection, source, rows)
    for row in rows:
        bib = bibs.get(row.bib_id)
        yield (
            *_shown(row), *((bib.control_number, bib.title, bib.author, bib.year) if bib else ("", "", "", "")),
            _points(points.get((row.position, row.bib_id))), row.reason, holdings.get(row.position, ""),
        )  # fmt: skip


def _review(connection: Connection, source: Source, rows: list[sa.Row[Any]]) -> Iterator[tuple[object, ...]]:
    found: dict[int, list[tuple[float, int]]] = {}
    for position, bib_id, score, verdict in _candidates(connection, source, rows):
        if verdict == "review":
            found.setdefault(position, []).append((-score, bib_id))
    bibs = _bibs(connection, {bib_id for some in found.values() for _, bib_id in some})
    reviews = _reviews(connection, source, rows)
    for row in rows:
        ordered = sorted(found.get(row.position, []))
        shown = [_candidate(bibs[bib_id], -score) for score, bib_id in ordered[:CANDIDATES] if bib_id in bibs]
        review_id, decision = reviews.get(row.position, ("", ""))
        yield (
            review_id, decision, "", *_shown(row), row.reason, *shown, *[""] * (CANDIDATES - len(shown)),
            len(ordered[CANDIDATES:]) or "",
        )  # fmt: skip


def _candidate(bib: sa.Row[Any], score: float) -> str:
    """With what has to be written in `decision` to choose it."""
    said = [f"match:{bib.bib_id}", bib.control_number, bib.title, bib.author, bib.year, f"{_points(score)} points"]
    return " | ".join(str(each) for each in said if each)


def _not_found(connection: Connection, source: Source, rows: list[sa.Row[Any]]) -> Iterator[tuple[object, ...]]:
    outcome = source.outcomes.c
    positions = [row.position for row in rows]
    became = {
        position: bib_id
        for position, what, bib_id in connection.execute(
            sa.select(outcome.position, outcome.outcome, outcome.bib_id).where(
                outcome.delivery_id == source.delivery_id,
                outcome.position.between(positions[0], positions[-1]),
                outcome.part == 0,
                outcome.record_type == "bib",
                source.is_latest(),
            )
        )
        if what == "created"
    }
    bibs = _bibs(connection, set(became.values()))
    for row in rows:
        bib = bibs.get(became.get(row.position, 0))
        yield (*_shown(row), row.reason, f"created as {bib.control_number}" if bib else "")


def _bad_isbn(_connection: Connection, _source: Source, rows: list[sa.Row[Any]]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield (*_shown(row), row.reason)


def _unreadable(connection: Connection, source: Source, rows: list[sa.Row[Any]]) -> Iterator[tuple[object, ...]]:
    wanted = position_set(connection, source.delivery_id, [row.position for row in rows])
    same = sa.and_(wanted.c.delivery_id == raw_record.c.delivery_id, wanted.c.value == raw_record.c.position)
    starts = dict(
        connection.execute(
            sa.select(raw_record.c.position, sa.func.substr(raw_record.c.content, 1, _STARTS)).join(wanted, same)
        )
        .tuples()
        .all()
    )
    for row in rows:
        text = bytes(starts.get(row.position, b"")).decode("utf-8", "replace")
        yield (*_shown(row), row.reason, " ".join(text.split()))


_TOLD: Mapping[str, Callable[[Connection, Source, list[sa.Row[Any]]], Iterator[tuple[object, ...]]]] = {
    "matched": _matched,
    "review": _review,
    "not_found": _not_found,
    "bad_isbn": _bad_isbn,
    "unreadable": _unreadable,
}


def _bibs(connection: Connection, bib_ids: set[int]) -> dict[int, sa.Row[Any]]:
    wanted = id_set(connection, bib_ids)
    names = ("bib_id", "control_number", "title", "author", "year")
    rows = connection.execute(
        sa.select(*(core_bib.c[name] for name in names)).join(wanted, wanted.c.value == core_bib.c.bib_id)
    )
    return {row.bib_id: row for row in rows}


def _candidates(
    connection: Connection, source: Source, rows: list[sa.Row[Any]]
) -> Sequence[tuple[int, int, float, str]]:
    match = source.matches.c
    wanted = position_set(connection, source.delivery_id, [row.position for row in rows])
    same = sa.and_(wanted.c.delivery_id == match.delivery_id, wanted.c.value == match.position)
    found = connection.execute(
        sa.select(match.position, match.bib_id, match.score, match.verdict)
        .select_from(wanted)
        .join(source.matches, same)
    )
    return found.tuples().all()


def _reviews(connection: Connection, source: Source, rows: list[sa.Row[Any]]) -> dict[int, tuple[int, str]]:
    """The review of each row, and how it was decided where it was."""
    if source.is_preview:
        return {}
    positions = [row.position for row in rows]
    found = connection.execute(
        sa.select(core_review.c.position, core_review.c.review_id, core_review.c.decision).where(
            core_review.c.delivery_id == source.delivery_id,
            core_review.c.position.between(positions[0], positions[-1]),
        )
    )
    return {position: (review_id, decision or "") for position, review_id, decision in found}


_HOLDING_WORDS = {
    "created": "attached", "updated": "attached to the holding that was there", "unchanged": "was there already",
    "waiting": "waits for approval", "refused": "refused", "rejected": "not taken", "deleted": "withdrawn",
}  # fmt: skip


def _holdings(connection: Connection, source: Source, rows: list[sa.Row[Any]]) -> dict[int, str]:
    """What became of the holdings of each row, in words; a holding record stands behind its bib."""
    outcome, positions = source.outcomes.c, [row.position for row in rows]
    wanted = set(positions)
    bib_position = sa.func.coalesce(raw_record.c.bib_position, raw_record.c.position)
    found = connection.execute(
        sa.select(bib_position, outcome.outcome)
        .select_from(source.outcomes)
        .join(
            raw_record,
            sa.and_(raw_record.c.delivery_id == outcome.delivery_id, raw_record.c.position == outcome.position),
        )
        .where(
            outcome.delivery_id == source.delivery_id,
            outcome.record_type == "holding",
            source.is_latest(),
            outcome.position.between(positions[0], positions[-1] + _BEHIND),
        )
    )
    words: dict[int, dict[str, None]] = {}
    for position, what in found:
        if position in wanted:
            words.setdefault(position, {})[_HOLDING_WORDS.get(what, what)] = None
    return {position: ", ".join(each) for position, each in words.items()}


_BEHIND = 1_000
"""Pieces behind the last row that are looked at for its holdings."""


def _points(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"
