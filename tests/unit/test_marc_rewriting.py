"""Records of other bases become MARC 21: items of Koha, a school's danMARC2, numbers under their prefix."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.marc import StagedPiece
from schemas.register.import_profiles import ImportProfile
from tasks.marc.encode import decode
from tasks.marc.reading import ReadingRules
from tasks.marc.records import lazy
from tests.unit.marc_records import BIB_LEADER, HOLDING_LEADER, Fields, document, iso, read, xml

PROFILES = read_register(SAMPLE_REGISTER).import_profile_by_code
KOHA, DANMARC = PROFILES["solberg-koha"], PROFILES["havn-danmarc"]
BOOK: Fields = [("001", "4711"), ("020", "  $a9789100000004"), ("245", "10$aHöst")]
DANMARC_LEADER = "00000n    2200000   4500"


def changed(profile: ImportProfile, **changes: Any) -> ImportProfile:
    """The profile with other values, checked as if they had been read."""
    return ImportProfile.model_validate(profile.model_dump() | changes)


def staged(profile: ImportProfile, fields: Fields, leader: str = BIB_LEADER) -> StagedPiece:
    (piece,) = read(iso(leader, fields), ReadingRules.of_sender(profile))
    return piece


def fields_of(piece: StagedPiece) -> list[str]:
    """`245 $aHöst` of the record as the catalogue takes it; control fields as they stand."""
    record = lazy(decode(piece.normalised or piece.content))
    return [f"{tag} {text.replace(chr(0x1F), '$')}" for tag, text in zip(record.tags, record.texts, strict=True)]


def lines_of(piece: StagedPiece) -> list[tuple[str, str]]:
    """Sigel, and subfields of each line."""
    return [
        (holding.sigel, " ".join(f"${code}{value}" for code, value in orjson.loads(line.content)[1]))
        for holding in piece.holdings
        for line in holding.lines
    ]


def test_items_of_koha_become_a_line_for_each_place_with_their_number() -> None:
    items = [
        ("952", "  $0" + "0" + "$aMAIN$cVuxen$oHc Berg$p31"),
        ("952", "  $0" + "0" + "$aMAIN$cVuxen$oHc Berg$p32"),
        ("952", "  $aMAIN$cMagasin$oHc Berg$zFrågas i disken"),
        ("952", "  $aSCHOOL$oHcf"),
    ]
    piece = staged(KOHA, [*BOOK, ("942", "  $cBK"), *items])
    assert lines_of(piece) == [
        ("SOLB", "$bSOLB $cVuxen $hHc Berg $x2 items"),
        ("SOLB", "$bSOLB $cMagasin $hHc Berg $zFrågas i disken"),
        ("SOLG", "$bSOLG $hHcf"),
    ]
    assert [each.part for each in piece.holdings] == [1, 2]
    assert fields_of(piece) == ["020   $a9789100000004", "035   $a(SOLBKOHA)4711", "245 10$aHöst"]
    assert piece.findings == ()


def test_what_is_withdrawn_or_lost_is_no_holding_and_is_told() -> None:
    piece = staged(KOHA, [*BOOK, ("952", "  $01$aMAIN"), ("952", "  $14$aMAIN"), ("952", "  $aMAIN$oHc")])
    assert lines_of(piece) == [("SOLB", "$bSOLB $hHc")]
    assert [(each.code, each.text) for each in piece.findings] == [("holding_skipped", "2 952 are no holdings (skip)")]


def test_a_branch_without_a_sigel_keeps_its_code_so_that_it_is_refused_by_name() -> None:
    piece = staged(KOHA, [*BOOK, ("952", "  $aBUS$oHc")])
    assert lines_of(piece) == [("BUS", "$bBUS $hHc")]


def test_an_item_that_does_not_say_whose_it_is_is_counted_and_told() -> None:
    piece = staged(KOHA, [*BOOK, ("952", "  $oHc")])
    assert [each.sigel for each in piece.holdings] == ["?"]
    assert [each.code for each in piece.findings] == ["holding_without_sigel"]


@pytest.mark.parametrize(("told", "said"), [("3", "3 items"), ("1", ""), ("many", ""), ("", "")])
def test_the_number_of_items_may_stand_in_the_record(told: str, said: str) -> None:
    rule = {"tag": "980", "sigel": "a", "shelf_mark": "b", "item_count": "n"}
    profile = changed(KOHA, holdings=[rule])
    piece = staged(profile, [*BOOK, ("980", f"  $aSOLB$bHc$n{told}" if told else "  $aSOLB$bHc")])
    assert lines_of(piece) == [("SOLB", f"$bSOLB $jHc $x{said}" if said else "$bSOLB $jHc")]


def test_without_rules_852_is_read_as_in_a_delivery_and_holding_records_get_our_sigels() -> None:
    plain = changed(KOHA, holdings=[])
    assert lines_of(staged(plain, [*BOOK, ("852", "  $bSOLB$hHc")])) == [("SOLB", "$bSOLB $hHc")]
    holding = iso(HOLDING_LEADER, [("001", "h1"), ("004", "4711"), ("852", "  $bMAIN$hHc")])
    _bib, piece = read(iso(BIB_LEADER, BOOK) + holding, ReadingRules.of_sender(KOHA))
    assert lines_of(piece) == [("SOLB", "$bSOLB $hHc")]


def test_a_rule_for_852_that_names_nothing_else_puts_our_sigel_into_the_field_as_it_is() -> None:
    rule = {"tag": "852", "sigel": "a", "sigels": {"Bygdegatan": "SOLB"}}
    piece = staged(changed(KOHA, holdings=[rule]), [*BOOK, ("852", "0 $aBygdegatan$cVuxen$hHc$k1"), ("852", "  $jHc")])
    assert lines_of(piece) == [("SOLB", "$bSOLB $cVuxen $hHc $k1"), ("?", "$b? $jHc")]


def test_levels_and_types_may_be_codes_of_another_house() -> None:
    profile = changed(KOHA, record={"levels": {"M": "7", "I": "3"}, "kinds": {"tm": "am"}})
    codes = [
        staged(profile, BOOK, f"00000n{kind} a2200000{level}a 4500").bib for kind, level in (("tm", "M"), ("am", "I"))
    ]
    assert [(each.record_type, each.encoding_level) for each in codes if each is not None] == [("a", "7"), ("a", "3")]


@pytest.mark.parametrize(
    ("when", "there", "number"),
    [
        ("missing", None, "(SOLBKOHA)4711"),
        ("missing", "SE-LIBR", "(SE-LIBR)4711"),
        ("always", "SE-LIBR", "(SOLBKOHA)4711"),
    ],
)
def test_a_number_is_kept_under_the_prefix_of_its_base(when: str, there: str | None, number: str) -> None:
    profile = changed(KOHA, record={"number_prefix": "SOLBKOHA", "prefix_when": when})
    more = [("003", there)] if there else []
    assert f"035   $a{number}" in fields_of(staged(profile, [BOOK[0], *more, *BOOK[1:]]))


def test_our_own_number_stays_ours_whatever_the_profile_says() -> None:
    profile = changed(KOHA, record={"number_prefix": "SOLBKOHA", "prefix_when": "always"})
    piece = staged(profile, [("001", "sk17"), ("003", "SAMKAT"), *BOOK[1:]])
    assert piece.bib is not None
    assert [tuple(each) for each in piece.bib.identifiers] == [("control_number", "sk17")]


SCHOOL: Fields = [
    ("001", "00$a27118759$b870970"), ("004", "00$rn$ae"), ("008", "00$tm$u?$a2008$bdk$ldan"), ("009", "00$aa$gxx"),
    ("021", "00$e9788700000001$chf."), ("096", "00$a86-096.1$bSal$n4"), ("100", "00$aHansen$hPeter"),
    ("245", "00$aVinter$cen roman$ePeter Hansen"), ("260", "00$aKbh.$bVinten$c2008"), ("652", "00$mSkønlitteratur"),
]  # fmt: skip


def test_a_record_of_danmarc2_is_matched_as_a_book_of_marc_21() -> None:
    piece = staged(DANMARC, SCHOOL, DANMARC_LEADER)
    assert piece.bib is not None
    bib = piece.bib
    assert (bib.title, bib.author, bib.year, bib.record_type, bib.bib_level, bib.reject_reason) == (
        "Vinter en roman", "Hansen, Peter", 2008, "a", "m", "",
    )  # fmt: skip
    assert [(each.isbn13, each.qualifier) for each in bib.isbns] == [("9788700000001", "hf.")]
    assert lines_of(piece) == [("HAVN", "$bHAVN $cSal $h86-096.1 $x4 items")]
    assert fields_of(piece) == [
        "008       s2008    dk                  dan  ", "020 00$a9788700000001$qhf.", "035   $a(870970)27118759",
        "084 00$aSkønlitteratur", "100 1 $aHansen, Peter", "245 10$aVinter$ben roman$cPeter Hansen",
        "264  1$aKbh.$bVinten$c2008",
    ]  # fmt: skip


def test_xml_is_rewritten_alike() -> None:
    fields: Fields = [*BOOK, ("952", "  $aMAIN$oHc")]
    (from_xml,) = read(document(xml(BIB_LEADER, fields)), ReadingRules.of_sender(KOHA))
    assert (lines_of(from_xml), fields_of(from_xml)) == (
        lines_of(staged(KOHA, fields)), fields_of(staged(KOHA, fields)),
    )  # fmt: skip


def test_the_first_rule_whose_condition_holds_makes_the_field() -> None:
    rules = [
        {"tag": "690", "to": "650", "indicators": " 7", "when": {"2": "sao"}},
        {"tag": "690", "to": "653", "subfields": {"a": "a"}},
    ]
    profile = changed(KOHA, fields=rules, holdings=[])
    piece = staged(profile, [*BOOK, ("690", "  $aHöstar$2sao"), ("690", "  $aLöv$9x"), ("690", "  $9x")])
    assert fields_of(piece)[-2:] == ["650  7$aHöstar$2sao", "653   $aLöv"]


def test_a_record_that_no_rule_touches_is_kept_as_it_came() -> None:
    plain = changed(KOHA, holdings=[], fields=[], record={})
    piece = staged(plain, [("003", "X"), *BOOK[1:]])
    assert piece.normalised is None
