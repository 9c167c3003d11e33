"""The rows of a large plain ISO2709 file, made by two processes: some blocks of it here, the others there.

The second process makes the rows of most blocks, since this one writes all of them, in order. It counts
positions from 1 in each block; they are moved up here, where the blocks before have been counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from schemas.errors import DeliveryRejectedError
from tasks.catalogue.staged_rows import BatchColumns, RowBatch, StagingRules
from tasks.landing.packing import packing_of
from tasks.marc.blocks import BLOCK_BYTES, Block, blocks_of, pieces_of_block
from tasks.marc.reading import ReadingRules
from tasks.marc.sniffing import HEAD_BYTES, format_of
from tasks.marc.staging import NOTHING_BEFORE, Stager
from tasks.second_process import second_process

HERE_EVERY, HERE_FIRST = 4, 2
"""Every so many-th block is read in this process, which also writes all of them, and so many at the beginning: until
the second process has started and made its first one."""


def is_plain_iso(path: Path, name: str, reading: ReadingRules) -> bool:
    """Whether a file is ISO2709 as it is, in a format that the sender may use. What is wrong with it is not said."""
    with path.open("rb") as stream:
        return is_plain_iso_stream(stream, name, reading)


def is_plain_iso_stream(stream: BinaryIO, name: str, reading: ReadingRules) -> bool:
    """As `is_plain_iso`; the stream stands behind its first bytes afterwards."""
    head = stream.read(HEAD_BYTES)
    try:
        return not packing_of(head) and format_of(head, file=name) == "iso2709" and "iso2709" in reading.formats
    except DeliveryRejectedError:
        return False


def rows_side_by_side(
    path: Path,
    name: str,
    delivery_id: int,
    reading: ReadingRules,
    rules: StagingRules,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[RowBatch]:
    """The rows of the file, a batch a block, in order. Raises `DeliveryRejectedError` where it holds no record."""
    with path.open("rb") as stream:
        blocks = [(block, _is_for_here(number)) for number, block in enumerate(blocks_of(stream, block_bytes))]
        elsewhere = [block for block, is_for_here in blocks if not is_for_here]
        maker = RowMaker(stream, name, delivery_id, reading, rules)
        if not elsewhere:
            yield from rows_in_order(maker, [(block, None) for block, _ in blocks])
            return
        with second_process(columns_of_blocks, path, elsewhere, name, delivery_id, reading, rules) as there:
            made = ((block, None if is_for_here else next(there)) for block, is_for_here in blocks)
            yield from rows_in_order(maker, made)


def _is_for_here(number: int) -> bool:
    """Whether the block of this number, from 0, is one for this process."""
    return number < HERE_FIRST or number % HERE_EVERY == 0


def rows_in_order(maker: RowMaker, made: Iterable[tuple[Block, BatchColumns | None]]) -> Iterator[RowBatch]:
    """The rows of a file from its blocks in order, positions counted on. `maker` makes those that nobody else made,
    and anew those that may say something else with what comes before them (`RowBatch.stands_alone`).

    Raises `DeliveryRejectedError` where no block holds a record.
    """
    for block, columns in made:
        batch = maker.rows(block) if columns is None else columns.rows(maker.position - 1)
        if columns is not None and not batch.stands_alone():
            batch = maker.rows(block)
        if batch.raw:
            maker.go_on_after(batch)
            yield batch
    if maker.position == 1:
        raise DeliveryRejectedError(
            "the file holds no record", file=maker.name, remedy="send it again with its records"
        )


class RowMaker:
    """Makes rows of blocks, and keeps what the blocks so far say about the next one."""

    def __init__(
        self, stream: BinaryIO, name: str, delivery_id: int, reading: ReadingRules, rules: StagingRules
    ) -> None:
        self.position = 1
        """Of the first piece of the next block."""
        self._stream = stream
        self.name = name
        self._delivery_id = delivery_id
        self._reading = reading
        self._rules = rules
        self._before = NOTHING_BEFORE
        self._bib_position: int | None = None

    def rows(self, block: Block) -> RowBatch:
        """The rows of the next block."""
        stager = Stager(self._reading, 0, self.position, before=self._before)
        batch = RowBatch(self._delivery_id, 0, self.name, "iso2709")
        bib_position = self._bib_position
        for staged in stager.staged(pieces_of_block(self._stream, block)):
            if staged.record_type == "bib":
                bib_position = staged.position
            batch.add(staged, bib_position, self._rules)
        batch.after = stager.before
        return batch

    def go_on_after(self, batch: RowBatch) -> None:
        """Take in that `batch` holds the next block: one that stands alone, or the last one made here."""
        self._before = batch.after
        self._bib_position = batch.last_bib_position() or self._bib_position
        self.position = batch.last_position + 1


def columns_of_blocks(
    path: Path, blocks: Sequence[Block], name: str, delivery_id: int, reading: ReadingRules, rules: StagingRules
) -> Iterator[BatchColumns]:
    """The rows of some blocks, each counted from 1: what the second process runs."""
    with path.open("rb") as stream:
        for block in blocks:
            yield RowMaker(stream, name, delivery_id, reading, rules).rows(block).columns()
