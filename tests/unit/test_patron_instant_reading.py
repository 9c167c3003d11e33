"""BUPS 3 bodies: JSON and XML become the same person; absent, null and value stay apart; nothing is quoted."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from deployments.intake.described import EXAMPLE_PERSON, EXAMPLE_XML, person_schema
from schemas.patrons import ABSENT, ITEM_FIELDS, PATHS, IncomingPerson, RejectedRow
from schemas.register.patron_sources import PatronSource
from tasks.patrons.instant_reading import JSON_KEYS, Method, addressed_id, read_body, read_persons_of_file
from tasks.patrons.person_draft import RowRejectedError
from tests.unit.patron_samples import source

BERG = "anna.berg@vestmark.example"
SOURCE = source(
    format="bups2", stable_ids=["primary_id", "feide"], categories={"student": "student", "staff": "employee"},
)  # fmt: skip
SECRET = "Hemligh Namnsson"
WHOLE = {"last_name": "Berg", "user_group": "student"}


def read(
    body: Any, method: Method = "PUT", of: PatronSource = SOURCE, who: str = BERG, id_type: str | None = None
) -> IncomingPerson:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_body(raw, "json", method, of, addressed_id(of, id_type, who))


def read_xml(body: str, method: Method = "PATCH") -> IncomingPerson:
    return read_body(body.encode(), "xml", method, SOURCE, addressed_id(SOURCE, None, BERG))


def refused(body: Any, method: Method = "PUT") -> RowRejectedError:
    with pytest.raises(RowRejectedError) as error:
        read(body, method)
    return error.value


def test_json_and_xml_of_the_same_person_are_the_same_person() -> None:
    names = ("primary_id", "first_name", "last_name", "user_group", "emails")
    of_json = read({name: each for name, each in EXAMPLE_PERSON.items() if name in names})
    of_xml = read_xml(EXAMPLE_XML, "PUT")
    assert of_json.values == of_xml.values
    assert of_json.lists == of_xml.lists
    assert of_json.source_ids == of_xml.source_ids
    assert of_json.affiliations == of_xml.affiliations


def test_absent_null_and_value_stay_apart() -> None:
    person = read({"first_name": None, "last_name": "Berg", "emails": None, "phones": []}, "PATCH")
    assert (person.value("first_name"), person.value("last_name"), person.value("user_title")) == (None, "Berg", ABSENT)
    assert (person.items("emails"), person.items("phones"), person.items("addresses")) == ((), (), ABSENT)
    of_xml = read_xml("<user><first_name/><last_name>Berg</last_name></user>")
    assert dict(of_xml.values) == {"first_name": None, "last_name": "Berg"}


def test_an_empty_element_is_null_whatever_it_means_in_the_files_of_the_source() -> None:
    quiet = source(format="bups2", empty_elements="absent")
    person = read_body(b"<user><first_name/></user>", "xml", "PATCH", quiet, addressed_id(quiet, None, BERG))
    assert person.value("first_name") is None


def test_the_id_of_the_address_need_not_stand_in_the_body() -> None:
    person = read({"first_name": "Anna"}, "PATCH")
    assert [(each.type, each.value) for each in person.source_ids] == [("primary_id", BERG)]
    assert "primary_id" not in person.values


def test_the_id_may_be_one_of_another_stable_namespace_and_touches_no_list() -> None:
    person = read({"first_name": "Anna"}, "PATCH", who="Annber@vestmark.example", id_type="feide")
    assert [(each.type, each.key) for each in person.source_ids] == [("feide", "annber@vestmark.example")]
    assert person.items("user_identifiers") is ABSENT


def test_an_id_type_that_is_not_stable_is_refused() -> None:
    with pytest.raises(RowRejectedError, match="no id by which"):
        addressed_id(SOURCE, "barcode", BERG)


@pytest.mark.parametrize("who", ["", "   ", "a\x00b"])
def test_an_id_that_is_none_is_refused(who: str) -> None:
    with pytest.raises(RowRejectedError):
        addressed_id(SOURCE, None, who)


def test_case_and_blanks_of_an_id_do_not_count() -> None:
    assert read(WHOLE | {"primary_id": f" {BERG.upper()} "}).source_ids[0].key == BERG


def test_another_id_in_the_body_than_in_the_address_is_refused() -> None:
    error = refused(WHOLE | {"primary_id": "other@vestmark.example"})
    assert (error.rule, error.field) == ("bad_value", "primary_id")


def test_a_rekey_names_the_old_id() -> None:
    person = read(WHOLE | {"old_ids": [{"type": "primary_id", "value": "Old@vestmark.example"}]})
    assert [(each.type, each.key) for each in person.rekeyed_from] == [("primary_id", "old@vestmark.example")]


def test_a_protection_order_is_read() -> None:
    body = {"protection": [{"action": "protect", "path": "emails", "type": "work", "until": "2025-12-31"}]}
    (order,) = read(body, "PATCH").orders
    assert (order.action, order.path, order.item_type, order.until) == ("protect", "emails", "work", date(2025, 12, 31))


def test_the_group_is_mapped_and_the_affiliation_is_filled() -> None:
    body = WHOLE | {"user_group": "staff", "library": "VEST", "valid_from": "2025-01-10", "expiry_date": "2025-08-31"}
    person = read(body)
    (tie,) = person.affiliations
    assert person.value("user_group") == "employee"
    assert (tie.category, tie.user_group, tie.library) == ("staff", "employee", "VEST")
    assert (tie.valid_from, tie.valid_to) == (date(2025, 1, 10), date(2025, 8, 31))


@pytest.mark.parametrize("lacking", ["last_name", "user_group"])
def test_a_whole_person_needs_a_name_and_a_group_and_a_patch_does_not(lacking: str) -> None:
    body = {name: each for name, each in WHOLE.items() if name != lacking}
    error = refused(body)
    assert (error.rule, error.field) == ("missing", lacking)
    assert read(body, "PATCH").source_ids


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expiry_date": SECRET}, "expiry_date"),
        ({"expiry_date": "2025-13-01"}, "expiry_date"),
        ({"last_name": [SECRET]}, "last_name"),
        ({"last_name": 7}, "last_name"),
        ({"last_name": f"{SECRET}\x01"}, "last_name"),
        ({"is_researcher": SECRET}, "is_researcher"),
        ({"emails": SECRET}, "emails"),
        ({"emails": [SECRET]}, "emails"),
        ({"emails": [{"email_address": 3, "type": SECRET}]}, "emails.email_address"),
        ({"emails": [{"type": SECRET}]}, "emails"),
        ({"emails": [{"email_address": SECRET, SECRET: 1}]}, "emails"),
        ({"emails": [{"email_address": SECRET, "preferred": SECRET}]}, "emails"),
        ({"emails": [{"email_address": SECRET, "types": SECRET}]}, "emails"),
        ({"user_identifiers": [{"value": "1", "valid_to": SECRET}]}, "user_identifiers.valid_to"),
        ({SECRET: 1}, None),
        ({"user_group": SECRET}, "user_group"),
        ({"valid_from": SECRET}, "valid_from"),
        ({"old_ids": [{"type": "primary_id"}]}, "old_ids"),
        ({"old_ids": [{"type": 3, "value": SECRET}]}, "old_ids"),
        ({"protection": [{"action": SECRET, "path": "emails"}]}, "protection"),
        ({"protection": [{"action": "protect", "path": SECRET}]}, "protection"),
        ({"protection": [{"action": "protect", "path": ["emails"]}]}, "protection"),
        ({"protection": [{"action": "protect", "path": "last_name", "type": SECRET}]}, "protection"),
        ([SECRET], None),
        (SECRET, None),
        (f'{{"last_name": "{SECRET}"'.encode(), None),
        (b"\xff\xfe{", None),
        (b"", None),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place_and_without_what_was_sent(body: Any, field: str | None) -> None:
    error = refused(body, "PATCH")
    assert error.field == field
    assert error.remedy
    assert SECRET not in f"{error.cause} {error.field} {error.remedy} {error!r}"
    assert error.__cause__ is None


def test_a_misspelt_key_names_the_nearest_known_one() -> None:
    assert "did you mean emails?" in str(refused({"emials": []}).remedy)


@pytest.mark.parametrize(
    "body",
    [
        "<user><last_name>Hemligh Namnsson",
        "<users><user><primary_id>a</primary_id></user><user><primary_id>b</primary_id></user></users>",
        "<users/>",
        "<!DOCTYPE user [<!ENTITY x 'Hemligh Namnsson'>]><user><last_name>&x;</last_name></user>",
        "<?xml version='1.0' encoding='iso8859-1'?><user><last_name>Hemligh Namnsson</last_name></user>",
        "<user><expiry_date>Hemligh Namnsson</expiry_date></user>",
        "<html>Hemligh Namnsson</html>",
        "Hemligh Namnsson",
        "",
    ],
)
def test_xml_that_is_no_single_user_in_utf_8_is_refused_without_what_was_sent(body: str) -> None:
    with pytest.raises(RowRejectedError) as error:
        read_xml(body)
    assert SECRET not in f"{error.value.cause} {error.value.field} {error.value.remedy} {error.value!r}"


def test_the_same_body_has_the_same_hash_whatever_the_order_of_its_keys() -> None:
    one, other = (
        read({"first_name": "A", "last_name": "B"}, "PATCH"),
        read({"last_name": "B", "first_name": "A"}, "PATCH"),
    )
    assert one.content_hash == other.content_hash
    assert len(one.content_hash) == 16


def test_a_file_holds_one_person_several_or_one_a_line_and_a_bad_one_costs_itself_alone() -> None:
    good, bad = {"primary_id": "a", **WHOLE}, {"primary_id": "b", "last_name": 3, "user_group": "student"}
    half = {"primary_id": "c", "last_name": "Berg"}
    lines = b"\n".join(json.dumps(each).encode() for each in (good, bad, half))
    for content in (json.dumps([good, bad, half]).encode(), lines):
        found = read_persons_of_file(content, "json", "PUT", SOURCE)
        assert [type(each) for each in found] == [IncomingPerson, RejectedRow, RejectedRow]
        assert [each.position.record_no for each in found] == [1, 2, 3]
    assert len(read_persons_of_file(json.dumps(good).encode(), "json", "PUT", SOURCE)) == 1
    assert [type(each) for each in read_persons_of_file(json.dumps([half]).encode(), "json", "PATCH", SOURCE)] == [
        IncomingPerson
    ]
    users = f"<users>{EXAMPLE_XML}{EXAMPLE_XML.replace('anna', 'bo')}</users>".encode()
    assert len(read_persons_of_file(users, "xml", "PUT", SOURCE)) == 2


def test_the_schema_of_the_documentation_has_every_key_and_field_and_no_other() -> None:
    properties = person_schema()["properties"]
    assert properties.keys() == JSON_KEYS
    for path, fields in ITEM_FIELDS.items():
        assert set(fields) <= properties[path]["items"]["properties"].keys()
    assert {name for name, each in properties.items() if "array" in each["type"]} == {
        *(path.name for path in PATHS.values() if path.kind == "list"), "old_ids", "protection",
    }  # fmt: skip
