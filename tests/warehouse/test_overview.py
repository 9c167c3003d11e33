"""What is going on, read from the warehouse, on both engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_notice, core_outcome, core_plan, core_review, core_run
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import stage_preview
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.overview import deliveries, open_reviews, overview, previewed_counts, reasons, reviews

NIGHT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
TODAY = date(2026, 3, 3)


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[Connection]:
    with warehouse.write() as connection:
        yield connection


def delivery(connection: Connection, delivery_id: int, state: str, **values: Any) -> None:
    connection.execute(
        sa.insert(raw_delivery).values(
            {
                "delivery_id": delivery_id, "kind": "supplier", "sender": "NORDBOK", "sha256": f"{delivery_id:064x}",
                "name": f"{delivery_id}.mrc", "uri": "u", "bytes": 1, "state": state,
                "received_at": NIGHT + timedelta(hours=delivery_id), **values,
            }
        )
    )  # fmt: skip


def outcome(connection: Connection, position: int, record_type: str, name: str, **values: Any) -> None:
    connection.execute(
        sa.insert(core_outcome).values(
            {
                "delivery_id": 1, "position": position, "part": 0, "seq": 1, "is_latest": True,
                "record_type": record_type, "outcome": name, "rule": f"{name}_rule", "reason": f"{name} {position}",
                "decided_at": NIGHT, **values,
            }
        )
    )  # fmt: skip


def review(connection: Connection, review_id: int, position: int, **values: Any) -> None:
    connection.execute(
        sa.insert(core_review).values(
            {
                "review_id": review_id, "delivery_id": 1, "position": position, "state": "open", "rule": "ambiguous",
                "reason": "two bibs", "owner": "a@x.example", "opened_at": NIGHT, "due_on": date(2026, 3, 3), **values,
            }
        )
    )  # fmt: skip


def piece(connection: Connection, position: int, record_type: str, bib_position: int) -> None:
    connection.execute(
        sa.insert(raw_record).values(
            delivery_id=1, position=position, member_no=0, byte_offset=0, record_type=record_type, charset="utf-8",
            bib_position=bib_position, title=f"Title {position}", isbn13="9789100123451", content=b"x",
        )
    )  # fmt: skip


def test_a_warehouse_in_which_nothing_happened_has_nothing_to_tell(connection: Connection) -> None:
    found = overview(connection, TODAY)
    assert (found.runs, found.newest, found.unfinished, found.deliveries_by_state) == ((), (), (), {})
    assert [(each.number, each.since, each.late) for each in (found.reviews, found.plans, found.notices)] == [
        (0, None, 0),
        (0, None, 0),
        (0, None, 0),
    ]


def test_deliveries_are_counted_by_state_and_previews_are_none(connection: Connection) -> None:
    for delivery_id, state in ((1, "settled"), (2, "settled"), (3, "held"), (4, "rejected")):
        delivery(connection, delivery_id, state, bibs_created=delivery_id)
    delivery(connection, 5, "staged", is_preview=True)
    found = overview(connection, TODAY, newest=2)
    assert found.deliveries_by_state == {"settled": 2, "held": 1, "rejected": 1}
    assert [each.delivery_id for each in found.newest] == [4, 3]
    assert [each.delivery_id for each in found.unfinished] == [3]
    assert found.newest[0].counts["bibs_created"] == 4


def test_what_waits_is_counted_with_since_when_and_how_late(connection: Connection) -> None:
    delivery(connection, 1, "settled")
    review(connection, 1, 1, due_on=date(2026, 3, 2))
    review(connection, 2, 2, opened_at=NIGHT + timedelta(hours=1))
    review(connection, 3, 3, state="decided", opened_at=NIGHT - timedelta(days=9))
    for plan_id, state in ((1, "held"), (2, "approved")):
        connection.execute(
            sa.insert(core_plan).values(
                {
                    "plan_id": plan_id, "plan_hash": str(plan_id), "flow": "f", "scope": "s", "class": "c",
                    "planned": 1, "population": 1, "limit": 0.0, "state": state, "reason": "r", "created_at": NIGHT,
                }
            )
        )  # fmt: skip
    for notice_id, state in enumerate(("sent", "queued", "failed", "failed")):
        connection.execute(
            sa.insert(core_notice).values(
                notice_id=notice_id, dedup_key=str(notice_id), kind="digest", recipient="r", subject="s", language="sv",
                body_text="", body_html="", attachments="[]", message_id="m", state=state, created_at=NIGHT,
            )
        )  # fmt: skip
    found = overview(connection, TODAY)
    assert (found.reviews.number, found.reviews.since, found.reviews.late) == (2, NIGHT, 1)
    assert (found.plans.number, found.plans.since, found.plans.late) == (1, NIGHT, 0)
    assert (found.notices.number, found.notices.late) == (3, 2)


def test_runs_are_listed_newest_first_with_their_totals(connection: Connection) -> None:
    for number in (1, 2, 3):
        connection.execute(
            sa.insert(core_run).values(
                run_id=f"run-{number}", flow="supplier-ingest", subject="NORDBOK", state="done",
                summary=json.dumps({"bibs_created": number}), started_at=NIGHT + timedelta(hours=number),
            )
        )  # fmt: skip
    assert [(each.run_id, each.summary) for each in overview(connection, TODAY, newest=2).runs] == [
        ("run-3", {"bibs_created": 3}),
        ("run-2", {"bibs_created": 2}),
    ]


def test_reasons_count_the_latest_outcomes_and_quote_the_first_record(connection: Connection) -> None:
    outcome(connection, 1, "bib", "created", reason="was created", is_latest=False)
    outcome(connection, 1, "bib", "kept", seq=2)
    outcome(connection, 3, "bib", "created")
    outcome(connection, 5, "bib", "created")
    outcome(connection, 5, "holding", "refused", part=1)
    outcome(connection, 5, "holding", "refused", part=2)
    found = reasons(connection, [1])
    assert [(each.record_type, each.outcome, each.number, each.position, each.reason) for each in found] == [
        ("bib", "created", 2, 3, "created 3"),
        ("holding", "refused", 2, 5, "refused 5"),
        ("bib", "kept", 1, 1, "kept 1"),
    ]  # fmt: skip
    assert reasons(connection, [2]) == []


def test_a_dry_run_is_counted_from_its_preview(connection: Connection) -> None:
    for position, record_type, name in ((1, "bib", "created"), (2, "holding", "created"), (3, "holding", "waiting")):
        connection.execute(
            sa.insert(stage_preview).values(
                delivery_id=1, position=position, part=0, record_type=record_type, outcome=name, rule="r", reason="so",
            )
        )  # fmt: skip
    counts = previewed_counts(connection, 1)
    assert {name: number for name, number in counts.items() if number} == {
        "bibs_read": 1,
        "bibs_created": 1,
        "holdings_read": 2,
        "holdings_created": 1,
        "holdings_waiting": 1,
    }
    assert [each.outcome for each in reasons(connection, [1], is_preview=True)] == ["created", "created", "waiting"]


def test_open_reviews_come_most_urgent_first_with_the_libraries_that_wait(connection: Connection) -> None:
    delivery(connection, 1, "settled")
    for position, record_type, bib_position in (
        (1, "bib", 1), (2, "holding", 1), (3, "holding", 1), (4, "bib", 4), (5, "holding", 4),
    ):  # fmt: skip
        piece(connection, position, record_type, bib_position)
    outcome(connection, 2, "holding", "waiting", sigel="LUNV")
    outcome(connection, 3, "holding", "waiting", sigel="HAVN")
    outcome(connection, 5, "holding", "created", sigel="LUNV")
    review(connection, 1, 4, owner="b@x.example")
    review(connection, 2, 1, due_on=date(2026, 3, 2))
    review(connection, 3, 9, state="decided", decision="match:7", decided_by="Anna")
    found = open_reviews(connection)
    assert [(each.review_id, each.title, each.libraries) for each in found] == [
        (2, "Title 1", ("LUNV", "HAVN")),
        (1, "Title 4", ()),
    ]
    assert [each.review_id for each in open_reviews(connection, "b@x.example")] == [1]
    (decided,) = reviews(connection, [3])
    assert (decided.state, decided.decision, decided.decided_by, decided.title) == ("decided", "match:7", "Anna", "")


def test_deliveries_asked_for_come_in_order_of_their_ids(connection: Connection) -> None:
    for delivery_id in (1, 2, 3):
        delivery(connection, delivery_id, "settled")
    assert [each.delivery_id for each in deliveries(connection, [3, 1])] == [1, 3]
    assert deliveries(connection, []) == ()
