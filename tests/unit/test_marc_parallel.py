"""Reading in a second process gives the same as reading here, and ends when it should."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from schemas.errors import DeliveryRejectedError, SamkatError
from tasks.marc.parallel import in_second_process, read_in_second_process
from tasks.marc.reading import ReadingRules
from tests.unit.marc_records import bib, holding, read


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    path = tmp_path / "night.mrc"
    path.write_bytes(b"".join(bib(number) + holding() for number in range(1, 301)) + b"rubbish\x1d")
    return path


def two_members(path: Path) -> Iterator[tuple[int, BinaryIO]]:
    for number in (0, 1):
        with path.open("rb") as stream:
            yield number, stream


def numbers_then_an_error(count: int) -> Iterator[int]:
    yield from range(count)
    raise ValueError("after the numbers")


def endless(directory: str) -> Iterator[int]:
    (Path(directory) / "pid").write_text(str(os.getpid()))
    number = 0
    while True:
        yield number
        number += 1


def dies() -> Iterator[int]:
    yield 1
    os._exit(7)


def test_the_pieces_are_the_same_and_in_order(delivery: Path) -> None:
    chunks = list(read_in_second_process(delivery, rules=ReadingRules(), chunk_size=250))
    assert [len(each) for each in chunks] == [250, 250, 101]
    assert [piece for chunk in chunks for piece in chunk] == read(delivery.read_bytes())
    assert type(chunks[0][0].bib).__name__ == "BibFacts"


def test_positions_run_on_through_the_members(delivery: Path) -> None:
    chunks = read_in_second_process(
        delivery, rules=ReadingRules(), first_position=5, chunk_size=600, members=two_members
    )
    assert [(each[0].member_no, each[0].position, len(each)) for each in chunks] == [
        (0, 5, 600), (0, 605, 1), (1, 606, 600), (1, 1206, 1),
    ]  # fmt: skip


def test_an_error_there_is_the_same_error_here(tmp_path: Path) -> None:
    path = tmp_path / "page.mrc"
    path.write_text("<html></html>")
    with pytest.raises(DeliveryRejectedError, match="an HTML page") as caught:
        list(read_in_second_process(path, rules=ReadingRules()))
    assert (caught.value.file, caught.value.remedy) == (
        "page.mrc",
        "send the records as MARCXML in UTF-8, or as ISO2709",
    )


def test_what_came_before_an_error_is_not_lost() -> None:
    items = in_second_process(numbers_then_an_error, 3)
    assert [next(items), next(items), next(items)] == [0, 1, 2]
    with pytest.raises(ValueError, match="after the numbers"):
        next(items)


def test_closing_the_iterator_ends_the_process(tmp_path: Path) -> None:
    items = in_second_process(endless, str(tmp_path))
    assert [next(items), next(items)] == [0, 1]
    pid = int((tmp_path / "pid").read_text())
    items.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_dies_is_an_error_and_no_short_delivery() -> None:
    items = in_second_process(dies)
    assert next(items) == 1
    with pytest.raises(SamkatError, match=r"ended unexpectedly \(exit status 7\)"):
        next(items)


def test_the_process_ends_when_the_first_one_is_killed(tmp_path: Path) -> None:
    parent = os.fork()
    if parent == 0:
        for number in in_second_process(endless, str(tmp_path)):
            if number == 3:
                os._exit(9)
    os.waitpid(parent, 0)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the second process outlived the first one")
