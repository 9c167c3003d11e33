"""Plans of imports as people see them: read from the warehouse, nothing of the engine with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_plan
from schemas.warehouse.imports import raw_import

CLASS = "import"
"""The one class of change of an import's plan: it is approved as a whole."""


class Shown(NamedTuple):
    """The plan of a delivery as people see it; samples as `Sample` has them."""

    delivery_id: int
    plan_hash: str
    state: str
    counts: dict[str, int]
    warnings: str
    samples: list[dict[str, Any]]


def shown_plans(connection: Connection, delivery_ids: Sequence[int]) -> list[Shown]:
    """The plans of these deliveries as they were noted last: `held`, what was decided, or `planned` by a dry run."""
    rows = connection.execute(
        sa.select(raw_import, core_plan.c.state)
        .outerjoin(core_plan, sa.and_(core_plan.c.plan_hash == raw_import.c.plan_hash, core_plan.c["class"] == CLASS))
        .where(raw_import.c.delivery_id.in_(list(delivery_ids)), raw_import.c.plan_hash.is_not(None))
        .order_by(raw_import.c.delivery_id)
    )
    return [
        Shown(
            row.delivery_id, row.plan_hash, row.state or "planned", kept["counts"], kept["warnings"],
            orjson.loads(row.samples),
        )
        for row in rows
        for kept in [orjson.loads(row.planned)]
    ]  # fmt: skip
