"""What lies in a landing zone that is kept in a folder: files that wait below `incoming/`, what can never be taken,
and what is stored in the other areas.

Hidden files and folders (leading dot) are left out: half-written uploads and the tools of transfer programs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from schemas.errors import ConfigurationError
from tasks.landing.keys import Area, KeyRefusedError, check_key, check_part, printable
from tasks.landing.zone import LandedFile, RefusedFile, StoredFile

_SEND_PLAIN = "send the file itself, as a plain file"


def listed(root: Path, sender: str | None, uri_for: Callable[[str], str]) -> Iterator[LandedFile | RefusedFile]:
    """Everything below `incoming/` of the zone at `root`, or below `incoming/<sender>/`; in no order.

    One thing that cannot be taken never hides its neighbours. Raises `ConfigurationError` where `incoming/` itself is
    missing or a link.
    """
    incoming = root / Area.INCOMING
    if incoming.is_symlink() or not incoming.is_dir():
        raise ConfigurationError(
            f"the landing zone {printable(str(root))!r} has no folder incoming/",
            field="LANDING_URL",
            remedy="run `samkat init`; a network drive must be mounted there, not linked",
        )
    if sender is not None:
        folder = incoming / check_part(sender)
        if folder.is_symlink():
            yield RefusedFile(sender, sender, "is a symbolic link", "make it a folder")
        elif folder.is_dir():
            yield from _below(root, folder, sender, uri_for)
        return
    for entry in _entries(incoming):
        if isinstance(entry, RefusedFile):
            yield entry
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(root, Path(entry.path), entry.name, uri_for)
        else:
            remedy = "put it into the folder of its sender, incoming/<sender>/"
            yield RefusedFile("", printable(entry.name), "lies outside every sender's folder", remedy)


def stored_below(root: Path, area: Area, uri_for: Callable[[str], str]) -> Iterator[StoredFile]:
    """Every plain file below an area of the zone at `root`; links, pipes and hidden files are left out."""
    for each in _below(root, root / area, "", uri_for):
        if isinstance(each, LandedFile):
            yield StoredFile(each.uri, each.key, each.size, each.modified_at)


def _below(root: Path, folder: Path, sender: str, uri_for: Callable[[str], str]) -> Iterator[LandedFile | RefusedFile]:
    for entry in _entries(folder):
        if isinstance(entry, RefusedFile):
            yield entry._replace(sender=sender)
            continue
        path = Path(entry.path)
        key = path.relative_to(root).as_posix()
        try:
            check_key(key)
            if entry.is_dir(follow_symlinks=False):
                yield from _below(root, path, sender, uri_for)
            else:
                yield _one(entry, key, sender, uri_for)
        except KeyRefusedError as error:
            yield _refused(key, sender, error.cause, error.remedy or "rename it")
        except FileNotFoundError:
            continue  # taken by another run between the listing and the look


def _one(entry: os.DirEntry[str], key: str, sender: str, uri_for: Callable[[str], str]) -> LandedFile | RefusedFile:
    if entry.is_symlink():
        return _refused(key, sender, "is a symbolic link", _SEND_PLAIN)
    if not entry.is_file(follow_symlinks=False):
        return _refused(key, sender, "is a pipe, a socket or a device", _SEND_PLAIN)
    found = entry.stat(follow_symlinks=False)
    try:
        modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
    except (OverflowError, ValueError, OSError):
        return _refused(key, sender, "its time is no date", "send it again")
    return LandedFile(uri_for(key), key, sender, entry.name, found.st_size, modified_at)


def _entries(folder: Path) -> Iterator[os.DirEntry[str] | RefusedFile]:
    """What a folder holds, hidden names left out; one refusal where the folder may not be read."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as error:
        remedy = "give the user that runs Samkat the right to read it"
        yield RefusedFile("", printable(folder.name), f"the folder may not be read ({error.strerror})", remedy)
        return
    yield from found


def _refused(key: str, sender: str, reason: str, remedy: str) -> RefusedFile:
    return RefusedFile(sender, printable(key.removeprefix(f"{Area.INCOMING}/")), reason, remedy)
