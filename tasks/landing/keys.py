"""Keys: how a file is named inside the landing zone, and which names are refused.

A key is `area/part/part/name`, with `/` between its parts, and is the same for a folder and for an object store. A key
can never lead out of the zone. What makes a supplier's file name fit for a key stands here too.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from schemas.errors import UsageError

MAX_KEY_BYTES = 1024
"""The limit of S3, in UTF-8."""
MAX_PART_BYTES = 255
"""The limit of the usual file systems, in UTF-8."""
MAX_SAFE_NAME_BYTES = 150
"""Leaves room for what a key puts before and after a supplier's name."""

_REPLACED = re.compile(r"[^\w.+=,@()-]+")
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Area(StrEnum):
    """The top folders of the landing zone; every key begins with one."""

    INCOMING = "incoming"
    """`incoming/<sender>/`: where senders put their files."""
    HANDED = "handed"
    """`handed/<sender>/`: copies of files named on the command line. Nothing is started by them."""
    ARCHIVE = "archive"
    QUARANTINE = "quarantine"
    REJECTS = "rejects"
    REPORTS = "reports"
    EXPORTS = "exports"
    MARTS = "marts"
    """`marts/day=<day>/`: Parquet snapshots of the promised views."""
    DATA_DOCS = "data-docs"
    """The pages of the quality checks, where the zone is an object store; beside a folder they are in HOME."""


class KeyRefusedError(UsageError):
    """A name that could lead out of the landing zone, or that not every store can hold."""


def check_part(part: str, *, key: str | None = None) -> str:
    """Return `part` when it can stand between two slashes of a key.

    Raises `KeyRefusedError` for an empty part, `.` and `..`, hidden names (leading dot), `/`, backslash, NUL and other
    control characters, bytes that are no text, and more than 255 bytes.
    """
    problem = _problem_of(part)
    if problem:
        shown = printable(part if key is None else key)
        raise KeyRefusedError(f"{problem}: {shown!r}", field="landing key", remedy="rename the file or folder")
    return part


def check_key(key: str) -> str:
    """Return `key` when it is safe: an area, then at least one part, at most 1,024 bytes in all.

    Raises `KeyRefusedError` for anything else; see `check_part` for the rule of one part.
    """
    area, *parts = key.split("/")
    if area not in frozenset(Area) or not parts:
        raise KeyRefusedError(
            f"not a key of the landing zone: {printable(key)!r}",
            field="landing key",
            remedy=f"a key begins with one of {', '.join(f'{each}/' for each in Area)}",
        )
    for part in parts:
        check_part(part, key=key)
    if len(key.encode()) > MAX_KEY_BYTES:
        raise KeyRefusedError(
            f"longer than {MAX_KEY_BYTES} bytes: {printable(key)[:80]!r}...",
            field="landing key",
            remedy="shorten the names of the file and its folders",
        )
    return key


def safe_name(name: str) -> str:
    """A supplier's file name made fit for a key and still readable: at most 150 bytes, never empty or hidden.

    Letters (Nordic ones too), digits and `._-+=,@()` stay, every run of other characters becomes one `_`. A name that
    is too long loses the end of its stem and keeps its extension. Two names may become one: a key that must be unique
    carries a digest or an id as well.
    """
    composed = unicodedata.normalize("NFC", name)
    readable = _REPLACED.sub("_", composed).lstrip(".")
    return _shortened(readable, MAX_SAFE_NAME_BYTES) or "unnamed"


def elsewhere(uri: str, zone: str) -> KeyRefusedError:
    """`uri` is not of the landing zone at `zone`."""
    return KeyRefusedError(
        f"not in this landing zone: {printable(uri)!r}",
        field="uri",
        remedy=f"the zone is {zone}; a file outside it is taken in with `samkat ingest FILE`",
    )


def printable(name: str) -> str:
    """`name` for a message or a row: bytes that are no text become `\\udcXX`-like escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _shortened(name: str, limit: int) -> str:
    if len(name.encode()) <= limit:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension.encode()) > 20:
        stem, dot, extension = name, "", ""
    room = limit - len((dot + extension).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + extension


def _problem_of(part: str) -> str:
    """Why `part` is refused, in words; empty where it is not."""
    if not part:
        return "an empty part in the name"
    if part.startswith("."):
        return "a part of the name begins with a dot"
    if "/" in part or "\\" in part:
        return "a slash or backslash in the name"
    if "\0" in part:
        return "a NUL in the name"
    if any(unicodedata.category(each) in _FORBIDDEN_CATEGORIES for each in part):
        return "a control character, or bytes that are not UTF-8, in the name"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"a part of the name is longer than {MAX_PART_BYTES} bytes"
    return ""
