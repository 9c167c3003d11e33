"""How long commands take to start, and the server that the first of them starts.

A promise in seconds is about a machine that has nothing else to do. So the time is the best of several, and where the
processors are shared with other work it is divided by how much longer `import prefect` takes by the clock than by the
processor: on a quiet machine that is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deployments.sample.bench import write_bench_delivery
from deployments.sample.night import write_night
from tests.integration.commands import Done, environment_of, run, samkat

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CATALOGUE = Path(__file__).parents[1] / "data" / "catalogue" / "samkatalogen-01.mrc"
MANY = 5
HELP_SECONDS = 0.5
READING_SECONDS = 2.0
INGEST_SECONDS_MORE = 3.0
END_OF_RECORD = b"\x1d"
IMPORT_PREFECT = [sys.executable, "-c", "import prefect"]
READING = ["status", "why isbn 9789100000019", "why bib 1", "review list", "plans list"]


@dataclass(frozen=True)
class Place:
    """A home with a night in it, and a server that runs."""

    folder: Path
    environment: dict[str, str]

    def samkat(self, *arguments: str) -> Done:
        return samkat(self.environment, *arguments)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A home with a catalogue, reviews that wait and a delivery that is held; its server is up."""
    folder = tmp_path_factory.mktemp("startup")
    made = Place(folder, environment_of(folder / "home"))
    night = {path.name.rsplit("_", 1)[-1]: path for _, path, _ in write_night(folder / "night", seed=1)}
    try:
        assert made.samkat("init").code == 0
        assert made.samkat("catalogue", "load", str(CATALOGUE)).code == 0
        assert made.samkat("ingest", str(night["samma-isbn.mrc"]), "--supplier", "NORDBOK").code == 3
        assert made.samkat("ingest", str(night["utan-isbn.mrc"]), "--supplier", "FORHAND").code == 3
        yield made
    finally:
        made.samkat("server", "stop")


@pytest.fixture(scope="module")
def prefect_import(place: Place) -> Done:
    """The fastest of several imports of Prefect."""
    return best(lambda: run(IMPORT_PREFECT, place.environment))


def best(command: Callable[[], Done]) -> Done:
    """The fastest of several runs; each has to end well."""
    runs = [command() for _ in range(MANY)]
    assert {each.code for each in runs} == {0}, runs[0].err
    return min(runs, key=lambda each: each.wall_seconds)


def share(prefect_import: Done) -> float:
    """How much longer the clock runs than the processor works, because others work as well; 1 on a quiet machine."""
    return max(1.0, prefect_import.wall_seconds / prefect_import.cpu_seconds)


def files_of_one_record(folder: Path, number: int) -> list[Path]:
    """Deliveries of NORDBOK, each with one bib that is in no other."""
    together = folder / "together.mrc"
    write_bench_delivery(together, number, seed=100, overlap_bibs=0, overlap_share=0, holdings_per_bib=0)
    records = together.read_bytes().split(END_OF_RECORD)[:-1]
    assert len(records) == number
    files = [folder / f"NORDBOK_202503141900{place:02}_en.mrc" for place in range(number)]
    for file, record in zip(files, records, strict=True):
        file.write_bytes(record + END_OF_RECORD)
    return files


def is_at_work(pid: int) -> bool:
    """Whether the process is there, and not only its exit code that nobody has asked for yet."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def in_words(done: Done) -> str:
    return f"{done.wall_seconds:.2f} s ({done.cpu_seconds:.2f} s of processor)"


def test_the_help_is_there_within_half_a_second(place: Place, prefect_import: Done, figures: list[str]) -> None:
    fastest = best(lambda: place.samkat("--help"))
    figures.append(f"samkat --help: {in_words(fastest)}, promised {HELP_SECONDS} s")
    assert "Exit codes: 0 done" in fastest.out
    assert fastest.wall_seconds / share(prefect_import) <= HELP_SECONDS


@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_takes_at_most_two_seconds(
    place: Place, prefect_import: Done, figures: list[str], command: str
) -> None:
    fastest = best(lambda: place.samkat(*command.split()))
    figures.append(f"samkat {command}: {in_words(fastest)}, promised {READING_SECONDS} s")
    assert fastest.wall_seconds / share(prefect_import) <= READING_SECONDS


@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_imports_neither_prefect_nor_great_expectations(place: Place, command: str) -> None:
    told = samkat({**place.environment, "PYTHONPROFILEIMPORTTIME": "1"}, *command.split()).err
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in told.splitlines() if "import time:" in line}
    assert {"sqlalchemy", "deployments"} <= imported
    assert not imported & {"prefect", "great_expectations", "pandas"}


def test_ingesting_one_record_takes_at_most_three_seconds_more_than_importing_prefect(
    place: Place, prefect_import: Done, figures: list[str]
) -> None:
    waiting = iter(files_of_one_record(place.folder, MANY))
    fastest = best(lambda: place.samkat("ingest", str(next(waiting)), "--supplier", "NORDBOK", "--json"))
    more = fastest.wall_seconds - prefect_import.wall_seconds
    figures.append(
        f"samkat ingest of one record: {in_words(fastest)}; import prefect: {in_words(prefect_import)};"
        f" {more:.2f} s more, promised {INGEST_SECONDS_MORE} s; clock / processor {share(prefect_import):.2f}"
    )
    (delivery,) = fastest.document()["deliveries"]
    assert (delivery["state"], delivery["counts"]["bibs_created"]) == ("settled", 1)
    assert more / share(prefect_import) <= INGEST_SECONDS_MORE


def test_the_first_command_starts_a_server_and_says_so_the_next_uses_it_and_stop_ends_it(tmp_path: Path) -> None:
    environment = environment_of(tmp_path / "home", SAMKAT_DATA_DOCS="off")
    files = files_of_one_record(tmp_path, 2)
    assert samkat(environment, "init").code == 0
    assert samkat(environment, "server", "status", "--json").document()["state"] == "stopped"
    try:
        first = samkat(environment, "ingest", str(files[0]), "--supplier", "NORDBOK")
        assert first.code == 0
        assert f"Starting a Prefect server for {tmp_path / 'home'} in the background" in first.err
        running = samkat(environment, "server", "status", "--json").document()
        assert running["state"] == "running"
        assert f"The server is up: {running['address']['ui_url']} (`samkat server stop` ends it)." in first.err

        second = samkat(environment, "ingest", str(files[1]), "--supplier", "NORDBOK")
        assert (second.code, "server" in second.err) == (0, False)
        assert samkat(environment, "server", "status", "--json").document()["pid"] == running["pid"]
        assert f"{running['address']['ui_url']}/runs/flow-run/" in second.out
    finally:
        stopped = samkat(environment, "server", "stop", "--json")
    assert stopped.document() == {"stopped": True}
    assert samkat(environment, "server", "status", "--json").document()["state"] == "stopped"
    assert not is_at_work(running["pid"])
