"""What every flow in flows/ has: name, description, time limit, a section in the docs, and a record of its runs."""

from __future__ import annotations

import importlib
import json
import pkgutil
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect import Flow

import flows
from config.settings import SAMPLE_REGISTER
from deployments.registry import deployed
from schemas.warehouse.core import core_run
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.unit.library_samples import PUBLIC
from tests.unit.test_docs_flows import FLOWS
from tests.warehouse.pipeline import land

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "tests" / "data" / "catalogue" / "samkatalogen-01.mrc"
NO_PIPELINE = {"pipeline"}
NO_PLAN = "0" * 12
NO_RUN = "00000000-0000-4000-8000-000000000000"

Arguments = Callable[[Workplace, dict[str, Path]], tuple[Any, ...]]


def _modules() -> list[str]:
    return [each.name for each in pkgutil.iter_modules(flows.__path__) if each.name not in NO_PIPELINE]


def _flow_of(module: str) -> Flow[..., Any]:
    """The one flow of a module; it bears the module's name."""
    found = getattr(importlib.import_module(f"flows.{module}"), module)
    assert isinstance(found, Flow)
    return found


def _order(home: Workplace, night: dict[str, Path]) -> str:
    file = night["BOKRING25031400001"]
    return land(home, "BOKRING", file.name, file.read_bytes())


WELL: dict[str, Arguments] = {
    "catalogue_load": lambda home, _night: ([home.zone.adopt(CATALOGUE, "catalogue")], "delta"),
    "account_import": lambda _home, _night: ("SUPPORTKONTO", []),
    "account_sweep": lambda _home, _night: (),
    "account_renewal": lambda _home, _night: (),
    "shared_account_rotation": lambda _home, _night: (),
    "shared_account_retirement": lambda _home, _night: (),
    "duplicate_bibs": lambda _home, _night: (),
    "collection_match": lambda home, _night: (["SOLB"], [home.zone.adopt(CATALOGUE, "SOLB")]),
    "local_export": lambda _home, _night: (),
    "library_onboarding": lambda _home, _night: (PUBLIC,),
    "holdings_freshness": lambda _home, _night: (),
    "bib_import": lambda _home, _night: ("solberg-koha", []),
    "marts": lambda _home, _night: (),
    "data_docs": lambda _home, _night: (),
    "decide": lambda _home, _night: (),
    "landing_sweep": lambda _home, _night: (),
    "feed_watch": lambda _home, _night: (),
    "nightly_overview": lambda _home, _night: (),
    "patron_retention": lambda _home, _night: (),
    "patron_sync": lambda _home, _night: ("NORUPERS", []),
    "patron_update": lambda _home, _night: (),
    "review_deadline": lambda _home, _night: (),
    "run_reaper": lambda _home, _night: (3, 24, 5, 90),
    "tell_operator": lambda _home, _night: (NO_RUN,),
    "review_decide": lambda _home, _night: ({}, "Ada Kvist"),
    "supplier_customers": lambda _home, _night: (),
    "supplier_trial": lambda home, night: ("BOKRING", [_order(home, night)]),
    "supplier_ingest": lambda home, night: ("BOKRING", [_order(home, night)]),
}
"""Arguments of a run that ends well on an empty warehouse. Other flows decide on what is there: test_decisions.py."""
BADLY: dict[str, Arguments] = {
    **WELL,
    "bib_merge": lambda _home, _night: (998, [999], "Ada Kvist"),
    "bib_split": lambda _home, _night: ([999], "Ada Kvist"),
    "plan_decide": lambda _home, _night: (NO_PLAN, "approve", "Bo Alm"),
    "revert": lambda _home, _night: (999,),
    "run_reaper": lambda _home, _night: (0,),
}
"""Arguments of a run that fails where the register is wrong, or where what they name is not there."""


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: what is tried here is no affair of the database."""
    return sqlite_url


def recorded(home: Workplace) -> list[sa.Row[Any]]:
    with home.warehouse.read() as connection:
        return list(connection.execute(sa.select(core_run)))


@pytest.mark.parametrize("module", _modules())
def test_a_flow_bears_the_name_of_its_module_and_says_what_it_does(module: str) -> None:
    flow = _flow_of(module)
    assert flow.name == module.replace("_", "-")
    assert flow.description is not None
    assert len(flow.description.split()) >= 6
    assert isinstance(flow.flow_run_name, str)
    assert flow.timeout_seconds is not None
    assert 0 < flow.timeout_seconds <= 24 * 3600
    assert flow.persist_result is False
    assert f"\n## {flow.name}\n" in (ROOT / "docs" / "flows.md").read_text("utf-8")


@pytest.mark.parametrize("module", _modules())
def test_a_flow_is_deployed_with_owner_limit_and_page_and_its_stages_are_tried_again(module: str) -> None:
    flow = _flow_of(module)
    entry = deployed(flow.name)
    assert entry.entrypoint == f"flows/{module}.py:{module}"
    assert entry.owner in ("operator", "cataloguer")
    assert entry.limit >= 1
    assert entry.description.endswith(".")
    assert (ROOT / entry.docs.partition("#")[0]).is_file()
    assert entry.parameters.keys() <= flow.parameters.properties.keys()
    needed = set(flow.parameters.required) - entry.parameters.keys()
    assert entry.cron is None or needed == set(), f"a scheduled run of {flow.name} would lack {needed}"
    stages = FLOWS[flow.name].stages
    assert stages
    assert [each.title for each in stages if each.retries < 1] == []


@pytest.mark.parametrize("module", _modules())
def test_a_form_can_be_made_of_the_parameters_of_a_flow(module: str) -> None:
    schema = _flow_of(module).parameters.model_dump()
    shapes = {name: each.keys() & {"type", "anyOf", "allOf", "enum"} for name, each in schema["properties"].items()}
    assert [name for name, shape in shapes.items() if not shape] == []


@pytest.mark.parametrize("module", sorted(WELL))
def test_a_run_that_ends_well_is_recorded_as_done(module: str, home: Workplace, night: dict[str, Path]) -> None:
    ran = run(_flow_of(module), *WELL[module](home, night))
    assert ran.flow_run.state_name == "Completed"
    (row,) = recorded(home)
    assert (row.run_id, row.flow, row.state) == (str(ran.flow_run.id), _flow_of(module).name, "done")
    assert isinstance(json.loads(row.summary), dict)
    assert row.started_at <= row.finished_at


@pytest.mark.parametrize("module", _modules())
def test_a_run_that_fails_is_recorded_as_failed_with_the_reason(
    module: str, home: Workplace, night: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = BADLY[module](home, night)
    register = shutil.copytree(SAMPLE_REGISTER, tmp_path / "register")
    (register / "libraries.toml").write_text("[[library]]\nsigel = 7\n")
    monkeypatch.setenv("SAMKAT_REGISTER", str(register))
    ran = run(_flow_of(module), *arguments)
    assert ran.flow_run.state_name == "Failed"
    (row,) = recorded(home)
    assert (row.run_id, row.state, row.finished_at is not None) == (str(ran.flow_run.id), "failed", True)
    assert json.loads(row.summary)["error"]
