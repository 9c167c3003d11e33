"""A file while it is made: kept without a name on this machine, with its sha256 and size counted as it grows.

It has a name only where the receiver looks for it, and only as a whole. However this process ends, nothing stays
behind.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import shutil
import tempfile
from collections.abc import Sequence
from typing import IO, BinaryIO, cast

from schemas.errors import SamkatError

CHUNK_BYTES = 1024 * 1024


class Spool:
    """Bytes that are written once and read once. With `is_kept` False they are only counted, as in a dry run."""

    def __init__(self, *, is_kept: bool = True) -> None:
        self._file: IO[bytes] | None = None
        if is_kept:
            self._file = tempfile.TemporaryFile(prefix="samkat-export-")  # noqa: SIM115  closed by `close`
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what was written so far, 64 hex digits."""
        return self._digest.hexdigest()

    def write(self, content: bytes) -> None:
        """Add bytes. Raises `SamkatError` where the disk of TMPDIR is full."""
        self._digest.update(content)
        self.size += len(content)
        if self._file is not None:
            try:
                self._file.write(content)
            except OSError as error:
                raise _no_room(error) from error

    def take(self, other: Spool) -> None:
        """Add everything that another spool holds."""
        if other._file is None:
            self.size += other.size
            return
        with other.opened() as stream:
            while part := stream.read(CHUNK_BYTES):
                self.write(part)

    def opened(self) -> BinaryIO:
        """What was written, from its start. Closing it is the end of the spool."""
        if self._file is None:
            return io.BytesIO()
        try:
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error
        self._file.seek(0)
        return cast(BinaryIO, self._file)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class Table(Spool):
    """A CSV file in UTF-8: `columns` first, then rows."""

    def __init__(self, columns: Sequence[str], *, is_kept: bool = True) -> None:
        super().__init__(is_kept=is_kept)
        self.rows = 0
        self._columns = columns

    def add(self, row: Sequence[str]) -> None:
        """Add a row."""
        if self.rows == 0:
            self._write_row(self._columns)
        self.rows += 1
        self._write_row(row)

    def _write_row(self, row: Sequence[str]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerow(row)
        self.write(text.getvalue().encode())


def _no_room(error: OSError) -> Exception:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return error
    folder = tempfile.gettempdir()
    return SamkatError(
        f"no room for the file of an export in {folder} ({shutil.disk_usage(folder).free:,} bytes free)",
        remedy="free some, or set TMPDIR to a larger disk",
    )
