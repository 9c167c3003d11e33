"""The sweep of staff accounts, 2% of them due, beside one SELECT of all their rows into Python, in the same run.

The SELECT is what a sweep that looks at every account would need before it decides anything.

`python -m tests.bench.bench_accounts [--accounts N] [--engines sqlite,postgresql]`
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.account_sweep_run import DUE_OF
from tests.bench.bench_ingest import warehouse_url

PROMISED_RATIO, PROMISED_MIB = 2.0, 200


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns 1 where the sweep takes twice as long as the SELECT, or the memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    options = parser.parse_args(arguments)
    table = Table("what", "seconds", "of the SELECT", "peak MiB", title=f"{options.accounts:,} accounts, 2% due")
    kept, console = True, Console(width=100)
    with tempfile.TemporaryDirectory(prefix="samkat-bench-") as folder:
        for engine in options.engines.split(","):
            with warehouse_url(engine, Path(folder)) as given:
                url = given or f"sqlite:///{folder}/accounts.db"
                _run(url, "make", options.accounts)
                selected, swept = _run(url, "select", 0), _run(url, "sweep", 0)
                ratio = swept["seconds"] / selected["seconds"]
                name = "SELECT of all rows into Python"
                table.add_row(f"{engine}: {name}", f"{selected['seconds']:.1f}", "1.00", f"{selected['peak_mib']:.0f}")
                table.add_row(f"{engine}: sweep", f"{swept['seconds']:.1f}", f"{ratio:.2f}", f"{swept['peak_mib']:.0f}")
                is_whole = swept["expire"] == -(-options.accounts // DUE_OF)
                kept = kept and is_whole and ratio < PROMISED_RATIO and swept["peak_mib"] < PROMISED_MIB
    console.print(table)
    print(f"Under {PROMISED_RATIO:g} x the SELECT, under {PROMISED_MIB} MiB: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


def _run(url: str, what: str, size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.account_sweep_run", url, what, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
