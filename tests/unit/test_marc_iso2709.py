"""ISO2709: pieces, resynchronisation, and records with faults."""

from __future__ import annotations

import io

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.marc.iso2709 import Piece, slice_regular, split_pieces
from tasks.marc.records import UnreadableError
from tasks.marc.recovery import careful_slices
from tests.unit.marc_records import BIB_LEADER, Trickle, bib, bib_fields, holding, iso, read


def pieces_of(content: bytes, **more: int) -> list[Piece]:
    return list(split_pieces(io.BytesIO(content), **more))


def test_every_record_is_a_piece_with_its_offset() -> None:
    first, second = bib(1), bib(2)
    assert pieces_of(first + second) == [Piece(0, first), Piece(len(first), second)]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pieces_do_not_depend_on_how_the_stream_is_read(size: int) -> None:
    content = b"\r\n".join([bib(1), holding(), bib(2)])
    assert list(split_pieces(Trickle(content, size))) == pieces_of(content)  # type: ignore[arg-type]


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"  ", b"\x1a", b"\x00\x00", b"\x1d", b"\n\x1d\r\n"])
def test_what_stands_between_records_is_counted_nowhere(between: bytes) -> None:
    first, second = bib(1), bib(2)
    content = between + first + between + second + between
    assert [each.content for each in pieces_of(content)] == [first, second]
    assert [each.byte_offset for each in pieces_of(content)] == [
        len(between),
        len(between) + len(first) + len(between),
    ]


def test_bytes_behind_the_last_terminator_are_a_piece() -> None:
    assert pieces_of(bib(1) + b"rest")[1] == Piece(len(bib(1)), b"rest")


def test_a_record_cut_short_does_not_take_the_next_one_with_it() -> None:
    records = [bib(number) for number in range(1, 51)]
    whole = b"".join(records)
    records[10] = records[10][:150]
    content = b"".join(records)

    staged = read(content)

    assert [each.record_type for each in staged].count("bib") == 49
    (bad,) = [each for each in staged if each.record_type == "unreadable"]
    assert (bad.position, bad.byte_offset, bad.content) == (11, 10 * len(bib(1)), records[10])
    assert bad.reason == (
        f"cut short: the leader announces {len(bib(1))} bytes, 150 are there; the directory points beyond the data "
        "(field 008 at 18, 29 bytes there)"
    )
    assert staged[11].bib is not None
    assert staged[11].bib.control_number == "bok000012"
    assert len(pymarc.MARCReader(whole).__iter__().__next__().fields) == 8  # the samples are MARC to others, too


@pytest.mark.parametrize("cut", range(1, len(bib(1))))
def test_wherever_a_record_is_cut_its_neighbours_stay(cut: int) -> None:
    staged = read(bib(1) + bib(2)[:cut] + bib(3))
    assert b"".join(each.content for each in staged) == bib(1) + bib(2)[:cut] + bib(3)
    numbers = [each.bib.control_number for each in staged if each.bib]
    assert numbers[0] == "bok000001"
    assert numbers[-1] == "bok000003"
    # Only where nothing but the two terminators is gone the record is whole.
    assert len(numbers) == (3 if cut >= len(bib(2)) - 2 else 2)


def test_text_that_looks_like_a_leader_does_not_split_a_record() -> None:
    fields = [*bib_fields(), ("500", "  $aSe 00026nam a2200025   4500 i arkivet")]
    content = bytearray(iso(BIB_LEADER, fields))
    content[:5] = b"00099"
    (staged,) = read(bytes(content))
    assert staged.record_type == "bib"
    assert [each.code for each in staged.findings] == ["length_wrong"]


def test_a_piece_without_end_is_cut_at_the_limit_and_reading_goes_on() -> None:
    content = b"x" * 2500 + b"\x1d" + bib(1)
    pieces = pieces_of(content, max_piece_bytes=1000)
    assert [(each.byte_offset, len(each.content), bool(each.defect)) for each in pieces] == [
        (0, 1000, True),
        (1000, 1000, True),
        (2000, 501, False),
        (2501, len(bib(1)), False),
    ]
    assert pieces[0].defect == "no record terminator (0x1D) within 1,000 bytes"


def test_a_wrong_length_field_is_a_finding_and_no_loss() -> None:
    content = b"00099" + bib(1)[5:]
    slices, findings = careful_slices(content)
    assert slices._replace(leader="") == slice_regular(bib(1))._replace(leader="")  # type: ignore[union-attr]
    assert [(each.code, each.text) for each in findings] == [
        ("length_wrong", f"leader/00-04 is '00099', the record has {len(content)} bytes; it is whole")
    ]


def test_a_wrong_base_address_is_a_finding_and_no_loss() -> None:
    content = bib(1)[:12] + b"00000" + bib(1)[17:]
    slices, findings = careful_slices(content)
    assert slices.tags == [tag for tag, _ in bib_fields()]
    assert [each.code for each in findings] == ["base_address_wrong"]


def test_a_directory_counted_in_characters_is_set_right_by_the_terminators() -> None:
    fields = bib_fields(title="Åskan över älven")
    right = iso(BIB_LEADER, fields)
    in_characters = iso(BIB_LEADER, fields, encoding="latin-1")
    base = int(right[12:17])
    slices, findings = careful_slices(in_characters[:base] + right[base:])
    assert slices == slice_regular(right)._replace(leader=slices.leader)  # type: ignore[union-attr]
    assert [each.code for each in findings] == ["directory_wrong"]


def test_fields_in_another_order_than_the_directory_are_read_by_the_directory() -> None:
    first, second = b"first\x1e", b"  \x1faother\x1e"
    directory = b"001%04d%05d245%04d%05d" % (len(first), len(second), len(second), 0)
    body = second + first + b"\x1d"
    base = 25 + len(directory)
    content = b"%05dnam a22%05d   4500%s\x1e%s" % (base + len(body), base, directory, body)
    slices, findings = careful_slices(content)
    assert (slices.tags, slices.body, findings) == (["001", "245"], b"first\x1e  \x1faother", [])


def test_an_oversize_record_is_read_by_its_terminators() -> None:
    fields = [*bib_fields(), *[("500", "  $a" + "x" * 2000)] * 60]
    content = iso(BIB_LEADER, fields)
    assert len(content) > 99_999
    for length in (b"99999", b"23375"):  # capped, or without its first digit
        slices, findings = careful_slices(length + content[5:])
        assert len(slices.tags) == 68
        assert [each.code for each in findings] == ["oversize"]


def test_numbers_too_long_for_the_directory_are_understood() -> None:
    fields = [("001", "1"), ("245", "00$aTitel"), ("505", "0 $a" + "y" * 12_000), ("650", " 7$aHav")]
    content = iso(BIB_LEADER, fields)
    slices, findings = careful_slices(content)
    assert slices.tags == ["001", "245", "505", "650"]
    assert [each.code for each in findings] == ["oversize"]


HEAD = b"00040nam a2200037   4500"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"00714cam\x1d", "the leader has 9 of 24 characters: '00714cam\\x1d'"),
        (b"this is no MARC record at all\x1e\x1d", "this is not a MARC record: it begins with 'this is no MARC"),
        (bib(1)[:60], "the directory has no end (0x1E): cut short: the leader announces 342 bytes, 60 are there"),
        (bib(1)[:24] + b"\x1e\x1d", "the record has a leader and no fields"),
        (
            HEAD + b"2450089000001\x1eab\x1e\x1d",
            "the directory is 13 bytes long, which is not a multiple of 12: '24500",
        ),
        (HEAD + b"2-5008900000\x1eab\x1e\x1d", "the directory holds no tag at byte 24: '2-5008900000'"),
        (HEAD + b"245008x00000\x1eab\x1e\x1d", "the directory entry '245008x00000' is not tag, length and place"),
        (
            HEAD + b"245000300000\x1e\x1d",
            "there are no fields behind the directory: cut short: the leader announces 40",
        ),
    ],
)
def test_the_reason_says_what_is_wrong(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        careful_slices(content)
    assert str(caught.value).startswith(reason)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_become_pieces_that_cover_them(rubbish: bytes, place: int) -> None:
    good = bib(1)
    content = good[:place] + rubbish + good[place:]
    pieces = pieces_of(content)
    covered = bytearray(content)
    for each in pieces:
        end = each.byte_offset + len(each.content)
        assert content[each.byte_offset : end] == each.content
        covered[each.byte_offset : end] = b" " * len(each.content)
    assert covered.strip(b" \t\r\n\x0b\x0c\x1a\x00\x1d") == b""
    offsets = [each.byte_offset for each in pieces]
    assert offsets == sorted(set(offsets))
