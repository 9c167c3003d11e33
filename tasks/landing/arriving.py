"""What events of a file system say about files below `incoming/`: renamed into place, or just written to.

Pure: an event is a kind (`added`, `modified`, `deleted`) and a path. Events only make somebody look; what is taken is
decided by looking.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tasks.landing.keys import Area, KeyRefusedError
from tasks.landing.settle import UNFINISHED_SUFFIXES, is_unfinished_name
from tasks.landing.zone import LandingZone


@dataclass
class Arrivals:
    """URIs that events spoke of since the last look."""

    renamed: set[str] = field(default_factory=set)
    """Files that were renamed into place: whole."""
    written: set[str] = field(default_factory=set)
    """Files that were just written to, whatever their time says."""


def arrivals_of(zone: LandingZone, incoming: Path, events: Iterable[tuple[str, str]]) -> Arrivals:
    """What a batch of events says of files below the folder `incoming`. Names that no key can have are left out."""
    by_key: dict[str, set[str]] = {}
    for kind, path in events:
        with contextlib.suppress(ValueError):
            key = f"{Area.INCOMING}/{Path(path).relative_to(incoming).as_posix()}"
            by_key.setdefault(key, set()).add(kind)
    gone = {key for key, kinds in by_key.items() if "deleted" in kinds and is_unfinished_name(key)}
    found = Arrivals()
    for key, kinds in by_key.items():
        if is_unfinished_name(key) or not kinds & {"added", "modified"}:
            continue
        with contextlib.suppress(KeyRefusedError):
            was_renamed = "added" in kinds and any(_became(each, key) for each in gone)
            (found.renamed if was_renamed else found.written).add(zone.uri_for(key))
    return found


def _became(unfinished: str, key: str) -> bool:
    """Whether a file was written under the name `unfinished` before it got `key`: `day.mrc.part`, `.day.mrc.Xa3`."""
    before, after = PurePosixPath(unfinished), PurePosixPath(key)
    if before.parent != after.parent:
        return False
    stem = before.name.lower()
    for suffix in UNFINISHED_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem in (after.name.lower(), after.stem.lower()) or before.name.startswith(f".{after.name}")
