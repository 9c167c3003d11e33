"""Staff at the desk, on both engines: what is protected or edited outlives the next files; each action leaves rows."""

from __future__ import annotations

import json
from datetime import date

import pytest
import sqlalchemy as sa

from deployments.cli.app import run
from schemas.errors import UsageError
from schemas.warehouse.patrons import core_patron_change
from tasks.patrons import desk
from tasks.patrons.desk import AtTheDesk, Entered, find_person
from tasks.patrons.shown import show_person
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.few_patrons import EVERYBODY, INSTITUTION, occasion, send, with_cell
from tests.warehouse.patron_runs import persons, protected, rows

ADA_ID, BO_ID, CILLA_ID = "F200071", "F200072", "F200073"


@pytest.fixture
def here(open_place: OpenPlace) -> Workplace:
    """The municipality's three persons are there."""
    place = open_place(today="2025-03-03")
    assert send(place, *EVERYBODY).rows["created"] == 3
    return place


def at(place: Workplace, by: str = "Ola Vik") -> AtTheDesk:
    return AtTheDesk(place.warehouse, occasion(place), place.now, by)


def names(place: Workplace) -> dict[str, tuple[str, str | None]]:
    return {key: (each["family_name"], each["email"]) for key, each in persons(place.warehouse, INSTITUTION).items()}


def next_night(open_place: OpenPlace, day: str) -> Workplace:
    """Everybody as before, and another department, so that every row is merged."""
    place = open_place(today=day)
    assert send(place, *(with_cell(each, "Enhet", f"enhet {day}") for each in EVERYBODY)).state == "settled"
    return place


def test_protected_values_outlive_the_nights_until_they_are_released(here: Workplace, open_place: OpenPlace) -> None:
    name, mails = Entered("Brattvoll"), Entered(None, "personal")
    done = desk.protect(at(here), INSTITUTION, ADA_ID, "last_name", name, reason="as in the passport")
    assert [each.rule for each in done.changes] == ["staff_entered", "protected"]
    again = desk.protect(at(here), INSTITUTION, ADA_ID, "last_name", name, reason="as in the passport")
    assert (again.changes, again.version) == ((), done.version)
    desk.protect(at(here), INSTITUTION, ADA_ID, "emails", mails, reason="bounces", item_type="personal")
    desk.protect(at(here), INSTITUTION, BO_ID, "expiry_date", Entered("2026-06-30"), reason="project")
    until = date(2025, 3, 4)
    desk.protect(at(here), INSTITUTION, CILLA_ID, "last_name", Entered("Vard"), reason="test", until=until)

    place = next_night(open_place, "2025-03-04")
    assert names(place)[ADA_ID] == ("Brattvoll", None)
    assert names(place)[CILLA_ID][0] == "Vard"
    # Its last day is this one: the view tells of the business day, not of the day of the clock.
    assert protected(persons(place.warehouse, INSTITUTION)[CILLA_ID]) == ["last_name"]
    bo = persons(place.warehouse, INSTITUTION)[BO_ID]
    assert (str(bo["expires_on"]), bo["expiry_rule"]) == ("2026-06-30", "pinned")
    assert protected(persons(place.warehouse, INSTITUTION)[ADA_ID]) == ["emails", "last_name"]

    desk.release(at(place, "Eva Lie"), INSTITUTION, ADA_ID, "last_name")
    assert names(place)[ADA_ID][0] == "Brattvoll"
    place = next_night(open_place, "2025-03-05")
    assert names(place)[ADA_ID] == ("Bruvoll", None)
    assert names(place)[CILLA_ID][0] == "Vardehaug"
    assert protected(persons(place.warehouse, INSTITUTION)[CILLA_ID]) == []
    released = "SELECT path, released_by FROM core_patron_lock WHERE released_by IS NOT NULL AND kind = 'pin'"
    assert ("last_name", "Eva Lie") in rows(place.warehouse, released)


def test_an_edit_is_kept_while_the_source_repeats_itself_and_its_row_says_who(
    here: Workplace, open_place: OpenPlace
) -> None:
    target = here.register.patron_target_by_institution[INSTITUTION]
    done = desk.edit(at(here), target, INSTITUTION, "7001", "pref_first_name", Entered("Adda"))
    desk.edit(at(here), target, INSTITUTION, ADA_ID, "phones", Entered("+47 900 00 071", "mobile"))
    next_night(open_place, "2025-03-04")
    place = next_night(open_place, "2025-03-05")
    with place.warehouse.read() as connection:
        shown = show_person(connection, done.person_id, occasion(place))
    there = {each.path: each.current for each in shown.paths}
    assert there["pref_first_name"] == "Adda"
    assert [each["phone_number"] for each in there["phones"]] == ["+47 900 00 071"]
    asked = "SELECT reason FROM out_patron_change WHERE path = 'pref_first_name' AND rule = 'staff_edit'"
    ((reason,),) = rows(place.warehouse, asked)
    assert "Ola Vik" in reason
    with pytest.raises(UsageError, match="library system") as refused:
        desk.edit(
            at(place), place.register.patron_target_by_institution["NORU"], "NORU", "x", "last_name", Entered("X")
        )
    assert "edit there" in (refused.value.remedy or "")


def test_a_person_is_found_by_an_id_that_is_theirs_and_shown_side_by_side(here: Workplace) -> None:
    desk.protect(at(here), INSTITUTION, ADA_ID, "last_name", Entered("Brattvoll"), reason="passport")
    with here.warehouse.read() as connection:
        one = find_person(connection, INSTITUTION, f" {ADA_ID.lower()} ", here.today)
        assert find_person(connection, INSTITUTION, "7001", here.today) == one
        for institution, text in ((INSTITUTION, "9999999"), ("NORU", ADA_ID)):
            with pytest.raises(UsageError, match="no person") as found:
                find_person(connection, institution, text, here.today)
            assert text not in str(found.value)
        shown = show_person(connection, one, occasion(here))
    (name,) = (each for each in shown.paths if each.path == "last_name")
    assert (name.said, name.written, name.current) == ({"FJORKOMM": "Bruvoll"}, "Bruvoll", "Brattvoll")
    assert (name.mode, name.rule) == ("source_wins", "protected")
    assert [(each.kind, each.by, each.reason) for each in name.locks] == [("pin", "Ola Vik", "passport")]
    assert shown.standing.state == "active"
    assert shown.look_on is not None
    assert "Brattvoll" not in repr(shown)


def test_why_a_person_is_so_is_told_by_command_however_the_person_is_named(
    here: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.protect(at(here), INSTITUTION, ADA_ID, "last_name", Entered("Brattvoll"), reason="as in the passport")
    documents = []
    for words in ([f"{INSTITUTION}/{ADA_ID}"], [INSTITUTION, ADA_ID], [INSTITUTION, "7001"]):
        assert run(["why", "patron", *words, "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1] == documents[2]
    oldest, *_, newest = documents[0]["decisions"]
    assert (newest["rule"], newest["path"], newest["version"]) == ("protected", "last_name", 2)
    assert (oldest["rule"], oldest["path"], oldest["version"]) == ("created", "person", 1)
    for words in ([INSTITUTION], [INSTITUTION, "nobody"]):
        assert run(["why", "patron", *words]) == 2
        assert "what to do" in capsys.readouterr().err


def test_what_no_source_said_is_told_by_its_file_alone(
    here: Workplace, open_place: OpenPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an export of the library system, say."""
    next_night(open_place, "2025-03-04")
    with here.warehouse.write() as connection:
        connection.execute(sa.update(core_patron_change).where(core_patron_change.c.path == "person").values(source=""))
    assert run(["why", "patron", INSTITUTION, ADA_ID]) == 0
    told = capsys.readouterr().out
    assert "  by file 1 (FJORKOMM_20250303.csv), version 1" in told
    assert "  by FJORKOMM, file 2 (" in told
