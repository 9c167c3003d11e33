"""What a command prints: tables for people or one JSON document on stdout, everything else on stderr.

Rich is imported when something is printed for people, so that `--json` and `--help` pay for nothing they do not use.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or a pipe; COLUMNS overrides it. A terminal has its own."""


def plain(value: Any) -> Any:
    """`value` as JSON knows it: dataclasses and named tuples become objects, instants ISO 8601 text."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def json_text(document: Any, encoding: str | None = "utf-8") -> str:
    """`document` as one JSON text, readable by people too; letters that `encoding` may not hold are escaped."""
    import json

    is_unicode = (encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(plain(document), ensure_ascii=not is_unicode, indent=2)


class Output:
    """Where a command's answer goes: `show` is called once and writes to stdout, `note` writes to stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, document: Any, render: Callable[[Console], None]) -> None:
        """Print the answer: `document` as JSON, or what `render` prints on the console it is given."""
        if self.as_json:
            print(json_text(document, sys.stdout.encoding))
        else:
            render(console_for_people())

    def note(self, line: str) -> None:
        """A line about what is going on; never part of the answer."""
        print(line, file=sys.stderr, flush=True)


def console_for_people() -> Console:
    """The console on stdout. What is printed there is text, never markup: titles hold square brackets."""
    from rich.console import Console

    is_narrow_by_chance = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(
        file=sys.stdout, markup=False, highlight=False, emoji=False, width=PLAIN_WIDTH if is_narrow_by_chance else None
    )


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], whole: Collection[str] = ()
) -> None:
    """A table in the one style of all commands. Columns without a single value are left out, numbers stand right.

    Those named in `whole` are never broken into two lines.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    all_rows = [["" if cell is None else cell for cell in row] for row in rows]
    filled = [index for index in range(len(columns)) if any(row[index] != "" for row in all_rows)]
    # Not the table's own title: that is folded to the width of the table.
    console.print(Text(title, style="bold"), soft_wrap=True)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index in filled:
        is_number = all(isinstance(row[index], int | float) for row in all_rows if row[index] != "")
        is_whole = columns[index] in whole
        made.add_column(columns[index], justify="right" if is_number else "left", overflow="fold", no_wrap=is_whole)
    for row in all_rows:
        made.add_row(*(str(row[index]) for index in filled))
    console.print(made)


def prose(console: Console, *lines: str) -> None:
    """Lines that are not folded by force: a path or a command can be copied whole."""
    for line in lines:
        console.print(line, soft_wrap=True)
