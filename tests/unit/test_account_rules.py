"""The rules of staff accounts, each with its dates at the edges (reference: LIBISnet's and MTM's accounts)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import ConfigurationError, UsageError
from schemas.register.account_rules import AccountSystem, Example, ExampleGiven, ExampleThen, ExampleWhen
from tasks.accounts.deciding import Told, decide
from tasks.accounts.ending import add_years, end_of, renewed
from tasks.accounts.examples import failures, require_examples
from tasks.accounts.facts import Role
from tasks.accounts.requests import Request, check_request
from tasks.accounts.roles import roles_in_force
from tasks.accounts.standing import next_due, standing
from tasks.months import add_months
from tasks.patrons.expiry import business_date
from tests.unit.account_samples import ALMA, LEGIMUS, SYSTEMS, day, facts, system


@pytest.mark.parametrize("code", SYSTEMS)
def test_every_example_of_the_register_holds(code: str) -> None:
    assert failures(SYSTEMS[code]) == []
    assert len(SYSTEMS[code].examples) >= 4


def test_an_example_that_does_not_hold_is_told_with_file_and_words() -> None:
    wrong = Example(
        name="A permanent account ends", given=ExampleGiven(), when=ExampleWhen(on=date(2026, 5, 1)),
        then=ExampleThen(expires_on=date(2026, 12, 31)),
    )  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        require_examples([system(examples=(wrong,))])
    assert caught.value.file == "account_rules/alma.toml"
    assert "'A permanent account ends': expires_on is None, not 2026-12-31" in str(caught.value)


# --- last valid days


@pytest.mark.parametrize(
    ("mission_end", "expected"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2028-02-29", "2028-03-29"),
        ("2026-03-31", "2026-04-30"),
        ("2026-12-31", "2027-01-31"),
        ("2026-06-15", "2026-07-15"),
        # The night on which clocks go forward, and the one on which they go back.
        ("2026-03-29", "2026-04-29"),
        ("2026-10-25", "2026-11-25"),
    ],
)
def test_a_temps_account_lasts_a_month_after_the_mission_clipped_to_the_month(mission_end: str, expected: str) -> None:
    found = end_of(facts(employment="temporary", mission_end_on=mission_end), ALMA.ends)
    assert (found.day, found.rule) == (day(expected), "after_mission")


def test_a_permanent_employees_account_has_no_end_whatever_the_mission_says() -> None:
    assert end_of(facts(mission_end_on="2026-02-28"), ALMA.ends).day is None


def test_a_volunteers_account_lasts_to_the_end_of_the_year_in_which_it_was_made() -> None:
    for made_on in ("2026-01-01", "2026-12-31"):
        assert end_of(facts(employment="volunteer", made_on=made_on), ALMA.ends).day == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("instant", "business_day", "end"),
    [
        # 23:30 and 00:30 in Stockholm at the turn of the year, and what UTC says then.
        ("2026-12-31T22:30:00", "2026-12-31", "2026-12-31"),
        ("2026-12-31T23:30:00", "2027-01-01", "2027-12-31"),
        # 23:30 and 00:30 in UTC.
        ("2027-01-01T00:30:00", "2027-01-01", "2027-12-31"),
        ("2026-12-31T21:59:59", "2026-12-31", "2026-12-31"),
    ],
)
def test_the_year_of_an_account_is_that_of_the_systems_zone(instant: str, business_day: str, end: str) -> None:
    made_on = business_date(datetime.fromisoformat(instant).replace(tzinfo=UTC), ALMA.tz)
    assert made_on == day(business_day)
    assert end_of(facts(employment="volunteer", made_on=made_on), ALMA.ends).day == day(end)


@pytest.mark.parametrize(
    "clock", ["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-10-25T02:30:00+02:00"]
)
def test_on_days_of_changing_clocks_the_day_is_the_same_all_day(clock: str) -> None:
    assert business_date(datetime.fromisoformat(clock), ZoneInfo("Europe/Stockholm")) == day(clock[:10])


def test_a_sweep_after_midnight_of_the_new_year_moves_no_volunteers_end() -> None:
    volunteer = facts(employment="volunteer", made_on="2026-05-01")
    for on in ("2026-12-31", "2027-01-01", "2027-06-01"):
        assert standing(volunteer, ALMA, day(on)).end.day == date(2026, 12, 31)


def test_a_day_that_does_not_exist_is_never_made() -> None:
    assert add_months(date(2026, 10, 31), 1) == date(2026, 11, 30)
    assert add_months(date(2026, 12, 31), 2) == date(2027, 2, 28)
    assert add_years(date(2028, 2, 29), 1) == date(2029, 2, 28)


def test_a_mission_that_ends_before_it_starts_ends_nothing_and_is_flagged() -> None:
    wrong = facts(employment="temporary", mission_start_on="2026-09-01", mission_end_on="2026-05-31")
    found = decide(wrong, ALMA, day("2027-01-01"))
    assert found.standing.status == "active"
    assert [each.rule for each in found.actions] == ["ends_before_start"]
    assert "2026-09-01" in found.actions[0].reason


def test_a_temp_without_an_end_is_flagged_and_never_expires_by_itself() -> None:
    found = decide(facts(employment="temporary"), ALMA, day("2030-01-01"))
    assert (found.standing.status, [each.rule for each in found.actions]) == ("active", ["no_mission_end"])


def test_a_pinned_end_holds_over_the_mission_and_over_no_end() -> None:
    pinned = facts(
        employment="temporary", mission_end_on="2026-01-31", pinned_end=date(2026, 9, 30), is_end_pinned=True
    )
    assert end_of(pinned, ALMA.ends).day == date(2026, 9, 30)
    assert end_of(pinned._replace(pinned_end=None), ALMA.ends).day is None


# --- renewals


def test_a_renewal_gives_the_old_end_and_a_year() -> None:
    volunteer = facts(employment="volunteer", made_on="2026-03-01")
    again = renewed(volunteer, ALMA.ends, day("2026-11-20"))
    assert end_of(again, ALMA.ends).day == date(2027, 12, 31)
    assert end_of(renewed(again, ALMA.ends, day("2027-11-20")), ALMA.ends).day == date(2028, 12, 31)


def test_a_renewal_after_a_long_absence_is_never_over_already() -> None:
    volunteer = facts(employment="volunteer", made_on="2023-03-01")
    assert end_of(renewed(volunteer, ALMA.ends, day("2026-05-04")), ALMA.ends).day == date(2026, 12, 31)


def test_a_temp_is_renewed_to_a_new_mission_end_and_its_month() -> None:
    temp = facts(employment="temporary", mission_end_on="2026-06-30")
    again = renewed(temp, ALMA.ends, day("2026-06-01"), day("2026-08-31"))
    assert (again.mission_end_on, end_of(again, ALMA.ends).day) == (date(2026, 8, 31), date(2026, 9, 30))
    assert renewed(temp, ALMA.ends, day("2026-06-01")).mission_end_on == date(2027, 6, 30)


def test_what_has_no_end_cannot_be_renewed_nor_renewed_into_the_past() -> None:
    with pytest.raises(UsageError, match="nothing to renew"):
        renewed(facts(), ALMA.ends, day("2026-06-01"))
    with pytest.raises(UsageError, match="over already"):
        renewed(facts(employment="volunteer"), ALMA.ends, day("2026-06-01"), day("2026-05-31"))


# --- the sweep


def test_an_account_works_through_its_last_valid_day_and_expires_on_the_next() -> None:
    temp = facts(employment="temporary", mission_end_on="2026-05-31")
    told = frozenset({Told("before_expiry:7", date(2026, 6, 30))})
    assert decide(temp, ALMA, day("2026-06-30"), told).actions == ()
    step = decide(temp, ALMA, day("2026-07-01"), told).step
    assert step is not None
    assert (step.action, step.rule, step.due_on) == ("expire", "end_over", date(2026, 7, 1))
    assert step.used == {"mission_end_on": date(2026, 5, 31), "expires_on": date(2026, 6, 30)}
    assert "last valid day 2026-06-30" in step.reason


def test_the_comparison_is_the_right_way_round_valid_accounts_stay() -> None:
    valid = facts(employment="temporary", mission_end_on="2027-05-31")
    assert standing(valid, ALMA, day("2026-07-01")).status == "active"


def test_an_account_that_expired_while_the_sweep_was_down_is_expired_when_it_comes_back() -> None:
    temp = facts(employment="temporary", mission_end_on="2026-05-31")
    step = decide(temp, ALMA, day("2026-07-09")).step
    assert step is not None
    assert (step.action, step.due_on) == ("expire", date(2026, 7, 1))
    late = decide(temp, ALMA, day("2026-12-01")).step
    assert late is not None
    assert (late.action, late.rule) == ("deactivate", "long_over")


def test_a_leaver_is_deactivated_on_the_day_reported_not_before() -> None:
    leaver = facts(leaver_on="2026-06-15")
    assert decide(leaver, ALMA, day("2026-06-14")).step is None
    step = decide(leaver, ALMA, day("2026-06-15")).step
    assert step is not None
    assert (step.action, step.rule) == ("deactivate", "left")


def test_a_new_end_or_a_withdrawn_leaving_reactivates() -> None:
    for status in ("expired", "inactive"):
        step = decide(facts(status=status), ALMA, day("2026-06-15")).step
        assert step is not None
        assert step.action == "reactivate"


def test_an_account_waits_for_its_mission_and_is_activated_on_the_first_day() -> None:
    early = facts(employment="temporary", mission_start_on="2026-06-01", mission_end_on="2026-08-31", status="waiting")
    assert standing(early, ALMA, day("2026-05-31")).status == "waiting"
    step = decide(early, ALMA, day("2026-06-01")).step
    assert step is not None
    assert step.action == "activate"


def test_notices_come_on_the_configured_days_once_each_and_the_nearest_only() -> None:
    temp = facts(employment="temporary", mission_end_on="2026-05-31")  # last valid day 30 June
    told: set[Told] = set()
    said: dict[str, list[str]] = {}
    on = day("2026-04-01")
    while on <= day("2026-06-30"):
        for each in decide(temp, ALMA, on, told).actions:
            told.add(Told(each.rule, each.due_on))
            said.setdefault(on.isoformat(), []).append(each.rule)
        on += timedelta(1)
    assert said == {
        "2026-05-01": ["before_expiry:60"], "2026-05-31": ["before_expiry:30"], "2026-06-23": ["before_expiry:7"],
    }  # fmt: skip
    assert [each.rule for each in decide(temp, ALMA, day("2026-06-25")).actions] == ["before_expiry:7"]


def test_a_renewed_account_is_told_again_of_its_new_end() -> None:
    temp = facts(employment="temporary", mission_end_on="2026-05-31")
    told = frozenset({Told("before_expiry:7", date(2026, 6, 30))})
    again = renewed(temp, ALMA.ends, day("2026-06-25"), day("2026-07-31"))
    (notice,) = decide(again, ALMA, day("2026-08-25"), told).actions
    assert (notice.rule, notice.due_on) == ("before_expiry:7", date(2026, 8, 31))


def test_whoever_lacks_a_name_or_an_address_is_swept_by_dates_alone() -> None:
    bare = facts(owner="", contact="")
    assert decide(bare, ALMA, day("2026-06-01")).actions == ()


def test_the_next_day_to_look_is_the_first_on_which_something_can_happen() -> None:
    temp = facts(employment="temporary", mission_end_on="2026-05-31")
    expected = ["2026-05-01", "2026-05-31", "2026-06-23", "2026-07-01", "2026-09-29", None]
    on, found = day("2026-02-01"), []
    for _ in expected:
        due = next_due(temp, ALMA, on)
        found.append(due.isoformat() if due else None)
        on = due or on
    assert found == expected
    assert next_due(facts(), ALMA, day("2026-02-01")) is None


# --- shared accounts


def test_a_shared_account_never_expires_by_itself_and_needs_owner_and_contact() -> None:
    shared = facts(kind="shared", roles=(Role("fulfilment"),), contact="")
    found = decide(shared, ALMA, day("2031-01-01"))
    assert found.standing.status == "active"
    assert [each.rule for each in found.actions] == ["shared_without_contact"]


def test_a_shared_account_may_have_fulfilment_only_unless_the_register_lets_it() -> None:
    shared = facts(kind="shared", roles=tuple(Role(each.code) for each in ALMA.roles))
    assert [each.code for each in roles_in_force(shared, ALMA, day("2026-03-01"))] == ["fulfilment", "users"]
    looser = tuple(
        each.model_copy(update={"kinds": ("personal", "shared")}) if each.code == "inventory_limited" else each
        for each in ALMA.roles
    )
    assert "inventory_limited" in [
        each.code for each in roles_in_force(shared, system(roles=looser), day("2026-03-01"))
    ]


def test_shared_logins_end_on_the_switch_date_and_personal_ones_go_on() -> None:
    shared = facts(kind="shared", roles=(Role("library_login"),))
    assert decide(shared, LEGIMUS, day("2027-05-02")).step is None
    step = decide(shared, LEGIMUS, day("2027-05-03")).step
    assert step is not None
    assert (step.action, step.due_on) == ("retire", date(2027, 5, 3))
    assert decide(facts(), LEGIMUS, day("2027-05-03")).step is None


# --- roles and training


def test_recommended_training_is_told_to_support_once_and_the_role_is_in_force() -> None:
    buyer = facts(
        roles=(Role("acquisition", "", day("2026-03-01")), Role("resource_management", "", day("2026-03-01")))
    )
    (told,) = decide(buyer, ALMA, day("2026-03-01")).actions
    assert (told.action, told.rule) == ("notify", "training_recommended")
    assert told.reason.startswith("acquisition, resource_management")
    assert len(roles_in_force(buyer, ALMA, day("2026-03-01"))) == 2
    assert decide(buyer, ALMA, day("2026-04-01"), frozenset({Told(told.rule, told.due_on)})).actions == ()
    assert decide(buyer._replace(trained={"any": day("2026-02-01")}), ALMA, day("2026-03-01")).actions == ()


def test_a_registrar_is_one_only_after_the_web_course() -> None:
    new = facts(made_on="2026-03-02", roles=(Role("registrar"),))
    assert roles_in_force(new, LEGIMUS, day("2026-03-10")) == ()
    assert roles_in_force(new._replace(trained={"webinar": day("2026-03-03")}), LEGIMUS, day("2026-03-10")) == ()
    trained = new._replace(trained={"web-course": day("2026-03-09")})
    assert roles_in_force(trained, LEGIMUS, day("2026-03-08")) == ()
    assert roles_in_force(trained, LEGIMUS, day("2026-03-09")) == (Role("registrar"),)


def test_a_registrar_of_before_the_rule_keeps_the_role() -> None:
    assert roles_in_force(facts(made_on="2026-01-31", roles=(Role("registrar"),)), LEGIMUS, day("2026-03-01"))
    assert not roles_in_force(facts(made_on="2026-02-01", roles=(Role("registrar"),)), LEGIMUS, day("2026-03-01"))


def test_a_role_reaches_no_further_than_the_own_library() -> None:
    wide = facts(roles=(Role("fulfilment", "LUNV"), Role("users", "SOLB")))
    assert [each.code for each in roles_in_force(wide, ALMA, day("2026-03-01"))] == ["users"]
    open_system = system(own_library_only=False)
    assert len(roles_in_force(wide, open_system, day("2026-03-01"))) == 2


# --- requests


def _request(**given: object) -> Request:
    whole = {
        "login": "eva", "library": "SOLB", "kind": "personal", "employment": "permanent", "name": "Eva Lind",
        "email": "eva.lind@solberg.example", "tasks": "loans",
    }  # fmt: skip
    return Request(**(whole | given))  # type: ignore[arg-type]


def test_a_whole_request_lacks_nothing() -> None:
    assert check_request(_request(), ALMA, day("2026-03-01")).is_complete
    temp = _request(employment="temporary", supporter="bo@solberg.example", mission_end=day("2026-08-31"))
    assert check_request(temp, ALMA, day("2026-03-01")).is_complete


def test_a_request_is_answered_with_everything_that_is_missing() -> None:
    bare = _request(employment="temporary", name="", email="eva", tasks="")
    found = check_request(bare, ALMA, day("2026-03-01"))
    assert found.missing == ("name", "email", "supporter", "mission_end", "tasks")
    assert "a permanent colleague who supports them" in found.words


def test_a_request_for_a_shared_account_needs_owner_and_contact_and_no_name() -> None:
    shared = _request(kind="shared", name="", email="", tasks="")
    assert check_request(shared, ALMA, day("2026-03-01")).missing == ("owner", "contact")


def test_a_request_whose_mission_ends_before_it_starts_is_sent_back() -> None:
    wrong = _request(mission_start=day("2026-09-01"), mission_end=day("2026-05-31"))
    assert check_request(wrong, ALMA, day("2026-03-01")).missing == ("mission_end_in_time",)


def test_roles_that_cannot_be_given_are_refused_and_the_rest_is_granted() -> None:
    shared = _request(
        kind="shared", owner="SOLB", contact="bo@solberg.example", roles=(Role("fulfilment"), Role("acquisition"))
    )
    found = check_request(shared, ALMA, day("2026-03-01"))
    assert found.is_complete
    assert [role for role, _ in found.refused_roles] == ["acquisition"]
    assert check_request(_request(roles=(Role("acquisition"),)), ALMA, day("2026-03-01")).tell_support == (
        "acquisition",
    )


def test_the_system_is_looked_up_by_its_role_codes() -> None:
    assert isinstance(ALMA, AccountSystem)
    assert ALMA.role("nothing") is None
