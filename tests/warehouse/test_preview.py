"""A dry run decides exactly what the load then does, and settles nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deployments.sample.catalogue import write_catalogue
from deployments.sample.night import write_night
from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery
from schemas.warehouse.stage import stage_preview
from tasks.warehouse.all_tables import metadata
from tasks.workplace import Workplace
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import everything, ingest, ledger, load_catalogue, preview

SCENES = (
    "dagfil", "packat", "samma-isbn", "numrerade", "dubbletter", "nekade", "hyllor", "hemlosa", "nivaer",
    "avklippt-bib", "makuleringar", "tom",
)  # fmt: skip
"""Files of the night that end in every way there is."""
ROWS = ("position", "part", "record_type", "outcome", "rule", "reason", "sigel")


def test_a_dry_run_of_the_night_says_what_the_load_then_does(place: Workplace, tmp_path: Path) -> None:
    load_catalogue(place, write_catalogue(tmp_path / "catalogue", 1, 200))
    write_night(Path(place.settings.landing_url) / "incoming", 1)
    waiting = [each for each in place.zone.waiting("NORDBOK") if each.name.split("_")[2].split(".")[0] in SCENES]
    assert len(waiting) == len(SCENES) + 1  # one is packed as gzip and as zip
    core_before = _core(place)
    # One at a time, as they are loaded: what a file brings is there for the next one.
    checked = 0
    for each in waiting:
        said = preview("NORDBOK", [each.uri])
        assert _core(place) == core_before
        found = {delivery: _rows(place, stage_preview, delivery) for delivery in said}
        (delivery,) = ingest("NORDBOK", [each.uri])
        core_before = _core(place)
        if ledger(place.warehouse, delivery).state == DeliveryState.REJECTED:
            assert said == {}
            continue
        ((_, counts),) = said.items()
        ((_, rows),) = found.items()
        assert rows == _rows(place, core_outcome, delivery)
        row = ledger(place.warehouse, delivery)._mapping
        assert {name: row[name] for name in counts} == counts
        checked += len(rows)
    assert checked == 132


def _core(place: Workplace) -> dict[str, list[Any]]:
    outside = [table.name for table in metadata.sorted_tables if not table.name.startswith("core_")]
    # Ids of deliveries are given out for a dry run as well.
    return everything(place.warehouse, but=[*outside, "core_counter"])


def _rows(place: Workplace, table: sa.Table, delivery: int) -> list[tuple[Any, ...]]:
    statement = sa.select(*(table.c[name] for name in ROWS)).where(table.c.delivery_id == delivery)
    if table is core_outcome:
        statement = statement.where(core_outcome.c.is_latest)
    with place.warehouse.read() as connection:
        return sorted((tuple(row) for row in connection.execute(statement)), key=repr)


def test_a_dry_run_leaves_the_file_where_it_is_and_no_trace_once_it_is_loaded(place: Workplace) -> None:
    Export().bib(book(1), "SK01").load(place)
    parcel = Parcel().bib(book(1), "N1").holding("SOLB").bib(book(2), "N2")
    uri = parcel.land(place)
    assert list(preview("NORDBOK", [uri]).values()) == [{"bibs_kept": 1, "bibs_created": 1, "holdings_created": 1}]
    preview("NORDBOK", [uri])
    assert place.zone.exists(uri)
    with place.warehouse.read() as connection:
        (row,) = connection.execute(sa.select(raw_delivery).where(raw_delivery.c.kind == "supplier")).all()
    assert (row.is_preview, row.state) == (True, DeliveryState.MATCHED)
    (delivery,) = ingest("NORDBOK", [uri])
    row = ledger(place.warehouse, delivery)
    assert (row.is_preview, row.state, row.bibs_created, row.bibs_kept) == (False, DeliveryState.SETTLED, 1, 1)
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM stage_preview").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM raw_delivery").scalar() == 2


def test_bibs_that_would_be_new_have_no_id_in_a_preview(place: Workplace) -> None:
    parcel = Parcel().bib(book(1), "N1").bib(book(1), "N1b").holding("SOLB")
    preview("NORDBOK", [parcel.land(place)])
    with place.warehouse.read() as connection:
        assert connection.execute(sa.select(stage_preview.c.bib_id)).scalars().all() == [None, None, None]


def test_a_dry_run_enters_no_plan_and_does_not_open_the_gate_for_the_load(place: Workplace) -> None:
    poor = Parcel("FORHAND")
    for serial in range(24):
        poor.bib(book(serial) if serial % 3 == 0 else book(serial, numbers=()), f"F{serial}", level="8")
    uri = poor.land(place)
    assert list(preview("FORHAND", [uri]).values()) == [{"bibs_created": 24}]
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM core_plan").scalar() == 0
        reason = connection.execute(sa.select(raw_delivery.c.hold_reason)).scalar_one()
    assert reason == "would be held: 67% of 24 bibs have no ISBN (020 $a); the limit for FORHAND is 30%"
    (delivery,) = ingest("FORHAND", [uri])
    assert ledger(place.warehouse, delivery).state == DeliveryState.HELD


def test_a_dry_run_of_a_settled_or_reviewed_delivery_changes_nothing_of_it(place: Workplace) -> None:
    Export().bib(book(1), "SK01").load(place)
    parcel = Parcel().bib(with_isbn(book(1), book(1).isbn, "z"), "N1").holding("SOLB")
    (delivery,) = ingest("NORDBOK", [parcel.land(place)])
    before = everything(place.warehouse, but=["raw_delivery_name", "core_counter"])
    assert preview("NORDBOK", [parcel.land(place)]) == {}
    assert everything(place.warehouse, but=["raw_delivery_name", "core_counter"]) == before
    assert ledger(place.warehouse, delivery).state == DeliveryState.SETTLED
