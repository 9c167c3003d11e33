"""Lists merge item by item: sources own what they say, staff own what they entered, and one is preferred."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.patrons import ABSENT, Absence, ListItem
from tasks.patrons.items import (
    ITEM_WORDS,
    STAFF,
    HeldItem,
    ItemLock,
    ListState,
    MergedList,
    merge_list,
    with_preferred,
    without_source,
)

DAY = date(2025, 3, 14)
A, B = ("work", "a@x.example"), ("personal", "b@x.example")


def said(key: tuple[str, str], preferred: bool = False, note: str = "") -> ListItem:
    return ListItem(key[0], key[1], {"email_address": key[1]} | ({"description": note} if note else {}), preferred)


def held(key: tuple[str, str], *owners: str, preferred: bool = False, since: date = DAY, note: str = "") -> HeldItem:
    fields = said(key, note=note).fields
    return HeldItem(key[0], key[1], fields, frozenset(owners), since, is_preferred=preferred, told_by=owners[0])


def merged(
    incoming: list[ListItem] | Absence, state: ListState, source: str = "HR", may_clear: bool = True
) -> MergedList:
    return merge_list("emails", incoming, state, source, DAY, may_clear=may_clear)


def keys(found: MergedList) -> list[tuple[str, str]]:
    return [each.item_key for each in found.items]


def rules(found: MergedList) -> list[tuple[str, str, str, bool]]:
    return [(each.rule, each.action, each.lock, each.wants_review) for each in found.decisions]


def test_what_is_new_is_added_and_what_is_there_gets_one_more_owner() -> None:
    found = merged([said(A), said(B)], ListState([held(B, "STUD")]))
    assert {each.item_key: each.owners for each in found.items} == {A: {"HR"}, B: {"STUD", "HR"}}
    assert rules(found) == [("added", "write", "none", False)]


def test_a_list_that_is_not_carried_stays() -> None:
    state = ListState([held(A, "HR")])
    assert merged(ABSENT, state) == MergedList((held(A, "HR"),), ())


def test_a_source_takes_away_only_what_it_owns_alone() -> None:
    state = ListState([held(A, "HR"), held(B, "HR", "STUD"), held(("home", "c@x.example"), STAFF)])
    found = merged([], state, may_clear=True)
    assert {each.key: each.owners for each in found.items} == {"b@x.example": {"STUD"}, "c@x.example": {STAFF}}
    assert rules(found) == [("own_removed", "clear", "none", False)]


def test_an_empty_list_says_nothing_where_clearing_is_not_allowed() -> None:
    state = ListState([held(A, "HR")], said_before=frozenset({A}))
    assert merged([], state, may_clear=False) == MergedList((held(A, "HR"),), ())
    # Losing one of several is no clearing.
    two = ListState([held(A, "HR"), held(B, "HR")])
    assert keys(merged([said(A)], two, may_clear=False)) == [A]


def test_what_staff_entered_is_theirs_even_when_a_source_says_it_too_and_stops() -> None:
    read_back = ListState([], current=[said(A)])
    first = merged([said(A)], read_back)
    assert first.items[0].owners == {STAFF, "HR"}
    assert keys(merged([], ListState(first.items, said_before=frozenset({A})))) == [A]


def test_what_staff_took_away_stays_away_on_every_night() -> None:
    state = ListState([held(A, "HR"), held(B, "HR")], [said(B)], frozenset({A, B}))
    nights = []
    for _ in range(4):
        found = merged([said(A), said(B)], state)
        nights.append(rules(found))
        locks = {each.item: ItemLock("automatic") for each in found.decisions if each.lock == "open"}
        state = ListState(found.items, [said(B)], frozenset({A, B}), {**state.locks, **locks})
        assert keys(found) == [B]
    assert nights == [[("removed_by_staff", "keep", "open", False)], [], [], []]


def test_what_staff_took_away_and_a_source_says_anew_is_asked_about() -> None:
    locked = ListState([], [], frozenset(), {A: ItemLock("automatic")})
    assert rules(merged([said(A)], locked)) == [("conflict", "keep", "none", True)]
    written_by_other = ListState([held(A, "STUD")], [], frozenset())
    assert rules(merged([said(A)], written_by_other)) == [("conflict", "keep", "open", True)]


def test_what_staff_put_back_ends_the_lock() -> None:
    state = ListState([], [said(A)], frozenset({A}), {A: ItemLock("automatic")})
    assert rules(merged([said(A)], state)) == [("agreed", "keep", "release", False)]


def test_one_sources_silence_does_not_end_what_protects_from_another() -> None:
    locks = {A: ItemLock("automatic")}
    assert merged([], ListState([], [], frozenset(), locks), source="HR").decisions == ()
    assert keys(merged([said(A)], ListState([], [], frozenset({A}), locks), source="STUD")) == []


def test_a_pinned_item_stays_and_a_pinned_absence_stays() -> None:
    stays = ListState([held(A, "HR")], said_before=frozenset({A}), locks={A: ItemLock("pin", held(A, "HR"))})
    found = merged([], stays)
    assert (keys(found), rules(found)) == ([A], [("pinned", "keep", "none", True)])
    away = ListState([], said_before=frozenset({A}), locks={A: ItemLock("pin")})
    assert merged([said(A)], away) == MergedList((), ())
    lost = ListState([], said_before=frozenset(), locks={A: ItemLock("pin", held(A, STAFF))})
    assert rules(merged([], lost)) == [("pinned", "write", "none", False)]
    assert merged([], lost).items == (held(A, STAFF),)


def test_what_the_key_does_not_hold_follows_the_source_until_staff_edit_it() -> None:
    state = ListState([held(A, "HR", note="old")], said_before=frozenset({A}))
    found = merged([said(A, note="new")], state)
    assert found.items[0].fields["description"] == "new"
    assert rules(found) == [("own_changed", "write", "none", False)]
    edited = state._replace(current=[said(A, note="by the desk")])
    assert merged([said(A, note="new")], edited).items[0].fields["description"] == "by the desk"


@pytest.mark.parametrize(
    ("items", "preferred"),
    [
        ([held(A, "HR"), replace(held(B, STAFF), preferred_by=frozenset({STAFF}))], B),
        ([held(A, "HR"), replace(held(B, "STUD"), preferred_by=frozenset({"STUD"}))], B),
        (
            [
                replace(held(A, "HR"), preferred_by=frozenset({"HR"})),
                replace(held(B, "STUD"), preferred_by=frozenset({"STUD"})),
            ],
            B,
        ),
        ([held(("personal", "0"), "HR"), held(A, "HR")], A),
        ([held(("work", "0"), "HR"), held(A, "HR", since=DAY - timedelta(1))], A),
        ([held(("work", "0"), "HR"), held(A, "HR")], ("work", "0")),
        ([held(("home,work", "z"), "HR"), held(B, "HR")], ("home,work", "z")),
    ],
    ids=["staff", "source", "the better source", "type", "oldest", "key", "one of its types"],
)
def test_one_is_preferred_staff_then_source_then_type_then_oldest(
    items: list[HeldItem], preferred: tuple[str, str]
) -> None:
    for each in permutations(items):
        found = with_preferred(each, {"STUD": 1, "HR": 2}, ["work", "personal"])
        assert [item.item_key for item in found if item.is_preferred] == [preferred]


def test_a_preference_that_moved_in_the_library_system_was_moved_by_staff() -> None:
    written = [replace(held(A, "HR", preferred=True), preferred_by=frozenset({"HR"})), held(B, "HR")]
    read_back = [said(A), said(B, preferred=True)]
    state = ListState(written, read_back, frozenset({A, B}))
    found = with_preferred(merged([said(A, preferred=True), said(B)], state).items, {"HR": 1})
    assert [each.item_key for each in found if each.is_preferred] == [B]
    # And on the next night, which reads back what was written.
    again = ListState(found, read_back, frozenset({A, B}))
    found = with_preferred(merged([said(A, preferred=True), said(B)], again).items, {"HR": 1})
    assert [each.item_key for each in found if each.is_preferred] == [B]


def test_every_rule_has_its_words_and_no_row_shows_the_person() -> None:
    assert len(set(ITEM_WORDS.values())) == len(ITEM_WORDS)
    (decision,) = merged([said(A)], ListState()).decisions
    assert decision.why == "an item of emails written: the source has it, and it was not there"
    assert "a@x" not in repr(decision) + repr(held(A, "HR"))


RANKS = {"HR": 1, "STUD": 2}
KEY = st.sampled_from([("work", "1"), ("work", "2"), ("home", "1"), ("home", "3")])
INCOMING = st.lists(
    st.builds(said, KEY, st.booleans(), st.sampled_from(["", "x", "y"])), unique_by=lambda each: (each.type, each.key)
)
SOURCES = ("HR", "STUD", "GUEST")


@given(st.dictionaries(st.sampled_from(SOURCES), INCOMING, min_size=1), st.lists(KEY, unique=True))
@settings(max_examples=150, deadline=None)
def test_order_of_sources_again_and_dropping_one(
    nights: dict[str, list[ListItem]], by_staff: list[tuple[str, str]]
) -> None:
    staff = tuple(held(key, STAFF) for key in sorted(by_staff))

    def after(order: tuple[str, ...]) -> tuple[HeldItem, ...]:
        items = staff
        for source in order:
            items = merge_list("emails", nights[source], ListState(items), source, DAY, ranking=RANKS).items
        return with_preferred(items, RANKS)

    items, *others = [after(order) for order in permutations(nights)]
    assert all(each == items for each in others)
    assert sum(each.is_preferred for each in items) == bool(items)
    for source, incoming in nights.items():
        before = frozenset((each.type, each.key) for each in incoming)
        again = merge_list("emails", incoming, ListState(items, said_before=before), source, DAY, ranking=RANKS)
        assert again.decisions == ()
        assert with_preferred(again.items, RANKS) == items
        left = without_source(items, source)
        assert {each.item_key for each in items} - {each.item_key for each in left} == {
            each.item_key for each in items if each.owners == {source}
        }
        assert not any(source in each.owners for each in left)
