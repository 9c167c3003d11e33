"""`make bench`: every measurement in one run, as tables with ratios. Names of benches may be given."""

from __future__ import annotations

import importlib
import sys

BENCHES = {
    "readers": ("tests.bench.bench_readers", []),
    "matching": ("tests.bench.bench_matching_quality", []),
    "ingest": ("tests.bench.bench_ingest", ["--memory"]),
    "collection": ("tests.bench.bench_collection", []),
    "patrons": ("tests.bench.bench_patrons", []),
    "export": ("tests.bench.bench_export", []),
    "intake": ("tests.bench.bench_intake", []),
    "accounts": ("tests.bench.bench_accounts", []),
}


def main() -> int:
    """Run the benches named, or all; returns 1 where one says that a promise was not kept."""
    wanted = sys.argv[1:] or list(BENCHES)
    failed = 0
    for name in wanted:
        module, arguments = BENCHES[name]
        print(f"\n== {name}", flush=True)
        failed |= int(importlib.import_module(module).main(arguments) or 0)
    return failed


if __name__ == "__main__":
    sys.exit(main())
