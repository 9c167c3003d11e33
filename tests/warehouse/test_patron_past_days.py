"""A past day that is taken later is judged as it would have been then: by business days, not by the clock."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from schemas.warehouse.patrons import core_patron, core_patron_change, raw_patron_file, stage_patron
from tasks.patrons.guarding import planned_changes
from tasks.patrons.planning import PlanningFile
from tasks.patrons.stages import own_ranks
from tasks.workplace import Workplace
from tests.warehouse.few_patrons import ADA, BO, CILLA, INSTITUTION, SOURCE, send

DAY = date(2025, 3, 14)


def cleared_on(place: Workplace, day: date, person_id: int, delivery_id: int) -> None:
    """A file of that day took a value away from a person; it was taken just now."""
    with place.warehouse.write() as connection:
        sums = {"size": 0, "sha256": "", "filled": "{}", "findings": "[]"}
        connection.execute(
            sa.insert(raw_patron_file).values(
                delivery_id=delivery_id, institution=INSTITUTION, source=SOURCE, business_date=day, **sums
            )
        )
        connection.execute(
            sa.insert(core_patron_change).values(
                change_id=900 + delivery_id, run_id="run", delivery_id=delivery_id, person_id=person_id,
                institution=INSTITUTION, primary_id="", path="phones", source=SOURCE, rule="source_wins",
                decision="applied", reason="", changed_at=place.now, **{"class": "clear"},
            )
        )  # fmt: skip


def test_what_went_unasked_is_summed_over_business_days(place: Workplace) -> None:
    send(place, ADA, BO, CILLA)
    with place.warehouse.read() as connection:
        *others, person = connection.execute(sa.select(core_patron.c.person_id)).scalars().all()
    for number, ago in enumerate((-1, 30)):
        cleared_on(place, DAY - timedelta(ago), others[number], 70 + number)
    assert before(place, person) == 0
    for number, ago in enumerate((0, 29)):
        cleared_on(place, DAY - timedelta(ago), others[number], 72 + number)
    assert before(place, person) == 2


def before(place: Workplace, person_id: int) -> int:
    """Persons who count already when a file of the day would take a value away from one more."""
    source, policy = place.patron_source(SOURCE), place.register.patron_policy
    file = PlanningFile(80, source, policy, own_ranks(place, INSTITUTION), DAY, place.patron_salt, True)
    staged = {"delivery_id": 80, "record_no": 1, "content_hash": b"", "outcome": "changed", "classes": "clear"}
    with place.warehouse.engine.begin() as connection:
        connection.execute(sa.insert(stage_patron).values(person_id=person_id, plan="[]", **staged))
        (planned,) = planned_changes(connection, file)
        connection.rollback()
    assert (planned.change, planned.planned) == ("clear", 1)
    return planned.unasked_before
