"""ISO2709 records with faults: read what is certainly whole, say what was wrong, give up with a reason.

A record is recovered only where all of it is there. Wrong length fields, wrong addresses and directories that were
counted wrongly can be set right from the field terminators; a record that was cut short cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schemas.marc import Finding
from tasks.marc.records import UnreadableError

_FIELD_END = 0x1E
_ENTRY = 12
MAX_RECORD_BYTES = 99_999
"""What the five digits of the length field can say."""


class Slices(NamedTuple):
    """A record, its fields undivided: leader (24 characters), tags, and the bytes of the fields with 0x1E between."""

    leader: str
    tags: list[str]
    body: bytes


class _Entry(NamedTuple):
    tag: str
    length: int
    start: int


def careful_slices(content: bytes) -> tuple[Slices, list[Finding]]:
    """As `iso2709.slice_piece`, for a piece that is not regular. Raises `UnreadableError` with the reason."""
    findings: list[Finding] = []
    content = _without_frame(content, findings)
    leader = _leader(content, findings)
    directory_end = content.find(_FIELD_END, 24)
    if directory_end < 0:
        raise UnreadableError(f"the directory has no end (0x1E): {_sizes(leader, content)}")
    if directory_end == 24:
        raise UnreadableError("the record has a leader and no fields")
    base = directory_end + 1
    directory = content[24:directory_end]
    data = content[base:].rstrip(b"\x1d")
    entries = _overflown_entries(directory, data)
    is_overflown = bool(entries)
    entries = entries or _entries(directory)
    body = _by_directory(entries, data)
    is_rebuilt = body is None
    if body is None:
        body = _by_terminators(entries, data, leader, content)
    findings += _size_findings(leader, content, base, is_overflown=is_overflown, is_rebuilt=is_rebuilt)
    return Slices(leader.decode("ascii"), [each.tag for each in entries], body), findings


def _without_frame(content: bytes, findings: list[Finding]) -> bytes:
    if content.startswith(b"\xef\xbb\xbf"):
        findings.append(Finding("byte_order_mark", "a byte order mark stands before the record; it was left out"))
        content = content[3:]
    stripped = content.rstrip(b" \t\r\n\x1a\x00")
    return stripped if not content.endswith(b"\x1d") else content


def _leader(content: bytes, findings: list[Finding]) -> bytes:
    leader = content[:24]
    if len(leader) < 24:
        raise UnreadableError(f"the leader has {len(leader)} of 24 characters: {_shown(leader)}")
    if any(separator in leader for separator in (b"\x1e", b"\x1f", b"\x1d")):
        raise UnreadableError(f"the leader is cut or shifted: {_shown(leader)}")
    if not leader[:5].isdigit() and not leader[12:17].isdigit():
        raise UnreadableError(f"this is not a MARC record: it begins with {_shown(leader)} in place of a leader")
    if not leader.isascii():
        findings.append(Finding("leader_damaged", f"the leader holds bytes outside ASCII: {_shown(leader)}", "LDR"))
        leader = bytes(byte if byte < 0x80 else 0x20 for byte in leader)
    return leader


def _entries(directory: bytes) -> list[_Entry]:
    """The directory entries; raises `UnreadableError` where it cannot be divided."""
    if len(directory) % _ENTRY:
        raise UnreadableError(
            f"the directory is {len(directory)} bytes long, which is not a multiple of 12: {_shown(directory[-24:])}"
        )
    entries = []
    for place in range(0, len(directory), _ENTRY):
        entry = directory[place : place + _ENTRY]
        if not (entry.isascii() and entry[:3].isalnum()):
            raise UnreadableError(f"the directory holds no tag at byte {24 + place}: {_shown(entry)}")
        numbers = entry[3:].replace(b" ", b"0")
        if not numbers.isdigit():
            raise UnreadableError(f"the directory entry {_shown(entry)} is not tag, length and place")
        entries.append(_Entry(entry[:3].decode("ascii"), int(numbers[:4]), int(numbers[4:])))
    return entries


def _overflown_entries(directory: bytes, data: bytes) -> list[_Entry]:
    """Entries of a directory in which a number took more digits than it has room for; empty where that is not so.

    A field of 10,000 bytes and more, or one that begins behind byte 99,999, shifts all that follows. The fields
    themselves say which digits to expect.
    """
    if len(directory) % _ENTRY == 0 or not data.endswith(b"\x1e"):
        return []
    entries = []
    place = start = 0
    for field in data[:-1].split(b"\x1e"):
        length = len(field) + 1
        tag = directory[place : place + 3]
        numbers = b"%04d%05d" % (length, start)
        if not tag.isalnum() or directory[place + 3 : place + 3 + len(numbers)] != numbers:
            return []
        entries.append(_Entry(tag.decode("ascii"), length, start))
        place += 3 + len(numbers)
        start += length
    return entries if place == len(directory) else []


def _by_directory(entries: list[_Entry], data: bytes) -> bytes | None:
    """The fields as the directory names them, where they cover the data exactly (in any order), else None."""
    fields = []
    covered = 0
    for entry in entries:
        end = entry.start + entry.length
        field = data[entry.start : end - 1]
        if entry.length < 1 or end > len(data) or data[end - 1] != _FIELD_END or _FIELD_END in field:
            return None
        if entry.start and data[entry.start - 1] != _FIELD_END:
            return None
        fields.append(field)
        covered += entry.length
    if covered != len(data) or len({entry.start for entry in entries}) != len(entries):
        return None
    return b"\x1e".join(fields)


def _by_terminators(entries: list[_Entry], data: bytes, leader: bytes, content: bytes) -> bytes:
    """The fields as their terminators divide them; raises `UnreadableError` where that does not fit the directory."""
    if not data:
        raise UnreadableError(f"there are no fields behind the directory: {_sizes(leader, content)}")
    if data[-1] != _FIELD_END:
        last = max(entries, key=lambda entry: entry.start, default=None)
        is_whole = last is not None and last.start + last.length == len(data) + 1
        if is_whole and data.count(b"\x1e") + 1 == len(entries):
            return data  # only the two terminators are missing, the last field is whole
        raise UnreadableError(f"{_sizes(leader, content)}; {_first_cut(entries, data)}")
    count = data.count(b"\x1e")
    if count != len(entries):
        raise UnreadableError(
            f"the directory lists {len(entries)} fields, {count} are there: {_sizes(leader, content)}; "
            f"{_first_cut(entries, data)}"
        )
    return data[:-1]


def _first_cut(entries: list[_Entry], data: bytes) -> str:
    for entry in sorted(entries, key=lambda each: each.start):
        if entry.start + entry.length > len(data):
            return f"the directory points beyond the data (field {entry.tag} at {entry.start}, {len(data)} bytes there)"
    return "the directory and the fields do not fit together"


def _size_findings(
    leader: bytes, content: bytes, base: int, *, is_overflown: bool, is_rebuilt: bool
) -> Iterator[Finding]:
    """What to tell the supplier about lengths and places in a record that was read all the same."""
    size = len(content)
    is_ended = content.endswith(b"\x1d")
    if size > MAX_RECORD_BYTES:
        text = f"the record has {size:,} bytes, more than ISO2709 can address; fields were found by their terminators"
        yield Finding("oversize", text, "LDR")
    elif is_overflown:
        yield Finding("oversize", "a field has 10,000 bytes or more, which ISO2709 cannot say in its directory")
    elif is_rebuilt and is_ended:
        text = "lengths or places in the directory are wrong; fields were found by their terminators"
        yield Finding("directory_wrong", f"{text} ({_sizes(leader, content)})")
    elif is_ended and leader[:5] != b"%05d" % size:
        yield Finding(
            "length_wrong", f"leader/00-04 is {_shown(leader[:5])}, the record has {size} bytes; it is whole", "LDR"
        )
    if leader[12:17] != b"%05d" % base:
        text = f"leader/12-16 is {_shown(leader[12:17])}, the fields begin at {base}"
        yield Finding("base_address_wrong", text, "LDR")
    if not is_ended:
        yield Finding("terminator_missing", "the record has no record terminator (0x1D) at its end")


def _sizes(leader: bytes, content: bytes) -> str:
    if leader[:5].isdigit():
        announced = int(leader[:5])
        if announced > len(content):
            return f"cut short: the leader announces {announced} bytes, {len(content)} are there"
        return f"the leader announces {announced} bytes, {len(content)} are there"
    return f"the leader announces no length ({_shown(leader[:5])}), {len(content)} bytes are there"


def _shown(value: bytes) -> str:
    """Bytes as a person can read them in a message."""
    return repr(value.decode("latin-1"))
