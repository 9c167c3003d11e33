"""Plans that a process keeps until they are carried out: taken where all is as it was, made anew where it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from schemas.warehouse.patrons import stage_patron
from tasks.patrons import desk, planning, plans_in_mind
from tasks.patrons import stages as patrons
from tasks.patrons.desk import AtTheDesk, Entered
from tasks.patrons.occasion import PlannedPerson
from tasks.patrons.planning import PlanningFile
from tasks.patrons.plans_in_mind import PlansInMind
from tasks.warehouse.ledger import delivery
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.few_patrons import EVERYBODY, INSTITUTION, SOURCE, file_of, occasion, send, with_cell
from tests.warehouse.patron_runs import OF_A_FILE, persons
from tests.warehouse.pipeline import land

ADA_ID, BO_ID, CILLA_ID = "F200071", "F200072", "F200073"


def planned_night(open_place: OpenPlace) -> tuple[Workplace, int]:
    """Everybody is in another department, and has another name, by the second file; it is planned."""
    assert send(open_place(today="2025-03-03"), *EVERYBODY).rows["created"] == 3
    place = open_place(today="2025-03-04")
    rows = [with_cell(with_cell(each, "Enhet", "Arkivet"), "Etternavn", "Ny") for each in EVERYBODY]
    (file,) = patrons.receive_files.fn(SOURCE, [land(place, SOURCE, f"{SOURCE}_20250304.csv", file_of(*rows))])
    for stage in OF_A_FILE[:4]:
        stage(file)
    return place, file


def protect_ada(place: Workplace) -> None:
    at = AtTheDesk(place.warehouse, occasion(place), place.now, "Ola Vik")
    desk.protect(at, INSTITUTION, ADA_ID, "last_name", Entered("Brattvoll"), reason="as in the passport")


def file_to_plan(place: Workplace, file: int) -> PlanningFile:
    with place.warehouse.read() as connection:
        return patrons.planning_file(place, delivery(connection, file))


def plans(place: Workplace, file: PlanningFile, known: PlansInMind | None = None) -> list[PlannedPerson]:
    """What the rows of the file do now, in their order."""
    with place.warehouse.read() as connection:
        rows = connection.execute(sa.select(stage_patron).order_by(stage_patron.c.record_no)).all()
        return [each for _, each in planning.plan_some(connection, file, rows, frozenset(), known=known)[0]]


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_plan_in_mind_is_taken_where_it_would_be_made_again(open_place: OpenPlace, is_edited: bool) -> None:
    place, number = planned_night(open_place)
    file = file_to_plan(place, number)
    if is_edited:
        protect_ada(place)
    mind = plans_in_mind.recall(place.warehouse.engine, number, file.occasion)
    assert mind is not None
    kept = [mind.plans[each].planned for each in sorted(mind.plans)]
    found = plans(place, file, mind)
    assert found == plans(place, file)
    assert [one is other for one, other in zip(found, kept, strict=True)] == [not is_edited, True, True]
    assert not mind.plans


def test_nothing_is_recalled_of_another_file_or_occasion(open_place: OpenPlace) -> None:
    place, number = planned_night(open_place)
    file, engine = file_to_plan(place, number), place.warehouse.engine
    assert plans_in_mind.recall(engine, number, file_to_plan(place, number).occasion) is not None
    assert plans_in_mind.recall(engine, number + 1, file.occasion) is None
    assert plans_in_mind.recall(engine, number, replace(file.occasion, day=date(2025, 3, 5))) is None


def test_who_was_changed_since_the_plan_keeps_what_staff_wrote(open_place: OpenPlace) -> None:
    place, number = planned_night(open_place)
    protect_ada(place)
    for stage in OF_A_FILE[4:]:
        stage(number)
    names = {key: each["family_name"] for key, each in persons(place.warehouse, INSTITUTION).items()}
    assert names == {ADA_ID: "Brattvoll", BO_ID: "Ny", CILLA_ID: "Ny"}
    assert plans_in_mind.recall(place.warehouse.engine, number, file_to_plan(place, number).occasion) is None
