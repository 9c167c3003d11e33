"""What the integration tests share: real servers, and figures shown at the end of the run, passed or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.servers import (
    Postgres,
    PrefectServer,
    Production,
    production_home,
    running_postgres,
    running_prefect,
)

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines that a test wants a person to see."""
    return pytestconfig.stash.setdefault(FIGURES, [])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Debian's PostgreSQL, one server for the session. Who stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def prefect_on_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Prefect's server on PostgreSQL, one for the session. Who stops it starts it again."""
    with running_prefect(tmp_path_factory.mktemp("prefect"), postgres) as server:
        yield server


@pytest.fixture
def production(postgres: Postgres, prefect_on_postgres: PrefectServer, tmp_path: Path) -> Iterator[Production]:
    """A new home with a warehouse of its own on PostgreSQL; deployments and workers are the test's affair."""
    with production_home(tmp_path, postgres, prefect_on_postgres) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the figures, which pytest would swallow with the output of tests that pass."""
    lines = config.stash.get(FIGURES, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
