"""Accounts that ended long ago are pseudonymised, as far as the limit lets it; nothing brings the person back."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import sqlalchemy as sa

from schemas.register.account_rules import AccountRetention, AccountSystem
from schemas.warehouse.accounts import core_account, core_account_history, core_account_reject, core_account_request
from schemas.warehouse.core import core_notice
from tasks.accounts.all_files import take_file
from tasks.accounts.changing import Occasion
from tasks.accounts.forgetting import CLEARED, Forgotten, forget_accounts
from tasks.accounts.letters import Post
from tasks.accounts.past_runs import AccountRun
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.accounts.taking_back import TakingBack, take_back
from tasks.accounts.telling import tell_of_requests
from tasks.plans.store import approve
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, REGISTER, SYSTEMS, day, system
from tests.warehouse.account_night import made, statuses, sweep

THEN = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)
STAFF = (
    "login,library,employment,name,email,supporter,mission_end,tasks,roles\n"
    "eva,SOLB,permanent,Eva Lind,eva@solberg.example,,,loans,fulfilment\n"
    "bo,SOLB,permanent,Bo Alm,bo@solberg.example,,,loans,\n"
    "ida,SOLB,temporary,Ida Ek,ida@solberg.example,,,,\n"
    "olle,SOLB,permanent,Olle,no e-mail,,,loans,\n"
)


def take(warehouse: Warehouse, text: str, on: str, at: datetime = THEN) -> int:
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        said = Occasion(ALMA, day(on), at, "import:file.csv")
        report = take_file(connection, io.BytesIO(text.encode()), "file.csv", said, frozenset({"SOLB"}))
        tell_of_requests(connection, Post(REGISTER, ALMA, at), report.import_id, day(on))
        return report.import_id


def night(
    warehouse: Warehouse, on: str, rules: AccountSystem = ALMA, plan: str | None = None, *, is_told: bool = True
) -> Forgotten:
    """A night of `patron-retention`, after the system was told of everything."""
    now = datetime.combine(day(on), THEN.timetz())
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        if is_told:
            connection.execute(sa.update(core_account).values(is_unsent=False))
        return forget_accounts(connection, rules, day(on), now, only_plan=plan)


def everything(warehouse: Warehouse) -> str:
    """Every text that the warehouse holds of accounts."""
    tables = (core_account, core_account_history, core_account_reject, core_account_request, core_notice)
    with warehouse.read() as connection:
        return " ".join(str(row) for table in tables for row in connection.execute(sa.select(table)))


def test_after_the_months_of_the_register_nobody_knows_whose_account_it_was(warehouse: Warehouse) -> None:
    take(warehouse, STAFF, "2026-01-15")
    take(warehouse, "login,tasks,name\neva,shelving,Eva Lindh\n", "2026-01-20", THEN.replace(day=20))
    take(warehouse, "login,leaver_on\neva,2026-02-01\n", "2026-01-25", THEN.replace(day=25))
    sweep(warehouse, "2026-02-01")
    assert night(warehouse, "2028-02-01").counts["accounts forgotten"] == 0
    assert "Eva Lind" in everything(warehouse)
    done = night(warehouse, "2028-02-02").counts
    assert (done["accounts forgotten"], done["letters about accounts"], done["refused rows"], done["requests"]) == (
        1, 0, 0, 0,
    )  # fmt: skip
    left = everything(warehouse)
    assert not [each for each in ("eva", "Eva", "shelving", "Lindh", "Ida", "ida@", "no e-mail") if each in left]
    assert "Bo Alm" in left
    assert statuses(warehouse) == {"bo": "active", "~forgotten-1": "inactive"}
    assert night(warehouse, "2028-02-03") == Forgotten()


def test_letters_and_refused_rows_of_that_age_lose_their_words(warehouse: Warehouse) -> None:
    take(warehouse, STAFF, "2026-01-15")
    assert "ida" in everything(warehouse)
    done = night(warehouse, "2028-01-17").counts
    assert done == {"letters about accounts": 1, "refused rows": 1, "requests": 1}
    assert "ida" not in everything(warehouse)
    with warehouse.read() as connection:
        (body,) = connection.execute(sa.select(core_notice.c.body_text)).scalars()
    assert body == CLEARED


def test_an_account_of_which_its_system_does_not_know_that_it_ended_is_kept(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "eva", "leaver_on": "2026-02-01"})
    sweep(warehouse, "2026-02-01")
    assert night(warehouse, "2029-01-01", is_told=False) == Forgotten()
    assert night(warehouse, "2029-01-01").counts["accounts forgotten"] == 1


def test_many_at_once_wait_for_approval_of_just_these(warehouse: Warehouse) -> None:
    rules = system(retention=AccountRetention(after_months=12))
    made(warehouse, *[{"leaver_on": "2026-02-01"} for _ in range(11)])
    raised = rules.model_copy(update={"guards": rules.guards.model_copy(update={"limits": {}})})
    with warehouse.write() as connection:
        ended = {"status": "inactive", "status_since": day("2026-02-01"), "look_on": None}
        connection.execute(sa.update(core_account).values(**ended))
    held = night(warehouse, "2027-02-02", raised)
    assert held.held == "11 of 11 accounts would be forgotten; 10 are let through unasked in 30 days, and 0 were"
    assert "user1" in statuses(warehouse)
    with warehouse.write() as connection:
        (plan,) = connection.execute(sa.text("SELECT plan_hash FROM core_plan WHERE state = 'held'")).scalars()
        approve(connection, plan, "Anna Berg", THEN)
    assert night(warehouse, "2027-02-03", raised, plan).counts == {"accounts forgotten": 11}
    assert night(warehouse, "2027-02-04", raised) == Forgotten()


def test_no_undo_and_no_change_of_the_rules_brings_anybody_back(warehouse: Warehouse) -> None:
    import_id = take(warehouse, STAFF, "2026-01-15")
    second = take(warehouse, "login,leaver_on\neva,2026-02-01\n", "2026-01-20", THEN.replace(day=20))
    sweep(warehouse, "2026-02-01")
    night(warehouse, "2028-02-02")
    taking = TakingBack(SYSTEMS, datetime(2028, 2, 3, tzinfo=UTC))
    for run in (AccountRun("sweep", 1), AccountRun("import", second), AccountRun("import", import_id)):
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            take_back(connection, run, taking)
    sweep(warehouse, "2028-03-01", system(before_expiry=(1,)))
    assert "eva" not in everything(warehouse).lower()
    assert statuses(warehouse)["~forgotten-1"] == "inactive"
    with warehouse.read() as connection:
        row = connection.execute(sa.select(core_account).where(core_account.c.account_id == 1)).one()
    assert (row.is_unsent, row.leaver_on) == (False, day("2026-02-01"))
    take(warehouse, STAFF.replace("Lind", "Berg"), "2028-03-02", datetime(2028, 3, 2, tzinfo=UTC))
    assert statuses(warehouse)["eva"] == "active"
