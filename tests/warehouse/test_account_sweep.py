"""The sweep of accounts in the warehouse: only what is due, guarded, once, and undone without a trace but its rows."""

from __future__ import annotations

import importlib
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from schemas.errors import UsageError
from schemas.register.account_guards import AccountGuards
from schemas.register.patron_limits import PatronLimit
from schemas.warehouse.accounts import (
    core_account,
    core_account_action,
    core_account_sweep,
    core_account_told,
    stage_account,
)
from schemas.warehouse.core import core_plan
from tasks.accounts import planning
from tasks.accounts.applying import apply_approved, apply_sweep
from tasks.accounts.changing import change_accounts, renewed_values
from tasks.accounts.ending import renewed
from tasks.accounts.guarding import guard_sweep
from tasks.accounts.reverting import revert_sweep
from tasks.accounts.store import ACCOUNTS_LOCK, accounts_by_login, facts_of
from tasks.plans.store import approve
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, day, system
from tests.warehouse.account_night import (
    NOW,
    actions,
    content,
    made,
    occasion,
    one,
    planned,
    statuses,
    sweep,
    temp,
)

STRICT = system(guards=AccountGuards(limits={"expire": PatronLimit(at_least=1, share=0.0, sum_days=30)}))
ENDED = [temp("2026-05-02"), temp("2026-05-02"), temp("2026-05-02")]  # last valid day 2 June
"""Three temps."""


def _renew(warehouse: Warehouse, login: str, on: str, until: str) -> None:
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        row = accounts_by_login(connection, "alma", [login])[login]
        after = renewed(facts_of(row), ALMA.ends, day(on), day(until))
        change_accounts(connection, occasion(on), [(row, renewed_values(row, after))])


def test_an_account_expires_the_night_after_its_last_valid_day_with_dates_and_reason(warehouse: Warehouse) -> None:
    made(warehouse, temp("2026-05-02"), {})
    assert sweep(warehouse, "2026-06-02")["expire"] == 0
    assert sweep(warehouse, "2026-06-03")["expire"] == 1
    assert statuses(warehouse) == {"user1": "expired", "user2": "active"}
    with warehouse.read() as connection:
        rows = connection.execute(sa.text("SELECT * FROM out_account_action WHERE action = 'expire'")).mappings().all()
    assert [(row["rule"], row["state"], row["system"]) for row in rows] == [("end_over", "applied", "alma")]
    assert "last valid day 2026-06-02" in rows[0]["reason"]


def test_a_second_sweep_of_the_same_day_plans_nothing(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED, {"kind": "shared", "contact": ""}, temp("2026-06-15"))
    sweep(warehouse, "2026-06-03")
    before = content(warehouse)
    assert not sweep(warehouse, "2026-06-03")
    assert content(warehouse) == before


def test_only_accounts_whose_day_has_come_are_looked_at(warehouse: Warehouse) -> None:
    made(warehouse, {}, {}, {}, temp("2026-05-02"))
    sweep(warehouse, "2026-02-01")
    one(warehouse, day("2026-06-03"))
    with warehouse.read() as connection:
        looked_at = connection.execute(
            sa.select(core_account_sweep.c.looked_at).order_by(core_account_sweep.c.sweep_id)
        ).scalars()
        assert list(looked_at) == [4, 1]


def test_nights_that_were_missed_are_caught_up_day_by_day_without_doubled_notices(warehouse: Warehouse) -> None:
    made(warehouse, temp("2026-05-02"), temp("2026-05-04"), temp("2026-05-12"))
    sweep(warehouse, "2026-04-10")
    sweep(warehouse, "2026-06-06")
    done = actions(warehouse)
    assert [each for each in done if each[2] == "expire"] == [
        (date(2026, 6, 3), "user1", "expire", "end_over"),
        (date(2026, 6, 5), "user2", "expire", "end_over"),
    ]
    # 60, 30 and 7 days before its last valid day were missed for user3: it is told once, of the nearest.
    assert [each for each in done if each[2] == "notify"] == [
        (date(2026, 4, 10), "user1", "notify", "before_expiry:60"),
        (date(2026, 4, 10), "user2", "notify", "before_expiry:60"),
        (date(2026, 6, 6), "user3", "notify", "before_expiry:7"),
    ]


def test_catching_up_comes_to_the_same_as_never_having_missed_a_night(warehouse: Warehouse) -> None:
    rows = [temp("2026-05-02"), temp("2026-05-04"), {"leaver_on": "2026-06-04"}]
    made(warehouse, *rows)
    sweep(warehouse, "2026-06-01")
    sweep(warehouse, "2026-06-08")
    caught_up = [row[:-1] for row in content(warehouse)]
    with warehouse.write() as connection:
        connection.execute(sa.delete(core_account))
        connection.execute(sa.delete(core_account_sweep))
    made(warehouse, *rows)
    for night in range(8):
        sweep(warehouse, (date(2026, 6, 1) + timedelta(night)).isoformat())
    assert [row[:-1] for row in content(warehouse)] == caught_up


def test_a_sweep_of_a_past_day_decides_for_that_day_and_the_next_night_for_its_own(warehouse: Warehouse) -> None:
    made(warehouse, temp("2026-05-02"))
    sweep(warehouse, "2026-06-03")
    assert sweep(warehouse, "2026-06-01")["reactivate"] == 1
    assert statuses(warehouse) == {"user1": "active"}
    assert one(warehouse, day("2026-06-04"))["expire"] == 1


def test_a_class_over_its_limit_waits_and_the_others_go_on(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED, {"leaver_on": "2026-06-01"})
    done = sweep(warehouse, "2026-06-03", STRICT)
    assert (done["held expire"], done["expire"], done["deactivate"]) == (1, 0, 1)
    assert statuses(warehouse) == {"user1": "active", "user2": "active", "user3": "active", "user4": "inactive"}
    with warehouse.read() as connection:
        (plan,) = connection.execute(sa.select(core_plan)).all()
    assert (plan.flow, plan.scope, plan.planned, plan.population) == ("account-sweep", "system:alma", 3, 4)
    assert plan.reason == ("3 of 4 accounts would be left to expire; 1 is let through unasked in 30 days, and 0 were")


def test_an_approved_class_is_carried_out_by_its_hash_but_for_what_changed_since(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED)
    sweep(warehouse, "2026-06-03", STRICT)
    _renew(warehouse, "user2", "2026-06-03", "2026-09-30")
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        plan = connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one()
        approve(connection, plan, "Anna", NOW)
        assert apply_approved(connection, plan, "expire", now=NOW)["expire"] == 2
    assert statuses(warehouse) == {"user1": "expired", "user2": "active", "user3": "expired"}
    assert [each[1] for each in actions(warehouse, "dropped")] == ["user2"]
    with warehouse.write(ACCOUNTS_LOCK) as connection, pytest.raises(UsageError, match="a newer sweep"):
        apply_approved(connection, plan, "expire", now=NOW)


def test_a_held_plan_keeps_its_hash_the_next_night_and_is_superseded_when_it_changes(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED)
    sweep(warehouse, "2026-06-03", STRICT)
    sweep(warehouse, "2026-06-04", STRICT)
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_plan.c.state)).scalars().all() == ["held"]
    _renew(warehouse, "user2", "2026-06-04", "2026-09-30")
    sweep(warehouse, "2026-06-05", STRICT)
    with warehouse.read() as connection:
        states = connection.execute(sa.select(core_plan.c.state, core_plan.c.planned).order_by("plan_id")).all()
        assert [tuple(row) for row in states] == [("rejected", 3), ("held", 2)]
        assert connection.execute(sa.select(sa.func.count()).select_from(stage_account)).scalar_one() == 2


def test_an_approval_that_a_newer_sweep_overtook_counts_for_the_same_plan(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED)
    sweep(warehouse, "2026-06-03", STRICT)
    opened = planned(warehouse, day("2026-06-04"), STRICT)
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        plan = connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one()
        approve(connection, plan, "Anna", NOW)
        _, held = guard_sweep(connection, opened, now=NOW, run_id=None)
    assert held == frozenset()
    assert apply_sweep(warehouse, opened, held, now=NOW)["expire"] == 3
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_plan.c.state)).scalars().all() == ["applied"]
        approved = core_account_action.c.plan_hash == plan
        assert connection.execute(sa.select(sa.func.count()).where(approved)).scalar_one() == 3


def test_what_went_unasked_in_the_days_before_counts_what_was_approved_does_not(warehouse: Warehouse) -> None:
    made(warehouse, temp("2026-05-02"), temp("2026-05-03"), temp("2026-05-04"))
    assert sweep(warehouse, "2026-06-03", STRICT)["expire"] == 1
    assert sweep(warehouse, "2026-06-04", STRICT)["held expire"] == 1
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        plan = connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one()
        approve(connection, plan, "Anna", NOW)
        apply_approved(connection, plan, "expire", now=NOW)
    sweep(warehouse, "2026-06-05", STRICT)
    with warehouse.read() as connection:
        reason = (
            connection.execute(sa.select(core_plan.c.reason).order_by(core_plan.c.plan_id.desc())).scalars().first()
        )
    assert reason is not None
    assert reason.endswith("and 1 was")


def test_the_turn_of_the_year_raises_the_limit_on_expiring(warehouse: Warehouse) -> None:
    volunteers = [{"employment": "volunteer"} for _ in range(30)]
    made(warehouse, *volunteers)
    sweep(warehouse, "2026-12-30")
    assert sweep(warehouse, "2027-01-01")["expire"] == 30
    made(warehouse, *[{**temp("2027-02-28"), "login": f"t{number}"} for number in range(30)], on="2027-02-01")
    assert one(warehouse, day("2027-04-02"))["held expire"] == 1


def test_a_reverted_sweep_leaves_no_trace_but_its_rows(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED, {"leaver_on": "2026-06-03"})
    sweep(warehouse, "2026-06-02")
    before = content(warehouse)
    sweep(warehouse, "2026-06-03")
    assert content(warehouse) != before
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        report = revert_sweep(connection, 2, NOW)
        assert (report.reverted, report.survived) == (4, ())
        assert revert_sweep(connection, 2, NOW).reverted == 0
    assert content(warehouse) == before
    assert len(actions(warehouse, "reverted")) == 4
    assert sweep(warehouse, "2026-06-03")["expire"] == 3


def test_what_others_changed_since_survives_an_undo_and_is_listed(warehouse: Warehouse) -> None:
    (first, *_) = made(warehouse, *ENDED)
    sweep(warehouse, "2026-06-03")
    _renew(warehouse, "user1", "2026-06-04", "2026-09-30")
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        report = revert_sweep(connection, 1, NOW)
    assert report.reverted == 2
    assert [each.entity_id for each in report.survived] == [first]
    with warehouse.write() as connection, pytest.raises(UsageError, match="no sweep 9"):
        revert_sweep(connection, 9, NOW)


def test_a_killed_sweep_goes_on_where_it_was(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CHUNK_ACCOUNTS", 2)
    monkeypatch.setattr("tasks.accounts.applying.CHUNK_ACCOUNTS", 2)
    made(warehouse, *ENDED, temp("2026-05-02"), temp("2026-05-02"))
    opened = planning.open_sweep(warehouse, ALMA, day("2026-06-03"), now=NOW, run_id=None)
    with pytest.raises(KeyboardInterrupt):
        _killed_in_second_chunk(warehouse, opened, monkeypatch)
    again = planning.open_sweep(warehouse, ALMA, day("2026-06-03"), now=NOW, run_id=None)
    assert again.sweep_id == opened.sweep_id
    assert one(warehouse, day("2026-06-03"))["expire"] == 5
    assert set(statuses(warehouse).values()) == {"expired"}


def test_a_sweep_that_is_killed_amid_its_deeds_ends_as_one_that_was_not(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.accounts.applying.CHUNK_ACCOUNTS", 2)
    rows = [*ENDED, temp("2026-05-20"), {"leaver_on": "2026-06-01"}]
    made(warehouse, *rows)
    opened = planned(warehouse, day("2026-06-03"))
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        guard_sweep(connection, opened, now=NOW, run_id=None)
    with monkeypatch.context() as patched:
        _dies_at(patched, "tasks.accounts.applying._apply", 2)
        with pytest.raises(KeyboardInterrupt):
            apply_sweep(warehouse, opened, (), now=NOW)
    assert sorted(statuses(warehouse).values()).count("expired") == 2
    one(warehouse, day("2026-06-03"))
    after, done = content(warehouse), sorted(actions(warehouse))
    with warehouse.write() as connection:
        for table in (core_account, core_account_sweep, core_account_action, core_account_told):
            connection.execute(sa.delete(table))
    made(warehouse, *rows)
    one(warehouse, day("2026-06-03"))
    assert (content(warehouse), sorted(actions(warehouse))) == (after, done)


def _dies_at(patched: pytest.MonkeyPatch, name: str, call: int) -> None:
    module, _, function = name.rpartition(".")
    real, calls = getattr(importlib.import_module(module), function), []

    def dies(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    patched.setattr(name, dies)


def _killed_in_second_chunk(warehouse: Warehouse, opened: planning.Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        _dies_at(patched, "tasks.accounts.planning._plan_chunk", 2)
        planning.plan_sweep(warehouse, opened)


def test_an_account_that_changes_between_plan_and_deed_is_left_for_the_next_sweep(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED)
    opened = planned(warehouse, day("2026-06-03"))
    _renew(warehouse, "user2", "2026-06-03", "2026-09-30")
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        _, held = guard_sweep(connection, opened, now=NOW, run_id=None)
    assert apply_sweep(warehouse, opened, held, now=NOW)["expire"] == 2
    assert statuses(warehouse)["user2"] == "active"
    assert not sweep(warehouse, "2026-06-03")["expire"]


def test_new_rules_are_applied_to_every_account(warehouse: Warehouse) -> None:
    made(warehouse, temp("2026-05-02"))
    sweep(warehouse, "2026-05-10")
    longer = system(ends=ALMA.ends.model_copy(update={"months_after": 3}))
    sweep(warehouse, "2026-05-11", longer)
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_account.c.expires_on)).scalar_one() == date(2026, 8, 2)


def test_the_property_holds_in_the_warehouse_status_is_that_of_the_dates(warehouse: Warehouse) -> None:
    made(warehouse, *ENDED, {"employment": "volunteer"}, {"leaver_on": "2026-07-01"})
    for on in ("2026-06-03", "2026-06-20", "2026-06-10", "2027-01-01", "2026-12-31", "2027-09-01"):
        one(warehouse, day(on))
        with warehouse.read() as connection:
            for row in connection.execute(sa.select(core_account)):
                facts = facts_of(row)
                assert planning.decide(facts, ALMA, day(on)).standing.status == row.status
