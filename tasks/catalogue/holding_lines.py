"""Whose line is whose: each supplier owns and replaces only its own lines of a holding; all others stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.marc import HoldingLine
from schemas.outcomes import HoldingOutcome

LIBRARY = "library"
"""Owner of lines that no supplier put there."""

LineRule = Callable[[bool, Sequence[HoldingLine], Sequence[HoldingLine]], "LineChange"]
"""(is_delete, existing lines, incoming lines) -> what becomes of the holding."""


@dataclass(frozen=True)
class LineChange:
    """What a delivered holding does to the one that is there."""

    outcome: HoldingOutcome
    rule: str
    reason: str
    lines: tuple[HoldingLine, ...]
    """All lines afterwards, in order: others' first where they stood first."""


def merge_lines(existing: Sequence[HoldingLine], owner: str, incoming: Sequence[HoldingLine]) -> LineChange:
    """Put the owner's new lines in place of its old ones.

    The new lines take the place of the owner's first old line, so that a shelf mark stays where people look for it;
    where it had none they come last.
    """
    own = [each for each in existing if each.owner == owner]
    if _contents(own) == _contents(incoming):
        return LineChange(HoldingOutcome.UNCHANGED, "lines_equal", "the same lines are there already", tuple(existing))
    merged: list[HoldingLine] = []
    placed = False
    for each in existing:
        if each.owner != owner:
            merged.append(each)
        elif not placed:
            merged += incoming
            placed = True
    if not placed:
        merged += incoming
    rule, reason = (
        ("lines_replaced", "the supplier's own lines were replaced")
        if own
        else ("lines_added", "lines were added to the library's holding")
    )
    return LineChange(HoldingOutcome.UPDATED, rule, reason, tuple(merged))


def remove_lines(existing: Sequence[HoldingLine], owner: str) -> LineChange:
    """Take away the owner's lines (leader/05 = d). The holding goes when none remain; others' lines stay."""
    rest = tuple(each for each in existing if each.owner != owner)
    if len(rest) == len(existing):
        return LineChange(
            HoldingOutcome.UNCHANGED, "nothing_to_delete", "the supplier has no line on this holding", tuple(existing)
        )
    if rest:
        return LineChange(
            HoldingOutcome.UPDATED, "own_lines_deleted", "the supplier's lines were removed, others' stay", rest
        )
    return LineChange(HoldingOutcome.DELETED, "deleted", "the supplier's lines were the only ones", ())


def supplier_lines(owner: str) -> LineRule:
    """The rule for a supplier's delivery: it changes its own lines only."""

    def change(is_delete: bool, existing: Sequence[HoldingLine], incoming: Sequence[HoldingLine]) -> LineChange:
        return remove_lines(existing, owner) if is_delete else merge_lines(existing, owner, incoming)

    return change


def whole_holding(is_delete: bool, existing: Sequence[HoldingLine], incoming: Sequence[HoldingLine]) -> LineChange:
    """The rule for the union catalogue's own export: what it says is what the library holds."""
    if is_delete:
        return LineChange(HoldingOutcome.DELETED, "deleted", "the catalogue has deleted the holding", ())
    if tuple(existing) == tuple(incoming):
        return LineChange(HoldingOutcome.UNCHANGED, "lines_equal", "the same lines are there already", tuple(existing))
    return LineChange(HoldingOutcome.UPDATED, "catalogue_holding", "as the catalogue has it", tuple(incoming))


def joined_holding(is_delete: bool, existing: Sequence[HoldingLine], incoming: Sequence[HoldingLine]) -> LineChange:
    """The rule for a holding that the catalogue's export has under a bib which was merged here.

    The library has a holding of the surviving bib as well: that must not go for the sake of this one.
    """
    if is_delete:
        reason = "its bib was merged into another one, of which the library has a holding"
        return LineChange(HoldingOutcome.UNCHANGED, "merged_away", reason, tuple(existing))
    known = set(_contents(existing))
    more = tuple(line for line in incoming if (line.tag, line.content) not in known)
    if not more:
        return LineChange(HoldingOutcome.UNCHANGED, "lines_equal", "the same lines are there already", tuple(existing))
    reason = "its bib was merged into another one: the lines were added to the library's holding of that"
    return LineChange(HoldingOutcome.UPDATED, "merged_away", reason, (*existing, *more))


def _contents(lines: Sequence[HoldingLine]) -> list[tuple[str, str]]:
    return [(each.tag, each.content) for each in lines]
