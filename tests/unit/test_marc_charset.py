"""Character sets: which one it is, what is put right, what is told, and that nothing is replaced in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import StagedPiece
from tasks.marc.reading import ReadingRules
from tests.unit.marc_records import BIB_LEADER, bib_fields, document, iso, read, xml

BLANK_LEADER = BIB_LEADER.replace("nam a", "nam  ")


def staged(content: bytes, charset: str = "auto") -> StagedPiece:
    (piece,) = read(content, ReadingRules(charset=charset))  # type: ignore[arg-type]
    return piece


def title(piece: StagedPiece) -> str:
    assert piece.bib is not None, piece.reason
    return piece.bib.title


def codes(piece: StagedPiece) -> list[str]:
    return [each.code for each in piece.findings]


def record(text: str, encoding: str, leader: str = BIB_LEADER, **more: str) -> bytes:
    fields = bib_fields(title=text)
    fields += [(tag.strip("_"), value) for tag, value in more.items()]
    return iso(leader, sorted(fields), encoding)


def in_bytes(content: bytes, old: str, new: bytes, leader: str = BIB_LEADER) -> bytes:
    """A record in which ASCII `old` is replaced by as many bytes `new`."""
    assert len(old) == len(new)
    return content.replace(old.encode(), new)


def test_utf8_with_its_sign_has_no_findings() -> None:
    piece = staged(record("Åskan över älven", "utf-8"))
    assert (title(piece), piece.charset, codes(piece)) == ("Åskan över älven : roman", "utf-8", [])


def test_utf8_over_a_blank_leader_is_utf8_and_told() -> None:
    piece = staged(record("Åskan över älven", "utf-8", BLANK_LEADER))
    assert (title(piece), piece.charset) == ("Åskan över älven : roman", "utf-8")
    assert [(each.code, each.text) for each in piece.findings] == [
        ("charset_mislabelled", "leader/09 is ' ', the bytes are UTF-8")
    ]


def test_utf8_over_a_blank_leader_is_not_told_where_the_supplier_declares_it() -> None:
    assert codes(staged(record("Åskan över älven", "utf-8", BLANK_LEADER), "utf-8")) == []


def test_latin1_under_the_sign_of_utf8_is_latin1_and_told() -> None:
    piece = staged(record("Åskan över älven", "latin-1"))
    assert (title(piece), piece.charset) == ("Åskan över älven : roman", "iso8859-1")
    assert [(each.code, each.text) for each in piece.findings] == [
        ("charset_mislabelled", "leader/09 is 'a', the bytes are ISO 8859-1 (245)")
    ]


def test_latin1_over_a_blank_leader_is_told_from_marc8() -> None:
    piece = staged(record("Förlåt oss våra skulder på långa vägen hem", "latin-1", BLANK_LEADER))
    assert title(piece) == "Förlåt oss våra skulder på långa vägen hem : roman"
    assert piece.charset == "iso8859-1"


def test_declared_latin1_needs_no_finding() -> None:
    piece = staged(record("Bokhandlarens ålder", "latin-1", BLANK_LEADER), "iso8859-1")
    assert (title(piece), codes(piece)) == ("Bokhandlarens ålder : roman", [])


def test_windows_quotes_in_latin1_are_read_as_windows_1252() -> None:
    piece = staged(record("“Åskan” – en roman", "cp1252"), "iso8859-1")
    assert (title(piece), piece.charset) == ("“Åskan” – en roman : roman", "windows-1252")


def test_marc8_is_decoded_and_the_stored_record_is_utf8() -> None:
    content = in_bytes(record("HyXYga hXYst", "utf-8", BLANK_LEADER), "XY", b"\xe8o")
    piece = staged(content)
    assert (title(piece), piece.charset, codes(piece)) == ("Hyöga höst : roman", "marc-8", [])
    assert piece.normalised is not None
    assert piece.normalised[9:10] == b"a"
    assert "Hyöga höst".encode() in piece.normalised


def test_french_marc8_is_not_taken_for_latin1() -> None:
    content = record("XYtude de la pensXYe franZWaise du siVUcle", "utf-8", BLANK_LEADER)
    for old, new in (("XY", b"\xe2e"), ("ZW", b"\xf0c"), ("VU", b"\xe1e")):
        content = content.replace(old.encode(), new)
    assert title(staged(content)) == "étude de la pensée française du siècle : roman"


def test_marc8_under_the_sign_of_utf8_is_told() -> None:
    content = in_bytes(record("Le thXYZWtre", "utf-8"), "XYZW", b"\xe2e\xe3a")
    piece = staged(content)
    assert (title(piece), piece.charset, codes(piece)) == ("Le théâtre : roman", "marc-8", ["charset_mislabelled"])


def test_cyrillic_in_marc8_by_escape_sequences_in_seven_bits() -> None:
    content = in_bytes(record("XXXXXXXXXXX", "utf-8", BLANK_LEADER), "XXXXXXXXXXX", b"\x1b(NwOJNA\x1b(B")
    assert title(staged(content)).startswith("Война")


def test_marc8_without_a_character_in_a_note_is_told_and_not_dropped_in_silence() -> None:
    content = in_bytes(record("HyXYga", "utf-8", BLANK_LEADER, _500="  $aVem Q skrev"), "XY", b"\xe8o")
    piece = staged(content.replace(b"Vem Q", b"Vem \xc9"))
    assert title(piece) == "Hyöga : roman"
    assert [(each.code, each.text) for each in piece.findings] == [
        ("marc8_unmapped", "field 500: bytes that have no character in MARC-8 became spaces")
    ]


def test_marc8_without_a_character_in_the_title_is_unreadable() -> None:
    content = in_bytes(record("HyXY !", "utf-8", BLANK_LEADER), "XY", b"\xe2\x1b")
    piece = staged(content)
    assert piece.record_type == "unreadable"
    assert piece.reason.startswith("field 245 is not valid MARC-8: an escape sequence is incomplete or unknown")


def test_broken_utf8_in_the_title_is_unreadable_and_names_the_bytes() -> None:
    content = in_bytes(record("Åskan öXer älven", "utf-8"), "X", b"\xc3")
    piece = staged(content)
    assert (piece.record_type, piece.reason) == ("unreadable", "field 245 holds bytes that are not UTF-8 (0xC3)")


def test_broken_utf8_in_a_note_is_read_byte_by_byte_and_told() -> None:
    piece = staged(record("Åskan", "utf-8", _520="  $aÅtta Xldar älskade").replace(b"Xldar", b"\xe5ldar"))
    assert piece.normalised is not None
    assert "Åtta åldar älskade".encode() in piece.normalised
    assert [(each.code, each.field) for each in piece.findings] == [("charset_damaged", "520")]


def test_a_latin1_field_in_a_utf8_record_is_told_by_its_tag() -> None:
    piece = staged(record("Åskan", "utf-8", _520="  $aXldrarnas Xar").replace(b"X", b"\xe5"))
    assert piece.normalised is not None
    assert "åldrarnas åar".encode() in piece.normalised
    assert [(each.code, each.field) for each in piece.findings] == [("charset_mixed", "520")]


def test_mojibake_is_decoded_once_more_and_told() -> None:
    broken = "Åskan över älven".encode().decode("cp1252")
    piece = staged(record(broken, "utf-8"))
    assert title(piece) == "Åskan över älven : roman"
    assert [(each.code, each.field) for each in piece.findings] == [("mojibake", "245")]


def test_mojibake_among_good_characters_is_left_and_told() -> None:
    broken = "Åskan " + "över älven".encode().decode("latin-1")
    piece = staged(record(broken, "utf-8"))
    assert codes(piece) == ["mojibake_suspected"]
    assert title(piece).startswith("Åskan Ã")


@pytest.mark.parametrize("text", ["Ho\u0308st i A\u030ang", "SÃO PAULO", "Â ma façon", "«PÅ»", "Ãlvaro", "100 °C â la"])
def test_decomposed_letters_and_rare_capitals_are_no_mojibake(text: str) -> None:
    piece = staged(record(text, "utf-8"))
    assert (codes(piece), title(piece)) == ([], f"{text} : roman")


def test_a_replacement_character_of_the_sender_is_told() -> None:
    assert [(each.code, each.field) for each in staged(record("H\ufffdst", "utf-8")).findings] == [
        ("replacement_character", "245")
    ]


def test_a_byte_order_mark_is_left_out_and_told() -> None:
    content = b"\xef\xbb\xbf" + record("Höst", "utf-8")
    piece = staged(content)
    assert (title(piece), codes(piece), piece.content, piece.byte_offset) == (
        "Höst : roman",
        ["byte_order_mark"],
        content,
        0,
    )


def test_control_characters_are_left_out_and_told() -> None:
    piece = staged(record("Hö\x00st\x07 natt", "utf-8"))
    assert title(piece) == "Höst natt : roman"
    assert [(each.code, each.text) for each in piece.findings] == [
        ("control_character", "245: control characters were left out (U+0000, U+0007)")
    ]


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [("UTF-8", "utf-8"), ("ISO-8859-1", "iso8859-1"), ("UTF-16", "utf-16-le"), ("windows-1252", "cp1252")],
)
def test_a_document_is_read_in_the_encoding_it_declares(encoding: str, charset: str) -> None:
    (piece,) = read(document(xml(BIB_LEADER, bib_fields(title="Höst på ön")), encoding=encoding))
    assert (title(piece), piece.charset, codes(piece)) == ("Höst på ön : roman", charset, [])


def test_a_document_in_utf8_that_declares_latin1_is_utf8_and_told() -> None:
    content = document(xml(BIB_LEADER, bib_fields(title="Höst"))).replace(b'"UTF-8"', b'"ISO-8859-1"')
    (piece,) = read(content)
    assert (title(piece), piece.charset, codes(piece)) == ("Höst : roman", "utf-8", ["charset_mislabelled"])


def test_a_latin1_record_in_a_utf8_document_does_not_end_it() -> None:
    good = xml(BIB_LEADER, bib_fields(1, title="Höst"))
    bad = xml(BIB_LEADER, bib_fields(2, title="Vår på ön"))
    content = document(good, "BAD", good).replace(b"BAD", bad.encode("latin-1"))
    pieces = read(content)
    assert [title(each) for each in pieces] == ["Höst : roman", "Vår på ön : roman", "Höst : roman"]
    assert [codes(each) for each in pieces] == [[], ["charset_mislabelled"], []]


@given(st.text(st.characters(codec="latin-1", categories=["L", "N", "Zs", "P"]), min_size=1, max_size=40))
def test_declared_latin1_comes_back_letter_by_letter(text: str) -> None:
    rules = "iso8859-1"
    piece = staged(iso(BLANK_LEADER, [("245", "00$aX"), ("500", f"  $a{text.replace('$', '')}")], "latin-1"), rules)
    assert piece.normalised is not None
    assert b"\xef\xbf\xbd" not in piece.normalised
    if piece.charset == "iso8859-1" and not piece.findings:
        assert text.replace("$", "").encode() in piece.normalised


@given(st.binary(min_size=1, max_size=60))
def test_no_bytes_become_a_replacement_character(noise: bytes) -> None:
    noise = noise.translate(None, b"\x1d\x1e\x1f$")
    content = iso(BIB_LEADER, [("245", "00$aX"), ("500", "  $aNOISE")]).replace(b"NOISE", b"Y" * 5)
    start = content.index(b"YYYYY")
    content = content[:start] + noise + content[start + 5 :]
    (piece,) = read(content)
    if piece.normalised is not None and b"\xef\xbf\xbd" not in noise:
        assert b"\xef\xbf\xbd" not in piece.normalised
