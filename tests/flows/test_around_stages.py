"""What surrounds the stages of a run waits for a warehouse that is away: its turn, its row in core_run."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
import sqlalchemy as sa
from prefect.concurrency._leases import maintain_concurrency_lease

from flows.pipeline import PLACE_LOST, pipeline
from schemas.warehouse.core import core_run
from tasks.warehouse.turns import taken_subjects
from tasks.workplace import Workplace
from tests.flows.runs import run

pytestmark = pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)

SHUT_SECONDS = 2.0


def shut_for_a_moment(home: Workplace) -> None:
    """The database breaks off every connection and refuses new ones for some seconds."""
    url = sa.make_url(home.settings.warehouse_url.get_secret_value())
    admin = sa.create_engine(
        url.set(drivername="postgresql+psycopg", database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    )

    def execute(statement: str) -> None:
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)

    execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
    execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.database}'")
    opens = f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"
    threading.Timer(SHUT_SECONDS, execute, [opens]).start()


def states(home: Workplace) -> list[tuple[str, str]]:
    with home.warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(core_run.c.state, core_run.c.summary))]


def test_a_run_that_begins_while_the_warehouse_is_away_waits_for_it(home: Workplace) -> None:
    @pipeline(name="night-work", run_name="night-work", timeout_seconds=60, turn_at="night-work")
    def night_work() -> dict[str, int]:
        return {"rows": 1}

    shut_for_a_moment(home)
    assert run(night_work).value == {"rows": 1}
    assert states(home) == [("done", '{"rows":1}')]
    with home.warehouse.read() as connection:
        assert taken_subjects(connection) == frozenset()


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
def test_how_a_run_ended_is_noted_when_the_warehouse_is_away_just_then(home: Workplace, fails: bool) -> None:
    @pipeline(name="night-work", run_name="night-work", timeout_seconds=60, turn_at="night-work")
    def night_work() -> dict[str, int]:
        shut_for_a_moment(home)
        if fails:
            raise ValueError("wrong in the record")
        return {"rows": 1}

    ran = run(night_work)
    if fails:
        with pytest.raises(ValueError, match="wrong in the record"):
            ran.state.result()
    assert states(home) == ([("failed", '{"error":"wrong in the record"}')] if fails else [("done", '{"rows":1}')])


def test_a_run_whose_place_is_lost_is_crashed_and_not_timed_out(home: Workplace) -> None:
    @pipeline(name="night-work", run_name="night-work", timeout_seconds=600)
    def night_work() -> dict[str, int]:
        # As Prefect keeps the place of a run of a deployment; of this one its server knows nothing, as after a restart.
        with maintain_concurrency_lease(uuid.uuid4(), 1, raise_on_lease_renewal_failure=True):
            for _ in range(600):
                time.sleep(0.1)
        return {"rows": 1}

    state = run(night_work).state
    assert (state.is_crashed(), state.message) == (True, PLACE_LOST)
    assert [(name, PLACE_LOST in summary) for name, summary in states(home)] == [("failed", True)]


def test_a_run_over_its_time_limit_is_timed_out_and_not_taken_up_again(home: Workplace) -> None:
    @pipeline(name="night-work", run_name="night-work", timeout_seconds=1)
    def night_work() -> dict[str, int]:
        for _ in range(600):
            time.sleep(0.1)
        return {"rows": 1}

    state = run(night_work).state
    assert (state.name, state.is_failed()) == ("TimedOut", True)
    assert states(home) == [("failed", '{"error":"it took longer than its limit of 1 s"}')]
