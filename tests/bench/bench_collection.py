"""The stock of a joining library matched, beside the ingest of the very same file, in one run.

collection-match writes no bib, but a row of its own for each, and the result files: it is to be no slower than ingest.

`python -m tests.bench.bench_collection [--bibs N] [--catalogue N] [--overlap S] [--engines sqlite,postgresql]
[--table] [--approve]`: `--table` matches the same stock as CSV as well; `--approve` attaches what was found.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pymarc
from rich.console import Console
from rich.table import Table

from deployments.sample.bench import write_bench_catalogue, write_bench_delivery
from tests.bench import bench_ingest
from tests.bench.bench_ingest import NAME, SEED, warehouse_url

PROMISED_RATIO, PROMISED_MIB = 1.0, 500


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns 1 where matching a stock is slower than its ingest, or the memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bibs", type=int, default=100_000)
    parser.add_argument("--catalogue", type=int, default=200_000)
    parser.add_argument("--overlap", type=float, default=0.3)
    parser.add_argument("--engines", default="sqlite,postgresql")
    parser.add_argument("--rounds", type=int, default=1, help="the best of them counts: a busy machine only takes away")
    parser.add_argument("--table", action="store_true", help="the same stock as CSV as well")
    parser.add_argument("--approve", action="store_true", help="carry the plan out, and measure it")
    options = parser.parse_args(arguments)
    console, kept = Console(width=120), True
    table = Table(
        "what",
        "records/s",
        "of ingest",
        "records/s of CPU",
        "of ingest",
        "seconds",
        "peak MiB",
        title="Collection-match",
    )
    with tempfile.TemporaryDirectory(prefix="samkat-bench-") as name:
        folder = Path(name)
        catalogue, stock = folder / "catalogue.mrc", folder / NAME
        write_bench_catalogue(catalogue, options.catalogue, SEED)
        written = write_bench_delivery(stock, options.bibs, SEED, options.catalogue, options.overlap)
        records = written.bibs + written.holdings
        console.print(
            f"{written.bibs:,} bibs and {written.holdings:,} holdings, {written.overlapping:,} of the bibs known"
        )
        for engine in options.engines.split(","):
            ingest = min(
                (_ingest(folder, engine, number, stock, catalogue) for number in range(options.rounds)),
                key=lambda each: float(each["seconds"]),
            )
            _row(table, f"ingest on {engine}", records, ingest, ingest, records)
            files = [stock, *([_as_table(stock)] if options.table else [])]
            for file in files:
                found = min(
                    (
                        _match(folder, engine, number, file, catalogue, options.approve)
                        for number in range(options.rounds)
                    ),
                    key=lambda each: float(each["seconds"]),
                )
                number = records if file is stock else found["rows"]
                _row(table, f"collection-match on {engine}, {file.suffix}", number, found, ingest, records)
                shown = ", ".join(
                    f"{stage} {seconds:.1f} ({found['stages_cpu'][stage]:.1f})"
                    for stage, seconds in found["stages"].items()
                )
                console.print(f"{engine}, {file.suffix}, seconds (of CPU): {shown}; {found['delivery']}")
                ratio = number / found["seconds"] / (records / ingest["seconds"])
                good = ratio >= PROMISED_RATIO or file is not stock
                kept = kept and good and _peak(found) < PROMISED_MIB
    console.print(table)
    print(f"At the rate of ingest, under {PROMISED_MIB} MiB: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


def _ingest(folder: Path, engine: str, number: int, stock: Path, catalogue: Path) -> dict[str, Any]:
    with warehouse_url(engine, folder) as url:
        return bench_ingest.run(folder / f"ingest-{engine}-{number}", url, stock, catalogue)


def _match(folder: Path, engine: str, number: int, stock: Path, catalogue: Path, approve: bool) -> dict[str, Any]:
    with warehouse_url(engine, folder) as url:
        home = folder / f"match-{engine}-{stock.suffix}-{number}"
        job = {"home": str(home), "warehouse": url or "", "catalogue": str(catalogue), "stock": str(stock)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.collection_run", json.dumps({**job, "approve": approve})],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _row(table: Table, what: str, records: int, result: dict[str, Any], ingest: dict[str, Any], ingested: int) -> None:
    cells = []
    for of in ("seconds", "cpu_seconds"):
        rate = records / result[of]
        cells += [f"{rate:,.0f}", f"{rate / (ingested / ingest[of]):.2f}"]
    table.add_row(what, *cells, f"{result['seconds']:.1f}", f"{_peak(result):.0f}")


def _peak(result: dict[str, Any]) -> float:
    """Peak of the process and of its parsing process together."""
    return float(result["peak_mib"] + result["peak_child_mib"])


def _as_table(stock: Path) -> Path:
    """The bibs of a file as a library's spreadsheet."""
    path = stock.with_suffix(".csv")
    with stock.open("rb") as file, path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=";")
        writer.writerow(("ISBN", "Titel", "Författare", "År", "Hylla", "Id"))
        for record in pymarc.MARCReader(file, to_unicode=True):
            if record is None or record.leader[6] in "uvxy":
                continue
            isbn = next((each.get("a") or "" for each in record.get_fields("020")), "")
            title = " ".join(each for code, each in record["245"] if code in "ab").strip(" /:")
            author = next((each.get("a") or "" for each in record.get_fields("100")), "")
            writer.writerow((isbn, title, author, record["008"].data[7:11], "Hc", record["001"].data))
    return path


if __name__ == "__main__":
    sys.exit(main())
