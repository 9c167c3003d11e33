"""What becomes of one person: rows of several sources, edits by staff, protection, absence, leaving, what is held."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from schemas.errors import UsageError
from schemas.patrons import ABSENT, ProtectionOrder, Value
from schemas.register.patron_policy import PatronPolicy
from tasks.patrons.occasion import Change
from tasks.patrons.person_plan import (
    plan_due,
    plan_edit,
    plan_found,
    plan_person,
    plan_read_back,
    plan_source_dropped,
)
from tasks.patrons.pinning import plan_protect, plan_release
from tasks.patrons.plan_person_state import is_same_person
from tasks.patrons.records import PersonRecord, SourceRecord
from tests.unit.patron_persons import DAY, after, decided, item, made, next_night, occasion, row

HASH = b"h" * 16


def test_a_new_person_is_one_change_with_all_values() -> None:
    plan = plan_person(None, row({"last_name": "Lie", "birth_date": date(1990, 1, 2)}), occasion())
    person = after(plan)
    assert decided(plan) == [("person", "created", "applied", "create")]
    assert (person.person_id, person.version, person.account_type) == (None, 1, "EXTERNAL")
    assert person.current == {
        "primary_id": "a1@noru.example",
        "last_name": "Lie",
        "birth_date": date(1990, 1, 2),
        "user_group": "student",
    }
    assert person.standing.state == "active"
    assert person.standing.expires_on == DAY + timedelta(365)
    assert person.look_on == DAY + timedelta(336)


def test_nobody_is_made_while_creating_is_held() -> None:
    plan = plan_person(None, row(), occasion(), frozenset({"create"}))
    assert plan.after is None
    assert decided(plan) == [("person", "created", "held", "create")]
    assert not plan.is_quiet


def test_the_same_row_again_is_quiet_and_keeps_its_hash() -> None:
    person = made()
    incoming = replace(row({"last_name": "Lie", "user_title": "fru"}), content_hash=b"other hash 16 by")
    plan = plan_person(person, incoming, next_night())
    assert plan.is_quiet
    assert after(plan).version == 1
    assert after(plan).sources["NORUPERS"].content_hash == b"other hash 16 by"


def test_a_change_of_the_source_makes_a_version_and_a_row_of_history() -> None:
    plan = plan_person(made(), row({"last_name": "Moe", "user_title": "fru"}), next_night())
    assert decided(plan) == [("last_name", "source_wins", "applied", None)]
    assert (after(plan).version, after(plan).current["last_name"]) == (2, "Moe")
    assert [(each.path, each.value, each.said_from, each.said_until) for each in plan.history] == [
        ("last_name", "Lie", DAY, DAY + timedelta(1))
    ]


def test_an_edit_stands_on_every_later_night_and_only_the_first_tells_it() -> None:
    person = after(plan_edit(made(), "user_title", "dr", "siv", occasion(None)))
    assert person.sources["NORUPERS"].needs_merge
    assert person.look_on == DAY
    first = plan_person(person, row({"last_name": "Lie", "user_title": "fru"}), next_night())
    assert decided(first) == [("user_title", "edited", "suppressed", None)]
    assert [(each.kind, each.held) for each in after(first).locks] == [("automatic", "dr")]
    second = plan_person(after(first), row({"last_name": "Lie", "user_title": "fru"}), next_night(2))
    assert second.is_quiet
    assert after(second).current["user_title"] == "dr"


def test_absent_null_and_a_value_do_three_things() -> None:
    policy = PatronPolicy.model_validate({"paths": {"user_title": {"mode": "local_if_edited", "may_clear": True}}})
    person = made(on=occasion(policy=policy))
    tonight = next_night(policy=policy)
    assert after(plan_person(person, row({"last_name": "Lie"}), tonight)).current["user_title"] == "fru"
    cleared = plan_person(person, row({"last_name": "Lie", "user_title": None}), tonight)
    assert after(cleared).current["user_title"] is None
    assert cleared.classes == {"clear"}
    frk = plan_person(person, row({"last_name": "Lie", "user_title": "frk"}), tonight)
    assert after(frk).current["user_title"] == "frk"
    assert frk.classes == frozenset()


def test_a_change_of_group_is_held_night_after_night_until_it_is_let_through() -> None:
    held = frozenset({"group_change"})
    incoming = row({"last_name": "Moe"}, category="staff")
    person = made()
    for night in (1, 2):
        plan = plan_person(person, incoming, next_night(night), held)  # type: ignore[arg-type]
        assert ("user_group", "affiliation_changed", "held", "group_change") in decided(plan)
        person = after(plan)
        assert (person.current["user_group"], person.sources["NORUPERS"].category) == ("student", "student")
        assert person.current["last_name"] == "Moe"
        assert person.sources["NORUPERS"].needs_merge
    plan = plan_person(person, incoming, next_night(3))
    assert decided(plan) == [("user_group", "affiliation_changed", "applied", "group_change")]
    assert not after(plan).sources["NORUPERS"].needs_merge


def test_an_edited_group_gives_way_when_the_affiliation_changes_and_not_when_its_mapping_does() -> None:
    person = after(plan_edit(made(), "user_group", "guest", "siv", occasion(None)))
    mapped = plan_person(person, row(group="students"), next_night())
    assert after(mapped).current["user_group"] == "guest"
    employee = plan_person(person, row(category="staff"), next_night())
    assert after(employee).current["user_group"] == "staff"


def test_a_pin_stands_with_its_null_whatever_staff_and_sources_say() -> None:
    person = after(plan_edit(made(), "user_title", None, "siv", occasion(None)))
    person = after(plan_protect(person, "user_title", occasion(None), by="siv", reason="asked for it"))
    for night, title in enumerate(("fru", "frk", None, "dr"), start=1):
        plan = plan_person(person, row({"last_name": "Lie", "user_title": title}), next_night(night))
        person = after(plan)
        assert person.current["user_title"] is None
    edited = after(plan_read_back(person, {**person.current, "user_title": "prof"}, {}, HASH, occasion(None)))
    assert edited.current["user_title"] == "prof"
    assert after(plan_person(edited, row({"user_title": "dr"}), next_night(9))).current["user_title"] is None
    with pytest.raises(UsageError, match="protected"):
        plan_edit(person, "user_title", "dr", "siv", occasion(None))


def test_a_release_lets_the_source_write_again() -> None:
    person = after(plan_edit(made(), "user_title", "dr", "siv", occasion(None)))
    person = after(plan_protect(person, "user_title", occasion(None), by="siv", reason="asked for it"))
    person = replace(person, locks=tuple(replace(each, lock_id=1) for each in person.locks))
    released = after(plan_release(person, "user_title", occasion(None), by="per"))
    assert [each.released_by for each in released.locks] == ["per"]
    plan = plan_person(released, row({"last_name": "Lie", "user_title": "fru"}), next_night())
    assert after(plan).current["user_title"] == "fru"


def test_a_pin_ends_with_its_last_day_by_time_alone() -> None:
    until = DAY + timedelta(3)
    person = after(plan_edit(made(), "user_title", "dr", "siv", occasion(None)))
    person = after(plan_protect(person, "user_title", occasion(None), by="siv", reason="", until=until))
    assert person.look_on == until + timedelta(1)
    person = after(plan_person(person, row({"user_title": "fru"}), next_night()))
    assert after(plan_due(person, next_night(3))).current["user_title"] == "dr"
    assert after(plan_due(person, next_night(4))).current["user_title"] == "fru"


def test_orders_of_a_row_protect_once_and_end_only_the_senders_own_pins() -> None:
    protect = ProtectionOrder("protect", "user_title", reason="asked for it")
    incoming = row({"user_title": "fru"}, orders=(protect,))
    person = after(plan_person(made(), incoming, next_night()))
    assert [(each.kind, each.held, each.by) for each in person.locks] == [("pin", "fru", "NORUPERS")]
    assert plan_person(person, incoming, next_night(2)).is_quiet
    release = row({"user_title": "frk"}, orders=(ProtectionOrder("release", "user_title"),))
    assert after(plan_person(person, release, next_night(3))).current["user_title"] == "frk"
    staffs = after(plan_protect(made(), "user_title", occasion(None), by="siv", reason=""))
    assert after(plan_person(staffs, release, next_night())).current["user_title"] == "fru"


def test_a_source_that_comes_first_is_heard_and_the_other_one_once_it_is_dropped() -> None:
    student = occasion("NORUSTUD")
    person = made(row({"last_name": "Lie", "pref_first_name": "Bo"}), student)
    both = plan_person(person, row({"last_name": "Moe"}, category="staff"), next_night())
    assert (after(both).current["last_name"], after(both).current["user_group"]) == ("Moe", "staff")
    assert after(both).current["pref_first_name"] == "Bo"
    dropped = plan_source_dropped(after(both), "NORUPERS", next_night(2, code="NORUSTUD"))
    assert (after(dropped).current["last_name"], after(dropped).current["user_group"]) == ("Lie", "student")
    assert after(dropped).sources.keys() == {"NORUSTUD"}


def test_dropping_a_source_takes_only_the_items_that_it_owned_alone() -> None:
    shared, own = item("emails", "a@noru.example"), item("emails", "b@noru.example", "personal")
    person = made(row(lists={"emails": [shared]}), occasion("NORUSTUD"))
    person = after(plan_person(person, row(lists={"emails": [shared, own]}), next_night()))
    dropped = plan_source_dropped(person, "NORUPERS", next_night(2))
    assert [(each.key, each.owners) for each in after(dropped).lists["emails"]] == [
        ("a@noru.example", frozenset({"NORUSTUD"}))
    ]
    assert dropped.classes == frozenset()


def test_an_item_that_staff_took_away_stays_away_whichever_source_speaks_first() -> None:
    mail = item("emails", "a@noru.example")
    person = made(row(lists={"emails": [mail]}), occasion("NORUSTUD"))
    person = after(plan_person(person, row(lists={"phones": [item("phones", "+47 1")], "emails": []}), next_night()))
    person = after(plan_edit(person, "emails", (), "siv", occasion(None)))
    for night, code in enumerate(("NORUPERS", "NORUSTUD", "NORUPERS"), start=2):
        lists = {"emails": [mail]} if code == "NORUSTUD" else {"emails": []}
        plan = plan_person(person, row(lists=lists), next_night(night, code=code))
        person = after(plan)
        assert person.items("emails") == ()
    assert [(each.kind, each.item_key, each.held) for each in person.locks] == [("automatic", "a@noru.example", None)]


def test_a_pinned_list_is_as_it_was_whatever_comes_or_goes() -> None:
    mail, other = item("emails", "a@noru.example", preferred=True), item("emails", "c@noru.example", "personal")
    person = made(row(lists={"emails": [mail]}))
    person = after(plan_protect(person, "emails", occasion(None), by="siv", reason=""))
    for night, lists in enumerate(([other], [], [mail, other]), start=1):
        person = after(plan_person(person, row(lists={"emails": lists}), next_night(night)))
        assert [each.key for each in person.items("emails")] == ["a@noru.example"]
    edited = after(plan_read_back(person, person.current, {"emails": [other]}, HASH, occasion(None)))
    restored = after(plan_person(edited, row(lists={"emails": [other]}), next_night(9)))
    assert [each.key for each in restored.items("emails")] == ["a@noru.example"]


def test_the_last_item_that_goes_counts_as_cleared_and_can_be_held() -> None:
    person = made(row(lists={"emails": [item("emails", "a@noru.example")]}))
    swapped = plan_person(person, row(lists={"emails": [item("emails", "b@noru.example")]}), next_night())
    assert swapped.classes == frozenset()
    held = plan_person(person, row(lists={"emails": []}), next_night(), frozenset({"clear"}))
    assert decided(held) == [("emails", "own_removed", "held", "clear")]
    assert [each.key for each in after(held).items("emails")] == ["a@noru.example"]
    again = plan_person(after(held), row(lists={"emails": []}), next_night(2))
    assert after(again).items("emails") == ()


def test_what_samkat_wrote_and_the_library_system_does_not_show_yet_is_no_edit() -> None:
    person = replace(made(), sent_version=1)
    there = dict(person.current)
    person = after(plan_person(person, row({"last_name": "Moe", "user_title": "frk"}), next_night()))
    stale = plan_read_back(person, there, {}, HASH, occasion(None))
    assert after(stale).current["user_title"] == "frk"
    assert stale.changes == ()
    taken = after(plan_read_back(after(stale), person.current, {}, b"i" * 16, occasion(None)))
    assert (taken.replaced, taken.version) == ({}, person.version)
    edited = plan_read_back(taken, there, {}, b"j" * 16, occasion(None))
    assert {each.path for each in edited.changes} == {"last_name", "user_title"}


def test_an_item_under_way_is_no_edit_and_one_that_staff_entered_is_theirs() -> None:
    old, new = item("emails", "a@noru.example"), item("emails", "b@noru.example")
    person = replace(made(row(lists={"emails": [old]})), sent_version=1)
    shown = person.items("emails")
    person = after(plan_person(person, row(lists={"emails": [new]}), next_night()))
    theirs = item("emails", "c@noru.example", "personal")
    plan = plan_read_back(person, person.current, {"emails": [*shown, theirs]}, HASH, occasion(None))
    assert {each.key for each in after(plan).items("emails")} == {"b@noru.example", "c@noru.example"}
    night = after(plan_person(after(plan), row(lists={"emails": [new]}), next_night(2)))
    assert {each.key: set(each.owners) for each in night.lists["emails"]} == {
        "b@noru.example": {"NORUPERS"},
        "c@noru.example": {""},
    }


def test_a_person_found_in_the_library_system_is_nobodys_until_a_source_claims_them() -> None:
    values: dict[str, Value | None] = {"primary_id": "a1@noru.example", "user_title": "dr", "last_name": "Lie"}
    values["expiry_date"] = date(2025, 1, 1)
    plan = plan_found(values, {"emails": (item("emails", "a@noru.example"),)}, HASH, occasion(None))
    person = replace(after(plan), person_id=7)
    assert plan.classes == frozenset()
    assert plan_due(person, next_night(400)).is_quiet
    claimed = plan_person(person, row({"user_title": "fru", "last_name": "Lie"}), next_night())
    assert after(claimed).current["user_title"] == "dr"
    assert ("user_title", "conflict", "review", None) in decided(claimed)
    assert after(claimed).standing.expires_on == DAY + timedelta(366)
    stub = replace(person, is_desk_stub=True, account_type="INTERNAL")
    fed = after(plan_person(stub, row({"user_title": "fru", "last_name": "Lie"}), next_night()))
    assert (fed.current["user_title"], fed.is_desk_stub, fed.account_type) == ("fru", False, "EXTERNAL")


def test_what_is_protected_for_the_institution_stays_unless_the_person_is_exempt() -> None:
    policy = PatronPolicy.model_validate(
        {"protection": [{"paths": ["pref_first_name", "emails"], "reason": "entered at the desk"}]}
    )
    mail = item("emails", "a@noru.example")
    person = made(row({"pref_first_name": "Bo"}, {"emails": [mail]}), occasion(policy=policy))
    incoming = row({"pref_first_name": "Ane"}, {"emails": [item("emails", "b@noru.example")]})
    plan = plan_person(person, incoming, next_night(policy=policy))
    assert (after(plan).current["pref_first_name"], after(plan).items("emails")[0].key) == ("Bo", "a@noru.example")
    assert {each.decision for each in plan.changes} == {"review"}
    assert plan_person(after(plan), incoming, next_night(2, policy=policy)).is_quiet


def test_every_field_of_a_person_makes_a_version_or_is_known_not_to() -> None:
    person, another = made(), cast(Any, "another")
    unversioned = {"acknowledged_version", "created_at", "person_id", "look_on", "read_back_hash", "sent_version"}
    unversioned |= {"institution", "replaced", "replaced_lists", "version"}
    for each in fields(PersonRecord):
        if each.name != "sources":
            other = replace(person, **{each.name: another})
            assert is_same_person(person, other) == (each.name in unversioned), each.name
    source = person.sources["NORUPERS"]
    for each in fields(SourceRecord):
        if each.name == "sighting":
            continue
        other = replace(person, sources={"NORUPERS": replace(source, **{each.name: another})})
        ours = ("content_hash", "institution", "policy_version", "filled", "source", "needs_merge")
        assert is_same_person(person, other) == (each.name in ours), each.name


def test_nothing_of_a_person_is_in_what_is_printed() -> None:
    plan = plan_person(made(row({"last_name": "Lie"})), row({"last_name": "Moe"}), next_night())
    shown = repr(plan)
    assert "Lie" not in shown
    assert "Moe" not in shown
    assert "noru.example" not in shown
    assert repr(Change("last_name", old="Lie")) == "Change(last_name, , applied)"
    assert plan.changes[0].old is not ABSENT
