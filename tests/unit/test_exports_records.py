"""A bib and a holding as a receiver gets them: control fields, numbers, letters, bytes. Nothing is done twice."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import Record, control_field, data_field
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from tasks.exports.choosing import Reason
from tasks.exports.dressing import Dress, dressed
from tasks.exports.encoding import LeftOutError, encoder_of, head_of, tail_of
from tasks.exports.gathering import BibRow, HoldingLineRow, HoldingRow
from tasks.exports.holding_records import Shelf
from tasks.exports.letters import in_latin1, nearest, normalised
from tasks.marc.encode import decode, encode
from tasks.marc.records import LazyRecord, lazy

LEADER = "00000nam a2200000 i 4500"


def profile(**changes: object) -> ExportProfile:
    return ExportProfile(name="p", receiver="R", libraries=("*",)).model_copy(update=changes)


def row(*fields: tuple[str, str], **changes: object) -> BibRow:
    """A bib whose record has these data fields: tag, and `$aone$btwo`."""
    record = Record(LEADER, [control_field("001", "old7"), control_field("003", "X"), control_field("005", "1999")])
    for tag, text in fields:
        record.all_fields.append(data_field(tag, "  ", [(each[0], each[1:]) for each in text.split("$")[1:]]))
    values = {"is_catalogues": False, "changed_at": "20250314180000.0", "is_deleted": False, "successor": None}
    return BibRow(bib_id=7, control_number="samkat7", content=encode(record), **{**values, **changes})  # type: ignore[arg-type]


def dress(**changes: object) -> Dress:
    return Dress(profile(**changes), CatalogueRules())


def fields_of(record: LazyRecord) -> list[str]:
    return [f"{tag} {text}".replace("\x1f", "$") for tag, text in zip(record.tags, record.texts, strict=True)]


def test_control_fields_are_the_union_catalogues() -> None:
    found = dressed(row(("245", "$aTitle")), Reason.WRITTEN, dress())
    assert fields_of(found) == ["001 samkat7", "003 SAMKAT", "005 20250314180000.0", "245   $aTitle"]
    other = dressed(row(is_catalogues=True), Reason.WRITTEN, dress(control_number_prefix="SE-TEST"))
    assert fields_of(other) == ["001 samkat7", "003 SE-TEST", "005 1999"]


def test_what_is_gone_is_marked_and_names_its_successor() -> None:
    merged = dressed(row(("800", "$aS"), is_catalogues=True, successor="samkat9"), Reason.MERGED, dress())
    assert merged.leader[5] == "d"
    assert fields_of(merged)[2:] == ["005 20250314180000.0", "787 08$iReplaced by:$w(SAMKAT)samkat9", "800   $aS"]
    assert dressed(row(), Reason.UNHELD, dress()).leader[5] == "d"


def test_former_numbers_stand_once_however_often_a_record_goes_round() -> None:
    first = dressed(row(("019", "$aSK1"), ("245", "$aT"), former=("SK1", "SK2", "SK3")), Reason.WRITTEN, dress())
    assert fields_of(first)[3:] == ["019   $aSK1", "019   $aSK2$aSK3", "245   $aT"]
    again = row(former=("SK1", "SK2", "SK3"), is_catalogues=True)._replace(content=encode(first))
    assert encode(dressed(again, Reason.WRITTEN, dress())) == encode(first)


@pytest.mark.parametrize(
    ("kept", "plain", "hyphenated"),
    [
        ("9789113084893", "9789113084893", "978-91-1-308489-3"),
        ("978-91-1-308489-3 (inb.)", "9789113084893 (inb.)", "978-91-1-308489-3 (inb.)"),
        ("978–91–1–308489–3", "9789113084893", "978-91-1-308489-3"),
        ("0-306-40615-2", "0306406152", "0-306-40615-2"),
        ("9789113084894", "9789113084894", "9789113084894"),
        ("inbunden", "inbunden", "inbunden"),
    ],
)
def test_valid_isbn_are_written_as_the_profile_wants(kept: str, plain: str, hyphenated: str) -> None:
    for wanted, expected in (("as_is", kept), ("plain", plain), ("hyphenated", hyphenated)):
        found = dressed(row(("020", f"$a{kept}$q9789113084893")), Reason.WRITTEN, dress(isbn=wanted))
        assert fields_of(found)[-1] == f"020   $a{expected}$q9789113084893"


def test_035_9_moves_where_it_is_asked_for() -> None:
    found = dressed(row(("035", "$9123$z9")), Reason.WRITTEN, dress(move_035_9=True))
    assert fields_of(found)[-1] == "035   $a123$z9"


LINES = (
    HoldingLineRow("852", "library", '["8 ",[["b","LUNV"],["h","Hc"]]]'),
    HoldingLineRow("852", "NORDBOK", '["8 ",[["b","LUNV"],["h","Ref"]]]'),
    HoldingLineRow("856", "NORDBOK", '["40",[["u","https://e.example"]]]'),
)
HOLDING = HoldingRow(7, "LUNV", "", "250314", "20250315070000.0", False, LINES)


def test_a_holding_record_names_its_bib_and_whose_line_it_is() -> None:
    shelf = Shelf(profile(), "SAMKAT", "origin:")
    assert fields_of(shelf.record(HOLDING, "samkat7")) == [
        "001 samkat7-LUNV", "003 SAMKAT", "004 samkat7",
        "852 8 $bLUNV$hHc", "852 8 $bLUNV$hRef$xorigin:NORDBOK", "856 40$uhttps://e.example",
    ]  # fmt: skip
    dated = Shelf(profile(holding_dates=True, origin_notes=False), "SAMKAT", "origin:")
    own = dated.record(HOLDING._replace(control_number="H1"), "samkat7")
    assert fields_of(own)[:5] == [
        "001 H1", "003 SAMKAT", "004 samkat7", "005 20250315070000.0", "008 2503140u    8   4001uu   0000000",
    ]  # fmt: skip
    assert "origin" not in "".join(own.texts)
    gone = shelf.record(HOLDING._replace(is_deleted=True, lines=()), "samkat7")
    assert (gone.leader[5:7], fields_of(gone)[-1]) == ("dx", "852   $bLUNV")


def test_embedded_holdings_stand_in_order_and_say_whose_link_it_is() -> None:
    bib = dressed(row(("245", "$aT"), ("880", "$aX")), Reason.WRITTEN, dress())
    assert fields_of(Shelf(profile(), "SAMKAT", "origin:").embed(bib, [HOLDING]))[3:] == [
        "245   $aT", "852 8 $bLUNV$hHc", "852 8 $bLUNV$hRef$xorigin:NORDBOK", "856 40$uhttps://e.example$5LUNV",
        "880   $aX",
    ]  # fmt: skip


TEXT = st.text(st.characters(exclude_characters="\x1d\x1e\x1f", exclude_categories=("Cs",)), max_size=20)


@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from(["NFC", "NFD"]))
def test_letters_are_composed_or_apart_value_by_value(values: list[str], form: str) -> None:
    text = "  " + "".join(f"\x1fa{value}" for value in values)
    found = normalised(LazyRecord(LEADER, ["500"], [text]), form)  # type: ignore[arg-type]
    assert found.texts[0].split("\x1f")[1:] == [f"a{unicodedata.normalize(form, value)}" for value in values]  # type: ignore[arg-type]
    assert normalised(found, form) is found or "\x1fa" in found.texts[0]  # type: ignore[arg-type]


def test_a_mark_at_the_start_of_a_value_does_not_melt_with_the_code() -> None:
    found = normalised(lazy(Record(LEADER, [data_field("500", "  ", [("a", "\u0301x")])])), "NFC")
    assert found.texts == ["  \x1fa\u0301x"]


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_latin1_is_always_written_and_tells_each_character_it_lacks(values: list[str]) -> None:
    texts = ["  " + "".join(f"\x1fa{value}" for value in values)]
    found, replaced = in_latin1(LazyRecord(LEADER, ["500"], texts))
    found.texts[0].encode("iso8859-1")
    lacking = [each for value in values for each in unicodedata.normalize("NFC", value) if ord(each) > 0xFF]
    assert [each.character for each in replaced] == lacking


@pytest.mark.parametrize(
    ("character", "written"),
    [("ł", "l"), ("–", "-"), ("ő", "o"), ("Ж", "?"), ("ﬁ", "fi"), ("\u0301", ""), ("⅓", "1/3")],
)
def test_the_nearest_of_a_character(character: str, written: str) -> None:
    assert nearest(character) == written


def test_each_form_is_what_it_says() -> None:
    record = lazy(Record(LEADER, [control_field("001", "1"), data_field("245", "10", [("a", "Åke\u0307 & Ж\x02")])]))
    composed, _ = encoder_of(profile())(record)
    assert decode(composed).fields("245")[0].first("a") == "Åk\u0117 & Ж\x02"
    apart, _ = encoder_of(profile(letters="decomposed"))(record)
    assert "A\u030ake\u0307".encode() in apart
    latin, replaced = encoder_of(profile(charset="iso8859-1"))(record)
    assert int(latin[:5]) == len(latin)
    assert (latin[9:10], b"\xc5ke & ?\x02" in latin) == (b" ", True)
    assert [each.character for each in replaced] == ["ė", "Ж"]
    for charset, shown in (("utf-8", "Åk\u0117 &amp; Ж?".encode()), ("iso8859-1", b"\xc5k&#279; &amp; &#1046;?")):
        one = profile(format="marcxml", charset=charset)
        xml, replaced = encoder_of(one)(record)
        assert shown in xml
        assert [(each.character, each.written) for each in replaced] == [("\x02", "?")]
        assert head_of(one).startswith(b"<?xml")
        assert tail_of(one) == b"</collection>\n"


@pytest.mark.parametrize("charset", ["utf-8", "iso8859-1"])
def test_what_iso2709_cannot_carry_is_refused_with_the_reason(charset: str) -> None:
    encoded = encoder_of(profile(charset=charset))
    long = lazy(Record(LEADER, [data_field("520", "  ", [("a", "x" * 10_000)])]))
    with pytest.raises(LeftOutError, match="520 has more than 9,999 bytes"):
        encoded(long)
    many = lazy(Record(LEADER, [data_field("520", "  ", [("a", "x" * 9_000)])] * 12))
    with pytest.raises(LeftOutError, match="more than 99,999 bytes"):
        encoded(many)
