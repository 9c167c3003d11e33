"""Deployments on a real server: Prefect's own command from a clean folder, a worker, schedules, and applying again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deployments.registry import DEPLOYED, POOL, deployed
from schemas.warehouse.raw import raw_delivery
from tests.integration.commands import run, samkat
from tests.integration.servers import PREFECT, ROOT, Production, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SAMPLE = ROOT / "tests" / "data" / "incoming" / "NORDBOK" / "NORDBOK_20250314180456_dagfil.mrc"
SCHEDULED = {each.name for each in DEPLOYED if each.cron}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files and nothing else: no repository, no remote, no environment."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("flows", "tasks", "schemas", "config", "deployments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def deployment(production: Production, name: str) -> dict[str, Any]:
    return dict(production.server.ask(f"/deployments/name/{deployed(name).full_name}"))


def has_a_scheduled_run(production: Production, of: dict[str, Any]) -> bool:
    asked = {"deployments": {"id": {"any_": [of["id"]]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    return bool(production.server.ask("/flow_runs/filter", asked))


def loaded(production: Production) -> list[tuple[str, str]]:
    """(sender, state) of every delivery."""
    warehouse = production.connected()
    with warehouse.read() as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(raw_delivery.c.sender, raw_delivery.c.state))]
    warehouse.dispose()
    return rows


def test_prefects_own_command_deploys_all_from_a_clean_folder_and_a_worker_loads_a_delivery(
    production: Production, checkout: Path, figures: list[str]
) -> None:
    environment = production.environment | {"SAMKAT_CODE": str(checkout)}
    production.prefect("work-pool", "create", POOL, "--type", "process")
    deploy = ["deploy", "--all", "--prefect-file", "deployments/prefect.yaml"]
    done = run([PREFECT, "--no-prompt", *deploy], environment, cwd=checkout)
    assert done.code == 0, done.err + done.out
    names = {each["name"] for each in production.server.ask("/deployments/filter", {})}
    assert names == {each.name for each in DEPLOYED}
    ingest = deployment(production, "supplier-ingest")
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(checkout)}}
    assert (ingest["pull_steps"], ingest["work_pool_name"]) == ([step], POOL)

    landed = production.home / "landing" / "incoming" / "NORDBOK" / SAMPLE.name
    shutil.copyfile(SAMPLE, landed)
    worker = production.start_worker()
    parameters = {"supplier": "NORDBOK", "uris": [f"file://{landed}"]}
    body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
    started = production.server.ask(f"/deployments/{ingest['id']}/create_flow_run", body)

    def ended() -> dict[str, Any] | None:
        found = dict(production.server.ask(f"/flow_runs/{started['id']}"))
        return found if found["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED") else None

    flow_run = wait_until(ended, 120, "the run ends")
    assert flow_run["state"]["name"] == "Completed", worker.log.read_text("utf-8")[-4000:]
    assert loaded(production) == [("NORDBOK", "settled")]
    assert not landed.exists()
    lasted = flow_run["total_run_time"]
    figures.append(f"a run on a worker, PostgreSQL: {lasted:.1f} s; prefect deploy --all: {done.wall_seconds:.1f} s")

    # The file and the registry say the same: what is left to apply are pool and automations.
    changes = samkat(environment, "deployments", "apply", "--json").document()["changes"]
    assert [each for each in changes if each["what"] == "deployment"] == []


def test_a_worker_without_passwords_is_given_them_from_secret_blocks(production: Production) -> None:
    done = production.samkat("deployments", "apply", "--secrets", "--json")
    made = {(each["verb"], each["what"], each["name"]) for each in done.document()["changes"]}
    assert ("created", "secret block", "samkat-warehouse-url") in made
    assert production.warehouse_url not in done.out + done.err
    try:
        assert production.samkat("deployments", "apply", "--secrets").out == (
            "Everything was as declared; nothing was changed.\n"
        )
        template = production.server.ask(f"/work_pools/{POOL}")["base_job_template"]
        given = template["variables"]["properties"]["env"]["default"]
        assert given["SAMKAT_WAREHOUSE_URL"] == "{{ prefect.blocks.secret.samkat-warehouse-url }}"
        assert given["PREFECT_LOGGING_LEVEL"] == "{{ prefect.variables.samkat_log_level }}"

        landed = production.home / "landing" / "incoming" / "NORDBOK" / SAMPLE.name
        shutil.copyfile(SAMPLE, landed)
        worker = production.start_worker(SAMKAT_WAREHOUSE_URL="")
        body = {
            "parameters": {"supplier": "NORDBOK", "uris": [f"file://{landed}"]},
            "state": {"type": "SCHEDULED"},
        }
        production.server.ask(f"/deployments/{deployment(production, 'supplier-ingest')['id']}/create_flow_run", body)
        wait_until(lambda: loaded(production) == [("NORDBOK", "settled")], 120, f"the delivery is loaded, {worker.log}")
        assert production.warehouse_url not in worker.log.read_text("utf-8")
    finally:
        # The server is that of all tests of the session, and other warehouses have other passwords.
        assert production.prefect("block", "delete", "secret/samkat-warehouse-url").code == 0
        assert production.samkat("deployments", "apply").out == "changed work pool samkat (job template)\n"


def test_applied_twice_changes_nothing_and_every_cron_deployment_gets_its_scheduled_runs(
    production: Production, figures: list[str]
) -> None:
    first = production.samkat("deployments", "apply", "--json")
    assert first.code == 0, first.err
    second = production.samkat("deployments", "apply")
    assert second.out == "Everything was as declared; nothing was changed.\n"
    figures.append(f"samkat deployments apply, nothing to do: {second.wall_seconds:.1f} s")

    assert len(SCHEDULED) >= 3
    for name in sorted(SCHEDULED):
        found = deployment(production, name)
        (schedule,) = found["schedules"]
        assert (schedule["schedule"]["cron"], schedule["active"]) == (deployed(name).cron, True)
        assert schedule["schedule"]["timezone"] == "Europe/Stockholm"
        wait_until(lambda each=found: has_a_scheduled_run(production, each), 90, f"{name} is scheduled")


def test_what_was_changed_by_hand_is_put_right_and_what_others_made_is_left_alone(production: Production) -> None:
    assert production.samkat("deployments", "apply").code == 0
    other = production.prefect("work-pool", "create", "others", "--type", "process")
    assert other.code in (0, 1)
    production.prefect("deployment", "schedule", "clear", deployed("feed-watch").full_name, "-y")
    production.prefect("automation", "pause", "samkat: tell the operator")
    changes = production.samkat("deployments", "apply", "--json").document()["changes"]
    assert [(each["verb"], each["name"], each["fields"]) for each in changes] == [
        ("changed", "feed-watch/feed-watch", ["schedule"])
    ]
    automations = production.server.ask("/automations/filter", {})
    paused = {each["name"]: each["enabled"] for each in automations}
    assert paused["samkat: tell the operator"] is False
    assert production.prefect("work-pool", "inspect", "others").code == 0
