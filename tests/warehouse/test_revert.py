"""Undo of a delivery: the catalogue as it was before, but for what others did since; again and again harmless."""

from __future__ import annotations

import sqlalchemy as sa

from deployments.sample.records import Line
from schemas.marc import data_field
from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_plan, core_review
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import (
    catalogue_content,
    decide_reviews,
    everything,
    ingest,
    ledger,
    load_overdue,
    revert,
)


def shelves(place: Workplace) -> dict[str, list[str]]:
    """`title sigel` to `owner mark` of every line that stands."""
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT b.title, h.sigel, l.owner, l.shelf_mark FROM out_holding h"
            " JOIN out_bib b ON b.bib_id = h.bib_id JOIN out_holding_line l ON l.holding_id = h.holding_id"
            " WHERE NOT h.is_deleted ORDER BY b.bib_id, h.sigel, l.line_no"
        )
        found: dict[str, list[str]] = {}
        for title, sigel, owner, mark in rows:
            found.setdefault(f"{title} {sigel}", []).append(f"{owner} {mark}")
        return found


def planted(place: Workplace) -> None:
    Export().bib(book(1), "SK01", level="8", agency="FORHAND").holding("NORU").bib(book(2), "SK02").holding(
        "SOLB", Line("Hc", owner="NORDBOK"), Line("Magasin")
    ).bib(book(3), "SK03").holding("VEST", Line("Hc", owner="NORDBOK")).load(place)


def mixed_delivery() -> Parcel:
    """Creates, replaces, keeps; new, changed, deleted and refused holdings; one title twice."""
    parcel = Parcel().bib(book(10), "N10").holding("SOLB").holding("XXXX")
    parcel.bib(book(1), "N1").holding("LUNV")
    parcel.bib(book(2), "N2").holding("SOLB", "Hc.02")
    parcel.bib(book(3), "N3").holding("VEST", is_delete=True)
    note = data_field("500", "  ", [("a", "Andra posten för samma titel")])
    return parcel.bib(book(10), "N10b", extra=(note,)).holding("LUNV").holding("SOLB", "Hc.77")


def test_a_reverted_delivery_leaves_the_catalogue_as_it_was(place: Workplace) -> None:
    planted(place)
    before, shelves_before = catalogue_content(place.warehouse), shelves(place)
    (delivery,) = ingest("NORDBOK", [mixed_delivery().land(place)])
    row = ledger(place.warehouse, delivery)
    assert (row.bibs_created, row.bibs_replaced, row.bibs_kept) == (1, 2, 2)
    assert (row.holdings_created, row.holdings_updated, row.holdings_deleted, row.holdings_refused) == (3, 2, 1, 1)
    loaded = catalogue_content(place.warehouse)
    assert loaded != before
    report = revert(delivery)
    assert (report["bibs"], report["holdings"], report["survivors"]) == (2, 5, [])
    assert report["libraries"] == ["LUNV", "SOLB", "VEST"]
    assert shelves(place) == shelves_before
    assert catalogue_content(place.warehouse) == before
    row = ledger(place.warehouse, delivery)
    assert (row.state, row.bibs_rejected, row.holdings_rejected, row.holdings_refused) == ("reverted", 5, 6, 1)


def test_reverting_twice_changes_nothing_and_again_reloads(place: Workplace) -> None:
    planted(place)
    parcel = mixed_delivery()
    (delivery,) = ingest("NORDBOK", [parcel.land(place)])
    loaded = catalogue_content(place.warehouse)
    revert(delivery)
    reverted = everything(place.warehouse)
    assert revert(delivery)["was_reverted"] is True
    assert everything(place.warehouse) == reverted
    assert ingest("NORDBOK", [parcel.land(place)]) == [delivery]
    assert ledger(place.warehouse, delivery).state == DeliveryState.REVERTED
    (again,) = ingest("NORDBOK", [parcel.land(place)], again=True)
    assert again != delivery
    assert catalogue_content(place.warehouse) == loaded
    assert ledger(place.warehouse, again).state == DeliveryState.SETTLED


def test_a_dry_run_of_the_undo_says_the_same_and_changes_nothing(place: Workplace) -> None:
    planted(place)
    (delivery,) = ingest("NORDBOK", [mixed_delivery().land(place)])
    before = everything(place.warehouse)
    tried = revert(delivery, dry_run=True)
    assert everything(place.warehouse) == before
    done = revert(delivery)
    assert tried == {**done, "dry_run": True}


def test_what_others_did_since_survives_and_is_listed(place: Workplace) -> None:
    (mine,) = ingest("NORDBOK", [Parcel().bib(book(1), "N1").holding("SOLB").holding("LUNV").land(place)])
    other = Parcel("FORHAND").bib(book(1), "F1", level="8").holding("SOLB", "Ref").holding("FJOR", "Fjord")
    ingest("FORHAND", [other.land(place)])
    report = revert(mine)
    title = book(1).title
    assert [key.rsplit(" ", 1)[1] for key in shelves(place)] == ["FJOR", "SOLB"]
    assert list(shelves(place).values()) == [["FORHAND Fjord"], ["FORHAND Ref"]]
    assert report["survivors"] == ["bib 1: a library still holds it"]
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT title, is_deleted FROM out_bib").one()[0].startswith(title)


def test_a_bib_that_another_delivery_met_since_survives(place: Workplace) -> None:
    (mine,) = ingest("NORDBOK", [Parcel().bib(book(1), "N1").holding("SOLB").land(place)])
    ingest("EBOKEN")  # nothing waits: harmless
    ingest("FORHAND", [Parcel("FORHAND").bib(book(1), "F1", level="8").land(place)])
    assert revert(mine)["survivors"] == ["bib 1: another delivery brought the same title since"]
    assert shelves(place) == {}


def test_a_later_delivery_of_the_same_sender_keeps_its_lines(place: Workplace) -> None:
    first = Parcel().bib(book(1), "N1").holding("SOLB", "Hc")
    second = Parcel().bib(book(1), "N1").holding("SOLB", "Hc.02")
    (earlier,) = ingest("NORDBOK", [first.land(place, 1)])
    (later,) = ingest("NORDBOK", [second.land(place, 2)])
    report = revert(earlier)
    assert report["survivors"] == [
        "bib 1: a library still holds it",
        "holding 1: a later delivery of the same sender changed it",
    ]
    assert list(shelves(place).values()) == [["NORDBOK Hc.02"]]
    assert revert(later)["holdings"] == 1
    assert list(shelves(place).values()) == [["NORDBOK Hc"]]


def test_a_bib_that_was_changed_later_keeps_the_change(place: Workplace) -> None:
    Export().bib(book(1), "SK01", level="5", agency="FORHAND").load(place)
    (early,) = ingest("FORHAND", [Parcel("FORHAND").bib(book(1), "F1", level="8").land(place)])
    ingest("NORDBOK", [Parcel().bib(book(1), "N1").land(place)])
    assert ledger(place.warehouse, early).bibs_replaced == 1
    report = revert(early)
    assert report["survivors"] == ["bib 1: it was changed later (version 2 was made here, it is at version 3 now)"]
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT encoding_level, source FROM out_bib").one() == ("7", "NORDBOK")


def test_numbers_that_another_delivery_of_the_sender_stands_for_go_on_leading_to_the_bib(place: Workplace) -> None:
    Export().bib(book(1), "SK01").load(place)
    content = Parcel().bib(book(1), "N1").holding("SOLB")
    (first,) = ingest("NORDBOK", [content.land(place, 1)])
    (second,) = ingest("NORDBOK", [Parcel().bib(book(1), "N1").holding("LUNV").land(place, 2)])

    def numbers() -> list[str]:
        with place.warehouse.read() as connection:
            rows = connection.exec_driver_sql("SELECT value FROM core_bib_identifier WHERE scheme = '035'")
            return sorted(rows.scalars())

    assert numbers() == ["(NORDBOK)N1"]
    revert(first)
    assert numbers() == ["(NORDBOK)N1"]
    revert(second)
    assert numbers() == []


def test_reviews_of_a_reverted_delivery_are_withdrawn_and_can_no_longer_be_decided(place: Workplace) -> None:
    Export().bib(book(1), "SK01").load(place)
    uri = Parcel().bib(with_isbn(book(1), book(1).isbn, "z"), "N1").holding("SOLB").land(place)
    (delivery,) = ingest("NORDBOK", [uri])
    assert ledger(place.warehouse, delivery).holdings_waiting == 1
    assert revert(delivery)["reviews"] == 1
    decided = decide_reviews({1: "new"})
    assert "was withdrawn: its delivery was reverted" in decided.problems["1"]
    assert ledger(place.warehouse, delivery).holdings_rejected == 1


def test_a_provisional_bib_and_its_merge_are_undone(place: Workplace, open_place: OpenPlace) -> None:
    Export().bib(book(1), "SK01").holding("SOLB").load(place)
    before = catalogue_content(place.warehouse)
    parcel = Parcel().bib(with_isbn(book(1), book(1).isbn, "z"), "N1").holding("SOLB", "Ny").holding("LUNV")
    (delivery,) = ingest("NORDBOK", [parcel.land(place)])
    place = open_place(today="2025-03-20")
    load_overdue()
    decide_reviews({1: "match:1"})
    assert list(shelves(place).values()) == [["NORDBOK Hc"], ["library Magasin", "NORDBOK Ny"]]
    report = revert(delivery)
    assert report["survivors"] == []
    assert catalogue_content(place.warehouse) == before


def test_an_export_of_the_catalogue_is_reverted_but_merges_stay_and_are_listed(place: Workplace) -> None:
    Export().bib(book(1), "SK01").holding("SOLB").bib(book(2), "SK02").load(place, name="one.mrc")
    merged_from = data_field("019", "  ", [("a", "SK02")])
    export = Export().bib(book(1), "SK01", level="3", extra=(merged_from,)).bib(book(3), "SK03").holding("LUNV")
    delivery = export.load(place, name="two.mrc")
    report = revert(delivery)
    assert report["survivors"] == ["bib 2: the catalogue has merged it into bib 1, which stays so"]
    assert (report["bibs"], report["holdings"]) == (2, 1)
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql("SELECT control_number, encoding_level, is_deleted FROM out_bib ORDER BY 1")
        assert [tuple(row) for row in rows] == [("SK01", " ", False), ("SK02", " ", True), ("SK03", " ", True)]


def test_a_held_delivery_can_be_reverted_and_its_plan_no_longer_waits(place: Workplace) -> None:
    poor = Parcel("FORHAND")
    for serial in range(24):
        one = book(serial) if serial % 3 == 0 else book(serial, numbers=())
        poor.bib(one, f"F{serial}", level="8")
    (delivery,) = ingest("FORHAND", [poor.land(place)])
    assert ledger(place.warehouse, delivery).state == DeliveryState.HELD
    revert(delivery)
    row = ledger(place.warehouse, delivery)
    assert (row.state, row.bibs_read, row.bibs_rejected) == (DeliveryState.REVERTED, 24, 24)
    with place.warehouse.read() as connection:
        assert connection.execute(sa.select(core_plan.c.state).distinct()).scalars().all() == ["rejected"]
        assert connection.execute(sa.select(sa.func.count()).select_from(core_review)).scalar() == 0
