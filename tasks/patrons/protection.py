"""What protects a path of a person: locks, and the rules in force for the person's institution and group.

A lock is a row of its own, never a part of the record that a feed replaces; that is why it outlives the next load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

from schemas.patrons import PATHS, Absence, Value
from schemas.register.patron_policy import PathMode, PatronPolicy

Stated: TypeAlias = Value | Absence | None
"""A value, null (`None`), or not carried (`ABSENT`)."""

LockKind: TypeAlias = Literal[
    "pin",  # a person said so, or a protection order of the source
    "automatic",  # the merge saw a local edit
    "exempt",  # this person is not under the protection by institution or group
]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a path of a person. `held` may be null: a cleared value is protected as any other."""

    kind: LockKind
    held: Value | None = field(repr=False)
    baseline: Stated = field(repr=False)
    """What the source said when it was set; that a file repeats it ends nothing."""
    by: str
    reason: str = field(default="", repr=False)
    until: date | None = None
    """Last day, inclusive; None: until it is released."""

    def holds_on(self, day: date) -> bool:
        """Whether it still holds on that day, in the institution's zone."""
        return self.until is None or day <= self.until


class RuleInForce(NamedTuple):
    """The rule of a path for the persons of one institution and group."""

    mode: PathMode
    may_clear: bool = False
    takes_conflicts: bool = False
    follows_affiliation: bool = False
    protected_for: str | None = None
    """Reason of the protection by institution or group; None: there is none."""


def rules_in_force(policy: PatronPolicy, institution: str, user_group: str | None) -> Mapping[str, RuleInForce]:
    """Path: rule, for all paths. Make it once for an institution and group, not once for a person."""
    protected: dict[str, str] = {}
    for row in policy.protection:
        if row.institution in (None, institution) and row.user_group in (None, user_group):
            protected |= dict.fromkeys(row.paths, row.reason)
    return {path: _in_force(policy, path, protected.get(path)) for path in PATHS}


def _in_force(policy: PatronPolicy, path: str, protected_for: str | None) -> RuleInForce:
    rule = policy.rule(path)
    return RuleInForce(rule.mode, rule.may_clear, rule.on_conflict == "take", rule.follows_affiliation, protected_for)
