"""The account flows on a real Prefect server: stages, a hold, an approval, a dry run that leaves nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flows.account_renewal import account_renewal
from flows.account_sweep import account_sweep
from flows.plan_decide import plan_decide
from flows.shared_account_retirement import shared_account_retirement
from flows.shared_account_rotation import shared_account_rotation
from schemas.summaries import AccountSummary
from schemas.warehouse.accounts import core_account_action, core_account_sweep
from schemas.warehouse.core import core_run
from tasks.accounts.planning import forget_preview
from tasks.workplace import Workplace
from tests.unit.account_samples import LEGIMUS, day
from tests.warehouse.account_night import made, statuses, temp


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: the engines have their tests in tests/warehouse."""
    return sqlite_url


def _swept(**parameters: object) -> AccountSummary:
    (found,) = account_sweep(system="alma", **parameters)  # type: ignore[arg-type]
    assert isinstance(found, AccountSummary)
    return found


def test_a_night_over_the_limit_is_held_and_goes_on_when_it_is_approved(home: Workplace) -> None:
    made(home.warehouse, *[temp("2026-05-02") for _ in range(12)], {"leaver_on": "2026-06-01"})
    dry = _swept(on=day("2026-06-03"), dry_run=True)
    assert (dry.counts, list(dry.held)) == ({"expire": 12, "deactivate": 1}, ["expire"])
    with home.warehouse.write() as connection:
        forget_preview(connection, dry.sweeps[0])
        for table in (core_account_sweep, core_account_action):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0
    held = _swept(on=day("2026-06-03"))
    assert (held.is_held, held.counts) == (True, {"deactivate": 1})
    with home.warehouse.read() as connection:
        states = connection.execute(sa.select(core_run.c.state).where(core_run.c.flow == "account-sweep")).scalars()
        assert sorted(states) == ["done", "held"]
    report = plan_decide(held.plan_hash[:12], "approve", "Anna Berg")
    assert report["done"]["expire of alma"] == "12 accounts"  # type: ignore[index]
    assert sorted(statuses(home.warehouse).values()) == ["expired"] * 12 + ["inactive"]
    assert not _swept(on=day("2026-06-03")).is_held


def test_the_yearly_flows_do_what_is_due_and_nothing_the_second_time(home: Workplace) -> None:
    made(home.warehouse, {"employment": "volunteer"}, {"kind": "shared", "login": "desk"})
    made(home.warehouse, {"kind": "shared", "login": "solberg"}, system=LEGIMUS)
    assert account_renewal(on=day("2026-11-16")) == {"told renewal": 1}
    assert account_renewal(on=day("2026-11-16")) == {}
    assert shared_account_rotation(on=day("2026-08-25"))["told rotation"] == 1
    assert shared_account_retirement(on=day("2027-02-02")) == {"told retirement": 1}
    assert shared_account_retirement(system="legimus", on=day("2027-05-03"))["retire"] == 1
    assert shared_account_retirement(system="legimus", on=day("2027-05-03")) == {}
    assert statuses(home.warehouse) == {"user1": "active", "desk": "active", "solberg": "retired"}
    assert len(list(home.settings.outbox.glob("*.eml"))) == 5
