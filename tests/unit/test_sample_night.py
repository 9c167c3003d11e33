"""The night: files as their suppliers name them, every trap in it, and a manifest that agrees with the files."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pymarc
import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.cast import Drop
from deployments.sample.catalogue import catalogue
from deployments.sample.night import SAMPLE_NIGHT, write_night
from deployments.sample.scenes import compose
from deployments.sample.vocabulary import LIMITED, REGISTERING
from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome

DROPS = compose(1, SAMPLE_NIGHT).drops
BY_NAME = {drop.name: drop for drop in DROPS}


def _drop(word: str) -> Drop:
    (drop,) = (drop for drop in DROPS if word in drop.name)
    return drop


def _records(content: bytes) -> list[pymarc.Record | None]:
    return list(pymarc.MARCReader(content))


def test_the_night_is_the_same_each_time_and_differs_by_seed_and_date() -> None:
    assert compose(1, SAMPLE_NIGHT).drops == DROPS
    assert compose(2, SAMPLE_NIGHT).drops != DROPS
    assert {drop.content for drop in compose(1, date(2025, 3, 15)).drops} & {drop.content for drop in DROPS} == {
        b"",
        _drop("990001").content,
    }


def test_plants_do_not_depend_on_the_date() -> None:
    assert compose(1, date(2031, 12, 31)).plants == compose(1, SAMPLE_NIGHT).plants


def test_the_sigels_are_those_of_the_register() -> None:
    register = read_register(SAMPLE_REGISTER)
    night = [each for each in register.libraries if each.has_agreement(SAMPLE_NIGHT)]
    assert tuple(each.sigel for each in night if each.is_visible) == REGISTERING
    assert tuple(each.sigel for each in night if not each.is_visible) == LIMITED


def test_files_go_into_their_suppliers_folders_in_the_nights_order(tmp_path: Path) -> None:
    incoming = tmp_path / "landing" / "incoming"
    written = write_night(incoming, seed=1)
    assert len(written) == 57
    assert [path for _, path, _ in written] == [incoming / drop.supplier / drop.name for drop in DROPS]
    assert [path.read_bytes() for _, path, _ in written] == [drop.content for drop in DROPS]
    assert [shows for _, _, shows in written] == [drop.shows for drop in DROPS]
    times = [path.stat().st_mtime for _, path, _ in written]
    assert times == sorted(times)
    assert sorted(each for each in tmp_path.rglob("*") if each.is_file()) == sorted(path for _, path, _ in written)


def test_the_manifest_is_json_with_a_row_a_record(tmp_path: Path) -> None:
    write_night(tmp_path / "incoming", seed=1, manifest=tmp_path / "night.json")
    manifest: dict[str, Any] = json.loads((tmp_path / "night.json").read_text(encoding="utf-8"))
    assert (manifest["seed"], manifest["on"]) == (1, "2025-03-14")
    assert [file["name"] for file in manifest["files"]] == [drop.name for drop in DROPS]
    cut = next(file for file in manifest["files"] if file["name"].endswith("avklippt.mrc"))
    assert cut["records"][10] == {
        "position": 11,
        "part": 0,
        "kind": "unreadable",
        "outcomes": [],
        "shows": "cut short: kept with its offset and the reason",
    }


def test_file_names_keep_their_suppliers_rules_but_for_the_one_that_breaks_them() -> None:
    suppliers = read_register(SAMPLE_REGISTER).supplier_by_code
    breaking = []
    for drop in DROPS:
        pattern = suppliers[drop.supplier].file.pattern
        if pattern is not None and not re.fullmatch(pattern, drop.name):
            breaking.append(drop.name)
    assert breaking == ["ny_leverans.xml"]


def test_the_registers_examples_keep_their_patterns() -> None:
    for supplier in read_register(SAMPLE_REGISTER).suppliers:
        if supplier.file.pattern is not None:
            assert supplier.file.example is not None
            assert re.fullmatch(supplier.file.pattern, supplier.file.example)


def test_expectations_are_words_of_the_vocabulary() -> None:
    outcomes = {
        "bib": {each.value for each in BibOutcome},
        "holding": {each.value for each in HoldingOutcome},
        "unreadable": set(),
    }
    for drop in DROPS:
        assert set(drop.states) <= {each.value for each in DeliveryState}
        for expected in drop.expected:
            assert set(expected.outcomes) <= outcomes[expected.kind], drop.name
    seen = {outcome for drop in DROPS for expected in drop.expected for outcome in expected.outcomes}
    assert seen == outcomes["bib"] | outcomes["holding"]


@pytest.mark.parametrize("name", sorted(name for name in BY_NAME if name.endswith((".mrc", ".iso88591"))))
def test_the_manifest_counts_the_pieces_of_iso2709_files(name: str) -> None:
    drop = BY_NAME[name]
    positions = {expected.position for expected in drop.expected}
    assert positions == set(range(1, drop.content.count(b"\x1d") + 1))


@pytest.mark.parametrize("name", sorted(name for name in BY_NAME if name.endswith(".xml")))
def test_the_manifest_counts_the_records_of_marcxml_files(name: str) -> None:
    drop = BY_NAME[name]
    if drop.expected:
        assert {expected.position for expected in drop.expected} == set(range(1, drop.content.count(b"<record ") + 1))


def test_every_bib_that_is_met_stands_in_the_catalogue() -> None:
    numbers = {plant.by.control_number for plant in catalogue(1, 200)}
    met = {expected.meets for drop in DROPS for expected in drop.expected if expected.meets}
    assert len(met) > 70
    assert met <= numbers


def test_matches_by_their_number_share_one_with_the_bib_that_they_meet() -> None:
    """What is kept or replaced has its number in the catalogue, and what is new has not."""
    plants = {plant.by.control_number: plant for plant in compose(1, SAMPLE_NIGHT).plants}
    held = {number.text for plant in plants.values() for number in plant.book.numbers}
    for drop in DROPS:
        for expected in drop.expected:
            if expected.kind == "bib" and expected.outcomes in (("kept",), ("replaced",)):
                assert expected.isbn in {number.text for number in plants[expected.meets].book.numbers}
            elif expected.kind == "bib" and "dummy" not in expected.shows and expected.outcomes == ("created",):
                assert expected.isbn not in held or expected.isbn == ""


def test_record_eleven_of_fifty_is_cut_short() -> None:
    content = _drop("avklippt.mrc").content
    pieces = content.split(b"\x1d")[:-1]
    assert len(pieces) == 50
    assert [place for place, piece in enumerate(pieces, start=1) if int(piece[:5]) != len(piece) + 1] == [11]
    # The trap: pymarc ends here without a word.
    assert len([record for record in _records(content) if record is not None]) == 10


def test_damaged_files_are_damaged_as_said() -> None:
    assert len(_drop("for-stor").content) > 99_999
    assert _drop("for-stor").content[:5] == b"99999"
    assert _drop("tom.mrc").content == b""
    assert _drop("990001").content.startswith(b"<!DOCTYPE html>")
    assert _drop("bom.mrc").content.startswith(b"\xef\xbb\xbf")
    assert b"</collection>" not in _drop("avbruten").content
    assert b'SYSTEM "file:///nonexistent/' in _drop("entitet").content


def test_character_sets_are_mislabelled_as_said() -> None:
    latin = _drop("latin1-som-a").content
    assert latin[9:10] == b"a"
    with pytest.raises(UnicodeDecodeError):
        latin.decode()
    blank = _drop("utf8-som-blank").content
    assert blank[9:10] == b" "
    assert "Åskvädret" in blank.decode()
    assert "Åskvädret".encode("latin-1")[:4] not in _drop("marc8").content
    records = [record for record in _records(_drop("marc8").content) if record is not None]
    assert records[0]["245"]["a"] == "Åskvädret över Ärlingsö och Öxnö"
    assert "Ã" in _drop("mojibake").content.decode()


def test_packed_files_hold_day_files() -> None:
    with zipfile.ZipFile(io.BytesIO(_drop("packat.zip").content)) as archive:
        assert [len(_records(archive.read(name))) for name in archive.namelist()] == [2, 2]
    assert [expected.position for expected in _drop("packat.zip").expected] == [1, 2, 3, 4]


def test_a_resent_file_has_the_bytes_of_another() -> None:
    (again,) = (drop for drop in DROPS if drop.resent_of)
    assert again.content == BY_NAME[again.resent_of].content
    assert again.name != again.resent_of


def test_normalising_has_something_to_take_away() -> None:
    (bib, _) = _records(_drop("normalisering").content)
    assert bib is not None
    assert [field.tag for field in bib.get_fields("949", "991")] == ["949", "991"]
    assert bib["082"]["2"] == "machine generated"
    assert bib["500"]["5"] == "XXXX"
    assert "0" in bib["650"]


def test_withdrawals_are_more_than_the_guard_lets_through() -> None:
    limit = read_register(SAMPLE_REGISTER).guards.limit_for("supplier-ingest", "holding_delete")
    assert limit is not None
    withdrawn = [record for record in _records(_drop("makuleringar").content) if record and record.leader[5] == "d"]
    assert len(withdrawn) == 25
    assert limit.limit(20_000) < 25


def test_the_poor_delivery_is_under_its_suppliers_limit() -> None:
    quality = read_register(SAMPLE_REGISTER).supplier_by_code["FORHAND"].quality
    bibs = [record for record in _records(_drop("utan-isbn").content) if record is not None]
    assert len(bibs) >= quality.min_records_to_judge
    assert sum(bool(bib.get_fields("020")) for bib in bibs) / len(bibs) < quality.min_isbn_share


def test_no_other_delivery_is_large_enough_to_be_held_for_its_shares() -> None:
    large = {drop.name.rsplit("_", 1)[1]: drop for drop in DROPS if len(drop.expected) >= 20}
    assert set(large) == {"avklippt.mrc", "makuleringar.mrc", "utan-isbn.mrc"}
