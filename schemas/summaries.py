"""What a run says of a delivery when it is done: identifiers and counts, nothing personal, small enough for a log."""

from __future__ import annotations

from dataclasses import dataclass, field

BIB_COUNTS = ("read", "created", "replaced", "kept", "review", "rejected")
HOLDING_COUNTS = ("read", "created", "updated", "unchanged", "deleted", "waiting", "refused", "rejected")


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
