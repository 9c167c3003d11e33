"""An account as the rules see it: dates, kind and roles. Nothing here knows of a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from schemas.register.account_rules import AccountKind, AccountStatus, Employment


class Role(NamedTuple):
    """A role that an account was given."""

    code: str
    scope: str = ""
    """Library that it reaches; empty: the account's own."""
    since: date | None = None


class Facts(NamedTuple):
    """What is known of an account: from these and the rules alone its status follows."""

    kind: AccountKind
    employment: Employment
    library: str
    made_on: date
    status: AccountStatus = "active"
    """What was worked out last."""
    mission_start_on: date | None = None
    mission_end_on: date | None = None
    leaver_on: date | None = None
    """Day from which the account may be deactivated."""
    renewed_on: date | None = None
    granted_until: date | None = None
    """Last valid day that renewals gave."""
    pinned_end: date | None = None
    """Last valid day that a person has fixed; holds over everything but leaving."""
    is_end_pinned: bool = False
    """With `pinned_end` None: pinned to have no end."""
    roles: tuple[Role, ...] = ()
    trained: Mapping[str, date] = {}
    """Last day of training by course; under the empty name: any."""
    owner: str = ""
    contact: str = ""


FACT_WORDS: Final[Mapping[str, str]] = {
    "mission_start_on": "first day of the mission",
    "mission_end_on": "last day of the mission",
    "leaver_on": "day of leaving",
    "made_on": "made on",
    "granted_until": "renewed until",
    "pinned_end": "pinned",
}
