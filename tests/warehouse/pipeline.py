"""The stages in the order of their flows, called without Prefect, and what a warehouse says afterwards.

What belongs here is running a whole night, a batch or a decision the way the flows do (flows/*.py), so that tests of
the pipeline say only what came in and what must come of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery
from tasks.catalogue import stages as catalogue
from tasks.catalogue.fingerprint import fingerprint
from tasks.landing.stages import forget_preview, receive, receive_export
from tasks.matching.stages import match_on_isbn
from tasks.quality.stages import check_deliveries, prove_conservation
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace

STATES = frozenset(DeliveryState)
TO_THE_SHELVES: tuple[Callable[[list[int]], Any], ...] = (
    catalogue.stage_records.fn,
    check_deliveries.fn,
    match_on_isbn.fn,
    catalogue.load_bibs.fn,
    catalogue.load_holdings.fn,
    prove_conservation.fn,
    catalogue.settle.fn,
)
"""The stages of `supplier_ingest` after receiving, but for the e-mails."""
OF_AN_EXPORT: tuple[Callable[[list[int]], Any], ...] = (
    catalogue.stage_records.fn,
    catalogue.load_union_bibs.fn,
    catalogue.load_union_holdings.fn,
    prove_conservation.fn,
    catalogue.hold_absent.fn,
    catalogue.settle.fn,
)
"""The stages of `catalogue_load` after receiving."""


def ingest(supplier: str, uris: Sequence[str] = (), *, again: bool = False) -> list[int]:
    """A run of `supplier-ingest`; returns the deliveries it took."""
    deliveries = receive.fn(supplier, list(uris), again=again)
    for stage in TO_THE_SHELVES:
        stage(deliveries)
    return deliveries


def preview(supplier: str, uris: Sequence[str]) -> dict[int, dict[str, int]]:
    """A dry run of `supplier-ingest`; returns the counts by delivery."""
    deliveries = receive.fn(supplier, list(uris), dry_run=True)
    for stage in TO_THE_SHELVES[:3]:
        stage(deliveries)
    found = catalogue.preview_load.fn(deliveries)
    forget_preview.fn(deliveries, list(uris))
    return found


def load_catalogue(place: Workplace, files: Iterable[Path], mode: str = "full") -> list[int]:
    """A run of `catalogue-load` over exports of the union catalogue."""
    deliveries = receive_export.fn([place.zone.adopt(file, "catalogue") for file in files], mode)
    for stage in OF_AN_EXPORT:
        stage(deliveries)
    return deliveries


def sweep(place: Workplace) -> list[int]:
    """Everything that waits in the landing zone, one run a supplier."""
    by_sender: dict[str, list[str]] = {}
    for each in place.zone.waiting():
        by_sender.setdefault(each.sender, []).append(each.uri)
    return [delivery for sender, uris in by_sender.items() for delivery in ingest(sender, uris)]


def land(place: Workplace, supplier: str, name: str, content: bytes) -> str:
    """Put a file into the supplier's folder of the landing zone; returns its URI."""
    return place.zone.put(f"incoming/{supplier}/{name}", content)


def decide_reviews(decisions: Mapping[int, str], by: str = "Ada Kvist") -> catalogue.Carried:
    """A run of `review-decide`."""
    decided = catalogue.decide_reviews.fn(dict(decisions), by)
    prove_conservation.fn(decided.deliveries, settled_too=True)
    return decided


def load_overdue() -> catalogue.Carried:
    """A run of `review-deadline`."""
    loaded = catalogue.load_overdue.fn()
    prove_conservation.fn(loaded.deliveries, settled_too=True)
    return loaded


def decide_plan(plan_hash: str, decision: str, by: str = "Bo Alm", change_class: str | None = None) -> None:
    """A run of `plan-decide`."""
    decided = catalogue.decide_plan.fn(plan_hash, decision, by, change_class)
    applied = catalogue.apply_plan.fn(decided)
    prove_conservation.fn(applied.deliveries, settled_too=True)
    for supplier in decided.suppliers_held:
        ingest(supplier)


def revert(delivery_id: int, *, dry_run: bool = False) -> dict[str, Any]:
    """A run of `revert`."""
    report = catalogue.revert_one.fn(delivery_id, dry_run=dry_run)
    if not dry_run:
        prove_conservation.fn([delivery_id], settled_too=True)
    return dict(report)


def ledger(warehouse: Warehouse, delivery_id: int) -> sa.Row[Any]:
    """The delivery's row."""
    with warehouse.read() as connection:
        return connection.execute(sa.select(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id)).one()


def catalogue_content(warehouse: Warehouse) -> str:
    """The fingerprint of the union catalogue."""
    with warehouse.read() as connection:
        return fingerprint(connection)


def outcomes(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every latest outcome by (sha256, generation, position, part): type, outcome, rule, sigel. No surrogate ids."""
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(
                raw_delivery.c.sha256,
                raw_delivery.c.generation,
                core_outcome.c.position,
                core_outcome.c.part,
                core_outcome.c.record_type,
                core_outcome.c.outcome,
                core_outcome.c.rule,
                core_outcome.c.sigel,
            )
            .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
            .where(core_outcome.c.is_latest)
        )
        return sorted(tuple(row) for row in rows)


LEDGER_FACTS = tuple(
    column.name
    for column in raw_delivery.columns
    if column.name in ("sha256", "generation", "sender", "name", "state", "mode", "is_preview", "hold_reason")
    or column.name.startswith(("records_", "bibs_", "holdings_"))
)


def ledger_facts(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every delivery as the ledger has it: identity, state and counts; no ids, instants or places."""
    with warehouse.read() as connection:
        rows = connection.execute(sa.select(*(raw_delivery.c[name] for name in LEDGER_FACTS)))
        return sorted((tuple(row) for row in rows), key=repr)


def everything(warehouse: Warehouse, *, but: Iterable[str] = ()) -> dict[str, list[Any]]:
    """Every row of every table, but for the tables named: for tests that nothing at all has changed."""
    left_out = set(but)
    with warehouse.read() as connection:
        filled = _filled_tables(connection)
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            if table.name in filled
            else []
            for table in metadata.sorted_tables
            if table.name not in left_out
        }


def restore(warehouse: Warehouse, found: Mapping[str, list[Any]]) -> None:
    """Make the warehouse as it was when `everything` was read, faster than loading it again."""
    with warehouse.write() as connection:
        filled = _filled_tables(connection)
        for table in metadata.sorted_tables:
            if table.name in filled:
                connection.execute(sa.delete(table))
            if found[table.name]:
                names = table.columns.keys()
                connection.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in found[table.name]])


def _filled_tables(connection: sa.Connection) -> set[str]:
    """The tables that hold any row: most hold none, and a statement for each would be most of the time."""
    asked = [
        sa.select(sa.literal(table.name)).where(sa.exists(sa.select(sa.literal(1)).select_from(table)))
        for table in metadata.sorted_tables
    ]
    return set(connection.execute(sa.union_all(*asked)).scalars())
