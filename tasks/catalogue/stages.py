"""Stages of the catalogue: staging records, loading bibs and holdings, and settling what is done."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from schemas.errors import DeliveryRejectedError
from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_delivery
from tasks.batch import each_delivery, rows_in_state
from tasks.catalogue import load_bibs as bib_loading
from tasks.catalogue import load_holdings as holding_loading
from tasks.catalogue import load_union, planning, preview
from tasks.catalogue.delivered_files import staged_members
from tasks.catalogue.holding_lines import LIBRARY
from tasks.catalogue.levels import LevelReading
from tasks.catalogue.loading import Loading
from tasks.catalogue.staging import StagingRules, forget_staged, stage_delivery
from tasks.landing.receiving import reject
from tasks.marc.reading import ReadingRules
from tasks.stage import run_id, stage
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ledger import set_state
from tasks.workplace import Workplace, workplace


def loading_of(place: Workplace, row: sa.Row[Any], held_classes: frozenset[str] = frozenset()) -> Loading:
    """How the delivery of this ledger row is loaded."""
    return Loading(
        delivery_id=row.delivery_id,
        supplier=None if row.kind == "catalogue" else place.supplier(row.sender),
        register=place.register,
        sent_at_name=row.sent_at_name,
        today=place.today,
        now=place.now,
        held_classes=held_classes,
    )


@stage()
def stage_records(deliveries: list[int]) -> Counter[str]:
    """Split each delivery into records, decode what is needed, normalise, and keep every byte."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        _note_run(place.warehouse, row.delivery_id)
        try:
            return _stage(place, row)
        except DeliveryRejectedError as why:
            reject(place.warehouse, place.zone, row.delivery_id, why, place.now)
            return Counter(rejected=1)

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.RECEIVED]), work)


def _note_run(warehouse: Warehouse, delivery_id: int) -> None:
    with warehouse.write() as connection:
        connection.execute(
            sa.update(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id).values(flow_run_id=run_id())
        )


def _stage(place: Workplace, row: sa.Row[Any]) -> Counter[str]:
    catalogue = place.register.catalogue
    if row.kind == "catalogue":
        reading = ReadingRules.of_catalogue(catalogue.control_number_prefix, origin_note=catalogue.origin_note)
        rules = StagingRules(LevelReading(place.register.levels), LIBRARY)
    else:
        supplier = place.supplier(row.sender)
        reading = ReadingRules.of_supplier(supplier, origin_note=catalogue.origin_note)
        rules = StagingRules(LevelReading(place.register.levels, supplier.level_ceiling), supplier.code)
    with place.zone.open(row.uri) as stream:
        return stage_delivery(
            place.warehouse,
            row.delivery_id,
            staged_members(stream, row.name, reading, place.unpack_limits),
            rules,
            chunk_records=place.settings.chunk_records,
            now=place.now,
        )


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

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]), work)


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
            set_state(connection, row.delivery_id, DeliveryState.LOADED)
        return counts

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]), work)


@stage(name="preview")
def preview_load(deliveries: list[int]) -> dict[int, dict[str, int]]:
    """Decide everything as the load would, and roll it back: the same decisions, nothing settled."""
    place = workplace()
    found: dict[int, dict[str, int]] = {}
    for row in rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]):
        with preview.rolled_back(place.warehouse) as connection:
            held = planning.guard_delivery(connection, loading_of(place, row), run_id())
        loading = loading_of(place, row, held)
        counts = preview.preview_delivery(place.warehouse, loading, chunk_records=place.settings.chunk_records)
        found[row.delivery_id] = dict(counts)
    return found


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
            set_state(connection, row.delivery_id, DeliveryState.LOADED)
        return counts

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.STAGED]), work)


@stage()
def settle(deliveries: list[int]) -> Counter[str]:
    """Close what is done: the working set goes, except what still waits for a person."""
    place = workplace()

    def work(row: sa.Row[Any]) -> None:
        with place.warehouse.write(CATALOGUE_LOCK) as connection:
            forget_staged(connection, row.delivery_id, planning.still_needed(row.delivery_id))
            set_state(connection, row.delivery_id, DeliveryState.SETTLED, finished_at=place.now)

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.LOADED]), work)
