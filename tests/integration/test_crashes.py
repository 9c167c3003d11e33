"""A worker and its flow are killed with SIGKILL: the reaper takes the run up, the delivery is loaded once; a run that
failed for good is told. Real server, real worker, real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa

from deployments.sample.bench import write_bench_delivery
from schemas.warehouse.core import core_notice, core_outcome
from schemas.warehouse.raw import raw_delivery, raw_progress
from tests.integration.servers import Postgres, PrefectServer, Production, production_home, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BIBS, HOLDINGS = 1_500, 2_250
FILE = "NORDBOK_20250314180000_dagfil.mrc"
SILENCE_SECONDS = 9


@pytest.fixture(scope="module")
def served(
    postgres: Postgres, prefect_on_postgres: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """A home whose deployments and automations are on the server; nothing starts by schedule."""
    with production_home(tmp_path_factory.mktemp("crashes"), postgres, prefect_on_postgres) as made:
        done = made.samkat("deployments", "apply")
        assert done.code == 0, done.err
        for each in made.server.ask("/deployments/filter", {}):
            httpx.post(f"{made.server.api_url}/deployments/{each['id']}/pause_deployment").raise_for_status()
        yield made


def start(served: Production, flow: str, parameters: dict[str, Any]) -> str:
    """Start a run of a flow's deployment; returns its id."""
    found = served.server.ask(f"/deployments/name/{flow}/{flow}")
    answer = served.server.ask(f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    return str(answer["id"])


def state_of(served: Production, run_id: str) -> str:
    return str(served.server.ask(f"/flow_runs/{run_id}")["state"]["name"])


def ended(served: Production, run_id: str, *names: str) -> Callable[[], bool]:
    return lambda: state_of(served, run_id) in names


def reached(served: Production, stage: str) -> int:
    rows = served.rows(sa.select(raw_progress.c.reached).where(raw_progress.c.stage == stage))
    return int(rows[0][0]) if rows else 0


def flows_of(home: Path) -> list[psutil.Process]:
    """Processes that run a flow for this home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SAMKAT_HOME") == str(home) and "PREFECT__FLOW_RUN_ID" in process.environ():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_a_killed_worker_costs_minutes_and_the_delivery_is_loaded_once(served: Production, figures: list[str]) -> None:
    incoming = served.home / "landing" / "incoming" / "NORDBOK" / FILE
    write_bench_delivery(incoming, BIBS, 3, 0, 0.0)
    first = served.start_worker(SAMKAT_CHUNK_RECORDS="100")
    run_id = start(served, "supplier-ingest", {"supplier": "NORDBOK", "uris": [incoming.as_uri()]})
    wait_until(lambda: reached(served, "load_bibs") >= 500, 90, "the run is in the middle of its work")
    # The worker first: it would set the run to Crashed.
    first.kill()
    for process in flows_of(served.home):
        process.kill()
    killed_at = time.monotonic()
    assert wait_until(lambda: not flows_of(served.home), 10, "the flow's process is gone")
    assert 500 <= reached(served, "load_bibs") < BIBS + HOLDINGS
    assert state_of(served, run_id) == "Running"

    served.start_worker(SAMKAT_CHUNK_RECORDS="500")
    # A reaper that looks before that leaves the run to the next one.
    wait_until(lambda: time.monotonic() - killed_at > SILENCE_SECONDS, 30, "it has been silent for long enough")
    reaper = start(served, "run-reaper", {"silence_seconds": SILENCE_SECONDS})
    wait_until(ended(served, reaper, "Completed"), 60, "the reaper has looked")
    wait_until(ended(served, run_id, "Completed"), 90, "the run was taken up and has ended")
    figures.append(f"crash: killed worker and flow, loaded {time.monotonic() - killed_at:.0f} s later")

    run = served.server.ask(f"/flow_runs/{run_id}")
    assert run["run_count"] == 2
    states = served.server.ask(f"/flow_run_states/?flow_run_id={run_id}")
    assert any("taken up again (2 of 3): no sign of life for" in (each["message"] or "") for each in states)
    (row,) = served.rows(sa.select(raw_delivery))
    assert (row.state, row.bibs_read, row.bibs_created, row.holdings_read) == ("settled", BIBS, BIBS, HOLDINGS)
    ((outcomes,),) = served.rows(sa.select(sa.func.count()).select_from(core_outcome))
    assert outcomes == BIBS + HOLDINGS


def test_an_automation_tells_the_operator_of_a_failed_run_once(served: Production) -> None:
    if not any(each.is_running for each in served.workers):
        served.start_worker()
    failed = start(served, "supplier-ingest", {"supplier": "NORBOK", "uris": []})
    wait_until(ended(served, failed, "Failed"), 60, "the run has failed")

    def mails() -> list[sa.Row[Any]]:
        return served.rows(sa.select(core_notice).where(core_notice.c.kind == "failed"))

    wait_until(lambda: [each for each in mails() if each.state == "sent"], 60, "the operator was told")
    (mail,) = mails()
    assert mail.recipient == "drift@samkatalogen.example"
    assert "no supplier has the code 'NORBOK'" in mail.body_text
    assert f"prefect flow-run retry {failed}" in mail.body_text
    assert f"{served.server.ui_url}/runs/flow-run/{failed}" in mail.body_text
