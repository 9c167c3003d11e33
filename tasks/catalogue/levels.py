"""Encoding levels (leader/17): the ceiling of a supplier, and which level may replace which.

Source of the default table: docs/register.md, levels. An unclear code ranks low on the incoming record and high on
the existing one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from schemas.outcomes import Editor
from schemas.register.levels import ALL_LEVELS, LevelPolicy, LevelTable
from schemas.register.senders import Sender

_XML_LEADER = re.compile(rb"(<(?:\w+:)?leader[^>]*>.{17})(.)", re.DOTALL)


@dataclass(frozen=True)
class LevelReading:
    """Reads the level of an incoming record under the supplier's ceiling; `ceiling` None lets every level stand."""

    policy: LevelPolicy
    ceiling: str | None = None

    def apply(self, level: str, normalised: bytes | None, content: bytes) -> tuple[str, bytes | None]:
        """The level to record, and the record with its leader/17 set where the ceiling changed it."""
        lowered = self.lowered(level)
        if lowered == level:
            return level, normalised
        return lowered, _with_level(content if normalised is None else normalised, lowered)

    def lowered(self, level: str) -> str:
        """`level`, or the ceiling where `level` claims to be better."""
        if self.ceiling is None:
            return level
        known = self._known.get(level)
        if known is None:
            known = self._known[level] = self._under_ceiling(level, self.ceiling)
        return known

    @cached_property
    def _known(self) -> dict[str, str]:
        """Levels already looked at: every bib has one, and there are few."""
        return {}

    def _under_ceiling(self, level: str, ceiling: str) -> str:
        rank, top = self._rank(level), self._rank(ceiling)
        return ceiling if rank is not None and top is not None and rank > top else level

    def _rank(self, level: str) -> int | None:
        plain = self.policy.tables["default"].read_as.get(level, level)
        return next((rank for rank, levels in enumerate(self.policy.order) if plain in levels), None)


def _with_level(record: bytes, level: str) -> bytes:
    """The record with leader/17 set: ISO2709 begins with the leader, MARCXML has it as its first element."""
    if record[:1].isdigit():
        return record[:17] + level.encode() + record[18:]
    return _XML_LEADER.sub(lambda match: match[1] + level.encode(), record, count=1)


@dataclass(frozen=True)
class ExistingBib:
    """What the catalogue says of a bib that might be replaced."""

    encoding_level: str
    source: str
    last_editor: str
    is_national_bibliography: bool
    sent_at_name: str | None


@dataclass(frozen=True)
class OverlayDecision:
    """Whether an incoming record replaces the existing one, by which rule, and why in words."""

    replaces: bool
    rule: str
    reason: str


def may_replace(
    level: str, sent_at_name: str | None, existing: ExistingBib, supplier: Sender, policy: LevelPolicy
) -> OverlayDecision:
    """Decide an overlay: protection first, then the level table of the supplier.

    `sent_at_name` is the time stamp in the delivery's file name: an older delivery of the same source never
    replaces a newer one at the same level, so that the order of arrival does not matter.
    """
    if existing.is_national_bibliography:
        return OverlayDecision(False, "kept_national_bibliography", "the record belongs to the national bibliography")
    if existing.last_editor == Editor.HUMAN:
        return OverlayDecision(False, "kept_human_edit", "a cataloguer has edited the record")
    table = policy.tables[supplier.level_table or "default"]
    incoming = _read(level, table, table.unclear_incoming)
    standing = _read(existing.encoding_level, table, table.unclear_existing)
    names = f"level {_shown(level)} on level {_shown(existing.encoding_level)}"
    if standing in table.never_replaced:
        return OverlayDecision(False, "kept_full_level", f"{names}: a full record is never replaced")
    if incoming == standing or _same_row(incoming, standing, table):
        return _equal_levels(sent_at_name, existing, supplier, table, names)
    if standing in table.replaces.get(incoming, ""):
        return OverlayDecision(True, "replaced_by_level", f"{names}: the new record is better")
    return OverlayDecision(False, "kept_by_level", f"{names}: the record in the catalogue is as good or better")


def _equal_levels(
    sent_at_name: str | None, existing: ExistingBib, supplier: Sender, table: LevelTable, names: str
) -> OverlayDecision:
    if existing.source != supplier.code or not table.same_source_replaces_equal:
        return OverlayDecision(False, "kept_equal_level", f"{names}: equal, and another source made the record")
    if sent_at_name and existing.sent_at_name and sent_at_name < existing.sent_at_name:
        return OverlayDecision(False, "kept_older_delivery", f"{names}: the same source has sent a newer record")
    return OverlayDecision(True, "replaced_same_source", f"{names}: the same source sends its record anew")


def _same_row(incoming: str, standing: str, table: LevelTable) -> bool:
    """Whether two codes are one step of the table: neither says more than the other (3 and 7; blank, 1 and 2)."""
    return (
        incoming not in "58" and standing not in "58" and table.replaces.get(incoming) == table.replaces.get(standing)
    )


def _read(level: str, table: LevelTable, unclear: str) -> str:
    plain = table.read_as.get(level, level)
    return plain if plain in ALL_LEVELS and plain else unclear


def _shown(level: str) -> str:
    return "blank" if level == " " else level
