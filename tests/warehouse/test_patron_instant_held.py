"""Updates of persons that are held: over a limit, approved or rejected, and what comes meanwhile."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tasks.patrons.instant import Instant
from tasks.patrons.instant_batch import carry_out_decided, report
from tasks.patrons.receipts import find_receipt
from tasks.plans.store import approve, reject
from tasks.warehouse.engine import Warehouse
from tests.warehouse.instant_updates import (
    BERG,
    NOW,
    PERSON,
    Send,
    limited,
    person,
    rows,
    sample_instant,
    sender,
)


@pytest.fixture
def instant(warehouse: Warehouse) -> Instant:
    return sample_instant(warehouse)


@pytest.fixture
def send(instant: Instant) -> Send:
    return sender(instant)


def test_a_class_over_its_limit_is_held_and_the_rest_goes_on(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    limited(instant, clear=1)
    send("PUT", BERG, PERSON)
    send("PUT", "bo@vestmark.example", PERSON | {"primary_id": "bo@vestmark.example"})
    assert send("PATCH", BERG, {"phones": None}).state == "done"
    receipt = send("PATCH", "bo@vestmark.example", {"phones": None, "last_name": "Lind"})
    assert (receipt.state, receipt.rule) == ("held", "clear")
    assert "1 is let through unasked in 30 days, and 1 was" in receipt.reason
    found = person(warehouse, "bo@vestmark.example")
    assert (found["last_name"], len(found["phones"])) == ("Lind", 1)


def test_what_is_held_becomes_one_plan_and_is_carried_out_once_it_is_approved(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    limited(instant, create=1)
    names = [f"p{number}@vestmark.example" for number in range(4)]
    receipts = [send("PUT", name, PERSON | {"primary_id": name, "emails": [], "phones": []}) for name in names]
    assert [each.state for each in receipts] == ["done", "held", "held", "held"]
    with warehouse.write() as connection:
        (summary,) = report(connection, instant, "run-1", NOW)
    assert (summary.updates["created"], summary.updates["held"], summary.held) == (1, 3, {"create": 3})
    assert rows(warehouse, 'SELECT flow, "class", planned, state, run_id FROM core_plan') == [
        ("patron-update", "create", 3, "held", "run-1")
    ]
    with warehouse.write() as connection:
        approve(connection, summary.plan_hash, "Bo Alm", NOW)
    assert carry_out_decided(instant, summary.plan_hash, NOW) == {"done": 3}
    assert carry_out_decided(instant, summary.plan_hash, NOW).total() == 0
    assert rows(warehouse, "SELECT count(*) FROM core_patron") == [(4,)]
    assert rows(warehouse, "SELECT state, content FROM raw_patron_receipt") == [("done", None)] * 4
    assert rows(warehouse, "SELECT state FROM core_plan") == [("applied",)]
    hashes = rows(warehouse, "SELECT plan_hash FROM core_patron_change WHERE decision = 'applied' ORDER BY change_id")
    assert hashes == [(None,), *[(summary.plan_hash,)] * 3]


def test_a_plan_that_somebody_looks_at_does_not_change_by_what_comes_later(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    limited(instant, create=0)
    hashes = []
    for number in range(2):
        name = f"p{number}@vestmark.example"
        send("PUT", name, PERSON | {"primary_id": name}, at=NOW + timedelta(minutes=number))
        with warehouse.write() as connection:
            hashes += [each.plan_hash for each in report(connection, instant, f"run-{number}", NOW)]
    assert len(set(hashes)) == 2
    assert rows(warehouse, "SELECT state FROM core_plan") == [("held",), ("held",)]


def test_what_a_person_rejects_is_refused_and_its_content_is_gone(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    limited(instant, create=0)
    held = send("PUT", BERG, PERSON)
    with warehouse.write() as connection:
        (summary,) = report(connection, instant, "run-1", NOW)
        reject(connection, summary.plan_hash, "Bo Alm", NOW)
    assert carry_out_decided(instant, summary.plan_hash, NOW)["refused"] == 1
    with warehouse.read() as connection:
        found = find_receipt(connection, "VEST", "VESTSTUD", held.receipt_id)
    assert found is not None
    assert (found.state, found.rule, found.plan_hash) == ("refused", "rejected", summary.plan_hash)
    assert rows(warehouse, "SELECT content FROM raw_patron_receipt") == [(None,)]


def test_approval_carries_out_nothing_else_than_what_was_held(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON)
    limited(instant, clear=0)
    assert send("PATCH", BERG, {"phones": None}).state == "held"
    with warehouse.write() as connection:
        (summary,) = report(connection, instant, "run-1", NOW)
        approve(connection, summary.plan_hash, "Bo Alm", NOW)
    # Another telephone by now: that it goes away was never asked about.
    send("PATCH", BERG, {"phones": [{"type": "mobile", "phone_number": "+47 555 09 999"}]})
    assert carry_out_decided(instant, summary.plan_hash, NOW)["changed since"] == 1
    assert len(person(warehouse)["phones"]) == 1
    assert rows(warehouse, "SELECT rule FROM raw_patron_receipt WHERE plan_hash IS NOT NULL") == [("changed_since",)]


def test_approval_carries_out_nothing_over_what_the_source_has_said_since(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON)
    limited(instant, clear=0)
    assert send("PATCH", BERG, {"phones": None}).state == "held"
    assert send("PUT", BERG, PERSON).state == "done"  # the telephone is theirs after all
    with warehouse.write() as connection:
        (summary,) = report(connection, instant, "run-1", NOW)
        approve(connection, summary.plan_hash, "Bo Alm", NOW)
    assert carry_out_decided(instant, summary.plan_hash, NOW)["changed since"] == 1
    assert len(person(warehouse)["phones"]) == 1


def test_an_earlier_day_that_was_held_is_carried_out_once_it_is_approved(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON | {"expiry_date": "2025-12-31"})
    limited(instant, shorten=0, clear=0, deactivate=0, expire=0)
    receipt = send("PATCH", BERG, {"expiry_date": "2025-03-31"})
    assert (receipt.state, receipt.rule) == ("held", "shorten")
    with warehouse.write() as connection:
        (summary,) = report(connection, instant, "run-1", NOW)
        approve(connection, summary.plan_hash, "Bo Alm", NOW)
    assert carry_out_decided(instant, summary.plan_hash, NOW)["done"] == 1
    assert rows(warehouse, "SELECT expires_on FROM core_patron WHERE primary_key = :who", who=BERG)[0][0] in (
        date(2025, 3, 31), "2025-03-31",
    )  # fmt: skip


def test_limits_count_instant_updates_of_a_day_together(warehouse: Warehouse, instant: Instant, send: Send) -> None:
    limited(instant, create=2)
    for number, hours in enumerate((0, 1, 2)):
        name = f"p{number}@vestmark.example"
        body = PERSON | {"primary_id": name}
        state = send("PUT", name, body, at=NOW + timedelta(hours=hours)).state
        assert state == ("held" if number == 2 else "done")
    body = PERSON | {"primary_id": "p9@vestmark.example"}
    assert send("PUT", "p9@vestmark.example", body, at=NOW + timedelta(hours=30)).state == "done"
