"""What waits in the landing zone, as a page for people: names of files and suppliers, no personal data."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.landing.keys import printable
from tasks.landing.looking import Look
from tasks.landing.starts import Start

MOST_ROWS = 50


def as_markdown(seen: Look, starts: Sequence[Start]) -> str:
    """Two tables: the runs that are started, and the files that must wait with the reason."""
    lines = ["## Runs to start", ""]
    if starts:
        lines += ["| supplier | files | left for the next run |", "|---|---:|---:|"]
        lines += [f"| {each.sender} | {len(each.uris) or 'what was left'} | {each.later} |" for each in starts]
    else:
        lines.append("None: nothing waits, or runs are at it.")
    lines += ["", "## Files that must wait", ""]
    if seen.left:
        lines += ["| file | why |", "|---|---|"]
        lines += [f"| `{_cell(file.key)}` | {why} |" for file, why in seen.left[:MOST_ROWS]]
        lines += [f"\nand {len(seen.left) - MOST_ROWS} more"] if len(seen.left) > MOST_ROWS else []
    else:
        lines.append("None.")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("`", "'")
