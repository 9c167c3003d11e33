"""A file that two processes read in blocks gives the rows that one process gives, whatever stands at the seams."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import DeliveryRejectedError
from tasks.catalogue.delivered_files import rows_of_stream
from tasks.catalogue.levels import LevelReading
from tasks.catalogue.side_by_side import is_plain_iso, rows_side_by_side
from tasks.catalogue.staged_rows import RowBatch, StagingRules
from tasks.landing.unpack import UnpackLimits
from tasks.marc.blocks import blocks_of, pieces_of_block
from tasks.marc.iso2709 import split_pieces
from tasks.marc.reading import ReadingRules
from tests.unit.marc_records import bib, document, holding, holding_fields, iso, xml

RULES = StagingRules(LevelReading(read_register(SAMPLE_REGISTER).levels, "8"), "NORDBOK")
SMALL = 900


def rows(batches: Iterable[RowBatch]) -> list[list[tuple[object, ...]]]:
    tables: list[list[tuple[object, ...]]] = [[] for _ in range(6)]
    for batch in batches:
        for table, some in zip(
            tables,
            (batch.raw, batch.bibs, batch.isbns, batch.identifiers, batch.holdings, batch.lines),
            strict=True,
        ):
            table += some
    return tables


def night(number: int) -> bytes:
    """Bibs with holdings; some bibs cannot be read, so that the holdings behind them are in doubt."""
    rng = Random(number)
    linked = iso("00000nx  a2200000zn 4500", [("004", f"bok{7:06d}"), *holding_fields()])
    content = b""
    for each in range(1, 60):
        one = bib(each)
        if rng.random() < 0.2:
            one = one[: rng.randrange(30, len(one))] + b"\x1d"
        content += one + holding() * rng.randrange(3) + rng.choice([b"", b"\n", linked, b"rubbish\x1d"])
    return content


@pytest.mark.parametrize("number", range(3))
def test_the_rows_are_those_of_one_process(tmp_path: Path, number: int) -> None:
    path = tmp_path / "night.mrc"
    path.write_bytes(night(number))
    together = rows(rows_side_by_side(path, "night.mrc", 7, ReadingRules(), RULES, SMALL))
    with path.open("rb") as stream:
        alone = rows(rows_of_stream(stream, "night.mrc", 7, ReadingRules(), RULES, UnpackLimits(), 1000))
        assert len(list(blocks_of(stream, SMALL))) > 10
    assert together == alone
    assert {row[4] for row in alone[0]} == {"bib", "holding", "unreadable"}


def test_the_pieces_of_the_blocks_are_those_of_the_file() -> None:
    stream = io.BytesIO(night(4))
    blocks = list(blocks_of(stream, SMALL))
    assert [block.start for block in blocks[1:]] == [block.end for block in blocks[:-1]]
    pieces = [piece for block in blocks for piece in pieces_of_block(stream, block)]
    stream.seek(0)
    assert pieces == list(split_pieces(stream))


def test_blanks_alone_are_refused_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "blank.mrc"
    path.write_bytes(b"\n" * 3000)
    with pytest.raises(DeliveryRejectedError, match="the file holds no record"):
        list(rows_side_by_side(path, "blank.mrc", 7, ReadingRules(), RULES, SMALL))


@pytest.mark.parametrize(
    ("content", "formats", "expected"),
    [
        (bib(1), ("iso2709",), True),
        (bib(1), ("marcxml",), False),
        (b"\x1f\x8b" + bib(1), ("iso2709",), False),
        (document(xml("00000nam a22000007a 4500", [("001", "1")])), ("iso2709", "marcxml"), False),
        (b"<html></html>", ("iso2709",), False),
        (b"", ("iso2709",), False),
    ],
)
def test_only_a_plain_file_of_the_agreed_format_is_read_in_blocks(
    tmp_path: Path, content: bytes, formats: tuple[str, ...], expected: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert is_plain_iso(path, "file", ReadingRules(formats=formats)) is expected  # type: ignore[arg-type]
