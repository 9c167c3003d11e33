"""Stages of a joining library's stock: received, decided, held for approval, told as files, attached."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError
from schemas.outcomes import DeliveryState, PlanState
from schemas.register.suppliers import FileRules
from schemas.warehouse.core import core_plan
from tasks.batch import STOPPED, each_delivery, few_collections, rows_in_state
from tasks.catalogue import load_bibs as bib_loading
from tasks.catalogue import load_holdings as holding_loading
from tasks.catalogue.delivery_loading import loading_of
from tasks.catalogue.needed import still_needed
from tasks.catalogue.stages import APPROVAL_WAITS_SECONDS, Carried
from tasks.catalogue.staging import forget_staged
from tasks.catalogue.stock import ATTACH, COLLECTION, CREATE, CREATES_MISSING, FLOW, enter_collection, stock_rules
from tasks.collections import attaching, files, report
from tasks.collections.joining import Joining, joining, refuse_workbook
from tasks.collections.previewing import preview_collection
from tasks.collections.sorting import counts_of, sort_rows
from tasks.landing.receiving import Receiving
from tasks.landing.stages import receive_each
from tasks.notices.wording import standard_book
from tasks.plans.store import SUPERSEDED_BY, show
from tasks.stage import run_id, stage
from tasks.warehouse.engine import CATALOGUE_LOCK
from tasks.warehouse.ledger import delivery
from tasks.warehouse.planner import joined_as_sets
from tasks.warehouse.turns import turn
from tasks.workplace import Workplace, workplace

TURN = "collection-match"
"""One run at a time works on collections, and one approval."""


@stage(name="receive")
def receive_collection(
    libraries: list[str],
    uris: list[str],
    columns: dict[str, str] | None = None,
    *,
    create_missing: bool = False,
    again: bool = False,
    dry_run: bool = False,
) -> list[int]:
    """Enter files of joining libraries in the ledger, with how they are read; also takes up what a run left.

    Raises `UsageError` for a library that the register does not have, a column that means nothing, a workbook.
    """
    place = workplace()
    who = joining(libraries, columns or {}, place.register, place.today)
    for uri in uris:
        refuse_workbook(uri.rsplit("/", 1)[-1])
    receiving = Receiving(
        kind=COLLECTION,
        sender=who.sender,
        rules=FileRules(),
        limits=place.unpack_limits,
        now=place.now,
        today=place.today,
        mode=CREATES_MISSING if create_missing else "",
        again=again,
        is_preview=dry_run,
    )
    ids = receive_each(place, uris, receiving)
    with place.warehouse.write() as connection:
        for each in ids:
            enter_collection(connection, each, who.rules)
        left = [] if dry_run else [each for each in attaching.unfinished(connection, who.sender) if each not in ids]
        known = [each for each in left if _is_entered(connection, each)]
    return ids + known


def _is_entered(connection: sa.Connection, delivery_id: int) -> bool:
    try:
        stock_rules(connection, delivery_id)
    except sa.exc.NoResultFound:
        return False  # killed before it was said how it is read: the command, given again, says it
    return True


@stage()
def decide_rows(deliveries: list[int]) -> Counter[str]:
    """Say of each row what was found; the catalogue's bibs stay as they are, what is uncertain goes to a cataloguer."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        loading, size = loading_of(place, row), place.settings.chunk_records
        counts = bib_loading.load_bibs(place.warehouse, loading, chunk_records=size)
        sort_rows(place.warehouse, row.delivery_id, is_preview=False, chunk_records=size, now=place.now)
        return counts

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]), work)


@stage()
def hold_holdings(deliveries: list[int]) -> Counter[str]:
    """Let every holding wait, and enter the plan that asks for approval."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        loading = loading_of(place, row)
        counts = holding_loading.load_holdings(place.warehouse, loading, chunk_records=place.settings.chunk_records)
        with place.warehouse.write() as connection:
            attaching.hold_collection(connection, loading, run_id())
        return counts

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]), work)


@stage(name="preview")
def preview_rows(deliveries: list[int]) -> Counter[str]:
    """Decide everything as the real run would, and settle nothing."""
    place = workplace()
    counts: Counter[str] = Counter()
    for row in rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]):
        if row.is_preview:
            size = place.settings.chunk_records
            counts += preview_collection(place.warehouse, loading_of(place, row), chunk_records=size)
            sort_rows(place.warehouse, row.delivery_id, is_preview=True, chunk_records=size, now=place.now)
    return counts


@dataclass(frozen=True)
class CollectionSummary:
    """One file of joining libraries: where it stands, how its rows ended, and where its files are."""

    delivery_id: int
    sender: str
    name: str
    state: str
    reason: str = ""
    """Why it waits or was rejected, in words; empty where nothing is left to do."""
    plan_hash: str = ""
    plan_state: str = ""
    is_preview: bool = False
    endings: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide."""
        return self.plan_state == PlanState.HELD

    @property
    def tally(self) -> Counter[str]:
        """`rows matched`, `rows not_found`, ..."""
        rows = {f"rows {name}": number for name, number in self.endings.items()}
        return Counter({"files": 1, f"files {self.state}": 1} | rows)


@stage(name="summarise")
def report_collections(
    libraries: list[str], columns: dict[str, str] | None, deliveries: list[int]
) -> list[CollectionSummary]:
    """Write the result files and the report of each file, and sum up the run as an artifact."""
    place = workplace()
    who = joining(libraries, columns or {}, place.register, place.today)
    with few_collections():
        found = [_reported(place, each, who) for each in deliveries]
    stopped = [each for each in found if each.reason.startswith(STOPPED)]
    if stopped:
        raise SamkatError(
            "; ".join(f"delivery {each.delivery_id} ({each.name}) is {each.state}, {each.reason}" for each in stopped),
            remedy="give the same command again: it goes on where it stopped",
        )
    return found


_DECIDED = (DeliveryState.LOADED, DeliveryState.SETTLED, DeliveryState.REVERTED)


def _reported(place: Workplace, delivery_id: int, who: Joining | None) -> CollectionSummary:
    """Write what is to be written about a collection, and say where it stands."""
    with place.warehouse.read() as connection:
        row = delivery(connection, delivery_id)
        plan = connection.execute(
            sa.select(core_plan.c.plan_hash, core_plan.c.state, core_plan.c.reason)
            .where(core_plan.c.delivery_id == delivery_id, core_plan.c.flow == FLOW, core_plan.c["class"] == ATTACH)
            .order_by(core_plan.c.plan_id.desc())
        ).first()
        is_sorted = row.state in _DECIDED or (row.is_preview and row.state == DeliveryState.MATCHED)
        rules = stock_rules(connection, delivery_id) if is_sorted else None
        counts = counts_of(connection, delivery_id) if is_sorted else Counter[str]()
        found = report.figures(connection, delivery_id) if is_sorted else None
        strange = attaching.strangers(connection, delivery_id, is_preview=row.is_preview) if is_sorted else 0
    remarks = [*(who.remarks if who else ())]
    if who is not None and rules is not None and (rules.libraries, dict(rules.columns)) != (
        who.rules.libraries, dict(who.rules.columns)
    ):  # fmt: skip
        remarks.append("the file came before, and was read in another way: revert it, then give --again")
    if strange:
        remarks.append(
            f"{strange} holdings are of nobody who joins, or do not say whose they are: does the file name the"
            " libraries in another way, or elsewhere (--library SIGEL=NAME, --columns library=...)?"
        )
    summary = CollectionSummary(
        delivery_id, row.sender, row.name, row.state, row.hold_reason or "", is_preview=row.is_preview,
        remarks=tuple(remarks),
    )  # fmt: skip
    if plan is not None:
        reason = plan.reason if plan.state == PlanState.HELD else summary.reason
        summary = replace(summary, plan_hash=plan.plan_hash, plan_state=plan.state, reason=reason)
    if rules is None or found is None:
        return summary
    counts.pop("rows_read", None)
    summary = replace(summary, endings=dict(counts))
    return _with_files(place, summary, tuple(sigel for sigel, _ in rules.libraries), found)


def _with_files(
    place: Workplace, summary: CollectionSummary, sigels: tuple[str, ...], found: report.Found
) -> CollectionSummary:
    separator = standard_book().language(place.register.library_by_sigel[sigels[0]].language).grammar.csv_separator
    source = files.Source(summary.delivery_id, summary.is_preview)
    written = files.write_files(place.warehouse, place.zone, source, summary.endings, separator)
    page = report.Page(
        place.register.catalogue.name, sigels, summary.name, summary.delivery_id, place.now, written,
        tuple(_next_steps(summary)), summary.remarks, summary.is_preview,
    )  # fmt: skip
    text = report.as_html(found, page).encode()
    uri = place.zone.put(files.result_key(summary.delivery_id, files.REPORT_NAME), text, overwrite=True)
    if run_id() is not None:
        shown = report.as_markdown(found, page)
        create_markdown_artifact(shown, key="collections", description="What was found of a joining library's stock")
    return replace(summary, files={**written, "report": uri})


def _next_steps(summary: CollectionSummary) -> Iterator[str]:
    if summary.is_preview:
        yield "Nothing was settled: run it again without --dry-run."
    elif summary.is_held:
        yield f"Approve the plan {summary.plan_hash[:8]}, and the holdings are attached (samkat plans approve)."
    elif summary.plan_state:
        yield f"The plan {summary.plan_hash[:8]} is {summary.plan_state}."
    if summary.endings.get("review") and not summary.is_preview:
        yield "Decide the rows in review.csv in its column decision, and send it back (samkat review decide --csv)."


@stage()
def attach_collections(plan_hash: str) -> Carried:
    """Carry out what was decided about a collection's plan: holdings attached, bibs created, or all left as it was."""
    place = workplace()
    said: dict[str, str] = {}
    touched: list[int] = []
    with place.warehouse.read() as connection:
        rows = [row for row in show(connection, plan_hash) if row.flow == FLOW and row.delivery_id is not None]
    # Bibs first: their holdings go with them.
    for row in sorted(rows, key=lambda each: each._mapping["class"] != CREATE):
        change_class, delivery_id = row._mapping["class"], row.delivery_id
        if row.state == PlanState.HELD or row.decided_by == SUPERSEDED_BY:
            continue
        touched.append(delivery_id)  # what is applied already as well: a run may have been killed right behind it
        if row.state != PlanState.APPLIED:
            with _turn():
                said[f"{change_class} of delivery {delivery_id}"] = _carried_out(place, row, change_class)
    return Carried(list(dict.fromkeys(touched)), said, {})


def _carried_out(place: Workplace, row: sa.Row[Any], change_class: str) -> str:
    with place.warehouse.read() as connection:
        ledger = delivery(connection, row.delivery_id)
    loading, size = loading_of(place, ledger), place.settings.chunk_records
    if row.state == PlanState.REJECTED:
        left = attaching.leave(place.warehouse, loading, change_class, row.decided_by, chunk_records=size)
        return f"{left} left as they were"
    counts = attaching.attach(place.warehouse, loading, row.plan_hash, change_class, chunk_records=size)
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()) if number) or "nothing was left"


@stage()
def settle_collections(deliveries: list[int]) -> Counter[str]:
    """Drop what no decision needs any more of collections that a plan has let go, and write their files anew."""
    place = workplace()
    for each in deliveries:
        with place.warehouse.write(CATALOGUE_LOCK) as connection, joined_as_sets(connection):
            forget_staged(connection, each, still_needed(each))
        _reported(place, each, None)
    return Counter(collections=len(deliveries))


@contextmanager
def _turn() -> Iterator[None]:
    """The turn at collections: what a run has not decided yet cannot be attached."""
    mine = run_id() or str(uuid.uuid4())
    with turn(workplace().warehouse, TURN, mine, patience_seconds=APPROVAL_WAITS_SECONDS) as taken:
        if taken is None:
            raise SamkatError(
                "another run is at a collection",
                remedy="the approval is kept: approve the plan again when that run has ended",
            )
        yield
