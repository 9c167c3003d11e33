"""The sample's union catalogue: whole records, holdings under their bibs, and the mixture that the pipeline needs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pymarc
import pytest
from stdnum import isbn as stdnum_isbn

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.cast import control_number
from deployments.sample.catalogue import catalogue, write_catalogue

pytestmark = pytest.mark.xdist_group("sample-catalogue")
"""What the module prepares is prepared by one worker, not by each."""

BIBS = 1_200


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[pymarc.Record]:
    """Every record of the catalogue as pymarc reads it."""
    files = write_catalogue(tmp_path_factory.mktemp("catalogue"), seed=1, bibs=BIBS)
    read = [record for file in files for record in pymarc.MARCReader(file.read_bytes())]
    assert None not in read
    return [record for record in read if record is not None]


def _bibs(records: list[pymarc.Record]) -> list[pymarc.Record]:
    return [record for record in records if record.leader[6] != "x"]


def test_control_numbers_are_ours_and_run_through(records: list[pymarc.Record]) -> None:
    bibs = _bibs(records)
    assert [bib["001"].data for bib in bibs] == [control_number(index) for index in range(BIBS)]
    assert {bib["003"].data for bib in bibs} == {"SAMKAT"}


def test_each_holding_stands_under_its_bib_once_a_library(records: list[pymarc.Record]) -> None:
    register = read_register(SAMPLE_REGISTER)
    current, seen = "", set()
    for record in records:
        if record.leader[6] != "x":
            current = record["001"].data
            continue
        assert record["004"].data == current
        (sigel,) = {field["b"] for field in record.get_fields("852")}
        assert sigel in register.library_by_sigel
        assert (current, sigel) not in seen
        seen.add((current, sigel))
    assert len(seen) > BIBS


def test_fixed_fields_have_their_length(records: list[pymarc.Record]) -> None:
    assert {len(bib["008"].data) for bib in _bibs(records)} == {40}
    assert {len(record["008"].data) for record in records if record.leader[6] == "x"} == {32}
    assert {len(str(record.leader)) for record in records} == {24}


def test_the_mixture_has_everything_in_it(records: list[pymarc.Record]) -> None:
    bibs = _bibs(records)
    levels = Counter(bib.leader[17] for bib in bibs)
    assert {" ", "2", "3", "5", "7", "8"} <= set(levels)
    register = read_register(SAMPLE_REGISTER)
    machines = set(register.catalogue.human_edit_agencies)
    counts = {
        "edited": sum(any(each not in machines for each in bib["040"].get_subfields("d")) for bib in bibs),
        "national": sum(bool(bib.get_fields("042")) and bib["042"]["9"] == "NB" for bib in bibs),
        "e-book": sum(bool(bib.get_fields("856")) for bib in bibs),
        "large print": sum(bib["008"].data[23] == "d" for bib in bibs),
        "volume": sum("n" in bib["245"] for bib in bibs),
        "set ISBN": sum(any(f.get("q") == "hela verket" for f in bib.get_fields("020")) for bib in bibs),
        "translation": sum(bool(bib.get_fields("041")) for bib in bibs),
        "ISBN-10": sum(any(len(f.get("a") or "") == 10 for f in bib.get_fields("020")) for bib in bibs),
        "$z": sum(any("z" in f for f in bib.get_fields("020")) for bib in bibs),
        "yearbook": sum("årsbok" in bib["245"]["a"] for bib in bibs),
    }
    assert {name: count for name, count in counts.items() if count < 8} == {}
    owners = Counter(
        note.removeprefix("origin:")
        for record in records
        for field in record.get_fields("852")
        for note in field.get_subfields("x")
        if note.startswith("origin:")
    )
    assert set(owners) == {"BOKRING", "NORDBOK", "MEDIAT"}


def test_isbns_of_ordinary_bibs_are_valid_and_stand_in_one_bib_each(records: list[pymarc.Record]) -> None:
    planted = 150
    numbers = Counter(
        stdnum_isbn.to_isbn13(number)
        for bib in _bibs(records)[planted:]
        for field in bib.get_fields("020")
        for number in field.get_subfields("a", "z")
    )
    assert len(numbers) > BIBS - planted
    assert [number for number in numbers if not stdnum_isbn.is_valid(number)] == []
    assert [number for number, count in numbers.items() if count > 1] == []


def test_a_larger_catalogue_begins_with_the_smaller_one() -> None:
    assert list(catalogue(7, 200)) == list(catalogue(7, 260))[:200]


def test_another_seed_gives_other_books() -> None:
    ours, others = ([plant.book for plant in catalogue(seed, 200)] for seed in (1, 2))
    assert sum(a == b for a, b in zip(ours, others, strict=True)) == 0


def test_a_catalogue_too_small_for_the_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ask for at least so many, not 5"):
        write_catalogue(tmp_path, seed=1, bibs=5)


def test_large_catalogues_are_split_into_files(tmp_path: Path) -> None:
    files = write_catalogue(tmp_path, seed=1, bibs=2_001)
    assert [file.name for file in files] == ["samkatalogen-01.mrc", "samkatalogen-02.mrc"]
    assert pymarc.MARCReader(files[1].read_bytes()).__next__()["001"].data == control_number(2_000)
