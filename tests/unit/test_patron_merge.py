"""The merge table, line by line: what becomes of a value when a source speaks, and what the decision says about it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from schemas.patrons import ABSENT, PATHS, Value
from schemas.register.patron_policy import PatronPolicy
from tasks.patrons.merge import (
    WORDS,
    Circumstances,
    Decision,
    PathState,
    PersonState,
    after_merge,
    decide,
    merge_person,
    same,
)
from tasks.patrons.protection import Lock, RuleInForce, Stated, rules_in_force

DAY = date(2025, 3, 14)
NOW = Circumstances(DAY, "NORUPERS")
SOURCE_WINS = RuleInForce("source_wins")
LOCAL = RuleInForce("local_if_edited")
CLEARING = RuleInForce("local_if_edited", may_clear=True)
TAKING = RuleInForce("local_if_edited", takes_conflicts=True)
GROUP = RuleInForce("local_if_edited", follows_affiliation=True)


def pin(held: Value | None, **more: Any) -> Lock:
    return Lock("pin", held, baseline=ABSENT, by="siv", **more)


def automatic(held: Value | None = "ours") -> Lock:
    return Lock("automatic", held, baseline="old", by="merge")


def decided(
    incoming: Stated, state: PathState, rule: RuleInForce = LOCAL, path: str = "user_title", **now: bool
) -> tuple[str, str, Stated]:
    """(rule, action, what is there afterwards)."""
    found = decide(path, incoming, state, rule, NOW._replace(**now))
    return found.rule, found.action, found.after


# B = said before, W = written, C = current
CLEAN = PathState("old", "old", "old")
EDITED = PathState("old", "old", "ours")
EDITED_LOCKED = EDITED._replace(lock=automatic())
CLEARED = PathState("old", "old", None)
FIRST = PathState(current="ours")


@pytest.mark.parametrize(
    ("incoming", "state", "rule", "expected"),
    [
        # I absent
        (ABSENT, CLEAN, SOURCE_WINS, ("not_carried", "keep", "old")),
        (ABSENT, EDITED, LOCAL, ("not_carried", "keep", "ours")),
        (ABSENT, CLEAN._replace(lock=pin("old")), LOCAL, ("not_carried", "keep", "old")),
        # pinned
        ("new", CLEAN._replace(lock=pin("old")), SOURCE_WINS, ("pinned", "keep", "old")),
        ("new", CLEARED._replace(lock=pin(None)), SOURCE_WINS, ("pinned", "keep", None)),
        ("old", CLEARED._replace(lock=pin(None)), LOCAL, ("pinned", "keep", None)),
        (None, CLEAN._replace(lock=pin("old")), CLEARING, ("pinned", "keep", "old")),
        ("old", CLEAN._replace(lock=pin("held")), LOCAL, ("pinned", "write", "held")),
        ("old", CLEAN._replace(lock=pin(None)), LOCAL, ("pinned", "clear", None)),
        # pinned by institution or group
        ("new", CLEAN, SOURCE_WINS._replace(protected_for="why"), ("pinned_by_policy", "keep", "old")),
        ("new", CLEARED, LOCAL._replace(protected_for="why"), ("pinned_by_policy", "keep", None)),
        ("new", PathState(), LOCAL._replace(protected_for="why"), ("nothing_there", "write", "new")),
        # create_only
        ("new", CLEAN, RuleInForce("create_only"), ("create_only", "keep", "old")),
        ("new", PathState(), RuleInForce("create_only"), ("create_only", "keep", ABSENT)),
        # fixed modes
        ("new", CLEAN, RuleInForce("immutable"), ("immutable", "keep", "old")),
        ("new", CLEAN, RuleInForce("computed"), ("computed", "keep", "old")),
        ("new", CLEAN, RuleInForce("lifecycle"), ("lifecycle", "keep", "old")),
        ("new", CLEAN, RuleInForce("never"), ("never", "keep", "old")),
        # source_wins
        ("new", CLEAN, SOURCE_WINS, ("source_wins", "write", "new")),
        ("old", EDITED, SOURCE_WINS, ("source_wins", "write", "old")),
        (None, CLEAN, SOURCE_WINS, ("null_not_allowed", "keep", "old")),
        (None, CLEAN, RuleInForce("source_wins", may_clear=True), ("source_wins", "clear", None)),
        # local_if_edited: C == W
        ("new", CLEAN, LOCAL, ("untouched", "write", "new")),
        (None, CLEAN, LOCAL, ("null_not_allowed", "keep", "old")),
        (None, CLEAN, CLEARING, ("untouched", "clear", None)),
        # local_if_edited: I == C
        ("ours", EDITED, LOCAL, ("converged", "keep", "ours")),
        ("ours", EDITED_LOCKED, LOCAL, ("converged", "keep", "ours")),
        # local_if_edited: I == B
        ("old", EDITED, LOCAL, ("edited", "keep", "ours")),
        ("old", CLEARED, LOCAL, ("edited", "keep", None)),
        ("old", EDITED_LOCKED, LOCAL, ("edited_before", "keep", "ours")),
        # An automatic lock is not lost when W becomes what was kept, whoever lets it.
        ("old", PathState("old", "ours", "ours", automatic()), LOCAL, ("edited_before", "keep", "ours")),
        # local_if_edited: otherwise
        ("new", EDITED, LOCAL, ("conflict", "keep", "ours")),
        ("new", EDITED_LOCKED, LOCAL, ("conflict", "keep", "ours")),
        ("new", CLEARED, LOCAL, ("conflict", "keep", None)),
        ("new", EDITED, TAKING, ("conflict_taken", "write", "new")),
        # no W yet
        ("ours", FIRST, LOCAL, ("converged", "keep", "ours")),
        ("new", FIRST, LOCAL, ("conflict", "keep", "ours")),
        ("new", PathState(current=None), LOCAL, ("conflict", "keep", None)),
        ("new", PathState(), LOCAL, ("nothing_there", "write", "new")),
    ],
)
def test_each_line_of_the_table(
    incoming: Stated, state: PathState, rule: RuleInForce, expected: tuple[str, str, Stated]
) -> None:
    assert decided(incoming, state, rule) == expected


def test_a_new_person_gets_all_that_sources_may_give() -> None:
    for mode in ("create_only", "immutable", "source_wins", "local_if_edited"):
        assert decided("new", PathState(), RuleInForce(mode), is_new=True)[1:] == ("write", "new")
    for mode in ("computed", "lifecycle", "never"):
        assert decided("new", PathState(), RuleInForce(mode), is_new=True)[1:] == ("keep", ABSENT)


def test_a_desk_stub_waits_for_its_feed_and_is_no_edit() -> None:
    assert decided("new", FIRST, LOCAL, is_desk_stub=True) == ("desk_stub", "write", "new")
    assert not decide("user_title", "new", FIRST, LOCAL, NOW._replace(is_desk_stub=True)).overwrites_edit
    assert decided(None, FIRST, LOCAL, is_desk_stub=True) == ("null_not_allowed", "keep", "ours")
    # Once the feed has come, the desk's edits are edits.
    assert decided("old", EDITED, LOCAL, is_desk_stub=True) == ("edited", "keep", "ours")


def test_another_affiliation_lets_the_source_win_but_not_over_a_pin() -> None:
    found = decide("user_group", "employee", EDITED_LOCKED, GROUP, NOW._replace(affiliation_changed=True))
    assert (found.rule, found.after, found.lock, found.overwrites_edit) == (
        "affiliation_changed",
        "employee",
        "release",
        True,
    )
    assert decided("new", EDITED, LOCAL, affiliation_changed=True)[0] == "conflict"
    pinned = EDITED._replace(lock=pin("ours"))
    assert decided("employee", pinned, GROUP, affiliation_changed=True) == ("pinned", "keep", "ours")


def test_a_local_edit_that_is_overwritten_is_marked() -> None:
    def marks(state: PathState, incoming: Stated = "new") -> bool:
        return decide("last_name", incoming, state, SOURCE_WINS, NOW).overwrites_edit

    assert marks(EDITED)
    assert marks(CLEARED)
    assert marks(FIRST)
    assert not marks(CLEAN)
    assert not marks(EDITED, "ours")
    assert not marks(PathState(current=None))


def test_a_pinned_value_that_the_source_changes_asks_once() -> None:
    pinned = CLEAN._replace(lock=pin("old"))
    assert decide("user_title", "new", pinned, LOCAL, NOW).wants_review
    assert not decide("user_title", "new", pinned._replace(said_before="new"), LOCAL, NOW).wants_review
    assert decide("user_title", None, pinned, LOCAL, NOW).wants_review


def test_locks_open_and_end_where_the_table_says() -> None:
    def lock(incoming: Stated, state: PathState, rule: RuleInForce = LOCAL) -> str:
        return decide("user_title", incoming, state, rule, NOW).lock

    assert lock("old", EDITED) == "open"
    assert lock("old", CLEARED) == "open"
    assert lock("old", EDITED_LOCKED) == "none"
    assert lock("new", EDITED) == "open"
    assert lock("new", EDITED_LOCKED) == "none"
    assert lock("ours", EDITED_LOCKED) == "release"
    assert lock("new", EDITED_LOCKED, TAKING) == "release"
    assert lock("ours", EDITED._replace(lock=pin("ours"))) == "none"


def test_taking_a_conflict_tells_and_marks_the_edit() -> None:
    found = decide("preferred_language", "new", EDITED, TAKING, NOW)
    assert (found.notifies, found.overwrites_edit, found.wants_review) == (True, True, False)


def test_a_pin_ends_with_its_last_day_and_then_the_source_speaks() -> None:
    state = PathState("old", "held", "held", pin("held", until=DAY))
    assert decided("old", state)[0] == "pinned"
    over = state._replace(lock=pin("held", until=date(2025, 3, 13)))
    assert decided("old", over) == ("untouched", "write", "old")


def test_an_exempted_person_is_not_under_the_protection_of_the_group() -> None:
    rule = LOCAL._replace(protected_for="why")
    exempt = CLEAN._replace(lock=Lock("exempt", None, ABSENT, by="siv"))
    assert decided("new", exempt, rule) == ("untouched", "write", "new")


@pytest.mark.parametrize("incoming", ["old", "new"])
def test_an_exemption_is_not_lost_under_an_automatic_lock(incoming: str) -> None:
    rule = RuleInForce("local_if_edited", protected_for="placed by hand")
    exempt = EDITED._replace(lock=Lock("exempt", None, ABSENT, by="siv"))
    found = decide("user_title", incoming, exempt, rule, NOW)
    assert (found.action, found.lock) == ("keep", "none")


def test_a_value_that_an_export_leaves_out_was_cleared_by_somebody() -> None:
    gone = PathState("old", "old", ABSENT)
    assert decided("old", gone) == ("edited", "keep", None)
    assert decided("new", gone) == ("conflict", "keep", None)


def test_another_primary_id_is_asked_about_once_and_never_taken() -> None:
    state = PathState("n1", "n1", "n1")
    rule = RuleInForce("immutable")
    assert decide("primary_id", "n2", state, rule, NOW).wants_review
    assert not decide("primary_id", "N1", state, rule, NOW).wants_review
    assert not decide("primary_id", "n2", state._replace(said_before="n2"), rule, NOW).wants_review


def test_absent_null_and_value_are_three_things() -> None:
    stated: list[Stated] = [ABSENT, None, "", "x", False, True, DAY]
    assert [(a, b) for a in stated for b in stated if same(a, b) and a is not b] == []
    assert same("Åse", "A\u030ase ")
    assert not same("åse", "Åse")


def test_a_decision_explains_itself_and_shows_nobody() -> None:
    found = decide("pref_last_name", "Fjellheim", PathState("Berg", "Berg", "Dal"), LOCAL, NOW)
    assert found.why == (
        "pref_last_name kept: somebody edited it, and the source says something new; "
        "protected from now on; a person should look"
    )
    chosen = decide("pref_last_name", "Fjellheim", CLEAN, LOCAL, NOW)._replace(chosen_by="first by configuration")
    assert chosen.why == (
        "pref_last_name written: nobody has edited it since Samkat wrote it; NORUPERS speaks, first by configuration"
    )
    for secret in ("Fjellheim", "Berg", "Dal"):
        assert secret not in repr(found) + found.why
    assert secret not in repr(automatic("Dal"))


def test_every_rule_has_its_words() -> None:
    assert all(len(words) > 10 for words in WORDS.values())
    assert len(set(WORDS.values())) == len(WORDS)


RULES = rules_in_force(PatronPolicy(), "NORU", "student")


def person(**values: Value | None) -> PersonState:
    return PersonState(values, values, values)


def test_only_what_tells_something_becomes_a_row() -> None:
    state = person(first_name="Siv", user_title="fru", preferred_language="nb")
    incoming: dict[str, Value | None] = {"first_name": "Siv", "user_title": "fru", "preferred_language": "nn"}
    assert [each.path for each in merge_person(incoming, state, RULES, NOW)] == ["preferred_language"]
    assert merge_person({}, state, RULES, NOW) == []


def test_a_lock_is_looked_at_even_where_all_sides_are_equal() -> None:
    values: dict[str, Value | None] = {"user_title": "fru"}
    clean = PersonState(values, values, values, {"user_title": automatic("dr")})
    assert [each.lock for each in merge_person(values, clean, RULES, NOW)] == ["release"]
    pinned = PersonState(values, values, values, {"user_title": pin("dr")})
    assert [each.after for each in merge_person(values, pinned, RULES, NOW)] == ["dr"]


def test_an_unchanged_file_every_night_never_ends_a_protection() -> None:
    state = PersonState({"user_title": "fru"}, {"user_title": "fru"}, {"user_title": None})
    nights: list[list[Decision]] = []
    for _ in range(5):
        decisions = merge_person({"user_title": "fru"}, state, RULES, NOW)
        state = after_merge({"user_title": "fru"}, state, decisions)
        nights.append(decisions)
    assert [[each.rule for each in night] for night in nights] == [["edited"], [], [], [], []]
    assert state.current == {"user_title": None}
    assert state.locks["user_title"].held is None
    assert state.locks["user_title"].baseline == "fru"


def test_a_kept_conflict_stays_kept_on_the_nights_after_it() -> None:
    state = PersonState({"user_title": "fru"}, {"user_title": "fru"}, {"user_title": "dr"})
    for _ in range(4):
        decisions = merge_person({"user_title": "fr"}, state, RULES, NOW)
        state = after_merge({"user_title": "fr"}, state, decisions)
    assert state.current == {"user_title": "dr"}
    assert state.written == {"user_title": "fru"}
    assert state.locks.keys() == {"user_title"}


def test_a_released_pin_gives_the_path_back_to_the_source() -> None:
    state = PersonState({"user_title": "fru"}, {"user_title": "fru"}, {"user_title": "dr"}, {"user_title": pin("dr")})
    state = after_merge({"user_title": "fru"}, state, merge_person({"user_title": "fru"}, state, RULES, NOW))
    assert state.current == {"user_title": "dr"}
    released = PersonState(state.said_before, state.written, state.current)
    assert [each.after for each in merge_person({"user_title": "fru"}, released, RULES, NOW)] == ["fru"]


def test_the_source_is_followed_again_once_it_comes_round() -> None:
    state = PersonState({"user_title": "a"}, {"user_title": "a"}, {"user_title": "b"}, {"user_title": automatic("b")})
    for said, there in (("b", "b"), ("c", "c")):
        state = after_merge({"user_title": said}, state, merge_person({"user_title": said}, state, RULES, NOW))
        assert state.current == {"user_title": there}
        assert state.locks == {}


def test_every_path_of_the_vocabulary_can_be_merged() -> None:
    scalars = [path for path, each in PATHS.items() if each.kind == "scalar"]
    new = NOW._replace(is_new=True)
    decisions = merge_person(dict.fromkeys(scalars, "x"), PersonState(), RULES, new)
    assert {each.path for each in decisions} == {
        path for path in scalars if RULES[path].mode not in ("computed", "lifecycle", "never")
    }
