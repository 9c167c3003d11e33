"""From the warehouse to the operator's mails: deliveries of which something waits for approval.

A file of persons that waits as a whole is told in words of its own: gathering_patrons.py.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Any, Literal

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

PATRON = "patron"
"""Kind of a delivery of persons."""
WHOLE_FILE = "file:"
"""How the classes begin under which a file of persons waits as a whole."""
WITHOUT_FILE = ("patron-update", "patron-retention")
"""Flows whose plans are about persons and come from no file."""
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
            sa.not_(waits_as_whole_file()),
        )
        .order_by(core_plan.c.delivery_id, core_plan.c.plan_hash, change_class)
        .set_label_style(sa.LABEL_STYLE_DISAMBIGUATE_ONLY)
    ).all()
    return [
        _held(register, list(classes)) for _, classes in groupby(rows, key=lambda row: (row.delivery_id, row.plan_hash))
    ]


def held_plans(connection: Connection, register: Register) -> list[HeldDelivery]:
    """Plans about persons that come from no file (instant updates, erasing) and wait for a decision, oldest first."""
    change_class = core_plan.c["class"].label("change_class")
    rows = connection.execute(
        sa.select(core_plan, change_class)
        .where(
            core_plan.c.delivery_id.is_(None),
            core_plan.c.flow.in_(WITHOUT_FILE),
            core_plan.c.state == PlanState.HELD,
        )
        .order_by(core_plan.c.created_at, core_plan.c.plan_hash, change_class)
    ).all()
    return [_held_plan(register, list(classes)) for _, classes in groupby(rows, key=lambda row: row.plan_hash)]


def _held_plan(register: Register, classes: list[sa.Row[Any]]) -> HeldDelivery:
    first = classes[0]
    institution, _, source = first.scope.partition(":")
    return HeldDelivery(
        recipient=register.catalogue.operator,
        language=register.catalogue.language,
        delivery_id=0,
        supplier_name=sender_name(register, PATRON, source) if source else institution,
        file_name="",
        plan_hash=first.plan_hash,
        is_whole=False,
        classes=_classes(classes),
        words="held_plan",
        asked=first.created_at.isoformat(),
    )


def waits_as_whole_file() -> sa.ColumnElement[bool]:
    """Whether a row of core_plan, joined to raw_delivery, is about a file of persons as a whole."""
    begins = core_plan.c["class"].startswith(WHOLE_FILE, autoescape=True)
    return sa.and_(raw_delivery.c.kind == PATRON, begins)


def sender_name(register: Register, kind: str, sender: str) -> str:
    """Who sent a delivery, as it stands in e-mails; the code where the register no longer has it."""
    if kind == "catalogue":
        return register.catalogue.name
    source = register.patron_source_by_code.get(sender) if kind == PATRON else None
    return source.name if source else supplier_name(register, sender)


_WORDS: dict[str, Literal["held_persons", "held_import"]] = {PATRON: "held_persons", "import": "held_import"}


def _held(register: Register, classes: list[sa.Row[Any]]) -> HeldDelivery:
    first = classes[0]._mapping
    kind = first[raw_delivery.c.kind]
    return HeldDelivery(
        recipient=register.catalogue.operator,
        language=register.catalogue.language,
        delivery_id=first[core_plan.c.delivery_id],
        supplier_name=sender_name(register, kind, first[raw_delivery.c.sender]),
        file_name=first[raw_delivery.c.name],
        plan_hash=first[core_plan.c.plan_hash],
        is_whole=first[raw_delivery.c.state] == DeliveryState.HELD,
        classes=_classes(classes),
        words=_WORDS.get(kind, "held"),
    )


def _classes(classes: list[sa.Row[Any]]) -> tuple[HeldClass, ...]:
    return tuple(
        HeldClass(
            change_class=row.change_class,
            planned=row.planned,
            population=row.population,
            limit=row.limit,
            reason=Reason(row.change_class, row.reason),
        )
        for row in classes
    )
