"""`samkat serve` as a person starts it: a UI with a login, a dropped file to a finished run, no process left behind."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployments.login import known_login
from deployments.registry import DEPLOYED
from tests.integration.commands import SAMKAT, environment_of, samkat
from tests.integration.servers import ask, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SAMPLE = Path(__file__).parents[1] / "data" / "incoming" / "NORDBOK" / "NORDBOK_20250314180456_dagfil.mrc"
START_SECONDS = 180
SEEN_SECONDS, FINISHED_SECONDS = 5.0, 20.0


@dataclass
class Served:
    """A `samkat serve` that runs."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    home: Path
    said: dict[str, Any]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return ask(self.said["api"], path, body, known_login(self.home / "prefect"))

    def runs(self, flow: str) -> list[dict[str, Any]]:
        return list(self.ask("/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}}))


def processes_of(home: Path) -> list[psutil.Process]:
    """Processes that work for this home, whoever started them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            if process.environ().get("SAMKAT_HOME") == str(home) or process.cwd().startswith(str(home)):
                found.append(process)
    return found


def at_work(process: psutil.Process) -> bool:
    """Whether it is there, and not only its exit code that nobody has asked for yet."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """It has said where its UI is. Its Data Docs are made behind a run's back, as by default."""
    home = tmp_path / "home"
    environment = environment_of(home)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen([SAMKAT, "serve", "--json"], env=environment, cwd=tmp_path, stdout=out, stderr=err)
    try:
        wait_until(lambda: (tmp_path / "out").read_text() or process.poll() is not None, START_SECONDS, "it serves")
        assert process.poll() is None, (tmp_path / "err").read_text()
        time.sleep(0.2)
        yield Served(process, environment, home, json.loads((tmp_path / "out").read_text()))
    finally:
        for each in processes_of(home):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def test_a_dropped_file_is_loaded_behind_a_login_and_the_end_leaves_no_process(
    served: Served, figures: list[str]
) -> None:
    assert served.said["has_login"] is True
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served.said['api']}/admin/version", timeout=10)
    assert refused.value.code == 401
    deployments = served.ask("/deployments/filter", {})
    assert sorted(each["name"] for each in deployments) == sorted(each.name for each in DEPLOYED)

    second = samkat(served.environment, "serve")
    assert second.code == 2
    assert f"runs for this home already (process {served.process.pid})" in second.err

    workers = "/work_pools/samkat/workers/filter"
    wait_until(lambda: served.ask(workers, {}), 60, "the worker is there")
    unfinished = served.home / "landing" / "incoming" / "NORDBOK" / f"{SAMPLE.name}.part"
    shutil.copyfile(SAMPLE, unfinished)
    unfinished.rename(unfinished.with_name(SAMPLE.name))
    dropped = time.monotonic()
    wait_until(lambda: served.runs("supplier-ingest"), 60, "a run appears")
    seen = time.monotonic() - dropped
    wait_until(lambda: served.runs("supplier-ingest")[0]["state"]["type"] == "COMPLETED", 120, "the run has ended well")
    finished = time.monotonic() - dropped
    figures.append(
        f"a dropped file: its run is in the UI after {seen:.1f} s (promised {SEEN_SECONDS:.0f}), "
        f"finished after {finished:.1f} s (promised {FINISHED_SECONDS:.0f}); load {psutil.getloadavg()[0]:.1f}"
    )
    with sqlite3.connect(served.home / "warehouse.db") as warehouse:
        assert warehouse.execute("SELECT state, bibs_created FROM out_delivery").fetchall() == [("settled", 7)]

    before = processes_of(served.home)
    assert len(before) >= 4
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    assert [each.cmdline() for each in processes_of(served.home)] == []
    again = samkat(served.environment, "server", "status", "--json").document()
    assert again["state"] == "stopped"


def test_a_worker_that_dies_is_started_again_and_a_killed_serve_takes_worker_and_watcher_along(served: Served) -> None:
    def children(word: str) -> list[psutil.Process]:
        found = []
        for each in psutil.Process(served.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # which a zombie is, too
                found += [each] if word in " ".join(each.cmdline()) else []
        return found

    (worker,) = wait_until(lambda: children("worker"), 30, "there is a worker")
    worker.kill()
    (other,) = wait_until(
        lambda: [each for each in children("worker") if each.pid != worker.pid], 30, "there is another"
    )
    watchers = children("deployments.watcher")
    assert len(watchers) == 1
    served.process.kill()
    served.process.wait()
    wait_until(lambda: not (at_work(other) or at_work(watchers[0])), 40, "worker and watcher end with it")
    # The server outlives it, and the next `serve` would use it.
    assert samkat(served.environment, "server", "status", "--json").document()["state"] == "running"
    assert samkat(served.environment, "server", "stop", "--json").document() == {"stopped": True}
