"""The stored form: there and back, readable by others, and honest about what it cannot hold."""

from __future__ import annotations

import io

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SamkatError
from schemas.marc import Field, Record, control_field, data_field
from tasks.marc.encode import decode, encode, stored_texts
from tasks.marc.records import LazyRecord, UnwritableError, lazy
from tests.unit.marc_records import BIB_LEADER, bib, bib_fields

value = st.text(st.characters(exclude_characters="\x1d\x1e\x1f", exclude_categories=["Cs"]), max_size=30)
subfields = st.lists(st.tuples(st.sampled_from("abcdxyz0123456789"), value), min_size=1, max_size=4)
data_fields = st.builds(
    lambda tag, indicators, parts: data_field(tag, indicators, parts),
    st.integers(10, 999).map(lambda number: f"{number:03d}"),
    st.text("0123456789 #", min_size=2, max_size=2),
    subfields,
)
control_fields = st.builds(lambda number, text: control_field(f"00{number}", text), st.integers(1, 9), value)
records = st.builds(
    lambda controls, data: Record(BIB_LEADER, [*controls, *data]),
    st.lists(control_fields, max_size=3),
    st.lists(data_fields, min_size=1, max_size=8),
)


def same(left: object, right: object) -> bool:
    return [tuple(each) for each in left.fields()] == [tuple(each) for each in right.fields()]  # type: ignore[attr-defined]


@given(records)
def test_there_and_back(record: Record) -> None:
    content = encode(record)
    back = decode(content)
    assert same(back, record)
    assert back.leader[5:9] + back.leader[17:20] == BIB_LEADER[5:9] + BIB_LEADER[17:20]
    assert encode(back) == content


@given(records, st.booleans())
def test_the_texts_of_some_tags_are_those_of_the_whole_record(record: Record, is_xml: bool) -> None:
    if is_xml:
        record.all_fields += [data_field("500", "  ", [("a", "x" * 9_995)])]
    content = encode(record)
    whole = lazy(decode(content))
    wanted = {each.tag for each in record.all_fields[::2]}
    leader, texts = stored_texts(content, wanted | {"ABC"})
    assert leader == whole.leader
    assert texts == {tag: found for tag, found in whole.index.items() if tag in wanted}


@given(records)
def test_lengths_are_right_and_pymarc_reads_the_same(record: Record) -> None:
    content = encode(record)
    assert int(content[:5]) == len(content)
    assert content[9:12] == b"a22"
    other = pymarc.Record(data=content)
    assert [each.tag for each in other.fields] == [each.tag for each in record.fields()]
    expected = [value for each in record.fields() for _, value in each.subfields]
    assert [part.value for each in other.fields if not each.control_field for part in each.subfields] == expected


printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=30)


@given(st.lists(st.tuples(st.sampled_from("ab"), printable), min_size=1, max_size=3))
def test_a_record_too_long_for_iso2709_is_marcxml_there_and_back(parts: list[tuple[str, str]]) -> None:
    record = Record(BIB_LEADER, [control_field("001", "1"), data_field("245", "10", parts)])
    record.all_fields += [data_field("500", "  ", [("a", "x" * 9_000)])] * 12
    content = encode(record)
    assert content.startswith(
        b'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a22000007a 4500</leader>'
    )
    assert same(decode(content), record)
    (other,) = pymarc.parse_xml_to_array(io.BytesIO(content))
    assert len(other.fields) == 14


def test_a_field_too_long_for_the_directory_makes_it_marcxml() -> None:
    fits = Record(BIB_LEADER, [data_field("500", "  ", [("a", "x" * 9_994)])])
    too_long = Record(BIB_LEADER, [data_field("500", "  ", [("a", "x" * 9_995)])])
    assert encode(fits)[24:36] == b"500999900000"
    assert encode(too_long)[:1] == b"<"


def test_a_regular_record_comes_out_byte_for_byte() -> None:
    assert encode(decode(bib(1))) == bib(1)


def test_a_lazy_record_gives_fields_in_record_order_and_divides_them_once() -> None:
    record = decode(bib(1))
    assert isinstance(record, LazyRecord)
    assert [each.tag for each in record.fields("300", "020", "999")] == ["020", "300"]
    assert [each.tag for each in record.fields()] == [tag for tag, _ in bib_fields(1)]
    assert record.fields("245")[0] == Field(
        "245", "10", (("a", "Havet om natten :"), ("b", "roman /"), ("c", "Asta Vinterdal"))
    )
    assert record.fields("245")[0] is record.fields("245")[0]
    assert (record.control("001"), record.control("009"), record.fields("999")) == ("bok000001", None, ())


@pytest.mark.parametrize(
    "field",
    [
        data_field("500", "  ", [("a", "x\x1fby")]),
        data_field("500", "  ", [("a", "x\x1ey")]),
        data_field("500", "  ", [("ab", "x")]),
        control_field("001", "x\x1dy"),
        control_field("001", "x\x1fy"),
        data_field("50", "  ", [("a", "x")]),
    ],
)
def test_what_no_format_can_carry_is_refused(field: Field) -> None:
    with pytest.raises(UnwritableError, match="separator"):
        encode(Record(BIB_LEADER, [data_field("245", "00", [("a", "Hav")]), field]))


def test_a_record_without_fields_is_refused() -> None:
    with pytest.raises(UnwritableError, match="without fields"):
        encode(Record(BIB_LEADER, []))


@pytest.mark.parametrize("content", [b"", b"00714cam", bib(1)[:-1], b"<record/>", b"<record>\xff</record>"])
def test_other_bytes_are_not_taken_for_a_stored_record(content: bytes) -> None:
    with pytest.raises(SamkatError, match="a stored record cannot be read"):
        decode(content)
    with pytest.raises(SamkatError, match="a stored record cannot be read"):
        stored_texts(content, {"245"})
