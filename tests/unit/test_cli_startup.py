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
import json, sys
HEAVY = ("prefect", "great_expectations", "pandas", "sqlalchemy", "lxml", "pymarc", "jinja2", "boto3")
from deployments.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["samkat", *arguments]
    try:
        main()
    except SystemExit as end:
        print("ENDED", json.dumps([end.code, [name for name in HEAVY if name in sys.modules]]), file=sys.stderr)
"""
"""Runs command lines one after the other, and says after each how it ended and what the process has loaded so far."""
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


HELPING = [["--help"], ["ingest", "--help"], ["why", "isbn", "--help"]]

Ended = tuple[int, list[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    ((code, _),), said = run_samkat(home, ["init"])
    assert code == 0, said
    return home


@pytest.fixture(scope="module")
def read(home: Path) -> dict[str, Ended]:
    """The commands that only read, in one process: of all of them the first that loads something has loaded it."""
    return dict(zip(map(" ".join, READING), run_samkat(home, *READING)[0], strict=True))


@pytest.fixture(scope="module")
def helped(home: Path) -> dict[str, Ended]:
    return dict(zip(map(" ".join, HELPING), run_samkat(home, *HELPING)[0], strict=True))


def run_samkat(home: Path, *commands: list[str]) -> tuple[list[Ended], str]:
    """Exit code of each command and the heavy modules that are loaded behind it; what was written to stderr."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SAMKAT_"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands)],
        env={**kept, "SAMKAT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    ended = [line.removeprefix("ENDED ") for line in done.stderr.splitlines() if line.startswith("ENDED ")]
    assert len(ended) == len(commands), done.stderr
    return [(code, loaded) for code, loaded in map(json.loads, ended)], done.stderr


@pytest.mark.parametrize("command", [" ".join(each) for each in READING])
def test_a_command_that_reads_imports_neither_prefect_nor_great_expectations(
    read: dict[str, Ended], command: str
) -> None:
    code, loaded = read[command]
    assert code in (0, 2)
    assert not {"prefect", "great_expectations", "pandas", "boto3"} & set(loaded)


@pytest.mark.parametrize("command", [" ".join(each) for each in HELPING])
def test_the_help_imports_nothing_heavy_at_all(helped: dict[str, Ended], command: str) -> None:
    assert helped[command] == (0, [])


def test_wrong_use_of_a_command_that_runs_a_flow_is_told_before_prefect_is_imported(home: Path) -> None:
    ((code, loaded),), said = run_samkat(home, ["ingest", "missing.mrc", "--supplier", "NORDBOK"])
    assert code == 2
    assert "there is no such file" in said
    assert "prefect" not in loaded


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
