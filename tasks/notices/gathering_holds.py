"""From the warehouse to the operator's mails: deliveries of which something waits for approval."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.register.register import Register
from schemas.warehouse.core import core_plan
from schemas.warehouse.raw import raw_delivery
from tasks.notices.gathering_digests import supplier_name
from tasks.notices.holds import HeldClass, HeldDelivery
from tasks.notices.wording import Reason
from tasks.warehouse.bulk import id_set

_LEDGER = tuple(raw_delivery.c[name] for name in ("kind", "sender", "name", "state"))


def held_deliveries(connection: Connection, register: Register, deliveries: Collection[int]) -> list[HeldDelivery]:
    """One for each plan about one of `deliveries` that waits for a decision, in the order of deliveries."""
    change_class = core_plan.c["class"].label("change_class")
    rows = connection.execute(
        sa.select(core_plan, change_class, *_LEDGER)
        .join(raw_delivery, raw_delivery.c.delivery_id == core_plan.c.delivery_id)
        .where(
            core_plan.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)),
            core_plan.c.state == PlanState.HELD,
            sa.not_(raw_delivery.c.is_preview),
        )
        .order_by(core_plan.c.delivery_id, core_plan.c.plan_hash, change_class)
        .set_label_style(sa.LABEL_STYLE_DISAMBIGUATE_ONLY)
    ).all()
    return [
        _held(register, list(classes)) for _, classes in groupby(rows, key=lambda row: (row.delivery_id, row.plan_hash))
    ]


def _held(register: Register, classes: list[sa.Row[Any]]) -> HeldDelivery:
    first = classes[0]._mapping
    is_own = first[raw_delivery.c.kind] == "catalogue"
    return HeldDelivery(
        recipient=register.catalogue.operator,
        language=register.catalogue.language,
        delivery_id=first[core_plan.c.delivery_id],
        supplier_name=register.catalogue.name if is_own else supplier_name(register, first[raw_delivery.c.sender]),
        file_name=first[raw_delivery.c.name],
        plan_hash=first[core_plan.c.plan_hash],
        is_whole=first[raw_delivery.c.state] == DeliveryState.HELD,
        classes=tuple(
            HeldClass(
                change_class=row.change_class,
                planned=row.planned,
                population=row.population,
                limit=row.limit,
                reason=Reason(row.change_class, row.reason),
            )
            for row in classes
        ),
    )
