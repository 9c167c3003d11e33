"""What ran: a row a flow run, so that `samkat status` and a person at night need no Prefect server to see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_run
from tasks.warehouse.engine import Warehouse


def start_run(warehouse: Warehouse, run_id: str, flow: str, subject: str, now: datetime) -> None:
    """Note that a run has begun; a retried run begins anew."""
    with warehouse.write() as connection:
        connection.execute(sa.delete(core_run).where(core_run.c.run_id == run_id))
        connection.execute(
            sa.insert(core_run).values(
                run_id=run_id, flow=flow, subject=subject, state="running", summary="{}", started_at=now
            )
        )


def finish_run(warehouse: Warehouse, run_id: str, state: str, summary: Mapping[str, Any], now: datetime) -> None:
    """Note how a run ended: done, held or failed, with its totals."""
    with warehouse.write() as connection:
        connection.execute(
            sa.update(core_run)
            .where(core_run.c.run_id == run_id)
            .values(state=state, summary=orjson.dumps(dict(summary)).decode(), finished_at=now)
        )


def open_runs(connection: Connection, before: datetime) -> list[str]:
    """Ids of runs that began before this instant and have not noted how they ended; oldest first."""
    return list(
        connection.execute(
            sa.select(core_run.c.run_id)
            .where(core_run.c.state == "running", core_run.c.started_at < before)
            .order_by(core_run.c.started_at)
        ).scalars()
    )
