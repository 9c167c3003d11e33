"""The columns of CSV files about accounts, and what their cells become. docs/accounts.md lists them; a test holds it.

A cell that cannot be read costs its row only: `CellError` names column, cause and remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.errors import UsageError
from schemas.register.account_rules import EMPLOYMENTS, KINDS
from schemas.register.account_sources import AccountFileKind
from tasks.accounts.facts import Role
from tasks.accounts.requests import EMAIL

FileKind: TypeAlias = AccountFileKind
CLEAR: Final = "-"
"""A cell of `changes` and `leavers` that clears what is there; an empty one keeps it."""
PURPOSES: Final = ("lending", "streaming", "own")
_YES: Final = {"renew": "renew", "yes": "renew", "ja": "renew", "end": "end", "no": "end", "nej": "end", "nei": "end"}


class CellError(ValueError):
    """A cell that cannot be read."""

    def __init__(self, field: str, cause: str, remedy: str) -> None:
        super().__init__(f"{field}: {cause}")
        self.field, self.cause, self.remedy = field, cause, remedy


class Column(NamedTuple):
    """A column: what it becomes, how its cells are read, and what it means."""

    field: str
    read: Callable[[str], Any]
    meaning: str
    needed: bool = False


def read_text(cell: str) -> str:
    """Text as it is, without control characters. Raises ValueError."""
    if any(each < " " for each in cell):
        raise ValueError("holds control characters")
    return cell


def read_login(cell: str) -> str:
    """A login. Raises ValueError for one that only a forgotten account may have."""
    if cell.startswith("~"):
        raise ValueError("begins with a tilde")
    return read_text(cell)


def read_day(cell: str) -> date:
    """A day that exists, as YYYY-MM-DD. Raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell):
        raise ValueError("is no day as YYYY-MM-DD")
    try:
        found = date.fromisoformat(cell)
    except ValueError:
        raise ValueError("is a day that does not exist") from None
    if not 1950 <= found.year <= 2200:
        raise ValueError("is a day of another age")
    return found


def read_email(cell: str) -> str:
    """An e-mail address. Raises ValueError."""
    if not EMAIL.fullmatch(cell):
        raise ValueError("is no e-mail address")
    return cell


def read_roles(cell: str) -> tuple[Role, ...]:
    """`fulfilment | users@SOLB`: roles, each with the library that it reaches where that is not the own."""
    found = []
    for each in re.split(r"[|,]", cell):
        code, _, scope = each.strip().partition("@")
        if not re.fullmatch(r"[a-z][a-z_]*", code):
            raise ValueError(f"{each.strip()!r} is no role")
        found.append(Role(code, scope.strip()))
    return tuple(dict.fromkeys(found))


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if cell.lower() not in allowed:
            raise ValueError(f"is none of {', '.join(allowed)}")
        return cell.lower()

    return read


def _read_decision(cell: str) -> str:
    if cell.lower() not in _YES:
        raise ValueError(f"is none of {', '.join(_YES)}")
    return _YES[cell.lower()]


_ABOUT: Final[Mapping[str, Column]] = {
    "employment": Column("employment", _one_of(*EMPLOYMENTS), "permanent, temporary, volunteer; empty: permanent"),
    "name": Column("name", read_text, "Of the person"),
    "email": Column("email", read_email, "Of the person"),
    "owner": Column("owner", read_text, "Who answers for a shared account"),
    "contact": Column("contact", read_email, "E-mail of whom to ask about the account"),
    "supporter": Column("supporter", read_email, "E-mail of a permanent colleague who supports temporary staff"),
    "mission_start": Column("mission_start_on", read_day, "First day of the mission"),
    "mission_end": Column("mission_end_on", read_day, "Last day of the mission"),
    "tasks": Column("tasks", read_text, "What the person does, shortly"),
    "roles": Column("roles", read_roles, "Roles, parted by a vertical bar; `role@SIGEL` reaches another library"),
}
_LOGIN: Final = Column("login", read_login, "Name of the account in the system", needed=True)
COLUMNS: Final[Mapping[FileKind, Mapping[str, Column]]] = {
    "accounts": {
        "login": _LOGIN,
        "library": Column("library", read_text, "Sigel of the library that it belongs to", needed=True),
        "kind": Column("kind", _one_of(*KINDS), "personal, shared; empty: personal"),
        **_ABOUT,
        "made_on": Column("made_on", read_day, "Day on which it was made; empty: the day of the file"),
        "rotated_on": Column("rotated_on", read_day, "Day of a shared account's last new password"),
    },
    "changes": {
        "login": _LOGIN,
        **_ABOUT,
        "pinned_end": Column("pinned_end", read_day, "Last valid day that holds whatever files say; `-` ends that"),
    },
    "leavers": {
        "login": _LOGIN,
        "leaver_on": Column("leaver_on", read_day, "Day from which it may be deactivated; `-`: stays after all", True),
    },
    "training": {
        "login": _LOGIN,
        "course": Column("course", read_text, "Code of the course", needed=True),
        "trained_on": Column("trained_on", read_day, "Day on which it was completed", needed=True),
    },
    "rotations": {
        "login": _LOGIN,
        "rotated_on": Column("rotated_on", read_day, "Day on which it got a new password", needed=True),
    },
    "renewals": {
        "login": _LOGIN,
        "decision": Column("decision", _read_decision, "renew or end; yes, ja, no, nej, nei; empty: no answer yet"),
        "until": Column("until", read_day, "New last day of the mission, or of a volunteer's account; empty: a year"),
    },
    "readers": {
        "reader": Column("reader", read_text, "Number of the reader in the system", needed=True),
        "registrar": Column("registrar", read_text, "Login of the registrar who made the reader", needed=True),
        "library": Column("library", read_text, "Sigel of the reader's home library", needed=True),
        "made_on": Column("made_on", read_day, "Day on which it was made", needed=True),
        "ended_on": Column("ended_on", read_day, "Day on which it was ended"),
    },
    "downloads": {
        "login": _LOGIN,
        "title_number": Column("title_number", read_text, "Number of the talking book", needed=True),
        "isbn": Column("isbn", read_text, "Of the talking book"),
        "purpose": Column("purpose", _one_of(*PURPOSES), "lending (on disc or card), streaming, own", needed=True),
        "day": Column("day", read_day, "Day of the download", needed=True),
    },
    "lists": {
        "login": _LOGIN,
        "list": Column("list", read_text, "Name of the list", needed=True),
        "title_number": Column("title_number", read_text, "Number of the talking book", needed=True),
        "title": Column("title", read_text, "As the system shows it"),
    },
}
IGNORED: Final = frozenset({"account_id", "expires_on", "status", "system", "remark"})
"""Columns that lists sent to people have, and that say nothing when they come back."""


def kind_of(header: list[str], wanted: str | None, file: str) -> FileKind:
    """What a file is about: as said, or by its columns. Raises `UsageError` where they fit no kind."""
    names = {each for each in header if each} - IGNORED
    if wanted is not None and wanted not in COLUMNS:
        raise UsageError(f"there is no kind {wanted!r}", field="--kind", remedy=f"known are {', '.join(COLUMNS)}")
    for kind, columns in COLUMNS.items():
        if wanted not in (None, kind):
            continue
        needed = {name for name, column in columns.items() if column.needed}
        if kind == "renewals":
            needed.add("decision")
        lacking, unknown = sorted(needed - names), sorted(names - columns.keys())
        if not lacking and not unknown:
            return kind
        if wanted is not None:
            what = f"lacks the column {lacking[0]}" if lacking else f"has a column {unknown[0]!r} that is not known"
            raise UsageError(f"{what}", file=file, position=1, remedy=f"columns of {kind}: {', '.join(columns)}")
    raise UsageError(
        "its columns fit no kind of file about accounts", file=file, position=1,
        remedy="docs/accounts.md lists the columns; say which kind it is with --kind",
    )  # fmt: skip


def read_row(kind: FileKind, cells: Mapping[str, str]) -> dict[str, Any]:
    """Values by field; None where a cell says to clear. Raises `CellError` at the first cell that cannot be read."""
    values: dict[str, Any] = {}
    for name, column in COLUMNS[kind].items():
        cell = cells.get(name, "").strip()
        if not cell:
            if column.needed:
                raise CellError(name, "is empty", "fill it in")
            continue
        if cell == CLEAR and kind in ("changes", "leavers"):
            values[column.field] = None
            continue
        try:
            values[column.field] = column.read(cell)
        except ValueError as error:
            raise CellError(name, f"{cell[:40]!r} {error}", f"see {name} in docs/accounts.md") from None
    return values
