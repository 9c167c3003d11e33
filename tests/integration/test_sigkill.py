"""A whole `samkat ingest` is killed with SIGKILL and the command given again: nothing is lost, nothing is double."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.settings import Settings
from deployments.local_server import client_environment, ensure_server, stop_server
from deployments.sample.bench import write_bench_catalogue, write_bench_delivery
from schemas.warehouse.core import core_notice, core_run
from schemas.warehouse.raw import raw_delivery, raw_progress
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.engine import Warehouse, connect
from tests.warehouse.pipeline import catalogue_content, ledger_facts, outcomes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SEED = 3
CATALOGUE_BIBS, DELIVERED_BIBS, DELIVERED_HOLDINGS = 1_000, 2_000, 3_000
CHUNK_RECORDS = 100
DELIVERY = "NORDBOK_20250314180000_dagfil.mrc"
MOMENTS = {"stage": 1_500, "load_bibs": 1_500, "load_holdings": 1_500}
"""Stages of the progress table, and the position from which on the run is killed; the last position is 5,000."""
LIMIT_SECONDS = 180
OUTBOX_FACTS = ("kind", "recipient", "subject", "language", "dedup_key", "message_id", "state", "attempts")


@dataclass(frozen=True)
class Home:
    """A home with a warehouse of its own, and the environment in which commands run for it."""

    folder: Path
    warehouse_url: str
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from deployments.cli import main; main()", *arguments, "--json"],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command to its end; returns its exit code and what it said."""
        process = self.start(*arguments)
        said, complaints = process.communicate(timeout=LIMIT_SECONDS)
        assert process.returncode in (0, 3), complaints
        return process.returncode, json.loads(said)

    def connected(self) -> Warehouse:
        return connect(self.warehouse_url)


@dataclass(frozen=True)
class Ended:
    """What there is after the last run, without ids, instants and numbers of attempts."""

    exit_code: int
    content: str
    outcomes: list[tuple[Any, ...]]
    ledger: list[tuple[Any, ...]]
    row_counts: dict[str, int]
    outbox: list[tuple[Any, ...]]
    emails: list[str]
    """Message-IDs of the .eml files."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An export of a union catalogue, and a delivery that overlaps it."""
    folder = tmp_path_factory.mktemp("files")
    catalogue, delivery = folder / "union.mrc", folder / DELIVERY
    write_bench_catalogue(catalogue, CATALOGUE_BIBS, SEED)
    written = write_bench_delivery(delivery, DELIVERED_BIBS, SEED, CATALOGUE_BIBS)
    assert (written.bibs, written.holdings) == (DELIVERED_BIBS, DELIVERED_HOLDINGS)
    return {"catalogue": catalogue, "delivery": delivery}


@pytest.fixture(scope="module")
def prefect_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One Prefect server for all homes."""
    home = tmp_path_factory.mktemp("server") / "home"
    settings = Settings(home=home)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SAMKAT_"))}
    address = ensure_server(settings)
    of_prefect = {
        name: value for name, value in client_environment(settings, address).items() if name.startswith("PREFECT_")
    }
    yield kept | of_prefect
    stop_server(settings)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def homes(
    request: pytest.FixtureRequest,
    files: dict[str, Path],
    prefect_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[_Homes]:
    """Makes homes that have the union catalogue, on one engine."""
    server = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = _Homes(tmp_path_factory.mktemp(request.param), server, prefect_environment, files["catalogue"])
    yield made
    made.drop()


class _Homes:
    """Copies of one home, each with a warehouse of its own."""

    def __init__(self, folder: Path, server: str | None, environment: dict[str, str], catalogue: Path) -> None:
        self.folder, self.environment = folder, environment
        self.server = sa.make_url(server) if server else None
        self.prefix = f"samkat_{uuid.uuid4().hex[:12]}"
        self.databases: list[str] = []
        self.first = self._home("first")
        self.first.folder.mkdir()
        self._create_database("first", "template1")
        self.first.run("init")
        self.first.run("catalogue", "load", str(catalogue))

    def copy(self, name: str) -> Home:
        """A new home that has what the first one had: the union catalogue."""
        home = self._home(name)
        shutil.copytree(self.first.folder, home.folder)
        self._create_database(name, f"{self.prefix}_first")
        return home

    def drop(self) -> None:
        """Leave nothing on the server."""
        for name in self.databases:
            self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _home(self, name: str) -> Home:
        folder = self.folder / name
        if self.server is None:
            url = f"sqlite:///{folder / 'warehouse.db'}"
        else:
            url = self.server.set(database=f"{self.prefix}_{name}").render_as_string(hide_password=False)
        settings = {
            "SAMKAT_HOME": str(folder),
            "SAMKAT_WAREHOUSE_URL": url,
            "SAMKAT_TODAY": "2025-03-14",
            "SAMKAT_CHUNK_RECORDS": str(CHUNK_RECORDS),
            "SAMKAT_DATA_DOCS": "off",
        }
        return Home(folder, url, self.environment | settings)

    def _create_database(self, name: str, template: str) -> None:
        if self.server is not None:
            self.databases.append(f"{self.prefix}_{name}")
            self._administer(f"CREATE DATABASE {self.databases[-1]} TEMPLATE {template}")

    def _administer(self, statement: str) -> None:
        assert self.server is not None
        admin = sa.create_engine(self.server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)
        admin.dispose()


@pytest.fixture(scope="module")
def undisturbed(homes: _Homes, files: dict[str, Path]) -> Ended:
    """What comes of the delivery where nothing happens to the run."""
    home = homes.copy("undisturbed")
    return ended(home, *ingest(home, files["delivery"]))


def ingest(home: Home, delivery: Path) -> tuple[int, dict[str, Any]]:
    return home.run("ingest", str(delivery), "--supplier", "NORDBOK")


def ended(home: Home, exit_code: int, said: dict[str, Any]) -> Ended:
    (line,) = said["deliveries"]
    assert line["state"] == "settled"
    warehouse = home.connected()
    with warehouse.read() as connection:
        counts = {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table is not core_run
        }
        outbox = connection.execute(sa.select(*(core_notice.c[name] for name in OUTBOX_FACTS)))
        facts = sorted(tuple(row) for row in outbox)
    emails = [message_from_bytes(path.read_bytes())["Message-ID"] for path in (home.folder / "outbox").glob("*.eml")]
    found = Ended(
        exit_code,
        catalogue_content(warehouse),
        outcomes(warehouse),
        ledger_facts(warehouse),
        counts,
        facts,
        sorted(emails),
    )
    warehouse.dispose()
    return found


def kill_when(home: Home, process: subprocess.Popen[str], stage: str, position: int) -> int:
    """Kill the process and its children as soon as `stage` of the delivery has got to `position`; returns where."""
    warehouse = home.connected()
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while (reached := progress(warehouse, stage)[0]) < position:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        return reached
    finally:
        warehouse.dispose()


def progress(warehouse: Warehouse, stage: str) -> tuple[int, bool]:
    """How far the supplier's delivery has got in `stage`, and whether that is done."""
    with warehouse.read() as connection:
        row = connection.execute(
            sa.select(raw_progress.c.reached, raw_progress.c.done_at)
            .join(raw_delivery, raw_delivery.c.delivery_id == raw_progress.c.delivery_id)
            .where(raw_delivery.c.kind == "supplier", raw_progress.c.stage == stage)
        ).one_or_none()
    return (0, False) if row is None else (row.reached, row.done_at is not None)


def test_an_undisturbed_run_loads_everything_and_tells_every_library_once(undisturbed: Ended) -> None:
    bibs = [each for each in undisturbed.outcomes if each[4] == "bib"]
    holdings = [each for each in undisturbed.outcomes if each[4] == "holding"]
    assert len(bibs) >= DELIVERED_BIBS
    assert len(holdings) >= DELIVERED_HOLDINGS
    assert len(undisturbed.emails) == len(set(undisturbed.emails)) == len(undisturbed.outbox) == 6
    assert {fact[-2:] for fact in undisturbed.outbox} == {("sent", 1)}


@pytest.mark.parametrize("stage", MOMENTS)
def test_a_run_that_is_killed_and_given_again_ends_as_an_undisturbed_one(
    homes: _Homes, undisturbed: Ended, files: dict[str, Path], stage: str
) -> None:
    home = homes.copy(f"killed_in_{stage}")
    process = home.start("ingest", str(files["delivery"]), "--supplier", "NORDBOK")
    reached = kill_when(home, process, stage, MOMENTS[stage])
    assert MOMENTS[stage] <= reached < DELIVERED_BIBS + DELIVERED_HOLDINGS
    warehouse = home.connected()
    assert progress(warehouse, stage)[1] is False
    warehouse.dispose()
    assert ended(home, *ingest(home, files["delivery"])) == undisturbed


def test_a_run_that_is_killed_three_times_ends_as_an_undisturbed_one(
    homes: _Homes, undisturbed: Ended, files: dict[str, Path]
) -> None:
    home = homes.copy("killed_three_times")
    for stage, position in MOMENTS.items():
        kill_when(home, home.start("ingest", str(files["delivery"]), "--supplier", "NORDBOK"), stage, position)
    assert ended(home, *ingest(home, files["delivery"])) == undisturbed
