"""One measured export in a process of its own: seconds, CPU and peak memory as JSON.

`python -m tests.bench.export_run '{"home": ..., "catalogue": ...}'` loads the catalogue (not measured);
`... '{"home": ..., "format": "iso2709"}'` exports it, a new profile's first file, and says where it is.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Load, or export and print what it took."""
    job: dict[str, str] = json.loads(sys.argv[1])
    os.environ["SAMKAT_HOME"] = job["home"]
    os.environ["SAMKAT_TODAY"] = "2025-03-14"
    if job.get("warehouse"):
        os.environ["SAMKAT_WAREHOUSE_URL"] = job["warehouse"]
    from tasks.warehouse.migrate import migrate
    from tasks.workplace import workplace
    from tests.bench import ingest_run

    if job.get("catalogue"):
        migrate(workplace().warehouse)
        workplace().zone.prepare([])
        ingest_run._load_catalogue(Path(job["catalogue"]))
        ingest_run._settle_statistics(workplace())
        print("{}")
    else:
        print(json.dumps(_export(job["form"])))


def _export(form: str) -> dict[str, Any]:
    from schemas.register.export_profiles import ExportProfile
    from tasks.batch import few_collections
    from tasks.workplace import workplace
    from tests.bench.ingest_run import cpu_seconds, peak_mib
    from tests.warehouse.export_checks import send

    forms: dict[str, dict[str, str]] = {
        "iso2709": {},
        "iso2709-nfd": {"letters": "decomposed"},
        "iso2709-latin1": {"charset": "iso8859-1"},
        "iso2709-embedded": {"holdings": "embedded"},
        "marcxml": {"format": "marcxml"},
    }
    # A profile that never sent anything: it gets everything.
    shared = {"name": f"{form}-{os.getpid()}", "receiver": "Bench", "libraries": ("*",)}
    profile = ExportProfile.model_validate({**shared, **forms[form]})
    began, cpu = time.perf_counter(), cpu_seconds()
    with few_collections():
        row = send(workplace(), profile)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": cpu_seconds() - cpu,
        "peak_mib": peak_mib(os.getpid()),
        "records": row.records,
        "bytes": row.bytes,
        "path": row.uri.removeprefix("file://"),
    }


if __name__ == "__main__":
    main()
