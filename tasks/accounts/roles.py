"""Which roles of an account are in force: by its kind, its training and its library."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias

from schemas.register.account_rules import AccountSystem, RoleRule
from tasks.accounts.facts import Facts, Role

RoleFinding: TypeAlias = Literal[
    "role_unknown", "role_not_for_kind", "role_outside_library", "training_missing", "training_recommended"
]
FINDING_WORDS: Final[dict[str, str]] = {
    "role_unknown": "the system has no such role",
    "role_not_for_kind": "an account of this kind may not have it",
    "role_outside_library": "it reaches beyond the account's own library",
    "training_missing": "it takes training that is not recorded",
    "training_recommended": "training is recommended: the support desk contacts the person",
}


class JudgedRole(NamedTuple):
    """A role, whether it is in force, and what is to be told of it; None: nothing."""

    role: Role
    in_force: bool
    finding: RoleFinding | None = None


def judge_roles(facts: Facts, system: AccountSystem, day: date) -> list[JudgedRole]:
    """Each role of the account in its order, as it is on `day`."""
    return [_judged(role, facts, system, day) for role in facts.roles]


def roles_in_force(facts: Facts, system: AccountSystem, day: date) -> tuple[Role, ...]:
    """The roles that the account really has on `day`."""
    return tuple(each.role for each in judge_roles(facts, system, day) if each.in_force)


def _judged(role: Role, facts: Facts, system: AccountSystem, day: date) -> JudgedRole:
    rule = system.role(role.code)
    if rule is None:
        return JudgedRole(role, False, "role_unknown")
    if facts.kind not in rule.kinds:
        return JudgedRole(role, False, "role_not_for_kind")
    if system.own_library_only and role.scope not in ("", facts.library):
        return JudgedRole(role, False, "role_outside_library")
    if rule.training == "none" or _is_trained(rule, facts, day) or _is_kept(rule, role, facts):
        return JudgedRole(role, True)
    if rule.training == "must":
        return JudgedRole(role, False, "training_missing")
    return JudgedRole(role, True, "training_recommended")


def _is_trained(rule: RoleRule, facts: Facts, day: date) -> bool:
    trained = facts.trained.get(rule.course) if rule.course else max(facts.trained.values(), default=None)
    return trained is not None and trained <= day


def _is_kept(rule: RoleRule, role: Role, facts: Facts) -> bool:
    return rule.kept_before is not None and (role.since or facts.made_on) < rule.kept_before
