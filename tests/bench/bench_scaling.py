"""What a bib costs in the warehouse: the first load of a union catalogue at two sizes, then a delivery into each.

`python -m tests.bench.bench_scaling [--bibs N] [--engines sqlite,postgresql]` loads N and 2N bibs with 1.5 holdings
each, then a delivery of N/10 bibs of which 30% are known. docs/scaling.md reckons with the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deployments.sample.bench import write_bench_catalogue, write_bench_delivery
from tests.bench.bench_ingest import NAME, SEED, warehouse_url
from tests.bench.ingest_run import cpu_seconds, peak_mib


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bibs", type=int, default=20_000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    options = parser.parse_args(arguments)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="samkat-scaling-") as folder:
        for engine in options.engines.split(","):
            _compare(console, Path(folder), engine, options.bibs)
    return 0


def _compare(console: Console, folder: Path, engine: str, bibs: int) -> None:
    found = {number: _measured(folder, engine, number) for number in (bibs, 2 * bibs)}
    first, second = found.values()
    title = f"{engine}: a first load of {bibs:,} and of {2 * bibs:,} bibs, and a delivery of a tenth of it into each"
    table = Table("what", *(f"{number:,}" for number in found), title=title)
    table.add_row(
        "the export, bytes a bib with its holdings", *(f"{each['export'] / n:,.0f}" for n, each in found.items())
    )
    table.add_row(
        "warehouse after it, bytes a bib", *(f"{sum(each['sizes'].values()) / n:,.0f}" for n, each in found.items())
    )
    grown = (sum(second["sizes"].values()) - sum(first["sizes"].values())) / bibs
    table.add_row("  each further bib", "", f"{grown:,.0f}")
    for part in ("first load", "delivery"):
        for stage in first[part]:
            rates = (each["records"][part] / max(each[part][stage], 0.001) for each in found.values())
            table.add_row(f"{part}, {stage}: records a CPU second", *(f"{rate:,.0f}" for rate in rates))
    table.add_row("peak memory of the process, MiB", *(f"{each['peak']:,.0f}" for each in found.values()))
    console.print(table)
    sizes = Table(
        "table or index", "bytes a bib", "rows a bib", title=f"{engine}: where the bytes are, {2 * bibs:,} bibs"
    )
    for name, size in sorted(second["sizes"].items(), key=lambda each: -each[1]):
        if size / (2 * bibs) >= 10:
            rows = second["rows"].get(name)
            sizes.add_row(name, f"{size / (2 * bibs):,.0f}", f"{rows / (2 * bibs):.2f}" if rows is not None else "")
    console.print(sizes)


def _measured(folder: Path, engine: str, bibs: int) -> dict[str, Any]:
    export, delivery = folder / f"export-{bibs}.mrc", folder / str(bibs) / NAME
    delivery.parent.mkdir(exist_ok=True)
    written = write_bench_catalogue(export, bibs, SEED)
    delivered = write_bench_delivery(delivery, bibs // 10, SEED, bibs, 0.3)
    with warehouse_url(engine, folder) as url:
        job = {
            "home": str(folder / f"{engine}-{bibs}"),
            "warehouse": url,
            "export": str(export),
            "delivery": str(delivery),
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.bench_scaling", json.dumps(job)], stdout=subprocess.PIPE, check=True
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    records = {"first load": written.bibs + written.holdings, "delivery": delivered.bibs + delivered.holdings}
    return found | {"export": export.stat().st_size, "records": records}


def _run(job: dict[str, str]) -> None:
    """In a process of its own: load the export, look at the sizes, load the delivery."""
    os.environ["SAMKAT_HOME"] = job["home"]
    os.environ["SAMKAT_TODAY"] = "2025-03-14"
    if job["warehouse"]:
        os.environ["SAMKAT_WAREHOUSE_URL"] = job["warehouse"]
    from tasks.catalogue import stages
    from tasks.landing.stages import receive, receive_export
    from tasks.matching.stages import match_on_isbn
    from tasks.quality.stages import check_deliveries, prove_conservation
    from tasks.warehouse.migrate import migrate
    from tasks.workplace import workplace

    place = workplace()
    migrate(place.warehouse)
    place.zone.prepare([])
    export, delivery = Path(job["export"]), Path(job["delivery"])
    first, received = _timed("receive", lambda: receive_export.fn([place.zone.adopt(export, "catalogue")], "full"))
    for stage in (
        stages.stage_records, stages.load_union_bibs, stages.load_union_holdings, prove_conservation, stages.settle,
    ):  # fmt: skip
        first |= _timed(stage.name, lambda stage=stage: stage.fn(received))[0]
    sizes, rows = _sizes(place)
    later, received = _timed("receive", lambda: receive.fn("NORDBOK", [place.zone.adopt(delivery, "NORDBOK")]))
    for stage in (
        stages.stage_records, check_deliveries, match_on_isbn, stages.load_bibs, stages.load_holdings,
        prove_conservation, stages.settle,
    ):  # fmt: skip
        later |= _timed(stage.name, lambda stage=stage: stage.fn(received))[0]
    for part in (first, later):
        part["all stages"] = sum(part.values())
    print(
        json.dumps(
            {"first load": first, "delivery": later, "sizes": sizes, "rows": rows, "peak": peak_mib(os.getpid())}
        )
    )


def _timed(name: str, work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """CPU seconds of this process and of its second one; the database server's are not in it."""
    start = cpu_seconds()
    result = work()
    return {name: cpu_seconds() - start}, result


def _sizes(place: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes of every table and index as they lie on the disk once tidied up, and rows of every table."""
    from tasks.warehouse.all_tables import metadata

    query = (
        "SELECT c.relname, pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0"
        " ELSE pg_total_relation_size(c.reltoastrelid) END"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i')"
        if place.warehouse.is_postgresql
        else "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
    )
    driver = place.warehouse.engine.raw_connection()
    if place.warehouse.is_postgresql:
        driver.driver_connection.autocommit = True
    driver.driver_connection.execute("VACUUM FULL" if place.warehouse.is_postgresql else "VACUUM")
    driver.detach()
    driver.close()
    with place.warehouse.read() as connection:
        sizes = {name: int(size) for name, size in connection.exec_driver_sql(query)}
        rows = {
            name: int(connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one())
            for name in metadata.tables
        }
    return sizes, rows


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("{"):
        _run(json.loads(sys.argv[1]))
    else:
        sys.exit(main())
