"""Plans: their hash, the guards, and a person's decision, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.outcomes import PlanState
from schemas.register.guards import GuardLimit, GuardPolicy
from schemas.warehouse.core import core_plan
from tasks.plans import store
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, guard, plan_hash
from tasks.plans.revert import Reversible, RevertReport, Survivor, sort_for_undo
from tasks.warehouse.engine import Warehouse

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
POLICY = GuardPolicy(
    flows={"supplier-ingest": {"holding_delete": GuardLimit(at_least=10, share=0.02, min_population=100)}}
)


def planned(change_class: str = "holding_delete", number: int = 12, digest: str = "d", **more: Any) -> PlannedClass:
    values = {"flow": "supplier-ingest", "scope": "delivery:NORDBOK/aaaa", "population": 340, **more}
    return PlannedClass(change_class=change_class, planned=number, detail_digest=digest, **values)


def put_on_hold(warehouse: Warehouse, *classes: PlannedClass, delivery_id: int | None = 7) -> str:
    full_hash = plan_hash(classes)
    held = [GuardedClass(each, 10.0, True, "because") for each in classes]
    with warehouse.write() as connection:
        store.hold(connection, full_hash, held, delivery_id=delivery_id, run_id="run", now=NOW)
    return full_hash


def rows(warehouse: Warehouse) -> list[sa.Row[Any]]:
    with warehouse.read() as connection:
        return list(connection.execute(sa.select(core_plan).order_by(core_plan.c.plan_id)))


def states(warehouse: Warehouse) -> list[tuple[str, str]]:
    return [(row._mapping["class"], row.state) for row in rows(warehouse)]


# The plan in memory


def test_the_hash_of_a_known_plan_never_changes() -> None:
    assert plan_hash([planned()]) == "3652203bdafe7a93a63403261c761b70c94e723f3cd632694597f05eb68db5e0"


def test_the_hash_does_not_depend_on_the_order_or_on_the_population() -> None:
    one, other = planned(), planned("bib_replace", 3)
    assert plan_hash([one, other]) == plan_hash([other, planned(population=999)])


@pytest.mark.parametrize(
    "changed",
    [
        planned(number=13),
        planned(digest="e"),
        planned("bib_replace"),
        planned(scope="delivery:NORDBOK/bbbb"),
        planned(flow="catalogue-load"),
    ],
)
def test_any_change_of_what_is_planned_changes_the_hash(changed: PlannedClass) -> None:
    assert plan_hash([changed]) != plan_hash([planned()])


@given(st.lists(st.text(max_size=8), max_size=6), st.randoms())
def test_a_digest_does_not_depend_on_the_order_of_the_changes(changes: list[str], random: Any) -> None:
    shuffled = changes[:]
    random.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(changes)


@given(st.lists(st.text(max_size=4), max_size=5), st.lists(st.text(max_size=4), max_size=5))
def test_different_changes_have_different_digests(one: list[str], other: list[str]) -> None:
    assert (digest_of(one) == digest_of(other)) == (sorted(one) == sorted(other))


def test_a_class_over_its_limit_is_held_with_the_reason_in_words() -> None:
    (over,) = guard([planned(number=12)], POLICY)
    assert (over.is_held, over.limit) == (True, 10.0)
    assert over.reason == "12 of 340 holdings would be deleted; 10 are let through unasked"


def test_a_class_at_its_limit_is_free() -> None:
    (at,) = guard([planned(number=10)], POLICY)
    assert not at.is_held


def test_the_limit_grows_with_the_population() -> None:
    (over,) = guard([planned(number=21, population=1000)], POLICY)
    assert over.reason == "21 of 1000 holdings would be deleted; 20 are let through unasked"


def test_a_class_without_a_guard_is_free_and_says_so() -> None:
    (free,) = guard([planned("bib_create", 5000)], POLICY)
    assert not free.is_held
    assert free.reason == "5000 bibs would be created, beside the 340 that there are; no guard is set for this"


# Held plans


def test_holding_the_same_plan_again_changes_nothing(warehouse: Warehouse) -> None:
    put_on_hold(warehouse, planned())
    before = rows(warehouse)
    put_on_hold(warehouse, planned())
    assert rows(warehouse) == before
    assert states(warehouse) == [("holding_delete", "held")]


def test_a_held_plan_keeps_what_a_person_needs_to_decide(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with warehouse.read() as connection:
        (row,) = store.held(connection)
    assert (row.plan_hash, row.flow, row.scope) == (full_hash, "supplier-ingest", "delivery:NORDBOK/aaaa")
    assert (row.planned, row.population, row.limit, row.reason) == (12, 340, 10.0, "because")
    assert (row.delivery_id, row.run_id, row.created_at, row.decided_by) == (7, "run", NOW, None)


def test_a_changed_plan_supersedes_the_one_that_waits(warehouse: Warehouse) -> None:
    first = put_on_hold(warehouse, planned())
    second = put_on_hold(warehouse, planned(number=13))
    assert [(row.plan_hash, row.state, row.reason) for row in rows(warehouse)] == [
        (first, "rejected", "the plan has changed"),
        (second, "held", "because"),
    ]
    with warehouse.read() as connection:
        assert store.decision(connection, first, "holding_delete") is None
        assert store.decision(connection, second, "holding_delete") == PlanState.HELD


def test_other_classes_and_scopes_are_not_superseded(warehouse: Warehouse) -> None:
    put_on_hold(warehouse, planned(), planned("bib_replace", 3))
    put_on_hold(warehouse, planned(scope="delivery:NORDBOK/bbbb"))
    put_on_hold(warehouse, planned(number=13))
    assert states(warehouse) == [
        ("holding_delete", "rejected"),
        ("bib_replace", "held"),
        ("holding_delete", "held"),
        ("holding_delete", "held"),
    ]


def test_a_superseded_plan_that_comes_back_waits_again(warehouse: Warehouse) -> None:
    first = put_on_hold(warehouse, planned())
    put_on_hold(warehouse, planned(number=13))
    put_on_hold(warehouse, planned())
    with warehouse.read() as connection:
        assert store.decision(connection, first, "holding_delete") == PlanState.HELD
        assert [row.plan_hash for row in store.held(connection)] == [first]


def test_a_plan_that_is_gone_no_longer_waits(warehouse: Warehouse) -> None:
    put_on_hold(warehouse, planned())
    with warehouse.write() as connection:
        assert store.supersede(connection, "supplier-ingest", ["delivery:NORDBOK/aaaa", "x"], now=LATER) == 1
        assert store.supersede(connection, "supplier-ingest", ["delivery:NORDBOK/aaaa"], now=LATER) == 0
        assert store.held(connection) == []


def test_a_prefix_of_a_class_is_taken_literally(warehouse: Warehouse) -> None:
    put_on_hold(warehouse, planned("quality:isbn"), planned("qualityXsize"))
    with warehouse.write() as connection:
        gone = store.supersede(
            connection, "supplier-ingest", ["delivery:NORDBOK/aaaa"], now=LATER, class_prefix="quality:"
        )
    assert gone == 1


# Decisions


def test_approving_lets_every_class_through_and_says_what_to_resubmit(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned(), planned("bib_replace", 3))
    with warehouse.write() as connection:
        done = store.approve(connection, full_hash[:8], "Kari", LATER)
    assert done.changed == done.change_classes == ("bib_replace", "holding_delete")
    assert (done.plan_hash, done.state, done.delivery_ids) == (full_hash, PlanState.APPROVED, (7,))
    assert {(row.state, row.decided_by, row.decided_at) for row in rows(warehouse)} == {("approved", "Kari", LATER)}


def test_one_class_can_be_approved_alone(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned(), planned("bib_replace", 3))
    with warehouse.write() as connection:
        store.approve(connection, full_hash, "Kari", LATER, "bib_replace")
        assert store.decisions(connection, full_hash) == {
            "bib_replace": PlanState.APPROVED,
            "holding_delete": PlanState.HELD,
        }


@pytest.mark.parametrize("decide", [store.approve, store.reject])
def test_deciding_the_same_twice_is_harmless(warehouse: Warehouse, decide: Any) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with warehouse.write() as connection:
        decide(connection, full_hash, "Kari", NOW)
        again = decide(connection, full_hash, "Ola", LATER)
    assert again.changed == ()
    assert [row.decided_by for row in rows(warehouse)] == ["Kari"]


def test_an_approved_plan_cannot_be_rejected(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with warehouse.write() as connection:
        store.approve(connection, full_hash, "Kari", NOW)
    with (
        pytest.raises(UsageError, match="was approved by Kari on 2026-03-01 02:00 UTC; it cannot be rejected now"),
        warehouse.write() as connection,
    ):
        store.reject(connection, full_hash, "Ola", LATER)
    assert states(warehouse) == [("holding_delete", "approved")]


def test_a_rejected_plan_may_be_approved_later(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with warehouse.write() as connection:
        store.reject(connection, full_hash, "Kari", NOW)
        assert store.approve(connection, full_hash, "Ola", LATER).changed == ("holding_delete",)
    assert states(warehouse) == [("holding_delete", "approved")]


def test_holding_again_never_undoes_what_a_person_decided(warehouse: Warehouse) -> None:
    approved = put_on_hold(warehouse, planned())
    rejected = put_on_hold(warehouse, planned("bib_replace", 3))
    with warehouse.write() as connection:
        store.approve(connection, approved, "Kari", LATER)
        store.reject(connection, rejected, "Kari", LATER)
    put_on_hold(warehouse, planned())
    put_on_hold(warehouse, planned("bib_replace", 3))
    assert states(warehouse) == [("holding_delete", "approved"), ("bib_replace", "rejected")]


def test_a_superseded_plan_cannot_be_approved(warehouse: Warehouse) -> None:
    first = put_on_hold(warehouse, planned())
    put_on_hold(warehouse, planned(number=13))
    with pytest.raises(UsageError, match="out of date: the plan has changed"), warehouse.write() as connection:
        store.approve(connection, first, "Kari", LATER)


def test_an_approval_is_good_for_one_application(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with warehouse.write() as connection:
        assert store.mark_applied(connection, full_hash) == 0
        store.approve(connection, full_hash, "Kari", NOW)
        assert store.mark_applied(connection, full_hash, "holding_delete") == 1
        assert store.decision(connection, full_hash, "holding_delete") == PlanState.APPLIED
        assert store.approve(connection, full_hash, "Kari", LATER).changed == ()
    put_on_hold(warehouse, planned())
    assert [(row.state, row.decided_by) for row in rows(warehouse)] == [("held", None)]


def test_an_applied_plan_cannot_be_rejected(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with warehouse.write() as connection:
        store.approve(connection, full_hash, "Kari", NOW)
        store.mark_applied(connection, full_hash)
    with pytest.raises(UsageError, match=r"has been carried out.*samkat revert"), warehouse.write() as connection:
        store.reject(connection, full_hash, "Ola", LATER)


def test_unknown_short_and_ambiguous_hashes_are_refused_with_a_remedy(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        for full_hash in ("abcdef0123" + "0" * 54, "abcdef0199" + "0" * 54):
            store.hold(
                connection,
                full_hash,
                [GuardedClass(planned(scope=full_hash), 1.0, True, "because")],
                delivery_id=None,
                run_id=None,
                now=NOW,
            )
    wrong = {
        "abcdef0": "at least 8 of its characters",
        "not-a-hash": "is not a plan's hash",
        "ffffffff": "no plan has a hash that begins with ffffffff.*samkat plans list",
        "abcdef01": "several plans.*abcdef0123000000, abcdef0199000000.*give more of its 64",
    }
    for given_hash, message in wrong.items():
        with pytest.raises(UsageError, match=message), warehouse.read() as connection:
            store.resolve(connection, given_hash)
    with warehouse.read() as connection:
        assert store.resolve(connection, " ABCDEF0123 ") == "abcdef0123" + "0" * 54
        assert [row.reason for row in store.show(connection, "abcdef0123")] == ["because"]


def test_an_unknown_class_is_refused_and_the_known_ones_are_named(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned(), planned("bib_replace", 3))
    with (
        pytest.raises(UsageError, match="its classes are: bib_replace, holding_delete"),
        warehouse.write() as connection,
    ):
        store.approve(connection, full_hash, "Kari", LATER, "bib_delete")


def test_a_decision_without_a_name_is_refused(warehouse: Warehouse) -> None:
    full_hash = put_on_hold(warehouse, planned())
    with pytest.raises(UsageError, match="needs a name"), warehouse.write() as connection:
        store.approve(connection, full_hash, " ", LATER)


# Undo


def test_only_what_still_stands_as_it_was_made_is_restored() -> None:
    versions = {("bib", 1): 2, ("bib", 2): 5, ("holding", 9): 1}
    restorable, survived = sort_for_undo(
        [Reversible("bib", 1, 2), Reversible("bib", 2, 4), Reversible("holding", 9, 1), Reversible("holding", 8, 1)],
        lambda entity, entity_id: versions.get((entity, entity_id)),
    )
    assert restorable == [Reversible("bib", 1, 2), Reversible("holding", 9, 1)]
    assert survived == (
        Survivor("bib", 2, "it was changed later (version 4 was made here, it is at version 5 now)"),
        Survivor("holding", 8, "it is no longer there"),
    )


def test_reports_of_several_kinds_add_up() -> None:
    gone = Survivor("bib", 2, "it is no longer there")
    assert RevertReport(3, (gone,)) + RevertReport(4) == RevertReport(7, (gone,))
