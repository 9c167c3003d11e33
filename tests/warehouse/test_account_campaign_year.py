"""A renewal from its list to its end, day by day, on both engines; test_account_campaign.py has the rules."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from schemas.warehouse.accounts import core_account_campaign, core_account_renewal
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, system
from tests.warehouse.account_night import made, statuses, sweep, temp
from tests.warehouse.test_account_campaign import answer, campaign, ends, letters, outcomes

VOLUNTEER = {"employment": "volunteer"}


NIGHTS = (
    *("2026-11-15", "2026-11-16", "2026-11-17", "2026-11-25", "2026-12-02", "2026-12-05", "2026-12-10", "2026-12-13"),
    *("2026-12-14", "2026-12-31", "2027-01-01", "2027-01-02"),
)


def test_a_campaign_asks_reminds_escalates_and_settles_each_once(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER, VOLUNTEER, {**VOLUNTEER, "library": "LUNV"}, temp("2026-11-20"), {})
    told: dict[str, dict[str, int]] = {}
    for each in NIGHTS:
        if each == "2026-11-25":
            assert answer(warehouse, "login,decision,until\nuser1,ja,\nuser4,renew,2027-05-31\n", each)["changed"] == 2
        if each == "2026-12-05":
            assert answer(warehouse, "login,decision\nuser2,nej\n", each) == {"changed": 1}
            assert answer(warehouse, "login,decision\nuser2,nej\n\n", each) == {"unchanged": 1}
        if each >= "2026-12-31":
            sweep(warehouse, each)
        # As a flow does that is started twice on a day.
        done, again = campaign(warehouse, each), campaign(warehouse, each)
        assert again == {}
        if done:
            told[each] = done
    assert told == {
        "2026-11-16": {"told renewal": 2},
        "2026-12-02": {"told reminder": 2},
        "2026-12-10": {"told reminder": 1},
        "2026-12-13": {"told unanswered": 2},
        "2027-01-01": {"renewed": 2, "expired": 1, "unanswered": 1, "told settled": 3},
    }
    assert outcomes(warehouse) == ["renewed", "expired", "unanswered", "renewed"]
    assert statuses(warehouse) == dict(
        zip(
            ("user1", "user2", "user3", "user4", "user5"),
            ("active", "expired", "expired", "active", "active"),
            strict=True,
        )
    )
    assert ends(warehouse)["user4"] == date(2027, 6, 30)
    assert len({subject for to, subject in letters(warehouse) if to == ALMA.support}) >= 2
    with warehouse.read() as connection:
        decided = connection.execute(
            sa.select(core_account_renewal.c.decided_by).where(core_account_renewal.c.decision.is_not(None)).distinct()
        ).scalars().all()  # fmt: skip
        assert (decided, connection.execute(sa.select(core_account_campaign.c.state)).scalar()) == (
            ["command:Anna Berg"], "closed",
        )  # fmt: skip


def test_where_silence_renews_the_last_day_renews_and_the_sweep_ends_nobody(warehouse: Warehouse) -> None:
    assert ALMA.campaign is not None
    rules = system(campaign=ALMA.campaign.model_copy(update={"no_answer": "renew"}))
    made(warehouse, VOLUNTEER, VOLUNTEER)
    for each in ("2026-11-16", "2026-12-30"):
        campaign(warehouse, each, rules)
    answer(warehouse, "login,decision\nuser2,end\n", "2026-12-30")
    assert campaign(warehouse, "2026-12-31", rules)["renewed without an answer"] == 1
    sweep(warehouse, "2027-01-01", rules)
    assert statuses(warehouse) == {"user1": "active", "user2": "expired"}
    assert ends(warehouse) == {"user1": date(2027, 12, 31), "user2": date(2026, 12, 31)}
