"""The counts of a delivery that its row in the ledger keeps: figures that the proof of conservation looks at."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, HoldingOutcome, RecordType
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_member, raw_record


def store_counts(connection: Connection, delivery_ids: Collection[int]) -> None:
    """Write the stored counts of the deliveries' rows in the ledger, from what is there.

    One statement for all of them. To be called again whenever outcomes are succeeded by new ones.
    """
    figures = _figures(delivery_ids)
    counts = {each.name: each for each in figures.c if each.name != "delivery_id"}
    connection.execute(
        sa.update(raw_delivery).where(raw_delivery.c.delivery_id == figures.c.delivery_id).values(counts)
    )


def _figures(delivery_ids: Collection[int]) -> sa.Subquery:
    """The stored counts of each delivery, named as the columns of raw_delivery."""
    record, outcome = raw_record.c, core_outcome.c
    is_holding = record.record_type == RecordType.HOLDING
    embedded = (
        sa.select(sa.func.sum(raw_member.c.embedded_holdings))
        .where(raw_member.c.delivery_id == record.delivery_id)
        .scalar_subquery()
    )
    records = (
        sa.select(
            record.delivery_id,
            _sum_where(record.record_type != RecordType.UNREADABLE).label("records_read"),
            _sum_where(record.record_type == RecordType.UNREADABLE).label("records_unreadable"),
            _sum_where(record.record_type == RecordType.BIB).label("bibs_read"),
            (_sum_where(is_holding) + sa.func.coalesce(embedded, 0)).label("holdings_read"),
        )
        .where(record.delivery_id.in_(delivery_ids))
        .group_by(record.delivery_id)
        .subquery()
    )
    kinds = [("bibs", RecordType.BIB, each.value) for each in BibOutcome]
    kinds += [("holdings", RecordType.HOLDING, each.value) for each in HoldingOutcome]
    outcomes = (
        sa.select(
            outcome.delivery_id,
            *(
                _sum_where(sa.and_(outcome.record_type == of, outcome.outcome == name)).label(f"{things}_{name}")
                for things, of, name in kinds
            ),
        )
        .where(outcome.delivery_id.in_(delivery_ids), outcome.is_latest)
        .group_by(outcome.delivery_id)
        .subquery()
    )
    delivery = raw_delivery.alias("delivery")
    counted = [
        sa.func.coalesce(each, 0).label(each.name) for each in (*records.c, *outcomes.c) if each.name != "delivery_id"
    ]
    return (
        sa.select(delivery.c.delivery_id, *counted)
        .select_from(
            delivery.outerjoin(records, records.c.delivery_id == delivery.c.delivery_id).outerjoin(
                outcomes, outcomes.c.delivery_id == delivery.c.delivery_id
            )
        )
        .where(delivery.c.delivery_id.in_(delivery_ids))
        .subquery()
    )


def _sum_where(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))
