"""What a person is planned under (the occasion), and what a plan of one person is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from schemas.patrons import ABSENT, LIST_PATHS
from schemas.register.patron_limits import PatronChange
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_sources import PatronSource
from tasks.patrons.choosing import ranks
from tasks.patrons.lifecycle import Snapshot
from tasks.patrons.protection import RuleInForce, rules_in_force
from tasks.patrons.records import PersonRecord

ChangeDecision: TypeAlias = Literal["applied", "suppressed", "review", "held"]

PERSON: Final = "person"
"""Path of a change that is about a person as a whole."""
STATE: Final = "state"
"""Path of a step of the lifecycle."""


class GroupRules(NamedTuple):
    """The rules of all paths for the persons of one institution and group."""

    by_path: Mapping[str, RuleInForce]
    passive: frozenset[str]
    """Scalar paths that no source's row changes: computed, of the lifecycle, carried through, or a rekey's."""
    lists: frozenset[str]
    """List paths that merge."""


@dataclass(frozen=True)
class Occasion:
    """When and under what persons are planned. One for a whole run: it keeps the rules that it has worked out."""

    day: date
    """In the institution's zone."""
    institution: str
    source: PatronSource | None
    """Who speaks; None: time, or staff."""
    policy: PatronPolicy
    own_ranks: Mapping[str, int]
    """Precedence of the institution's sources, by code."""
    snapshot: Snapshot | None = None
    """The file that speaks, as far as absence goes; None: an instant update, or no file."""
    seen_before: date | None = None
    """Business date of the source's file before this one: the last day on which who is missing now was seen."""
    _rules: dict[str | None, GroupRules] = field(default_factory=dict, init=False, repr=False, compare=False)
    _rankings: dict[str, Mapping[str, int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def code(self) -> str:
        """Code of the source that speaks; empty: none."""
        return "" if self.source is None else self.source.code

    def rules(self, user_group: str | None) -> GroupRules:
        """The rules for the persons of a group."""
        found = self._rules.get(user_group)
        if found is None:
            by_path = rules_in_force(self.policy, self.institution, user_group)
            passive = {
                path for path, rule in by_path.items() if rule.mode in ("computed", "lifecycle", "never", "immutable")
            }
            lists = frozenset(path for path in LIST_PATHS if by_path[path].mode != "never")
            found = GroupRules(by_path, frozenset(passive - LIST_PATHS), lists)
            self._rules[user_group] = found
        return found

    def ranking(self, path: str) -> Mapping[str, int]:
        """Source: rank, for a path."""
        found = self._rankings.get(path)
        if found is None:
            found = ranks(self.policy, self.institution, path, self.own_ranks)
            self._rankings[path] = found
        return found


class Change(NamedTuple):
    """A decision that did something to a person, asked something or kept something from being done."""

    path: str
    """A path, `PERSON` or `STATE`."""
    item_type: str = ""
    old: Any = ABSENT
    """`ABSENT`: not there."""
    new: Any = ABSENT
    source: str = ""
    """Who spoke; empty: staff, time or policy."""
    rule: str = ""
    change_class: PatronChange | None = None
    decision: ChangeDecision = "applied"
    reason: str = ""
    """In words; says nothing about the person."""

    def __repr__(self) -> str:
        return f"Change({self.path}, {self.rule}, {self.decision})"


class HistoryRow(NamedTuple):
    """A value that was said once and is said no more."""

    source: str
    """Empty: staff."""
    path: str
    item_type: str
    item_key: str
    value: Any
    said_from: date
    said_until: date

    def __repr__(self) -> str:
        return f"HistoryRow({self.source}, {self.path})"


@dataclass(frozen=True, slots=True)
class PlannedPerson:
    """What becomes of one person."""

    before: PersonRecord | None
    """None: a new person."""
    after: PersonRecord | None
    """With the version that it makes; None: nobody is made, since creating is held."""
    changes: tuple[Change, ...] = ()
    history: tuple[HistoryRow, ...] = ()

    @property
    def classes(self) -> frozenset[PatronChange]:
        """The guarded classes of change in it, those that are held included."""
        return frozenset(each.change_class for each in self.changes if each.change_class is not None)

    @property
    def held(self) -> frozenset[PatronChange]:
        """The classes that wait."""
        return frozenset(
            each.change_class for each in self.changes if each.decision == "held" and each.change_class is not None
        )

    @property
    def makes_version(self) -> bool:
        """Whether the person is another one afterwards."""
        return self.after is not None and (self.before is None or self.after.version != self.before.version)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is to be stored beyond the hash of the row, and that it was merged."""
        return not self.changes and not self.makes_version
