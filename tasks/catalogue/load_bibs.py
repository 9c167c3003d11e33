"""The bibs of a delivery into the catalogue: create, replace, keep, or hand to a cataloguer.

A chunk runs under the catalogue lock and matches again whatever changed since the delivery was matched: two
deliveries that bring the same new title, or one that brings it twice, make one bib. Bibs that share a number inside
a chunk are taken one after the other (in waves), so the second meets the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, RecordType
from schemas.register.senders import Sender
from schemas.warehouse.core import core_match, core_review
from schemas.warehouse.raw import raw_progress, raw_record
from schemas.warehouse.stage import stage_match
from tasks.catalogue.bib_store import (
    Change,
    Created,
    NewVersion,
    Standing,
    add_identifiers,
    bib_records,
    create_bibs,
    note_sent_again,
    standing_bibs,
    write_versions,
)
from tasks.catalogue.import_rules import NOT_CREATED, not_created
from tasks.catalogue.levels import ExistingBib, OverlayDecision, may_replace
from tasks.catalogue.loading import Loading, guard_rule
from tasks.catalogue.outcomes import OutcomeRow, write_created_bibs, write_outcomes
from tasks.catalogue.overlay import overlay
from tasks.catalogue.staged_bibs import (
    NO_CANDIDATE,
    Waiting,
    shared_numbers,
    staged_bibs,
    staged_identifiers,
    staged_range,
    staged_records,
)
from tasks.marc.encode import decode, encode
from tasks.marc.facts import bib_facts
from tasks.matching.candidates import changed_since
from tasks.matching.judging import SNAPSHOT, forget_judgements, judge_positions, write_judgements
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ids import take_ids
from tasks.warehouse.ledger import chunk

STAGE = "load_bibs"
STOCK_REVIEW_DAYS = 90
"""No book of a joining library's stock waits to be lent: its reviews stand behind all others."""


def load_bibs(warehouse: Warehouse, loading: Loading, *, chunk_records: int) -> Counter[str]:
    """Load a delivery's bibs in chunks; returns counts by outcome. Goes on where a killed run stopped."""
    counts: Counter[str] = Counter()
    while True:
        with chunk(warehouse, loading.delivery_id, STAGE, CATALOGUE_LOCK) as work:
            if work.is_done:
                return counts
            low, high, last = work.reached, work.reached + chunk_records, _last_position(work.connection, loading)
            counts.update(load_bib_range(work.connection, loading, low, high))
            work.advance(min(high, last), done_at=loading.now if high >= last else None)
        if high >= last:
            return counts


def _last_position(connection: Connection, loading: Loading) -> int:
    last = connection.execute(
        sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == loading.delivery_id)
    ).scalar()
    return int(last or 0)


def load_bib_range(connection: Connection, loading: Loading, low: int, high: int) -> Counter[str]:
    """Load the bibs with `low < position <= high`, inside the caller's transaction and catalogue lock."""
    waiting = {each.position: each for each in staged_range(connection, loading.delivery_id, low, high)}
    if not waiting:
        return Counter()
    change = loading.change(connection)
    snapshot = _snapshot(connection, loading.delivery_id)
    is_as_matched = change.change_no == snapshot + 1
    changed = set() if is_as_matched else changed_since(connection, loading.delivery_id, low, high, snapshot)
    stale = changed & waiting.keys()
    counts: Counter[str] = Counter()
    # The stock of a library makes and changes no bib here: none of its rows can meet another.
    may_meet = len(waiting) > 1 and not loading.is_stock
    shared = shared_numbers(connection, loading.delivery_id, low, high) if may_meet else []
    in_waves = waves(shared, waiting, stale)
    for number, positions in enumerate(in_waves):
        wave = [waiting[position] for position in positions]
        if number > 0:
            wave = _judged_anew(connection, loading, wave)
        counts.update(each.outcome for each in load_wave(connection, loading, change, wave))
    if len(in_waves) > 1 or any((each.rule, each.reason) != NO_CANDIDATE for each in waiting.values()):
        in_range = sa.and_(stage_match.c.position > low, stage_match.c.position <= high)
        _keep_matches(connection, loading, in_range)
    return counts


def load_anew(connection: Connection, loading: Loading, positions: Collection[int]) -> Counter[str]:
    """Match and load the bibs at `positions` again, which a guard had left; their earlier outcomes are succeeded."""
    counts: Counter[str] = Counter()
    if not positions:
        return counts
    waiting = {each.position: each for each in staged_bibs(connection, loading.delivery_id, positions)}
    numbers = shared_numbers(connection, loading.delivery_id, min(positions) - 1, max(positions))
    change = loading.change(connection)
    for some in waves(numbers, waiting, waiting):
        wave = _judged_anew(connection, loading, [waiting[position] for position in some])
        counts.update(each.outcome for each in load_wave(connection, loading, change, wave, succeeds=True))
    wanted = list(waiting)
    chosen = sa.select(id_set(connection, wanted).c.value)
    connection.execute(
        sa.delete(core_match).where(core_match.c.delivery_id == loading.delivery_id, core_match.c.position.in_(chosen))
    )
    _keep_matches(connection, loading, stage_match.c.position.in_(chosen))
    return counts


def waves(numbers: Iterable[tuple[int, str]], positions: Collection[int], stale: Collection[int]) -> list[list[int]]:
    """Split positions into waves so that no two of one wave share a number.

    `numbers` are (position, number) pairs in position order. Wave 0 holds what can be loaded as it was matched;
    later waves have to be matched anew: stale matches, and whatever follows a bib with one of its numbers.
    """
    wave_of = {position: int(position in stale) for position in sorted(positions)}
    next_wave: dict[str, int] = {}
    by_position: dict[int, list[str]] = {}
    for position, number in numbers:
        by_position.setdefault(position, []).append(number)
    for position in sorted(by_position):
        if position not in wave_of:
            continue
        shared = by_position[position]
        wave = max([wave_of[position], *(next_wave.get(number, 0) for number in shared)])
        wave_of[position] = wave
        for number in shared:
            next_wave[number] = wave + 1
    result: list[list[int]] = [[] for _ in range(max(wave_of.values(), default=0) + 1)]
    for position, wave in wave_of.items():
        result[wave].append(position)
    return [wave for number, wave in enumerate(result) if wave or number == 0]


def _snapshot(connection: Connection, delivery_id: int) -> int:
    """The catalogue's change number when the delivery was matched; 0 makes every match stale."""
    reached = connection.execute(_REACHED, {"delivery": delivery_id}).scalar()
    return int(reached or 0)


_REACHED = sa.select(raw_progress.c.reached).where(
    raw_progress.c.delivery_id == sa.bindparam("delivery"), raw_progress.c.stage == SNAPSHOT
)


def _judged_anew(connection: Connection, loading: Loading, wave: Sequence[Waiting]) -> list[Waiting]:
    positions = [each.position for each in wave]
    forget_judgements(connection, loading.delivery_id, positions)
    judged = judge_positions(connection, loading.delivery_id, positions, loading.register.matching)
    write_judgements(connection, loading.delivery_id, judged)
    return [
        each._replace(ending=str(new.ending), bib_id=new.bib_id, rule=new.rule, reason=new.reason)
        if (new := judged.get(each.position)) is not None
        else each._replace(ending="new", bib_id=None, rule=NO_CANDIDATE[0], reason="no bib has one of its numbers")
        for each in wave
    ]


def load_wave(
    connection: Connection, loading: Loading, change: Change, wave: Sequence[Waiting], *, succeeds: bool = False
) -> list[OutcomeRow]:
    """Load bibs that share no number; writes and returns their outcomes. `succeeds`: earlier outcomes are there."""
    refusal = loading.admission.supplier_refusal()
    unwanted = not_created(connection, loading, [each.position for each in wave if _is_found_new(each)])
    outcomes: list[OutcomeRow] = []
    new: list[Waiting] = []
    matched: list[Waiting] = []
    for each in wave:
        if each.reject_reason:
            outcomes.append(_outcome(each, BibOutcome.REJECTED, "bib_unfit", each.reject_reason))
        elif refusal is not None:
            outcomes.append(_outcome(each, BibOutcome.REJECTED, refusal.rule, refusal.reason))
        elif each.ending == "reject":
            outcomes.append(_outcome(each, BibOutcome.REJECTED, each.rule, each.reason))
        elif each.ending == "new" and each.position in unwanted:
            outcomes.append(_outcome(each, BibOutcome.REJECTED, *NOT_CREATED))
        elif _is_found_new(each) and "bib_create" in loading.held_classes:
            reason = "more bibs would be created than the guard lets through"
            outcomes.append(_outcome(each, BibOutcome.REVIEW, guard_rule("bib_create"), reason))
        elif each.ending == "new":
            new.append(each)
        elif each.ending == "match":
            matched.append(each)
        else:
            outcomes.append(_outcome(each, BibOutcome.REVIEW, each.rule, each.reason))
    created = _create(connection, change, new, are_first=not succeeds)
    outcomes += _overlay(connection, loading, change, matched)
    outcomes += [each for each in created if succeeds or not _is_plain(each)]
    write_outcomes(connection, loading.delivery_id, outcomes, loading.now, succeeds=succeeds)
    asked = [each for each in outcomes if each.outcome == BibOutcome.REVIEW and not each.rule.startswith("guard:")]
    _open_reviews(connection, loading, asked)
    return outcomes if succeeds else outcomes + [each for each in created if _is_plain(each)]


def _outcome(each: Waiting, outcome: BibOutcome, rule: str, reason: str) -> OutcomeRow:
    return OutcomeRow(each.position, 0, RecordType.BIB, outcome, rule, reason)


def _is_found_new(each: Waiting) -> bool:
    """Whether matching says that the catalogue lacks it; a cataloguer who says so has the last word."""
    return each.ending == "new" and not each.rule.startswith("decided_")


def _is_plain(each: OutcomeRow) -> bool:
    """Whether it says of a new bib what is said of most."""
    return (each.rule, each.reason) == NO_CANDIDATE


def _create(connection: Connection, change: Change, new: Sequence[Waiting], *, are_first: bool) -> list[OutcomeRow]:
    """Create bibs; returns their outcomes. `are_first`: no record had an outcome; then the plain ones are written."""
    ids = take_ids(connection, "bib", len(new))
    pairs = create_bibs(
        connection, change, [Created(each.position, bib_id) for each, bib_id in zip(new, ids, strict=True)]
    )
    outcomes = [
        OutcomeRow(each.position, 0, "bib", "created", each.rule, each.reason, bib_id=bib_id, version=1)
        for each, bib_id in zip(new, ids, strict=True)
    ]
    if are_first and pairs is not None:
        others = [each.position for each in outcomes if not _is_plain(each)]
        write_created_bibs(connection, pairs, others, *NO_CANDIDATE, change.now)
    return outcomes


def _overlay(connection: Connection, loading: Loading, change: Change, matched: Sequence[Waiting]) -> list[OutcomeRow]:
    """Replace or keep what the matched bibs met; a kept bib still learns the delivery's numbers."""
    outcomes: list[OutcomeRow] = []
    for one_each in _rounds(matched):
        outcomes += _overlay_round(connection, loading, change, one_each)
    return outcomes


def _rounds(matched: Sequence[Waiting]) -> list[list[Waiting]]:
    """Two records of a wave may meet the same bib by different numbers: then one is taken after the other."""
    rounds: list[list[Waiting]] = []
    seen: Counter[int | None] = Counter()
    for each in matched:
        if seen[each.bib_id] == len(rounds):
            rounds.append([])
        rounds[seen[each.bib_id]].append(each)
        seen[each.bib_id] += 1
    return rounds


def _overlay_round(
    connection: Connection, loading: Loading, change: Change, matched: Sequence[Waiting]
) -> list[OutcomeRow]:
    supplier = loading.supplier
    assert supplier is not None, "an export of the union catalogue is not matched"
    standing = standing_bibs(connection, {each.bib_id for each in matched if each.bib_id is not None})
    decided = [
        (each, bib, _decide(each, loading, supplier, bib.as_existing()))
        for each in matched
        for bib in [standing[each.bib_id or 0]]
    ]
    replacing = [(each, bib) for each, bib, decision in decided if decision.replaces]
    versions = _new_versions(connection, loading, replacing)
    made = write_versions(connection, change, versions)
    outcomes: list[OutcomeRow] = []
    kept: dict[int, int] = {}
    for each, bib, decision in decided:
        if decision.replaces and bib.bib_id not in made:
            decision = OverlayDecision(False, "kept_identical", "the record says nothing new")
        outcome = BibOutcome.REPLACED if decision.replaces else BibOutcome.KEPT
        if not decision.replaces:
            kept[each.position] = bib.bib_id
        reason = f"{decision.reason}; matched: {each.reason}"
        version = made.get(bib.bib_id) if decision.replaces else None
        outcomes.append(
            OutcomeRow(each.position, 0, "bib", outcome, decision.rule, reason, bib_id=bib.bib_id, version=version)
        )
    if not loading.is_stock:
        add_identifiers(connection, change, staged_identifiers(connection, loading.delivery_id, kept))
    same = [bib.bib_id for _each, bib, decision in decided if decision.replaces and bib.bib_id not in made]
    note_sent_again(connection, change, same)
    return outcomes


def _new_versions(
    connection: Connection, loading: Loading, replacing: Sequence[tuple[Waiting, Standing]]
) -> list[NewVersion]:
    """The records that result from overlays; one that says nothing new makes no version."""
    supplier = loading.supplier
    keep = loading.register.levels.keep if supplier is None or supplier.keep is None else supplier.keep
    incoming = staged_records(connection, loading.delivery_id, [each.position for each, _bib in replacing])
    existing = bib_records(connection, [bib.bib_id for _each, bib in replacing])
    versions: list[NewVersion] = []
    for each, bib in replacing:
        record = overlay(decode(existing[bib.bib_id]), decode(incoming[each.position]), keep)
        content = encode(record)
        if content != existing[bib.bib_id]:
            facts = bib_facts(record, own_prefix=loading.own_prefix)
            versions.append(NewVersion(bib.bib_id, each.position, content, facts))
    return versions


def _decide(each: Waiting, loading: Loading, supplier: Sender, bib: ExistingBib) -> OverlayDecision:
    if loading.profile is not None and not loading.profile.overlay:
        who = "the stock of a library" if loading.is_stock else "the import"
        return OverlayDecision(False, "kept_by_profile", f"{who} replaces no bib of the catalogue")
    decision = may_replace(each.encoding_level, loading.sent_at_name, bib, supplier, loading.register.levels)
    if decision.replaces and "bib_replace" in loading.held_classes:
        return OverlayDecision(
            False, guard_rule("bib_replace"), "more bibs would be replaced than the guard lets through"
        )
    return decision


def _open_reviews(connection: Connection, loading: Loading, outcomes: Sequence[OutcomeRow]) -> None:
    policy = loading.register.matching
    ids = take_ids(connection, "review", len(outcomes))
    days = STOCK_REVIEW_DAYS if loading.is_stock else policy.review_deadline_days
    due_on = loading.today + timedelta(days=days)
    rows: list[tuple[Any, ...]] = [
        (review_id, each.position, each.rule, each.reason) for review_id, each in zip(ids, outcomes, strict=True)
    ]
    bulk_insert(
        connection,
        core_review,
        ("review_id", "position", "rule", "reason"),
        rows,
        {
            "delivery_id": loading.delivery_id,
            "state": "open",
            "owner": policy.review_owner,
            "opened_at": loading.now,
            "due_on": due_on,
        },
    )


def _keep_matches(connection: Connection, loading: Loading, chosen: sa.ColumnElement[bool]) -> None:
    """Every candidate considered becomes a lasting row."""
    names = ["delivery_id", "position", "bib_id", "verdict", "score", "rule", "evidence"]
    rows = sa.select(
        *(stage_match.c[name] for name in names), sa.literal(loading.now, core_match.c.created_at.type)
    ).where(stage_match.c.delivery_id == loading.delivery_id, chosen)
    connection.execute(sa.insert(core_match).from_select([*names, "created_at"], rows))
