"""Stages of the landing zone: receiving what waits, and closing what is done."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError, UsageError
from schemas.register.suppliers import FileRules
from schemas.warehouse.raw import raw_delivery_name
from tasks import starting
from tasks.landing.feeds import as_markdown as feeds_as_markdown
from tasks.landing.feeds import feeds_of, judge_feeds, note_feeds
from tasks.landing.left_behind import left_by_sender, left_of
from tasks.landing.looking import Look, look, stale_markers, within
from tasks.landing.pruning import remove_old_files as remove_older
from tasks.landing.receiving import Receiving, receive_file
from tasks.landing.starts import (
    ACCOUNTS_FLOW,
    CUSTOMERS_FLOW,
    PATRONS_FLOW,
    TRIALS_FLOW,
    Start,
    lists_of_customers,
    plan_starts,
)
from tasks.landing.waiting import as_markdown as waiting_as_markdown
from tasks.landing.zone import NotLandedError
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.turns import taken_subjects
from tasks.workplace import Workplace, workplace


@stage()
def receive(supplier: str, uris: list[str], *, again: bool = False, dry_run: bool = False) -> list[int]:
    """Enter waiting files in the ledger and put their originals away; also takes up what an earlier run left.

    Raises `UsageError` for a supplier in the sandbox, unless it is a dry run.
    """
    place = workplace()
    known = place.supplier(supplier)
    if known.sandbox and not dry_run:
        raise UsageError(
            f"{supplier} is in the sandbox: nothing of it is loaded",
            remedy="`samkat suppliers test` tries its files; take `sandbox` away in suppliers.toml when it is ready",
        )
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
    ids = receive_each(place, uris, receiving)
    if not dry_run:
        _delete_stale_markers(place, supplier, known.file.marker)
    return ids if dry_run else ids + [each for each in _left(place.warehouse, supplier) if each not in ids]


@stage(name="receive")
def receive_import(profile: str, uris: list[str], *, again: bool = False, dry_run: bool = False) -> list[int]:
    """Enter files of another base in the ledger; also takes up what an earlier run of the profile left, or held."""
    place = workplace()
    receiving = Receiving(
        kind="import",
        sender=place.import_profile(profile).code,
        rules=FileRules(),
        limits=place.unpack_limits,
        now=place.now,
        today=place.today,
        again=again,
        is_preview=dry_run,
    )
    ids = receive_each(place, uris, receiving)
    return ids if dry_run else ids + [each for each in _left(place.warehouse, profile) if each not in ids]


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
    return receive_each(place, uris, receiving)


def receive_each(place: Workplace, uris: list[str], receiving: Receiving) -> list[int]:
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
    with warehouse.read() as connection:
        return left_of(connection, supplier)


def _delete_stale_markers(place: Workplace, supplier: str, marker: str | None) -> None:
    """Marker files go with the files that they spoke of: the next file of the same name must wait for its own."""
    if marker is not None:
        for each in stale_markers(place.zone.waiting(supplier), marker):
            place.zone.delete(each.uri)


@stage()
def look_for_work(days: int | None = None) -> list[Start]:
    """See which senders have whole files waiting, or deliveries that a run left, and nobody at work on them.

    With `days`, files whose business date is longer ago are left alone. Looks twice where files wait: one that grows
    under an old time is seen by that.
    """
    place = workplace()
    files = place.register.files_by_sender
    quiet = place.settings.stable_seconds
    seen = look(place.zone.waiting(), files, place.now, quiet)
    if seen.taken:
        time.sleep(quiet)
        seen = look(place.zone.waiting(), files, place.now, quiet, earlier=seen.sightings)
    if days is not None:
        zone = ZoneInfo(place.settings.timezone)
        seen = within(seen, files, zone, place.today - timedelta(days=days))
    starts = what_to_start(place, seen)
    if run_id() is not None:
        create_markdown_artifact(waiting_as_markdown(seen, starts), key="landing-zone", description="What waits")
    return starts


def what_to_start(place: Workplace, seen: Look) -> list[Start]:
    """The runs to start for a look at the landing zone: the plan that the sweep and the watcher share."""
    with place.warehouse.read() as connection:
        unfinished = left_by_sender(connection)
        busy = {each.partition(":")[2] for each in taken_subjects(connection)}
    # What a supplier has left on the way waits while it is in the sandbox: nothing of it is loaded then.
    trying = {each.code for each in place.register.suppliers if each.sandbox}
    known = {
        sender: left
        for sender, left in unfinished.items()
        if sender in place.register.files_by_sender and sender not in trying
    }
    deliveries, lists = lists_of_customers(seen.taken, place.register.supplier_by_code)
    starts = [_of_its_flow(place, each) for each in plan_starts(deliveries, known, busy)]
    return starts + [replace(each, flow=CUSTOMERS_FLOW) for each in plan_starts(lists, {}, busy)]


def _of_its_flow(place: Workplace, start: Start) -> Start:
    """The start with the flow that takes it: an export of a library system goes to its institution's first source.

    What a supplier in the sandbox sends is tried.
    """
    if start.sender in place.register.patron_source_by_code:
        return replace(start, flow=PATRONS_FLOW)
    supplier = place.register.supplier_by_code.get(start.sender)
    if supplier is not None and supplier.sandbox:
        return replace(start, flow=TRIALS_FLOW)
    if start.sender in place.register.account_source_by_code:
        return replace(start, flow=ACCOUNTS_FLOW)
    institution = next((each.institution for each in place.register.patron_targets if each.code == start.sender), None)
    if institution is None:
        return start
    sources = [each.code for each in place.register.patron_sources if each.institution == institution]
    return replace(start, flow=PATRONS_FLOW, by_run_of=sources[0])


@stage()
def start_runs(starts: list[Start]) -> Counter[str]:
    """Start one run a sender, with everything that waits; the same files give the same run."""
    started = starting.start_runs(starts, tag="sweep")
    for each in started:
        stage_logger().info("%s: %s (run %s)", each.sender, each.said, each.flow_run_id)
    return Counter(runs=sum(each.is_new for each in started), files=sum(each.files for each in started if each.is_new))


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
def remove_old_files() -> Counter[str]:
    """Remove files made for people that are older than the register keeps them: rejects, reports, handed copies."""
    place = workplace()
    return remove_older(place.warehouse, place.zone, place.register.retention, place.now)
