"""A file written to a bucket becomes one delivery: bucket, queue, watcher, Prefect's server, worker, warehouse.

moto's server plays S3 and SQS, as in test_bucket_queue.py; everything else is real.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployments.sample.bench import write_bench_delivery
from tests.integration.servers import Postgres, PrefectServer, Production, production_home, wait_until
from tests.integration.test_bucket_queue import BUCKET, endpoint, left_in, queue, sqs
from tests.integration.test_file_drop import DropWatcher, all_settled, deliveries, ingests, sightings
from tests.object_store import client_environment, client_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["endpoint", "queue", "sqs"]  # fixtures

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BY_EVENTS_ALONE = """
from deployments import watcher
watcher.SAFETY_SECONDS = 3600.0
watcher.main()
"""
"""The watcher without the looks that it takes whatever the queue says."""


@pytest.fixture
def served(postgres: Postgres, prefect_on_postgres: PrefectServer, queue: str, tmp_path: Path) -> Iterator[Production]:
    """A home whose landing zone is the bucket, with a worker for its runs."""
    settings = {"SAMKAT_LANDING_URL": f"s3://{BUCKET}/in", "SAMKAT_BUCKET_EVENTS": queue}
    with production_home(tmp_path, postgres, prefect_on_postgres, **settings) as made:
        done = made.samkat("deployments", "apply")
        assert done.code == 0, done.err
        made.start_worker()
        yield made


@pytest.fixture
def watcher(served: Production) -> Iterator[DropWatcher]:
    watching = DropWatcher(served, "-c", BY_EVENTS_ALONE)
    yield watching
    if watching.process is not None and watching.process.poll() is None:
        watching.end(signal.SIGKILL)


def test_an_object_that_a_queue_tells_of_is_loaded_once_however_often_it_is_told_of(
    served: Production,
    watcher: DropWatcher,
    sqs: SQSClient,
    queue: str,
    endpoint: str,
    tmp_path: Path,
    figures: list[str],
) -> None:
    file = tmp_path / "NORDBOK_20250314180000_fil.mrc"
    write_bench_delivery(file, 2, 11, 0, 0.0)
    store = client_of(client_environment(endpoint))

    def put(name: str) -> None:
        store.put_object(Bucket=BUCKET, Key=f"in/incoming/NORDBOK/{name}", Body=file.read_bytes())

    known = {each["id"] for each in ingests(served)}
    watcher.start()
    wait_until(lambda: " watching " in watcher.log.read_text(), 60, f"it watches, {watcher.log}")
    began = time.monotonic()
    put(file.name)
    wait_until(lambda: all_settled(served, 1), 90, f"it is settled, {watcher.log}")
    figures.append(f"an event of a bucket: settled after {time.monotonic() - began:.1f} s")
    put("NORDBOK_20250314180100_igen.mrc")  # the same content: another event, no other delivery
    wait_until(lambda: sightings(served) == 2, 90, f"the repeat is taken, {watcher.log}")
    wait_until(lambda: left_in(sqs, queue) == 0, 30, "no message is left")
    (row,) = deliveries(served)
    assert (row.state, row.bibs_read, row.bibs_created) == ("settled", 2, 2)
    runs = [each for each in ingests(served) if each["id"] not in known]
    assert len(runs) == 2
    assert all("watcher" in each["tags"] for each in runs)
    assert watcher.end() == 0
