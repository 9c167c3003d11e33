"""A delivery under its supplier's limits of quality: held as a whole, until a person decides by the plan's hash."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_outcome, core_plan
from tasks.workplace import Workplace
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import catalogue_content, decide_plan, everything, ingest, ledger

RECORDS = 24


def poor() -> Parcel:
    """Two thirds of the bibs have no ISBN; the supplier's limit is 30 of 100. Each has a holding."""
    parcel = Parcel("FORHAND")
    for serial in range(RECORDS):
        one = book(serial) if serial % 3 == 0 else book(serial, numbers=())
        parcel.bib(one, f"F{serial}", level="8").holding("SOLB")
    return parcel


@pytest.fixture
def held(place: Workplace) -> int:
    (delivery,) = ingest("FORHAND", [poor().land(place)])
    return delivery


def plan_hash(place: Workplace) -> str:
    with place.warehouse.read() as connection:
        return str(connection.execute(sa.select(core_plan.c.plan_hash).distinct()).scalar_one())


def test_a_breach_holds_the_whole_delivery_and_says_why(place: Workplace, held: int) -> None:
    row = ledger(place.warehouse, held)
    assert row.state == DeliveryState.HELD
    assert row.hold_reason == "67% of 24 bibs have no ISBN (020 $a); the limit for FORHAND is 30%"
    with place.warehouse.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(core_outcome)).scalar() == 0
        assert connection.execute(sa.select(core_plan.c["class"], core_plan.c.state)).all() == [
            ("quality:isbn", "held")
        ]


def test_holding_again_changes_nothing_and_neighbours_go_on(place: Workplace, held: int) -> None:
    before = everything(place.warehouse, but=["raw_delivery", "core_counter"])
    assert ingest("FORHAND") == [held]
    assert everything(place.warehouse, but=["raw_delivery", "core_counter"]) == before
    good = Parcel("FORHAND").bib(book(90), "F90", level="8").land(place, 40)
    (other,) = (each for each in ingest("FORHAND", [good]) if each != held)
    assert ledger(place.warehouse, other).state == DeliveryState.SETTLED


def test_approval_lets_it_through(place: Workplace, held: int) -> None:
    decide_plan(plan_hash(place)[:10], "approve")
    row = ledger(place.warehouse, held)
    assert (row.state, row.hold_reason) == (DeliveryState.SETTLED, None)
    assert (row.bibs_created, row.holdings_created) == (RECORDS, RECORDS)
    before = catalogue_content(place.warehouse)
    decide_plan(plan_hash(place), "approve")
    assert catalogue_content(place.warehouse) == before


def test_rejection_rejects_every_record(place: Workplace, held: int) -> None:
    decide_plan(plan_hash(place), "reject")
    row = ledger(place.warehouse, held)
    assert row.state == DeliveryState.REJECTED
    assert row.hold_reason.startswith("a person rejected the delivery: ")
    assert (row.bibs_read, row.bibs_rejected, row.holdings_read, row.holdings_rejected) == (RECORDS,) * 4
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM stage_bib").scalar() == 0


def test_a_rejected_delivery_comes_back_only_when_the_person_thinks_again(place: Workplace, held: int) -> None:
    decide_plan(plan_hash(place), "reject")
    assert ingest("FORHAND", [poor().land(place)]) == [held]
    (again,) = ingest("FORHAND", [poor().land(place)], again=True)
    assert ledger(place.warehouse, again).state == DeliveryState.REJECTED
    decide_plan(plan_hash(place), "approve")
    (again,) = ingest("FORHAND", [poor().land(place)], again=True)
    assert ledger(place.warehouse, again).state == DeliveryState.SETTLED
