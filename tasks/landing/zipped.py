"""The table of contents of a zip file: what may stand in it, what is ignored, and in which order it is read."""

from __future__ import annotations

import io
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from typing import BinaryIO

from schemas.errors import DeliveryRejectedError
from schemas.marc import Finding

MAX_CONTENTS_BYTES = 4 * 1024 * 1024
"""The table of contents is read in one piece; 4 MiB is room for some 40,000 entries with names as suppliers use."""

_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: encrypted, strongly encrypted, table of contents encrypted (APPNOTE.TXT 4.4.4)."""
_DRIVE = re.compile(r"^[A-Za-z]:")
_JUNK = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\._[^/]*$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)


def read_contents(whole: BinaryIO, name: str) -> zipfile.ZipFile:
    """Open a zip that can seek. Raises `DeliveryRejectedError`, or what `zipfile` raises about damaged content."""
    try:
        return zipfile.ZipFile(_Frugal(whole, name))
    except zipfile.BadZipFile as error:
        raise DeliveryRejectedError(
            f"it begins like a zip file, but its table of contents cannot be read ({error})",
            file=name,
            remedy="it was cut off, or was still being sent: send it again",
        ) from error


def checked_entries(
    archive: zipfile.ZipFile, name: str, most: int, on_finding: Callable[[Finding], None] | None
) -> list[zipfile.ZipInfo]:
    """The files of a zip in the order of their names; two of one name in the order in which they stand.

    Folders are left out; what macOS and Windows leave behind as well, with a finding. Raises `DeliveryRejectedError`
    for more than `most` entries, for one that must not be opened, and where no file is left.
    """
    entries = archive.infolist()
    if len(entries) > most:
        raise DeliveryRejectedError(
            f"it holds {len(entries):,} entries, more than {most:,}",
            file=name,
            remedy="send it in several files, or have the limit raised",
        )
    kept = []
    for entry in entries:
        _refuse_tricks(entry, name)
        if entry.is_dir() or (entry.filename.endswith("\\") and entry.file_size == 0):
            continue
        if _JUNK.search(entry.filename.replace("\\", "/")):
            if on_finding:
                text = f"{entry.filename} was left by the sender's computer; it is ignored"
                on_finding(Finding("junk_member", text, entry.filename))
            continue
        kept.append(entry)
    if not kept:
        raise DeliveryRejectedError(
            "the zip file holds no file", file=name, remedy="pack the records and send it again"
        )
    return sorted(kept, key=lambda each: (each.filename, each.header_offset))


def _refuse_tricks(entry: zipfile.ZipInfo, name: str) -> None:
    """`orig_filename` is the name as it stands in the file: `zipfile` cuts names off at a NUL."""
    shown = entry.orig_filename.encode("utf-8", "backslashreplace").decode()
    if _leads_away(entry.orig_filename):
        raise DeliveryRejectedError(
            f"a name in the zip file leads out of it or cannot be shown: {shown!r}",
            file=name,
            remedy="pack the files again, with plain names",
        )
    if entry.flag_bits & _ENCRYPTED:
        raise DeliveryRejectedError(
            f"{shown} is encrypted", file=name, remedy="send it without a password; the transfer itself is encrypted"
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DeliveryRejectedError(f"{shown} is a symbolic link", file=name, remedy="pack the file itself")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # bzip2 and LZMA could be read, but the memory that LZMA needs is the sender's choice, up to 4 GiB.
        raise DeliveryRejectedError(
            f"{shown} is packed with method {entry.compress_type}", file=name, remedy="pack it with deflate"
        )


def _leads_away(member: str) -> bool:
    parts = member.replace("\\", "/").split("/")
    return (
        not member
        or parts[0] == ""
        or ".." in parts
        or _DRIVE.match(member) is not None
        or any(unicodedata.category(each) in ("Cc", "Cs") for each in member)
    )


class _Frugal:
    """A file that refuses to be read in very large pieces, which `zipfile` does with the table of contents only.

    Places that cannot be are told as damage.
    """

    def __init__(self, whole: BinaryIO, name: str) -> None:
        self._whole = whole
        self._name = name
        self.tell = whole.tell
        self.seekable = whole.seekable

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset < 0:  # a disk would answer with an error of its own
            raise zipfile.BadZipFile("it points to a place before its beginning")
        return self._whole.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if size > MAX_CONTENTS_BYTES:
            raise DeliveryRejectedError(
                f"its table of contents has {size:,} bytes, more than {MAX_CONTENTS_BYTES:,}",
                file=self._name,
                remedy="send it in several files",
            )
        return self._whole.read(size)
