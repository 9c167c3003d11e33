"""Instant updates on both engines: receipt and merge are one, limits hold, what waits is taken up, nothing is half."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.patron_limits import PatronChange, PatronGuards, PatronLimit
from schemas.register.register import Register
from schemas.summaries import totals
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.instant import BACKLOG, Instant, carry_out, carry_out_waiting, instant_of
from tasks.patrons.instant_batch import as_markdown, carry_out_decided, forget, report
from tasks.patrons.instant_many import carry_out_many
from tasks.patrons.instant_reading import Method, addressed_id, only_ids, read_body
from tasks.patrons.receipts import Asked, KeyTakenError, Receipt, find_receipt
from tasks.plans.store import approve, reject
from tasks.warehouse.engine import Warehouse, connect

DAY = date(2025, 3, 14)
NOW = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
SALT = b"s" * 32
BERG = "anna.berg@vestmark.example"
MAIL = "anna.berg@vestmark.example"
PERSON: dict[str, Any] = {
    "primary_id": BERG,
    "first_name": "Anna",
    "last_name": "Berg",
    "middle_name": "Maria",
    "user_group": "student",
    "emails": [{"type": "school", "email_address": MAIL, "preferred": True}],
    "phones": [{"type": "mobile", "phone_number": "+47 555 01 234"}],
}
Send = Callable[..., Receipt]


@pytest.fixture(scope="module")
def register() -> Register:
    return read_register(SAMPLE_REGISTER)


@pytest.fixture
def instant(warehouse: Warehouse, register: Register) -> Instant:
    return instant_of(warehouse, register, DAY, SALT)


def limited(instant: Instant, **limits: int) -> None:
    """Make the limit of these classes so many, in thirty days; `create` a day."""
    wanted: dict[PatronChange, PatronLimit] = {
        name: PatronLimit(at_least=number, share=0, sum_days=0 if name in ("create", "group_change") else 30)
        for name, number in limits.items()  # type: ignore[misc]
    }
    policy = instant.ground.policy.model_copy(update={"guards": PatronGuards(limits=wanted)})
    instant.ground = replace(instant.ground, policy=policy)


def asked(
    instant: Instant, method: Method, who: str = BERG, body: Any = None, key: str | None = None, code: str = "VESTSTUD"
) -> Asked:
    """An update as the service makes it."""
    source = instant.sources[code]
    raw = json.dumps(body).encode()
    addressed = addressed_id(source, None, who)
    person = only_ids(source, addressed) if method == "DELETE" else read_body(raw, "json", method, source, addressed)
    digest = hashlib.sha256(f"{method} {who}".encode() + raw).digest()
    return Asked(source.institution, code, method, person, 1, key or os.urandom(8).hex(), digest)


@pytest.fixture
def send(instant: Instant) -> Send:
    """Sends an update: `send("PUT", BERG, {...}, key=..., at=...)`."""

    def sent(method: Method, who: str = BERG, body: Any = None, key: str | None = None, at: datetime = NOW) -> Receipt:
        return carry_out(instant, asked(instant, method, who, body, key), at)

    return sent


def rows(warehouse: Warehouse, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql), values)]


def person(warehouse: Warehouse, who: str = BERG) -> dict[str, Any]:
    """Values, lists and state as they are."""
    ((document, state, version),) = rows(
        warehouse, "SELECT document, state, version FROM core_patron WHERE primary_key = :who", who=who
    )
    found = json.loads(document)
    lists = {path: [each[2] for each in items] for path, items in found["lists"].items()}
    return {**found["written"], **lists, "state": state, "version": version}


def everything(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """What updates may write, as it is."""
    tables = ("core_patron", "core_patron_source", "core_patron_change", "core_patron_version", "raw_patron_receipt")
    return [(table, *rows(warehouse, f"SELECT count(*) FROM {table}")[0]) for table in tables]


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


def keep_waiting(warehouse: Warehouse, one: Asked) -> None:
    from tasks.patrons.receipts import COUNTER, Outcome, enter
    from tasks.warehouse.ids import take_id

    with warehouse.write() as connection:
        enter(connection, one, take_id(connection, COUNTER), Outcome("waiting", "busy"), NOW)


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


def test_the_same_request_many_times_at_once_is_done_once(
    warehouse: Warehouse, instant: Instant, register: Register
) -> None:
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
        "from tests.warehouse import test_patron_instant as t\n"
        "from tasks.patrons import instant as i\n"
        "place = i.instant_of(t.connect(sys.argv[1]), t.read_register(t.SAMPLE_REGISTER), t.DAY, t.SALT)\n"
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


__all__ = ["connect", "read_register"]
