"""Bench files: right records, the overlap that was asked for, and the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pymarc
import pytest
from stdnum import isbn as stdnum_isbn

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.bench import (
    Format,
    stream_delivery,
    write_bench_catalogue,
    write_bench_delivery,
    write_small_files,
)

pytestmark = pytest.mark.xdist_group("sample-bench")
"""What the module prepares is prepared by one worker, not by each."""

CATALOGUE, DELIVERED = 1_000, 1_000


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bench catalogue."""
    path = tmp_path_factory.mktemp("bench") / "catalogue.mrc"
    written = write_bench_catalogue(path, CATALOGUE, seed=1)
    assert (written.bibs, written.holdings, written.size) == (CATALOGUE, 1_500, path.stat().st_size)
    return path


def _read(path: Path) -> tuple[list[pymarc.Record], list[pymarc.Record]]:
    """(bibs, holdings)"""
    if path.suffix == ".xml":
        records = pymarc.parse_xml_to_array(str(path))
    else:
        records = list(pymarc.MARCReader(path.read_bytes()))
    assert None not in records
    return (
        [record for record in records if record.leader[6] != "x"],
        [record for record in records if record.leader[6] == "x"],
    )


def _titles(bibs: list[pymarc.Record]) -> dict[str, str]:
    return {bib["020"]["a"]: bib["245"]["a"].casefold().strip(" :/") for bib in bibs}


def test_lengths_and_directories_are_right(catalogue: Path) -> None:
    for piece in catalogue.read_bytes().split(b"\x1d")[:-1]:
        assert int(piece[:5]) == len(piece) + 1
        assert piece[int(piece[12:17]) - 1 : int(piece[12:17])] == b"\x1e"


def test_bibs_look_like_those_of_a_real_catalogue(catalogue: Path) -> None:
    bibs, holdings = _read(catalogue)
    sizes = [len(bib.as_marc()) for bib in bibs]
    assert 1_300 < sum(sizes) / len(sizes) < 1_600
    assert 24 < sum(len(bib.fields) for bib in bibs) / len(bibs) < 28
    assert {bib.leader[17] for bib in bibs} == {" ", "3", "5", "7", "8"}
    assert all(stdnum_isbn.is_valid(bib["020"]["a"]) for bib in bibs)
    assert len(_titles(bibs)) == CATALOGUE
    assert len(set(_titles(bibs).values())) == CATALOGUE
    assert {holding["004"].data for holding in holdings} == {bib["001"].data for bib in bibs}
    assert len({(holding["004"].data, holding["852"]["b"]) for holding in holdings}) == len(holdings) == 1_500


@pytest.mark.parametrize("fmt", ["iso2709", "marcxml"])
def test_the_asked_share_of_a_delivery_is_in_the_catalogue(catalogue: Path, tmp_path: Path, fmt: Format) -> None:
    path = tmp_path / ("delivery.xml" if fmt == "marcxml" else "delivery.mrc")
    written = write_bench_delivery(path, DELIVERED, 1, CATALOGUE, overlap_share=0.3, fmt=fmt)
    bibs, holdings = _read(path)
    assert (len(bibs), len(holdings), written.overlapping) == (DELIVERED, 1_500, 300)
    ours, theirs = _titles(_read(catalogue)[0]), _titles(bibs)
    shared = ours.keys() & theirs.keys()
    assert len(theirs) == DELIVERED
    assert len(shared) == 300
    assert {number for number in shared if ours[number] != theirs[number]} == set()
    customers = set(read_register(SAMPLE_REGISTER).supplier_by_code["NORDBOK"].libraries)
    assert {holding["852"]["b"] for holding in holdings} <= customers


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    write_bench_delivery(tmp_path / "a.mrc", 50, 1, 50, fmt="iso2709")
    write_bench_delivery(tmp_path / "a.xml", 50, 1, 50, fmt="marcxml")
    plain, xml = ([[str(field) for field in record.fields] for record in _read(tmp_path / name)[0]] for name in NAMES)
    assert plain == xml


NAMES = ("a.mrc", "a.xml")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    one, same, other = (list(stream_delivery(40, seed, 100)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_an_overlap_larger_than_the_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="30% of 100 bibs cannot all be among 20"):
        write_bench_delivery(tmp_path / "x.mrc", 100, 1, overlap_bibs=20)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.3, 30), (1.0, 100)])
def test_any_share_can_be_asked_for(tmp_path: Path, share: float, expected: int) -> None:
    assert write_bench_delivery(tmp_path / "x.mrc", 100, 1, 100, share).overlapping == expected


def test_small_files_hold_together_what_one_delivery_holds(tmp_path: Path) -> None:
    files = write_small_files(tmp_path, 6, 3, bibs_a_file=2)
    write_bench_delivery(tmp_path / "one.mrc", 12, 3, 0, 0.0)
    assert b"".join(file.read_bytes() for file in files) == (tmp_path / "one.mrc").read_bytes()
    assert [file.name for file in files][:2] == [
        "NORDBOK_20250314180000_fil00000.mrc",
        "NORDBOK_20250314180001_fil00001.mrc",
    ]
