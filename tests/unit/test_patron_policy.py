"""The patron policy: defaults, what a register may and may not say, and the version that names what is in force."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError
from schemas.patrons import LIST_PATHS, PATHS
from schemas.register.patron_limits import DESTRUCTIVE, GuardRaise, PatronGuards
from schemas.register.patron_policy import DEFAULT_PATHS, PathRule, PatronPolicy, Protection
from schemas.register.patron_validity import Term, TermCalendar
from tasks.patrons.protection import rules_in_force


def refusal(folder: Path, old: str, new: str) -> ConfigurationError:
    """The error of a copy of the sample with one thing changed."""
    copy = Path(shutil.copytree(SAMPLE_REGISTER, folder / "register"))
    file = copy / "patron_policy.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_register(copy)
    assert caught.value.file == str(file)
    return caught.value


@pytest.mark.parametrize(
    ("paths", "mode"),
    [
        (["primary_id"], "immutable"),
        (["first_name", "middle_name", "last_name", "birth_date"], "source_wins"),
        (["pref_first_name", "pref_last_name", "preferred_language", "user_title", "pin_number"], "local_if_edited"),
        (["user_group", "campus_code", "job_category"], "local_if_edited"),
        (["addresses", "emails", "phones", "user_notes", "user_blocks", "user_statistics"], "per_item"),
        (["expiry_date"], "computed"),
        (["purge_date", "status"], "lifecycle"),
    ],
)
def test_each_path_has_the_default_mode_of_the_table(paths: list[str], mode: str) -> None:
    assert {PatronPolicy().rule(path).mode for path in paths} == {mode}


def test_every_path_has_a_rule_and_roles_are_no_path() -> None:
    assert DEFAULT_PATHS.keys() == PATHS.keys()
    assert {path for path, rule in DEFAULT_PATHS.items() if rule.mode == "per_item"} == LIST_PATHS
    assert [path for path in PATHS if "role" in path] == []


def test_only_what_an_affiliation_brings_follows_it() -> None:
    follows = {path for path, rule in DEFAULT_PATHS.items() if rule.follows_affiliation}
    assert follows == {"user_group", "campus_code", "department", "job_category", "job_description"}


def test_the_sample_is_read_and_a_register_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    sample = read_register(SAMPLE_REGISTER).patron_policy
    assert sample.rule("pin_number").mode == "create_only"
    assert sample.rule("preferred_language").on_conflict == "take"
    assert sample.calendars["nordic"].valid_to(date(2025, 3, 14)) == date(2025, 8, 31)
    copy = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    (copy / "patron_policy.toml").unlink()
    assert read_register(copy).patron_policy == PatronPolicy()


@pytest.mark.parametrize(
    ("old", "new", "field", "cause"),
    [
        ("[paths.pin_number]", "[paths.pin_numbr]", "paths.pin_numbr.[key]", '"pin_numbr": no path of a person'),
        ('mode = "create_only"', 'mode = "create"', "paths.pin_number.mode", '"create": Input should be'),
        ("[paths.pin_number]", "[paths.expiry_date]", "paths", "expiry_date: mode 'create_only' cannot be"),
        ("[paths.pin_number]", "[paths.emails]", "paths", "emails: mode 'create_only' is not for lists"),
        ('mode = "create_only"', 'mode = "per_item"', "paths", "pin_number: mode 'per_item' is not for this path"),
        ("tombstone_days", "tombston_days", "erasure.tombston_days", "unknown key"),
        ("[guards.limits.erase]", "[guards.limits.eras]", "guards.limits.eras.[key]", '"eras": Input should be'),
        ('starts = "08-01"', 'starts = "02-29"', "guards.raises.0.starts", '"02-29": is no day of every year'),
        ('starts = "08-01"', 'starts = "1 August"', "guards.raises.0.starts", "is no day of every year"),
        ("step_days = 30", "step_days = 400", "validity.0", "step_days: 400 is more than lease_days"),
        ("lease_days = 365", 'lease_days = 365\ncalendar = "nordic"', "validity.0", "one of the two"),
        ('calendar = "nordic"', 'calendar = "nordisk"', "", "there is no calendar 'nordisk'"),
        ("lease_days = 365", 'lease_days = 365\ninstitution = "NORU"', "", "for all the others"),
        ('paths = ["campus_code"]', 'paths = ["campus"]', "protection.0.paths.0", '"campus": no path of a person'),
        ("read_back_hours = 24", "read_back_hours = 0", "read_back_hours", "0: Input should be greater"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, field: str, cause: str) -> None:
    error = refusal(tmp_path, old, new)
    assert error.field == field
    assert cause in error.cause
    assert error.remedy is not None


def test_the_version_follows_what_is_in_force() -> None:
    same = PatronPolicy(paths={"pin_number": DEFAULT_PATHS["pin_number"]})
    other = PatronPolicy(paths={"pin_number": PathRule(mode="create_only")})
    assert len(PatronPolicy().version) == 64
    assert PatronPolicy().version == PatronPolicy().version
    assert PatronPolicy().version != other.version
    assert same.rule("pin_number") == PatronPolicy().rule("pin_number")


def test_protection_reaches_its_institution_and_group_alone() -> None:
    rows = (
        Protection(institution="NORU", user_group="employee", paths=("campus_code",), reason="two campuses"),
        Protection(institution="VEST", paths=("user_title",), reason="asked for"),
    )
    policy = PatronPolicy(protection=rows)
    reached = {
        (institution, group): {
            path: rule.protected_for
            for path, rule in rules_in_force(policy, institution, group).items()
            if rule.protected_for
        }
        for institution in ("NORU", "VEST")
        for group in ("employee", "student", None)
    }
    assert reached == {
        ("NORU", "employee"): {"campus_code": "two campuses"},
        ("NORU", "student"): {},
        ("NORU", None): {},
        ("VEST", "employee"): {"user_title": "asked for"},
        ("VEST", "student"): {"user_title": "asked for"},
        ("VEST", None): {"user_title": "asked for"},
    }


def test_limits_are_those_of_the_reference() -> None:
    guards = PatronGuards()
    assert {change: guards.limit_of(change).limit(1_000) for change in ("create", "group_change")} == {
        "create": 150,
        "group_change": 150,
    }
    assert {guards.limit_of(change).limit(1_000) for change in DESTRUCTIVE} == {20}
    assert {guards.limit_of(change).sum_days for change in DESTRUCTIVE} == {30}
    assert guards.limit_of("create").limit(99) == 10


def test_a_raise_holds_over_the_turn_of_the_year_and_never_for_erasing_by_itself() -> None:
    winter = GuardRaise(name="winter", starts="12-20", ends="01-10", factor=2)
    days = [date(2025, 12, 19), date(2025, 12, 20), date(2026, 1, 10), date(2026, 1, 11)]
    assert [winter.covers(day, "NORU", "expire") for day in days] == [False, True, True, False]
    assert not winter.covers(days[1], "NORU", "erase")
    assert winter.model_copy(update={"classes": ("erase",)}).covers(days[1], "NORU", "erase")


@pytest.mark.parametrize(
    ("day", "valid_to", "next_start"),
    [
        (date(2025, 1, 9), date(2025, 1, 31), date(2025, 1, 10)),
        (date(2025, 1, 10), date(2025, 8, 31), date(2025, 8, 10)),
        (date(2025, 8, 9), date(2025, 8, 31), date(2025, 8, 10)),
        (date(2025, 8, 10), date(2026, 1, 31), date(2026, 1, 10)),
        (date(2025, 12, 31), date(2026, 1, 31), date(2026, 1, 10)),
    ],
)
def test_a_term_lasts_until_the_next_one_starts(day: date, valid_to: date, next_start: date) -> None:
    terms = (Term(starts="01-10", valid_to="08-31"), Term(starts="08-10", valid_to="01-31"))
    calendar = TermCalendar(terms=terms)
    assert calendar.valid_to(day) == valid_to
    assert calendar.next_start(day) == next_start
