"""A delivery as a whole: what it is, what stands before what, and what is kept of it."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc

import pytest

from schemas.errors import DeliveryRejectedError
from schemas.register.suppliers import NormalisationRules
from tasks.marc.encode import decode
from tasks.marc.iso2709 import split_pieces
from tasks.marc.marcxml import split_elements
from tasks.marc.reading import ReadingRules, count_pieces, open_delivery, read_delivery, reread_piece
from tests.unit.marc_records import (
    BIB_LEADER,
    HOLDING_LEADER,
    Trickle,
    bib,
    bib_fields,
    document,
    holding,
    holding_fields,
    iso,
    read,
    xml,
)

AS_IT_IS = ReadingRules.of_catalogue("SAMKAT")


def test_pieces_are_counted_from_the_position_given_and_carry_their_member() -> None:
    pieces = read(bib(1) + holding() + bib(2), member_no=3, first_position=11)
    assert [(each.position, each.member_no, each.record_type) for each in pieces] == [
        (11, 3, "bib"),
        (12, 3, "holding"),
        (13, 3, "bib"),
    ]


def test_a_delivery_says_its_format_before_it_is_read() -> None:
    opened = open_delivery(Trickle(bib(1), 10), rules=ReadingRules())  # type: ignore[arg-type]
    assert (opened.format, opened.encoding) == ("iso2709", "")
    assert [each.record_type for each in opened.pieces] == ["bib"]
    opened = open_delivery(io.BytesIO(document(xml(BIB_LEADER, bib_fields()), encoding="UTF-16")), rules=ReadingRules())
    assert (opened.format, opened.encoding) == ("marcxml", "utf-16-le")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "the file is empty"),
        (b" \r\n\x1a", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "an HTML page (starts `<!DOCTYPE html`), not MARC"),
        (b"\n<html lang='sv'><record>", "an HTML page (starts `<html lang='sv'`), not MARC"),
        (
            b"<ONIXMessage release='3.0'><Product/></ONIXMessage>",
            "XML without MARC records (root element <ONIXMessage>)",
        ),
        (b"<", "broken XML, not MARC"),
        (json.dumps({"error": "no"}).encode(), 'JSON (starts `{"error": "no"}`), not MARC'),
        (b"=LDR  00000nam a22000007a 4500\n=001  1\n", "MarcEdit's mnemonic text (mrk), not MARC"),
        (b"ISBN;titel\n978;Hav\n", "a text file (starts `ISBN;titel`), not MARC"),
        (gzip.compress(bib(1), mtime=0), "a gzip file, not MARC"),
        (b"PK\x03\x04\x1d\x1e\x1f", "a zip file, not MARC"),
        (b"%PDF-1.7\n\x1d\x1e", "a PDF document, not MARC"),
        (bytes(range(28)) * 3, "a binary file of an unknown kind, not MARC"),
        (b"<collection/>", "the file holds no record"),
        (b"\x1d\x1d", "the file holds no record"),
    ],
)
def test_a_file_that_is_no_marc_is_rejected_with_what_it_looks_like(content: bytes, cause: str) -> None:
    with pytest.raises(DeliveryRejectedError) as caught:
        list(read_delivery(io.BytesIO(content), rules=ReadingRules(), file="night.mrc"))
    assert caught.value.cause.startswith(cause)
    assert caught.value.file == "night.mrc"
    assert caught.value.remedy


def test_a_format_outside_the_agreement_is_rejected_and_the_stream_stands_where_it_stood() -> None:
    stream = io.BytesIO(b"??" + bib(1))
    stream.seek(2)
    with pytest.raises(DeliveryRejectedError, match="it is ISO2709, and the agreement is for MARCXML"):
        open_delivery(stream, rules=ReadingRules(formats=("marcxml",)))
    assert stream.tell() == 2


def test_what_is_stored_is_the_record_after_the_rules() -> None:
    (piece,) = read(bib(1))
    assert piece.content == bib(1)
    assert piece.normalised is not None
    stored = decode(piece.normalised)
    assert stored.control("001") is None
    assert stored.fields("035")[0].first("a") == "(NORDBOK)bok000001"
    assert piece.bib is not None
    assert piece.bib.control_number == "bok000001"


def test_a_clean_record_that_no_rule_changes_is_not_stored_twice() -> None:
    (piece,) = read(bib(1), AS_IT_IS)
    assert piece.normalised is None


@pytest.mark.parametrize("leader", [BIB_LEADER.replace("m a2", "m  2"), BIB_LEADER.replace("a22", "a00")])
def test_a_record_with_another_leader_than_we_write_is_stored_as_we_write_it(leader: str) -> None:
    (piece,) = read(iso(leader, bib_fields()), AS_IT_IS)
    assert piece.normalised == bib(1)


def test_marcxml_is_stored_as_iso2709() -> None:
    (piece,) = read(document(xml(BIB_LEADER, bib_fields())), AS_IT_IS)
    assert piece.normalised == bib(1)


def test_a_record_too_long_for_iso2709_is_stored_as_marcxml() -> None:
    fields = [*bib_fields(), *[("500", "  $a" + "x" * 9_000)] * 12]
    (piece,) = read(document(xml(BIB_LEADER, fields)), AS_IT_IS)
    assert piece.normalised is not None
    assert piece.normalised[:8] == b"<record "
    assert len(decode(piece.normalised).fields("500")) == 12


def test_embedded_852_become_holdings_and_leave_the_bib() -> None:
    content = iso(BIB_LEADER, [*bib_fields(), ("852", "8 $bAbc$hHc"), ("856", "40$uhttps://a.example")])
    (piece,) = read(content, AS_IT_IS)
    assert [(each.part, each.sigel) for each in piece.holdings] == [(1, "Abc")]
    assert piece.normalised is not None
    assert [each.tag for each in decode(piece.normalised).fields("852", "856")] == ["856"]


def test_a_deleted_bib_carries_holdings_to_be_deleted() -> None:
    (piece,) = read(iso(BIB_LEADER.replace("nam", "dam"), [*bib_fields(), ("852", "8 $bAbc")]))
    assert [each.is_delete for each in piece.holdings] == [True]


def test_a_holding_before_any_bib_says_so() -> None:
    first, _, second = read(holding() + bib(1) + holding())
    assert (first.holdings[0].reject_reason, second.holdings[0].reject_reason) == ("no bib precedes it", "")


def test_a_holding_behind_an_unreadable_piece_is_not_given_to_the_bib_before_that() -> None:
    pieces = read(bib(1) + holding() + bib(2)[:200] + holding() + holding() + bib(3) + holding())
    assert [each.record_type for each in pieces] == [
        "bib", "holding", "unreadable", "holding", "holding", "bib", "holding",
    ]  # fmt: skip
    doubt = "the piece before it (position 3) cannot be read and may be its bib"
    assert [each.holdings[0].reject_reason for each in pieces if each.holdings] == ["", doubt, doubt, ""]


def test_a_holding_that_names_its_bib_is_not_in_doubt() -> None:
    linked = iso(HOLDING_LEADER, [("004", "bok000001"), *holding_fields()])
    pieces = read(bib(1) + b"rubbish\x1d" + linked)
    assert pieces[2].holdings[0].reject_reason == ""


def test_an_unreadable_holding_leaves_no_doubt() -> None:
    pieces = read(bib(1) + holding()[:90] + holding())
    assert [each.record_type for each in pieces] == ["bib", "unreadable", "holding"]
    assert pieces[2].holdings[0].reject_reason == ""


def test_a_004_that_names_another_bib_is_told() -> None:
    linked = iso(HOLDING_LEADER, [("004", "bok000009"), *holding_fields()])
    _, piece = read(bib(1) + linked)
    assert [each.code for each in piece.findings] == ["link_differs"]
    assert piece.holdings[0].reject_reason == ""


def test_an_unknown_level_is_told() -> None:
    (piece,) = read(iso("00000nam a2200000Qa 4500", bib_fields()))
    assert [(each.code, each.text) for each in piece.findings] == [("leader_level_unknown", "leader/17 is 'Q'")]


@pytest.mark.parametrize("encoding", ["", "UTF-8", "ISO-8859-1", "UTF-16"])
def test_pieces_are_counted_and_read_again_one_by_one(encoding: str) -> None:
    if encoding:
        records = [xml(BIB_LEADER, bib_fields(1, title="Höst")), xml(HOLDING_LEADER, holding_fields()), "<record/>"]
        content = document(*records, encoding=encoding)
    else:
        content = bib(1, title="Höst") + holding() + b"rubbish\x1d"
    pieces = read(content)
    assert count_pieces(io.BytesIO(content)) == len(pieces) == 3
    for piece in pieces:
        again = reread_piece(
            piece.content,
            position=piece.position,
            rules=ReadingRules(),
            byte_offset=piece.byte_offset,
            charset=piece.charset or encoding,
        )
        assert again == piece


def test_a_piece_read_again_under_other_rules_follows_them() -> None:
    rules = ReadingRules(normalisation=NormalisationRules(force_level="5"))
    again = reread_piece(bib(1), position=7, rules=rules)
    assert again.bib is not None
    assert (again.position, again.bib.encoding_level) == (7, "5")


def test_a_holding_read_again_keeps_what_its_neighbours_said() -> None:
    again = reread_piece(holding(), position=1, rules=ReadingRules(), reject_reason="no bib precedes it")
    assert again.holdings[0].reject_reason == "no bib precedes it"


@pytest.mark.parametrize("kind", ["iso2709", "marcxml"])
def test_memory_does_not_grow_with_the_file(kind: str) -> None:
    one = bib(1) if kind == "iso2709" else xml(BIB_LEADER, bib_fields()).encode()
    split = split_pieces if kind == "iso2709" else split_elements

    def peak(size: int) -> int:
        stream = io.BytesIO(one * (size // len(one)))
        tracemalloc.start()
        pieces = sum(1 for _ in split(stream))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert pieces == size // len(one)
        return highest

    def least(size: int) -> int:
        """Threads that earlier tests left behind may take memory meanwhile: they can only add to it."""
        return min(peak(size) for _ in range(3))

    peak(1_000_000)  # what is made once, whatever the size
    assert least(12_000_000) < 1.1 * least(6_000_000) < 8_000_000
