"""Patron sync, in one run beside its yardsticks: lxml's iterparse over the same file, and an ORM, person by person.

`python -m tests.bench.bench_patrons [--persons N] [--engines sqlite,postgresql] [--orm-persons N] [--nights 2]`

Three nights of BUPS 2, 20 attributes a person: the first load, one person in a hundred changed, everybody changed
(the longest by far: `--nights 2` leaves it out). Beside seconds of the clock stands processor time, with that of
PostgreSQL's server: on a busy machine that can be compared.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lxml import etree
from rich.console import Console
from rich.table import Table

from config.settings import SAMPLE_REGISTER
from deployments.sample.patrons import write_bups2
from tests.bench.bench_ingest import warehouse_url
from tests.bench.orm_patrons import orm_rates

SEED = 11
PROMISED_OF_ITERPARSE, PROMISED_MIB = 2.0, 400
PROMISED_ORM = {"sqlite": 10, "postgresql": 30}
FREE = "at_least = 1000000000"
"""Guards that let everything through: the bench measures the work, not the wait for a person."""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns 1 where a promise of the design is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=500_000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    parser.add_argument("--orm-persons", type=int, default=3_000)
    parser.add_argument("--nights", type=int, default=3)
    options = parser.parse_args(arguments)
    console, kept = Console(), True
    with tempfile.TemporaryDirectory(prefix="samkat-bench-") as name:
        folder = Path(name)
        register = _register(folder)
        files = {
            "first load": ("2025-03-03", 0.0),
            "1% changed": ("2025-03-04", 0.01),
            "everybody changed": ("2025-03-05", 1.0),
        }
        files = dict(list(files.items())[: options.nights])
        paths = {}
        for what, (day, share) in files.items():
            paths[what] = folder / f"VESTSTUD_{day.replace('-', '')}.xml"
            written = write_bups2(paths[what], options.persons, SEED, share)
            console.print(
                f"{what}: {written.persons:,} persons, {written.changed:,} changed, {written.size / 1e6:.0f} MB"
            )
        parsing, parsing_cpu = iterparse_seconds(paths["1% changed"])
        table = Table(
            "what", "persons/s", "seconds", "of iterparse", "CPU, of iterparse's", "peak MiB", title="Patron sync"
        )
        table.add_row("lxml iterparse alone", f"{options.persons / parsing:,.0f}", f"{parsing:.1f}", "1.0", "1.0", "")
        for engine in options.engines.split(","):
            with warehouse_url(engine, folder) as url:
                orm_url = url or f"sqlite:///{folder / 'orm.db'}"
                texts, values = orm_rates(orm_url, paths["1% changed"], options.orm_persons)
                console.print(
                    f"{engine}: ORM loop, a commit a changed person: {values:,.0f} persons/s with a row a value,"
                    f" {texts:,.0f} with a row a person"
                )
                for what, (day, _) in files.items():
                    home = folder / f"home-{engine}"
                    result = run(home, url, register, paths[what], day)
                    took, cpu = result["seconds"], result["cpu_seconds"] + result["server_seconds"]
                    table.add_row(
                        f"samkat on {engine}, {what}", f"{options.persons / took:,.0f}", f"{took:.1f}",
                        f"{took / parsing:.2f}", f"{cpu / parsing_cpu:.2f}",
                        f"{result['peak_mib']:.0f}",
                    )  # fmt: skip
                    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result["stages"].items())
                    console.print(f"  {what}: {stages}; CPU {cpu:.1f}; {result['rows']}")
                    if what == "1% changed":
                        rate = options.persons / took
                        kept = _promise(console, engine, took, parsing, (rate / values, rate / texts), result) and kept
                shutil.rmtree(folder / f"home-{engine}", ignore_errors=True)
        console.print(table)
    return 0 if kept else 1


def _promise(
    console: Console, engine: str, took: float, parsing: float, of_orm: tuple[float, float], result: dict[str, Any]
) -> bool:
    """The ORM's promise is held against the loop that keeps values as rows; the lighter one is told beside it."""
    of_values, of_texts = of_orm
    good = (
        took <= PROMISED_OF_ITERPARSE * parsing
        and result["peak_mib"] < PROMISED_MIB
        and of_values >= PROMISED_ORM[engine]
    )
    console.print(
        f"{engine}, 1% changed: {took / parsing:.2f} x iterparse (promised at most {PROMISED_OF_ITERPARSE}),"
        f" {of_values:.0f} x the ORM loop with a row a value (promised {PROMISED_ORM[engine]}), {of_texts:.0f} x that"
        f" with a row a person, {result['peak_mib']:.0f} MiB (promised under {PROMISED_MIB}):"
        f" {'kept' if good else '[bold]NOT KEPT[/bold]'}"
    )
    return good


def _register(folder: Path) -> Path:
    """The sample's register with guards that hold nothing and a file that may differ as it likes."""
    made = folder / "register"
    shutil.copytree(SAMPLE_REGISTER, made)
    policy = made / "patron_policy.toml"
    policy.write_text(policy.read_text("utf-8").replace("at_least = 10\n", f"{FREE}\n"), "utf-8")
    sources = made / "patron_sources.toml"
    text = sources.read_text("utf-8").replace('manifest = ".manifest.json"\n', "change_window = 1.0\n")
    sources.write_text(text, "utf-8")
    return made


def run(home: Path, url: str | None, register: Path, file: Path, today: str) -> dict[str, Any]:
    """One night, in a process of its own."""
    job = {"home": str(home), "warehouse": url, "register": str(register), "file": str(file), "today": today}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.patron_sync_run", json.dumps(job)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def iterparse_seconds(path: Path) -> tuple[float, float]:
    """lxml over the whole file, each user built and thrown away, and nothing else: by the clock, and of processor."""
    began, cpu = time.perf_counter(), time.process_time()
    for _, element in etree.iterparse(str(path), tag="user"):
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(main())
