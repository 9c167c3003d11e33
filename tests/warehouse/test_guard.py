"""Guards before writes: a class of change over its limit waits for a person, the rest goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from deployments.sample.records import Line
from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_plan
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Export, Parcel, book
from tests.warehouse.pipeline import catalogue_content, decide_plan, everything, ingest, ledger, revert

WITHDRAWN = 11
"""The sample's guards.toml lets 10 through."""


@pytest.fixture
def strict(open_place: OpenPlace, tmp_path: Path) -> Workplace:
    """The sample's register, with guards that let two bibs be created and two be replaced."""
    register = tmp_path / "register"
    shutil.copytree(SAMPLE_REGISTER, register)
    limits = "at_least = 2\nshare = 0.0\nmin_population = 0\n"
    classes = ("bib_create", "bib_replace", "holding_delete")
    (register / "guards.toml").write_text("".join(f"[flows.supplier-ingest.{each}]\n{limits}" for each in classes))
    return open_place(today="2025-03-14", register_folder=register)


def withdrawals() -> Parcel:
    """Eleven holdings withdrawn, and a new title."""
    parcel = Parcel()
    for serial in range(WITHDRAWN):
        parcel.bib(book(serial), f"N{serial}").holding("VEST", is_delete=True)
    return parcel.bib(book(50), "N50").holding("VEST")


def planted(place: Workplace) -> None:
    export = Export()
    for serial in range(WITHDRAWN):
        export.bib(book(serial), f"SK{serial:02d}").holding("VEST", Line("Hc", owner="NORDBOK"))
    export.load(place)


def plan(place: Workplace) -> sa.Row[tuple[object, ...]]:
    """The one plan that there is."""
    with place.warehouse.read() as connection:
        return connection.execute(sa.select(core_plan)).one()


def test_mass_deletion_is_held_and_the_rest_goes_on(place: Workplace) -> None:
    planted(place)
    (delivery,) = ingest("NORDBOK", [withdrawals().land(place)])
    row = ledger(place.warehouse, delivery)
    assert (row.state, row.bibs_created, row.bibs_kept) == (DeliveryState.SETTLED, 1, WITHDRAWN)
    assert (row.holdings_created, row.holdings_waiting, row.holdings_deleted) == (1, WITHDRAWN, 0)
    held = plan(place)
    assert (held._mapping["class"], held.planned, held.limit, held.state) == ("holding_delete", 11, 10, "held")
    assert held.reason == "11 of 11 holdings would be deleted; 10 are let through unasked"


def test_approval_by_hash_carries_out_what_was_held(place: Workplace) -> None:
    planted(place)
    (delivery,) = ingest("NORDBOK", [withdrawals().land(place)])
    decide_plan(plan(place).plan_hash[:8], "approve")
    row = ledger(place.warehouse, delivery)
    assert (row.holdings_waiting, row.holdings_deleted) == (0, WITHDRAWN)
    assert plan(place).state == "applied"
    before = everything(place.warehouse)
    decide_plan(plan(place).plan_hash, "approve")
    assert everything(place.warehouse) == before
    revert(delivery)
    assert ledger(place.warehouse, delivery).holdings_rejected == WITHDRAWN + 1


def test_rejection_leaves_what_was_held_and_may_be_thought_over(place: Workplace) -> None:
    planted(place)
    (delivery,) = ingest("NORDBOK", [withdrawals().land(place)])
    content = catalogue_content(place.warehouse)
    decide_plan(plan(place).plan_hash, "reject")
    row = ledger(place.warehouse, delivery)
    assert (row.holdings_waiting, row.holdings_refused, row.holdings_deleted) == (0, WITHDRAWN, 0)
    assert catalogue_content(place.warehouse) == content
    before = everything(place.warehouse)
    decide_plan(plan(place).plan_hash, "reject")
    assert everything(place.warehouse) == before
    decide_plan(plan(place).plan_hash, "approve")
    assert ledger(place.warehouse, delivery).holdings_deleted == WITHDRAWN


def test_mass_replacement_is_held_and_holdings_go_on(strict: Workplace) -> None:
    export, parcel = Export(), Parcel()
    for serial in range(3):
        export.bib(book(serial), f"SK{serial:02d}", level="8", agency="FORHAND")
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
    export.load(strict)
    (delivery,) = ingest("NORDBOK", [parcel.land(strict)])
    row = ledger(strict.warehouse, delivery)
    assert (row.bibs_kept, row.bibs_replaced, row.holdings_created) == (3, 0, 3)
    assert plan(strict)._mapping["class"] == "bib_replace"
    decide_plan(plan(strict).plan_hash, "approve")
    row = ledger(strict.warehouse, delivery)
    assert (row.bibs_kept, row.bibs_replaced, row.holdings_created) == (0, 3, 3)


def test_mass_creation_is_held_with_its_holdings_and_matched_anew_when_approved(strict: Workplace) -> None:
    parcel = Parcel()
    for serial, sigel in ((0, "SOLB"), (1, "SOLB"), (2, "SOLB"), (2, "LUNV")):
        parcel.bib(book(serial), f"N{serial}").holding(sigel)
    (delivery,) = ingest("NORDBOK", [parcel.land(strict)])
    row = ledger(strict.warehouse, delivery)
    assert (row.bibs_review, row.bibs_created, row.holdings_waiting) == (4, 0, 4)
    with strict.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM core_review").scalar() == 0
    ingest("FORHAND", [Parcel("FORHAND").bib(book(1), "F1", level="8").land(strict)])
    decide_plan(plan(strict).plan_hash, "approve")
    row = ledger(strict.warehouse, delivery)
    assert (row.bibs_created, row.bibs_replaced, row.bibs_kept) == (2, 1, 1)
    assert (row.holdings_created, row.holdings_waiting) == (4, 0)
    with strict.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM out_bib WHERE NOT is_deleted").scalar() == 3


def test_rejected_creation_rejects_the_records_with_their_holdings(strict: Workplace) -> None:
    parcel = Parcel()
    for serial in range(3):
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
    (delivery,) = ingest("NORDBOK", [parcel.land(strict)])
    decide_plan(plan(strict).plan_hash, "reject")
    row = ledger(strict.warehouse, delivery)
    assert (row.bibs_rejected, row.holdings_rejected, row.bibs_review, row.holdings_waiting) == (3, 3, 0, 0)
    with strict.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM out_bib").scalar() == 0
