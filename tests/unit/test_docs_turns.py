"""One process of a home makes Data Docs, one more may wait, and both outlive whoever started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.quality.docs_turns import AT_WORK, WAITING, at_work, start_waiting, wait_for_turn

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 20.0

WAITER = """
import os, sys, time
from pathlib import Path
from tasks.quality.docs_turns import at_work, leave_waiting_place, wait_for_turn
folder = Path(os.environ["FOLDER"])
wait_for_turn(folder)
leave_waiting_place(int(sys.argv[1]))
with at_work(folder) as is_our_turn:
    print("at work", is_our_turn, os.getsid(0) == os.getpid(), flush=True)
    while not (folder / "go").exists():
        time.sleep(0.02)
(folder / "done").touch()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data-docs"


@pytest.fixture
def environment(tmp_path: Path, folder: Path) -> dict[str, str]:
    """Of a process that can import the waiter."""
    (tmp_path / "waiter.py").write_text(WAITER)
    return {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "FOLDER": str(folder)}


def awaited(path: Path, text: str = "") -> str:
    """What a file says, once it is there and says it."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} does not say {text!r} after {LIMIT_SECONDS:g} s")


def test_one_at_a_time_is_at_work(folder: Path) -> None:
    with at_work(folder) as first, at_work(folder) as second:
        assert (first, second) == (True, False)
    with at_work(folder) as again:
        assert again
    assert {path.name for path in folder.iterdir()} == {AT_WORK}
    wait_for_turn(folder)


def test_one_waits_and_works_when_its_turn_comes_and_then_the_next_may_wait(
    folder: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "data-docs.log"
    with at_work(folder) as is_our_turn:
        assert is_our_turn
        first = start_waiting(folder, "waiter", log, environment)
        assert isinstance(first, int)
        assert start_waiting(folder, "waiter", log, environment) is None
        assert log.read_text() == ""
    # A session of its own: what ends the parent's terminal does not end it.
    assert awaited(log, "at work") == "at work True True\n"
    second = start_waiting(folder, "waiter", log, environment)
    assert isinstance(second, int)
    assert start_waiting(folder, "waiter", log, environment) is None
    (folder / "go").touch()
    assert awaited(log, "True\nat work") == "at work True True\n" * 2
    for pid in (first, second):
        os.waitpid(pid, 0)


def test_it_goes_on_when_whoever_started_it_has_ended(
    folder: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "data-docs.log"
    starter = (
        "import os; from pathlib import Path; from tasks.quality.docs_turns import start_waiting;"
        f"start_waiting(Path(os.environ['FOLDER']), 'waiter', Path({str(log)!r}), os.environ)"
    )
    subprocess.run([sys.executable, "-c", starter], env=environment, check=True, timeout=LIMIT_SECONDS)
    awaited(log, "at work")
    assert not (folder / "done").exists()
    (folder / "go").touch()
    awaited(folder / "done")


def test_the_waiting_place_is_free_again_when_its_process_dies(
    folder: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "data-docs.log"
    for _ in range(2):
        died = start_waiting(folder, "no_such_module", log, environment)
        assert died is not None
        assert os.waitstatus_to_exitcode(os.waitpid(died, 0)[1]) == 1
    assert log.read_text().count("No module named no_such_module") == 2
    assert (folder / WAITING).exists()


def test_a_large_log_is_put_aside(folder: Path, environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "data-docs.log"
    log.write_bytes(b"x" * 1_000_001)
    died = start_waiting(folder, "no_such_module", log, environment)
    assert died is not None
    os.waitpid(died, 0)
    assert (tmp_path / "data-docs.log.1").stat().st_size == 1_000_001
    assert log.stat().st_size < 1_000
