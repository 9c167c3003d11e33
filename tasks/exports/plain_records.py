"""The short way for the most usual form (ISO2709, UTF-8, composed letters): bytes that can nearly stay as they are.

What belongs here is telling that a bib is one of those, and putting its new control fields before its old bytes; and
holding records, of which thousands share leader and directory. Everything else gets None and takes the general way
(`dressing`, `holding_records`, `encoding`): what is written here must be what is written there, which
tests/unit/test_exports_plain.py holds together.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

from schemas.register.export_profiles import ExportProfile
from tasks.exports.gathering import BibRow
from tasks.marc.encode import MAX_FIELD_BYTES, MAX_RECORD_BYTES
from tasks.marc.iso2709 import directory_of

_CONTROL = (b"001", b"003", b"005")
_ENTRY = 12


def is_plain(profile: ExportProfile) -> bool:
    """Whether a profile's bibs may go the short way."""
    return (
        (profile.format, profile.charset, profile.letters) == ("iso2709", "utf-8", "composed")
        and profile.isbn == "as_is"
        and not profile.move_035_9
        and profile.holdings != "embedded"
    )


def plain_bib(row: BibRow, prefix: str) -> bytes | None:
    """The record of a bib that is there, with 001, 003 and 005 as the receiver gets them; None: not this way."""
    content = row.content
    if row.former or content[:5] != b"%05d" % len(content) or content[9:12] != b"a22":
        return None
    end = content.find(b"\x1e", 24)
    directory = content[24:end]
    fields, rest = divmod(len(directory), _ENTRY)
    if rest or not fields or not _is_composed(content):
        return None
    tags = _tags(fields).unpack(directory)
    old = 0
    while old < fields and tags[old] in _CONTROL:
        old += 1
    behind = tags[old:]
    if not behind or any(tag in behind for tag in _CONTROL):
        return None
    begin = end + 1 + int(directory[old * _ENTRY + 7 : old * _ENTRY + 12])
    changed_at = _own_date(content, tags[:old], end + 1, begin) if row.is_catalogues else b""
    head = b"%b\x1e%b\x1e%b\x1e" % (
        row.control_number.encode(), prefix.encode(), changed_at or row.changed_at.encode(),
    )  # fmt: skip
    moved = _moved(directory[old * _ENTRY :], fields - old, len(head) - (begin - end - 1))
    base = 25 + _ENTRY * 3 + len(moved)
    size = base + len(head) + len(content) - begin
    if size > MAX_RECORD_BYTES:
        return None
    own = _control_entries(*map(len, head.split(b"\x1e")[:3]))
    return b"%05d%ba22%05d%b4500%b%b\x1e%b%b" % (
        size, content[5:9], base, content[17:20], own, moved, head, content[begin:],
    )  # fmt: skip


def _is_composed(content: bytes) -> bool:
    return content.isascii() or unicodedata.is_normalized("NFC", content.decode())


def _own_date(content: bytes, tags: Sequence[bytes], start: int, end: int) -> bytes:
    """The first 005 among the control fields at the beginning; empty where there is none."""
    values = content[start:end].split(b"\x1e")
    return next((value.strip() for tag, value in zip(tags, values, strict=False) if tag == b"005"), b"")


def _moved(directory: bytes, fields: int, by: int) -> bytes:
    """Entries whose fields all begin `by` bytes later."""
    if by == 0:
        return directory
    parts = list(_entries(fields).unpack(directory))
    parts[1::2] = [int(start) + by for start in parts[1::2]]
    return _written(fields) % tuple(parts)


@cache
def _tags(fields: int) -> struct.Struct:
    return struct.Struct("3s9x" * fields)


@cache
def _entries(fields: int) -> struct.Struct:
    return struct.Struct("7s5s" * fields)


@cache
def _written(fields: int) -> bytes:
    return b"%b%05d" * fields


@lru_cache(maxsize=4096)
def _control_entries(number: int, prefix: int, date: int) -> bytes:
    return directory_of(["001", "003", "005"], [number + 1, prefix + 1, date + 1]).encode("ascii")


def plain_record(leader: str, tags: tuple[str, ...], texts: Sequence[str]) -> bytes | None:
    """A small record from its texts; None where it is too long, or a letter is not composed."""
    fields = [text.encode() for text in texts]
    head = _head(leader, tags, tuple(map(len, fields)))
    body = b"\x1e".join(fields)
    if head is None or not (body.isascii() or unicodedata.is_normalized("NFC", body.decode())):
        return None
    return b"%b%b\x1e\x1d" % (head, body)


@lru_cache(maxsize=8192)
def _head(leader: str, tags: tuple[str, ...], lengths: tuple[int, ...]) -> bytes | None:
    """Leader and directory. The holdings of a catalogue share a few hundred of them."""
    whole = [each + 1 for each in lengths]
    base = 25 + _ENTRY * len(tags)
    size = base + sum(whole) + 1
    if size > MAX_RECORD_BYTES or max(whole) > MAX_FIELD_BYTES:
        return None
    text = f"{size:05d}{leader[5:9]}a22{base:05d}{leader[17:20]}4500{directory_of(list(tags), whole)}\x1e"
    return text.encode("ascii")
