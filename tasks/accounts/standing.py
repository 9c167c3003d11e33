"""Where an account stands on a day: a function of its dates and the rules, and of nothing else.

No history decides here. Whatever was done to an account, swept or undone, the same facts give the same status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

from schemas.register.account_rules import AccountStatus, AccountSystem
from tasks.accounts.ending import CONTRADICTIONS, End, end_of
from tasks.accounts.facts import Facts
from tasks.patrons.expiry import is_valid_on

ONE_DAY = timedelta(days=1)
STANDING_WORDS: Final[Mapping[str, str]] = {
    "retired": "shared logins of the system are switched off",
    "left": "the person has left: the account may be deactivated from the day reported",
    "not_started": "the mission has not begun",
    "no_end": "it has no end",
    "valid": "the last valid day is not over",
    "end_over": "the last valid day is over",
    "long_over": "the last valid day has been over for as long as the rules wait",
}


class Standing(NamedTuple):
    """The status of an account on a day, the rule that gave it, and the dates that it used."""

    status: AccountStatus
    rule: str
    used: Mapping[str, date]
    end: End


def standing(facts: Facts, system: AccountSystem, day: date) -> Standing:
    """The status on `day`. The last valid day is inclusive; leaving and retirement act on their day."""
    end = end_of(facts, system.ends)
    switch = system.retirement.on if system.retirement else None
    if facts.kind == "shared" and switch is not None and day >= switch:
        return Standing("retired", "retired", {"retirement": switch}, end)
    if facts.leaver_on is not None and day >= facts.leaver_on:
        return Standing("inactive", "left", {"leaver_on": facts.leaver_on}, end)
    start = facts.mission_start_on
    if start is not None and day < start and end.rule not in CONTRADICTIONS:
        return Standing("waiting", "not_started", {"mission_start_on": start}, end)
    if end.day is None or is_valid_on(end.day, day):
        used = dict(end.used) if end.day is None else {**end.used, "expires_on": end.day}
        return Standing("active", "no_end" if end.day is None else "valid", used, end)
    used = {**end.used, "expires_on": end.day}
    if day > end.day + timedelta(system.ends.inactive_after_days):
        return Standing("inactive", "long_over", used, end)
    return Standing("expired", "end_over", used, end)


def next_due(facts: Facts, system: AccountSystem, day: date) -> date | None:
    """The first day after `day` on which time alone may change the status or something is to be told. None: never."""
    end = end_of(facts, system.ends)
    days = [facts.mission_start_on, facts.leaver_on]
    if facts.kind == "shared" and system.retirement is not None:
        days.append(system.retirement.on)
    if end.day is not None:
        days += [end.day + ONE_DAY, end.day + timedelta(system.ends.inactive_after_days) + ONE_DAY]
        days += [end.day - timedelta(each) for each in system.before_expiry]
    return min((each for each in days if each is not None and each > day), default=None)
