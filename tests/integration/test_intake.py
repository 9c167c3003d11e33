"""The intake service as it runs: uvicorn in a process of its own, PostgreSQL, requests at a fixed rate, kills."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.patrons.applying import PATRONS_LOCK
from tasks.warehouse.engine import Warehouse, connect
from tasks.warehouse.migrate import migrate
from tests.bench.bench_intake import PROMISED_SECONDS, PROMISED_SHARE, measure, person
from tests.integration.commands import SAMKAT, environment_of, samkat
from tests.integration.servers import Postgres, free_port, wait_until

pytestmark = pytest.mark.integration

PERSONS = "/v1/institutions/VEST/persons"
RATE, SECONDS = 20, 30


@pytest.fixture
def environment(postgres: Postgres, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home with a migrated warehouse of its own."""
    name = f"intake_{tmp_path.name}".lower().replace("-", "_")[:60]
    postgres.create_database(name)
    warehouse = connect(postgres.url(name))
    migrate(warehouse)
    warehouse.dispose()
    home = tmp_path / "home"
    home.mkdir()
    yield environment_of(home, SAMKAT_WAREHOUSE_URL=postgres.url(name))
    postgres.drop_database(name)


@contextlib.contextmanager
def running(environment: dict[str, str], log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`samkat intake` in a process of its own: its address, and the process."""
    port = free_port()
    with log.open("ab") as to_log:
        process = subprocess.Popen(
            [SAMKAT, "intake", "--port", str(port)], env=environment, stdout=to_log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{address}/health").status_code == 200
        return False

    try:
        wait_until(is_up, 60, "the service answers")
        yield address, process
    finally:
        process.kill()
        process.wait()


def new_token(environment: dict[str, str]) -> str:
    made = samkat(environment, "patrons", "tokens", "add", "--source", "VESTSTUD", "--name", "a test", "--json")
    assert made.code == 0, made.err
    return str(made.document()["token"])


def put(address: str, token: str, number: int, key: str, **changes: Any) -> httpx.Response:
    body = person(number) | changes
    return httpx.put(
        f"{address}{PERSONS}/{body['primary_id']}",
        json=body,
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
        timeout=30,
    )


@pytest.fixture
def warehouse(environment: dict[str, str]) -> Iterator[Warehouse]:
    connected = connect(environment["SAMKAT_WAREHOUSE_URL"])
    yield connected
    connected.dispose()


def persons_there(warehouse: Warehouse) -> int:
    with warehouse.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM core_patron").scalar_one())


def test_twenty_requests_a_second_are_committed_within_a_second(
    postgres: Postgres, tmp_path: Path, figures: list[str]
) -> None:
    postgres.create_database("intake_load")
    try:
        load = measure(tmp_path, postgres.url("intake_load"), 20_000, RATE, SECONDS)
    finally:
        postgres.drop_database("intake_load")
    figures.append(load.line(f"intake: {RATE} requests/s for {SECONDS} s, 20,000 persons, PostgreSQL"))
    assert len(load.seconds) == RATE * SECONDS
    assert load.statuses.keys() <= {200, 201, 202, 409}
    assert load.within(PROMISED_SHARE) <= PROMISED_SECONDS
    log = (tmp_path / "home" / "intake.log").read_text("utf-8")
    assert len(re.findall(r"(PUT|PATCH|DELETE) VEST [0-9a-f]{12} 20\d in \d+ ms", log)) >= RATE * SECONDS - 1
    assert "vestmark.example" not in log
    assert "Family" not in log


def test_killed_under_load_each_answered_update_is_there_and_each_other_one_is_whole_or_not_at_all(
    environment: dict[str, str], warehouse: Warehouse, tmp_path: Path
) -> None:
    token, answered = new_token(environment), []
    with running(environment, tmp_path / "log") as (address, process):
        assert put(address, token, 0, "k0").status_code == 201

        def send(number: int) -> None:
            with contextlib.suppress(httpx.TransportError):
                if put(address, token, number, f"k{number}").status_code == 201:
                    answered.append(number)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 9)]
        for each in threads:
            each.start()
        wait_until(lambda: persons_there(warehouse) >= 3, 30, "some are made")
        process.send_signal(signal.SIGKILL)
        for each in threads:
            each.join()
    with warehouse.read() as connection:
        receipts = connection.exec_driver_sql("SELECT idempotency_key, state, rule FROM raw_patron_receipt").all()
    assert len(receipts) == persons_there(warehouse)
    assert {f"k{number}" for number in answered} <= {each.idempotency_key for each in receipts}
    assert {(each.state, each.rule) for each in receipts} == {("done", "created")}
    with running(environment, tmp_path / "log") as (address, process):
        assert {put(address, token, number, f"k{number}").status_code for number in range(9)} == {201}
        assert persons_there(warehouse) == 9
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_while_a_night_writes_updates_wait_and_the_command_takes_them_up(
    environment: dict[str, str], warehouse: Warehouse, tmp_path: Path
) -> None:
    token = new_token(environment)
    with running(environment, tmp_path / "log") as (address, _):
        put(address, token, 1, "k1")
        with warehouse.write(PATRONS_LOCK):
            waits = put(address, token, 1, "k2", last_name="Lind")
        assert (waits.status_code, waits.json()["state"]) == (202, "waiting")
        change = tmp_path / "change.json"
        change.write_text(json.dumps({"primary_id": person(1)["primary_id"], "middle_name": "Karin"}))
        done = samkat(environment, "patrons", "update", str(change), "--source", "VESTSTUD", "--patch", "--json")
        assert done.code == 0, done.err
        again = samkat(environment, "patrons", "update", str(change), "--source", "VESTSTUD", "--patch", "--json")
        assert again.document()["updates"] == done.document()["updates"]
        receipt = httpx.get(f"{address}{waits.headers['location']}", headers={"Authorization": f"Bearer {token}"})
        assert (receipt.json()["state"], receipt.json()["rule"]) == ("done", "changed")
        revoked = samkat(environment, "patrons", "tokens", "revoke", "1")
        assert revoked.code == 0
        wait_until(lambda: put(address, token, 1, "k1").status_code == 401, 5, "the token is taken no more")


def test_a_sender_that_says_nothing_holds_nobody_up(environment: dict[str, str], tmp_path: Path) -> None:
    token = new_token(environment)
    with running(environment, tmp_path / "log") as (address, _), contextlib.ExitStack() as stack:
        port = int(address.rpartition(":")[2])
        head = (
            f"PUT {PERSONS}/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        for _ in range(20):
            mute = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            mute.sendall(head.encode())
        assert put(address, token, 1, "k1").status_code == 201
