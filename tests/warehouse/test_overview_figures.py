"""The figures of the nightly overview, from the promised views, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_outcome, core_plan, core_review, core_run
from schemas.warehouse.raw import raw_delivery, raw_record
from tasks.quality.overview_figures import NIGHTS, Figures, figures
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.nights import nights

ZONE = ZoneInfo("Europe/Stockholm")
TODAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
NIGHT = datetime(2026, 3, 3, 1, tzinfo=UTC)


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[Connection]:
    with warehouse.write() as connection:
        yield connection


def insert(connection: Connection, table: sa.Table, **values: Any) -> None:
    connection.execute(sa.insert(table).values(**values))


def delivery(connection: Connection, delivery_id: int, at: datetime, **values: Any) -> None:
    insert(
        connection, raw_delivery,
        **{
            "delivery_id": delivery_id, "kind": "supplier", "sender": "NORDBOK", "sha256": f"{delivery_id:064x}",
            "name": f"{delivery_id}.mrc", "uri": "u", "bytes": 1, "state": "settled", "received_at": at, **values,
        },
    )  # fmt: skip


def review(connection: Connection, number: int, opened: datetime, decided: datetime | None = None) -> None:
    insert(
        connection, core_review,
        review_id=number, delivery_id=number, position=1, state="decided" if decided else "open", rule="ambiguous",
        reason="two bibs", owner="a@x.example", opened_at=opened, due_on=TODAY, decided_at=decided,
    )  # fmt: skip


def run(connection: Connection, number: int, state: str, at: datetime = NIGHT, **values: Any) -> None:
    insert(
        connection, core_run,
        **{
            "run_id": str(number), "flow": "supplier-ingest", "subject": "NORDBOK", "state": state, "summary": "{}",
            "started_at": at, **values,
        },
    )  # fmt: skip


def told(connection: Connection) -> Figures:
    return figures(connection, TODAY, ZONE, NOW)


def test_a_night_goes_from_noon_to_noon_and_the_last_until_now() -> None:
    before, last = nights(TODAY, ZONE, NOW, 2)
    noon = datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert (before.ends, last.begins, last.ends) == (noon, noon, noon + timedelta(days=1))
    (late,) = nights(TODAY, ZONE, NOW + timedelta(days=1))
    assert (late.begins, late.ends > NOW + timedelta(days=1)) == (noon, True)


def test_nights_change_with_the_clock_and_leave_no_gap() -> None:
    some = nights(date(2026, 4, 2), ZONE, datetime(2026, 4, 2, 5, tzinfo=UTC), 10)
    assert all(one.ends == next_one.begins for one, next_one in pairwise(some))
    assert {(each.ends - each.begins) // timedelta(hours=1) for each in some} == {23, 24}


def test_nothing_that_happened_is_nothing_in_every_part(connection: Connection) -> None:
    found = told(connection)
    assert (found.senders, found.rejects, found.deliveries, found.plans, found.runs.number) == ((), (), (), (), 0)
    assert [each.on for each in found.series] == [TODAY - timedelta(days=back) for back in range(NIGHTS - 1, -1, -1)]
    assert {(each.deliveries, each.backlog, each.match_share) for each in found.series} == {(0, 0, None)}


def test_deliveries_are_added_up_by_supplier_and_night(connection: Connection) -> None:
    delivery(connection, 1, NIGHT, bibs_read=4, bibs_created=1, bibs_kept=2, bibs_review=1, docs_uri="file:///d.html")
    delivery(connection, 2, NIGHT, bibs_read=1, bibs_replaced=1, records_unreadable=3)
    delivery(connection, 3, NIGHT, sender="MEDIAT", state="held", hold_reason="too few ISBNs")
    delivery(connection, 4, NIGHT - timedelta(days=1), bibs_read=2, bibs_created=1, bibs_kept=1)
    delivery(connection, 5, NIGHT, is_preview=True, bibs_read=9)
    delivery(connection, 6, NIGHT, kind="catalogue", sender="catalogue", bibs_read=9)
    delivery(connection, 7, NIGHT - timedelta(days=NIGHTS), bibs_read=9)
    found = told(connection)
    assert [(each.sender, each.deliveries, each.held, each.counts["bibs_read"]) for each in found.senders] == [
        ("MEDIAT", 1, 1, 0),
        ("NORDBOK", 2, 0, 5),
    ]
    assert found.senders[1].counts["records_unreadable"] == 3
    assert [(each.deliveries, each.match_share, each.review_share) for each in found.series[-3:]] == [
        (0, None, None),
        (1, 0.5, 0.0),
        (3, 0.6, 0.2),
    ]
    assert [(each.delivery_id, each.state, each.docs_uri) for each in found.deliveries] == [
        (3, "held", None),
        (1, "settled", "file:///d.html"),
        (2, "settled", None),
    ]


def test_the_backlog_of_a_night_is_what_was_open_at_its_end(connection: Connection) -> None:
    review(connection, 1, NIGHT - timedelta(days=3))
    review(connection, 2, NIGHT - timedelta(days=2), decided=NIGHT - timedelta(days=1))
    review(connection, 3, NIGHT - timedelta(days=90), decided=NIGHT - timedelta(days=80))
    review(connection, 4, NIGHT)
    found = told(connection)
    assert [each.backlog for each in found.series[-5:]] == [0, 1, 2, 1, 2]
    assert (found.reviews.number, found.reviews.since) == (2, NIGHT - timedelta(days=3))


def test_rejects_are_counted_by_rule_and_unreadable_pieces_with_them(connection: Connection) -> None:
    delivery(connection, 1, NIGHT)
    delivery(connection, 2, NIGHT - timedelta(days=1))
    outcomes = [(1, "refused"), (1, "refused"), (1, "created"), (1, None), (2, "rejected")]
    for position, (delivery_id, outcome) in enumerate(outcomes, start=1):
        insert(
            connection, raw_record,
            delivery_id=delivery_id, position=position, member_no=0, byte_offset=0, charset="utf-8", content=b"x",
            record_type="holding" if outcome else "unreadable",
        )  # fmt: skip
        if outcome:
            insert(
                connection, core_outcome,
                delivery_id=delivery_id, position=position, part=0, seq=1, is_latest=True, record_type="holding",
                outcome=outcome, rule="unknown_sigel", reason="no library Q", decided_at=NIGHT,
            )  # fmt: skip
    found = told(connection).rejects
    assert [(each.record_type, each.outcome, each.rule, each.number) for each in found] == [
        ("holding", "refused", "unknown_sigel", 2),
        ("unreadable", "unreadable", "unreadable", 1),
    ]


def test_runs_are_counted_by_flow_and_the_failed_ones_say_why(connection: Connection) -> None:
    run(connection, 1, "done")
    run(connection, 2, "failed", summary='{"error": "the disk\\n is full"}')
    run(connection, 3, "failed", flow="review-decide", subject="Ada Kvist", at=NIGHT - timedelta(hours=1))
    run(connection, 4, "done", at=NIGHT - timedelta(days=2))
    found = told(connection).runs
    assert found.by_flow == {"review-decide": {"failed": 1}, "supplier-ingest": {"done": 1, "failed": 1}}
    assert (found.number, found.by_state) == (3, {"done": 1, "failed": 2})
    assert [(each.flow, each.subject, each.error) for each in found.failed] == [
        ("supplier-ingest", "NORDBOK", "the disk is full"),
        ("review-decide", "", ""),
    ]


def test_held_plans_come_with_their_reason_the_oldest_first(connection: Connection) -> None:
    for number, (plan_hash, change, state) in enumerate(
        (
            ("b" * 12, "bib_replace", "held"),
            ("a" * 12, "isbn", "held"),
            ("a" * 12, "size", "held"),
            ("c", "x", "applied"),
        )
    ):
        insert(
            connection, core_plan,
            plan_id=number, plan_hash=plan_hash, flow="supplier-ingest", scope="delivery:NORDBOK/1", planned=1,
            population=2, limit=0.0, state=state, reason="too many",
            created_at=NIGHT + timedelta(hours=plan_hash[0] == "b"), **{"class": change},
        )  # fmt: skip
    found = told(connection)
    assert [(each.plan_hash[0], each.change_class) for each in found.plans] == [
        ("a", "isbn"), ("a", "size"), ("b", "bib_replace"),
    ]  # fmt: skip
    assert found.held == 2
