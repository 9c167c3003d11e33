"""Commands that only read, and the help, never import what takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("cli-startup")
"""What the module prepares is prepared by one worker, not by each."""
RUN = """
import atexit, json, sys
HEAVY = ("prefect", "great_expectations", "pandas", "sqlalchemy", "lxml", "pymarc", "jinja2", "boto3")
atexit.register(lambda: print("LOADED", json.dumps([name for name in HEAVY if name in sys.modules]), file=sys.stderr))
sys.argv = ["samkat", *json.loads(sys.argv[1])]
from deployments.cli import main
main()
"""
READING = [
    ["status"],
    ["status", "--json"],
    ["why", "isbn", "978-91-0-012345-1", "--library", "LUNV"],
    ["why", "bib", "1"],
    ["why", "holding", "1"],
    ["review", "list"],
    ["review", "show", "1"],
    ["review", "worklist"],
    ["libraries", "list"],
    ["plans", "list"],
    ["plans", "show", "0123abcd"],
    ["init"],
    ["server", "status"],
    ["server", "stop"],
    ["deployments", "list"],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    assert run_samkat(home, "init").returncode == 0
    return home


def run_samkat(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SAMKAT_"))}
    return subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(arguments)],
        env={**kept, "SAMKAT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def loaded(done: subprocess.CompletedProcess[str]) -> list[str]:
    line = next(line for line in done.stderr.splitlines() if line.startswith("LOADED "))
    return list(json.loads(line.removeprefix("LOADED ")))


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_command_that_reads_imports_neither_prefect_nor_great_expectations(home: Path, arguments: list[str]) -> None:
    done = run_samkat(home, *arguments)
    assert done.returncode in (0, 2), done.stderr
    assert not {"prefect", "great_expectations", "pandas", "boto3"} & set(loaded(done))


@pytest.mark.parametrize("arguments", [["--help"], ["ingest", "--help"], ["why", "isbn", "--help"]], ids=" ".join)
def test_the_help_imports_nothing_heavy_at_all(home: Path, arguments: list[str]) -> None:
    done = run_samkat(home, *arguments)
    assert (done.returncode, loaded(done)) == (0, [])


def test_wrong_use_of_a_command_that_runs_a_flow_is_told_before_prefect_is_imported(home: Path) -> None:
    done = run_samkat(home, "ingest", "missing.mrc", "--supplier", "NORDBOK")
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
    assert "prefect" not in loaded(done)


def test_a_terminal_that_knows_few_letters_still_gets_its_answer(home: Path) -> None:
    environment = {**os.environ, "SAMKAT_HOME": str(home), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "deployments.cli", "ingest", "Åäö.mrc", "--supplier", "NORDBOK"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "where: ???.mrc" in done.stderr


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(home: Path) -> None:
    command = f"{sys.executable} -m deployments.cli --help | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
