"""Instant updates on both engines: receipt and merge are one, limits hold, what waits is taken up, nothing is half."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.summaries import totals
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.instant import BACKLOG, Instant, carry_out, carry_out_waiting
from tasks.patrons.instant_batch import as_markdown, forget, report
from tasks.patrons.instant_many import carry_out_many
from tasks.patrons.instant_reading import Method
from tasks.patrons.receipts import KeyTakenError, Receipt
from tasks.warehouse.engine import Warehouse
from tests.warehouse.instant_updates import (
    BERG,
    MAIL,
    NOW,
    PERSON,
    Send,
    asked,
    everything,
    keep_waiting,
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


def test_a_whole_person_is_made_with_a_receipt_and_the_reason_of_each_change(warehouse: Warehouse, send: Send) -> None:
    receipt = send("PUT", BERG, PERSON)
    assert (receipt.state, receipt.rule, receipt.version, receipt.committed_at) == ("done", "created", 1, NOW)
    found = person(warehouse)
    assert (found["first_name"], found["emails"], found["state"]) == ("Anna", [{"email_address": MAIL}], "active")
    ((content, number),) = rows(warehouse, "SELECT content, person_id FROM raw_patron_receipt")
    assert content is None
    assert number is not None
    assert rows(warehouse, "SELECT run_id, rule, decision FROM core_patron_change") == [
        (f"receipt-{receipt.receipt_id}", "created", "applied")
    ]


def test_the_same_request_has_the_same_receipt_and_changes_nothing(warehouse: Warehouse, send: Send) -> None:
    first = send("PUT", BERG, PERSON, key="k1")
    before = everything(warehouse)
    again = send("PUT", BERG, PERSON, key="k1", at=NOW + timedelta(hours=1))
    assert again == first
    assert everything(warehouse) == before


def test_another_request_under_the_same_key_is_refused_and_changes_nothing(warehouse: Warehouse, send: Send) -> None:
    send("PUT", BERG, PERSON, key="k1")
    before = everything(warehouse)
    with pytest.raises(KeyTakenError):
        send("PUT", BERG, PERSON | {"last_name": "Lind"}, key="k1")
    assert everything(warehouse) == before


def test_the_same_person_under_another_key_plans_nothing(warehouse: Warehouse, send: Send) -> None:
    send("PUT", BERG, PERSON)
    again = send("PUT", BERG, PERSON)
    assert (again.state, again.rule, again.version) == ("done", "unchanged", None)
    assert person(warehouse)["version"] == 1


def test_a_patch_keeps_what_is_absent_writes_values_and_clears_what_may_be(warehouse: Warehouse, send: Send) -> None:
    send("PUT", BERG, PERSON)
    receipt = send("PATCH", BERG, {"last_name": "Lind", "middle_name": None, "first_name": None, "phones": None})
    found = person(warehouse)
    assert (receipt.rule, receipt.version) == ("changed", 2)
    assert (found["last_name"], found["middle_name"]) == ("Lind", None)
    assert found["first_name"] == "Anna"  # the policy clears no first name
    assert "phones" not in found
    assert found["emails"] == [{"email_address": MAIL}]


def test_a_whole_person_takes_back_what_it_says_no_more_and_never_a_protected_identity(
    warehouse: Warehouse, send: Send
) -> None:
    send("PUT", BERG, PERSON | {"is_confidential": True})
    lean = {name: each for name, each in PERSON.items() if name not in ("middle_name", "phones")}
    receipt = send("PUT", BERG, lean)
    found = person(warehouse)
    assert receipt.rule == "changed"
    assert (found["middle_name"], "phones" in found, found["is_confidential"]) == (None, False, True)


def test_what_staff_wrote_stays_as_it_does_at_night(warehouse: Warehouse, instant: Instant, send: Send) -> None:
    send("PUT", BERG, PERSON | {"user_title": "fru"})
    with warehouse.write() as connection:
        ((document,),) = connection.execute(sa.text("SELECT document FROM core_patron"))
        edited = json.loads(document) | {"current": {"user_title": "dr"}}
        connection.execute(sa.text("UPDATE core_patron SET document = :text"), {"text": json.dumps(edited)})
    send("PUT", BERG, PERSON | {"user_title": "fru", "last_name": "Lind"})
    ((document,),) = rows(warehouse, "SELECT document FROM core_patron")
    assert json.loads(document)["current"]["user_title"] == "dr"
    assert rows(warehouse, "SELECT path, kind FROM core_patron_lock") == [("user_title", "automatic")]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_nobody_is_made_by_a_part_or_by_leaving(method: Method, warehouse: Warehouse, send: Send) -> None:
    receipt = send(method, BERG, {"last_name": "Berg"})
    assert (receipt.state, receipt.rule, receipt.version) == ("refused", "unknown", None)
    assert rows(warehouse, "SELECT count(*) FROM core_patron") == [(0,)]


def test_who_has_left_is_in_grace_comes_back_by_a_put_and_not_by_a_patch(warehouse: Warehouse, send: Send) -> None:
    send("PUT", BERG, PERSON)
    assert send("DELETE").rule == "changed"
    assert person(warehouse)["state"] == "grace"
    assert send("DELETE").rule == "unchanged"
    assert (send("PATCH", BERG, {"last_name": "Lind"}).rule, person(warehouse)["state"]) == ("left", "grace")
    assert send("PUT", BERG, PERSON).rule == "changed"
    assert person(warehouse)["state"] == "active"


def test_an_id_of_somebody_else_is_refused_and_nothing_is_written(warehouse: Warehouse, send: Send) -> None:
    barcode = {"user_identifiers": [{"type": "barcode", "value": "B1"}]}
    send("PUT", BERG, PERSON | barcode)
    before = rows(warehouse, "SELECT count(*) FROM core_patron_change")
    receipt = send("PUT", "bo@vestmark.example", {"last_name": "Lind", "user_group": "student", **barcode})
    assert (receipt.state, receipt.rule) == ("refused", "taken")
    assert "B1" not in receipt.reason
    assert rows(warehouse, "SELECT count(*) FROM core_patron_change") == before


def test_a_report_counts_each_update_once_and_names_nobody(warehouse: Warehouse, instant: Instant, send: Send) -> None:
    send("PUT", BERG, PERSON)
    send("PUT", BERG, PERSON)
    send("PATCH", "nobody@vestmark.example", {"last_name": "Lind"})
    with warehouse.write() as connection:
        found = report(connection, instant, "run-1", NOW)
        assert report(connection, instant, "run-2", NOW) == []
    assert totals(found) == {"created": 1, "unchanged": 1, "refused": 1}
    assert "| VEST | VESTSTUD | 1 | 0 | 1 | 0 | 1 |" in as_markdown(found)
    assert "berg" not in as_markdown(found).lower()


def test_what_comes_while_others_write_waits_and_is_carried_out_in_its_order(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    if not warehouse.is_postgresql:
        pytest.skip("SQLite has one writer, who would hold the receipt up as well")
    send("PUT", BERG, PERSON)
    instant.lock_seconds = 0.1
    with warehouse.write(PATRONS_LOCK):
        first = send("PATCH", BERG, {"last_name": "First"}, key="k1")
        assert send("PATCH", BERG, {"last_name": "First"}, key="k1") == first
        second = send("PATCH", BERG, {"last_name": "Second"})
    assert (first.state, first.rule, second.state) == ("waiting", "busy", "waiting")
    assert person(warehouse)["last_name"] == "Berg"
    third = send("PATCH", BERG, {"middle_name": "Karin"})
    assert third.state == "done"
    found = person(warehouse)
    assert (found["last_name"], found["middle_name"], found["version"]) == ("Second", "Karin", 4)
    assert rows(warehouse, "SELECT state, content FROM raw_patron_receipt") == [("done", None)] * 4


def test_behind_many_that_wait_a_new_one_waits_and_the_flow_takes_all_of_them(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON)
    number = BACKLOG + 1
    wait = [f"Name{each}" for each in range(number)]
    for name in wait:
        keep_waiting(warehouse, asked(instant, "PATCH", BERG, {"last_name": name}))
    assert send("PATCH", BERG, {"last_name": "Last"}).state == "waiting"
    assert carry_out_waiting(instant, NOW) == {"done": number + 1}
    assert person(warehouse)["last_name"] == "Last"
    assert carry_out_waiting(instant, NOW).total() == 0


def test_many_at_once_end_as_one_after_the_other(warehouse: Warehouse, instant: Instant, send: Send) -> None:
    send("PUT", BERG, PERSON)
    limited(instant, create=2)
    bo, card = "bo@vestmark.example", {"user_identifiers": [{"type": "barcode", "value": "B1"}]}
    lean = {"last_name": "Lind", "user_group": "student"}
    many = [
        asked(instant, "PATCH", BERG, {"last_name": "First"}),
        asked(instant, "PUT", bo, lean | card, key="k1"),
        asked(instant, "PATCH", BERG, {"last_name": "Second"}),
        asked(instant, "PUT", bo, lean | card, key="k1"),
        asked(instant, "PUT", bo, lean, key="k1"),
        asked(instant, "PATCH", bo, {"middle_name": "Karin"}),
        asked(instant, "DELETE", BERG),
        asked(instant, "PATCH", "nobody@vestmark.example", {"last_name": "Lind"}),
        asked(instant, "PUT", "p1@vestmark.example", lean | card),
        asked(instant, "PUT", "p2@vestmark.example", lean),
        asked(instant, "PUT", "new@vestmark.example", lean | {"old_ids": [{"type": "primary_id", "value": bo}]}),
    ]
    answers = carry_out_many(instant, many, NOW)
    told = [each.rule if isinstance(each, Receipt) else type(each).__name__ for each in answers]
    assert told == [
        *("changed", "created", "changed", "created", "KeyTakenError", "changed", "changed", "unknown"),
        *("taken", "create", "changed"),
    ]
    assert answers[1] == answers[3]
    assert (person(warehouse)["last_name"], person(warehouse)["state"]) == ("Second", "grace")
    rekeyed = person(warehouse, "new@vestmark.example")
    assert (rekeyed["middle_name"], rekeyed["version"]) == (None, 3)  # the whole person says no middle name
    numbers = [each.receipt_id for each in answers if isinstance(each, Receipt)]
    assert [each for each in numbers if each != numbers[1]] == sorted(set(numbers) - {numbers[1]})
    runs = rows(warehouse, "SELECT run_id FROM core_patron_change WHERE new = '\"Second\"'")
    assert runs == [(f"receipt-{numbers[2]}",)]


def test_many_at_once_have_what_each_would_have_alone(warehouse: Warehouse, instant: Instant, send: Send) -> None:
    send("PUT", BERG, PERSON)
    with warehouse.write() as connection:
        connection.execute(sa.text("UPDATE core_patron SET document = '{}'"))
    bo = "bo@vestmark.example"
    bad = asked(instant, "PATCH", BERG, {"last_name": "Lind"})
    first, second = carry_out_many(instant, [bad, asked(instant, "PUT", bo, PERSON | {"primary_id": bo})], NOW)
    assert isinstance(first, KeyError)
    assert isinstance(second, Receipt)
    assert second.rule == "created"


def test_many_at_once_wait_together_while_others_write(warehouse: Warehouse, instant: Instant, send: Send) -> None:
    if not warehouse.is_postgresql:
        pytest.skip("SQLite has one writer, who would hold the receipts up as well")
    send("PUT", BERG, PERSON)
    instant.lock_seconds = 0.1
    many = [asked(instant, "PATCH", BERG, {"last_name": name}) for name in ("First", "Second", "Third")]
    with warehouse.write(PATRONS_LOCK):
        answers = carry_out_many(instant, many, NOW)
    assert [each.state for each in answers if isinstance(each, Receipt)] == ["waiting"] * 3
    again = carry_out_many(instant, [*many, asked(instant, "PATCH", BERG, {"middle_name": "Karin"})], NOW)
    assert [each.receipt_id for each in again[:3] if isinstance(each, Receipt)] == [2, 3, 4]
    assert (person(warehouse)["last_name"], person(warehouse)["middle_name"]) == ("Third", "Karin")


def test_the_same_request_many_times_at_once_is_done_once(warehouse: Warehouse, instant: Instant) -> None:
    one = asked(instant, "PUT", BERG, PERSON, key="k1")
    receipts: list[Receipt] = []
    threads = [threading.Thread(target=lambda: receipts.append(carry_out(instant, one, NOW))) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len({each.receipt_id for each in receipts}) == 1
    assert len(receipts) == 6
    assert rows(warehouse, "SELECT count(*) FROM core_patron") == [(1,)]


def test_a_look_up_that_fails_makes_nobody_and_the_same_again_makes_one(warehouse: Warehouse, send: Send) -> None:
    with warehouse.write() as connection:
        connection.execute(sa.text("ALTER TABLE core_patron_identifier RENAME TO away"))
    try:
        assert send("PUT", BERG, PERSON, key="k1").state == "waiting"  # SQLite calls it a passing fault
    except sa.exc.DBAPIError:
        assert warehouse.is_postgresql
    assert rows(warehouse, "SELECT count(*) FROM core_patron") == [(0,)]
    with warehouse.write() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO core_patron_identifier"))
    send("PUT", BERG, PERSON, key="k1")
    send("PATCH", BERG, {"last_name": "Lind"})
    assert rows(warehouse, "SELECT count(*) FROM core_patron") == [(1,)]


def test_one_that_waits_and_cannot_be_carried_out_does_not_stop_those_behind_it(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON)
    keep_waiting(warehouse, asked(instant, "PATCH", BERG, {"last_name": "Lind"}))
    with warehouse.write() as connection:
        connection.execute(sa.text("UPDATE raw_patron_receipt SET content = '{}' WHERE state = 'waiting'"))
    assert send("PATCH", BERG, {"middle_name": "Karin"}).rule == "changed"
    assert rows(warehouse, "SELECT state, rule FROM raw_patron_receipt ORDER BY receipt_id") == [
        ("done", "created"), ("refused", "failed"), ("done", "changed"),
    ]  # fmt: skip


def test_killed_amid_an_update_nothing_is_half_done_and_the_same_again_does_it(
    warehouse: Warehouse, warehouse_url: str, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON)
    before = everything(warehouse)
    program = (
        "import os, signal, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from tests.warehouse import instant_updates as t\n"
        "from tasks.patrons import instant as i\n"
        "from tasks.warehouse.engine import connect\n"
        "place = t.sample_instant(connect(sys.argv[1]))\n"
        "stop = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "i.enter = stop\n"  # the person is written, the receipt is not
        "i.carry_out(place, t.asked(place, 'PATCH', t.BERG, {'last_name': 'Lind'}, 'k1'), t.NOW)\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-c", program, warehouse_url, root], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while (found := everything(warehouse)) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == before
    assert send("PATCH", BERG, {"last_name": "Lind"}, key="k1").rule == "changed"
    assert person(warehouse)["last_name"] == "Lind"


def test_old_receipts_are_forgotten_what_nobody_decided_lapses_and_what_waits_stays(
    warehouse: Warehouse, instant: Instant, send: Send
) -> None:
    send("PUT", BERG, PERSON)
    limited(instant, clear=0)
    send("PATCH", BERG, {"phones": None})
    keep_waiting(warehouse, asked(instant, "PATCH", BERG, {"last_name": "Lind"}))
    with warehouse.write() as connection:
        report(connection, instant, "run-1", NOW)
    policy = instant.ground.policy
    with warehouse.write() as connection:
        assert (
            forget(connection, policy, NOW + timedelta(days=policy.retention.receipt_days))["receipts forgotten"] == 0
        )
        late = NOW + timedelta(days=policy.retention.receipt_days, seconds=1)
        assert forget(connection, policy, late) == {"receipts forgotten": 2, "plans lapsed": 1}
    assert rows(warehouse, "SELECT state FROM raw_patron_receipt") == [("waiting",)]
    assert rows(warehouse, "SELECT state, reason FROM core_plan") == [("rejected", "lapsed")]
