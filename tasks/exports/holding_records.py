"""Holdings as the receiver gets them: a holding record (MFHD) each, or fields inside the bib.

Pure. A line that a supplier owns says so in 852 $x (`origin:NORDBOK`), where the profile wants that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import orjson

from schemas.register.export_profiles import ExportProfile
from tasks.exports.dressing import Fields, put_in_order
from tasks.exports.gathering import HoldingLineRow, HoldingRow
from tasks.marc.records import SUBFIELD_MARK, LazyRecord

LIBRARY = "library"
"""Owner of lines that no supplier put there (tasks/catalogue/holding_lines.py)."""
LEADER = "00000nx  a2200000zn 4500"
DELETED_LEADER = "00000dx  a2200000zn 4500"
FIXED = "{entered}0u    8   4001uu   0000000"
"""008: received and complete, nothing further coded."""


@dataclass(frozen=True)
class Shelf:
    """How holdings are written for one profile."""

    profile: ExportProfile
    prefix: str
    origin_note: str

    def record(self, row: HoldingRow, bib_number: str) -> LazyRecord:
        """One holding as a record of its own; one that is gone has its sigel and nothing else."""
        fields: Fields = [("001", number_of(row, bib_number)), ("003", self.prefix), ("004", bib_number)]
        if self.profile.holding_dates:
            fields += [("005", row.changed_at), ("008", FIXED.format(entered=row.created_on))]
        if row.is_deleted:
            fields.append(("852", f"  {SUBFIELD_MARK}b{row.sigel}"))
        else:
            fields += [(line.tag, self._text(line)) for line in row.lines]
        leader = DELETED_LEADER if row.is_deleted else LEADER
        return LazyRecord(leader, [tag for tag, _ in fields], [text for _, text in fields])

    def embed(self, bib: LazyRecord, holdings: Iterable[HoldingRow]) -> LazyRecord:
        """The bib with its holdings inside: 852 each line, 856 with $5 and the sigel. 024 has no place there."""
        fields: Fields = list(zip(bib.tags, bib.texts, strict=True))
        for row in holdings:
            for line in row.lines:
                text = self._text(line)
                if line.tag == "852":
                    put_in_order(fields, [("852", text)])
                elif line.tag == "856":
                    put_in_order(fields, [("856", f"{text}{SUBFIELD_MARK}5{row.sigel}")])
        return LazyRecord(bib.leader, [tag for tag, _ in fields], [text for _, text in fields])

    def _text(self, line: HoldingLineRow) -> str:
        note = ""
        if line.tag == "852" and self.profile.origin_notes and line.owner not in ("", LIBRARY):
            note = f"{SUBFIELD_MARK}x{self.origin_note}{line.owner}"
        return _field_text(line.content) + note


def number_of(row: HoldingRow, bib_number: str) -> str:
    """001 of a holding record: the catalogue's own, or the bib's number and the sigel, which are unique together."""
    return row.control_number or f"{bib_number}-{row.sigel}"


@lru_cache(maxsize=16384)
def _field_text(content: str) -> str:
    """The undivided text of a line. A library's titles stand on few shelves, so most have been seen before."""
    indicators, subfields = orjson.loads(content)
    return SUBFIELD_MARK.join([indicators, *(code + value for code, value in subfields)])
