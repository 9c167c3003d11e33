"""The sample's writers, read back with other people's readers."""

from __future__ import annotations

import gzip
import io
import zipfile

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sample.encoding import gzipped, iso2709, marcxml, zipped
from schemas.marc import Record, control_field, data_field


def _record(title: str = "Ön", *, note: str = "") -> Record:
    record = Record("00000nam a2200000 i 4500")
    record.all_fields = [control_field("001", "1"), data_field("245", "10", [("a", title), ("c", "A & B")])]
    if note:
        record.all_fields += [data_field("505", "  ", [("a", note)])] * 12
    return record


def _read(content: bytes, **options: object) -> pymarc.Record:
    (record,) = pymarc.MARCReader(content, **options)
    assert record is not None
    return record


def test_the_directory_and_lengths_are_right() -> None:
    content = iso2709(_record())
    assert int(content[:5]) == len(content)
    read = _read(content)
    assert [field.tag for field in read.fields] == ["001", "245"]
    assert read["245"].subfields[0].value == "Ön"
    assert read.leader[9] == "a"


def test_latin_1_is_written_with_a_blank_in_the_leader() -> None:
    content = iso2709(_record("Åskvädret på ön"), "iso8859-1")
    assert content[9:10] == b" "
    assert "Åskvädret på ön".encode("latin-1") in content


def test_a_letter_that_latin_1_lacks_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        iso2709(_record("Ča"), "iso8859-1")


@pytest.mark.parametrize("title", ["Åskvädret över Öxnö", "Ravnøya og ærfuglen", "Café Français", "L'île à midi"])
def test_marc_8_is_read_back_by_pymarc(title: str) -> None:
    content = iso2709(_record(title), "marc-8")
    assert content[9:10] == b" "
    assert _read(content)["245"]["a"] == title


def test_marc_8_refuses_what_extended_latin_lacks() -> None:
    with pytest.raises(UnicodeEncodeError):
        iso2709(_record("Жук"), "marc-8")


def test_the_leader_lies_when_it_is_told_to() -> None:
    assert iso2709(_record(), "iso8859-1", "a")[9:10] == b"a"
    assert iso2709(_record(), "utf-8", " ")[9:10] == b" "


def test_a_record_over_the_limit_has_its_length_capped() -> None:
    content = iso2709(_record(note="x" * 9_900))
    assert len(content) > 99_999
    assert content[:5] == b"99999"


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc"))))
def test_marcxml_is_read_back_by_pymarc(title: str) -> None:
    (read,) = pymarc.parse_xml_to_array(io.BytesIO(marcxml([_record(f"x{title}")])))
    assert read["245"]["a"] == f"x{title}"
    assert read["245"]["c"] == "A & B"


@pytest.mark.parametrize("size", [0, 1, 65_534, 65_535, 65_536, 200_000])
def test_gzip_opens_to_what_went_in(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert gzip.decompress(gzipped(content)) == content


def test_zip_opens_to_what_went_in() -> None:
    members = [("a.mrc", b"one"), ("b.mrc", b"two")]
    with zipfile.ZipFile(io.BytesIO(zipped(members))) as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == members
