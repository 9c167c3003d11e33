"""Real files of many origins: nothing crashes, nothing is lost, and good files say what pymarc says they say.

The files are not part of the project; where they are absent these tests are skipped.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pymarc
import pytest

from schemas.errors import DeliveryRejectedError
from schemas.marc import StagedPiece
from tasks.marc.encode import decode, encode
from tasks.marc.iso2709 import BETWEEN_RECORDS
from tasks.marc.reading import ReadingRules, count_pieces, open_delivery

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
KINDS = ("marc-bib", "marc-holdings", "marc-bad")
AS_IT_IS = ReadingRules.of_catalogue("SAMKAT")
NEEDED_TAGS = (
    "001", "003", "004", "007", "008", "020", "022", "024", "035", "100", "245", "250", "264", "300", "337", "338",
    "776", "852", "856",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no real files beside the project ({FOLDER.name})"),
    # What one test has read another one looks at.
    pytest.mark.xdist_group("marc-real-files"),
]


@pytest.fixture(scope="module", autouse=True)
def _read_no_longer_than_needed() -> Iterator[None]:
    yield
    read_file.cache_clear()


def files(*kinds: str) -> Iterator[Path]:
    for kind in kinds:
        yield from sorted(each for each in (FOLDER / kind).rglob("*") if each.is_file())


@cache
def read_file(path: Path, rules: ReadingRules) -> tuple[str, list[StagedPiece]]:
    """Format and pieces; an empty format where the file is no MARC."""
    try:
        with path.open("rb") as stream:
            opened = open_delivery(stream, rules=rules)
            return opened.format, list(opened.pieces)
    except DeliveryRejectedError:
        return "", []


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_read_or_rejected_and_every_byte_of_iso2709_accounted_for(kind: str) -> None:
    seen = Counter[str]()
    for path in files(kind):
        content = path.read_bytes()
        name, pieces = read_file(path, ReadingRules())
        seen[name or "rejected"] += 1
        covered = bytearray(content)
        for position, piece in enumerate(pieces, 1):
            end = piece.byte_offset + len(piece.content)
            assert content[piece.byte_offset : end] == piece.content, path
            assert piece.position == position, path
            covered[piece.byte_offset : end] = b" " * len(piece.content)
            seen[piece.record_type] += 1
        if name:
            assert count_pieces(io.BytesIO(content)) == len(pieces), path
        if name == "iso2709":
            left = covered.strip(BETWEEN_RECORDS + b"\x1d")
            assert left == b"", path
    assert seen["bib"] > seen["unreadable"]
    assert seen["rejected"] < 90


def test_every_stored_record_is_read_back_as_it_was_written() -> None:
    for path in files(*KINDS):
        for piece in read_file(path, ReadingRules())[1]:
            if piece.record_type != "unreadable":
                stored = piece.normalised if piece.normalised is not None else piece.content
                assert encode(decode(stored)) == stored, (path, piece.position)


def test_good_files_hold_as_many_records_as_pymarc_finds() -> None:
    compared = 0
    for path in files("marc-bib", "marc-holdings"):
        name, pieces = read_file(path, AS_IT_IS)
        if name == "iso2709":
            with path.open("rb") as stream:
                records = list(pymarc.MARCReader(stream, to_unicode=False, permissive=True))
        elif name == "marcxml" and not any(each.record_type == "unreadable" for each in pieces):
            try:
                records = pymarc.parse_xml_to_array(str(path))
            except Exception:  # what pymarc refuses cannot be compared with it
                continue
        else:
            continue
        if len(records) != len(pieces):
            # pymarc goes by length fields, and ends a file where one of them is wrong.
            assert len(pieces) > len(records), path
            continue
        compared += 1
    assert compared > 1_100


def test_fields_of_good_utf8_files_are_those_of_pymarc() -> None:
    compared = 0
    for path in utf8_files():
        with path.open("rb") as stream:
            others = list(pymarc.MARCReader(stream, to_unicode=True, force_utf8=True, permissive=True))
        pieces = read_file(path, AS_IT_IS)[1]
        if len(others) != len(pieces):
            continue
        for piece, other in zip(pieces, others, strict=True):
            if other is None or piece.findings or piece.record_type == "unreadable":
                continue
            ours = decode(piece.content)
            compared += 1
            for tag in NEEDED_TAGS:
                assert our_fields(ours, tag) == pymarc_fields(other, tag), (path, piece.position, tag)
    assert compared > 1_500


def utf8_files() -> Iterator[Path]:
    with (FOLDER / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t"):
            path = FOLDER / row["file"]
            is_utf8 = row["encoding"].endswith(("utf8-bytes", "ascii")) and "blank" not in row["encoding"]
            if row["kind"] in ("marc-bib", "marc-holdings") and is_utf8 and path.suffix in (".mrc", ".marc"):
                yield path


def our_fields(record: object, tag: str) -> list[object]:
    fields = record.fields(tag)  # type: ignore[attr-defined]
    return [each.value or (each.indicators, [tuple(part) for part in each.subfields]) for each in fields]


def pymarc_fields(record: pymarc.Record, tag: str) -> list[object]:
    return [
        each.data if each.control_field else ("".join(each.indicators), [tuple(part) for part in each.subfields])
        for each in record.get_fields(tag)
    ]
