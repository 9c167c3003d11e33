"""Read-back: what an export says, what it cannot say, and what nobody edited though it looks so."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings

from schemas.alma_users import NOT_IN_ALMA, AlmaUser, CurrentPerson, CurrentState, OutRules, SeenUser, UnreadUser
from schemas.errors import DeliveryRejectedError
from schemas.patrons import ABSENT, LIST_PATHS, ListItem
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.merge import Circumstances, PathState, decide
from tasks.patrons.protection import RuleInForce
from tasks.patrons.read_back import ReadBackTotals, as_current, edited_paths, read_documents, read_export
from tests.unit.alma_users import aase, export, item, outline, users

RULES = OutRules()
NOBODY = AlmaUser({})
SHARED = AlmaUser(
    {"primary_id": "N1001", "department": "Historia", "is_confidential": None, "last_name": "Berg"},
    {"user_identifiers": (item("user_identifiers", "barcode", value="N1001"),)},
)
"""A person of BUPS 1: the library card is the primary id, too."""


def read(
    content: bytes, rules: OutRules = RULES, totals: ReadBackTotals | None = None
) -> list[CurrentPerson | UnreadUser]:
    return list(read_export(io.BytesIO(content), "export.xml", rules, totals))


def by_key(items: Sequence[ListItem]) -> tuple[ListItem, ...]:
    return tuple(sorted(items, key=lambda each: (each.type, each.key)))


def current(content: bytes, rules: OutRules = RULES) -> CurrentPerson:
    (only,) = read(content, rules)
    assert isinstance(only, CurrentPerson), only
    return only


def after(written: AlmaUser, old: bytes = b"", new: bytes = b"", rules: OutRules = RULES) -> CurrentState:
    """C once Alma has taken `written` and staff have replaced `old` by `new`."""
    content = compose_user(written, rules).content
    assert old in content
    return as_current(current(export(content.replace(old, new, 1)), rules), written, rules)


def test_an_export_yields_users_with_ids_values_and_lists() -> None:
    found = current(export(compose_user(aase()).content))
    assert (found.primary_id.value, found.primary_id.key) == ("V-1@vestmark.example", "v-1@vestmark.example")
    assert [each.type for each in found.identifiers] == ["feide"]
    assert found.values["expiry_date"] == date(2027, 6, 30)
    assert set(found.lists) == LIST_PATHS
    assert found.lists["rs_libraries"] == ()
    assert found.is_external


def test_empty_elements_and_missing_ones_are_the_same_and_both_are_empty_lists() -> None:
    empty = b"<user><primary_id>P</primary_id><gender desc=''/><middle_name/><user_notes/></user>"
    missing = b"<user><primary_id>P</primary_id></user>"
    assert dict(current(export(empty)).values) == dict(current(export(missing)).values) == {"primary_id": "P"}
    assert current(export(empty)).lists == current(export(missing)).lists


def test_items_of_internal_segments_are_marked() -> None:
    content = (
        b"<user><primary_id>P</primary_id><user_notes><user_note segment_type='Internal'><note_text>a</note_text>"
        b"</user_note><user_note segment_type='External'><note_text>b</note_text></user_note></user_notes></user>"
    )
    assert [(each.key, each.segment) for each in current(export(content)).lists["user_notes"]] == [
        ("a", "internal"),
        ("b", "external"),
    ]


def test_the_same_record_has_the_same_hash_in_the_next_export() -> None:
    mine, other = compose_user(aase()).content, b"<user><primary_id>P</primary_id></user>"
    first, *_ = read(export(mine, other))
    *_, second = read(export(other, mine))
    edited, *_ = read(export(mine.replace(b"<last_name>", b"<last_name>O"), other))
    assert isinstance(first, CurrentPerson)
    assert isinstance(second, CurrentPerson)
    assert isinstance(edited, CurrentPerson)
    assert first.content_hash == second.content_hash != edited.content_hash


def test_internal_accounts_are_told_apart() -> None:
    content = b"<user><primary_id>P</primary_id><account_type desc='Internal'>INTERNAL</account_type></user>"
    assert not current(export(content)).is_external


@settings(deadline=None, max_examples=150)
@given(users())
def test_what_alma_took_as_it_was_sent_looks_edited_by_nobody(written: AlmaUser) -> None:
    whole = replace(
        written, lists={path: by_key(items) for path, items in written.lists.items() if not _internal(items)}
    )
    state = after(whole)
    assert edited_paths(state, whole) == set()
    assert dict(state.lists) == {path: whole.lists.get(path, ()) for path in LIST_PATHS}


def _internal(items: Sequence[ListItem]) -> bool:
    return any(each.segment == "internal" for each in items)


@settings(deadline=None, max_examples=100)
@given(users())
def test_the_first_look_at_a_user_that_samkat_never_wrote_is_what_is_there(user: AlmaUser) -> None:
    person = current(export(compose_user(user).content))
    state = as_current(person, NOBODY, RULES)
    assert {**state.values, "is_researcher": None} == {**person.values, "is_researcher": None}
    assert dict(state.lists) == {path: by_key(items) for path, items in person.lists.items()}


def test_what_alma_has_no_element_for_is_taken_from_what_was_written() -> None:
    state = after(SHARED)
    assert {path: state.values.get(path, ABSENT) for path in NOT_IN_ALMA} == {
        "department": "Historia",
        "is_confidential": None,
    }
    assert edited_paths(state, SHARED) == set()


def test_a_library_card_that_is_the_primary_id_too_was_not_taken_away_by_staff() -> None:
    assert b"<user_identifiers/>" in compose_user(SHARED).content
    assert after(SHARED).lists["user_identifiers"] == SHARED.lists["user_identifiers"]


def test_a_twin_goes_with_the_identifier_that_is_shown_in_its_place() -> None:
    ids = (item("user_identifiers", "card", value="77"), item("user_identifiers", "pass", value="77"))
    written = AlmaUser({"primary_id": "P"}, {"user_identifiers": ids})
    assert {each.type for each in after(written).lists["user_identifiers"]} == {"card", "pass"}
    emptied = as_current(current(export(b"<user><primary_id>P</primary_id></user>")), written, RULES)
    assert emptied.lists["user_identifiers"] == ()


def test_paths_that_the_export_never_carries_are_taken_from_what_was_written() -> None:
    rules = OutRules(not_exported=frozenset({"pin_number", "user_notes"}))
    written = aase(values={"pin_number": "1234"})
    state = as_current(
        current(export(b"<user><primary_id>V-1@vestmark.example</primary_id></user>"), rules), written, rules
    )
    assert state.values["pin_number"] == "1234"
    assert state.lists["user_notes"] == written.lists["user_notes"]
    assert "pin_number" in edited_paths(
        as_current(current(export(b"<user><primary_id>V-1@vestmark.example</primary_id></user>")), written, RULES),
        written,
    )


def test_of_a_protected_identity_what_never_went_out_was_not_taken_away() -> None:
    rules = OutRules(confidential_keeps=frozenset({"emails"}))
    written = aase(values={"is_confidential": True})
    state = after(written, rules=rules)
    assert dict(state.lists)["addresses"] == written.lists["addresses"]
    assert not {"addresses", "phones", "emails"} & edited_paths(state, written)


def test_what_is_hidden_from_now_on_and_still_there_is_no_edit_either() -> None:
    rules = OutRules(confidential_keeps=frozenset())
    plain = aase(lists={"phones": (item("phones", "mobile", preferred=True, phone_number="1"),)})
    shown = compose_user(plain).content.replace(b"<phone ", b'<phone preferred_sms="false" ')
    hidden = replace(plain, values={**plain.values, "is_confidential": True})
    state = as_current(current(export(shown), rules), hidden, rules)
    assert edited_paths(state, hidden) == set()
    assert state.lists["phones"] == plain.lists["phones"]


def test_a_primary_id_in_another_case_is_no_edit() -> None:
    state = after(aase(), b"V-1@vestmark.example", b"v-1@VESTMARK.example")
    assert state.values["primary_id"] == "V-1@vestmark.example"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<status>ACTIVE</status></user_identifier>", b"</user_identifier>"),
        (b"<popup_note>false</popup_note>", b"<user_viewable>false</user_viewable>"),
        (b"<is_researcher>false</is_researcher>", b""),
    ],
)
def test_what_alma_adds_or_drops_by_itself_is_no_edit(old: bytes, new: bytes) -> None:
    written = aase()
    state = after(written, old, new)
    assert edited_paths(state, written) == set()
    assert dict(state.lists) == {path: by_key(written.lists.get(path, ())) for path in LIST_PATHS}


@pytest.mark.parametrize(
    ("old", "new", "edited"),
    [
        (b"<pref_first_name>\xc3\x85sa</pref_first_name>", b"", "pref_first_name"),
        (b"<pref_first_name>\xc3\x85sa</pref_first_name>", b"<pref_first_name/>", "pref_first_name"),
        (b"<middle_name/>", b"<middle_name>M</middle_name>", "middle_name"),
        (b"<expiry_date>2027-06-30Z", b"<expiry_date>2028-06-30Z", "expiry_date"),
        (b"Aase@vestmark.example", b"other@vestmark.example", "emails"),
        (b"<line1>Storgata 1</line1>", b"<line1>Storgata 1</line1><address_note>bell</address_note>", "addresses"),
        (b'preferred="true" preferred_sms="true"', b'preferred="true" preferred_sms="false"', "phones"),
        (b'<email preferred="false"', b'<email preferred="true"', "emails"),
        (b"speaks", b"writes", "user_notes"),
    ],
)
def test_what_staff_edited_is_seen(old: bytes, new: bytes, edited: str) -> None:
    written = aase()
    state = after(written, old, new)
    assert edited_paths(state, written) == {edited}


def test_a_value_that_staff_cleared_is_kept_cleared_by_the_merge() -> None:
    state = after(aase(), b"<pref_first_name>\xc3\x85sa</pref_first_name>")
    seen = PathState("Åsa", "Åsa", state.values.get("pref_first_name", ABSENT))
    decision = decide(
        "pref_first_name", "Åsa", seen, RuleInForce("local_if_edited"), Circumstances(date(2025, 11, 21), "S")
    )
    assert (decision.rule, decision.action, decision.lock) == ("edited", "keep", "open")


def test_a_detail_that_staff_changed_keeps_those_that_alma_cannot_show() -> None:
    own = item("user_identifiers", "card", value="77", valid_to="2027-01-01")
    written = AlmaUser({"primary_id": "P"}, {"user_identifiers": (own,)})
    state = after(written, b"<value>77</value>", b"<value>77</value><note>new card</note><status>ACTIVE</status>")
    (found,) = state.lists["user_identifiers"]
    assert found.fields == {"value": "77", "valid_to": "2027-01-01", "note": "new card"}


def test_an_item_that_staff_made_internal_is_internal_from_then_on() -> None:
    state = after(aase(), b'<user_note segment_type="External">', b'<user_note segment_type="Internal">')
    (note,) = state.lists["user_notes"]
    assert note.segment == "internal"


def test_a_user_that_cannot_be_read_is_there_all_the_same() -> None:
    good = compose_user(aase()).content
    bad_day = b"<user><primary_id>K &amp; Q</primary_id><birth_date>2001-13-01</birth_date></user>\n"
    broken = b"<user><x:primary_id xmlns:x='u'>Cut</x:primary_id><last_name></user>\n"
    nameless = b"<user><last_name>Lund</last_name></user>\n"
    totals = ReadBackTotals()
    found = read(export(good, bad_day, good, broken, nameless, good), totals=totals)
    assert [outline(each) if isinstance(each, CurrentPerson) else each.primary_key for each in found] == [
        *("v-1@vestmark.example", "k & q", "v-1@vestmark.example", "cut", None, "v-1@vestmark.example"),
    ]
    assert (totals.unread, totals.unplaced, totals.records) == (3, 1, 6)
    assert "Cut" not in repr(found)
    facts = totals.facts("export.xml", "a" * 64, 1_000)
    assert (facts.persons, facts.rejected, facts.filled["last_name"]) == (3, 3, 3)


def test_an_export_that_breaks_off_is_told() -> None:
    totals = ReadBackTotals()
    content = export(compose_user(aase()).content, compose_user(aase()).content)
    found = read(content[:-300], totals=totals)
    assert [type(each) for each in found] == [CurrentPerson, UnreadUser]
    assert totals.facts("e", "a", 1).defects == ("it breaks off, or is broken between its persons",)


def test_members_of_a_zip_are_one_export_and_their_defects_name_them() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.xml", export(compose_user(aase()).content))
        archive.writestr("b.xml", export(compose_user(aase()).content)[:-9])
    totals = ReadBackTotals()
    found = read(packed.getvalue(), totals=totals)
    assert [each.position.record_no for each in found if isinstance(each, CurrentPerson)] == [1, 2]
    assert [each.split(":")[0] for each in totals.defects] == ["b.xml"]


def test_answers_of_an_api_are_read_as_an_export_is() -> None:
    declaration = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    totals = ReadBackTotals()
    answers = [declaration + compose_user(aase(values={"primary_id": each})).content for each in ("P1", "P2")]
    found = list(
        read_documents([*answers, b"<user><primary_id>P3</primary_id><birth_date>x</birth_date></user>"], RULES, totals)
    )
    assert [each.position.record_no for each in found if isinstance(each, CurrentPerson)] == [1, 2]
    assert isinstance(found[2], UnreadUser)
    assert (found[2].primary_key, found[2].row.position.record_no, totals.records) == ("p3", 3, 3)


def test_users_that_the_last_read_back_held_are_not_parsed_again() -> None:
    mine, broken = compose_user(aase()).content, b"<user><primary_id>Cut</primary_id><last_name></user>\n"
    others = [compose_user(aase(values={"primary_id": f"P{number}"})).content for number in range(3)]
    before = read(export(mine, *others))
    hashes = {each.content_hash for each in before if isinstance(each, CurrentPerson)}
    edited = mine.replace(b"<last_name>", b"<last_name>O")
    asked: list[Set[bytes]] = []

    def seen(some: Set[bytes]) -> Set[bytes]:
        asked.append(some)
        return some & hashes

    totals = ReadBackTotals()
    stream = io.BytesIO(export(others[0], edited, broken, others[1], others[2]))
    found = list(read_export(stream, "export.xml", RULES, totals, seen))
    assert [type(each) for each in found] == [SeenUser, CurrentPerson, UnreadUser, SeenUser, SeenUser]
    assert [each.position.record_no for each in found if not isinstance(each, UnreadUser)] == [1, 2, 4, 5]
    assert {each.content_hash for each in found if isinstance(each, SeenUser)} < hashes
    assert len(asked[0]) == 5
    assert (totals.tally.persons, totals.unread) == (4, 1)


def test_users_are_counted_alike_whether_seen_before_or_not() -> None:
    content = export(*(compose_user(aase(values={"primary_id": f"P{number}"})).content for number in range(4)))

    def filled(seen: Callable[[Set[bytes]], Set[bytes]]) -> dict[str, int]:
        totals = ReadBackTotals()
        assert len(list(read_export(io.BytesIO(content), "e.xml", RULES, totals, seen))) == 4
        return dict(totals.tally.filled)

    all_new, all_seen = filled(lambda _: set()), filled(lambda some: some)
    assert all_new == all_seen
    totals = ReadBackTotals()
    read(content, totals=totals)
    assert all_new == dict(totals.tally.filled)


@pytest.mark.parametrize("content", [b"", b"<html><body>Sign in</body></html>", b"LT:123\n", b"<users>"])
def test_what_is_no_export_is_never_an_empty_one(content: bytes) -> None:
    with pytest.raises(DeliveryRejectedError):
        read(content)
