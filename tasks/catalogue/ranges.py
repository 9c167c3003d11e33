"""The rows of a large plain ISO2709 file, made by others a byte range each: what they need to know, and what they give.

A range is cut anywhere; whoever reads it takes the bibs that begin in it, with what follows them
(`tasks.marc.blocks.block_of_range`). So nobody needs to look at the whole file before the work is shared. Positions
are counted from 1 in each range and moved up where the rows are put in order. Whoever reads needs Samkat's code and
the landing zone, no warehouse.
"""

from __future__ import annotations

import io
import pickle
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, SupportsIndex

from schemas.errors import SamkatError
from tasks.catalogue.side_by_side import RowMaker, rows_in_order
from tasks.catalogue.staged_rows import BatchColumns, RowBatch, StagingRules
from tasks.landing.opening import open_zone
from tasks.landing.zone import LandingZone, NotLandedError
from tasks.marc.blocks import Block, block_of_range
from tasks.marc.reading import ReadingRules

RANGE_BYTES = 8 * 1024 * 1024
"""About 12,000 pieces: half a second of work, and a transaction when they are written.

A task run costs a worker a tenth of a second by itself, whatever it does: ranges of 500 kB made a cluster slower than
one process alone.
"""
_LOOK_BYTES = 64 * 1024
_BUFFERS_FROM_PROTOCOL = 5


@dataclass(frozen=True)
class SharedFile:
    """A file of a landing zone, and how its rows are made."""

    landing_url: str
    uri: str
    name: str
    size: int
    """Bytes."""
    delivery_id: int
    reading: ReadingRules
    rules: StagingRules
    range_bytes: int

    def starts(self) -> range:
        """Where the ranges begin."""
        return range(0, self.size, self.range_bytes)

    def maker(self, stream: BinaryIO) -> RowMaker:
        """What makes rows of blocks of this file, which `stream` reads."""
        return RowMaker(stream, self.name, self.delivery_id, self.reading, self.rules)


class PackedRows:
    """The rows of a range on their way between machines.

    Their bytes stand beside the message that carries them, not within it (PEP 574): Dask copies and searches what is
    within, and the state of a task run wraps it once more.
    """

    __slots__ = ("content",)

    def __init__(self, content: bytes | memoryview) -> None:
        self.content = content

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        beside = int(protocol) >= _BUFFERS_FROM_PROTOCOL
        return PackedRows, (pickle.PickleBuffer(self.content) if beside else bytes(self.content),)


def packed_rows(file: SharedFile, start: int) -> PackedRows:
    """The rows of the range from `start` on, for `rows_of_ranges`.

    Raises `SamkatError` where this machine has not the same file in the landing zone.
    """
    zone = _zone(file.landing_url)
    try:
        with zone.open(file.uri) as stream:
            if stream.seek(0, io.SEEK_END) != file.size:
                raise NotLandedError("another file is there", file=file.name)
            stream = in_small_looks(stream)
            block = block_of_range(stream, start, file.range_bytes)
            batch = file.maker(stream).rows(block) if block.start < block.end else None
    except NotLandedError as error:
        raise SamkatError(
            f"the machine {socket.gethostname()} of the cluster has not this file in its landing zone ({error.cause})",
            file=file.name,
            remedy="every machine needs the landing zone at the same place: a shared folder, or S3",
        ) from error
    # Rows that do not stand alone are made anew where what comes before them is known.
    columns = batch.columns() if batch is not None and batch.stands_alone() else None
    return PackedRows(pickle.dumps((block, columns), protocol=_BUFFERS_FROM_PROTOCOL))


def rows_of_ranges(file: SharedFile, stream: BinaryIO, packed: Iterable[PackedRows]) -> Iterator[RowBatch]:
    """The rows of the file, a batch a range, in order: those of `packed_rows` for each of `file.starts()`.

    Raises `DeliveryRejectedError` where the file holds no record.
    """
    yield from rows_in_order(file.maker(in_small_looks(stream)), map(_unpacked, packed))


def _unpacked(packed: PackedRows) -> tuple[Block, BatchColumns | None]:
    block, columns = pickle.loads(packed.content)
    return block, columns


@lru_cache(maxsize=4)
def _zone(landing_url: str) -> LandingZone:
    """Kept: a client of S3 takes longer to make than a request to answer."""
    return open_zone(landing_url)


class _SmallLooks(io.BufferedReader):
    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(stream.raw, _LOOK_BYTES)
        self._whole = stream  # closes the file when nobody has it any more


def in_small_looks(stream: BinaryIO) -> BinaryIO:
    """The same file without reading far ahead: a look at a seam must not fetch megabytes from an object store."""
    return _SmallLooks(stream) if isinstance(stream, io.BufferedReader) else stream
