"""Who a row is about, and persons that get another id, or turn out to be one, or two."""

from __future__ import annotations

from datetime import date, timedelta
from typing import get_args

import pytest

from schemas.errors import UsageError
from schemas.register.patron_policy import IdentifierRule, PatronPolicy
from tasks.patrons.identity import IDENTITY_WORDS, Found, HeldIdentifier, IdentityRule, identifier_use, identify
from tasks.patrons.survivors import (
    REKEY_WORDS,
    Moved,
    Rekey,
    RekeyRule,
    closed,
    merge_persons,
    rekey,
    split,
    survivor_of,
    undone,
)

DAY = date(2025, 3, 14)
POLICY = PatronPolicy(
    identifiers={
        "feide": IdentifierRule(joins=True, is_unique=True),
        "barcode": IdentifierRule(is_unique=True, free_days=100),
    }
)
NOBODY: frozenset[int] = frozenset()


def has(kind: str, person: int, valid_to: date | None = None, valid_from: date | None = None) -> HeldIdentifier:
    return HeldIdentifier(kind, "k", person, valid_from, valid_to)


def found(*by_search: HeldIdentifier, ids: frozenset[int] = NOBODY, other: frozenset[int] = NOBODY) -> Found:
    return Found(ids, by_search, other)


@pytest.mark.parametrize(
    ("looked_up", "rule", "person"),
    [
        (found(ids=frozenset({7})), "source_id", 7),
        (found(has("feide", 8), ids=frozenset({7})), "source_id", 7),
        (found(ids=frozenset({7, 8})), "several_by_source_id", None),
        (found(has("feide", 7)), "joined", 7),
        (found(has("feide", 7), has("email", 7)), "joined", 7),
        (found(has("feide", 7), has("email", 8)), "joined", 7),
        (found(has("feide", 7), has("barcode", 8)), "taken", None),
        (found(has("feide", 7), other=frozenset({7})), "other_has_source_id", None),
        (found(has("feide", 7), has("feide", 8)), "several_by_search", None),
        (found(has("email", 7)), "new", None),
        (found(has("email", 7), has("email", 8)), "several_by_search", None),
        (found(has("barcode", 7)), "taken", None),
        (found(has("barcode", 7, DAY - timedelta(1))), "resting", None),
        (found(has("barcode", 7, DAY - timedelta(100))), "resting", None),
        (found(has("barcode", 7, DAY - timedelta(101))), "new", None),
        (found(), "new", None),
    ],
)
def test_stable_ids_match_others_search_and_doubt_quarantines(looked_up: Found, rule: str, person: int | None) -> None:
    verdict = identify(looked_up, POLICY, DAY)
    assert (verdict.rule, verdict.person) == (rule, person)
    assert verdict.is_new == (rule == "new")
    assert verdict.is_quarantined == (person is None and rule != "new")
    assert len(verdict.why) > 10


def test_a_tombstone_stops_a_row_that_nobody_alive_has_the_id_of() -> None:
    assert identify(Found(NOBODY, is_erased=True), POLICY, DAY).rule == "erased"
    assert identify(Found(frozenset({7}), is_erased=True), POLICY, DAY).rule == "source_id"


def test_who_may_be_the_same_is_named_with_the_verdict() -> None:
    assert identify(found(has("email", 7)), POLICY, DAY).candidates == (7,)
    assert identify(found(has("email", 9), has("email", 8)), POLICY, DAY).candidates == (8, 9)


def test_an_expired_identifier_of_the_person_themselves_can_be_taken_up_again() -> None:
    assert identifier_use([has("barcode", 7, DAY - timedelta(1))], 7, POLICY, DAY) == "own"
    assert identifier_use([has("email", 8)], 7, POLICY, DAY) == "free"
    assert identifier_use([], None, POLICY, DAY) == "free"


def test_an_old_feide_id_joins_nobody() -> None:
    assert identify(found(has("feide", 7, DAY - timedelta(400))), POLICY, DAY).rule == "new"


def test_every_rule_has_its_words() -> None:
    assert IDENTITY_WORDS.keys() == set(get_args(IdentityRule))
    assert REKEY_WORDS.keys() == set(get_args(RekeyRule))


OLD = HeldIdentifier("primary_id", "old", 7, date(2020, 1, 1))
NEW = HeldIdentifier("primary_id", "new", 7, DAY)


def rekeyed(old: list[HeldIdentifier], new: list[HeldIdentifier]) -> Rekey:
    return rekey(old, new, "primary_id", "new", DAY)


def test_a_rekey_ends_the_old_id_on_the_day_before_the_new_one_begins() -> None:
    done = rekeyed([OLD], [])
    assert (done.rule, done.person, done.opens) == ("rekeyed", 7, NEW)
    (ended,) = [closed(each, DAY) for each in done.closes]
    assert ended.valid_to == DAY - timedelta(1)
    assert not ended.is_valid_on(DAY)
    # The same row on the next night.
    assert rekeyed([ended], [NEW]) == Rekey("done_before", 7)


def test_a_rekey_is_undone_exactly() -> None:
    other = HeldIdentifier("barcode", "b", 7)
    done = rekeyed([OLD], [])
    assert undone(done, [closed(OLD, DAY), NEW, other], DAY) == [OLD, other]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ([], [], "nobody_had_the_old"),
        ([], [NEW], "done_before"),
        ([OLD], [HeldIdentifier("primary_id", "new", 8)], "both_are_taken"),
        ([OLD, HeldIdentifier("primary_id", "older", 8)], [], "several_had_the_old"),
        ([OLD], [NEW], "rekeyed"),
    ],
)
def test_a_rekey_that_cannot_be_is_quarantined(old: list[HeldIdentifier], new: list[HeldIdentifier], rule: str) -> None:
    done = rekeyed(old, new)
    assert done.rule == rule
    assert done.is_quarantined == (rule in ("both_are_taken", "several_had_the_old"))


ROWS = [Moved("identifier", "feide:a"), Moved("lock", "user_title"), Moved("item", "emails:work:a")]


def test_a_merge_moves_all_and_a_split_moves_exactly_that_back() -> None:
    done = merge_persons(7, 8, ROWS, [Moved("lock", "user_title")], {})
    assert done is not None
    assert set(done.moved) == {ROWS[0], ROWS[2]}
    assert done.left == (ROWS[1],)
    assert merge_persons(7, 8, ROWS, [], {8: 7}) is None
    back = split(done, [ROWS[0], ROWS[1]], {8: 7})
    assert back is not None
    assert (back.restored, back.moved, back.lost) == (8, (ROWS[0],), (ROWS[2],))
    assert split(done, ROWS, {}) is None
    assert "feide" not in repr(done)


def test_pointers_are_followed_to_the_end_and_a_circle_is_refused() -> None:
    assert survivor_of(9, {9: 8, 8: 7}) == 7
    with pytest.raises(UsageError, match="circle"):
        survivor_of(9, {9: 8, 8: 9})


@pytest.mark.parametrize(("survivor", "merged", "pointers"), [(7, 7, {}), (7, 8, {8: 6}), (7, 8, {7: 6})])
def test_who_is_merged_already_cannot_be_merged_again(survivor: int, merged: int, pointers: dict[int, int]) -> None:
    with pytest.raises(UsageError):
        merge_persons(survivor, merged, ROWS, [], pointers)
