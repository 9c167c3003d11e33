"""What results when one record replaces another: numbers and the creator stay, and what the keep list names."""

from __future__ import annotations

from schemas.marc import Field, Record, control_field, data_field
from schemas.register.levels import LevelPolicy
from tasks.catalogue.overlay import overlay

KEEP = LevelPolicy.model_fields["keep"].default
LEADER = "00000nam a22000007a 4500"


def field(tag: str, *subfields: tuple[str, str]) -> Field:
    return data_field(tag, "  ", subfields)


def merged(existing: list[Field], incoming: list[Field], keep: tuple[str, ...] = KEEP) -> list[Field]:
    return list(overlay(Record(LEADER, existing), Record(LEADER, incoming), keep).fields())


def tags(fields: list[Field]) -> list[str]:
    return [each.tag for each in fields]


def test_the_new_description_takes_the_place_of_the_old_one() -> None:
    old, new = field("245", ("a", "Old")), field("245", ("a", "New"))
    assert merged([old], [new]) == [new]


def test_the_main_number_stays_and_the_new_one_does_not_come() -> None:
    found = merged([control_field("001", "SK1"), control_field("003", "SAMKAT")], [control_field("001", "N9")])
    assert found == [control_field("001", "SK1"), control_field("003", "SAMKAT")]


def test_identifiers_of_both_stay_each_number_once() -> None:
    old = [field("020", ("a", "978-91-0-012345-1"), ("q", "inb.")), field("035", ("a", "(X)1"))]
    new = [field("020", ("a", "9789100123451")), field("020", ("z", "9789100123451")), field("035", ("a", "(N)2"))]
    found = merged(old, new)
    assert [each.subfields for each in found if each.tag == "020"] == [
        (("a", "978-91-0-012345-1"), ("q", "inb.")),
        (("z", "9789100123451"),),
    ]
    assert [each.first("a") for each in found if each.tag == "035"] == ["(X)1", "(N)2"]


def test_the_original_creator_stays_in_040_with_what_the_new_record_says_besides() -> None:
    found = merged([field("040", ("a", "SAMKAT"))], [field("040", ("a", "NORDBOK"), ("e", "rda"))])
    assert found == [field("040", ("a", "SAMKAT"), ("e", "rda"))]
    assert merged([field("040", ("a", "SAMKAT"))], []) == [field("040", ("a", "SAMKAT"))]


def test_what_other_libraries_put_there_stays_by_default() -> None:
    theirs = [
        field("082", ("a", "839.7")),
        field("100", ("a", "Ek, Siv"), ("0", "(auth)1")),
        field("505", ("a", "Innehåll")),
        field("520", ("a", "Handling")),
        field("590", ("a", "eget"), ("5", "SOLB")),
        field("650", ("a", "Kusten")),
        field("856", ("u", "https://bok.example")),
    ]
    found = merged([*theirs, field("300", ("a", "12 s."))], [field("300", ("a", "120 s."))])
    assert [each for each in found if each.tag != "300"] == theirs
    assert [each.first("a") for each in found if each.tag == "300"] == ["120 s."]


def test_240_stays_only_where_the_new_record_has_none() -> None:
    old, new = field("240", ("a", "Old uniform")), field("240", ("a", "New uniform"))
    assert merged([old], []) == [old]
    assert merged([old], [new]) == [new]


def test_a_field_that_stands_in_both_comes_once_and_all_are_in_tag_order() -> None:
    subject = field("650", ("a", "Kusten"))
    found = merged([subject], [field("700", ("a", "Ek, Siv")), subject, field("245", ("a", "T"))])
    assert tags(found) == ["245", "650", "700"]


def test_the_keep_list_is_configuration() -> None:
    old = [field("650", ("a", "Kusten")), field("907", ("a", "x"))]
    assert merged(old, [], keep=()) == []
    assert tags(merged(old, [], keep=("9XX",))) == ["907"]
