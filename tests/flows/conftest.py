"""Fixtures of the flows' tests: one real Prefect server for the session, and a home with the sample night."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.context import SyncClientContext
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from deployments.sample.night import SAMPLE_NIGHT, write_night
from tasks.workplace import Workplace, workplace

HERE = Path(__file__).parent
SEED = 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, these keep two of them busy, each with a server: one would be the last."""
    files = sorted({item.path for item in items if item.path.is_relative_to(HERE)})
    half = {path: number % 2 for number, path in enumerate(files)}
    for item in items:
        if item.path in half:
            item.add_marker(pytest.mark.xdist_group(f"flows-{half[item.path]}"))


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    """Prefect's server in a process of its own, on a database that is gone afterwards; one client for all tests.

    Runs here send no heartbeats, since one that does ends up to a second late; where they matter a test asks for them.
    """
    told = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.3}
    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings(told),
        SyncClientContext.get_or_create(),
    ):
        yield


@pytest.fixture
def heartbeats() -> Iterator[None]:
    """Runs say that they live."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}):
        yield


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of the sample night, by the word in their names that says what they show: `dagfil`, `utan-isbn`."""
    written = write_night(tmp_path_factory.mktemp("night"), SEED)
    return {path.name.rsplit("_", 1)[-1].split(".")[0]: path for _, path, _ in written}


@pytest.fixture
def home(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """A home on the day of the sample night, its warehouse empty; flows find it in the environment."""
    monkeypatch.setenv("SAMKAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAMKAT_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("SAMKAT_TODAY", SAMPLE_NIGHT.isoformat())
    place = workplace()
    place.zone.prepare([supplier.code for supplier in place.register.suppliers])
    yield place
    place.warehouse.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite warehouse, for what is no affair of the engine or is tried on both in tests/warehouse."""
    file = tmp_path / "warehouse.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"
