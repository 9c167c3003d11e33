"""A dropped file becomes one delivery: with a real server, worker and watcher, in time and at any number of events."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deployments.sample.bench import write_bench_delivery
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tests.integration.servers import Postgres, PrefectServer, Production, production_home, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SEED = 5
IN_THE_UI_SECONDS, FINISHED_SECONDS = 5.0, 20.0
"""What is promised on a machine that does nothing else; the figures say what was measured."""
PATIENCE = 4
"""Times as long on a machine that is shared."""


class DropWatcher:
    """`python -m deployments.watcher` in a process of its own, or what `arguments` tell Python to do instead."""

    def __init__(self, production: Production, *arguments: str) -> None:
        self.environment = production.environment
        self.arguments = arguments or ("-m", "deployments.watcher")
        self.log = production.home.parent / "watcher.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                env=self.environment,
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def served(
    postgres: Postgres, prefect_on_postgres: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """A home whose deployments are on the server, with a worker that looks for their runs."""
    with production_home(tmp_path_factory.mktemp("served"), postgres, prefect_on_postgres) as made:
        done = made.samkat("deployments", "apply")
        assert done.code == 0, done.err
        made.start_worker()
        yield made


@pytest.fixture
def watcher(served: Production) -> Iterator[DropWatcher]:
    watching = DropWatcher(served)
    yield watching
    if watching.process is not None and watching.process.poll() is None:
        watching.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Deliveries of NORDBOK with two bibs and three holdings each, no two alike."""
    folder = tmp_path_factory.mktemp("small")
    files = []
    for number in range(12):
        file = folder / f"NORDBOK_202503141800{number:02}_fil{number}.mrc"
        write_bench_delivery(file, 2, SEED + number, 0, 0.0)
        files.append(file)
    return files


def incoming(production: Production, supplier: str = "NORDBOK") -> Path:
    return production.home / "landing" / "incoming" / supplier


def drop(file: Path, folder: Path) -> None:
    """As a good sender does it: under another name, then renamed."""
    unfinished = folder / f"{file.name}.part"
    shutil.copyfile(file, unfinished)
    unfinished.rename(folder / file.name)


def deliveries(production: Production) -> list[sa.Row[Any]]:
    warehouse = production.connected()
    try:
        with warehouse.read() as connection:
            return list(connection.execute(sa.select(raw_delivery).order_by(raw_delivery.c.delivery_id)))
    finally:
        warehouse.dispose()


def sightings(production: Production) -> int:
    warehouse = production.connected()
    try:
        with warehouse.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(raw_delivery_name)).scalar_one())
    finally:
        warehouse.dispose()


def ingests(production: Production) -> list[dict[str, Any]]:
    return production.server.flow_runs(flow="supplier-ingest")


def all_settled(production: Production, number: int) -> bool:
    rows = deliveries(production)
    return len(rows) == number and all(row.state == "settled" for row in rows)


def test_a_dropped_file_is_in_the_ui_and_finished_in_time_and_is_one_delivery_whatever_happens(
    served: Production, watcher: DropWatcher, small_files: list[Path], figures: list[str]
) -> None:
    watcher.start()
    known = {each["id"] for each in ingests(served)}
    wait_until(lambda: " watching " in watcher.log.read_text(), 60, "it watches")
    for file, dropped in zip(small_files[:2], (drop, shutil.copy), strict=True):
        before = len(deliveries(served))
        began = time.monotonic()
        dropped(file, incoming(served))
        run = wait_until(
            lambda known=known: [each for each in ingests(served) if each["id"] not in known],
            IN_THE_UI_SECONDS * PATIENCE,
            "its run is in the UI",
        )
        in_the_ui = time.monotonic() - began
        wait_until(lambda n=before: all_settled(served, n + 1), FINISHED_SECONDS * PATIENCE, "it is settled")
        finished = time.monotonic() - began
        known |= {each["id"] for each in run}
        figures.append(f"file drop ({dropped.__name__}): in the UI after {in_the_ui:.1f} s, settled {finished:.1f} s")
    # Events without end, under other names and after restarts of the watcher: nothing new comes of it.
    for number in range(2):
        os.utime(_again(small_files[0], incoming(served), f"NORDBOK_2025031418001{number}_igen.mrc"))
    watcher.end(signal.SIGKILL)
    watcher.start()
    wait_until(lambda: not list(incoming(served).iterdir()), 90, "the repeats are taken")
    wait_until(
        lambda: not served.server.flow_runs("Running", "Pending", "Scheduled", flow="supplier-ingest"), 60, "end"
    )
    assert [row.state for row in deliveries(served)] == ["settled", "settled"]
    assert sightings(served) == 4
    assert watcher.end() == 0


def _again(file: Path, folder: Path, name: str) -> Path:
    return Path(shutil.copy(file, folder / name))


def test_what_was_dropped_while_watcher_and_server_were_down_is_picked_up_by_the_sweep(
    served: Production, small_files: list[Path]
) -> None:
    known = {each["id"] for each in ingests(served)}
    settled = len(deliveries(served))
    served.server.stop()
    for file in small_files[2:8]:
        drop(file, incoming(served))
    (incoming(served) / "half.mrc.part").write_bytes(b"00")
    served.server.start()
    time.sleep(2)
    done = served.samkat("sweep", "--json")
    assert done.code == 0, done.err
    said = done.document()
    wait_until(lambda: all_settled(served, settled + 6), 120, "all of them are settled")
    assert len([each for each in ingests(served) if each["id"] not in known]) == 1
    assert [each.name for each in incoming(served).iterdir()] == ["half.mrc.part"]
    assert said["runs"] <= 1  # the sweep of the schedule may have come first
