"""What of persons waits for somebody, and the decisions on it: rows at once, which the source's next file follows."""

from __future__ import annotations

import json

import pytest

from deployments.cli.app import run
from schemas.errors import UsageError
from tasks.patrons import desk
from tasks.patrons.answering import answer_row, answer_value
from tasks.patrons.desk import AtTheDesk, Entered
from tasks.patrons.questions import RowQuestion, ValueQuestion, row_questions, value_questions
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.few_patrons import ADA, BO, CILLA, EVERYBODY, INSTITUTION, SOURCE, occasion, send, with_cell
from tests.warehouse.patron_runs import persons, rows

ADA_ID = "F200071"
NEW_NUMBER = with_cell(ADA, "Løpenr", "7009")
"""The municipality has given a pupil another number, and does not say so: the card is somebody's."""


def at(place: Workplace) -> AtTheDesk:
    return AtTheDesk(place.warehouse, occasion(place), place.now, "Ola Vik")


def open_rows(place: Workplace) -> list[RowQuestion]:
    with place.warehouse.read() as connection:
        return row_questions(connection, INSTITUTION)


def open_values(place: Workplace) -> list[ValueQuestion]:
    with place.warehouse.read() as connection:
        return value_questions(connection, lambda *_: "hash")


def decide_row(place: Workplace, number: str, same: str | None) -> str:
    source = place.patron_source(SOURCE)
    return answer_row(at(place), place.zone, source, number, same, place.patron_salt).rule


def test_staff_say_whom_a_row_is_about_and_the_next_file_follows(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    send(place, *EVERYBODY)
    place = open_place(today="2025-03-04")
    assert send(place, NEW_NUMBER, BO, CILLA).rows["quarantined"] == 1
    (question,) = open_rows(place)
    assert (question.rule, question.record_no, question.is_for_staff) == ("taken", 1, True)
    with pytest.raises(UsageError, match="could still not be placed: another person has this identifier now"):
        decide_row(place, question.number, None)
    with pytest.raises(UsageError, match="could still not be placed"):
        decide_row(place, question.number, "F200072")
    assert open_rows(place) == [question]
    assert decide_row(place, question.number, ADA_ID) == "decided_same"
    assert open_rows(place) == []
    decided = "SELECT run_id, source, reason FROM out_patron_change WHERE rule = 'decided_same'"
    assert rows(place.warehouse, decided) == [
        (f"review-{question.number}", SOURCE, "the source's row is about this person, by Ola Vik")
    ]
    place = open_place(today="2025-03-05")
    found = send(place, with_cell(NEW_NUMBER, "Etternavn", "Bruvoll Lind"), BO, CILLA)
    assert (found.rows["changed"], found.rows["quarantined"], found.rows["created"]) == (1, 0, 0)
    everybody = persons(place.warehouse, INSTITUTION)
    assert len(everybody) == 3
    assert (everybody[ADA_ID]["family_name"], everybody[ADA_ID]["state"]) == ("Bruvoll Lind", "active")


def test_an_id_that_rests_is_said_to_rest_where_nothing_can_be_taken_from_anybody(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    send(place, *EVERYBODY)
    place = open_place(today="2025-03-04")
    send(place, with_cell(with_cell(ADA, "Lånekort", "F200099"), "Gammelt kort", ADA_ID), BO, CILLA)
    place = open_place(today="2025-03-05")
    finder = with_cell(with_cell(with_cell(CILLA, "Løpenr", "7010"), "Lånekort", ADA_ID), "E-post", "")
    send(place, with_cell(ADA, "Lånekort", "F200099"), BO, CILLA, finder)
    (question,) = open_rows(place)
    assert question.rule == "resting"
    with pytest.raises(UsageError, match="had this identifier until lately") as refused:
        decide_row(place, question.number, None)
    assert "--same with the person who had it" in str(refused.value)


def test_a_value_that_is_kept_stays_and_one_that_is_taken_is_written_by_the_next_file(
    open_place: OpenPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    place = open_place(today="2025-03-03")
    said = [with_cell(ADA, "Kallenavn", name) for name in ("Ada", "Addy", "Adi")]
    send(place, said[0], BO, CILLA)
    desk.edit(at(place), None, INSTITUTION, ADA_ID, "pref_first_name", Entered("Adda"))
    place = open_place(today="2025-03-04")
    send(place, said[1], BO, CILLA)
    (question,) = open_values(place)
    assert (question.path, question.rule, question.source) == ("pref_first_name", "conflict", SOURCE)
    assert run(["patrons", "reviews", "--json"]) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown)["values"][0]["number"] == question.number
    assert not any(word in shown for word in (ADA_ID, ADA_ID.casefold(), "Ada", "Adda", "Bruvoll"))
    assert run(["patrons", "decide", str(question.number), "--keep", "--by", "Ola Vik"]) == 0
    assert open_values(place) == []
    place = open_place(today="2025-03-05")
    send(place, with_cell(said[1], "Enhet", "Annen skole"), BO, CILLA)
    assert open_values(place) == []
    place = open_place(today="2025-03-06")
    send(place, said[2], BO, CILLA)
    (again,) = open_values(place)
    answer_value(at(place), again.number, "take")
    assert open_values(place) == []
    with pytest.raises(UsageError, match="no such question is open"):
        answer_value(at(place), again.number, "keep")
    place = open_place(today="2025-03-07")
    send(place, said[2], with_cell(BO, "Enhet", "Annen skole"), CILLA)
    (document,) = rows(place.warehouse, "SELECT document FROM core_patron WHERE primary_id = 'F200071'")
    assert "Adi" in document[0]
    assert "Adda" not in document[0]
    assert open_values(place) == []
