"""The holdings of a delivery onto the libraries' shelves: one holding a (bib, sigel), each supplier its own lines.

A refused or waiting holding is an outcome with its reason, never a loss. Holdings of one chunk that mean the same
(bib, sigel) are taken one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, HoldingOutcome
from schemas.warehouse.core import core_holding, core_outcome
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import stage_holding
from tasks.catalogue.admission import Admission
from tasks.catalogue.bib_store import merged_into
from tasks.catalogue.holding_lines import LineRule, joined_holding
from tasks.catalogue.holding_store import (
    HoldingVersion,
    NewHolding,
    copy_staged_lines,
    create_holdings,
    lines_of,
    made_holdings,
    staged_lines,
    write_created_outcomes,
    write_holding_versions,
)
from tasks.catalogue.import_rules import NOT_CREATED
from tasks.catalogue.loading import Loading, guard_rule
from tasks.catalogue.merging import MERGED_AWAY, moved_by_merges
from tasks.catalogue.outcomes import OutcomeRow, bib_outcomes, write_outcomes
from tasks.catalogue.stock import ATTACH
from tasks.warehouse.bulk import id_set, rows_of
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ids import take_ids
from tasks.warehouse.ledger import chunk

STAGE = "load_holdings"


class Delivered(NamedTuple):
    """A staged holding, what became of its bib, and the holding that is there already."""

    position: int
    part: int
    sigel: str
    is_delete: bool
    control_number: str
    reject_reason: str
    bib_outcome: str | None
    bib_rule: str | None
    bib_reason: str | None
    bib_id: int | None
    holding_id: int | None


def load_holdings(warehouse: Warehouse, loading: Loading, *, chunk_records: int) -> Counter[str]:
    """Load a delivery's holdings in chunks; returns counts by outcome. Goes on where a killed run stopped."""
    counts: Counter[str] = Counter()
    while True:
        with chunk(warehouse, loading.delivery_id, STAGE, CATALOGUE_LOCK) as work:
            if work.is_done:
                return counts
            low, high = work.reached, work.reached + chunk_records
            last = work.connection.execute(
                sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == loading.delivery_id)
            ).scalar()
            in_range = sa.and_(stage_holding.c.position > low, stage_holding.c.position <= high)
            counts.update(load_staged_holdings(work.connection, loading, in_range))
            is_last = high >= int(last or 0)
            work.advance(high, done_at=loading.now if is_last else None)
        if is_last:
            return counts


def load_holdings_of(
    connection: Connection,
    loading: Loading,
    bib_positions: Collection[int],
    *,
    only: HoldingOutcome | None = None,
    only_rule: str | None = None,
) -> Counter[str]:
    """Load the holdings of some bibs of a delivery again, as after a review; earlier outcomes are succeeded.

    `only` and `only_rule` limit it to holdings whose latest outcome is that one, or came by that rule.
    """
    wanted = id_set(connection, bib_positions)
    chosen: sa.ColumnElement[bool] = stage_holding.c.bib_position.in_(sa.select(wanted.c.value))
    limits = [core_outcome.c.outcome == only] if only is not None else []
    limits += [core_outcome.c.rule == only_rule] if only_rule is not None else []
    if limits:
        latest = sa.exists().where(
            core_outcome.c.delivery_id == stage_holding.c.delivery_id,
            core_outcome.c.position == stage_holding.c.position,
            core_outcome.c.part == stage_holding.c.part,
            core_outcome.c.record_type == "holding",
            core_outcome.c.is_latest,
            *limits,
        )
        chosen = sa.and_(chosen, latest)
    return load_staged_holdings(connection, loading, chosen, succeeds=True)


def load_staged_holdings(
    connection: Connection, loading: Loading, chosen: sa.ColumnElement[bool], *, succeeds: bool = False
) -> Counter[str]:
    """Load the staged holdings that `chosen` selects, inside the caller's transaction and catalogue lock."""
    counts: Counter[str] = Counter()
    decided, open_ones = _sort_out(_delivered(connection, loading.delivery_id, chosen), loading)
    overtaken, open_ones = _sort_out_overtaken(connection, loading, open_ones)
    decided += overtaken
    write_outcomes(connection, loading.delivery_id, decided, loading.now, succeeds=succeeds)
    counts.update(each.outcome for each in decided)
    for number, wave in enumerate(_waves(open_ones)):
        if number > 0:
            wave = _with_present_holding(connection, wave)
        counts.update(_load_wave(connection, loading, wave, succeeds=succeeds))
    return counts


def _delivered(connection: Connection, delivery_id: int, chosen: sa.ColumnElement[bool]) -> list[Delivered]:
    """The staged holdings that `chosen` selects, in order, each with its bib and with the holding that is there.

    Read table by table and put together here: each is read by a key, so no plan can go wrong on rows that were
    written a moment ago.
    """
    names = ("position", "part", "sigel", "is_delete", "control_number", "reject_reason", "bib_position")
    staged = connection.execute(
        sa.select(*(stage_holding.c[name] for name in names))
        .where(stage_holding.c.delivery_id == delivery_id, chosen)
        .order_by(stage_holding.c.position, stage_holding.c.part)
    ).all()
    bibs = bib_outcomes(connection, delivery_id, {row[6] for row in staged if row[6] is not None})
    ids = {bib[3] for bib in bibs.values() if bib[3] is not None}
    successors = merged_into(connection, ids)
    present = _present_holdings(connection, {successors.get(each, each) for each in ids})
    delivered: list[Delivered] = []
    for position, part, sigel, is_delete, number, reject_reason, bib_position in staged:
        outcome, rule, reason, bib_id = bibs.get(bib_position, _NO_BIB)
        if bib_id is not None:
            bib_id = successors.get(bib_id, bib_id)
        there = present.get((bib_id, sigel))
        delivered.append(
            Delivered(position, part, sigel, is_delete, number, reject_reason, outcome, rule, reason, bib_id, there)
        )
    return delivered


_NO_BIB = (None, None, None, None)


def _present_holdings(connection: Connection, bib_ids: Collection[int]) -> dict[tuple[int | None, str], int]:
    """The holdings of bibs that are there, by (bib, sigel)."""
    columns = (core_holding.c.bib_id, core_holding.c.sigel, core_holding.c.holding_id)
    there = sa.select(*columns).where(sa.not_(core_holding.c.is_deleted))
    rows = rows_of(connection, core_holding.c.bib_id, bib_ids, there)
    return {(bib_id, sigel): holding_id for bib_id, sigel, holding_id in rows}


def _sort_out(delivered: Iterable[Delivered], loading: Loading) -> tuple[list[OutcomeRow], list[Delivered]]:
    """What is decided without looking at the shelf, and what is not."""
    admission = loading.admission
    decided: list[OutcomeRow] = []
    open_ones: list[Delivered] = []
    for each in delivered:
        verdict = _without_shelf(each, admission, loading.held_classes)
        if verdict is None:
            open_ones.append(each)
        else:
            decided.append(_outcome(each, *verdict))
    return decided, open_ones


def _sort_out_overtaken(
    connection: Connection, loading: Loading, delivered: Sequence[Delivered]
) -> tuple[list[OutcomeRow], list[Delivered]]:
    """What the same supplier has sent newer word of, and what it has not.

    A file that comes late must not put an old shelf mark back, nor bring back what was cancelled since.
    """
    newer = _newer_word(connection, loading, {each.bib_id for each in delivered if each.bib_id is not None})
    if not newer:
        return [], list(delivered)
    verdict = (HoldingOutcome.UNCHANGED, "older_delivery", "the supplier has sent a newer holding already")
    late = [each for each in delivered if (each.bib_id, each.sigel) in newer]
    rest = [each for each in delivered if (each.bib_id, each.sigel) not in newer]
    return [_outcome(each, *verdict) for each in late], rest


def _newer_word(connection: Connection, loading: Loading, bib_ids: Collection[int]) -> set[tuple[int, str]]:
    """(bib, sigel) of which a delivery of the same supplier with a later time in its name has said something."""
    if loading.supplier is None or loading.sent_at_name is None or not bib_ids:
        return set()
    is_newer = sa.and_(
        raw_delivery.c.kind == "supplier",
        raw_delivery.c.sender == loading.supplier.code,
        raw_delivery.c.sent_at_name > loading.sent_at_name,
        sa.not_(raw_delivery.c.is_preview),
    )
    if connection.execute(sa.select(raw_delivery.c.delivery_id).where(is_newer).limit(1)).first() is None:
        return set()
    bibs = id_set(connection, bib_ids)
    # Of each outcome, not the other way round: a night of a thousand files has as many later ones.
    is_later = sa.exists().where(raw_delivery.c.delivery_id == core_outcome.c.delivery_id, is_newer)
    rows = connection.execute(
        sa.select(core_outcome.c.bib_id, core_outcome.c.sigel)
        .select_from(bibs)
        .join(core_outcome, core_outcome.c.bib_id == bibs.c.value)
        .where(
            core_outcome.c.record_type == "holding",
            core_outcome.c.is_latest,
            core_outcome.c.outcome.in_(_SAID),
            is_later,
        )
    )
    return {(row.bib_id, row.sigel) for row in rows}


_SAID = (HoldingOutcome.CREATED, HoldingOutcome.UPDATED, HoldingOutcome.UNCHANGED, HoldingOutcome.DELETED)


def _without_shelf(
    each: Delivered, admission: Admission, held_classes: Collection[str]
) -> tuple[HoldingOutcome, str, str] | None:
    if each.reject_reason:
        return HoldingOutcome.REJECTED, "holding_unfit", each.reject_reason
    is_held = ATTACH in held_classes  # what the register says of the library is asked when it is approved
    refusal = None if is_held else admission.refusal(each.sigel)
    if refusal is not None:
        return HoldingOutcome.REFUSED, refusal.rule, refusal.reason
    if each.bib_outcome is None:
        return HoldingOutcome.REJECTED, "no_bib", "no readable bib precedes it"
    if each.bib_outcome == BibOutcome.REJECTED and each.bib_rule == NOT_CREATED[0]:
        return HoldingOutcome.REFUSED, "bib_not_in_catalogue", "the catalogue lacks its bib, and the import makes none"
    if each.bib_outcome == BibOutcome.REJECTED:
        return HoldingOutcome.REJECTED, "bib_rejected", f"its bib was rejected: {each.bib_reason}"
    if each.bib_rule == guard_rule("bib_create") and each.bib_outcome == BibOutcome.REVIEW:
        return HoldingOutcome.WAITING, each.bib_rule, f"its bib waits for approval: {each.bib_reason}"
    if each.bib_outcome == BibOutcome.REVIEW:
        return HoldingOutcome.WAITING, "bib_in_review", f"its bib waits for a cataloguer: {each.bib_reason}"
    if each.is_delete and "holding_delete" in held_classes:
        reason = "more holdings would be deleted than the guard lets through"
        return HoldingOutcome.WAITING, guard_rule("holding_delete"), reason
    if is_held:
        return HoldingOutcome.WAITING, guard_rule(ATTACH), "the holdings of a joining library wait for approval"
    return None


def _outcome(each: Delivered, outcome: HoldingOutcome, rule: str, reason: str, **made: Any) -> OutcomeRow:
    return OutcomeRow(
        each.position, each.part, "holding", outcome, rule, reason, sigel=each.sigel or None, bib_id=each.bib_id, **made
    )


def _waves(delivered: Sequence[Delivered]) -> list[list[Delivered]]:
    """The first holding of each (bib, sigel), then the second ones, and so on."""
    waves: list[list[Delivered]] = []
    seen: dict[tuple[int | None, str], int] = {}
    for each in delivered:
        key = (each.bib_id, each.sigel)
        before = seen.get(key, 0)
        if before == len(waves):
            waves.append([])
        waves[before].append(each)
        seen[key] = before + 1
    return waves


def _with_present_holding(connection: Connection, wave: Sequence[Delivered]) -> list[Delivered]:
    """The wave with the holdings that the waves before it may have made."""
    present = _present_holdings(connection, {each.bib_id for each in wave if each.bib_id is not None})
    return [each._replace(holding_id=present.get((each.bib_id, each.sigel))) for each in wave]


def _own_number(loading: Loading, each: Delivered) -> str:
    """001 of a holding record of the catalogue's; a supplier's number means nothing here, an 852 in a bib has none."""
    return each.control_number if loading.supplier is None and each.part == 0 else ""


def _load_wave(connection: Connection, loading: Loading, wave: Sequence[Delivered], *, succeeds: bool) -> Counter[str]:
    """Load holdings of which no two mean the same (bib, sigel); returns counts by outcome."""
    fresh = [each for each in wave if each.holding_id is None and not each.is_delete]
    present = [each for each in wave if each.holding_id is not None]
    gone = [each for each in wave if each.holding_id is None and each.is_delete]
    nothing = (HoldingOutcome.UNCHANGED, "nothing_to_delete", "the library has no holding of this bib")
    outcomes = [_outcome(each, *nothing) for each in gone]
    outcomes += _change_present(connection, loading, present)
    write_outcomes(connection, loading.delivery_id, outcomes, loading.now, succeeds=succeeds)
    created = _create_fresh(connection, loading, fresh, succeeds=succeeds)
    return Counter(each.outcome for each in outcomes) + created


def _create_fresh(
    connection: Connection, loading: Loading, fresh: Sequence[Delivered], *, succeeds: bool
) -> Counter[str]:
    """New holdings need no comparison: their lines and outcomes are copied from the working set."""
    if not fresh:
        return Counter()
    admission = loading.admission
    visible = {sigel: admission.is_visible(sigel) for sigel in {each.sigel for each in fresh}}
    ids = take_ids(connection, "holding", len(fresh))
    holdings = [
        NewHolding(holding_id, each.bib_id or 0, each.sigel, visible[each.sigel], _own_number(loading, each))
        for holding_id, each in zip(ids, fresh, strict=True)
    ]
    create_holdings(connection, loading.delivery_id, holdings, loading.now)
    made = made_holdings(connection, loading.delivery_id, [each[:2] for each in fresh], ids[0])
    copy_staged_lines(connection, made)
    if succeeds:
        rows = [_outcome(each, *_NEW, holding_id=made_id, version=1) for made_id, each in zip(ids, fresh, strict=True)]
        write_outcomes(connection, loading.delivery_id, rows, loading.now, succeeds=True)
    else:
        write_created_outcomes(connection, made, *_NEW, loading.now)
    return Counter({HoldingOutcome.CREATED: len(fresh)})


_NEW = (HoldingOutcome.CREATED, "new_holding", "the library's first holding of this bib")


def _change_present(connection: Connection, loading: Loading, present: Sequence[Delivered]) -> list[OutcomeRow]:
    """Holdings that are there: the line rule says which lines are replaced or removed; all others stay."""
    if not present:
        return []
    there = lines_of(connection, {each.holding_id for each in present if each.holding_id is not None})
    incoming = staged_lines(connection, loading.delivery_id, {each.position for each in present})
    moved = moved_by_merges(connection, [each.holding_id for each in present if each.bib_rule == MERGED_AWAY])
    changes = [
        (each, _line_rule(loading, each, moved)(each.is_delete, there[each.holding_id or 0], incoming[each[:2]]))
        for each in present
    ]
    made = write_holding_versions(
        connection,
        loading.delivery_id,
        [
            HoldingVersion(each.holding_id or 0, change.lines)
            for each, change in changes
            if change.outcome != HoldingOutcome.UNCHANGED
        ],
        loading.now,
    )
    return [
        _outcome(
            each,
            change.outcome,
            change.rule,
            change.reason,
            holding_id=each.holding_id,
            version=made.get(each.holding_id or 0),
        )
        for each, change in changes
    ]


def _line_rule(loading: Loading, each: Delivered, moved: Collection[int | None]) -> LineRule:
    """Under a bib that was merged here: the holding that came from it is replaced, another one only added to."""
    is_double = each.bib_rule == MERGED_AWAY and each.holding_id not in moved
    return joined_holding if is_double else loading.line_rule
