"""Stages of the landing zone: receiving what waits, and closing what is done."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError
from schemas.outcomes import DeliveryState
from schemas.register.suppliers import FileRules
from schemas.warehouse.raw import raw_delivery, raw_delivery_name, raw_progress
from tasks.batch import PROOF
from tasks.landing.feeds import as_markdown as feeds_as_markdown
from tasks.landing.feeds import feeds_of, judge_feeds, note_feeds
from tasks.landing.pruning import remove_old_files
from tasks.landing.receiving import Receiving, receive_file
from tasks.landing.zone import NotLandedError
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace, workplace

UNFINISHED = (DeliveryState.RECEIVED, DeliveryState.STAGED, DeliveryState.MATCHED, DeliveryState.LOADED)


@stage()
def receive(supplier: str, uris: list[str], *, again: bool = False, dry_run: bool = False) -> list[int]:
    """Enter waiting files in the ledger and put their originals away; also takes up what an earlier run left."""
    place = workplace()
    known = place.supplier(supplier)
    receiving = Receiving(
        kind="supplier",
        sender=supplier,
        rules=known.file,
        limits=place.unpack_limits,
        now=place.now,
        today=place.today,
        again=again,
        is_preview=dry_run,
    )
    ids = _receive_each(place, uris, receiving)
    return ids if dry_run else ids + [each for each in _left(place.warehouse, supplier) if each not in ids]


@stage(name="receive")
def receive_export(uris: list[str], mode: str, *, dry_run: bool = False) -> list[int]:
    """Enter exports of the union catalogue in the ledger and put their originals away."""
    place = workplace()
    receiving = Receiving(
        kind="catalogue",
        sender="catalogue",
        rules=FileRules(),
        limits=place.unpack_limits,
        now=place.now,
        today=place.today,
        mode=mode,
        is_preview=dry_run,
    )
    return _receive_each(place, uris, receiving)


def _receive_each(place: Workplace, uris: list[str], receiving: Receiving) -> list[int]:
    """Receive each file; one that cannot be taken now stays where it is, is logged, and stops no other.

    Raises what was wrong where nothing at all could be received, and any passing fault.
    """
    ids: list[int] = []
    refused: list[SamkatError] = []
    for uri in uris:
        try:
            ids.append(receive_file(place.warehouse, place.zone, uri, receiving).delivery_id)
        except SamkatError as error:
            taken = _taken_from(place.warehouse, uri) if isinstance(error, NotLandedError) else None
            if taken is not None:
                # This stage before it was tried again, or another run.
                ids.append(taken)
                continue
            stage_logger().error("%s could not be received and stays where it is: %s", uri, error)
            refused.append(error)
    if refused and not ids:
        raise refused[0]
    return list(dict.fromkeys(ids))


def _taken_from(warehouse: Warehouse, uri: str) -> int | None:
    """The delivery that was taken from `uri` last, or None where none was."""
    with warehouse.read() as connection:
        return connection.execute(
            sa.select(raw_delivery_name.c.delivery_id)
            .where(raw_delivery_name.c.uri == uri)
            .order_by(raw_delivery_name.c.seen_at.desc(), raw_delivery_name.c.delivery_id.desc())
            .limit(1)
        ).scalar_one_or_none()


def _left(warehouse: Warehouse, supplier: str) -> list[int]:
    """Deliveries of the supplier that a killed run left on the way, and held ones that may have been approved."""
    with warehouse.read() as connection:
        return list(
            connection.execute(
                sa.select(raw_delivery.c.delivery_id)
                .where(
                    raw_delivery.c.kind == "supplier",
                    raw_delivery.c.sender == supplier,
                    sa.or_(raw_delivery.c.state.in_([*UNFINISHED, DeliveryState.HELD]), _is_rejected_unproved()),
                    sa.not_(raw_delivery.c.is_preview),
                )
                .order_by(raw_delivery.c.delivery_id)
            ).scalars()
        )


def _is_rejected_unproved() -> sa.ColumnElement[bool]:
    """Rejected by a run that was killed before it had counted the records and told the supplier."""
    proof = sa.exists().where(
        raw_progress.c.delivery_id == raw_delivery.c.delivery_id,
        raw_progress.c.stage == PROOF,
        raw_progress.c.done_at.is_not(None),
    )
    return sa.and_(raw_delivery.c.state == DeliveryState.REJECTED, sa.not_(proof))


@stage()
def forget_preview(deliveries: list[int], uris: list[str]) -> Counter[str]:
    """Remove the copies that a dry run was handed; files that wait in the landing zone stay where they are."""
    zone = workplace().zone
    handed = [uri for uri in uris if zone.key_of(uri).startswith("handed/")]
    for uri in handed:
        zone.delete(uri)
    return Counter(copies=len(handed))


@stage()
def check_feeds() -> Counter[str]:
    """Judge whether each feed came in its rhythm, and keep what was found as today's rows of out_feed."""
    place = workplace()
    zone = ZoneInfo(place.settings.timezone)
    with place.warehouse.write() as connection:
        found = judge_feeds(connection, feeds_of(place.register), zone, place.settings.as_of())
        note_feeds(connection, found, checked_on=place.today, zone=zone, now=place.now)
    if run_id() is not None:
        create_markdown_artifact(feeds_as_markdown(found, zone), key="feeds", description="What came in its rhythm")
    return Counter(feeds=len(found)) + Counter(each.rule.replace("_", " ") for each in found)


@stage()
def remove_old() -> Counter[str]:
    """Remove files made for people that are older than the register keeps them: rejects, reports, handed copies."""
    place = workplace()
    return remove_old_files(place.warehouse, place.zone, place.register.retention, place.now)
