"""The composer: complete documents, in order, external segments only, and nothing that is lost without a word."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from lxml import etree

from schemas.alma_users import NOT_IN_ALMA, AlmaUser, ComposedUser, LeftOut, OutRules, RoleParameter, StaffRole
from schemas.patrons import LIST_PATHS, PATHS, PREFERRED_LISTS, SCALAR_PATHS, IncomingPerson
from tasks.patrons.alma_compose import AFTER_CONTACT_INFO, BEFORE_CONTACT_INFO, CONTACT_INFO, compose_user
from tasks.patrons.alma_shown import NotComposableError, shown_item
from tests.unit.alma_users import READS, aase, export, item, users
from tests.unit.patron_samples import person


def element(composed: ComposedUser) -> etree._Element:
    return etree.fromstring(composed.content)


def preferred_in(user: etree._Element, tag: str) -> list[str]:
    return [str(each[0].text) for each in user.iter(tag) if each.get("preferred") == "true"]


def reread(composed: ComposedUser) -> IncomingPerson:
    return person(export(composed.content), READS)


def test_a_document_has_its_elements_in_their_order_and_every_list() -> None:
    user = element(compose_user(aase()))
    assert [each.tag for each in user] == [
        *("record_type", "primary_id", "first_name", "middle_name", "last_name", "pref_first_name", "user_group"),
        *("birth_date", "expiry_date", "account_type", "status", "contact_info", "is_researcher", "user_identifiers"),
        *("user_notes", "user_blocks", "user_statistics", "rs_libraries", "library_notices"),
    ]
    assert [each.tag for each in user.findall("contact_info/*")] == ["addresses", "emails", "phones"]
    assert user.findtext("record_type") == "PUBLIC"
    assert user.findtext("account_type") == "EXTERNAL"
    assert user.findtext("expiry_date") == "2027-06-30Z"
    assert user.findtext("last_name") == "Vik & Lund"
    assert [each.text for each in user.findall("contact_info/emails/email/email_types/email_type")] == [
        *("personal", "school", "work"),
    ]


def test_every_path_but_those_without_an_element_has_its_place() -> None:
    places = [*BEFORE_CONTACT_INFO, *CONTACT_INFO, *AFTER_CONTACT_INFO]
    assert len(places) == len(set(places))
    assert set(places) - {"user_roles"} == (SCALAR_PATHS | LIST_PATHS) - NOT_IN_ALMA


def test_what_is_null_is_an_empty_element_but_for_days_and_flags() -> None:
    user = element(compose_user(aase()))
    middle_name = user.find("middle_name")
    assert middle_name is not None
    assert middle_name.text is None
    assert user.find("purge_date") is None
    assert user.find("pref_last_name") is None


def test_all_lists_are_there_even_of_a_person_who_has_nothing() -> None:
    user = element(compose_user(AlmaUser({"primary_id": "P1"})))
    assert {each.tag: len(each) for each in user.iter() if each.tag in LIST_PATHS} == dict.fromkeys(LIST_PATHS, 0)
    assert user.find("user_roles") is None


def test_internal_items_stay_out_and_are_told() -> None:
    internal = item("emails", "work", email_address="desk@vestmark.example", internal=True)
    composed = compose_user(aase(lists={"emails": (internal,)}))
    assert b"desk@vestmark.example" not in composed.content
    assert LeftOut("emails", "work", "internal") in composed.left_out
    segments = [each.get("segment_type") for each in element(composed).iter() if "segment_type" in each.attrib]
    assert set(segments) == {"External"}


def test_exactly_one_of_each_kind_is_preferred() -> None:
    nobody_chose = (
        item("phones", "home", phone_number="2"),
        item("phones", "mobile", phone_number="1"),
    )
    both = (
        item("addresses", "home", preferred=True, line1="A"),
        item("addresses", "work", preferred=True, line1="B"),
    )
    user = element(compose_user(aase(lists={"phones": nobody_chose, "addresses": both})))
    assert preferred_in(user, "email") == ["Aase@vestmark.example"]
    assert preferred_in(user, "phone") == ["2"]
    assert preferred_in(user, "address") == ["A"]


def test_where_staff_chose_an_internal_one_the_document_marks_none() -> None:
    mails = (
        item("emails", "work", email_address="a@vestmark.example"),
        item("emails", "work", preferred=True, internal=True, email_address="desk@vestmark.example"),
    )
    user = element(compose_user(aase(lists={"emails": mails})))
    assert preferred_in(user, "email") == []
    assert [each.text for each in user.iter("email_address")] == ["a@vestmark.example"]


def test_a_value_stands_in_one_identifier_only() -> None:
    ids = (
        item("user_identifiers", "barcode", value="v-1@VESTMARK.example"),
        item("user_identifiers", "employee_no", value="77"),
        item("user_identifiers", "library_card", value="77"),
        item("user_identifiers", "pass", value="88"),
        item("user_identifiers", "zz", value="88", internal=True),
    )
    composed = compose_user(aase(lists={"user_identifiers": ids}))
    assert [each.findtext("id_type") for each in element(composed).iter("user_identifier")] == ["employee_no"]
    assert set(composed.left_out) == {
        LeftOut("user_identifiers", "barcode", "same_as_primary_id"),
        LeftOut("user_identifiers", "library_card", "twin"),
        LeftOut("user_identifiers", "pass", "twin"),
        LeftOut("user_identifiers", "zz", "internal"),
    }


def test_roles_are_there_only_when_the_account_rules_give_them() -> None:
    role = StaffRole(
        "221", "VEST", expiry_date=date(2027, 1, 31), parameters=(RoleParameter("ServiceUnit", "VEST", "D1"),)
    )
    user = element(compose_user(aase(roles=(role,))))
    (found,) = user.findall("user_roles/user_role")
    assert [(each.tag, each.text) for each in found] == [
        ("status", "ACTIVE"),
        ("scope", "VEST"),
        ("role_type", "221"),
        ("expiry_date", "2027-01-31Z"),
        ("parameters", None),
    ]
    assert [each.text for each in found.findall("parameters/parameter/*")] == ["ServiceUnit", "VEST", "D1"]
    assert [each.tag for each in user].index("user_roles") == [each.tag for each in user].index("user_identifiers") + 1
    none_left = element(compose_user(aase(roles=()))).find("user_roles")
    assert none_left is not None
    assert len(none_left) == 0
    assert element(compose_user(aase())).find("user_roles") is None


@pytest.mark.parametrize("keeps", [set(), {"emails"}, set(PREFERRED_LISTS)])
def test_of_a_protected_identity_goes_out_what_the_rules_say(keeps: set[str]) -> None:
    hidden = aase(values={"is_confidential": True})
    composed = compose_user(hidden, OutRules(confidential_keeps=frozenset(keeps)))
    user = element(composed)
    assert {path for path in PREFERRED_LISTS if user.findall(f"contact_info/{path}/*")} == keeps
    assert {each.path for each in composed.left_out if each.rule == "confidential"} == set(PREFERRED_LISTS) - keeps
    assert b"confidential" not in composed.content
    open_one = replace(hidden, values={**hidden.values, "is_confidential": False})
    assert not compose_user(open_one, OutRules(confidential_keeps=frozenset(keeps))).left_out


@pytest.mark.parametrize(
    ("user", "field"),
    [
        (aase(values={"last_name": "Vik\x07"}), "last_name"),
        (aase(values={"pref_last_name": "Vik\ud800"}), "pref_last_name"),
        (aase(values={"user_title": "\x9f"}), "user_title"),
        (aase(lists={"emails": (item("emails", "w\x00", email_address="a@b.example"),)}), "emails.type"),
        (aase(lists={"user_notes": (item("user_notes", note_text="a\x0bb"),)}), "user_notes.note_text"),
        (aase(values={"primary_id": None}), "primary_id"),
        (aase(values={"primary_id": " "}), "primary_id"),
        (aase(values={"account_type": "INTERNAL"}), "account_type"),
        (aase(values={"expiry_date": "2027-01-01"}), "expiry_date"),
        (aase(values={"is_researcher": "true"}), "is_researcher"),
        (aase(values={"first_name": date(2027, 1, 1)}), "first_name"),
        (aase(roles=(StaffRole("2\x00", "VEST"),)), "user_roles.role_type"),
    ],
)
def test_what_cannot_be_composed_is_told_by_field_and_without_the_value(user: AlmaUser, field: str) -> None:
    with pytest.raises(NotComposableError) as caught:
        compose_user(user)
    assert caught.value.field == field
    assert "Vik" not in str(caught.value)


def test_a_path_that_is_none_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no paths of a person: nickname"):
        compose_user(aase(values={"nickname": "Å"}))


def test_a_document_that_no_reader_would_take_is_not_made() -> None:
    notes = tuple(item("user_notes", note_text=f"{number} {'x' * 30_000}") for number in range(40))
    with pytest.raises(NotComposableError, match="1,048,576 bytes"):
        compose_user(aase(lists={"user_notes": notes}))


def test_nothing_that_is_composed_shows_the_person_in_a_traceback() -> None:
    user = aase(roles=(StaffRole("221", "VEST"),))
    shown = repr(user) + repr(compose_user(user))
    assert "Vik" not in shown
    assert "vestmark.example" not in shown


@settings(deadline=None, max_examples=150)
@given(users())
def test_what_is_composed_reads_as_the_same_person(user: AlmaUser) -> None:
    composed = compose_user(user)
    found = reread(composed)
    expected = {
        path: normalize("NFC", value).strip() if isinstance(value, str) else value
        for path, value in user.values.items()
        if path not in NOT_IN_ALMA and not (value is None and PATHS[path].value_type in ("day", "flag"))
    }
    if expected.get("record_type") is None:
        expected["record_type"] = "PUBLIC"
    assert dict(found.values) == expected
    left_out = {(each.path, each.item_type) for each in composed.left_out}
    for path in LIST_PATHS:
        said = [shown_item(path, each) for each in user.lists.get(path, ()) if each.segment == "external"]
        outgoing = {(each.type, each.key): dict(each.fields) for each in said if each is not None}
        read = {(each.type, each.key): dict(each.fields) for each in found.lists[path]}
        assert read.items() <= outgoing.items() if left_out else read == outgoing
        assert len(user.lists.get(path, ())) == len(read) + sum(each.path == path for each in composed.left_out)


@settings(deadline=None, max_examples=100)
@given(users())
def test_the_same_person_makes_the_same_bytes_whatever_the_order_of_items(user: AlmaUser) -> None:
    turned = replace(user, lists={path: tuple(reversed(items)) for path, items in reversed(user.lists.items())})
    first, second = compose_user(user), compose_user(turned)
    assert first.content == second.content
    parsed = etree.parse(io.BytesIO(first.content)).getroot()
    for path in PREFERRED_LISTS:
        there = parsed.findall(f"contact_info/{path}/*")
        marked = [each for each in there if each.get("preferred") == "true"]
        staff_chose = any(each.is_preferred and each.segment == "internal" for each in user.lists.get(path, ()))
        assert len(marked) == (0 if staff_chose or not there else 1)
