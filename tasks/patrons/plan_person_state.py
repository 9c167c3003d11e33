"""A person while they are planned: what the rules have made of them so far, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, timedelta
from operator import attrgetter

from schemas.patrons import ABSENT, ListItem, Value
from schemas.register.patron_limits import PatronChange
from tasks.patrons.items import HeldItem
from tasks.patrons.occasion import Change, GroupRules, HistoryRow, Occasion, PlannedPerson
from tasks.patrons.protection import Lock, RuleInForce, Stated
from tasks.patrons.records import NOTHING, LockRow, PersonRecord, as_listed

BY_MERGE = "merge"
"""Who opens and ends automatic locks."""
MOST_REPLACED = 8
"""As many earlier values are remembered: so many nights may pass before the library system shows what it was sent."""


class PersonInPlan:
    """Begins as `before`; the modules plan_*.py change it; `planned` is the plan."""

    __slots__ = (
        *("account_type", "before", "changes", "current", "current_lists", "expiry_rule", "held", "history"),
        *("identifiers", "is_confidential", "is_desk_stub", "is_held", "lists", "locks", "look_on", "occasion"),
        *("primary_id", "read_back_hash", "replaced", "replaced_lists", "sources", "standing", "touches", "written"),
    )

    def __init__(self, record: PersonRecord, occasion: Occasion, held: frozenset[PatronChange] = frozenset()) -> None:
        self.before = record
        self.occasion = occasion
        self.held = held
        self.written = dict(record.written)
        self.current = dict(record.current)
        self.lists = dict(record.lists)
        self.current_lists = dict(record.current_lists)
        self.sources = dict(record.sources)
        self.identifiers = record.identifiers
        self.locks = list(record.locks)
        self.standing = record.standing
        self.expiry_rule = record.expiry_rule
        self.primary_id = record.primary_id
        self.account_type = record.account_type
        self.look_on = record.look_on
        self.is_confidential = record.is_confidential
        self.is_desk_stub = record.is_desk_stub
        self.read_back_hash = record.read_back_hash
        self.replaced = dict(record.replaced)
        self.replaced_lists = dict(record.replaced_lists)
        self.changes: list[Change] = []
        self.history: list[HistoryRow] = []
        self.is_held = False
        """Something waits for approval: the next night has to plan it anew."""
        self.touches = False
        """The sources' next rows are to be merged, whatever their hashes."""

    @property
    def day(self) -> date:
        """The day of the occasion."""
        return self.occasion.day

    @property
    def rules(self) -> GroupRules:
        """The rules for the person's group as it is now."""
        group = self.current.get("user_group")
        return self.occasion.rules(group if isinstance(group, str) else None)

    def in_force(self, rules: GroupRules) -> Mapping[str, RuleInForce]:
        """The rules by path; without the protection that the person is exempt from."""
        exempt = {each.path for each in self.locks if each.kind == "exempt" and each.holds_on(self.day)}
        if not exempt:
            return rules.by_path
        return {**rules.by_path, **{path: rules.by_path[path]._replace(protected_for=None) for path in exempt}}

    def scalar_locks(self) -> Mapping[str, Lock]:
        """By scalar path the lock that decides: a pin before an automatic one."""
        if not self.locks:
            return NOTHING
        found: dict[str, Lock] = {}
        for row in self.locks:
            held, baseline = row.held, row.baseline
            if row.item_key or row.kind == "exempt" or not row.holds_on(self.day):
                continue
            if isinstance(held, tuple | HeldItem) or isinstance(baseline, tuple):
                continue
            if row.kind == "pin" or row.path not in found:
                found[row.path] = Lock(row.kind, held, baseline, row.by, row.reason, row.until)
        return found

    def open_lock(self, row: LockRow) -> None:
        """Add a lock."""
        self.locks.append(row)

    def end_locks(self, wanted: Collection[int], by: str) -> None:
        """End the locks at these places of `locks`; one that was never stored is simply gone."""
        left = []
        for number, row in enumerate(self.locks):
            if number not in wanted:
                left.append(row)
            elif row.lock_id is not None:
                left.append(replace(row, released_by=by))
        self.locks = left

    def end_automatic(self, path: str, item_type: str = "", item_key: str = "") -> None:
        """End the automatic lock on a path, or on an item."""
        place = ("automatic", path, item_type, item_key)
        self.end_locks(
            [
                number
                for number, row in enumerate(self.locks)
                if (row.kind, row.path, row.item_type, row.item_key) == place and row.released_by is None
            ],
            BY_MERGE,
        )

    def set_value(self, path: str, value: Value | None) -> None:
        """C of a path, as Samkat writes it: what the library system had is remembered until it shows the new value."""
        if self.before.is_known_to_library_system:
            self.replaced[path] = (*self.replaced.get(path, ()), self.current.get(path))[-MOST_REPLACED:]
        self.current[path] = value

    def set_list(self, path: str, items: tuple[HeldItem, ...]) -> None:
        """W and C of a list, as Samkat writes it."""
        now = self.items(path)
        self.lists[path] = items
        self.current_lists.pop(path, None)
        if self.before.is_known_to_library_system and self.items(path) != now:
            self.replaced_lists[path] = (*self.replaced_lists.get(path, ()), now)[-MOST_REPLACED:]

    def value(self, path: str) -> Stated:
        """C of a scalar path."""
        return self.current.get(path, ABSENT)

    def items(self, path: str) -> tuple[ListItem, ...]:
        """C of a list path."""
        found = self.current_lists.get(path)
        return tuple(as_listed(each) for each in self.lists.get(path, ())) if found is None else found

    def change(self, change: Change) -> None:
        """Record a decision; one that is held has to be planned anew on the next night."""
        self.changes.append(change)
        self.is_held = self.is_held or change.decision == "held"

    def planned(self) -> PlannedPerson:
        """The plan: a new version where the person is another one now."""
        before = self.before
        if self.is_held or self.touches:
            self.sources = {code: replace(each, needs_merge=True) for code, each in self.sources.items()}
        value = self.current.get("is_confidential")
        after = replace(
            before,
            primary_id=self.primary_id,
            account_type=self.account_type,
            standing=self.standing,
            expiry_rule=self.expiry_rule,
            written=self.written,
            current=self.current,
            lists=self.lists,
            current_lists=self.current_lists,
            sources=self.sources,
            identifiers=self.identifiers,
            locks=tuple(self.locks),
            is_confidential=value is True,
            is_desk_stub=self.is_desk_stub,
            look_on=self.look_on,
            read_back_hash=self.read_back_hash,
            replaced=self.replaced,
            replaced_lists=self.replaced_lists,
        )
        if not is_same_person(before, after):
            after = replace(after, version=before.version + 1)
        return PlannedPerson(before, after, tuple(self.changes), tuple(self.history))


_VERSIONED = attrgetter(
    *("primary_id", "account_type", "standing", "expiry_rule", "written", "current", "lists", "current_lists"),
    *("identifiers", "locks", "is_confidential", "is_desk_stub", "merged_into"),
)
_SAID = attrgetter(
    *("values", "lists", "item_days", "category", "user_group", "library", "department", "valid_from", "explicit"),
    *("worked_out", "sighting.is_present", "sighting.left_on"),
)


def is_same_person(one: PersonRecord, other: PersonRecord) -> bool:
    """Whether two are the same but for what is no part of a version: hashes, counts of files, when to look again."""
    if _VERSIONED(one) != _VERSIONED(other) or one.sources.keys() != other.sources.keys():
        return False
    return all(_SAID(one.sources[code]) == _SAID(other.sources[code]) for code in one.sources)


def tomorrow(day: date) -> date:
    """The day after."""
    return day + timedelta(1)
