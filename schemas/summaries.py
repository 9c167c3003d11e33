"""What a run says of a delivery when it is done: identifiers and counts, nothing personal, small enough for a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol, runtime_checkable

BIB_COUNTS = ("read", "created", "replaced", "kept", "review", "rejected")
HOLDING_COUNTS = ("read", "created", "updated", "unchanged", "deleted", "waiting", "refused", "rejected")


@runtime_checkable
class RunSummary(Protocol):
    """One of the things that a run was about, as the run's end tells it."""

    @property
    def name(self) -> str:
        """Of a file, a source or a system."""

    @property
    def reason(self) -> str:
        """Why it waits or was rejected, in words; empty where all went on."""

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide before it goes on."""

    @property
    def tally(self) -> Counter[str]:
        """What it adds to the totals of its run: number by what was counted."""


def totals(found: Iterable[RunSummary]) -> dict[str, int]:
    """What a run did in all, for its log and `samkat status`; zeros are left out."""
    counts: Counter[str] = Counter()
    for each in found:
        counts.update(each.tally)
    return dict(+counts)


@dataclass(frozen=True)
class DeliverySummary:
    """One delivery: where it stands, and what became of its records. Counts are of the latest outcomes."""

    delivery_id: int
    sender: str
    name: str
    state: str
    reason: str = ""
    """Why it waits or was rejected, in words; empty where all went on."""
    is_repeat: bool = False
    """It had been settled before: recognised, no effect."""
    is_preview: bool = False
    docs_uri: str = ""
    """The page of its quality check; empty until it has been made."""
    records_unreadable: int = 0
    bibs: dict[str, int] = field(default_factory=dict)
    holdings: dict[str, int] = field(default_factory=dict)

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide before it goes on."""
        return self.state == "held"

    @property
    def is_waiting(self) -> bool:
        """Whether something of it waits for a person: the whole delivery, or a bib in review."""
        return self.is_held or bool(self.bibs.get("review") or self.holdings.get("waiting"))

    @property
    def tally(self) -> Counter[str]:
        """`bibs created`, `holdings refused`, ..."""
        bibs = {f"bibs {name}": number for name, number in self.bibs.items()}
        holdings = {f"holdings {name}": number for name, number in self.holdings.items()}
        place = {"deliveries": 1, "unreadable": self.records_unreadable, f"deliveries {self.state}": 1}
        return Counter(place | bibs | holdings)


PATRON_COUNTS = ("read", "unchanged", "created", "changed", "kept", "held", "quarantined", "rejected")
"""Of rows of a file of persons; `read` is the sum of the others."""


@dataclass(frozen=True)
class PatronSummary:
    """One file of persons: where it stands, and what became of its rows. Says nothing about any person."""

    delivery_id: int
    source: str
    institution: str
    name: str
    business_date: date
    state: str
    reason: str = ""
    """Why it waits or was rejected, in words; empty where all went on."""
    is_preview: bool = False
    rows: dict[str, int] = field(default_factory=dict)
    """By the names of `PATRON_COUNTS`."""
    missing: int = 0
    """Persons of the source that the file lacks."""
    moved: int = 0
    """Persons that only absence or time moved."""
    held: dict[str, int] = field(default_factory=dict)
    """Class of change that waits for approval: how many persons."""
    plan_hash: str = ""
    """Under which it waits; empty where nothing does."""

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide: about the file, or about a class of its changes."""
        return self.state == "held" or bool(self.held)

    @property
    def tally(self) -> Counter[str]:
        """`rows created`, `persons moved`, ..."""
        rows = {f"rows {name}": number for name, number in self.rows.items()}
        persons = {"persons missing": self.missing, "persons moved": self.moved}
        return Counter({"files": 1, f"files {self.state}": 1} | rows | persons | _held(self.held))


UPDATE_COUNTS = ("created", "changed", "unchanged", "held", "refused")


@dataclass(frozen=True)
class UpdateSummary:
    """Instant updates of one source since the last report. Says nothing about any person."""

    source: str
    institution: str
    updates: dict[str, int] = field(default_factory=dict)
    """By the names of `UPDATE_COUNTS`."""
    held: dict[str, int] = field(default_factory=dict)
    """Class of change that waits for approval: how many updates."""
    plan_hash: str = ""
    """Under which they wait; empty where none does."""
    reason: str = ""
    """Why, in words."""

    @property
    def name(self) -> str:
        """Whose updates these are."""
        return self.source

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide."""
        return bool(self.held)

    @property
    def tally(self) -> Counter[str]:
        """`created`, `held merge`, ..."""
        return Counter(self.updates | _held(self.held))


IN_TROUBLE: Final = " in trouble"
"""Ends the name of a total that says that a system of accounts is not well."""
DRY_RUN: Final = "dry run"
"""Total of a run over accounts that only said what it would do."""


@dataclass(frozen=True)
class AccountSummary:
    """What a run did with the accounts of one system. Says nothing about any person."""

    system: str
    on: date
    counts: dict[str, int] = field(default_factory=dict)
    """Actions and letters by name."""
    held: dict[str, str] = field(default_factory=dict)
    """Class of change that waits for approval: why."""
    plan_hash: str = ""
    """Under which it waits; empty where nothing does."""
    trouble: str = ""
    """Why nothing was sent to the system; empty where it is well."""
    sweeps: tuple[int, ...] = ()
    """Sweeps that were carried out."""
    is_preview: bool = False

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide, or the system has to get well."""
        return bool(self.plan_hash or self.trouble)

    @property
    def name(self) -> str:
        """As the reason of a hold names it."""
        return f"accounts of {self.system}"

    @property
    def reason(self) -> str:
        """Why it waits, in words."""
        return "; ".join(filter(None, [*self.held.values(), self.trouble]))

    @property
    def tally(self) -> Counter[str]:
        """Actions, letters and what waits."""
        waiting = {"held": len(self.held), f"{self.system}{IN_TROUBLE}": int(bool(self.trouble))}
        found = Counter(self.counts) + Counter(waiting)
        if not self.is_preview:
            return found
        return Counter({DRY_RUN: 1} | {f"would {name}": number for name, number in found.items() if number})


def _held(classes: dict[str, int]) -> dict[str, int]:
    return {f"held {name}": number for name, number in classes.items()}
