"""Whatever the history of an account: its status follows from its dates and the rules, and a second sweep is quiet."""

from __future__ import annotations

import contextlib
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.register.account_rules import ACCOUNT_STATUSES, EMPLOYMENTS
from tasks.accounts.deciding import STEPS, Told, decide
from tasks.accounts.ending import renewed
from tasks.accounts.facts import Facts, Role
from tasks.accounts.standing import next_due, standing
from tests.unit.account_samples import ALMA, LEGIMUS

DAYS = st.dates(date(2024, 1, 1), date(2029, 12, 31))
MAYBE = st.none() | DAYS
ACCOUNTS = st.builds(
    Facts,
    kind=st.sampled_from(["personal", "personal", "shared"]),
    employment=st.sampled_from(EMPLOYMENTS),
    library=st.just("SOLB"),
    made_on=DAYS,
    status=st.sampled_from(ACCOUNT_STATUSES),
    mission_start_on=MAYBE,
    mission_end_on=MAYBE,
    leaver_on=MAYBE,
    granted_until=MAYBE,
    pinned_end=MAYBE,
    is_end_pinned=st.booleans(),
    roles=st.lists(st.sampled_from([Role(each.code) for each in ALMA.roles + LEGIMUS.roles]), max_size=3).map(tuple),
)
SYSTEM = st.sampled_from([ALMA, LEGIMUS])


@given(ACCOUNTS, SYSTEM, st.lists(DAYS, min_size=1, max_size=6), st.data())
def test_after_any_history_the_status_is_what_the_dates_say(
    account: Facts, system: object, days: list[date], data: st.DataObject
) -> None:
    told: set[Told] = set()
    for day in days:
        if data.draw(st.booleans()):
            with contextlib.suppress(UsageError):
                account = renewed(account, system.ends, day)  # type: ignore[attr-defined]
        if data.draw(st.booleans()):
            account = account._replace(leaver_on=data.draw(MAYBE))
        decision = decide(account, system, day, told)  # type: ignore[arg-type]
        account = account._replace(status=decision.standing.status)
        told |= {Told(each.rule, each.due_on) for each in decision.actions if each.action not in STEPS}
    last = days[-1]
    for other in ACCOUNT_STATUSES:
        assert standing(account._replace(status=other), system, last).status == account.status  # type: ignore[arg-type]
    assert decide(account, system, last, told).actions == ()  # type: ignore[arg-type]


@given(ACCOUNTS, SYSTEM, DAYS)
def test_between_two_days_to_look_nothing_happens(account: Facts, system: object, day: date) -> None:
    first = decide(account, system, day)  # type: ignore[arg-type]
    account = account._replace(status=first.standing.status)
    told = {Told(each.rule, each.due_on) for each in first.actions}
    due = next_due(account, system, day)  # type: ignore[arg-type]
    quiet = min(due - timedelta(1) if due else day + timedelta(4000), day + timedelta(4000))
    again = decide(account, system, max(day, quiet), told)  # type: ignore[arg-type]
    assert again.standing.status == first.standing.status
    assert [each.rule for each in again.actions] == []
