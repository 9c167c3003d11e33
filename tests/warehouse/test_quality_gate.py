"""The fast gate over staged deliveries, and how a breach becomes a hold, on both engines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.marc import Record as MarcRecord
from schemas.marc import data_field
from schemas.outcomes import DeliveryState, PlanState
from schemas.warehouse.core import core_plan
from schemas.warehouse.raw import raw_check, raw_delivery
from tasks.marc.facts import bib_facts
from tasks.plans import store
from tasks.quality.gate import CheckResult, check_deliveries, check_delivery
from tasks.quality.hold import GateDecision, Passage, pass_or_hold
from tasks.warehouse.engine import Warehouse
from tests.warehouse.quality_samples import (
    NOW,
    bib,
    holding,
    register_with,
    settle_some,
    stage,
    supplier,
    unreadable,
)


def check(warehouse: Warehouse, delivery_id: int, **limits: Any) -> dict[str, CheckResult]:
    of = supplier(**limits)
    with warehouse.write() as connection:
        results = check_delivery(connection, delivery_id, of, register_with(of))
    return {each.expectation.key: each for each in results}


def gate(warehouse: Warehouse, *delivery_ids: int, **limits: Any) -> list[GateDecision]:
    of = supplier(**limits)
    with warehouse.write() as connection:
        results = check_deliveries(connection, delivery_ids, of, register_with(of))
        made = pass_or_hold(connection, results, now=NOW, run_id="run")
    return [made[each] for each in delivery_ids]


def figures(results: dict[str, CheckResult]) -> dict[str, tuple[int, int]]:
    return {key: (each.elements, each.unexpected) for key, each in results.items()}


def test_the_figures_of_a_mixed_delivery(warehouse: Warehouse) -> None:
    pieces = [
        bib(),
        holding("SOLB"),
        bib(title="  ", isbns=["invalid", "valid"], embedded=["LUNV", "ZZZ"]),
        bib(isbns=[], level="x"),
        bib(isbns=["set"], level=" "),
        holding(""),
        unreadable(),
    ]
    results = check(warehouse, stage(warehouse, pieces))
    assert figures(results) == {
        "readable": (7, 1),
        "title": (4, 1),
        "isbn": (4, 1),
        "isbn_valid": (4, 1),
        "sigel": (4, 2),
        "level": (4, 2),
        "size": (0, 0),
    }
    assert results["readable"].observed == pytest.approx(6 / 7)


def test_a_delivery_without_a_record_has_nothing_to_judge(warehouse: Warehouse) -> None:
    results = check(warehouse, stage(warehouse, []))
    assert all(each.observed is None and each.is_met for each in results.values())


def test_a_title_that_is_only_a_subtitle_does_not_count(warehouse: Warehouse) -> None:
    record = MarcRecord("00000nam a2200000 i 4500", [data_field("245", "00", [("b", "a novel")])])
    facts = bib_facts(record, own_prefix="SAMKAT")
    assert facts.title == "a novel"
    delivery_id = stage(warehouse, [{**bib(), "bib": facts}, bib()])
    assert figures(check(warehouse, delivery_id))["title"] == (2, 1)


def test_only_020_a_is_judged_not_z(warehouse: Warehouse) -> None:
    cancelled = bib(isbns=["invalid"])
    cancelled["bib"] = cancelled["bib"]._replace(isbns=(cancelled["bib"].isbns[0]._replace(subfield="z"),))
    found = figures(check(warehouse, stage(warehouse, [cancelled, bib()])))
    assert (found["isbn"], found["isbn_valid"]) == ((2, 1), (1, 0))


def test_results_are_stored_and_checking_again_changes_nothing(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(isbns=["invalid"])] * 20)
    other = stage(warehouse, [bib()], "other.mrc")
    check(warehouse, other)
    check(warehouse, delivery_id)
    with warehouse.read() as connection:
        before = connection.execute(sa.select(raw_check).order_by(*raw_check.primary_key)).all()
    check(warehouse, delivery_id)
    with warehouse.read() as connection:
        assert connection.execute(sa.select(raw_check).order_by(*raw_check.primary_key)).all() == before
    stored = {row.expectation: row for row in before if row.delivery_id == delivery_id}
    assert len(before) == 14
    assert stored["isbn_valid"][2:] == (0.0, 0.9, 20, 20, False, True)
    assert stored["size"][2:] == (None, 20.0, 0, 0, True, True)


def test_many_deliveries_at_once_come_to_the_same_as_one_by_one(warehouse: Warehouse) -> None:
    first = stage(warehouse, [bib(), holding("ZZ")], "1.mrc")
    second = stage(warehouse, [bib(title="")] * 3, "2.mrc")
    empty = stage(warehouse, [], "3.mrc")
    of = supplier()
    with warehouse.write() as connection:
        together = check_deliveries(connection, [first, second, empty], of, register_with(of))
        alone = {each: check_delivery(connection, each, of, register_with(of)) for each in (first, second, empty)}
    assert together == alone


def test_no_delivery_at_all_is_fine(warehouse: Warehouse) -> None:
    assert gate(warehouse) == []


# The size


def test_the_size_is_compared_with_the_median_of_settled_deliveries_before(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1, 2, 2, 3, 100])
    stage(warehouse, [], "held.mrc", state=DeliveryState.HELD, records_read=10_000)
    stage(warehouse, [], "of-another.mrc", state=DeliveryState.SETTLED, records_read=10_000, sender="MEDIAT")
    delivery_id = stage(warehouse, [bib()] * 50)
    settle_some(warehouse, [5000] * 9)
    result = check(warehouse, delivery_id, max_size_factor=20)["size"]
    assert (result.observed, result.population, result.is_breach) == (25.0, 2, True)
    assert result.reason == "50 records are 25 times the usual 2; the limit for NORDBOK is 20 times"


def test_only_the_last_twenty_count(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1] * 10 + [4] * 11 + [8] * 9)
    assert check(warehouse, stage(warehouse, [bib()] * 8))["size"].observed == 2.0


def test_four_deliveries_are_too_few_to_know_what_is_usual(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1, 1, 1, 1])
    delivery_id = stage(warehouse, [bib()] * 50)
    assert check(warehouse, delivery_id)["size"].observed is None
    settle_some(warehouse, [1])
    later = stage(warehouse, [bib()] * 50, "later.mrc")
    assert check(warehouse, later)["size"].observed == 50.0
    assert check(warehouse, delivery_id)["size"].observed is None


def test_within_a_batch_each_delivery_has_its_own_history(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1] * 20)
    first = stage(warehouse, [bib()] * 4, "1.mrc")
    settle_some(warehouse, [2] * 20)
    second = stage(warehouse, [bib()] * 4, "2.mrc")
    of = supplier()
    with warehouse.write() as connection:
        found = check_deliveries(connection, [second, first], of, register_with(of))
    assert [found[each][-1].observed for each in (first, second)] == [4.0, 2.0]


# Holding


def plans(warehouse: Warehouse) -> list[tuple[str, str, int, int, float, str]]:
    with warehouse.read() as connection:
        rows = connection.execute(sa.select(core_plan).order_by(core_plan.c.plan_id))
        return [
            (*(row._mapping[n] for n in ("class", "state", "planned", "population", "limit", "reason")),)
            for row in rows
        ]


def test_a_delivery_within_its_limits_goes_through_and_leaves_no_plan(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib()] * 20)
    assert gate(warehouse, delivery_id) == [GateDecision(delivery_id, Passage.THROUGH, "", None)]
    assert plans(warehouse) == []


def test_a_breach_holds_the_delivery_with_the_reason_in_words(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(isbns=["invalid"])] * 3 + [bib()] * 22 + [holding("ZZ")])
    good = stage(warehouse, [bib()] * 20, "good.mrc")
    held, through = gate(warehouse, delivery_id, good)
    assert (held.passage, through.passage) == (Passage.HELD, Passage.THROUGH)
    isbns = "12% of 25 ISBNs have a wrong check digit or length; the limit for NORDBOK is 10%"
    sigels = "100% of 1 holdings name a library that is not in the register; the limit for NORDBOK is 20% ('ZZ': 1)"
    assert held.reason == f"{isbns}; {sigels}"
    assert plans(warehouse) == [
        ("quality:isbn_valid", "held", 3, 25, 2.0, isbns),
        ("quality:sigel", "held", 1, 1, 0.0, sigels),
    ]


def test_the_scope_of_a_hold_names_sender_and_content_not_an_id(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="")] * 20)
    gate(warehouse, delivery_id)
    with warehouse.read() as connection:
        (row,) = store.held(connection)
        sha256 = connection.execute(
            sa.select(raw_delivery.c.sha256).where(raw_delivery.c.delivery_id == delivery_id)
        ).scalar_one()
    assert (row.flow, row.scope) == ("supplier-ingest", f"delivery:NORDBOK/{sha256[:12]}")
    assert (row.delivery_id, row.run_id) == (delivery_id, "run")


def test_the_same_delivery_has_the_same_hash_on_both_engines(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="")] * 20)
    (decision,) = gate(warehouse, delivery_id)
    assert decision.plan_hash == "7ad29940439a8a4a900bac5f25c849265d62b57da5bce5b63ed0945c9a269664"


def test_an_approved_delivery_goes_through_from_then_on(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="")] * 20)
    (held,) = gate(warehouse, delivery_id)
    assert held.plan_hash is not None
    assert gate(warehouse, delivery_id) == [held]
    with warehouse.write() as connection:
        store.approve(connection, held.plan_hash, "Kari", NOW + timedelta(hours=1))
    (through,) = gate(warehouse, delivery_id)
    assert (through.passage, through.reason) == (Passage.THROUGH, held.reason)
    assert gate(warehouse, delivery_id) == [through]
    with warehouse.read() as connection:
        assert store.decisions(connection, held.plan_hash) == {"quality:title": PlanState.APPLIED}


def test_an_approval_of_one_class_is_not_enough_for_two(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="", level="x")] * 20)
    (held,) = gate(warehouse, delivery_id)
    assert held.plan_hash is not None
    with warehouse.write() as connection:
        store.approve(connection, held.plan_hash, "Kari", NOW, "quality:title")
    assert gate(warehouse, delivery_id) == [held]
    with warehouse.read() as connection:
        assert [row._mapping["class"] for row in store.held(connection)] == ["quality:level"]


def test_a_rejected_plan_rejects_the_delivery(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="")] * 20)
    (held,) = gate(warehouse, delivery_id)
    assert held.plan_hash is not None
    with warehouse.write() as connection:
        store.reject(connection, held.plan_hash, "Kari", NOW)
    assert gate(warehouse, delivery_id)[0].passage == Passage.REJECTED


def test_later_deliveries_do_not_change_what_was_asked(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1] * 5)
    delivery_id = stage(warehouse, [bib()] * 50)
    (held,) = gate(warehouse, delivery_id)
    settle_some(warehouse, [100] * 20)
    assert held.passage == Passage.HELD
    assert gate(warehouse, delivery_id) == [held]


def test_limits_that_were_loosened_let_a_held_delivery_through_and_close_its_plan(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="")] * 20)
    assert gate(warehouse, delivery_id)[0].passage == Passage.HELD
    assert gate(warehouse, delivery_id, min_title_share=0)[0].passage == Passage.THROUGH
    assert [(each[1], each[5]) for each in plans(warehouse)] == [("rejected", "the plan has changed")]


def test_a_small_delivery_of_nothing_but_rubbish_is_not_held(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, [bib(title="", isbns=["invalid"], level="x", embedded=["ZZ"])] * 19)
    assert gate(warehouse, delivery_id)[0].passage == Passage.THROUGH
    assert not check(warehouse, delivery_id)["title"].is_met
