"""What is deployed: every flow once, prefect.yaml as the registry says, no place named in it. Needs no Prefect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from config.settings import load_settings
from deployments.prefect_file import FILE, content, text, this_machine
from deployments.registry import DEPLOYED, POOL, Deployed, deployed

ROOT = Path(__file__).parents[2]
NO_FLOW = {"__init__", "pipeline"}
FLOWS = sorted(path.stem.replace("_", "-") for path in (ROOT / "flows").glob("*.py") if path.stem not in NO_FLOW)
CRON = re.compile(r"(\S+ ){4}\S+")


def test_every_flow_is_deployed_once_and_nothing_else_is() -> None:
    assert len(FLOWS) >= 7
    assert sorted(each.name for each in DEPLOYED) == FLOWS


@pytest.mark.parametrize("each", DEPLOYED, ids=lambda each: each.name)
def test_an_entry_says_what_it_does_who_answers_for_it_and_leads_to_its_page(each: Deployed) -> None:
    assert len(each.description.split()) >= 6
    assert each.description.endswith(".")
    assert 1 <= each.limit <= 10
    assert (ROOT / each.entrypoint.partition(":")[0]).is_file()
    page, _, anchor = each.docs.partition("#")
    assert f"\n## {anchor}\n" in (ROOT / page).read_text("utf-8")
    assert each.cron is None or CRON.fullmatch(each.cron)
    assert f"Owner: {each.owner}." in each.shown_description


def test_prefect_yaml_is_the_one_that_the_registry_makes() -> None:
    assert FILE.read_text("utf-8") == text(), "run python -m deployments.prefect_file"


def test_prefect_yaml_has_every_deployment_with_its_schedule_limit_and_pool() -> None:
    read = yaml.safe_load(FILE.read_text("utf-8"))
    assert read == content()
    entries = {each["name"]: each for each in read["deployments"]}
    assert entries.keys() == {each.name for each in DEPLOYED}
    deadline = entries["review-deadline"]
    assert deadline["entrypoint"] == "flows/review_deadline.py:review_deadline"
    assert deadline["schedules"] == [{"cron": "0 5 * * *", "timezone": "{{ this_machine.timezone }}", "active": True}]
    assert deadline["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert deadline["work_pool"] == {"name": POOL}
    assert POOL in deadline["tags"]
    assert entries["supplier-ingest"]["schedules"] == []


def test_prefect_yaml_names_no_place_and_asks_no_git_remote() -> None:
    read = yaml.safe_load(FILE.read_text("utf-8"))
    step = "prefect.deployments.steps.set_working_directory"
    assert read["pull"] == [{step: {"directory": "{{ this_machine.code }}"}}]
    assert str(ROOT) not in FILE.read_text("utf-8")


def test_folder_and_time_zone_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert this_machine() == {"code": str(ROOT), "timezone": load_settings().timezone}
    monkeypatch.setenv("SAMKAT_CODE", str(tmp_path))
    monkeypatch.setenv("SAMKAT_TIMEZONE", "Europe/Oslo")
    assert this_machine() == {"code": str(tmp_path), "timezone": "Europe/Oslo"}


def test_a_flow_that_is_not_deployed_is_not_found() -> None:
    assert deployed("revert").module == "revert"
    with pytest.raises(KeyError):
        deployed("no-such-flow")
