"""What an export run did, for whoever started it and for the page of the run: a line a profile, no personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from tasks.exports.composing import Composed
from tasks.exports.ledger import COUNTS

SHOWN = {
    "bibs_written": "bibs",
    "bibs_deleted": "deleted",
    "bibs_merged": "merged",
    "bibs_unheld": "no longer held",
    "holdings_written": "holdings",
    "holdings_deleted": "holdings gone",
    "left_out": "left out",
    "characters_replaced": "characters replaced",
}
"""Counts as people read them."""


class ExportLine(NamedTuple):
    """One profile's part of a run. `state` is that of `core_export`, or `preview`."""

    profile: str
    kind: str
    state: str
    name: str
    uri: str
    bytes: int
    counts: dict[str, int]
    reason: str = ""


class ExportReport(dict[str, int]):
    """Totals of a run, with a line a profile."""

    def __init__(self, lines: Iterable[ExportLine]) -> None:
        self.lines = list(lines)
        totals: Counter[str] = Counter()
        for each in self.lines:
            totals[f"profiles {each.state}"] += 1
            totals.update({SHOWN[name]: number for name, number in each.counts.items() if name in SHOWN})
        super().__init__({name: number for name, number in totals.items() if number})


def line_of(row: sa.Row[Any]) -> ExportLine:
    """The line of an export in the ledger."""
    counts = {name: getattr(row, name) for name in COUNTS}
    return ExportLine(
        row.profile, row.kind, row.state, row.name or "", row.uri or "", row.bytes or 0, counts, row.reason or ""
    )


def preview_line(profile: str, kind: str, composed: Composed) -> ExportLine:
    """The line of what would be sent."""
    counts = {name: composed.counts[name] for name in COUNTS}
    return ExportLine(profile, kind, "preview", "", "", composed.records.size, counts)


def as_markdown(lines: Sequence[ExportLine]) -> str:
    """The lines as the artifact of the run."""
    if not lines:
        return "There is no export profile in the register."
    head = ["profile", "state", "file", "records", *SHOWN.values(), "bytes"]
    rows = [
        [
            each.profile,
            each.state,
            f"`{each.name}`" if each.name else each.reason,
            *(f"{each.counts.get(name, 0):,}" for name in ("records", *SHOWN)),
            f"{each.bytes:,}",
        ]
        for each in lines
    ]
    table = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in table)
