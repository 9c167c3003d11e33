"""A file of an object store as a file of this machine, for as long as it is worked on.

What belongs here is the temporary copy that another process opens by its path. It has no name in any folder where the
system allows that, so that nothing stays behind however this process ends.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from schemas.errors import SamkatError
from tasks.landing.fingerprint import CHUNK_BYTES
from tasks.landing.zone import LandingZone, content_changed

_OPEN_FILES = Path("/proc/self/fd")
"""Where a file without a name can be opened by others. Resolved, it says which process it is."""
SPARE_BYTES = 64 * 1024 * 1024
"""What is left free for others."""


@contextmanager
def spooled(zone: LandingZone, uri: str, size: int) -> Iterator[Path]:
    """A temporary copy of a file of `size` bytes, gone when the context ends. It lies where TMPDIR says.

    Raises `SamkatError` where there is no room for it, and `ContentChangedError` where the file has another size.
    """
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < size + SPARE_BYTES:
        raise _no_room(folder, size)
    make = tempfile.TemporaryFile if _OPEN_FILES.is_dir() else tempfile.NamedTemporaryFile
    with make(prefix="samkat-", dir=folder) as copy:
        try:
            _fill(zone, uri, size, copy)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise _no_room(folder, size) from error
            raise
        yield Path(copy.name) if isinstance(copy.name, str) else _OPEN_FILES.resolve() / str(copy.fileno())


def _fill(zone: LandingZone, uri: str, size: int, copy: IO[bytes]) -> None:
    """Copy what is there, and not a byte more than was promised."""
    left = size
    with zone.open(uri) as stream:
        while part := stream.read(CHUNK_BYTES):
            left -= len(part)
            if left < 0:
                break
            copy.write(part)
    if left:
        raise content_changed(zone.key_of(uri))
    copy.flush()


def _no_room(folder: str, size: int) -> SamkatError:
    return SamkatError(
        f"no room for a temporary copy of {size:,} bytes in {folder}",
        remedy="free some, or set TMPDIR to a larger disk; SAMKAT_SECOND_PROCESS=false works without a copy",
    )
