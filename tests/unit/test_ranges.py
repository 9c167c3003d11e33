"""A file whose ranges are read by others gives the rows that one process gives, wherever the ranges are cut."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from schemas.errors import DeliveryRejectedError, SamkatError
from tasks.catalogue.delivered_files import rows_of_stream
from tasks.catalogue.ranges import SharedFile, in_small_looks, packed_rows, rows_of_ranges
from tasks.landing.opening import open_zone
from tasks.landing.unpack import UnpackLimits
from tasks.marc.blocks import block_of_range
from tasks.marc.reading import ReadingRules
from tests.unit.marc_records import bib, holding
from tests.unit.test_side_by_side import RULES, night, rows

KEY = "archive/NORDBOK/2025/03/14/night.mrc"


def shared(folder: Path, content: bytes, range_bytes: int) -> SharedFile:
    uri = open_zone(str(folder)).put(KEY, content)
    return SharedFile(str(folder), uri, "night.mrc", len(content), 7, ReadingRules(), RULES, range_bytes)


@pytest.mark.parametrize(("number", "range_bytes"), [(0, 50), (1, 900), (2, 4096), (3, 10_000_000)])
def test_the_rows_are_those_of_one_process(tmp_path: Path, number: int, range_bytes: int) -> None:
    content = night(number)
    file = shared(tmp_path, content, range_bytes)
    # Whoever reads a range knows nothing of the others, so any order will do.
    packed = {start: packed_rows(file, start) for start in reversed(file.starts())}
    with open_zone(str(tmp_path)).open(file.uri) as stream:
        together = rows(rows_of_ranges(file, stream, [packed[start] for start in file.starts()]))
    alone = rows(rows_of_stream(io.BytesIO(content), "night.mrc", 7, ReadingRules(), RULES, UnpackLimits(), 1000))
    assert together == alone
    assert {row[4] for row in alone[0]} == {"bib", "holding", "unreadable"}


def test_pieces_that_cannot_be_read_cost_nobody_a_second_reading(tmp_path: Path) -> None:
    content = b"".join(bib(each) + holding() + b"rubbish\x1d" + holding() for each in range(1, 60))
    file = shared(tmp_path, content, 4096)
    packed = [packed_rows(file, start) for start in file.starts()]
    together = rows(rows_of_ranges(file, io.BytesIO(), packed))
    alone = rows(rows_of_stream(io.BytesIO(content), "night.mrc", 7, ReadingRules(), RULES, UnpackLimits(), 1000))
    assert together == alone
    assert {row[-1] for row in alone[4][-2:]} == {
        "", "the piece before it (position 235) cannot be read and may be its bib"
    }  # fmt: skip


def test_the_blocks_of_ranges_follow_each_other_to_the_end_of_the_file() -> None:
    content = night(5)
    blocks = [block_of_range(io.BytesIO(content), start, 777) for start in range(0, len(content), 777)]
    assert blocks[0].start == 0
    assert [block.start for block in blocks[1:]] == [block.end for block in blocks[:-1]]
    assert blocks[-1].end == len(content)


def test_a_file_without_records_is_refused_as_ever(tmp_path: Path) -> None:
    file = shared(tmp_path, b"\n" * 3000, 1000)
    packed = [packed_rows(file, start) for start in file.starts()]
    with pytest.raises(DeliveryRejectedError, match="the file holds no record"):
        list(rows_of_ranges(file, io.BytesIO(b"\n" * 3000), packed))


@pytest.mark.parametrize("there", [None, b"another"])
def test_a_machine_without_the_file_says_so(tmp_path: Path, there: bytes | None) -> None:
    file = shared(tmp_path, night(1), 900)
    path = open_zone(str(tmp_path)).local_path(file.uri)
    assert path is not None
    path.unlink() if there is None else path.write_bytes(there)
    with pytest.raises(SamkatError, match=r"has not this file in its landing zone.*every machine needs"):
        packed_rows(file, 0)


def test_looks_at_a_seam_do_not_read_far_ahead() -> None:
    asked: list[int] = []

    class Store(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            asked.append(len(buffer))
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    with in_small_looks(io.BufferedReader(Store(), 8 * 1024 * 1024)) as stream:
        stream.read(10)
    assert max(asked) <= 64 * 1024
