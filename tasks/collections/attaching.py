"""What waits of a collection as a plan, and what a person's decision on it does, chunk by chunk.

Nothing of a collection is written to the catalogue before that: its holdings wait, and so do the bibs that the
catalogue lacks, where somebody asked for them.
"""

from __future__ import annotations

import hashlib
from collections import Counter

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome
from schemas.warehouse.core import core_bib, core_outcome, core_review
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import stage_holding, stage_preview
from tasks.catalogue.load_bibs import load_anew
from tasks.catalogue.load_holdings import load_staged_holdings
from tasks.catalogue.loading import Loading, guard_rule
from tasks.catalogue.outcomes import OutcomeRow, write_outcomes
from tasks.catalogue.planning import scope_of
from tasks.catalogue.stock import ATTACH, CREATE, FLOW
from tasks.plans.plan import GuardedClass, PlannedClass, plan_hash
from tasks.plans.store import hold, mark_applied
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ledger import chunk, set_state

_WAITING = (HoldingOutcome.WAITING, BibOutcome.REVIEW)


def hold_collection(connection: Connection, loading: Loading, run_id: str | None) -> str:
    """Enter what waits of a decided collection as a plan, whatever its size; returns its hash, empty where nothing
    does. The delivery counts as loaded from then on."""
    reviews = _open_reviews(connection, loading.delivery_id)
    attached, created = _attached(connection, loading), _created(connection, loading)
    # What cataloguers decide of its reviews waits for the same approval.
    planned = ([attached] if attached.planned or reviews else []) + ([created] if created.planned else [])
    plan = plan_hash(planned) if planned else ""
    if planned:
        held = [GuardedClass(each, 0, True, _reason(each, reviews)) for each in planned]
        hold(connection, plan, held, delivery_id=loading.delivery_id, run_id=run_id, now=loading.now)
    set_state(connection, loading.delivery_id, DeliveryState.LOADED, only_from=[DeliveryState.MATCHED])
    return plan


def _open_reviews(connection: Connection, delivery_id: int) -> int:
    its = sa.and_(core_review.c.delivery_id == delivery_id, core_review.c.state == "open")
    return connection.execute(sa.select(sa.func.count()).select_from(core_review).where(its)).scalar_one()


def _reason(each: PlannedClass, reviews: int) -> str:
    if each.change_class == ATTACH:
        also = f", and those of {reviews} rows in review as they are decided" if reviews else ""
        return f"{each.planned} of {each.population} holdings of joining libraries would be attached{also}"
    return f"{each.planned} bibs that the catalogue lacks would be created, beside the {each.population} that there are"


def _attached(connection: Connection, loading: Loading) -> PlannedClass:
    """Every holding that waits, as (place, sigel, control number of its bib)."""
    outcome = core_outcome.c
    rows = connection.execute(
        sa.select(outcome.position, outcome.part, outcome.sigel, core_bib.c.control_number)
        .outerjoin(core_bib, core_bib.c.bib_id == outcome.bib_id)
        .where(*_latest(loading.delivery_id, "holding"), outcome.rule == guard_rule(ATTACH))
        .order_by(outcome.position, outcome.part),
        execution_options={"yield_per": 10_000},
    )
    number, digest = _digested(rows)
    holdings = connection.execute(
        sa.select(sa.func.count()).select_from(core_outcome).where(*_latest(loading.delivery_id, "holding"))
    ).scalar_one()
    return PlannedClass(FLOW, scope_of(connection, loading.delivery_id), ATTACH, number, holdings, digest)


def _created(connection: Connection, loading: Loading) -> PlannedClass:
    outcome = core_outcome.c
    rows = connection.execute(
        sa.select(outcome.position)
        .where(*_latest(loading.delivery_id, "bib"), outcome.rule == guard_rule(CREATE))
        .order_by(outcome.position),
        execution_options={"yield_per": 10_000},
    )
    number, digest = _digested(rows)
    there = connection.execute(
        sa.select(sa.func.count()).select_from(core_bib).where(sa.not_(core_bib.c.is_deleted))
    ).scalar_one()
    return PlannedClass(FLOW, scope_of(connection, loading.delivery_id), CREATE, number, there, digest)


def _digested(rows: sa.Result[tuple[object, ...]]) -> tuple[int, str]:
    """How many, and a digest of all in their order: half a million of them need not be held at once."""
    number, digest = 0, hashlib.sha256()
    for row in rows:
        digest.update(repr(tuple(row)).encode())
        number += 1
    return number, digest.hexdigest()


def _latest(delivery_id: int, record_type: str) -> list[sa.ColumnElement[bool]]:
    outcome = core_outcome.c
    return [outcome.delivery_id == delivery_id, outcome.is_latest, outcome.record_type == record_type]


def attach(warehouse: Warehouse, loading: Loading, plan: str, change_class: str, *, chunk_records: int) -> Counter[str]:
    """Carry out an approved class in chunks, from where a killed run stopped; returns counts by outcome.

    The catalogue has moved on since it was matched: bibs that are created are matched again first, and a holding goes
    to the bib that has taken the place of its own.
    """
    counts: Counter[str] = Counter()
    last = _last_position(warehouse, loading.delivery_id)
    while True:
        with chunk(warehouse, loading.delivery_id, f"approved {change_class}", CATALOGUE_LOCK) as work:
            if work.is_done:
                return counts
            low, high = work.reached, work.reached + chunk_records
            load = _create_range if change_class == CREATE else _attach_range
            counts += load(work.connection, loading, low, high)
            if high >= last:
                mark_applied(work.connection, plan, change_class)
            work.advance(min(high, last), done_at=loading.now if high >= last else None)


def _attach_range(connection: Connection, loading: Loading, low: int, high: int) -> Counter[str]:
    return _load_holdings(connection, loading, low, high, ATTACH)


def _create_range(connection: Connection, loading: Loading, low: int, high: int) -> Counter[str]:
    """Bibs of the range, then the holdings that waited for them: these may stand behind it."""
    outcome = core_outcome.c
    positions = list(
        connection.execute(
            sa.select(outcome.position).where(
                *_latest(loading.delivery_id, "bib"),
                outcome.rule == guard_rule(CREATE),
                outcome.position > low,
                outcome.position <= high,
            )
        ).scalars()
    )
    counts = load_anew(connection, loading, positions)
    bibs = Counter({f"bibs {each}": number for each, number in counts.items()})
    return bibs + _load_holdings(connection, loading, low, high, CREATE)


def _load_holdings(connection: Connection, loading: Loading, low: int, high: int, change_class: str) -> Counter[str]:
    """Load the holdings of the bibs of a range that wait by this class. Holding records stand behind their bib."""
    its_outcome = sa.exists().where(
        core_outcome.c.delivery_id == stage_holding.c.delivery_id, core_outcome.c.position == stage_holding.c.position,
        core_outcome.c.part == stage_holding.c.part, core_outcome.c.record_type == "holding",
        core_outcome.c.is_latest, core_outcome.c.rule == guard_rule(change_class),
    )  # fmt: skip
    chosen = sa.and_(
        stage_holding.c.position > low, stage_holding.c.bib_position > low, stage_holding.c.bib_position <= high,
        its_outcome,
    )  # fmt: skip
    counts = load_staged_holdings(connection, loading, chosen, succeeds=True)
    return Counter({f"holdings {each}": number for each, number in counts.items()})


def leave(warehouse: Warehouse, loading: Loading, change_class: str, by: str, *, chunk_records: int) -> int:
    """A person has rejected a class: what waits by it is refused, in chunks; returns how many records.

    The rows keep the guard's rule, and the working set stays: a rejected plan may still be approved.
    """
    final = {"bib": BibOutcome.REJECTED, "holding": HoldingOutcome.REFUSED}
    number = 0
    while True:
        with warehouse.write(CATALOGUE_LOCK) as connection:
            outcome = core_outcome.c
            rows = connection.execute(
                sa.select(core_outcome)
                .where(
                    outcome.delivery_id == loading.delivery_id,
                    outcome.is_latest,
                    outcome.rule == guard_rule(change_class),
                    outcome.outcome.in_(_WAITING),
                )
                .order_by(outcome.position)
                .limit(chunk_records)
            ).all()
            refused = [
                OutcomeRow(
                    row.position, row.part, row.record_type, final[row.record_type], row.rule,
                    f"{by} has rejected the plan", sigel=row.sigel, bib_id=row.bib_id,
                )
                for row in rows
            ]  # fmt: skip
            write_outcomes(connection, loading.delivery_id, refused, loading.now, succeeds=True)
        number += len(rows)
        if len(rows) < chunk_records:
            return number


def _last_position(warehouse: Warehouse, delivery_id: int) -> int:
    with warehouse.read() as connection:
        last = connection.execute(
            sa.select(sa.func.max(raw_record.c.position)).where(raw_record.c.delivery_id == delivery_id)
        ).scalar()
    return int(last or 0)


def strangers(connection: Connection, delivery_id: int, *, is_preview: bool) -> int:
    """How many holdings were, or would be, left because they are of none of the libraries that join."""
    table = stage_preview if is_preview else core_outcome
    its = [table.c.delivery_id == delivery_id, table.c.record_type == "holding", table.c.rule == "holding_unfit"]
    if not is_preview:
        its.append(core_outcome.c.is_latest)
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(*its)).scalar_one()


def unfinished(connection: Connection, sender: str) -> list[int]:
    """Collections of a sender that a run has left on the way."""
    states = [DeliveryState.RECEIVED, DeliveryState.STAGED, DeliveryState.MATCHED, DeliveryState.LOADED]
    row = raw_delivery.c
    return list(
        connection.execute(
            sa.select(row.delivery_id)
            .where(row.kind == "collection", row.sender == sender, row.state.in_(states), sa.not_(row.is_preview))
            .order_by(row.delivery_id)
        ).scalars()
    )
