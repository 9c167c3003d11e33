"""Some records of an import, before and after in words: what a person looks at before approving its plan.

What belongs here reads what a dry run decided (`stage_preview`) and changes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import Field, MarcRecord
from schemas.outcomes import BibOutcome
from schemas.warehouse.core import core_bib
from schemas.warehouse.raw import raw_record
from schemas.warehouse.stage import stage_holding, stage_holding_line, stage_preview
from tasks.catalogue.bib_store import bib_records
from tasks.catalogue.loading import Loading
from tasks.catalogue.overlay import overlay
from tasks.catalogue.staged_bibs import staged_records
from tasks.marc.charset import decode_document
from tasks.marc.encode import decode
from tasks.marc.marcxml_record import record_from_xml
from tasks.marc.reading import ReadingRules
from tasks.marc.staging import read_iso
from tasks.warehouse.bulk import id_set

MOST_WORDS = 160
"""Longest field that is shown whole."""
MOST_CHANGES = 40
"""Of one record."""


class Sample(NamedTuple):
    """One record: as it came against as it is taken, and the catalogue's bib before against after."""

    position: int
    outcome: str
    reason: str
    title: str
    bib: str
    """Control number of the bib it meets; empty where it meets none."""
    taken: tuple[str, ...]
    """What the profile and the normalising rules change in the record."""
    becomes: tuple[str, ...]
    """What changes in the catalogue's bib; empty where it stays, or is new."""
    holdings: tuple[str, ...]


def samples_of(connection: Connection, loading: Loading, rules: ReadingRules, each: int) -> list[Sample]:
    """The first `each` records of every outcome, in the order of outcomes, then of the file."""
    chosen = [row for outcome in BibOutcome for row in _first(connection, loading.delivery_id, outcome, each)]
    positions = [row.position for row in chosen]
    taken = staged_records(connection, loading.delivery_id, positions)
    there = bib_records(connection, {row.bib_id for row in chosen if row.outcome == BibOutcome.REPLACED})
    holdings = _holdings(connection, loading.delivery_id, positions)
    return [_sample(row, loading, rules, taken[row.position], there, holdings[row.position]) for row in chosen]


def _first(connection: Connection, delivery_id: int, outcome: str, number: int) -> Sequence[sa.Row[Any]]:
    """The first bibs that a dry run ended so, with what came."""
    return connection.execute(
        sa.select(
            stage_preview.c.position, stage_preview.c.outcome, stage_preview.c.reason, stage_preview.c.bib_id,
            raw_record.c.title, raw_record.c.content, raw_record.c.charset, core_bib.c.control_number,
        )
        .join(
            raw_record,
            sa.and_(
                raw_record.c.delivery_id == stage_preview.c.delivery_id,
                raw_record.c.position == stage_preview.c.position,
            ),
        )
        .outerjoin(core_bib, core_bib.c.bib_id == stage_preview.c.bib_id)
        .where(
            stage_preview.c.delivery_id == delivery_id,
            stage_preview.c.record_type == "bib",
            stage_preview.c.outcome == outcome,
        )
        .order_by(stage_preview.c.position)
        .limit(number)
    ).all()  # fmt: skip


def _sample(
    row: sa.Row[Any],
    loading: Loading,
    rules: ReadingRules,
    content: bytes,
    there: Mapping[int, bytes],
    holdings: Sequence[str],
) -> Sample:
    record = decode(content)
    came = _as_it_came(bytes(row.content), row.charset, rules)
    becomes: list[str] = []
    if row.bib_id in there:
        standing = decode(there[row.bib_id])
        keep = loading.supplier.keep if loading.supplier is not None else None
        becomes = changes(standing, overlay(standing, record, loading.register.levels.keep if keep is None else keep))
    return Sample(
        row.position, row.outcome, row.reason, row.title or "", row.control_number or "",
        tuple(changes(came, record)), tuple(becomes), tuple(holdings),
    )  # fmt: skip


def _as_it_came(content: bytes, charset: str, rules: ReadingRules) -> MarcRecord:
    if content.lstrip()[:1] == b"<" or content[:2] in (b"<\x00", b"\x00<"):
        text, _charset, _findings = decode_document(content, charset or "utf-8")
        return record_from_xml(text)[0]
    return read_iso(content, rules).record


def changes(before: MarcRecord, after: MarcRecord) -> list[str]:
    """What differs, in words, field by field in the order of tags; empty where the two say the same."""
    said = _leader_changes(before.leader, after.leader)
    old, new = _by_tag(before), _by_tag(after)
    for tag in sorted(old.keys() | new.keys()):
        gone = list((Counter(old[tag]) - Counter(new[tag])).elements())
        come = list((Counter(new[tag]) - Counter(old[tag])).elements())
        if len(gone) == len(come) == 1:
            said.append(f"{tag}: {gone[0]} becomes {come[0]}")
            continue
        said += [f"{tag} goes: {each}" for each in gone] + [f"{tag} is new: {each}" for each in come]
    more = len(said) - MOST_CHANGES
    return [*said[:MOST_CHANGES], f"and {more} more"] if more > 0 else said


def _leader_changes(before: str, after: str) -> list[str]:
    named = ((5, 6, "status"), (6, 8, "type"), (17, 18, "level"))
    return [
        f"leader, {name}: {before[start:end]!r} becomes {after[start:end]!r}"
        for start, end, name in named
        if before[start:end] != after[start:end]
    ]


def _by_tag(record: MarcRecord) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for field in record.fields():
        found[field.tag].append(_in_words(field))
    return found


def _in_words(field: Field) -> str:
    """`$aTitle $cBy whom`, at most so long; a control field as it stands."""
    text = " ".join(f"${code}{value}" for code, value in field.subfields) if field.subfields else field.value
    return text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS - 3]}..."


def _holdings(connection: Connection, delivery_id: int, positions: Iterable[int]) -> dict[int, list[str]]:
    """What becomes of the holdings of these bibs: `SOLB: created, Hce Berg`."""
    first = sa.and_(
        stage_holding_line.c.delivery_id == stage_holding.c.delivery_id,
        stage_holding_line.c.position == stage_holding.c.position,
        stage_holding_line.c.part == stage_holding.c.part,
        stage_holding_line.c.line_no == 1,
    )
    decided = sa.and_(
        stage_preview.c.delivery_id == stage_holding.c.delivery_id,
        stage_preview.c.position == stage_holding.c.position,
        stage_preview.c.part == stage_holding.c.part,
    )
    rows = connection.execute(
        sa.select(
            stage_holding.c.bib_position, stage_holding.c.sigel, stage_preview.c.outcome, stage_preview.c.reason,
            stage_holding_line.c.shelf_mark,
        )
        .join(stage_preview, decided)
        .outerjoin(stage_holding_line, first)
        .where(
            stage_holding.c.delivery_id == delivery_id,
            stage_holding.c.bib_position.in_(sa.select(id_set(connection, list(positions)).c.value)),
        )
        .order_by(stage_holding.c.position, stage_holding.c.part)
    )  # fmt: skip
    found: dict[int, list[str]] = defaultdict(list)
    for position, sigel, outcome, reason, shelf_mark in rows:
        mark = f", {shelf_mark}" if shelf_mark else ""
        why = f" ({reason})" if outcome in ("refused", "rejected", "waiting") else ""
        found[position].append(f"{sigel or 'no sigel'}: {outcome}{mark}{why}")
    return found
