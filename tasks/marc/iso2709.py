"""ISO2709: a stream into pieces, a piece into the slices of a record.

A regular record is sliced here; an irregular one is for `recovery.py`. Pieces end at the record terminator 0x1D,
whatever the length fields say: a wrong length costs one record, not the rest of the file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from tasks.marc.recovery import Slices

RECORD_END = b"\x1d"
FIELD_END = b"\x1e"
MAX_PIECE_BYTES = 10 * 1024 * 1024
"""A longer piece is cut here: no terminator in 10 MB means damage, and memory must stay constant."""
CHUNK_BYTES = 1024 * 1024
BETWEEN_RECORDS = b" \t\r\n\x0b\x0c\x1a\x00"
"""Line ends, padding and the end-of-file sign of old systems: tolerated between records and counted nowhere."""
UTF8_BOM = b"\xef\xbb\xbf"

_LEADER = re.compile(rb"[0-9]{5}[\x20-\x7e]{5}22[0-9]{5}[\x20-\x7e]{3}(?:4500|45  |450 )")
"""What a leader looks like inside other bytes."""
_BLANK_LENGTH = re.compile(rb" {5}[\x20-\x7e]{5}[0-9 ]{2}[0-9]{5}")


class Piece(NamedTuple):
    """Bytes between two terminators and where they begin. `defect` is why nobody needs to try to read them."""

    byte_offset: int
    content: bytes
    defect: str = ""


def split_pieces(stream: BinaryIO, *, max_piece_bytes: int = MAX_PIECE_BYTES, first_offset: int = 0) -> Iterator[Piece]:
    """The pieces of a stream, in constant memory; where the stream stands is the offset `first_offset`.

    `content` holds the terminator where there is one. Bytes behind the last terminator are a piece, unless they are
    blank. A piece in which another record begins (the first one lost its end) comes out as two.
    """
    for offset, content in _between_terminators(stream, max_piece_bytes, first_offset):
        size = len(content)
        if size < max_piece_bytes:
            if content[:5] == b"%05d" % size:  # a record and nothing beside it, as nearly every piece is
                yield _new(Piece, (offset, content, ""))
            else:
                yield from _pieces(offset, content)
            continue
        for start in range(0, len(content), max_piece_bytes):
            part = content[start : start + max_piece_bytes]
            if len(part) == max_piece_bytes:
                yield Piece(offset + start, part, f"no record terminator (0x1D) within {max_piece_bytes:,} bytes")
            else:
                yield from _pieces(offset + start, part)


def _pieces(offset: int, content: bytes) -> Iterator[Piece]:
    """What stands before one terminator: nothing, a record, or several of which all but the last lost their end."""
    start = _blank_length(content)
    if start == len(content) or content[start:] == RECORD_END:
        return
    if start:
        offset, content = offset + start, content[start:]
    if content[:5] == b"%05d" % len(content):
        yield Piece(offset, content)
    else:
        yield from _resynchronised(offset, content)


def slice_regular(content: bytes) -> Slices | None:
    """The slices of a record without any fault, or None.

    Fields are found by their terminators, and the directory that belongs to them is written down: it must be the one
    that is there. That is as strict as slicing by the directory, and takes half the time.
    """
    size = len(content)
    try:
        base = int(content[12:17])
        if size < 26 or int(content[:5]) != size or content[base - 1] != 0x1E or content[-2:] != b"\x1e\x1d":
            return None
        leader = content[:24].decode("ascii")
        directory = content[24 : base - 1]
        body = content[base:-2]
        lengths = [len(field) + 1 for field in body.split(FIELD_END)]
        tags = list(map(_TAGS.__getitem__, _tags_of(len(lengths)).unpack(directory)))
        if directory_of(tags, lengths) != directory.decode("ascii"):
            return None
    except (ValueError, IndexError, struct.error):
        return None
    return _new(Slices, (leader, tags, body))


def directory_of(tags: list[str], lengths: list[int]) -> str:
    """The directory of fields with these tags and lengths (bytes, terminator included) that stand one after another.

    Only for lengths under 10,000 that add up to less than 100,000: others do not fit into its columns.
    """
    parts = [""] * (3 * len(tags))
    parts[0::3] = tags
    parts[1::3] = map(_LENGTHS.__getitem__, lengths)
    parts[2::3] = map(_PLACES.__getitem__, accumulate(lengths[:-1], initial=0))
    return "".join(parts)


class _Tags(dict[bytes, str]):
    """Tags as text: few different ones come again and again. Raises `UnicodeDecodeError` for what is none."""

    def __missing__(self, tag: bytes) -> str:
        if len(self) > 10_000:
            self.clear()  # rubbish in a directory must not fill the memory
        text = self[tag] = tag.decode("ascii")
        return text


class _Numbers(dict[int, str]):
    """Numbers as a directory writes them: looking one up takes half the time of formatting it."""

    def __init__(self, digits: int) -> None:
        super().__init__()
        self._digits = digits

    def __missing__(self, number: int) -> str:
        text = self[number] = f"{number:0{self._digits}d}"
        return text


_TAGS, _LENGTHS, _PLACES = _Tags(), _Numbers(4), _Numbers(5)
_new = tuple.__new__
"""Makes a named tuple in half the time."""


@cache
def _tags_of(fields: int) -> struct.Struct:
    """The tags of a directory of so many fields."""
    return struct.Struct("3s9x" * fields)


def _between_terminators(stream: BinaryIO, max_piece_bytes: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes with their terminator), nothing left out, cut where they grow too long."""
    kept: list[bytes] = []
    kept_size = 0
    while chunk := stream.read(CHUNK_BYTES):
        first, *others = chunk.split(RECORD_END)
        kept.append(first)
        kept_size += len(first)
        if others:
            *between, last = others
            for each in (b"".join(kept), *between):
                content = each + RECORD_END
                yield offset, content
                offset += len(content)
            kept, kept_size = [last], len(last)
        if kept_size >= max_piece_bytes:
            whole = b"".join(kept)
            cut = len(whole) - len(whole) % max_piece_bytes
            for start in range(0, cut, max_piece_bytes):
                yield offset + start, whole[start : start + max_piece_bytes]
            offset += cut
            kept, kept_size = [whole[cut:]], len(whole) - cut
    rest = b"".join(kept)
    if rest:
        yield offset, rest


def _blank_length(content: bytes) -> int:
    """How many bytes before the record belong to none; a byte order mark is not blank and stays with the record."""
    if content[0] not in BETWEEN_RECORDS:
        return 0
    start = len(content) - len(content.lstrip(BETWEEN_RECORDS))
    # Five spaces before the rest of a leader are no padding: they are its length, which nobody filled in.
    return start - 5 if start >= 5 and _BLANK_LENGTH.match(content, start - 5) else start


def _resynchronised(offset: int, content: bytes) -> Iterator[Piece]:
    """Cut where another whole record begins inside the piece.

    A record that lost its end has also lost its terminator, and the next one would be lost with it. A leader inside
    counts only where its own length or directory fits, so that text that looks like one does no harm.
    """
    first = 1 + (len(UTF8_BOM) if content.startswith(UTF8_BOM) else 0)
    inside = [match.start() for match in _LEADER.finditer(content, first)]
    starts = [0, *(start for start in inside if _begins_record(content[start:]))]
    for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
        yield Piece(offset + start, content[start:end])


def _begins_record(rest: bytes) -> bool:
    base = int(rest[12:17])
    if (base - 25) % 12 or base < 25 or rest[base - 1 : base] != FIELD_END:
        return False
    return rest[24 : base - 1].isalnum() and FIELD_END not in rest[: base - 1]
