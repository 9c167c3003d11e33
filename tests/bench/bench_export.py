"""Export of the whole catalogue to a local system, beside pymarc that only writes the same records, in the same run.

Samkat's figure is everything: choosing, reading from the warehouse, composing, the file in its place, read back and
noted. pymarc's is `MARCWriter` (`XMLWriter`) over records that it holds in memory already.

`python -m tests.bench.bench_export [--bibs N] [--engines sqlite,postgresql] [--forms iso2709,marcxml,...] [--rounds N]`
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import pymarc
from rich.console import Console
from rich.table import Table

from deployments.sample.bench import write_bench_catalogue
from tests.bench.bench_ingest import warehouse_url

SEED = 7
PROMISED_RATIO, PROMISED_MIB = 1.0, 300
KEPT_IN_MEMORY = 100_000
"""Records that pymarc writes: it has to hold them, and its rate does not hang on their number."""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns 1 where ISO2709 is slower than pymarc's writing, or the memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bibs", type=int, default=200_000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    parser.add_argument("--forms", default="iso2709,marcxml")
    parser.add_argument("--rounds", type=int, default=3, help="the best of them counts: a busy machine only takes away")
    options = parser.parse_args(arguments)
    columns = ("what", "records/s", "of pymarc's writing", "records/s of CPU", "of pymarc's writing", "seconds")
    table = Table(*columns, "peak MiB", title="Export")
    kept, console = True, Console(width=110)
    with tempfile.TemporaryDirectory(prefix="samkat-bench-") as folder:
        catalogue = Path(folder) / "catalogue.mrc"
        written = write_bench_catalogue(catalogue, options.bibs, SEED)
        records = written.bibs + written.holdings
        yardsticks: dict[str, Rates] = {}
        for engine in options.engines.split(","):
            with warehouse_url(engine, Path(folder)) as url:
                place = {"home": str(Path(folder) / engine), "warehouse": url or ""}
                _run({**place, "catalogue": str(catalogue)})
                for form in options.forms.split(","):
                    runs = [_run({**place, "form": form}) for _ in range(options.rounds)]
                    result = min(runs, key=lambda each: float(each["seconds"]))
                    kind = form.partition("-")[0]
                    if kind not in yardsticks:
                        rates = yardsticks[kind] = _pymarc_rates(Path(result["path"]), kind, options.rounds)
                        what = f"pymarc, writing {kind} and nothing else"
                        table.add_row(what, f"{rates.by_clock:,.0f}", "1.00", f"{rates.by_cpu:,.0f}", "1.00", "", "")
                    _row(table, f"samkat on {engine}, {form}", result, yardsticks[kind])
                    good = result["records"] == records and result["peak_mib"] < PROMISED_MIB
                    if form == "iso2709":
                        good = (
                            good and result["records"] / result["seconds"] >= PROMISED_RATIO * yardsticks[kind].by_clock
                        )
                    kept = kept and good
    console.print(f"{written.bibs:,} bibs and {written.holdings:,} holdings")
    console.print(table)
    print(f"ISO2709 at pymarc's rate of writing, under {PROMISED_MIB} MiB: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


class Rates(NamedTuple):
    """Records/s by the clock, and of the process's CPU: only these say something on a busy machine."""

    by_clock: float
    by_cpu: float


def _row(table: Table, what: str, result: dict[str, Any], yardstick: Rates) -> None:
    rates = Rates(result["records"] / result["seconds"], result["records"] / result["cpu_seconds"])
    cells = [cell for rate, of in zip(rates, yardstick, strict=True) for cell in (f"{rate:,.0f}", f"{rate / of:.2f}")]
    table.add_row(what, *cells, f"{result['seconds']:.1f}", f"{result['peak_mib']:.0f}")


def _pymarc_rates(path: Path, kind: str, rounds: int) -> Rates:
    """Records/s of pymarc writing what Samkat wrote."""
    records: list[pymarc.Record] = []
    with path.open("rb") as file:
        if kind == "iso2709":
            for record in pymarc.MARCReader(file, to_unicode=True):
                assert record is not None
                records.append(record)
                if len(records) == KEPT_IN_MEMORY:
                    break
        else:
            records = pymarc.parse_xml_to_array(file)[:KEPT_IN_MEMORY]
    measured = [_writing_rates(records, kind) for _ in range(rounds)]
    return Rates(max(each.by_clock for each in measured), max(each.by_cpu for each in measured))


def _writing_rates(records: list[pymarc.Record], kind: str) -> Rates:
    with tempfile.TemporaryFile() as out:
        writer = pymarc.MARCWriter(out) if kind == "iso2709" else pymarc.XMLWriter(out)
        began, cpu = time.perf_counter(), time.process_time()
        for record in records:
            writer.write(record)
        writer.close(close_fh=False)
        return Rates(len(records) / (time.perf_counter() - began), len(records) / (time.process_time() - cpu))


def _run(job: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.export_run", json.dumps(job)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    sys.exit(main())
