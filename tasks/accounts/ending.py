"""The last valid day of an account, and what a renewal makes of it. Days, never instants; the last one counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from schemas.errors import UsageError
from schemas.register.account_rules import EndDates
from tasks.accounts.facts import Facts
from tasks.months import add_months

END_WORDS: Final[Mapping[str, str]] = {
    "pinned": "the last valid day is pinned",
    "permanent": "a permanent employee's account has no end",
    "shared": "a shared account has no end of its own",
    "after_mission": "months after the mission's end, clipped to the month's last day",
    "year_end": "31 December of the year in which the account was made",
    "renewed": "the renewal's last valid day",
    "no_end": "the rules give employees of this kind no end",
    "no_mission_end": "the mission's end is not known: nothing ends",
    "ends_before_start": "the mission ends before it starts: nothing ends until that is put right",
}
CONTRADICTIONS: Final = frozenset({"no_mission_end", "ends_before_start"})
"""Rules that give no end because the dates cannot be right; the account is flagged."""


class End(NamedTuple):
    """The last valid day, the rule that gave it, and the dates that it used."""

    day: date | None
    rule: str
    used: Mapping[str, date]


def add_years(day: date, years: int) -> date:
    """The same day so many years on; 29 February becomes the 28th where there is none."""
    return add_months(day, 12 * years)


def end_of(facts: Facts, ends: EndDates) -> End:
    """The last valid day as the rules have it. None: no end."""
    if facts.is_end_pinned:
        return End(facts.pinned_end, "pinned", {"pinned_end": facts.pinned_end} if facts.pinned_end else {})
    if facts.kind == "shared":
        return End(None, "shared", {})
    if facts.employment == "permanent" and ends.permanent == "none":
        return End(None, "permanent", {})
    rule = getattr(ends, facts.employment)
    if facts.mission_end_on is not None and rule != "none":
        return _after_mission(facts, facts.mission_end_on, ends)
    if rule == "none":
        return End(None, "no_end", {})
    if rule == "after_mission":
        return End(None, "no_mission_end", {})
    if facts.granted_until is not None:
        return End(facts.granted_until, "renewed", {"granted_until": facts.granted_until})
    return End(date(facts.made_on.year, 12, 31), "year_end", {"made_on": facts.made_on})


def _after_mission(facts: Facts, mission_end: date, ends: EndDates) -> End:
    used = {"mission_end_on": mission_end}
    if facts.mission_start_on is not None and mission_end < facts.mission_start_on:
        return End(None, "ends_before_start", used | {"mission_start_on": facts.mission_start_on})
    return End(add_months(mission_end, ends.months_after), "after_mission", used)


def renewed(facts: Facts, ends: EndDates, on: date, until: date | None = None) -> Facts:
    """The account after a renewal on the day `on` (in the system's zone).

    A mission gets its new end (`until`, or the old one and a year); a volunteer without an end `until`, or the old end
    and a year, and never less than the end of the year of the renewal. Raises `UsageError` where there is no end to
    move: a permanent employee, a shared account, a pinned end.
    """
    old = end_of(facts, ends)
    if old.rule in ("permanent", "shared", "no_end", "pinned"):
        raise UsageError(f"there is nothing to renew: {END_WORDS[old.rule]}", remedy="change what is wrong instead")
    if until is not None and until < on:
        raise UsageError(f"a renewal until {until} is over already", remedy="give a day to come")
    if facts.mission_end_on is not None:
        new_end = until or max(add_years(facts.mission_end_on, ends.renewal_years), on)
        return facts._replace(mission_end_on=new_end, renewed_on=on)
    if old.day is None:
        if until is None:
            raise UsageError("the mission's end is not known", field="until", remedy="give the new end")
        return facts._replace(mission_end_on=until, renewed_on=on)
    # A renewal after a long absence counts from its own year: the old end and a year may be over already.
    granted = until or max(add_years(old.day, ends.renewal_years), date(on.year, 12, 31))
    return facts._replace(granted_until=granted, renewed_on=on)
