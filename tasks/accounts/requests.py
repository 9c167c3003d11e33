"""A request for an account: is it whole, and may it be granted? What lacks is answered, in words.

In time before the start: name, e-mail, the planned end and a short description of the tasks; for temporary staff also
the e-mail of a permanent colleague who supports them; for a shared account its owner and a contact.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final, NamedTuple

from schemas.register.account_rules import AccountKind, AccountSystem, Employment
from tasks.accounts.facts import Facts, Role
from tasks.accounts.roles import judge_roles

EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MISSING_WORDS: Final = {
    "name": "the person's name",
    "email": "the person's e-mail address",
    "supporter": "the e-mail of a permanent colleague who supports them",
    "mission_end": "the last day of the mission",
    "mission_end_in_time": "an end that is not before the start of the mission",
    "tasks": "a short description of the tasks",
    "owner": "the owner of the shared account",
    "contact": "a contact for the shared account",
}


class Request(NamedTuple):
    """What was asked for."""

    login: str
    library: str
    kind: AccountKind
    employment: Employment
    name: str = ""
    email: str = ""
    supporter: str = ""
    owner: str = ""
    contact: str = ""
    tasks: str = ""
    mission_start: date | None = None
    mission_end: date | None = None
    roles: tuple[Role, ...] = ()


class Answer(NamedTuple):
    """What a request is answered with."""

    missing: tuple[str, ...]
    """Keys of `MISSING_WORDS`: with any of them no account is made."""
    refused_roles: tuple[tuple[str, str], ...] = ()
    """(role, finding of roles.py): the account is made without them."""
    tell_support: tuple[str, ...] = ()
    """Roles for which training is recommended."""
    given_roles: tuple[Role, ...] = ()
    """Those that are not refused. A role may be refused for another library and given for the own one."""

    @property
    def is_complete(self) -> bool:
        """Whether the account can be made."""
        return not self.missing

    @property
    def words(self) -> str:
        """What is missing, in words; empty where nothing is."""
        return "; ".join(MISSING_WORDS[each] for each in self.missing)


def check_request(request: Request, system: AccountSystem, day: date) -> Answer:
    """What is missing, which roles cannot be given, and whom the support desk should offer training."""
    facts = Facts(
        request.kind, request.employment, request.library, day,
        roles=request.roles, owner=request.owner, contact=request.contact,
    )  # fmt: skip
    judged = judge_roles(facts, system, day)
    given_not = [
        each for each in judged if each.finding in ("role_unknown", "role_not_for_kind", "role_outside_library")
    ]
    refused = tuple((each.role.code, str(each.finding)) for each in given_not)
    given = tuple(each.role for each in judged if each not in given_not)
    support = tuple(each.role.code for each in judged if each.finding == "training_recommended")
    return Answer(tuple(_missing(request, system)), refused, support, given)


def _missing(request: Request, system: AccountSystem) -> list[str]:
    if request.kind == "shared":
        found = [] if request.owner else ["owner"]
        return found if _is_email(request.contact) else [*found, "contact"]
    found = [] if request.name else ["name"]
    if not _is_email(request.email):
        found.append("email")
    is_temporary = request.employment == "temporary"
    if is_temporary and not _is_email(request.supporter):
        found.append("supporter")
    if is_temporary and system.ends.temporary == "after_mission" and request.mission_end is None:
        found.append("mission_end")
    if request.mission_start and request.mission_end and request.mission_end < request.mission_start:
        found.append("mission_end_in_time")
    return found if request.tasks else [*found, "tasks"]


def _is_email(text: str) -> bool:
    return EMAIL.fullmatch(text) is not None
