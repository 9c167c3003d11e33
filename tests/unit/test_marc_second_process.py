"""Pieces that were read in a second process are the same pieces, and that process never stays behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import DeliveryRejectedError
from schemas.marc import StagedPiece
from tasks.marc.reading import ReadingRules, read_delivery
from tasks.second_process import in_second_process
from tests.unit.marc_records import bib, holding, read


def pieces_of(path: Path, rules: ReadingRules) -> Iterator[list[StagedPiece]]:
    with path.open("rb") as stream:
        yield list(read_delivery(stream, rules=rules, file=path.name))


def endless(directory: str) -> Iterator[int]:
    (Path(directory) / "pid").write_text(str(os.getpid()))
    number = 0
    while True:
        yield number
        number += 1


def test_the_pieces_are_the_same_and_of_the_same_types(tmp_path: Path) -> None:
    path = tmp_path / "night.mrc"
    path.write_bytes(b"".join(bib(number) + holding() for number in range(1, 51)) + b"rubbish\x1d")
    (pieces,) = in_second_process(pieces_of, path, ReadingRules())
    assert pieces == read(path.read_bytes())
    assert [type(each).__name__ for each in (pieces[0], pieces[0].bib, pieces[1].holdings[0])] == [
        "StagedPiece",
        "BibFacts",
        "HoldingFacts",
    ]


def test_a_refusal_there_is_the_same_refusal_here(tmp_path: Path) -> None:
    path = tmp_path / "page.mrc"
    path.write_text("<html></html>")
    with pytest.raises(DeliveryRejectedError, match="an HTML page") as caught:
        list(in_second_process(pieces_of, path, ReadingRules()))
    assert (caught.value.file, caught.value.remedy) == (
        "page.mrc",
        "send the records as MARCXML in UTF-8, or as ISO2709",
    )


def test_the_process_ends_when_the_first_one_is_killed(tmp_path: Path) -> None:
    first = os.fork()
    if first == 0:
        for number in in_second_process(endless, str(tmp_path)):
            if number == 3:
                os._exit(9)
    os.waitpid(first, 0)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the second process outlived the first one")
