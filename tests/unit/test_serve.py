"""What `samkat serve` keeps running, tried with small programs: started again when it dies, ended when told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from config.settings import Settings
from deployments.cli.app import run
from deployments.serve import Child, alone, children, run_until
from schemas.errors import UsageError

SLEEP = "import time; time.sleep(600)"
ORPHAN = "import time; time.sleep(601)"
WITH_ORPHAN = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"


def child(folder: Path, program: str, *arguments: str) -> Child:
    return Child("program", [sys.executable, "-c", program, *arguments], dict(os.environ), folder / "log")


def ended_after(seconds: float) -> threading.Event:
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    return stop


def test_a_program_is_ended_with_its_own_children_when_told(tmp_path: Path) -> None:
    parent = child(tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])")
    run_until(ended_after(1.5), [parent], lambda _line: None)
    assert parent.process is not None
    assert parent.process.returncode == -15
    assert [each for each in psutil.Process().children(recursive=True) if SLEEP in each.cmdline()] == []


def test_what_outlives_the_one_that_started_it_is_ended_too(tmp_path: Path) -> None:
    script = (
        "import sys, threading; from pathlib import Path; from deployments.serve import Child, run_until; import os\n"
        f"child = Child('p', [sys.executable, '-c', {WITH_ORPHAN!r}, {ORPHAN!r}], dict(os.environ), Path('log'))\n"
        "stop = threading.Event(); threading.Timer(2, stop.set).start()\n"
        "run_until(stop, [child], lambda _line: None)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [each for each in psutil.process_iter(["cmdline"]) if ORPHAN in (each.info["cmdline"] or [])] == []


def test_a_program_that_dies_is_told_of_and_started_again_later_each_time(tmp_path: Path) -> None:
    told: list[str] = []
    dying = child(tmp_path, "raise SystemExit(7)")
    dying.look(told.append)
    assert dying.process is not None
    dying.process.wait()
    dying.look(told.append)
    assert told == [f"The program ended with 7; again in 2 s. Log: {tmp_path / 'log'}"]
    assert dying.process is None
    dying.look(told.append)
    assert dying.process is None
    dying._again_at = time.monotonic()
    dying.look(told.append)
    assert dying.process is not None
    dying.process.wait()
    dying.look(told.append)
    assert "again in 4 s" in told[-1]


def test_a_second_one_for_the_same_home_is_refused_and_the_next_one_is_not(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with alone(settings):
        already = f"runs for this home already \\(process {os.getpid()}\\)"
        with pytest.raises(UsageError, match=already), alone(settings):
            pass
        with alone(Settings(home=tmp_path / "other")):
            pass
    with alone(settings):
        pass


def test_without_watching_there_is_the_worker_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    both = children(settings, {"PREFECT_API_URL": "http://127.0.0.1:4207/api"}, watches=True, limit=3)
    assert [each.name for each in both] == ["worker", "watcher"]
    assert both[0].command[-2:] == ["--limit", "3"]
    assert {each.environment["PREFECT_API_URL"] for each in both} == {"http://127.0.0.1:4207/api"}
    assert [each.name for each in children(settings, {}, watches=False, limit=3)] == ["worker"]


def test_a_server_elsewhere_is_not_served_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMKAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4200/api")
    assert run(["serve"]) == 2
    assert "PREFECT_API_URL names a server elsewhere" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
