"""The short way and the general way write the same bytes; what the short way cannot do it leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import Field, Record, control_field, data_field
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from tasks.exports.choosing import Reason
from tasks.exports.dressing import Dress, dressed
from tasks.exports.encoding import encoder_of
from tasks.exports.gathering import BibRow
from tasks.exports.plain_records import is_plain, plain_bib, plain_record
from tasks.marc.encode import encode
from tasks.marc.records import LazyRecord

PROFILE = ExportProfile(name="p", receiver="R", libraries=("*",))
LEADER = "00000cam a2200000 i 4500"


def row_of(content: bytes, **changes: object) -> BibRow:
    row = BibRow(7, "samkat7", content, False, "20250314180000.0", False, None)
    return row._replace(**changes)  # type: ignore[arg-type]


def general(row: BibRow) -> bytes:
    return encoder_of(PROFILE)(dressed(row, Reason.WRITTEN, Dress(PROFILE, CatalogueRules())))[0]


VALUE = st.text(st.sampled_from("abcå ö\u0301Ж(1)"), max_size=30)
CONTROL = st.lists(st.builds(control_field, st.sampled_from(["001", "003", "005", "008"]), VALUE), max_size=4)
DATA = st.lists(
    st.builds(
        lambda tag, values: data_field(tag, "1 ", [("a", value) for value in values]),
        st.sampled_from(["020", "245", "500", "852"]),
        st.lists(VALUE, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=6,
)


@given(CONTROL, DATA, st.booleans())
def test_a_bib_is_the_same_both_ways(control: list[Field], data: list[Field], is_catalogues: bool) -> None:
    row = row_of(encode(Record(LEADER, [*control, *data])), is_catalogues=is_catalogues)
    assert plain_bib(row, "SAMKAT") in (None, general(row))


@pytest.mark.parametrize("is_catalogues", [True, False])
def test_the_usual_bib_goes_the_short_way(is_catalogues: bool) -> None:
    heads = (
        [],
        [control_field("001", "SK1")],
        [control_field("001", "longer than before"), control_field("003", "X"), control_field("005", " 2001 ")],
    )
    for head in heads:
        record = Record(LEADER, [*head, control_field("008", "x" * 40), data_field("245", "10", [("a", "Åå")])])
        row = row_of(encode(record), is_catalogues=is_catalogues)
        assert plain_bib(row, "SAMKAT") == general(row)


def test_what_is_unusual_takes_the_general_way() -> None:
    usual = Record(LEADER, [control_field("001", "1"), data_field("245", "10", [("a", "Å")])])
    assert plain_bib(row_of(encode(usual)), "SAMKAT") is not None
    for content in (
        encode(replace(usual, all_fields=[data_field("245", "10", [("a", "A\u030a")])])),
        encode(replace(usual, all_fields=[data_field("245", "10", [("a", "A")]), control_field("005", "2")])),
        encode(replace(usual, all_fields=[control_field("001", "1")])),
        encode(replace(usual, all_fields=[data_field("245", "10", [("a", "x" * 10_000)])])),
        encode(usual)[:-1],
    ):
        assert plain_bib(row_of(content), "SAMKAT") is None
    assert plain_bib(row_of(encode(usual), former=("SK2",)), "SAMKAT") is None


def test_a_holding_is_the_same_both_ways() -> None:
    tags, texts = ("001", "004", "852"), ["ö-1", "ö", "8 \x1fbLUNV\x1fhHc"]
    leader = "00000nx  a2200000zn 4500"
    found = plain_record(leader, tags, texts)
    assert found == encoder_of(PROFILE)(LazyRecord(leader, list(tags), texts))[0]
    assert plain_record(leader, tags, ["1", "2", "8 \x1fba\u030a"]) is None
    assert plain_record(leader, tags, ["1", "2", "8 \x1fb" + "x" * 10_000]) is None


def test_the_short_way_is_for_the_form_it_knows() -> None:
    assert is_plain(PROFILE)
    for changes in (
        {"format": "marcxml"}, {"charset": "iso8859-1"}, {"letters": "decomposed"}, {"isbn": "plain"},
        {"move_035_9": True}, {"holdings": "embedded"},
    ):  # fmt: skip
        assert not is_plain(PROFILE.model_copy(update=changes))
