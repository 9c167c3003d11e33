"""`samkat revert` of what was done with accounts: a file, a renewal, a sweep; what others changed since survives."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from schemas.errors import UsageError
from schemas.warehouse.accounts import core_account, core_account_campaign, core_account_history, core_account_sweep
from tasks.accounts.all_files import take_file
from tasks.accounts.campaign import run_campaign
from tasks.accounts.changing import VALUES, Occasion
from tasks.accounts.letters import Post
from tasks.accounts.past_runs import AccountRun, last_runs, runs_named
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.accounts.taking_back import TakenBack, TakingBack, take_back
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, REGISTER, SYSTEMS, day
from tests.warehouse.account_night import made, statuses, sweep

BEGIN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ASKED = "login,library,name,email,tasks\nnils,SOLB,Nils Ek,nils@solberg.example,loans\n"


def take(warehouse: Warehouse, text: str, minute: int, on: str = "2026-11-20") -> str:
    """Take a file in, each at a time of its own; the name of the run."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        said = Occasion(ALMA, day(on), BEGIN + timedelta(minutes=minute), f"import:file{minute}.csv")
        report = take_file(connection, io.BytesIO(text.encode()), f"file{minute}.csv", said, frozenset({"SOLB"}))
    return f"import-{report.import_id}"


def back(warehouse: Warehouse, named: str, on: str = "2026-11-21") -> TakenBack:
    """Take one run back."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        (run,) = runs_named(connection, named)
        return take_back(connection, run, TakingBack(SYSTEMS, BEGIN + timedelta(days=1), day(on)))


def values(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """What files write of accounts, and what follows from it."""
    names = ("login", *VALUES, "status", "expires_on", "expiry_rule")
    with warehouse.read() as connection:
        rows = connection.execute(sa.select(*(core_account.c[each] for each in names)).order_by(core_account.c.login))
        return [tuple(row) for row in rows]


def test_a_file_is_taken_back_value_by_value_and_once(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "eva"}, {"login": "bo", "email": "bo@solberg.example"})
    before = values(warehouse)
    run = take(warehouse, "login,leaver_on\neva,2026-11-30\nbo,2026-11-30\n", 1)
    found = back(warehouse, run)
    assert (found.accounts, found.survivors, found.was_reverted) == (2, (), False)
    assert values(warehouse) == before
    assert back(warehouse, run) == TakenBack(was_reverted=True)
    with warehouse.read() as connection:
        assert [(each["run"], each["state"]) for each in last_runs(connection)] == [(run, "reverted")]


def test_what_was_changed_later_survives_and_is_listed(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "eva"}, {"login": "bo"})
    run = take(warehouse, "login,leaver_on\neva,2026-11-30\nbo,2026-11-30\n", 1)
    take(warehouse, "login,leaver_on\neva,2026-12-24\n", 2)
    found = back(warehouse, run)
    assert found.accounts == 1
    assert [(each.entity_id, each.why) for each in found.survivors] == [
        (1, "leaver_on was changed later, by import:file2.csv")
    ]
    with warehouse.read() as connection:
        leaving = connection.execute(
            sa.select(core_account.c.leaver_on).order_by(core_account.c.account_id)
        ).scalars().all()  # fmt: skip
    assert leaving == [day("2026-12-24"), None]


def test_new_accounts_of_a_file_are_gone_again_and_one_that_its_system_knows_is_ended(warehouse: Warehouse) -> None:
    run = take(warehouse, ASKED + "ida,SOLB,Ida Ek,ida@solberg.example,loans\n", 1)
    with warehouse.write() as connection:
        connection.execute(sa.update(core_account).where(core_account.c.login == "ida").values(is_unsent=False))
    found = back(warehouse, run)
    assert (found.removed, found.ended) == (1, 1)
    sweep(warehouse, "2026-11-21")
    assert statuses(warehouse) == {"ida": "inactive"}
    with warehouse.read() as connection:
        trace = connection.execute(
            sa.select(core_account_history.c.field, core_account_history.c.source).order_by(
                core_account_history.c.history_id
            )
        ).all()
    assert [tuple(each) for each in trace] == [("leaver_on", f"revert:{run}"), ("account", f"revert:{run}")]


def test_a_renewal_is_taken_back_with_every_answer_and_can_be_answered_again(warehouse: Warehouse) -> None:
    volunteer = {"employment": "volunteer"}
    made(warehouse, {"login": "vera", **volunteer}, {"login": "vide", **volunteer}, {"login": "viola", **volunteer})
    post = Post(REGISTER, ALMA, BEGIN)
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        run_campaign(connection, post, day("2026-11-20"))
    take(warehouse, "login,decision,until\nvera,renew,\nvide,end,\n", 1)
    take(warehouse, "login,decision,until\nvera,renew,2027-06-30\n", 2)
    found = back(warehouse, "campaign-1")
    assert (found.accounts, found.answers, found.survivors) == (1, 2, ())
    with warehouse.read() as connection:
        ends = connection.execute(sa.select(core_account.c.login, core_account.c.expires_on)).tuples().all()
    assert dict(ends) == dict.fromkeys(("vera", "vide", "viola"), day("2026-12-31"))
    assert back(warehouse, "campaign-1") == TakenBack()
    take(warehouse, "login,decision,until\nvera,renew,2027-03-31\n", 3)
    assert back(warehouse, "campaign-1").accounts == 1
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_account_campaign.c.state)).scalar() == "open"


def test_a_run_of_the_flow_means_all_its_nights_the_newest_first(warehouse: Warehouse) -> None:
    flow_run = "0b0f6e6e-3f0e-4c58-9c1f-8f6a1b9d7c11"
    made(warehouse, {"login": "eva", "leaver_on": "2026-02-01"}, {"login": "bo", "leaver_on": "2026-02-02"})
    sweep(warehouse, "2026-01-31")
    sweep(warehouse, "2026-02-02")
    with warehouse.write() as connection:
        connection.execute(
            sa.update(core_account_sweep).where(core_account_sweep.c.sweep_id > 1).values(run_id=flow_run)
        )
    with warehouse.read() as connection:
        assert runs_named(connection, flow_run) == (AccountRun("sweep", 3), AccountRun("sweep", 2))
        assert {each["run"] for each in last_runs(connection)} == {"sweep-3", "sweep-2", "sweep-1"}
    assert back(warehouse, "sweep-3").accounts == 1
    assert back(warehouse, "sweep-2").accounts == 1
    assert back(warehouse, "sweep-2").was_reverted
    assert set(statuses(warehouse).values()) == {"active"}


@pytest.mark.parametrize("named", ["import-99", "campaign-99", "sweep-99"])
def test_what_is_not_there_is_said_with_what_to_do_before_any_flow_is_started(warehouse: Warehouse, named: str) -> None:
    with warehouse.read() as connection, pytest.raises(UsageError, match=f"there is no {named}"):
        runs_named(connection, named)


def test_a_name_of_nothing_is_refused_and_a_number_is_a_delivery(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        assert runs_named(connection, "7") == ()
        with pytest.raises(UsageError, match="names nothing"):
            runs_named(connection, "sweep 12")
