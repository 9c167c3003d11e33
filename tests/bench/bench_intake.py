"""The intake service under load: a real uvicorn and PostgreSQL, requests at a fixed rate, seconds until a commit.

`python -m tests.bench.bench_intake [--persons N] [--rate N] [--seconds N]`

A request counts from the moment at which it was due, so that a service that falls behind cannot hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from tasks.patrons.instant import instant_of
from tasks.patrons.instant_reading import read_persons_of_file
from tasks.patrons.intake_tokens import add_token
from tasks.patrons.person_plan import plan_person
from tasks.patrons.store import save_plans
from tasks.warehouse.engine import Warehouse, connect
from tasks.warehouse.migrate import migrate
from tests.integration.commands import SAMKAT, environment_of
from tests.integration.servers import debian_postgresql, running_postgres

SOURCE, INSTITUTION, DAY = "VESTSTUD", "VEST", date(2025, 3, 14)
PROMISED_SECONDS, PROMISED_SHARE = 1.0, 0.95
CHUNK = 2_000


@dataclass
class Load:
    """What was asked, and how long it took."""

    seconds: list[float] = field(default_factory=list)
    """From when a request was due until it was answered, in the order in which they were due."""
    statuses: Counter[int] = field(default_factory=Counter)

    def within(self, share: float) -> float:
        """Seconds within which this share of the requests was answered."""
        return sorted(self.seconds)[max(0, int(len(self.seconds) * share) - 1)]

    def line(self, title: str) -> str:
        """For people."""
        said = ", ".join(f"{number} x {status}" for status, number in sorted(self.statuses.items()))
        return (
            f"{title}: {len(self.seconds)} requests ({said}); from request to committed change 50% "
            f"{1000 * self.within(0.5):.0f} ms, 95% {1000 * self.within(0.95):.0f} ms, 99% "
            f"{1000 * self.within(0.99):.0f} ms, longest {1000 * max(self.seconds):.0f} ms"
        )


def person(number: int) -> dict[str, Any]:
    """A fictional student with some twenty values."""
    name = f"student{number}@vestmark.example"
    return {
        "primary_id": name,
        "first_name": f"Given{number % 997}",
        "last_name": f"Family{number % 1009}",
        "user_group": "student",
        "library": "VEST",
        "preferred_language": "en",
        "department": f"Department {number % 17}",
        "birth_date": "2001-02-03",
        "expiry_date": "2025-08-31",
        "emails": [{"type": "school", "email_address": name, "preferred": True}],
        "phones": [{"type": "mobile", "phone_number": f"+47 55{number:08d}"}],
        "addresses": [{"type": "home", "line1": f"Street {number}", "postal_code": "0123", "city": "Vestmark"}],
        "user_identifiers": [{"type": "feide", "value": f"f{number}@vestmark.example"}],
    }


def filled(warehouse: Warehouse, persons: int) -> str:
    """Put persons into a new warehouse as a first load would, and a token; returns the token."""
    migrate(warehouse)
    register = read_register(SAMPLE_REGISTER)
    instant, source = instant_of(warehouse, register, DAY, None), register.patron_source_by_code[SOURCE]
    occasion, now = instant.occasion(source), datetime.now(UTC)
    for begin in range(0, persons, CHUNK):
        content = json.dumps([person(number) for number in range(begin, min(persons, begin + CHUNK))]).encode()
        rows = read_persons_of_file(content, "json", "PUT", source)
        plans = [plan_person(None, each, occasion) for each in rows]  # type: ignore[arg-type]
        with warehouse.write() as connection:
            save_plans(
                connection, plans, run_id="load", delivery_id=1, now=now,
                policy_version=register.patron_policy.version, plan_hash="first load",
            )  # fmt: skip
    with warehouse.write() as connection:
        return add_token(connection, INSTITUTION, SOURCE, "the bench", now)[1]


@contextlib.contextmanager
def served(home: Path, warehouse_url: str, rate: int) -> Iterator[str]:
    """The service in a process of its own; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home.mkdir(parents=True, exist_ok=True)
    environment = environment_of(home, SAMKAT_WAREHOUSE_URL=warehouse_url, SAMKAT_INTAKE_RATE=str(rate * 10))
    with (home / "intake.log").open("wb") as log:
        process = subprocess.Popen(
            [SAMKAT, "intake", "--port", str(port)], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address, process)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/health").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the service did not come up")


def asked(number: int, persons: int, dice: random.Random) -> tuple[str, str, dict[str, Any] | None]:
    """Method, person and body of a request: a day of a register, all kinds mixed."""
    kind, known = dice.random(), dice.randrange(persons)
    if kind < 0.2:
        return "PUT", f"student{persons + number}@vestmark.example", person(persons + number)
    if kind < 0.5:
        return "PUT", f"student{known}@vestmark.example", person(known) | {"last_name": f"Other{number}"}
    if kind < 0.97:
        change = {"phones": [{"type": "mobile", "phone_number": f"+47 66{number:08d}"}]}
        return "PATCH", f"student{known}@vestmark.example", change
    return "DELETE", f"student{known}@vestmark.example", None


async def loaded(address: str, token: str, persons: int, rate: int, seconds: int) -> Load:
    """Send requests at this rate, each when it is due, whatever became of the ones before."""
    load, dice = Load(), random.Random(7)
    requests = [asked(number, persons, dice) for number in range(rate * seconds)]
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(limits=limits, timeout=30, headers={"Authorization": f"Bearer {token}"}) as client:
        begun = time.monotonic()

        async def one(number: int) -> None:
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            method, who, body = requests[number]
            answer = await client.request(
                method,
                f"{address}/v1/institutions/{INSTITUTION}/persons/{who}",
                headers={"Idempotency-Key": f"bench-{number}"},
                json=body,
            )
            load.seconds.append(time.monotonic() - due)
            load.statuses[answer.status_code] += 1

        await asyncio.gather(*(one(number) for number in range(len(requests))))
    return load


def measure(folder: Path, warehouse_url: str, persons: int, rate: int, seconds: int) -> Load:
    """Fill an empty warehouse, serve it, and put the load on it."""
    warehouse = connect(warehouse_url)
    try:
        token = filled(warehouse, persons)
    finally:
        warehouse.dispose()
    with served(folder / "home", warehouse_url, rate) as address:
        return asyncio.run(loaded(address, token, persons, rate, seconds))


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns 1 where the promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args(arguments)
    if debian_postgresql() is None:
        print("PostgreSQL is not installed (Debian package postgresql): not measured")
        return 0
    with running_postgres() as server, tempfile.TemporaryDirectory(prefix="samkat-bench-") as folder:
        server.create_database("intake")
        load = measure(Path(folder), server.url("intake"), options.persons, options.rate, options.seconds)
    print(load.line(f"{options.rate} requests/s for {options.seconds} s, {options.persons:,} persons, PostgreSQL"))
    return 0 if load.within(PROMISED_SHARE) <= PROMISED_SECONDS and not load.statuses[500] else 1


if __name__ == "__main__":
    sys.exit(main())
