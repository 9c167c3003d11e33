"""What days, ids and absence do to one person: rekeys, last valid days, going missing, leaving, leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tasks.patrons.person_plan import (
    plan_absent,
    plan_due,
    plan_left,
    plan_person,
)
from tests.unit.patron_persons import DAY, after, decided, made, next_night, occasion, row

HASH = b"h" * 16


def test_a_rekey_changes_the_primary_id_and_keeps_the_old_one_with_its_days() -> None:
    incoming = row({"last_name": "Lie"}, primary_id="b2@noru.example", old_id="a1@noru.example")
    plan = plan_person(made(), incoming, next_night())
    person = after(plan)
    assert plan.classes == {"rekey"}
    assert (person.primary_id, person.current["primary_id"]) == ("b2@noru.example", "b2@noru.example")
    assert [(each.key, each.valid_from, each.valid_to) for each in person.identifiers] == [
        ("a1@noru.example", DAY, DAY),
        ("b2@noru.example", DAY + timedelta(1), None),
    ]
    assert plan_person(person, incoming, next_night(2)).is_quiet
    held = plan_person(made(), incoming, next_night(), frozenset({"rekey"}))
    assert (after(held).primary_id, after(held).sources["NORUPERS"].needs_merge) == ("a1@noru.example", True)
    assert plan_person(after(held), incoming, next_night(2)).classes == {"rekey"}


def test_another_primary_id_without_the_old_one_is_asked_about_once() -> None:
    incoming = row({"last_name": "Lie"}, primary_id="b2@noru.example")
    plan = plan_person(made(), incoming, next_night())
    assert decided(plan) == [("primary_id", "immutable", "review", None)]
    assert after(plan).primary_id == "a1@noru.example"
    assert plan_person(after(plan), incoming, next_night(2)).is_quiet


def test_an_earlier_day_shortens_under_its_guard_and_absence_never_does() -> None:
    person = made(row(valid_to=date(2026, 6, 30)))
    shorter = row(valid_to=date(2025, 6, 30))
    held = plan_person(person, shorter, next_night(), frozenset({"shorten"}))
    assert after(held).standing.expires_on == date(2026, 6, 30)
    assert held.classes == {"shorten"}
    assert after(held).look_on == DAY + timedelta(2)
    again = plan_person(after(held), shorter, next_night(2))
    assert after(again).standing.expires_on == date(2025, 6, 30)
    absent = plan_absent(person, next_night())
    assert after(absent).standing.expires_on == date(2026, 6, 30)


def test_a_person_whom_files_lack_goes_missing_then_to_grace_then_is_deactivated_unless_held() -> None:
    person = made()
    states = []
    for night in (1, 2, 3, 4, 9, 40):
        plan = plan_absent(person, next_night(night), frozenset({"deactivate"}))
        person = after(plan)
        states.append(person.standing.state)
    assert states == ["missing", "missing", "missing", "missing", "grace", "grace"]
    assert ("state", "deactivated", "held", "deactivate") in decided(plan)
    assert person.look_on == DAY + timedelta(41)
    gone = plan_absent(person, next_night(41))
    assert after(gone).standing.state == "inactive"
    back = plan_person(after(gone), row({"last_name": "Lie", "user_title": "fru"}), next_night(42))
    assert decided(back) == [("state", "returned_from_inactive", "applied", None)]
    assert after(back).sources["NORUPERS"].sighting.is_present


def test_going_missing_makes_a_version_and_being_counted_again_makes_none() -> None:
    versions, person = [], made()
    for night in range(1, 12):
        person = after(plan_absent(person, next_night(night)))
        versions.append((person.version, person.sources["NORUPERS"].sighting.missing_runs))
    assert versions[:4] == [(2, 1), (2, 2), (2, 3), (2, 4)]
    # Who is gone is not counted any more.
    assert versions[-1] == versions[-2] == (3, 7)


def test_the_last_day_on_which_a_missing_person_was_seen_is_that_of_the_file_before() -> None:
    night = replace(next_night(2), seen_before=DAY + timedelta(1))
    sighting = after(plan_absent(made(), night)).sources["NORUPERS"].sighting
    assert (sighting.seen_on, sighting.missing_runs) == (DAY + timedelta(1), 1)


def test_who_has_left_one_source_is_the_others_now() -> None:
    person = made(row({"last_name": "Moe"}, category="staff", valid_to=date(2026, 12, 31)))
    student = row({"last_name": "Lie"}, valid_to=date(2025, 12, 31))
    person = after(plan_person(person, student, next_night(code="NORUSTUD")))
    assert (person.current["user_group"], person.standing.expires_on) == ("staff", date(2026, 12, 31))
    plan = plan_left(person, next_night(2))
    assert after(plan).current["user_group"] == "student"
    assert after(plan).standing.expires_on == date(2025, 12, 31)
    assert plan.classes == {"group_change", "shorten"}
    waits = plan_left(person, next_night(2), frozenset({"group_change"}))
    assert after(waits).sources["NORUPERS"].sighting.left_on is None
    assert plan_left(after(plan), next_night(3)).is_quiet


def test_a_lease_is_renewed_by_time_alone() -> None:
    person = made()
    assert person.look_on is not None
    plan = plan_due(person, occasion(None, person.look_on))
    assert after(plan).standing.expires_on == person.look_on + timedelta(365)
    assert plan_due(person, occasion(None, person.look_on - timedelta(1))).is_quiet
