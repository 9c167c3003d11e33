"""Undo, the part that all flows share: the rule, and the report of what it could not undo.

The rule: a before-image is restored **only where the current version of a thing is the one that this delivery (run,
sweep) made**. A later change by anyone else survives, and is listed. Restoring is a change too and makes a new version,
so a revert that is run again finds nothing of its own any more and changes nothing.

Each area restores the untouched majority with set-based statements and sorts the rest with `sort_for_undo`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Reversible(NamedTuple):
    """A thing that was changed: `entity` (bib, holding, patron, ...), its id, and the version the change made."""

    entity: str
    entity_id: int
    version_made: int


class Survivor(NamedTuple):
    """A thing that stays as it is, and why in words."""

    entity: str
    entity_id: int
    why: str


@dataclass(frozen=True)
class RevertReport:
    """What a revert did: how many things went back, and every one that did not."""

    reverted: int
    survived: tuple[Survivor, ...] = ()

    def __add__(self, other: RevertReport) -> RevertReport:
        """Both reports as one: a revert works through several kinds of things."""
        return RevertReport(self.reverted + other.reverted, self.survived + other.survived)


def sort_for_undo(
    changes: Iterable[Reversible], current_version: Callable[[str, int], int | None]
) -> tuple[Sequence[Reversible], tuple[Survivor, ...]]:
    """Part what may be restored from what survives, by the rule above, in the order given.

    `current_version` returns None for a thing that is gone. Where a delivery changed a thing more than once, give the
    last version it made.
    """
    restorable: list[Reversible] = []
    survived: list[Survivor] = []
    for change in changes:
        now = current_version(change.entity, change.entity_id)
        if now == change.version_made:
            restorable.append(change)
        else:
            survived.append(Survivor(change.entity, change.entity_id, _why(change, now)))
    return restorable, tuple(survived)


def _why(change: Reversible, now: int | None) -> str:
    if now is None:
        return "it is no longer there"
    return f"it was changed later (version {change.version_made} was made here, it is at version {now} now)"
