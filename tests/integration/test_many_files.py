"""Many small files at once, and two workers: each file loaded once, in a handful of runs, the same warehouse."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa

from deployments.sample.bench import write_small_files
from schemas.warehouse.raw import raw_delivery
from tasks.warehouse.engine import CATALOGUE_LOCK
from tests.integration.servers import Postgres, PrefectServer, Production, Worker, production_home, wait_until
from tests.warehouse.pipeline import catalogue_content, ledger_facts, outcomes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FILES = 1_000
EACH = 160
"""Files of each of two suppliers: a run of half of them takes some seconds."""
MOST_RUNS = 6
SEED = 7


@contextmanager
def watching(production: Production) -> Iterator[None]:
    """The drop watcher in a process of its own."""
    path = production.home.parent / "watcher.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.watcher"],
            env=production.environment,
            cwd=production.home.parent,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: " watching " in path.read_text("utf-8"), 60, "it watches")
        yield
    finally:
        process.terminate()
        process.wait(30)


class Memory:
    """The largest resident size of each run that a worker starts, in MB, in the order of their start."""

    def __init__(self, worker: Worker) -> None:
        self.peaks: dict[int, float] = {}
        self._worker = worker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        assert self._worker.process is not None
        of_worker = psutil.Process(self._worker.process.pid)
        while not self._over.wait(0.5):
            for child in of_worker.children(recursive=True):
                try:
                    size = child.memory_info().rss / 2**20
                except psutil.NoSuchProcess:
                    continue
                self.peaks[child.pid] = max(size, self.peaks.get(child.pid, 0))


def states(production: Production) -> dict[str, int]:
    """How many deliveries are in each state."""
    warehouse = production.connected()
    try:
        with warehouse.read() as connection:
            rows = connection.execute(
                sa.select(raw_delivery.c.state, sa.func.count()).group_by(raw_delivery.c.state)
            ).all()
            return {row[0]: row[1] for row in rows}
    finally:
        warehouse.dispose()


def incoming(production: Production, supplier: str) -> Path:
    return production.home / "landing" / "incoming" / supplier


def runs_of(production: Production, known: set[str]) -> list[dict[str, Any]]:
    return [each for each in production.server.flow_runs(flow="supplier-ingest") if each["id"] not in known]


def drop_all(files: list[Path], folder: Path) -> None:
    for file in files:
        unfinished = folder / f".{file.name}.part"
        shutil.copyfile(file, unfinished)
        unfinished.rename(folder / file.name)


def deployed(production: Production) -> Production:
    done = production.samkat("deployments", "apply")
    assert done.code == 0, done.err
    return production


def nothing_by_schedule(production: Production) -> None:
    """A worker that does one run at a time would else be away for what the clock starts, such as the reaper's look."""
    for each in production.server.ask("/deployments/filter", {}):
        url = f"{production.server.api_url}/deployments/{each['id']}/pause_deployment"
        httpx.post(url).raise_for_status()


def test_a_thousand_files_dropped_at_once_are_each_loaded_once_in_a_handful_of_runs(
    production: Production, tmp_path: Path, figures: list[str]
) -> None:
    (tmp_path / "files").mkdir()
    files = write_small_files(tmp_path / "files", FILES, SEED)
    known = {each["id"] for each in deployed(production).server.flow_runs(flow="supplier-ingest")}
    worker = production.start_worker()
    with watching(production), Memory(worker) as memory:
        began = time.monotonic()
        drop_all(files, incoming(production, "NORDBOK"))
        wait_until(lambda: states(production).get("settled") == FILES, 500, "all are settled", every_seconds=1)
        took = time.monotonic() - began
        wait_until(
            lambda: {each["state_name"] for each in runs_of(production, known)} == {"Completed"}, 60, "the runs end"
        )
    runs = runs_of(production, known)
    peaks = [round(each) for each in memory.peaks.values() if each > 50]
    figures.append(
        f"{FILES} small files dropped at once: {took:.0f} s, {FILES / took:.1f} files/s, {len(runs)} runs, "
        f"peak memory of each process in MB: {peaks}"
    )
    assert states(production) == {"settled": FILES}
    assert 2 <= len(runs) <= MOST_RUNS
    assert list(incoming(production, "NORDBOK").iterdir()) == []
    assert max(peaks) < 500


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Files of two suppliers that have no book in common, so that it does not matter who comes first."""
    some = write_small_files(tmp_path_factory.mktemp("files"), 2 * EACH, SEED, bibs_a_file=4)
    others = [each.rename(each.with_name(each.name.replace("NORDBOK", "FORHAND"))) for each in some[EACH:]]
    return {"NORDBOK": some[:EACH], "FORHAND": others}


def content_of(production: Production) -> tuple[Any, ...]:
    """What the warehouse says, without surrogate ids and instants."""
    warehouse = production.connected()
    try:
        return catalogue_content(warehouse), outcomes(warehouse), ledger_facts(warehouse)
    finally:
        warehouse.dispose()


@contextmanager
def nobody_loads(production: Production) -> Iterator[None]:
    """Runs come as far as loading, and wait there."""
    warehouse = production.connected()
    try:
        with warehouse.write(CATALOGUE_LOCK):
            yield
    finally:
        warehouse.dispose()


def at_work(production: Production, known: set[str]) -> set[str]:
    """Suppliers of whom a run is under way."""
    return {each["name"] for each in runs_of(production, known) if each["state_name"] == "Running"}


def drop_part(production: Production, files: dict[str, list[Path]], part: slice) -> None:
    for supplier, some in files.items():
        drop_all(some[part], incoming(production, supplier))


def test_two_workers_in_parallel_give_the_same_warehouse_as_one_process(
    postgres: Postgres, prefect_on_postgres: PrefectServer, files: dict[str, list[Path]], tmp_path: Path
) -> None:
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
    with (
        production_home(tmp_path / "alone", postgres, prefect_on_postgres) as alone,
        production_home(tmp_path / "together", postgres, prefect_on_postgres) as together,
    ):
        for supplier, some in files.items():
            drop_all(some, incoming(alone, supplier))
        done = alone.samkat("sweep", "--here", "--json")
        assert done.code == 0, done.err
        known = {each["id"] for each in deployed(together).server.flow_runs(flow="supplier-ingest")}
        nothing_by_schedule(together)
        for _ in range(2):
            together.start_worker(limit=1)
        for worker in together.workers:
            wait_until(lambda of=worker: "started!" in of.log.read_text("utf-8"), 60, "the worker looks for work")
        # Each supplier's files in parts: the next one comes while those before are worked on.
        first, *others = (slice(begin, begin + EACH // 4) for begin in range(0, EACH, EACH // 4))
        with watching(together):
            # Whoever comes first waits before it loads, so that both are at work at once, however quick they are.
            with nobody_loads(together):
                drop_part(together, files, first)
                wait_until(lambda: at_work(together, known) == set(files), 120, "a run of each supplier is at work")
            for part in others:
                drop_part(together, files, part)
                time.sleep(4)
            every = {"settled": EACH * len(files)}
            wait_until(lambda: states(together) == every, 200, "all are settled", every_seconds=1)
        wait_until(lambda: all(each["end_time"] for each in runs_of(together, known)), 60, "the runs have ended")
        runs = runs_of(together, known)
        assert len({each["infrastructure_pid"] for each in runs}) == len(runs) >= 4
        assert _overlap(runs), [(each["name"], each["start_time"], each["end_time"]) for each in runs]
        assert content_of(together) == content_of(alone)


def _overlap(runs: list[dict[str, Any]]) -> bool:
    spans = sorted((each["start_time"], each["end_time"]) for each in runs)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))
