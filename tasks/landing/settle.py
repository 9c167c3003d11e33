"""When is a file there? Rules on what is seen of it from outside: its name, its size, its time.

Nothing here reads a clock or a disk: what was seen and when is given, so the rules hold for a folder and for an
object store alike. A sender who writes `.part` and renames, or who sends a marker file, is always safe; for all others
a file counts as whole when it has been quiet for some seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tasks.landing.zone import LandedFile

UNFINISHED_SUFFIXES = (".part", ".partial", ".filepart", ".tmp")
"""Names under which transfer programs write before they rename; `.filepart` is WinSCP's."""


@dataclass(frozen=True, slots=True)
class SettleRules:
    """How long a file must be quiet, and whether the sender says itself when a file is whole."""

    quiet_seconds: float = 30.0
    """0 takes a file at once."""
    marker_suffix: str = ""
    """`.done`: a file is whole when `<name>.done` or `<stem>.done` lies beside it, and only then. Empty: no markers."""


class Sighting(NamedTuple):
    """What was seen of a file the last time, and since when it has looked like that."""

    size: int
    modified_at: datetime
    since: datetime


class Settling(NamedTuple):
    """What a look at the landing zone gives. `sightings` (by URI) go into the next look."""

    taken: list[LandedFile]
    left: list[tuple[LandedFile, str]]
    """Files that must wait, with the reason in words."""
    sightings: dict[str, Sighting]


def settled(
    files: Iterable[LandedFile], now: datetime, rules: SettleRules, earlier: Mapping[str, Sighting] | None = None
) -> Settling:
    """Part the files into those that are whole and those to be left for a later look, both in the order given.

    `earlier` is what the last look returned: it finds files that grow under an old time, or whose time lies in the
    future. Without it the file's own time decides. Marker files are neither taken nor left: see `marker_of`.
    """
    known = list(files)
    keys = frozenset(each.key for each in known)
    result = Settling([], [], {})
    for each in known:
        if rules.marker_suffix and each.key.endswith(rules.marker_suffix):
            continue
        seen = sight(each.size, each.modified_at, now, (earlier or {}).get(each.uri))
        result.sightings[each.uri] = seen
        reason = reason_to_wait(each.key, seen, now, rules, keys)
        if reason:
            result.left.append((each, reason))
        else:
            result.taken.append(each)
    return result


def sight(size: int, modified_at: datetime, now: datetime, earlier: Sighting | None = None) -> Sighting:
    """Since when a file has had this size and time.

    Seen for the first time, that is its own time, but never later than now: a clock that runs ahead gives no credit,
    and does not make a file wait for ever. Seen before with another size or time, it has changed just now.
    """
    if earlier is None:
        return Sighting(size, modified_at, min(modified_at, now))
    if (earlier.size, earlier.modified_at) == (size, modified_at):
        return earlier
    return Sighting(size, modified_at, now)


def reason_to_wait(
    key: str, seen: Sighting, now: datetime, rules: SettleRules, keys: Collection[str] = frozenset()
) -> str:
    """Why the file is not taken yet, in words; empty where it is whole. `keys` is everything that lies there."""
    if is_unfinished_name(key):
        return "its name says that it is still being written"
    if rules.marker_suffix:
        if marker_of(key, keys, rules.marker_suffix):
            return ""
        return f"the sender's marker file ({rules.marker_suffix}) is not there yet"
    quiet = (now - seen.since).total_seconds()
    if quiet < rules.quiet_seconds:
        return f"it changed {quiet:.0f} s ago; it is taken after {rules.quiet_seconds:g} s without a change"
    return ""


def is_unfinished_name(key: str) -> bool:
    """Hidden at any level, or with the suffix of a transfer program: such a file is never taken."""
    return any(part.startswith(".") for part in key.split("/")) or key.lower().endswith(UNFINISHED_SUFFIXES)


def marker_of(key: str, keys: Collection[str], suffix: str = ".done") -> str | None:
    """The key of the marker file that says that `key` is whole, or None. It is deleted when the file is archived."""
    stem, dot, extension = key.rpartition(".")
    candidates = [key + suffix]
    if dot and "/" not in extension:
        candidates.append(stem + suffix)
    return next((each for each in candidates if each in keys), None)
