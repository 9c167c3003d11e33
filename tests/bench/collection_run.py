"""One measured run of collection-match in a process of its own: stage by stage, seconds, CPU and peak memory as JSON.

`python -m tests.bench.collection_run '{"home": ..., "catalogue": ..., "stock": ...}'`; with `approve` the plan is
carried out, too, and measured by itself. The stages are called without Prefect, as in `ingest_run`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Load the catalogue (not measured), then match the stock, and print what it took."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    os.environ["SAMKAT_HOME"] = job["home"]
    os.environ["SAMKAT_TODAY"] = "2025-03-14"
    if job.get("warehouse"):
        os.environ["SAMKAT_WAREHOUSE_URL"] = job["warehouse"]
    from tasks.warehouse.migrate import migrate
    from tasks.workplace import workplace
    from tests.bench import ingest_run

    place = workplace()
    if job.get("catalogue"):
        migrate(place.warehouse)
        place.zone.prepare([])
        ingest_run._load_catalogue(Path(job["catalogue"]))
        ingest_run._settle_statistics(place)
    print(json.dumps(_match(Path(job["stock"]), bool(job.get("approve")))))


def _match(path: Path, approve: bool) -> dict[str, Any]:
    from tasks.catalogue import stages
    from tasks.collections import stages as collections
    from tasks.matching.stages import match_on_isbn
    from tasks.quality.stages import prove_conservation
    from tasks.workplace import workplace
    from tests.bench.ingest_run import _Children, cpu_seconds, peak_mib

    took: dict[str, float] = {}
    cpu_of: dict[str, float] = {}
    children = _Children()
    children.start()
    began, cpu = time.perf_counter(), cpu_seconds()

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start, before = time.perf_counter(), cpu_seconds()
        result = work()
        took[name], cpu_of[name] = time.perf_counter() - start, cpu_seconds() - before
        return result

    uri = workplace().zone.adopt(path, "SOLB")
    deliveries = timed("receive", lambda: collections.receive_collection.fn(["SOLB"], [uri]))
    for name, stage in (
        ("stage records", stages.stage_records),
        ("match on isbn", match_on_isbn),
        ("decide rows", collections.decide_rows),
        ("hold holdings", collections.hold_holdings),
        ("prove conservation", prove_conservation),
        ("settle", stages.settle),
    ):
        timed(name, lambda stage=stage: stage.fn(deliveries))
    (found,) = timed("summarise", lambda: collections.report_collections.fn(["SOLB"], None, deliveries))
    seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu
    if approve:
        timed("approve", lambda: _approve(found.plan_hash))
    return {
        "seconds": seconds, "cpu_seconds": cpu, "stages": took, "stages_cpu": cpu_of, "peak_mib": peak_mib(os.getpid()),
        "peak_child_mib": children.peak_mib, "delivery": found.endings, "rows": sum(found.endings.values()),
    }  # fmt: skip


def _approve(plan_hash: str) -> None:
    from tasks.catalogue import stages
    from tasks.collections import stages as collections

    stages.decide_plan.fn(plan_hash, "approve", "Bo Alm", None)
    attached = collections.attach_collections.fn(plan_hash)
    collections.settle_collections.fn(attached.deliveries)


if __name__ == "__main__":
    main()
