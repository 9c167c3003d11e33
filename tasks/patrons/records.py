"""A person as the warehouse has them, in memory: what each source says, what Samkat wrote, what is there, the locks.

These are what the pure rules plan from and what store.py stores; documents.py makes JSON of them. None shows a
person's values in its `repr`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from schemas.patrons import ABSENT, ListItem, Value
from tasks.patrons.items import HeldItem
from tasks.patrons.lifecycle import Sighting, Standing
from tasks.patrons.protection import LockKind, Stated

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""An empty mapping that nobody can fill."""

Held: TypeAlias = Value | HeldItem | tuple[HeldItem, ...] | None
"""What a lock holds: a value or null; an item, or null for one that stays away; all items of a list or of a type."""
Baseline: TypeAlias = Stated | tuple[tuple[str, str], ...]
"""What the source said when a lock was set: of a list the (type, key) of its items."""


@dataclass(frozen=True, slots=True)
class SaidValue:
    """What a source says of a path, and since when."""

    value: Value | None = field(repr=False)
    since: date
    """Business date on which it first said so."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What one source says of a person; never what the others or staff say."""

    source: str
    institution: str
    content_hash: bytes = field(repr=False)
    """16 bytes: of the row that was merged last."""
    policy_version: str
    needs_merge: bool = False
    """The person was touched since, or a change was held: the same row is to be merged again."""
    filled: int = 0
    """Paths that had a value in the row that was merged last, as bits (file_guards.py)."""
    values: Mapping[str, SaidValue] = field(default_factory=dict, repr=False)
    lists: Mapping[str, tuple[ListItem, ...]] = field(default_factory=dict, repr=False)
    item_days: Mapping[str, tuple[date, ...]] = field(default_factory=dict, repr=False)
    """For each item of `lists`, in the same order: business date on which the source first said it."""
    category: str | None = None
    """Of the affiliation, as the source names it."""
    user_group: str | None = None
    """The category after the source's mapping."""
    library: str | None = None
    department: str | None = None
    valid_from: date | None = None
    explicit: date | None = None
    """Last valid day that the source gives."""
    worked_out: date | None = None
    """Last valid day of this affiliation, as it was carried out last: where `explicit` is earlier, it shortens."""
    sighting: Sighting = field(default=Sighting(""))
    """Present: nothing but the source. `seen_on` stands only while the person is missing from the files."""


@dataclass(frozen=True, slots=True)
class LockRow:
    """A row of core_patron_lock. With an `item_key` it is on one item; without one on a scalar, a list or a type."""

    path: str
    kind: LockKind
    held: Held = field(repr=False)
    baseline: Baseline = field(repr=False)
    by: str
    reason: str = field(default="", repr=False)
    until: date | None = None
    """Last day, inclusive."""
    item_type: str = ""
    item_key: str = field(default="", repr=False)
    lock_id: int | None = None
    """None: not stored yet."""
    created_at: datetime | None = None
    """None: as it is stored."""
    released_at: datetime | None = None
    released_by: str | None = None
    """Who ended it; a lock with this is over, and is in no record that is loaded again."""

    def holds_on(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.released_by is None and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """An id of a person, with the days on which it was theirs."""

    type: str
    value: str = field(repr=False)
    """As it came."""
    key: str = field(repr=False)
    source: str = ""
    """Source in which it is a stable id; empty: it only searches."""
    valid_from: date | None = None
    valid_to: date | None = None
    """Last valid day; None: still theirs."""

    def is_open_on(self, day: date) -> bool:
        """Whether it is, or will be, the person's on that day."""
        return self.valid_to is None or day <= self.valid_to


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person at one institution."""

    person_id: int | None
    """None: not stored yet."""
    institution: str
    primary_id: str = field(repr=False)
    account_type: str
    standing: Standing
    expiry_rule: str = ""
    """Rule that gave the last valid day."""
    written: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    """W by scalar path. No key: absent."""
    current: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    """C by scalar path."""
    lists: Mapping[str, tuple[HeldItem, ...]] = field(default_factory=dict, repr=False)
    """W by list path, with owners."""
    current_lists: Mapping[str, tuple[ListItem, ...]] = field(default_factory=dict, repr=False)
    """C by list path, only where it is not W."""
    sources: Mapping[str, SourceRecord] = field(default_factory=dict)
    identifiers: tuple[IdentifierRow, ...] = ()
    locks: tuple[LockRow, ...] = ()
    """Those that are not released; in what a plan leaves behind also those that it releases."""
    version: int = 0
    is_confidential: bool = False
    is_desk_stub: bool = False
    """Made at the desk, waits for its first feed."""
    look_on: date | None = None
    """Next day on which time alone may change something."""
    read_back_hash: bytes | None = field(default=None, repr=False)
    sent_version: int = 0
    acknowledged_version: int = 0
    merged_into: int | None = None
    replaced: Mapping[str, tuple[Value | None, ...]] = field(default_factory=dict, repr=False)
    """What the library system may still have where Samkat has written since, and has not seen that there yet."""
    replaced_lists: Mapping[str, tuple[tuple[ListItem, ...], ...]] = field(default_factory=dict, repr=False)
    """The same, of lists: each as it was before Samkat wrote it, the oldest first."""
    created_at: datetime | None = None

    def value(self, path: str) -> Stated:
        """C of a scalar path; `ABSENT` where there is none."""
        return self.current.get(path, ABSENT)

    def items(self, path: str) -> tuple[ListItem, ...]:
        """C of a list path."""
        found = self.current_lists.get(path)
        return tuple(as_listed(each) for each in self.lists.get(path, ())) if found is None else found

    def open_locks(self, day: date) -> Iterator[LockRow]:
        """The locks in force on that day."""
        return (each for each in self.locks if each.holds_on(day))

    @property
    def is_known_to_library_system(self) -> bool:
        """Whether the library system has, or will have, this person: what it holds is read back."""
        return self.read_back_hash is not None or self.sent_version > 0


def as_listed(item: HeldItem) -> ListItem:
    """An item without its owners."""
    return ListItem(item.type, item.key, item.fields, item.is_preferred, item.segment)
