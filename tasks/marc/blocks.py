"""A plain ISO2709 file in blocks that can be read side by side.

A block begins where a bib seems to begin, right behind a record terminator: the holdings of a bib follow it, so a
block needs nothing of the pieces before it, except where that bib cannot be read after all. The pieces of all blocks
are the pieces of the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from tasks.marc.iso2709 import Piece, split_pieces

BLOCK_BYTES = 2 * 1024 * 1024
"""About 3,000 pieces."""
_WINDOW_BYTES = 64 * 1024
_LONGEST_SIGN = 64
_BIB_BEGINS = re.compile(
    rb"\x1d(?=[ \t\r\n\x0b\x0c\x1a\x00]{0,16}[0-9]{5}[\x20-\x7e][a-tz][\x20-\x7e]{3}22[0-9]{5}[\x20-\x7e]{3}4500)"
)


class Block(NamedTuple):
    """Where a block begins in the file, and where it ends."""

    start: int
    end: int


def blocks_of(stream: BinaryIO, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of a whole file, each of about `size` bytes; only a look at each seam is read."""
    length = stream.seek(0, io.SEEK_END)
    start = 0
    while start < length:
        end = _next_bib(stream, start + size, length)
        yield Block(start, end)
        start = end


def block_of_range(stream: BinaryIO, start: int, size: int) -> Block:
    """The block that belongs to the bytes from `start` on, `size` of them: the bibs that begin there, to their end.

    Ranges that follow each other give blocks that do, whoever looks and in whatever order. A block is empty where no
    bib begins in its range; that of the range from 0 on takes what stands before the first bib as well.
    """
    length = stream.seek(0, io.SEEK_END)
    return Block(_next_bib(stream, start, length) if start else 0, _next_bib(stream, start + size, length))


def _next_bib(stream: BinaryIO, place: int, length: int) -> int:
    """Where the first bib behind `place` begins; the end of the file where there is none."""
    while place < length:
        stream.seek(place)
        window = stream.read(_WINDOW_BYTES + _LONGEST_SIGN)
        found = _BIB_BEGINS.search(window)
        if found is not None:
            return place + found.end()
        place += _WINDOW_BYTES
    return length


def pieces_of_block(stream: BinaryIO, block: Block) -> Iterator[Piece]:
    """The pieces of a block, their offsets counted from the beginning of the file."""
    stream.seek(block.start)
    content = io.BytesIO(stream.read(block.end - block.start))
    return split_pieces(content, first_offset=block.start)
