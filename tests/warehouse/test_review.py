"""Bibs in review: decided as match, new or reject; provisional after the deadline; every record counted."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from schemas.warehouse.core import core_match, core_review
from schemas.warehouse.stage import stage_bib, stage_holding
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import decide_reviews, everything, ingest, ledger, load_overdue, outcomes


@pytest.fixture
def delivery(place: Workplace) -> int:
    """One bib that resembles SK01 by a $z alone, with two holdings and a refused one; and a plain new bib."""
    Export().bib(book(1), "SK01", level="5", agency="FORHAND").holding("SOLB").load(place)
    parcel = Parcel().bib(with_isbn(book(1), book(1).isbn, "z"), "N1").holding("SOLB", "Ny").holding("LUNV")
    parcel.holding("XXXX").bib(book(2), "N2").holding("SOLB")
    (delivery,) = ingest("NORDBOK", [parcel.land(place)])
    row = ledger(place.warehouse, delivery)
    assert (row.bibs_review, row.holdings_waiting, row.holdings_refused, row.holdings_created) == (1, 2, 1, 1)
    return delivery


def counts(place: Workplace, delivery: int) -> tuple[int, ...]:
    """Bibs created, replaced, review, rejected; holdings created, updated, waiting, refused, rejected."""
    row = ledger(place.warehouse, delivery)
    return (
        row.bibs_created, row.bibs_replaced, row.bibs_review, row.bibs_rejected, row.holdings_created,
        row.holdings_updated, row.holdings_waiting, row.holdings_refused, row.holdings_rejected,
    )  # fmt: skip


def holdings_of(place: Workplace, bib_id: int) -> list[tuple[str, str]]:
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT h.sigel, l.shelf_mark FROM out_holding h JOIN out_holding_line l ON l.holding_id = h.holding_id"
            f" WHERE h.bib_id = {bib_id} AND NOT h.is_deleted ORDER BY 1, l.line_no"
        )
        return [tuple(row) for row in rows]


def view_titles(place: Workplace) -> dict[int, str]:
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql("SELECT bib_id, title FROM out_bib")
        return {row.bib_id: row.title for row in rows}


def working_set(place: Workplace) -> tuple[int, int]:
    with place.warehouse.read() as connection:
        tables = (stage_bib, stage_holding)
        bibs, holdings = (connection.scalar(sa.select(sa.func.count()).select_from(each)) for each in tables)
        return int(bibs or 0), int(holdings or 0)


def test_only_the_working_set_of_what_waits_is_kept(place: Workplace, delivery: int) -> None:
    assert working_set(place) == (1, 3)
    with place.warehouse.read() as connection:
        review = connection.execute(sa.select(core_review)).one()
    assert (review.delivery_id, review.position, review.rule, review.state) == (delivery, 1, "isbn_weak_only", "open")
    assert str(review.due_on) == "2025-03-16"


def test_match_overlays_by_the_level_table_and_loads_what_waited(place: Workplace, delivery: int) -> None:
    decided = decide_reviews({1: "match:1"})
    assert decided.problems == {}
    assert decided.said == {"1": "bib replaced; holdings: 1 created, 1 refused, 1 updated"}
    assert counts(place, delivery) == (1, 1, 0, 0, 2, 1, 0, 1, 0)
    assert holdings_of(place, 1) == [("LUNV", "Hc"), ("SOLB", "Magasin"), ("SOLB", "Ny")]
    assert working_set(place) == (0, 0)
    with place.warehouse.read() as connection:
        match = connection.execute(sa.select(core_match).where(core_match.c.position == 1)).one()
    assert (match.bib_id, match.verdict, match.decided_by) == (1, "review", "Ada Kvist")


def test_a_match_with_a_bib_that_was_no_candidate_is_done_and_named(place: Workplace, delivery: int) -> None:
    said = decide_reviews({1: "match:2"}).said["1"]
    title = view_titles(place)[2]
    assert said.startswith("bib ")
    assert said.endswith(f"; bib 2 ({title}) was no candidate")


def test_new_makes_a_bib_and_loads_what_waited(place: Workplace, delivery: int) -> None:
    decided = decide_reviews({1: "new"})
    assert decided.said == {"1": "bib created; holdings: 2 created, 1 refused"}
    assert counts(place, delivery) == (2, 0, 0, 0, 3, 0, 0, 1, 0)
    assert holdings_of(place, 3) == [("LUNV", "Hc"), ("SOLB", "Ny")]


def test_reject_refuses_the_record_with_its_holdings(place: Workplace, delivery: int) -> None:
    decided = decide_reviews({1: "reject"})
    assert decided.said == {"1": "bib rejected; holdings: 1 refused, 2 rejected"}
    assert counts(place, delivery) == (1, 0, 0, 1, 1, 0, 0, 1, 2)
    rules = {each[6] for each in outcomes(place.warehouse) if each[5] == "rejected"}
    assert rules == {"decided_reject", "bib_rejected"}


@pytest.mark.parametrize("decision", ["match:1", "new", "reject"])
def test_deciding_the_same_twice_is_harmless_and_otherwise_refused(
    place: Workplace, delivery: int, decision: str
) -> None:
    decide_reviews({1: decision})
    before = everything(place.warehouse)
    assert decide_reviews({1: decision}).said == {"1": "was decided so already"}
    assert everything(place.warehouse) == before
    other = "new" if decision != "new" else "match:1"
    assert "was decided as" in decide_reviews({1: other}).problems["1"]
    assert everything(place.warehouse) == before


def test_a_wrong_decision_stops_no_other_and_changes_nothing(place: Workplace, delivery: int) -> None:
    before = everything(place.warehouse)
    decided = decide_reviews({99: "new", 1: "match:4711"})
    assert decided.said == {}
    assert "there is no review 99" in decided.problems["99"]
    assert "there is no bib 4711" in decided.problems["1"]
    assert "is not a decision" in decide_reviews({1: "maybe"}).problems["1"]
    assert everything(place.warehouse) == before
    decided = decide_reviews({99: "new", 1: "new"})
    assert (list(decided.said), list(decided.problems)) == (["1"], ["99"])


def test_nothing_is_provisional_before_the_deadline_has_passed(
    place: Workplace, delivery: int, open_place: OpenPlace
) -> None:
    open_place(today="2025-03-16")
    assert load_overdue().deliveries == []
    assert counts(place, delivery) == (1, 0, 1, 0, 1, 0, 2, 1, 0)


@pytest.fixture
def provisional(place: Workplace, delivery: int, open_place: OpenPlace) -> int:
    """The delivery after the deadline: its bib is provisional, its holdings are on the shelves."""
    open_place(today="2025-03-17")
    assert load_overdue().said == {f"delivery {delivery}": "1 bibs loaded as provisional"}
    return delivery


def test_after_the_deadline_the_bib_is_provisional_and_its_books_can_be_lent(
    place: Workplace, provisional: int
) -> None:
    assert counts(place, provisional) == (2, 0, 0, 0, 3, 0, 0, 1, 0)
    assert holdings_of(place, 3) == [("LUNV", "Hc"), ("SOLB", "Ny")]
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT bib_id FROM out_bib WHERE is_provisional").scalars().all() == [3]
        assert connection.execute(sa.select(core_review.c.state)).scalar() == "open"
    before = everything(place.warehouse)
    assert load_overdue().deliveries == []
    assert everything(place.warehouse) == before
    assert working_set(place)[0] == 1  # the worklist still shows the record as it came


def test_a_provisional_bib_is_merged_into_its_match(place: Workplace, provisional: int) -> None:
    decided = decide_reviews({1: "match:1"})
    assert decided.said == {"1": "provisional bib 3 was merged into bib 1"}
    assert counts(place, provisional) == (1, 0, 0, 0, 2, 1, 0, 1, 0)
    assert ledger(place.warehouse, provisional).bibs_kept == 1
    assert holdings_of(place, 1) == [("LUNV", "Hc"), ("SOLB", "Magasin"), ("SOLB", "Ny")]
    assert holdings_of(place, 3) == []
    with place.warehouse.read() as connection:
        row = connection.exec_driver_sql("SELECT is_deleted, merged_into FROM out_bib WHERE bib_id = 3").one()
        assert (bool(row[0]), row[1]) == (True, 1)
        numbers = connection.exec_driver_sql("SELECT value FROM core_bib_identifier WHERE bib_id = 1 ORDER BY 1")
        assert "(NORDBOK)N1" in numbers.scalars().all()
    before = everything(place.warehouse)
    assert decide_reviews({1: "match:1"}).said == {"1": "was decided so already"}
    assert everything(place.warehouse) == before
    assert working_set(place) == (0, 0)


def test_the_next_record_with_a_merged_number_meets_the_survivor(place: Workplace, provisional: int) -> None:
    decide_reviews({1: "match:1"})
    again = Parcel().bib(book(1), "N1").holding("HAVN")
    (later,) = ingest("NORDBOK", [again.land(place, 30)])
    assert ledger(place.warehouse, later).bibs_created == 0
    assert ("HAVN", "Hc") in holdings_of(place, 1)


def test_a_provisional_bib_that_is_decided_as_new_stays(place: Workplace, provisional: int) -> None:
    decided = decide_reviews({1: "new"})
    assert decided.said == {"1": "bib 3 is no longer provisional"}
    assert counts(place, provisional) == (2, 0, 0, 0, 3, 0, 0, 1, 0)
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT bib_id FROM out_bib WHERE is_provisional").scalars().all() == []
    assert working_set(place) == (0, 0)


def test_a_provisional_bib_is_not_rejected_nor_matched_with_itself(place: Workplace, provisional: int) -> None:
    before = everything(place.warehouse)
    assert "may be on loan" in decide_reviews({1: "reject"}).problems["1"]
    assert "is the provisional bib itself" in decide_reviews({1: "match:3"}).problems["1"]
    assert everything(place.warehouse) == before
