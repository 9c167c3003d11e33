"""Each normalising rule, on and off, and that nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.register.suppliers import NormalisationRules
from tasks.marc.normalise import Normaliser
from tasks.marc.records import LazyRecord
from tests.unit.marc_records import BIB_LEADER, Fields, bib_fields

NO_RULES = NormalisationRules(
    move_foreign_control_number=False,
    note_temporary_levels=False,
    move_non_isbn_to_024=False,
    drop_machine_classification=False,
    drop_local_fields=False,
    drop_institution_fields=False,
    drop_heading_links=False,
)


def record(fields: Fields, leader: str = BIB_LEADER) -> LazyRecord:
    return LazyRecord(leader, [tag for tag, _ in fields], [text.replace("$", "\x1f") for _, text in fields])


def after(fields: Fields, leader: str = BIB_LEADER, rules: NormalisationRules | None = None, **one: object) -> Fields:
    """The fields after the rules; with `one` given, after that rule alone."""
    rules = rules or (NO_RULES.model_copy(update=one) if one else NormalisationRules())
    result = Normaliser(rules)(record(fields, leader)).record
    return [(tag, text.replace("\x1f", "$")) for tag, text in zip(result.tags, result.texts, strict=True)]


def test_a_foreign_number_becomes_035_in_its_place() -> None:
    fields = [*bib_fields(), ("040", "  $aNORDBOK")]
    fields.sort()
    result = after(fields)
    assert [tag for tag, _ in result] == ["008", "020", "035", "040", "100", "245", "264", "300"]
    assert ("035", "  $a(NORDBOK)bok000001") in result


def test_a_foreign_number_that_stands_in_035_already_is_not_added_again() -> None:
    fields = sorted([*bib_fields(), ("035", "  $a(NORDBOK)bok000001")])
    assert [tag for tag, _ in after(fields)].count("035") == 1


@pytest.mark.parametrize("own", [("003", "SAMKAT"), ("003", " SAMKAT ")])
def test_our_own_number_stays(own: tuple[str, str]) -> None:
    fields = [("001", "17"), own, ("245", "00$aHav")]
    assert after(fields) == fields


def test_a_number_without_003_stays_where_it_is() -> None:
    fields = [("001", "17"), ("245", "00$aHav")]
    assert after(fields) == fields


@pytest.mark.parametrize("level", ["5", "8"])
def test_a_temporary_level_gets_its_note_once(level: str) -> None:
    leader = BIB_LEADER[:17] + level + BIB_LEADER[18:]
    fields = [("245", "00$aHav"), ("650", " 7$aHav")]
    once = after(fields, leader)
    assert [tag for tag, _ in once] == ["245", "599", "650"]
    assert once[1][1].startswith("  $aPreliminary record: manual changes are overwritten")
    assert after(once, leader) == once


def test_another_level_gets_no_note() -> None:
    assert after([("245", "00$aHav")]) == [("245", "00$aHav")]


def test_the_level_is_forced_and_decides_on_the_note() -> None:
    normalised = Normaliser(NormalisationRules(force_level="8"))(record([("245", "00$aHav")]))
    assert normalised.record.leader == "00000nam a22000008a 4500"
    assert normalised.record.tags == ["245", "599"]


def test_a_020_without_a_number_becomes_024_and_is_told() -> None:
    normalised = Normaliser(NormalisationRules())(record([("020", "  $ainb.$c120 kr"), ("245", "00$aHav")]))
    assert normalised.record.tags == ["024", "245"]
    assert normalised.record.texts[0] == "8 \x1fainb.\x1fc120 kr"
    assert [(each.code, each.text) for each in normalised.findings] == [
        ("isbn_missing", "020 $a holds no ISBN: 'inb.'; kept as 024")
    ]


def test_the_z_of_a_020_without_a_number_stays_in_020() -> None:
    fields = [("020", "  $ainb.$z9789100123451$q(e-bok)")]
    assert after(fields) == [("020", "  $z9789100123451$q(e-bok)"), ("024", "8 $ainb.")]


@pytest.mark.parametrize("value", ["9789100123451", "9789100123452", "91-0-012345", "9789100123451 (inb.)"])
def test_a_number_right_or_wrong_stays_in_020(value: str) -> None:
    assert after([("020", f"  $a{value}")]) == [("020", f"  $a{value}")]


def test_classification_by_machines_is_dropped() -> None:
    fields = [
        ("082", "04$a839.7$2machine generated"),
        ("082", "04$a839.7$223/swe"),
        ("084", "  $aHc$2Machine-generated"),
    ]
    assert after(fields) == [("082", "04$a839.7$223/swe")]


def test_local_fields_and_fields_of_one_institution_are_dropped() -> None:
    fields = [("245", "00$aHav"), ("500", "  $aEget$5Abc"), ("900", "  $aA"), ("999", "  $aB"), ("9XX", "  $aC")]
    assert after(fields) == [("245", "00$aHav")]


@pytest.mark.parametrize("tag", ["100", "650", "700", "776", "830"])
def test_links_of_headings_are_dropped(tag: str) -> None:
    assert after([(tag, " 0$aHav$0https://id.example/1$2sao$0(X)2")]) == [(tag, " 0$aHav$2sao")]


@pytest.mark.parametrize("tag", ["245", "500", "856"])
def test_links_elsewhere_stay(tag: str) -> None:
    assert after([(tag, "40$uhttps://hav.example$01")]) == [(tag, "40$uhttps://hav.example$01")]


def test_an_embedded_holding_leaves_the_bib_even_with_institution() -> None:
    fields = [("245", "00$aHav"), ("852", "8 $bAbc$hHc$5Abc"), ("852", "8 $hHc")]
    assert after(fields, rules=NO_RULES) == [("245", "00$aHav"), ("852", "8 $hHc")]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"drop_local_fields": True}, ("900", "  $aA")),
        ({"drop_institution_fields": True}, ("500", "  $aA$5B")),
        ({"drop_machine_classification": True}, ("084", "  $aA$2machine generated")),
    ],
)
def test_each_rule_can_be_switched_off(rule: dict[str, object], field: tuple[str, str]) -> None:
    assert after([field], rules=NO_RULES) == [field]
    assert after([field], **rule) == []


def test_without_rules_the_very_record_comes_back() -> None:
    before = record(bib_fields())
    normalised = Normaliser(NO_RULES)(before)
    assert normalised.record is before
    assert (normalised.is_changed, normalised.findings) == (False, [])


def test_the_record_that_came_in_is_not_changed() -> None:
    before = record([*bib_fields(), ("900", "  $aA")])
    copy = (before.leader, before.tags.copy(), before.texts.copy())
    assert Normaliser(NormalisationRules())(before).is_changed
    assert (before.leader, before.tags, before.texts) == copy


data_text = st.text("$ab05z2 9789100123451x", max_size=30).map(lambda text: "  " + text)
some_fields = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["001", "003"]), st.text("17 SAMKT", max_size=8)),
        st.tuples(st.sampled_from(["020", "035", "082", "100", "245", "500", "599", "650", "852", "901"]), data_text),
    ),
    max_size=10,
)


@given(some_fields, st.sampled_from(["5", "7", " "]))
def test_rules_applied_twice_change_nothing_more(fields: Fields, level: str) -> None:
    leader = BIB_LEADER[:17] + level + BIB_LEADER[18:]
    normaliser = Normaliser(NormalisationRules())
    once = normaliser(record(fields, leader)).record
    twice = normaliser(once)
    assert (twice.record.tags, twice.record.texts) == (once.tags, once.texts)
