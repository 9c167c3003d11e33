"""A look at the landing zone: which waiting files are whole, whose they are, and in which order they are worked off.

Pure: what lies there and when it was looked at is given. The watcher looks after each event, the sweep on a schedule;
both see the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from schemas.errors import DeliveryRejectedError
from schemas.register.suppliers import FileRules
from tasks.landing.names import check_name
from tasks.landing.settle import SettleRules, Sighting, is_unfinished_name, settled
from tasks.landing.zone import LandedFile


@dataclass
class Look:
    """What one look gives. `sightings` go into the next look."""

    taken: dict[str, list[LandedFile]] = field(default_factory=dict)
    """Whole files by supplier, in the order in which they are worked off."""
    left: list[tuple[LandedFile, str]] = field(default_factory=list)
    """Files that must wait, with the reason in words."""
    strangers: list[LandedFile] = field(default_factory=list)
    """Whole files of senders that nobody knows."""
    sightings: dict[str, Sighting] = field(default_factory=dict)


def look(
    files: Iterable[LandedFile],
    suppliers: Mapping[str, FileRules],
    now: datetime,
    quiet_seconds: float,
    *,
    earlier: Mapping[str, Sighting] | None = None,
    renamed: Collection[str] = frozenset(),
) -> Look:
    """Part `files` by sender and by whether they are whole.

    `renamed` are URIs of files that were seen to be renamed into place: they are whole at once, unless their sender
    uses markers. `earlier` is what the last look returned as `sightings`.
    """
    by_sender: dict[str, list[LandedFile]] = {}
    for each in files:
        by_sender.setdefault(each.sender, []).append(each)
    seen = Look()
    for sender, its in sorted(by_sender.items()):
        rules = suppliers.get(sender)
        marker = (rules.marker or "") if rules else ""
        found = settled(its, now, SettleRules(quiet_seconds, marker), earlier)
        seen.sightings.update(found.sightings)
        taken = list(found.taken)
        for each, why in found.left:
            if each.uri in renamed and not marker and not is_unfinished_name(each.key):
                taken.append(each)
            else:
                seen.left.append((each, why))
        if rules is None:
            seen.strangers += taken
        elif taken:
            seen.taken[sender] = sorted(taken, key=lambda each: sent_order(each, rules))
    return seen


def sent_order(file: LandedFile, rules: FileRules) -> tuple[str, datetime, str]:
    """Sorts one sender's files from the oldest on: by the time in the name where there is one, then by arrival."""
    stamp = _stamp(file, rules) or file.modified_at.replace(tzinfo=None)
    return stamp.strftime("%Y%m%d%H%M%S"), file.modified_at, file.key


def sent_on(file: LandedFile, rules: FileRules, zone: ZoneInfo) -> date:
    """The business date of a waiting file: that in its name, else the day on which it arrived."""
    stamp = _stamp(file, rules)
    return stamp.date() if stamp else file.modified_at.astimezone(zone).date()


def within(seen: Look, suppliers: Mapping[str, FileRules], zone: ZoneInfo, since: date) -> Look:
    """The same look with only those files taken whose business date is `since` or later."""
    taken = {
        sender: [each for each in files if sent_on(each, suppliers[sender], zone) >= since]
        for sender, files in seen.taken.items()
    }
    too_old = [
        (each, f"its date is before {since}, the first day asked for")
        for sender, files in seen.taken.items()
        for each in files
        if each not in taken[sender]
    ]
    some = {sender: files for sender, files in taken.items() if files}
    return Look(some, seen.left + too_old, seen.strangers, seen.sightings)


def stale_markers(files: Iterable[LandedFile], marker: str) -> list[LandedFile]:
    """Marker files of one sender beside which no file lies any more that they speak of."""
    known = list(files)
    markers = {each.key: each for each in known if each.key.endswith(marker)}
    needed: set[str] = set()
    for each in known:
        if each.key in markers:
            continue
        stem = each.key.rpartition(".")[0]
        needed |= {each.key + marker, stem + marker}
    return [each for key, each in markers.items() if key not in needed]


def _stamp(file: LandedFile, rules: FileRules) -> datetime | None:
    try:
        return check_name(file.name, rules).stamp
    except DeliveryRejectedError:
        return None
