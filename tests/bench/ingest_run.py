"""One measured run of the pipeline in a process of its own: stage by stage, seconds, CPU and peak memory as JSON.

`python -m tests.bench.ingest_run '{"home": ..., "catalogue": ..., "delivery": ...}'`; the stages are called without
Prefect, since its cost per run does not grow with the delivery (docs/performance.md has it on its own).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Load the catalogue (not measured), then the delivery, and print what it took."""
    job: dict[str, str] = json.loads(sys.argv[1])
    os.environ["SAMKAT_HOME"] = job["home"]
    os.environ["SAMKAT_TODAY"] = "2025-03-14"
    if job.get("warehouse"):
        os.environ["SAMKAT_WAREHOUSE_URL"] = job["warehouse"]
    from tasks.warehouse.migrate import migrate
    from tasks.workplace import workplace

    place = workplace()
    migrate(place.warehouse)
    place.zone.prepare([])
    if job.get("catalogue"):
        _load_catalogue(Path(job["catalogue"]))
        _settle_statistics(place)
    print(json.dumps(_load_delivery(Path(job["delivery"]))))


def _load_catalogue(path: Path) -> None:
    from tasks.catalogue import stages
    from tasks.landing.stages import receive_export
    from tasks.quality.stages import prove_conservation
    from tasks.workplace import workplace

    deliveries = receive_export.fn([workplace().zone.adopt(path, "catalogue")], "full")
    for stage in (
        stages.stage_records, stages.load_union_bibs, stages.load_union_holdings, prove_conservation, stages.settle,
    ):  # fmt: skip
        stage.fn(deliveries)


def _settle_statistics(place: Any) -> None:
    """What autovacuum does by itself between two nights."""
    if place.warehouse.is_postgresql:
        with place.warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _load_delivery(path: Path) -> dict[str, Any]:
    from tasks.catalogue import stages
    from tasks.landing.stages import receive
    from tasks.matching.stages import match_on_isbn
    from tasks.quality.stages import check_deliveries, prove_conservation
    from tasks.workplace import workplace

    took: dict[str, float] = {}
    children = _Children()
    children.start()
    began, cpu = time.perf_counter(), cpu_seconds()

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        took[name] = time.perf_counter() - start
        return result

    uri = workplace().zone.adopt(path, "NORDBOK")
    deliveries = timed("receive", lambda: receive.fn("NORDBOK", [uri]))
    for name, stage in (
        ("stage records", stages.stage_records),
        ("check deliveries", check_deliveries),
        ("match on isbn", match_on_isbn),
        ("load bibs", stages.load_bibs),
        ("load holdings", stages.load_holdings),
        ("prove conservation", prove_conservation),
        ("settle", stages.settle),
    ):
        timed(name, lambda stage=stage: stage.fn(deliveries))
    with workplace().warehouse.read() as connection:
        row = (
            connection.exec_driver_sql("SELECT * FROM out_delivery ORDER BY delivery_id DESC LIMIT 1").mappings().one()
        )
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": cpu_seconds() - cpu,
        "stages": took,
        "peak_mib": peak_mib(os.getpid()),
        "peak_child_mib": children.peak_mib,
        "delivery": {
            name: row[name]
            for name in ("state", "records_read", "bibs_created", "bibs_replaced", "bibs_kept", "bibs_review",
                         "holdings_created", "holdings_updated", "holdings_unchanged")
        },
    }  # fmt: skip


class _Children(threading.Thread):
    """Watches how much memory the second processes took at their peak.

    `ru_maxrss` does not say that: a process starts with the peak of the one that started it.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mib = 0.0

    def run(self) -> None:
        own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        while True:
            for pid in own.read_text().split():
                self.peak_mib = max(self.peak_mib, peak_mib(int(pid)))
            time.sleep(0.1)


def peak_mib(pid: int) -> float:
    """Peak resident memory of a process since it began to run its program; 0 where it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
