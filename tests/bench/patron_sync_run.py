"""One measured run of the patron sync in a process of its own: stage by stage, seconds, CPU and peak memory as JSON.

`python -m tests.bench.patron_sync_run '{"home": ..., "file": ..., "today": ..., "approve": true}'`; the stages are
called without Prefect, as in ingest_run.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.bench.ingest_run import peak_mib

SOURCE = "VESTSTUD"


def main() -> None:
    """Take one file, and print what it took; what a guard holds is approved afterwards, and measured apart."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    os.environ["SAMKAT_HOME"] = job["home"]
    os.environ["SAMKAT_TODAY"] = job["today"]
    os.environ["SAMKAT_REGISTER"] = job["register"]
    if job.get("warehouse"):
        os.environ["SAMKAT_WAREHOUSE_URL"] = job["warehouse"]
    from tasks.warehouse.migrate import migrate
    from tasks.workplace import workplace

    place = workplace()
    migrate(place.warehouse)
    place.zone.prepare([SOURCE])
    result = _take(place, Path(job["file"]))
    if job.get("approve"):
        from tests.warehouse.patron_runs import approve_all

        begun = time.perf_counter()
        approve_all(place)
        result["approve_seconds"] = time.perf_counter() - begun
    if place.warehouse.is_postgresql:
        with place.warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    result["peak_mib"] = peak_mib(os.getpid())
    print(json.dumps(result))


def _take(place: Any, path: Path) -> dict[str, Any]:
    from tasks.patrons import stages
    from tests.warehouse.patron_runs import OF_A_FILE, summed_up

    uri = place.zone.adopt(path, SOURCE)
    seconds: dict[str, float] = {}
    server = server_seconds(place.warehouse)
    began, cpu = time.perf_counter(), time.process_time()
    files = stages.receive_files.fn(SOURCE, [uri])
    seconds["receive"] = time.perf_counter() - began
    for file in files:
        for stage in OF_A_FILE:
            begun = time.perf_counter()
            stage(file)
            name = getattr(stage, "__name__", "stage")
            seconds[name] = time.perf_counter() - begun
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    server = server_seconds(place.warehouse) - server
    (found,) = summed_up(place.warehouse, files)
    if found.state != "settled":
        raise SystemExit(f"the file ended {found.state}: {found.reason}")
    rows = {name: number for name, number in found.rows.items() if number}
    return {"seconds": took, "cpu_seconds": cpu, "server_seconds": server, "stages": seconds, "rows": rows}


def server_seconds(warehouse: Any) -> float:
    """Processor time so far of a PostgreSQL server on this machine, all its processes together; of SQLite none."""
    if not warehouse.is_postgresql:
        return 0.0
    with warehouse.read() as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    server = psutil.Process(int(Path(folder, "postmaster.pid").read_text("utf-8").split()[0]))
    own = server.cpu_times()  # of processes that have ended as well
    total = own.user + own.system + own.children_user + own.children_system
    for each in server.children():
        with contextlib.suppress(psutil.Error):
            total += each.cpu_times().user + each.cpu_times().system
    return float(total)


if __name__ == "__main__":
    main()
