"""Who makes the rows of a delivery's file: this process, a second one beside it, or a Dask cluster.

The rows are the same, and this process writes them, whoever makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import sqlalchemy as sa

from tasks.catalogue.delivered_files import rows_of_file, rows_of_stream
from tasks.catalogue.ranges import RANGE_BYTES, PackedRows, SharedFile, rows_of_ranges
from tasks.catalogue.side_by_side import is_plain_iso_stream
from tasks.catalogue.staged_rows import RowBatch, StagingRules
from tasks.landing.spooling import spooled
from tasks.marc.reading import ReadingRules
from tasks.workplace import Workplace

LARGE_BYTES = 4 * 1024 * 1024
"""From this size on a second process is worth its start (a third of a second)."""
PIECES_A_FRAME = 3_000


@contextmanager
def row_source(
    place: Workplace,
    row: sa.Row[Any],
    uri: str,
    reading: ReadingRules,
    rules: StagingRules,
    read_there: Callable[[Iterable[dict[str, Any]]], Generator[PackedRows]] | None,
) -> Iterator[Iterator[RowBatch]]:
    """The rows of the delivery of this ledger row, in batches, from its file at `uri`.

    `read_there`, where there is a cluster, gives what `packed_rows` does with each of these arguments, in order; it is
    asked about huge plain ISO2709 files.
    """
    with ExitStack() as open_things:
        if read_there is not None and row.bytes >= place.settings.dask_from_bytes:
            stream = open_things.enter_context(place.zone.open(uri))
            if is_plain_iso_stream(stream, row.name, reading):
                file = SharedFile(
                    place.settings.landing_url, uri, row.name, row.bytes, row.delivery_id, reading, rules, RANGE_BYTES
                )  # fmt: skip
                packed = open_things.enter_context(
                    closing(read_there({"file": file, "start": start} for start in file.starts()))
                )
                yield rows_of_ranges(file, stream, packed)
                return
        yield open_things.enter_context(closing(_made_here(place, row, uri, reading, rules)))


def _made_here(
    place: Workplace, row: sa.Row[Any], uri: str, reading: ReadingRules, rules: StagingRules
) -> Generator[RowBatch]:
    """The rows, those of a large file with the help of a second process."""
    arguments = (row.name, row.delivery_id, reading, rules, place.unpack_limits)
    size = place.settings.chunk_records
    with ExitStack() as open_things:
        if place.settings.second_process and row.bytes >= LARGE_BYTES:
            path = place.zone.local_path(uri) or open_things.enter_context(spooled(place.zone, uri, row.bytes))
            yield from rows_of_file(path, *arguments, min(size, PIECES_A_FRAME))
        else:
            yield from rows_of_stream(open_things.enter_context(place.zone.open(uri)), *arguments, size)
