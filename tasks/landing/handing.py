"""A file that a person names on the command line, and its copy in the landing zone."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from schemas.errors import UsageError
from tasks.landing.fingerprint import fingerprint
from tasks.landing.keys import Area, printable
from tasks.landing.zone import LandingZone


def hand_in(zone: LandingZone, path: Path, sender: str) -> str:
    """Copy the file to `handed/<sender>/<first 12 of sha256>/<name>` and return its URI; see `LandingZone.adopt`."""
    with _opened_by_person(path) as stream:
        taken = fingerprint(stream)
        stream.seek(0)
        key = f"{Area.HANDED}/{sender}/{taken.sha256[:12]}/{path.name}"
        return zone.put(key, stream, sha256=taken.sha256)


@contextmanager
def _opened_by_person(path: Path) -> Iterator[BinaryIO]:
    """A file named on the command line: links are the person's own affair; pipes and folders are refused."""
    shown = printable(str(path))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError("is not a plain file", file=shown, remedy="name a file, not a folder or a pipe")
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise UsageError("there is no such file", file=shown, remedy="check the path") from error
    except (PermissionError, NotADirectoryError) as error:
        raise UsageError("cannot be read", file=shown, remedy="check the path and its rights") from error
    with stream:
        yield stream
