"""Facts of bibs and holdings, one small record at a time."""

from __future__ import annotations

import pytest

from schemas.marc import Identifier, Record, data_field
from tasks.marc.facts import author_of, bib_facts, identifiers_of, isbn_facts, title_of, year_of
from tasks.marc.holdings import embedded_holdings, holding_facts
from tasks.marc.records import LazyRecord
from tests.unit.marc_records import BIB_LEADER, HOLDING_LEADER, Fields, bib_fields, holding_fields

FIXED = "240102s2023    sw ||||||||||||000 ||swe| "


def record(*fields: tuple[str, str], leader: str = BIB_LEADER) -> LazyRecord:
    return LazyRecord(leader, [tag for tag, _ in fields], [text.replace("$", "\x1f") for _, text in fields])


def test_the_facts_of_a_whole_bib() -> None:
    facts = bib_facts(record(*bib_fields(), ("042", "  $9NB")), own_prefix="SAMKAT")
    assert facts._replace(isbns=()) == facts.__class__(
        control_number="bok000001",
        title="Havet om natten : roman",
        author="Vinterdal, Asta",
        encoding_level="7",
        record_type="a",
        bib_level="m",
        carrier="print",
        year=2023,
        is_national_bibliography=True,
        isbns=(),
        identifiers=(Identifier("035", "(NORDBOK)bok000001"),),
        reject_reason="",
    )
    assert [(each.isbn13, each.subfield, each.qualifier) for each in facts.isbns] == [
        ("9789100123451", "a", "inbunden")
    ]


def test_facts_do_not_depend_on_the_kind_of_record() -> None:
    lazy = record(*bib_fields(), ("024", "3 $a7391001234567"))
    whole = Record(lazy.leader, list(lazy.fields()))
    assert bib_facts(whole, own_prefix="SAMKAT") == bib_facts(lazy, own_prefix="SAMKAT")


@pytest.mark.parametrize(
    ("field", "title"),
    [
        ("10$aHav :$bnatt /$cA. B.", "Hav : natt"),
        ("00$aHav.$nDel 2,$pNatten", "Hav. Del 2, Natten"),
        ("00$aHav =$bSea$h[Ljudupptagning]", "Hav = Sea"),
        ("04$a\x88Das \x89Meer", "Das Meer"),
        ("00$a  Hav\n om   natten ; ", "Hav om natten"),
        ("00$a" + "x" * 600, "x" * 500),
        ("00$cA. B.", ""),
    ],
)
def test_a_title_is_for_people(field: str, title: str) -> None:
    assert title_of(record(("245", field))) == title


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ([("100", "1 $aVinterdal, Asta,$d1961-"), ("700", "1 $aAnnan")], "Vinterdal, Asta"),
        ([("110", "2 $aHavsbolaget")], "Havsbolaget"),
        ([("700", "1 $4trl"), ("700", "1 $aAnnan, N.")], "Annan, N."),
        ([], ""),
    ],
)
def test_the_author_is_the_first_heading(fields: Fields, author: str) -> None:
    assert author_of(record(*fields)) == author


@pytest.mark.parametrize(
    ("fields", "year"),
    [
        ([("008", FIXED), ("264", " 1$c1999")], 2023),
        ([("008", FIXED.replace("2023", "20uu")), ("264", " 1$ccopyright 1999")], 1999),
        ([("008", "short"), ("260", "  $c[1987?]")], 1987),
        ([("264", " 1$cår 1"), ("260", "  $c2001")], 2001),
        ([("008", FIXED.replace("2023", "9999"))], None),
        ([], None),
    ],
)
def test_the_year_is_in_008_or_in_the_imprint(fields: Fields, year: int | None) -> None:
    assert year_of(record(*fields)) == year


def test_every_a_and_z_of_020_is_a_fact_in_order() -> None:
    found = isbn_facts(record(("020", "  $a9789100123451$q(inb.)$z9100123455"), ("020", "  $a$z1"), ("020", "  $c12")))
    assert [(each.isbn13, each.subfield, each.qualifier, each.status) for each in found] == [
        ("9789100123451", "a", "inb.", "valid"),
        ("9789100123451", "z", "inb.", "valid"),
        (None, "z", "1", "invalid"),
    ]


def test_other_numbers_come_once_each() -> None:
    fields = [
        ("001", "17"), ("003", "NORDBOK"),
        ("020", "  $a9789100123451"),
        ("022", "0 $a0028-0836"), ("022", "0 $a0028-0837"),
        ("024", "3 $a9789100123451"), ("024", "3 $a7391001234567"), ("024", "2 $aM1"),
        ("035", "  $a (NORDBOK)17 "), ("035", "  $a9100123455$z(X)1"),
    ]  # fmt: skip
    bib = record(*fields)
    assert identifiers_of(bib, isbn_facts(bib), "SAMKAT") == (
        Identifier("issn", "00280836"),
        Identifier("035", "(NORDBOK)17"),
        Identifier("035", "9100123455"),
        Identifier("ean", "7391001234567"),
    )


def test_a_control_number_is_ours_only_under_our_prefix() -> None:
    ours = record(("001", "17"), ("003", "SAMKAT"))
    assert identifiers_of(ours, (), "SAMKAT") == (Identifier("control_number", "17"),)
    assert identifiers_of(record(("001", "17")), (), "SAMKAT") == ()


@pytest.mark.parametrize(
    ("leader", "fields", "reason"),
    [
        (BIB_LEADER, [("245", "00$aHav")], ""),
        (BIB_LEADER, [("245", "00$bHav")], "245 $a (title) is missing"),
        (BIB_LEADER, [("245", "00$a ")], "245 $a (title) is missing"),
        (BIB_LEADER, [("001", "1")], "245 $a (title) is missing"),
        ("00000nz  a2200000n  4500", [("245", "00$aHav")], "not a bibliographic record (leader/06 z)"),
        ("00000nw  a2200000n  4500", [("245", "00$aHav")], "not a bibliographic record (leader/06 w)"),
        ("00000n   a2200000n  4500", [("245", "00$aHav")], "leader/06 (type of record) is missing"),
    ],
)
def test_what_cannot_be_taken_in_has_a_reason(leader: str, fields: Fields, reason: str) -> None:
    assert bib_facts(record(*fields, leader=leader), own_prefix="SAMKAT").reject_reason == reason


def test_a_holding_has_its_lines_in_order() -> None:
    fields = [("024", "7 $aX"), *holding_fields(), ("856", "40$uhttps://a.example"), ("866", " 0$a1-2")]
    facts = holding_facts(record(*fields, leader=HOLDING_LEADER))
    assert (facts.part, facts.sigel, facts.is_delete, facts.control_number, facts.reject_reason) == (
        0, "Abc", False, "bes000001", "",
    )  # fmt: skip
    assert [each.tag for each in facts.lines] == ["024", "852", "856"]
    assert facts.lines[1] == (
        "852", "Hc Vin", "Ny bok", "kontrollera",
        '["8 ",[["b","Abc"],["h","Hc Vin"],["z","Ny bok"],["x","kontrollera"]]]', "",
    )  # fmt: skip


def test_a_shelf_mark_is_put_together_in_the_order_of_the_rule() -> None:
    facts = holding_facts(record(("852", "8 $bAbc$mm$lL$jJ$iI1$iI2$hH$kK$l ")))
    assert facts.lines[0].shelf_mark == "K H I1 I2 J L m"


def test_leader_05_d_deletes() -> None:
    assert holding_facts(record(*holding_fields(), leader="00000dx  a2200000zn 4500")).is_delete


def test_the_sigel_is_the_first_one() -> None:
    assert holding_facts(record(("852", "8 $hHc"), ("852", "8 $b Abc "), ("852", "8 $bXyz"))).sigel == "Abc"


def test_a_holding_without_sigel_has_a_reason() -> None:
    facts = holding_facts(record(("852", "8 $hHc")))
    assert (facts.sigel, facts.reject_reason) == ("", "852 $b (sigel) is missing")


def test_the_mark_of_an_owner_is_no_note_and_believed_only_on_request() -> None:
    line = ("852", "8 $bAbc$xorigin:NORDBOK$xkontrollera")
    (as_supplier,) = holding_facts(record(line)).lines
    (as_catalogue,) = holding_facts(record(line), takes_owner=True).lines
    assert (as_supplier.internal_note, as_supplier.owner) == ("kontrollera", "")
    assert as_supplier.content == '["8 ",[["b","Abc"],["x","kontrollera"]]]'
    assert as_catalogue == as_supplier._replace(owner="NORDBOK")


def test_embedded_852_become_one_holding_for_each_sigel() -> None:
    fields = [
        *bib_fields(),
        ("852", "8 $bAbc$h1"),
        ("852", "8 $bXyz$h2"),
        ("852", "8 $bAbc$h3"),
        ("852", "8 $h4"),
        ("856", "40$u1"),
    ]
    found = embedded_holdings(record(*fields))
    assert [(each.part, each.sigel, [line.shelf_mark for line in each.lines]) for each in found] == [
        (1, "Abc", ["1", "3"]),
        (2, "Xyz", ["2"]),
    ]
    assert {each.control_number for each in found} == {"bok000001"}


def test_a_bib_without_852_b_has_no_holdings() -> None:
    assert embedded_holdings(record(("852", "8 $hHc"))) == ()
    assert embedded_holdings(Record(BIB_LEADER, [data_field("852", "  ", [("b", " ")])])) == ()
