"""Stages of the catalogue: staging records, loading bibs and holdings, and settling what is done."""

from __future__ import annotations

import functools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.errors import DeliveryRejectedError, SamkatError
from schemas.outcomes import DeliveryState, PlanState
from schemas.warehouse.raw import raw_delivery
from tasks.batch import each_delivery, few_collections, proved_rows, rows_in_state
from tasks.catalogue import load_bibs as bib_loading
from tasks.catalogue import load_holdings as holding_loading
from tasks.catalogue import load_union, planning, preview, reverting, review
from tasks.catalogue.delivery_loading import loading_of
from tasks.catalogue.loading import Loading
from tasks.catalogue.needed import still_needed
from tasks.catalogue.promises import BrokenPromiseError, require_promises
from tasks.catalogue.ranges import PackedRows, SharedFile, packed_rows
from tasks.catalogue.row_source import row_source
from tasks.catalogue.small_deliveries import (
    load_bibs_of_small,
    load_holdings_of_small,
    read_whole,
    rules_of,
    settle_small,
    stage_small,
)
from tasks.catalogue.staging import forget_staged, stage_delivery
from tasks.catalogue.stock import COLLECTION
from tasks.catalogue.stock import FLOW as COLLECTIONS
from tasks.cluster import on_cluster
from tasks.landing.receiving import original, reject
from tasks.plans.store import SUPERSEDED_BY, approve, show
from tasks.plans.store import reject as reject_plan
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ledger import delivery, set_state
from tasks.warehouse.planner import joined_as_sets
from tasks.warehouse.turns import turn
from tasks.workplace import Workplace, workplace

PATRONS = "patron-sync"
"""The flow whose plans tasks/patrons carries out."""
APPROVED_AS_A_WHOLE = (PATRONS, COLLECTIONS, planning.IMPORTS)
"""Flows whose plans say nothing about single classes of a supplier's delivery."""
APPROVAL_WAITS_SECONDS = 600
"""How long an approval waits for the run that is loading the same sender's deliveries."""


@stage(retries=2)
def read_records(file: SharedFile, start: int) -> PackedRows:
    """Make the rows of a byte range of a huge file: what runs on a Dask cluster, which has no warehouse."""
    with few_collections():
        return packed_rows(file, start)


@stage()
def stage_records(deliveries: list[int], dask: str | None = None) -> Counter[str]:
    """Split each delivery into records, decode what is needed, normalise, and keep every byte."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        _note_run(place.warehouse, row.delivery_id)
        try:
            return _stage(place, row, dask)
        except BrokenPromiseError as why:
            _reject_staged(place, row, why)
        except DeliveryRejectedError as why:
            reject(place.warehouse, place.zone, row.delivery_id, why, place.now)
        return Counter(rejected=1)

    def together(rows: Sequence[sa.Row[Any]]) -> tuple[frozenset[int], Counter[str]]:
        return stage_small(place.warehouse, read_whole(place, rows), now=place.now, run_id=run_id())

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.RECEIVED]), work, together)


def _note_run(warehouse: Warehouse, delivery_id: int) -> None:
    with warehouse.write() as connection:
        connection.execute(
            sa.update(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id).values(flow_run_id=run_id())
        )


def _reject_staged(place: Workplace, row: sa.Row[Any], why: BrokenPromiseError) -> None:
    """Reject a delivery that was read whole: each of its records is rejected, and told to the supplier.

    Of one that is only looked at nothing is settled: its records stay as they were read, for the preview.
    """

    def records(connection: sa.Connection) -> None:
        if not row.is_preview:
            planning.reject_delivery(connection, loading_of(place, row), "name_promise_broken", why.cause)

    reject(place.warehouse, place.zone, row.delivery_id, why, place.now, records)


def _stage(place: Workplace, row: sa.Row[Any], dask: str | None) -> Counter[str]:
    verify: Callable[[sa.Connection], None] | None = None
    reading, rules = rules_of(place, row)
    if row.kind not in ("catalogue", COLLECTION):
        supplier = place.sender(row.sender)
        verify = functools.partial(require_promises, delivery_id=row.delivery_id, name=row.name, rules=supplier.file)
    with place.warehouse.read() as connection:
        uri = row.uri if row.is_preview else original(place.zone, connection, row)
    scheduler = place.settings.dask_scheduler if dask is None else dask
    read_there = functools.partial(on_cluster, scheduler, read_records) if scheduler else None
    with row_source(place, row, uri, reading, rules, read_there) as batches:
        return stage_delivery(place.warehouse, row.delivery_id, batches, now=place.now, verify=verify)


@stage()
def load_bibs(deliveries: list[int]) -> Counter[str]:
    """Create, replace or keep bibs by the level table; what is uncertain goes to a cataloguer."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        plain = loading_of(place, row)
        with place.warehouse.write() as connection:
            held = planning.guard_delivery(connection, plain, run_id())
        loading = loading_of(place, row, held)
        counts = bib_loading.load_bibs(place.warehouse, loading, chunk_records=place.settings.chunk_records)
        return counts + Counter({f"held {each}": 1 for each in held})

    def together(rows: Sequence[sa.Row[Any]]) -> tuple[frozenset[int], Counter[str]]:
        loadings = [loading_of(place, row) for row in rows]
        return load_bibs_of_small(place.warehouse, loadings, chunk_records=place.settings.chunk_records)

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]), work, together)


@stage()
def load_holdings(deliveries: list[int]) -> Counter[str]:
    """Attach the holdings: one a library and bib, each supplier its own lines; refusals with their reason."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        plain = loading_of(place, row)
        with place.warehouse.write() as connection:
            held = planning.guard_delivery(connection, plain, run_id())
        loading = loading_of(place, row, held)
        counts = holding_loading.load_holdings(place.warehouse, loading, chunk_records=place.settings.chunk_records)
        with place.warehouse.write() as connection:
            set_state(connection, row.delivery_id, DeliveryState.LOADED, only_from=[DeliveryState.MATCHED])
        return counts

    def together(rows: Sequence[sa.Row[Any]]) -> tuple[frozenset[int], Counter[str]]:
        loadings = [loading_of(place, row) for row in rows]
        return load_holdings_of_small(place.warehouse, loadings, chunk_records=place.settings.chunk_records)

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]), work, together)


@stage(name="preview")
def preview_load(deliveries: list[int]) -> dict[int, dict[str, int]]:
    """Decide everything as the load would, and roll it back: the same decisions, nothing settled."""
    place = workplace()
    found: dict[int, dict[str, int]] = {}
    for row in rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]):
        with preview.rolled_back(place.warehouse) as connection:
            held = planning.guard_delivery(connection, loading_of(place, row), run_id())
        loading = loading_of(place, row, held)
        found[row.delivery_id] = _preview(place, loading, bib_loading.load_bib_range)
    return found


@stage(name="preview")
def preview_union(deliveries: list[int]) -> dict[int, dict[str, int]]:
    """Decide everything about an export of the union catalogue as the load would, and roll it back."""
    place = workplace()
    rows = rows_in_state(place.warehouse, deliveries, [DeliveryState.STAGED])
    return {row.delivery_id: _preview(place, loading_of(place, row), load_union.load_union_range) for row in rows}


def _preview(place: Workplace, loading: Loading, load_range: preview.RangeLoader) -> dict[str, int]:
    return dict(
        preview.preview_delivery(place.warehouse, loading, load_range, chunk_records=place.settings.chunk_records)
    )


@stage(name="load bibs")
def load_union_bibs(deliveries: list[int]) -> Counter[str]:
    """Take in the union catalogue's own records as they are; edits, deletes and merges are followed."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        return load_union.load_union_bibs(
            place.warehouse, loading_of(place, row), chunk_records=place.settings.chunk_records
        )

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.STAGED]), work)


@stage(name="load holdings")
def load_union_holdings(deliveries: list[int]) -> Counter[str]:
    """Take in the union catalogue's own holdings as they are."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        counts = holding_loading.load_holdings(
            place.warehouse, loading_of(place, row), chunk_records=place.settings.chunk_records
        )
        with place.warehouse.write() as connection:
            set_state(connection, row.delivery_id, DeliveryState.LOADED, only_from=[DeliveryState.STAGED])
        return counts

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.STAGED]), work)


@stage()
def hold_absent(deliveries: list[int]) -> Counter[str]:
    """Count what a full export lacks, all its files together, and hold it for approval: absence never deletes."""
    place = workplace()
    in_full = [row for row in rows_in_state(place.warehouse, deliveries, [DeliveryState.LOADED]) if row.mode == "full"]
    if not in_full:
        return Counter()
    there = rows_in_state(place.warehouse, deliveries, [DeliveryState.LOADED, DeliveryState.SETTLED])
    if len(there) < len(set(deliveries)):
        stage_logger().warning("not every file of the export could be loaded: nothing is said about what it lacks")
        return Counter()
    with place.warehouse.write() as connection:
        files = [row.delivery_id for row in there]
        return Counter(absent=planning.hold_absent(connection, files, run_id(), place.now))


@stage()
def settle(deliveries: list[int]) -> Counter[str]:
    """Close what is done and proved: the working set goes, except what still waits for a person."""
    place = workplace()

    def work(row: sa.Row[Any]) -> None:
        with place.warehouse.write(CATALOGUE_LOCK) as connection:
            with joined_as_sets(connection):
                forget_staged(connection, row.delivery_id, still_needed(row.delivery_id))
            set_state(
                connection,
                row.delivery_id,
                DeliveryState.SETTLED,
                only_from=[DeliveryState.LOADED],
                finished_at=place.now,
                hold_reason=None,
            )

    def together(rows: Sequence[sa.Row[Any]]) -> tuple[frozenset[int], Counter[str]]:
        return settle_small(place.warehouse, [row.delivery_id for row in rows], place.now), Counter()

    return each_delivery(proved_rows(place.warehouse, deliveries), work, together)


@dataclass(frozen=True)
class Carried:
    """What came of decisions: the deliveries they touched, what was done, and what could not be."""

    deliveries: list[int]
    said: dict[str, str]
    problems: dict[str, str]
    suppliers_held: tuple[str, ...] = ()
    imports_held: tuple[str, ...] = ()
    """Import profiles whose deliveries were held as a whole, and may go on."""

    def as_summary(self) -> dict[str, object]:
        """For the run's row and for whoever started it."""
        return {"done": self.said, "problems": self.problems}


@stage()
def decide_reviews(decisions: dict[int, str], by: str) -> Carried:
    """Carry out cataloguers' decisions, one transaction each; a wrong one is reported and stops no other."""
    place = workplace()
    deliveries: set[int] = set()
    said: dict[str, str] = {}
    problems: dict[str, str] = {}
    for review_id, text in decisions.items():
        try:
            with place.warehouse.write(CATALOGUE_LOCK) as connection:
                waiting = review.open_review(connection, review_id)
                loading = loading_of(place, delivery(connection, waiting.delivery_id))
                decision = review.parse_decision(review_id, text, by)
                said[str(review_id)] = review.decide(connection, loading, waiting, decision)
                forget_staged(connection, waiting.delivery_id, still_needed(waiting.delivery_id))
                deliveries.add(waiting.delivery_id)
        except SamkatError as error:
            problems[str(review_id)] = str(error)
    return Carried(sorted(deliveries), said, problems)


@stage()
def load_overdue() -> Carried:
    """Load bibs whose review is past its deadline as provisional ones, with the holdings that waited."""
    place = workplace()
    said: dict[str, str] = {}
    problems: dict[str, str] = {}
    with place.warehouse.read() as connection:
        waiting = review.deliveries_with_overdue(connection, place.today)
    for delivery_id in waiting:
        try:
            with place.warehouse.write(CATALOGUE_LOCK) as connection:
                loading = loading_of(place, delivery(connection, delivery_id))
                loaded = review.load_provisionally(connection, loading, review.overdue(connection, loading))
            said[f"delivery {delivery_id}"] = f"{loaded} bibs loaded as provisional"
        except SamkatError as error:
            problems[f"delivery {delivery_id}"] = str(error)
    return Carried(waiting, said, problems)


@stage()
def decide_plan(plan_hash: str, decision: str, by: str, change_class: str | None) -> Carried:
    """Write the approval or rejection of a held plan; both the form and the command line come here."""
    place = workplace()
    with place.warehouse.write() as connection:
        decide = approve if decision == "approve" else reject_plan
        decided = decide(connection, plan_hash, by, place.now, change_class)
        senders = [delivery(connection, each).sender for each in decided.delivery_ids]
    is_gate = decided.flow != PATRONS and any(each.startswith("quality:") for each in decided.change_classes)
    held = tuple(dict.fromkeys(senders))
    said = {decided.plan_hash: f"{decided.state}: {', '.join(decided.change_classes)}"}
    is_import = decided.flow == planning.IMPORTS
    return Carried(list(decided.delivery_ids), said, {}, held if is_gate else (), held if is_import else ())


@stage()
def apply_plan(decided: Carried) -> Carried:
    """Load what guards had left, where its plan is approved now; where it is rejected, that stays so."""
    place = workplace()
    said: dict[str, str] = {}
    for plan_hash in decided.said:
        with place.warehouse.read() as connection:
            rows = show(connection, plan_hash)
        for row in rows:
            change_class = row._mapping["class"]
            if row.delivery_id is None or row.flow in APPROVED_AS_A_WHOLE or change_class.startswith("quality:"):
                continue
            what = f"{change_class} of delivery {row.delivery_id}"
            if row.state == PlanState.APPROVED:
                with _turn_of(place, row.delivery_id):
                    said[what] = f"{_apply_class(place, row.delivery_id, plan_hash, change_class)} applied"
            elif row.state == PlanState.REJECTED and row.decided_by != SUPERSEDED_BY:
                with place.warehouse.write(CATALOGUE_LOCK) as connection:
                    loading = loading_of(place, delivery(connection, row.delivery_id))
                    left = planning.leave_rejected(connection, loading, change_class, row.decided_by)
                said[what] = f"{left} left as they were"
    return Carried(decided.deliveries if said else [], said, {})


@contextmanager
def _turn_of(place: Workplace, delivery_id: int) -> Iterator[None]:
    """The turn at the delivery's sender: what its run has not loaded yet cannot be found, and would stay undone."""
    with place.warehouse.read() as connection:
        row = delivery(connection, delivery_id)
    mine = run_id() or str(uuid.uuid4())
    with turn(place.warehouse, f"{row.kind}:{row.sender}", mine, patience_seconds=APPROVAL_WAITS_SECONDS) as taken:
        if taken is None:
            raise SamkatError(
                f"delivery {delivery_id} is still being loaded by another run",
                remedy="the approval is kept: approve the plan again when that run has ended",
            )
        yield


def _apply_class(place: Workplace, delivery_id: int, plan_hash: str, change_class: str) -> int:
    """Apply an approved class chunk by chunk; one that was killed goes on with what is left."""
    total = 0
    while True:
        with place.warehouse.write(CATALOGUE_LOCK) as connection:
            loading = loading_of(place, delivery(connection, delivery_id))
            most = place.settings.chunk_records
            number = planning.apply_approved(connection, loading, plan_hash, change_class, most)
            forget_staged(connection, delivery_id, still_needed(delivery_id))
        total += number
        if number == 0 or change_class == "bib_absent":
            return total


@stage()
def revert_one(delivery_id: int, *, dry_run: bool = False) -> dict[str, object]:
    """Take a delivery back; later changes by others survive and are listed."""
    place = workplace()
    transaction = preview.rolled_back(place.warehouse) if dry_run else place.warehouse.write(CATALOGUE_LOCK)
    with transaction as connection:
        report = reverting.revert_delivery(connection, delivery_id, place.register.catalogue, place.now)
    both = report.bibs + report.holdings
    return {
        "delivery": delivery_id,
        "dry_run": dry_run,
        "was_reverted": report.was_reverted,
        "bibs": report.bibs.reverted,
        "holdings": report.holdings.reverted,
        "reviews": report.reviews,
        "survivors": [f"{each.entity} {each.entity_id}: {each.why}" for each in both.survived],
        "libraries": list(report.libraries),
    }
