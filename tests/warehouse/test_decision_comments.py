"""A comment in the form stays with what was decided, once, and with nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime

import sqlalchemy as sa

from schemas.warehouse.core import core_plan, core_review
from tasks.deciding.comments import note_comment
from tasks.deciding.form import Entry, PlanChoice
from tasks.plans.plan import GuardedClass, PlannedClass, plan_hash
from tasks.plans.store import approve, hold
from tasks.warehouse.engine import Warehouse

NOW = datetime(2025, 3, 14, 3, 0, tzinfo=UTC)


def test_a_comment_stands_with_the_reason_of_what_this_person_has_decided(warehouse: Warehouse) -> None:
    planned = [
        PlannedClass("supplier-ingest", "delivery:A/1", name, 12, 340) for name in ("bib_create", "holding_delete")
    ]
    plan = plan_hash(planned)
    entered = Entry(
        "Bo Alm", (PlanChoice(plan, "approve", "bib_create"),), ((4, "new"), (5, "new")), comment="100% sure_"
    )
    with warehouse.write() as connection:
        held = [GuardedClass(each, 10.0, True, "12 of 340") for each in planned]
        hold(connection, plan, held, delivery_id=None, run_id=None, now=NOW)
        review = {"delivery_id": 1, "state": "open", "rule": "doubt", "reason": "the authors differ", "owner": "c"}
        for number in (4, 5):
            values = {**review, "review_id": number, "position": number, "opened_at": NOW, "due_on": date(2025, 3, 16)}
            connection.execute(sa.insert(core_review).values(**values))
        decided = {"state": "decided", "decided_by": "Bo Alm", "decided_at": NOW}
        connection.execute(sa.update(core_review).where(core_review.c.review_id == 4).values(**decided))
        approve(connection, plan, "Bo Alm", NOW, "bib_create")
        assert note_comment(connection, entered) == {"plans": 1, "reviews": 1}
        assert note_comment(connection, entered).total() == 0
        plans = dict(connection.execute(sa.select(core_plan.c["class"], core_plan.c.reason)).tuples().all())
        reviews = connection.execute(sa.select(core_review.c.reason).order_by(core_review.c.review_id)).scalars().all()
    assert plans == {"bib_create": "12 of 340 [Bo Alm: 100% sure_]", "holding_delete": "12 of 340"}
    assert reviews == ["the authors differ [Bo Alm: 100% sure_]", "the authors differ"]
