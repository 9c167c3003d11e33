"""A huge delivery on a Dask cluster: a scheduler and two worker processes, reached through `prefect-dask`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from distributed import Client
from prefect import Task, flow, task
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.sample.bench import BenchFile, write_bench_delivery
from schemas.errors import ConfigurationError
from schemas.warehouse.raw import raw_member, raw_record
from schemas.warehouse.stage import stage_bib, stage_holding, stage_holding_line, stage_identifier, stage_isbn
from tasks import cluster as clusters
from tasks.cluster import ClusterAwayError, on_cluster
from tasks.stage import is_passing
from tasks.warehouse.engine import connect
from tests.integration.commands import environment_of
from tests.integration.dask_cluster import DaskCluster, running_dask
from tests.integration.servers import ROOT, PrefectServer, free_port, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STAGED = (raw_record, raw_member, stage_bib, stage_isbn, stage_identifier, stage_holding, stage_holding_line)
NAME = "NORDBOK_20250314180000_dask.mrc"
BIBS, MANY_BIBS = 6_000, 60_000
RANGE_BYTES = 500_000
"""So that a small file has many of them; it is as fast as it should be with those that it has otherwise."""
IN_SMALL_RANGES = f"""
from tasks.catalogue import row_source
row_source.RANGE_BYTES = {RANGE_BYTES}
"""
INGEST = """
import sys
from pathlib import Path
from flows.supplier_ingest import supplier_ingest
from tasks.workplace import workplace
uri = workplace().zone.adopt(Path(sys.argv[1]), "NORDBOK")
supplier_ingest("NORDBOK", [uri], dry_run=True, dask=sys.argv[2])
"""
STAGE_ALONE = """
import sys
from pathlib import Path
from prefect import flow
from tasks.catalogue.stages import stage_records
from tasks.landing.stages import receive
from tasks.workplace import workplace
@flow
def staging():
    uri = workplace().zone.adopt(Path(sys.argv[1]), "NORDBOK")
    stage_records(receive("NORDBOK", [uri]), sys.argv[2])
staging()
"""


@pytest.fixture(scope="module")
def cluster(prefect_on_postgres: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A cluster that every test leaves as it was."""
    folder = tmp_path_factory.mktemp("dask")
    with running_dask(folder, environment_of(folder) | prefect_on_postgres.environment) as running:
        yield running


@pytest.fixture
def other_url(
    request: pytest.FixtureRequest, warehouse_url: str, tmp_path: Path, sqlite_template: Path
) -> Iterator[str]:
    """Another empty warehouse on the same engine, for the same delivery without a cluster."""
    if warehouse_url.startswith("sqlite"):
        shutil.copyfile(sqlite_template, tmp_path / "other.db")
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    name = f"samkat_{uuid.uuid4().hex[:12]}"
    there = sa.make_url(warehouse_url).set(drivername="postgresql+psycopg", database="postgres")
    admin = sa.create_engine(there, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('postgresql_template')}")
        yield sa.make_url(warehouse_url).set(database=name).render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def delivery(folder: Path, bibs: int) -> tuple[Path, BenchFile]:
    """A delivery in which some pieces cannot be read, bibs among them."""
    path = folder / NAME
    written = write_bench_delivery(path, bibs, 7, bibs, 0.3)
    with path.open("r+b") as stream:
        for place in range(1_000, written.size, written.size // 7):
            stream.seek(place)
            stream.write(b"\x1e\x1d rubbish")
    return path, written


def started(
    home: Path, url: str, server: PrefectServer, script: str, path: Path, dask: str, **settings: str
) -> subprocess.Popen[str]:
    """A run in a process of its own; what it logs is in its standard error."""
    settings = {"SAMKAT_SECOND_PROCESS": "false", "SAMKAT_DASK_FROM_BYTES": "1"} | settings
    environment = environment_of(home, SAMKAT_WAREHOUSE_URL=url, SAMKAT_DATA_DOCS="off", **settings)
    command = [sys.executable, "-c", script, str(path), dask]
    log = subprocess.PIPE
    return subprocess.Popen(command, env=environment | server.environment, cwd=ROOT, stderr=log, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    return said


def read(url: str, work: Callable[[sa.Connection], Any]) -> Any:
    warehouse = connect(url)
    with warehouse.read() as connection:
        answer = work(connection)
    warehouse.dispose()
    return answer


def staged(url: str) -> dict[str, list[Any]]:
    """Every row of what is staged, in the order of the keys."""
    found = {}
    for table in STAGED:
        ordered = sa.select(table).order_by(*table.primary_key.columns)
        found[table.name] = [tuple(row) for row in read(url, lambda connection, q=ordered: connection.execute(q).all())]
    return found


def reached(url: str) -> int:
    """How many pieces are staged."""
    counted = sa.select(sa.func.count()).select_from(raw_record)
    return int(read(url, lambda connection: connection.execute(counted).scalar_one()))


def test_the_rows_on_a_cluster_are_those_of_one_process(
    cluster: DaskCluster, prefect_on_postgres: PrefectServer, warehouse_url: str, other_url: str, tmp_path: Path
) -> None:
    path, _ = delivery(tmp_path, BIBS)
    ingest = IN_SMALL_RANGES + INGEST
    alone = started(tmp_path / "alone", other_url, prefect_on_postgres, ingest, path, "")
    together = started(tmp_path / "together", warehouse_url, prefect_on_postgres, ingest, path, cluster.address)
    assert "Dask" not in ended(alone)
    assert "Connecting to an existing Dask cluster" in ended(together)
    expected = staged(other_url)
    of_types = [row[list(raw_record.c).index(raw_record.c.record_type)] for row in expected["raw_record"]]
    assert min(map(of_types.count, ("bib", "holding", "unreadable"))) > 0
    for name, rows in staged(warehouse_url).items():
        assert rows == expected[name], name


def test_killed_and_with_a_dead_worker_it_ends_the_same(
    prefect_on_postgres: PrefectServer, sqlite_template: Path, tmp_path: Path
) -> None:
    path, _ = delivery(tmp_path, BIBS)
    urls = []
    for name in ("alone", "together"):
        shutil.copyfile(sqlite_template, tmp_path / f"{name}.db")
        urls.append(f"sqlite:///{tmp_path / name}.db")
    ended(started(tmp_path / "alone", urls[0], prefect_on_postgres, STAGE_ALONE, path, ""))
    folder = tmp_path / "dask"
    folder.mkdir()
    with running_dask(folder, environment_of(folder) | prefect_on_postgres.environment) as cluster:
        script = IN_SMALL_RANGES + STAGE_ALONE
        arguments = (tmp_path / "together", urls[1], prefect_on_postgres, script, path, cluster.address)
        killed = started(*arguments)
        wait_until(lambda: reached(urls[1]), 90, "something is staged", 0.02)
        killed.kill()
        killed.communicate()
        before = reached(urls[1])
        again = started(*arguments)
        wait_until(lambda: reached(urls[1]) > before or again.poll() is not None, 90, "it went on", 0.02)
        cluster.kill_worker()
        ended(again)
    assert 0 < before < reached(urls[0])
    assert staged(urls[1]) == staged(urls[0])


def test_the_speed_up_of_two_workers(
    cluster: DaskCluster,
    prefect_on_postgres: PrefectServer,
    sqlite_template: Path,
    tmp_path: Path,
    figures: list[str],
) -> None:
    path, written = delivery(tmp_path, MANY_BIBS)
    with Client(cluster.address) as client:
        client.run(import_module, "tasks.catalogue.stages")  # what a worker does once in its life
    took, pieces = {}, set()
    for name, address, settings in (
        ("one process", "", {}),
        ("a second process", "", {"SAMKAT_SECOND_PROCESS": "true"}),
        ("two Dask workers", cluster.address, {}),
    ):
        shutil.copyfile(sqlite_template, tmp_path / f"{name}.db")
        url = f"sqlite:///{tmp_path / name}.db"
        said = ended(started(tmp_path / name, url, prefect_on_postgres, STAGE_ALONE, path, address, **settings))
        found = re.search(r"stage records: .* in ([0-9.]+) s", said)
        assert found, said
        took[name] = float(found[1])
        pieces.add(reached(url))
    told = ", ".join(f"{name} {took['one process'] / each:.2f} x ({each:.1f} s)" for name, each in took.items())
    figures.append(f"staging {written.bibs + written.holdings:,} records ({written.size / 1e6:.0f} MB): {told}")
    # No figure is asserted: whoever else uses the machine decides it.
    assert len(pieces) == 1


@task
def nothing() -> None:
    """Never begins."""


def test_a_cluster_that_is_away_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 1)
    with pytest.raises(ClusterAwayError, match="does not answer") as raised:
        list(on_cluster(f"tcp://127.0.0.1:{free_port()}", nothing, [{}]))
    assert is_passing(raised.value)
    with pytest.raises(ConfigurationError, match="no address of a Dask scheduler"):
        list(on_cluster("127.0.0.1", nothing, [{}]))


def test_a_cluster_without_workers_says_so(
    prefect_on_postgres: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 2)
    environment = environment_of(tmp_path) | prefect_on_postgres.environment
    with (
        running_dask(tmp_path, environment, workers=0) as lonely,
        pytest.raises(ClusterAwayError, match="has no workers"),
    ):
        list(on_cluster(lonely.address, nothing, [{}]))


def test_a_scheduler_that_dies_under_way_is_a_passing_fault(prefect_on_postgres: PrefectServer, tmp_path: Path) -> None:
    sleep = Task(fn=subprocess.check_call, name="sleep")
    with running_dask(tmp_path, environment_of(tmp_path) | prefect_on_postgres.environment, workers=1) as cluster:
        address = cluster.address  # alone: what the flow holds goes to the workers
        call = {"popenargs": (["sleep", "40"],)}
        asked = flow(lambda: list(on_cluster(address, sleep, [call])), name="sleeping")
        threading.Timer(6, cluster.kill_scheduler).start()
        with (
            temporary_settings({PREFECT_API_URL: prefect_on_postgres.api_url}),
            pytest.raises(ClusterAwayError) as raised,
        ):
            asked()
    assert is_passing(raised.value)
