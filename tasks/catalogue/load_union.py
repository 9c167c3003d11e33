"""An export of the union catalogue comes in as it is: nothing is matched away.

Control numbers are kept. A record that differs from what is here was edited by a cataloguer, so it is marked as
human; leader/05 = d deletes; a record that names older control numbers (019 $a by default) took their place. What a
full export lacks is never deleted by itself: it is a plan that waits for approval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import MarcRecord
from schemas.outcomes import Editor
from schemas.register.register import Register
from schemas.warehouse.core import core_bib, core_outcome
from schemas.warehouse.raw import raw_record, record_taken
from schemas.warehouse.stage import stage_bib
from tasks.catalogue.bib_store import (
    Change,
    Created,
    NewVersion,
    bib_records,
    create_bibs,
    keep_before_images,
    write_versions,
)
from tasks.catalogue.load_bibs import STAGE
from tasks.catalogue.loading import CATALOGUE, Loading
from tasks.catalogue.merging import MERGED_AWAY, by_delivery, merge_bibs
from tasks.catalogue.outcomes import OutcomeRow, write_outcomes
from tasks.marc.encode import decode
from tasks.marc.facts import bib_facts
from tasks.warehouse.bulk import id_set, text_set
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ids import take_ids
from tasks.warehouse.ledger import chunk


class Exported(NamedTuple):
    """A bib of the export, and the bib of that control number which is here."""

    position: int
    control_number: str
    reject_reason: str
    content: bytes
    bib_id: int | None
    is_deleted: bool
    merged_into: int | None


class Present(NamedTuple):
    """A bib that is here."""

    bib_id: int
    is_deleted: bool
    merged_into: int | None


def load_union_bibs(warehouse: Warehouse, loading: Loading, *, chunk_records: int) -> Counter[str]:
    """Take in the bibs of an export in chunks; returns counts by outcome. Goes on where a killed run stopped."""
    counts: Counter[str] = Counter()
    while True:
        with chunk(warehouse, loading.delivery_id, STAGE, CATALOGUE_LOCK) as work:
            if work.is_done:
                return counts
            low, high = work.reached, work.reached + chunk_records
            last = work.connection.execute(
                sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == loading.delivery_id)
            ).scalar()
            counts.update(load_union_range(work.connection, loading, low, high))
            work.advance(high, done_at=loading.now if high >= int(last or 0) else None)


def load_union_range(connection: Connection, loading: Loading, low: int, high: int) -> Counter[str]:
    """Take in the bibs with `low < position <= high`, inside the caller's transaction and catalogue lock."""
    counts: Counter[str] = Counter()
    change = loading.change(connection)
    exported = _exported(connection, loading.delivery_id, low, high)
    for number, wave in enumerate(_waves(exported)):
        if number > 0:
            wave = _with_present_bib(connection, wave)
        outcomes = _load_wave(connection, loading, change, wave)
        write_outcomes(connection, loading.delivery_id, outcomes, loading.now)
        counts.update(each.outcome for each in outcomes)
    _follow_merges(connection, loading.register, change, exported)
    return counts


def _exported(connection: Connection, delivery_id: int, low: int, high: int) -> list[Exported]:
    rows = connection.execute(
        sa.select(
            stage_bib.c.position,
            stage_bib.c.control_number,
            stage_bib.c.reject_reason,
            record_taken,
            core_bib.c.bib_id,
            sa.func.coalesce(core_bib.c.is_deleted, sa.false()),
            core_bib.c.merged_into,
        )
        .join(
            raw_record,
            sa.and_(raw_record.c.delivery_id == stage_bib.c.delivery_id, raw_record.c.position == stage_bib.c.position),
        )
        .outerjoin(core_bib, core_bib.c.control_number == stage_bib.c.control_number)
        .where(stage_bib.c.delivery_id == delivery_id, stage_bib.c.position > low, stage_bib.c.position <= high)
        .order_by(stage_bib.c.position)
    )
    return [Exported(row[0], row[1], row[2], bytes(row[3]), row[4], bool(row[5]), row[6]) for row in rows]


def _waves(exported: Sequence[Exported]) -> list[list[Exported]]:
    """A control number that comes twice in the range is taken in order: the later record has the last word."""
    waves: list[list[Exported]] = [[]]
    seen: Counter[str] = Counter()
    for each in exported:
        if seen[each.control_number] == len(waves):
            waves.append([])
        waves[seen[each.control_number]].append(each)
        seen[each.control_number] += 1 if each.control_number else 0
    return waves


def _with_present_bib(connection: Connection, wave: Sequence[Exported]) -> list[Exported]:
    there = _bibs_by_control_number(connection, [each.control_number for each in wave])
    return [
        each._replace(**there[each.control_number]._asdict()) if each.control_number in there else each for each in wave
    ]


def _bibs_by_control_number(connection: Connection, numbers: Sequence[str]) -> dict[str, Present]:
    wanted = text_set(connection, numbers)
    rows = connection.execute(
        sa.select(core_bib.c.control_number, core_bib.c.bib_id, core_bib.c.is_deleted, core_bib.c.merged_into).join(
            wanted, wanted.c.value == core_bib.c.control_number
        )
    )
    return {row.control_number: Present(row.bib_id, bool(row.is_deleted), row.merged_into) for row in rows}


def _load_wave(connection: Connection, loading: Loading, change: Change, wave: Sequence[Exported]) -> list[OutcomeRow]:
    outcomes: list[OutcomeRow] = []
    new: list[Exported] = []
    present: list[Exported] = []
    deleted: list[Exported] = []
    for each in wave:
        if not each.control_number:
            outcomes.append(
                _outcome(each, "rejected", "no_control_number", "001 is missing: the catalogue's own number")
            )
        elif _is_delete(each):
            deleted.append(each)
        elif each.reject_reason:
            outcomes.append(_outcome(each, "rejected", "bib_unfit", each.reject_reason))
        else:
            (new if each.bib_id is None else present).append(each)
    outcomes += _create(connection, loading, change, new)
    outcomes += _renew(connection, loading, change, present)
    outcomes += _delete(connection, change, deleted)
    return outcomes


def _outcome(each: Exported, outcome: str, rule: str, reason: str, **made: Any) -> OutcomeRow:
    return OutcomeRow(each.position, 0, "bib", outcome, rule, reason, **made)


def _is_delete(each: Exported) -> bool:
    if each.content[:1] == b"<":
        return decode(each.content).leader[5] == "d"
    return each.content[5:6] == b"d"


def _create(connection: Connection, loading: Loading, change: Change, new: Sequence[Exported]) -> list[OutcomeRow]:
    ids = take_ids(connection, "bib", len(new))
    create_bibs(connection, change, [Created(each.position, bib_id) for each, bib_id in zip(new, ids, strict=True)])
    by_origin: dict[tuple[Editor, str], list[int]] = {}
    for each, bib_id in zip(new, ids, strict=True):
        by_origin.setdefault(origin(decode(each.content), loading.register), []).append(bib_id)
    for (editor, source), bib_ids in by_origin.items():
        if (editor, source) != (change.last_editor, change.source):
            wanted = sa.select(id_set(connection, bib_ids).c.value)
            connection.execute(
                sa.update(core_bib).where(core_bib.c.bib_id.in_(wanted)).values(last_editor=editor, source=source)
            )
    return [
        _outcome(each, "created", "catalogue_bib", "as the catalogue has it", bib_id=bib_id, version=1)
        for each, bib_id in zip(new, ids, strict=True)
    ]


def origin(record: MarcRecord, register: Register) -> tuple[Editor, str]:
    """Who edited a catalogue record last, and who made it: from 040.

    $d (modifying agency) of a library marks a human edit; $d or $a of a supplier makes the record that supplier's.
    """
    agencies = next(iter(record.fields("040")), None)
    if agencies is None:
        return Editor.SYSTEM, CATALOGUE
    machines = {*register.supplier_by_code, *register.catalogue.human_edit_agencies}
    people = [agency for agency in agencies.all("d") if agency not in machines]
    maker = next((each for each in [*agencies.all("d"), *agencies.all("a")] if each in register.supplier_by_code), None)
    editor = Editor.HUMAN if people else Editor.SUPPLIER if maker else Editor.SYSTEM
    return editor, maker or CATALOGUE


def _renew(connection: Connection, loading: Loading, change: Change, present: Sequence[Exported]) -> list[OutcomeRow]:
    standing = bib_records(connection, {each.bib_id for each in present if each.bib_id is not None})
    outcomes: list[OutcomeRow] = []
    versions: list[NewVersion] = []
    for each in present:
        bib_id = each.bib_id or 0
        if each.merged_into is not None:
            reason = "its number was merged into another bib"
            outcomes.append(_outcome(each, "kept", MERGED_AWAY, reason, bib_id=each.merged_into))
            continue
        if standing[bib_id] == each.content and not each.is_deleted:
            outcomes.append(
                _outcome(each, "kept", "kept_identical", "the catalogue's record is as it was", bib_id=bib_id)
            )
            continue
        facts = bib_facts(decode(each.content), own_prefix=loading.own_prefix)
        versions.append(NewVersion(bib_id, each.position, each.content, facts, Editor.HUMAN))
        reason = "the catalogue's record differs from ours: edited there"
        outcomes.append(_outcome(each, "replaced", "human_edit", reason, bib_id=bib_id))
    made = write_versions(connection, change, versions)
    return [each._replace(version=made[each.bib_id or 0]) if each.outcome == "replaced" else each for each in outcomes]


def _delete(connection: Connection, change: Change, deleted: Sequence[Exported]) -> list[OutcomeRow]:
    outcomes: list[OutcomeRow] = []
    going = [each for each in deleted if each.bib_id is not None and not each.is_deleted]
    numbers = keep_before_images(connection, [each.bib_id for each in going if each.bib_id is not None], change.now)
    mark_deleted(connection, change, list(numbers))
    for each in deleted:
        if each.bib_id in numbers:
            reason = "the catalogue has deleted it (leader/05 d)"
            version = numbers[each.bib_id] + 1
            outcomes.append(
                _outcome(each, "replaced", "deleted_in_catalogue", reason, bib_id=each.bib_id, version=version)
            )
        else:
            reason = "deleted in the catalogue, and not here either"
            outcomes.append(_outcome(each, "kept", "already_gone", reason, bib_id=each.bib_id))
    return outcomes


def mark_deleted(connection: Connection, change: Change, bib_ids: Sequence[int]) -> None:
    """Mark bibs as deleted; their before-images must have been kept."""
    wanted = sa.select(id_set(connection, bib_ids).c.value)
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id.in_(wanted))
        .values(
            is_deleted=True,
            version=core_bib.c.version + 1,
            change_no=change.change_no,
            last_editor=Editor.HUMAN,
            updated_at=change.now,
        )
    )


def _follow_merges(connection: Connection, register: Register, change: Change, exported: Sequence[Exported]) -> None:
    """Bibs whose control number a record names as its own former one are merged into it.

    A record that could not be taken in, or is deleted itself, takes nobody's place.
    """
    records = ((each.control_number, each.content) for each in exported if each.control_number)
    former = former_numbers(records, register.catalogue.merged_from)
    if not former:
        return
    losers = _bibs_by_control_number(connection, list(former))
    survivors = _bibs_by_control_number(connection, list(former.values()))
    for number, loser in sorted(losers.items()):
        survivor = survivors.get(former[number])
        if survivor is not None and not survivor.is_deleted:
            why = f"the catalogue's record {former[number]} names {number} as its former number"
            occasion = by_delivery(change, CATALOGUE, "catalogue", why)
            merge_bibs(connection, occasion, loser.bib_id, survivor.bib_id)


def former_numbers(records: Iterable[tuple[str, bytes]], rules: Sequence[str]) -> dict[str, str]:
    """Former control numbers, and the number of the record that names them; `rules` are tag$code.

    Records come as (control number, bytes). Of two records that name the same number the later one counts.
    """
    places = [(rule[:3], rule[4]) for rule in rules]
    former: dict[str, str] = {}
    for number, content in records:
        if any(tag.encode() in content for tag, _code in places):
            record = decode(content)
            for tag, code in places:
                for field in record.fields(tag):
                    former |= {each.strip(): number for each in field.all(code) if each.strip() not in ("", number)}
    return former


def absent_bibs(connection: Connection, delivery_ids: Collection[int]) -> list[int]:
    """Bibs of the catalogue that a full export, in one file or several, lacks; a supplier's own new ones are not meant.

    A bib whose record is there but could not be taken in is not absent.
    """
    wanted = id_set(connection, delivery_ids)
    deliveries = sa.select(wanted.c.value)
    met = sa.select(core_outcome.c.bib_id).where(
        core_outcome.c.delivery_id.in_(deliveries), core_outcome.c.bib_id.is_not(None)
    )
    named = sa.select(raw_record.c.supplier_control_number).where(
        raw_record.c.delivery_id.in_(deliveries),
        raw_record.c.record_type == "bib",
        raw_record.c.supplier_control_number.is_not(None),
    )
    rows = connection.execute(
        sa.select(core_bib.c.bib_id)
        .where(
            sa.not_(core_bib.c.is_deleted),
            core_bib.c.last_editor != Editor.SUPPLIER,
            core_bib.c.bib_id.not_in(met),
            core_bib.c.control_number.not_in(named),
        )
        .order_by(core_bib.c.bib_id)
    )
    return list(rows.scalars())


def delete_absent(connection: Connection, loading: Loading, bib_ids: Sequence[int]) -> int:
    """Carry out an approved plan: mark the absent bibs as deleted; returns how many."""
    numbers = keep_before_images(connection, bib_ids, loading.now)
    mark_deleted(connection, loading.change(connection), list(numbers))
    return len(numbers)
