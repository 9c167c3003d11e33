"""Stages of the patron sync: receiving files of persons, planning, guarding, carrying out, proving and settling."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.errors import DeliveryRejectedError, SamkatError
from schemas.outcomes import DeliveryState, PlanState
from schemas.register.patron_limits import PatronChange
from schemas.summaries import PatronSummary
from schemas.warehouse.core import core_plan
from schemas.warehouse.patrons import stage_patron, stage_patron_due
from schemas.warehouse.raw import raw_delivery
from tasks.batch import each_delivery, rows_in_state
from tasks.landing.receiving import original, reject
from tasks.patrons import applying, planning
from tasks.patrons.checking import CLASS_PREFIX, used_before
from tasks.patrons.checking import check_file as judge_file
from tasks.patrons.checking_changes import check_changes as judge_plan
from tasks.patrons.conservation import prove_file
from tasks.patrons.file_guards import Manifest, read_manifest
from tasks.patrons.guarding import guard_file, held_classes
from tasks.patrons.guards import FLOW
from tasks.patrons.planning import PlanningFile
from tasks.patrons.receiving import KIND, PatronReceiving, forget_staged, receive_patron_file
from tasks.patrons.staging import StagingFile, stage_file
from tasks.patrons.summary import as_markdown, previewed, summaries
from tasks.plans.plan import GuardedClass
from tasks.plans.store import resolve, show
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.ledger import delivery, set_state
from tasks.warehouse.read_backs import held_read_backs
from tasks.workplace import Workplace, workplace


@dataclass(frozen=True)
class PatronsCarried:
    """What came of a decision on a patron plan; `sources` have a file that may go on, or that was rejected."""

    said: dict[str, str]
    problems: dict[str, str]
    sources: tuple[str, ...] = ()


UNFINISHED = (DeliveryState.RECEIVED, DeliveryState.STAGED, DeliveryState.MATCHED, DeliveryState.LOADED)


@stage(name="receive")
def receive_files(source: str, uris: list[str], *, again: bool = False, dry_run: bool = False) -> list[int]:
    """Enter waiting files of persons in the ledger, without national ids; the oldest day first."""
    place = workplace()
    known = place.patron_source(source)
    receiving = PatronReceiving(known, place.today, place.now, again=again, is_preview=dry_run)
    suffix = known.file.manifest
    manifests = {uri.rsplit("/", 1)[-1]: uri for uri in uris if suffix and uri.endswith(suffix)}
    ids: list[int] = []
    refused: list[SamkatError] = []
    for uri in uris:
        name = uri.rsplit("/", 1)[-1]
        if name in manifests:
            continue
        beside = manifests.get(f"{name}{suffix}", f"{uri}{suffix}")
        try:
            manifest = _manifest(place, beside) if suffix else None
            ids.append(receive_patron_file(place.warehouse, place.zone, uri, receiving, manifest).delivery_id)
            if manifest is not None and not dry_run:
                place.zone.delete(beside)
        except SamkatError as error:
            stage_logger().error("%s could not be received and stays where it is: %s", name, error)
            refused.append(error)
    if refused and not ids:
        raise refused[0]
    return _in_order(place, ids if dry_run else [*ids, *_left(place, source)])


def _manifest(place: Workplace, uri: str) -> Manifest | None:
    if not place.zone.exists(uri):
        return None
    with place.zone.open(uri) as stream:
        return read_manifest(stream.read(64 * 1024), uri.rsplit("/", 1)[-1])


def _left(place: Workplace, source: str) -> list[int]:
    """Files that a killed run left on the way, and held ones that may have been decided."""
    waits = sa.exists().where(
        core_plan.c.delivery_id == raw_delivery.c.delivery_id, core_plan.c.state == PlanState.HELD
    )
    is_decided = sa.and_(raw_delivery.c.state == DeliveryState.HELD, sa.not_(waits))
    with place.warehouse.read() as connection:
        return list(
            connection.execute(
                sa.select(raw_delivery.c.delivery_id).where(
                    raw_delivery.c.kind == KIND,
                    raw_delivery.c.sender == source,
                    sa.not_(raw_delivery.c.is_preview),
                    sa.or_(raw_delivery.c.state.in_(UNFINISHED), is_decided),
                )
            ).scalars()
        )


def _in_order(place: Workplace, ids: Sequence[int]) -> list[int]:
    """The oldest day first: a night is planned from what the night before it has left."""
    with place.warehouse.read() as connection:
        return list(
            connection.execute(
                sa.select(raw_delivery.c.delivery_id)
                .where(raw_delivery.c.delivery_id.in_(set(ids)))
                .order_by(raw_delivery.c.business_date, raw_delivery.c.received_at, raw_delivery.c.delivery_id)
            ).scalars()
        )


@stage()
def stage_persons(delivery_id: int) -> Counter[str]:
    """Read each person of a file; those that are as they were merged last are passed by."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        source = place.patron_source(row.sender)
        file = StagingFile(row.delivery_id, row.name, source, place.register.patron_policy.version, _day(place, row))
        with place.warehouse.read() as connection:
            uri = row.uri if row.is_preview else original(place.zone, connection, row)
        try:
            with place.zone.open(uri) as stream:
                counts = stage_file(place.warehouse, stream, file, place.now)
        except DeliveryRejectedError as why:
            reject(
                place.warehouse, place.zone, row.delivery_id, why, place.now, lambda c: forget_staged(c, delivery_id)
            )
            return Counter(files_rejected=1)
        with place.warehouse.write() as connection:
            read = planning.file_row(connection, row.delivery_id)
            set_state(
                connection,
                row.delivery_id,
                DeliveryState.STAGED,
                only_from=[DeliveryState.RECEIVED],
                flow_run_id=run_id(),
                records_read=read.rows_read - read.rows_rejected,
                records_unreadable=read.rows_rejected,
            )
        return counts

    return each_delivery(rows_in_state(place.warehouse, [delivery_id], [DeliveryState.RECEIVED]), work)


def _day(place: Workplace, row: sa.Row[Any]) -> Any:
    """The day on which a file counts: its own, and never one to come."""
    return min(row.business_date, place.today)


@stage()
def check_file(delivery_id: int) -> Counter[str]:
    """Is the file what its sender promised, and like the one before? What is not waits for approval, as a whole."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        with place.warehouse.write() as connection:
            found = judge_file(connection, row, place.patron_source(row.sender), now=place.now, run_id=run_id())
        return Counter(f"finding {each.rule}" for each in found)

    states = [DeliveryState.STAGED, DeliveryState.HELD]
    return each_delivery(rows_in_state(place.warehouse, [delivery_id], states), work)


@stage()
def plan_changes(delivery_id: int) -> Counter[str]:
    """Work out and store what the file would do to each person, before anything is written."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        counts = planning.plan_rows(place.warehouse, planning_file(place, row), place.now)
        # Only now is it known which rows could not be placed.
        return counts + planning.plan_the_due(place.warehouse, planning_file(place, row), place.now)

    return each_delivery(rows_in_state(place.warehouse, [delivery_id], [DeliveryState.MATCHED]), work)


@stage()
def check_changes(delivery_id: int) -> Counter[str]:
    """Does a field change for too many persons at once? Then the file waits for approval, as a whole."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        file = planning_file(place, row)
        with place.warehouse.write() as connection:
            found = judge_plan(connection, row, file, now=place.now, run_id=run_id())
        return Counter(f"finding {each.rule}" for each in found)

    return each_delivery(rows_in_state(place.warehouse, [delivery_id], [DeliveryState.MATCHED]), work)


def planning_file(place: Workplace, row: sa.Row[Any]) -> PlanningFile:
    """How the file of this ledger row is planned."""
    source = place.patron_source(row.sender)
    with place.warehouse.read() as connection:
        file = planning.file_row(connection, row.delivery_id)
        failed = planning.failed_rows(connection, row.delivery_id)
        seen_before = used_before(connection, row.sender, row.business_date)
    return PlanningFile(
        delivery_id=row.delivery_id,
        source=source,
        policy=place.register.patron_policy,
        own_ranks=own_ranks(place, source.institution),
        day=_day(place, row),
        salt=place.patron_salt,
        is_complete=file.is_complete,
        failed_rows=failed,
        seen_before=seen_before,
    )


def own_ranks(place: Workplace, institution: str) -> dict[str, int]:
    """Precedence of the sources of an institution."""
    return {each.code: each.precedence for each in place.register.patron_sources if each.institution == institution}


@stage()
def apply_changes(delivery_id: int) -> Counter[str]:
    """Ask the guards, carry out what they let through, and leave the other classes for approval."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        file, mine = planning_file(place, row), run_id() or str(uuid.uuid4())
        with place.warehouse.write(applying.PATRONS_LOCK) as connection:
            _, held = guard_file(connection, file, now=place.now, run_id=run_id())
        counts = applying.apply_rows(place.warehouse, file, held, now=place.now, run_id=mine)
        counts += applying.apply_due(place.warehouse, file, held, now=place.now, run_id=mine)
        with place.warehouse.write() as connection:
            set_state(connection, row.delivery_id, DeliveryState.LOADED, only_from=[DeliveryState.MATCHED])
        return counts + Counter({f"held {each}": 1 for each in held})

    return each_delivery(rows_in_state(place.warehouse, [delivery_id], [DeliveryState.MATCHED]), work)


@stage(name="preview")
def preview_changes(delivery_ids: list[int]) -> list[PatronSummary]:
    """What would be done and what would be held; then the working set of the dry run is forgotten."""
    place = workplace()
    guarded: dict[int, Sequence[GuardedClass]] = {}
    looked_at: list[int] = []
    for row in rows_in_state(place.warehouse, delivery_ids, list(DeliveryState)):
        if not row.is_preview:
            continue  # it was taken before: what became of it stays as it is
        looked_at.append(row.delivery_id)
        if row.state != DeliveryState.MATCHED:
            continue
        file = planning_file(place, row)
        with place.warehouse.write() as connection:
            guarded[row.delivery_id], _ = guard_file(connection, file, now=place.now, run_id=run_id(), is_preview=True)
            applying.store_counts(connection, row.delivery_id)
    with place.warehouse.write() as connection:
        found = [
            previewed(each, guarded.get(each.delivery_id, ())) if each.is_preview else each
            for each in summaries(connection, delivery_ids)
        ]
        for each in looked_at:
            forget_staged(connection, each)
    return found


@stage()
def prove_rows(delivery_id: int) -> Counter[str]:
    """Prove from the warehouse that every row ended in exactly one counted outcome; what does not add up fails."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        with place.warehouse.write() as connection:
            return Counter(prove_file(connection, row.delivery_id))

    return each_delivery(rows_in_state(place.warehouse, [delivery_id], [DeliveryState.LOADED]), work)


@stage(name="settle")
def settle_file(delivery_id: int) -> Counter[str]:
    """Close what is done: of the working set only what waits for approval is kept."""
    place = workplace()

    def work(row: sa.Row[Any]) -> None:
        with place.warehouse.write() as connection:
            held = held_classes(connection, row.delivery_id)
            for table in (stage_patron, stage_patron_due):
                listed = sa.literal(",") + table.c.classes + ","
                waits = sa.or_(sa.false(), *(listed.contains(f",{each},") for each in sorted(held)))
                connection.execute(sa.delete(table).where(table.c.delivery_id == row.delivery_id, sa.not_(waits)))
            set_state(
                connection, row.delivery_id, DeliveryState.SETTLED,
                only_from=[DeliveryState.LOADED], finished_at=place.now, hold_reason=None,
            )  # fmt: skip

    return each_delivery(rows_in_state(place.warehouse, [delivery_id], [DeliveryState.LOADED]), work)


@stage(name="summarise")
def summarise_files(source: str, deliveries: list[int], previews: list[PatronSummary] | None = None) -> list[Any]:
    """Say what became of each file; an artifact with counts, and no person."""
    place = workplace()
    with place.warehouse.read() as connection:
        found = previews if previews is not None else summaries(connection, deliveries)
        untaken = held_read_backs(connection, [place.patron_source(source).institution])
    if run_id() is not None and (found or untaken):
        create_markdown_artifact(
            as_markdown(f"Patrons of {source}", found, untaken),
            key=f"patrons-{source.lower()}",
            description="Files of persons",
        )
    stopped = [each for each in found if "stopped by an error" in each.reason]
    if stopped:
        raise SamkatError(
            f"{len(stopped)} files were stopped by an error: {stopped[0].reason}",
            remedy="the run that follows goes on where this one stopped",
        )
    return list(found)


def _apply_class(place: Workplace, plan: sa.Row[Any]) -> str:
    """Carry out a class of a file's plan that was approved; says what was done."""
    with place.warehouse.read() as connection:
        row = delivery(connection, plan.delivery_id)
    file, approved = planning_file(place, row), cast(PatronChange, plan._mapping["class"])
    mine = run_id() or str(uuid.uuid4())
    with place.warehouse.write(applying.PATRONS_LOCK) as connection:
        still = held_classes(connection, row.delivery_id) - {approved}
        counts = applying.apply_approved(connection, file, plan.plan_hash, approved, still, now=place.now, run_id=mine)
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing was left to do"


@stage()
def apply_patron_plan(plan_hash: str) -> PatronsCarried:
    """Carry out the classes of a patron plan that are approved; says which files may go on, and what was done."""
    place = workplace()
    with place.warehouse.read() as connection:
        full_hash = resolve(connection, plan_hash)
        rows = [row for row in show(connection, full_hash) if row.flow == FLOW]
    done: dict[str, str] = {}
    problems: dict[str, str] = {}
    waiting: list[str] = []
    for row in rows:
        name = row._mapping["class"]
        if name.startswith(CLASS_PREFIX):
            waiting.append(_source_of(place, row.delivery_id))
        elif row.state == PlanState.APPROVED:
            try:
                done[f"{name} of file {row.delivery_id}"] = _apply_class(place, row)
            except SamkatError as error:
                problems[name] = str(error)
    return PatronsCarried(done, problems, tuple(dict.fromkeys(waiting)))


def _source_of(place: Workplace, delivery_id: int) -> str:
    with place.warehouse.read() as connection:
        return str(delivery(connection, delivery_id).sender)
