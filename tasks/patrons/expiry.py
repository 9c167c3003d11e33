"""The last valid day of a person: from the source's date, a lease or the term calendar, over all affiliations.

Days are last valid days, inclusive, in the institution's zone; never instants. Absence never shortens. Only a source
that says so shortens, under the guard `shorten`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_validity import ValidityRule
from tasks.patrons.protection import Lock

ExpiryRule: TypeAlias = Literal["pinned", "explicit", "lease", "lease_running", "term", "missing", "kept", "unknown"]
EXPIRY_WORDS: Mapping[ExpiryRule, str] = {
    "pinned": "it is protected",
    "explicit": "the source gives this day",
    "lease": "the source gives no day: a new lease",
    "lease_running": "the source gives no day, and the lease still runs",
    "term": "the source gives no day: the last day of the term",
    "missing": "the person is missing from the file, which shortens nothing",
    "kept": "no source says that it is shorter",
    "unknown": "no affiliation gives a day",
}


class AffiliationDates(NamedTuple):
    """One affiliation of a person as far as its days go."""

    source: str
    user_group: str | None
    state: Literal["current", "missing", "ended"]
    """Ended: the source said so (DELETE, or an affiliation that it closed); missing: its file lacks the person."""
    explicit: date | None = None
    """What the source gives now."""
    explicit_before: date | None = None
    """What it gave before."""
    last: date | None = None
    """What was worked out for this affiliation before."""


class ValidTo(NamedTuple):
    """The last valid day of a person or an affiliation, and the rule that gave it."""

    day: date | None
    rule: ExpiryRule
    source: str = ""
    """Whose affiliation it is from."""
    is_shorter: bool = False
    """Earlier than before: counts under the guard `shorten`."""


def business_date(instant: datetime, zone: ZoneInfo) -> date:
    """The day that it is in the institution's zone at an instant. Raises `ValueError` for one without a zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return instant.astimezone(zone).date()


def is_valid_on(expires_on: date | None, day: date) -> bool:
    """Whether a person may still borrow on `day`; the last valid day counts. None: no end is known."""
    return expires_on is None or day <= expires_on


def validity_rule(policy: PatronPolicy, institution: str, user_group: str | None) -> ValidityRule:
    """The closest row of the policy: the group's counts before the institution's."""
    rows = [
        row
        for row in policy.validity
        if row.institution in (None, institution) and row.user_group in (None, user_group)
    ]
    return max(rows, key=lambda row: (row.user_group is not None, row.institution is not None))


def affiliation_valid_to(dates: AffiliationDates, policy: PatronPolicy, institution: str, day: date) -> ValidTo:
    """The last valid day of one affiliation, as worked out on `day`."""
    source = dates.source
    if dates.state != "current":
        return ValidTo(dates.last if dates.state == "missing" else None, "missing", source)
    if dates.explicit is not None:
        return ValidTo(dates.explicit, "explicit", source)
    rule = validity_rule(policy, institution, dates.user_group)
    if rule.calendar is not None:
        return ValidTo(policy.calendars[rule.calendar].valid_to(day), "term", source)
    # While a whole step remains nothing is written: a quiet night stays quiet.
    if dates.last is not None and dates.last - day >= timedelta(rule.step_days):
        return ValidTo(dates.last, "lease_running", source)
    return ValidTo(day + timedelta(rule.lease_days or 0), "lease", source)


def valid_to(
    affiliations: Sequence[AffiliationDates],
    current: date | None,
    policy: PatronPolicy,
    institution: str,
    day: date,
    lock: Lock | None = None,
) -> ValidTo:
    """The last valid day of a person: the latest over the affiliations that have not ended.

    It is earlier than `current` only where a source gave an earlier day than before, gave a first one, or said that an
    affiliation has ended. A pin holds whatever is held, null included ("no end").
    """
    if lock is not None and lock.kind == "pin" and lock.holds_on(day):
        return ValidTo(lock.held if isinstance(lock.held, date) else None, "pinned")
    found = [affiliation_valid_to(each, policy, institution, day) for each in affiliations if each.state != "ended"]
    dated = [(each.day, each.source, each) for each in found if each.day is not None]
    if not dated:
        return ValidTo(current, "unknown" if current is None else "kept")
    latest, _, chosen = max(dated, key=lambda each: each[:2])
    if current is None or latest >= current:
        return chosen
    if any(_says_shorter(each) for each in affiliations):
        return chosen._replace(is_shorter=True)
    return ValidTo(current, "kept")


def _says_shorter(dates: AffiliationDates) -> bool:
    if dates.state == "ended":
        return True
    if dates.state == "missing" or dates.explicit is None:
        return False
    before = dates.explicit_before if dates.explicit_before is not None else dates.last
    return before is None or dates.explicit < before


def due_on(affiliations: Sequence[AffiliationDates], policy: PatronPolicy, institution: str, day: date) -> date | None:
    """The next day on which an unchanged row gives another last valid day; before it, the person may be skipped.

    `last` of the affiliations must be what was worked out on `day`. None: never, by itself.
    """
    days = []
    for each in affiliations:
        if each.state != "current" or each.explicit is not None:
            continue
        rule = validity_rule(policy, institution, each.user_group)
        if rule.calendar is not None:
            days.append(policy.calendars[rule.calendar].next_start(day))
        elif each.last is not None:
            days.append(each.last - timedelta(rule.step_days - 1))
    return min(days, default=None)
