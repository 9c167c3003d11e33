"""Stages about runs: finding dead ones, taking them up again, and starting one where somebody listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from prefect.runtime import deployment

from schemas.errors import UsageError
from schemas.runs import RunSeen
from tasks import orchestrator
from tasks.notices import telling
from tasks.notices.gathering_failures import deliveries_held_by, failed_run
from tasks.notices.patron_telling import tell_of_held_plans
from tasks.notices.stages import pages_of, teller_of
from tasks.runs.reaping import HEARTBEATS_MISSED, LOST, is_dead, is_in_doubt, verdict, will_be_taken_up
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.runs import finish_run, open_runs
from tasks.workplace import workplace

INGEST = "supplier-ingest/supplier-ingest"
IMPORT = "bib-import/bib-import"
LONGEST_WAIT_SECONDS = 3 * 3600
TELLING = "tell-operator"
HELD = "Held"
ENDINGS = {"completed": "done", "failed": "failed", "crashed": "failed", "cancelled": "failed"}
"""What `core_run` says of a run that Prefect has in this state."""
NOTED_AFTER = timedelta(minutes=10)
"""A run notes its end itself, with patience; only then is it done for it."""
WATCHED_SECONDS = 5
"""Beyond a heartbeat, so that one that is just due is still seen."""


@stage()
def find_dead_runs(within_hours: int, pending_minutes: float, silence_seconds: int | None) -> tuple[RunSeen, ...]:
    """Find runs that nobody works at any more: crashed, silent, or taken by a worker that never began.

    A silent one is watched for another heartbeat before it counts as dead: after the server was away, all are silent.
    """
    every = orchestrator.heartbeat_seconds() if silence_seconds is None else silence_seconds / HEARTBEATS_MISSED
    silence = timedelta(seconds=HEARTBEATS_MISSED * every)

    def look() -> list[RunSeen]:
        found = orchestrator.runs_in_doubt(timedelta(hours=within_hours), timedelta(minutes=pending_minutes))
        return [each for each in found if each.run_id != run_id() and is_dead(each, silence)]

    dead = look()
    if any(is_in_doubt(each) for each in dead):
        orchestrator.watch(every + WATCHED_SECONDS)
        before = {each.run_id for each in dead}
        dead = [each for each in look() if each.run_id in before]
    return tuple(dead)


@stage()
def reschedule_runs(dead: Sequence[RunSeen], most_attempts: int) -> Counter[str]:
    """Take dead runs up again; one that was lost too often fails for good, and its operator is told."""
    if most_attempts < 1:
        raise UsageError(f"{most_attempts} attempts are none", field="most_attempts", remedy="give 1 or more")
    counts: Counter[str] = Counter()
    for each in dead:
        decided = verdict(each, most_attempts, orchestrator.REAPED)
        if decided is None:
            continue
        if orchestrator.set_state_if_same(each, decided.to, decided.message):
            counts[decided.to] += 1
            stage_logger().warning("%s %s (%s): %s", each.flow, each.name, each.run_id, decided.message)
    return counts


@stage()
def close_ended_runs() -> Counter[str]:
    """Note how runs ended that could not note it themselves: killed, or the warehouse was away for too long."""
    place = workplace()
    with place.warehouse.read() as connection:
        unclosed = open_runs(connection, place.now - NOTED_AFTER)
    counts: Counter[str] = Counter()
    for each in unclosed:
        seen = orchestrator.ended_run(each)
        if seen is None or seen.state not in ENDINGS:
            continue
        state = "held" if seen.state_name == HELD else ENDINGS[seen.state]
        finish_run(place.warehouse, each, state, {"error": seen.message} if state == "failed" else {}, place.now)
        counts[state] += 1
    return counts


@stage()
def resubmit(suppliers: Sequence[str]) -> tuple[str, ...]:
    """Hand suppliers whose delivery may go on to the deployment of the ingest; returns those it does not take.

    None is taken where there is no deployment, or nobody looks for its runs. A person at a command line waits for the
    end, to see what came of it; a run on a worker does not, since it would keep the place of the one it waits for.
    """
    return _not_taken(INGEST, "supplier", suppliers)


@stage(name="resubmit")
def resubmit_imports(profiles: Sequence[str]) -> tuple[str, ...]:
    """As `resubmit`, import profiles whose files have been decided on."""
    return _not_taken(IMPORT, "profile", profiles)


def _not_taken(to: str, parameter: str, senders: Sequence[str]) -> tuple[str, ...]:
    """Start the deployment `to` for each of `senders`; returns those that nobody would take."""
    limit = 0 if deployment.id else LONGEST_WAIT_SECONDS
    left = []
    for sender in senders:
        started = orchestrator.start_where_somebody_listens(
            to,
            {parameter: sender, "uris": []},
            idempotency_key=f"{run_id()}|{sender}",
            limit_seconds=limit,
        )
        if started is None:
            left.append(sender)
    return tuple(left)


@stage()
def tell_of_run(flow_run_id: str, most_attempts: int) -> Counter[str]:
    """Queue what the operator is told of a run that failed, was lost for good, or is held; once a run.

    A crashed run that the reaper will take up is not worth a mail yet. A hold was told by the run itself, where that
    got so far: the same plan is queued once.
    """
    seen = orchestrator.ended_run(flow_run_id)
    if seen is None or seen.flow == TELLING or seen.is_subflow:
        return Counter(passed=1)
    place = workplace()
    teller = teller_of(place)
    if seen.state_name == HELD:
        with place.warehouse.read() as connection:
            deliveries = deliveries_held_by(connection, flow_run_id)
        pages = pages_of(flow_run_id)
        held = telling.tell_of_holds(place.warehouse, teller, deliveries, pages)
        return held + tell_of_held_plans(place.warehouse, teller, pages)
    is_crashed = seen.state == "crashed"
    if seen.state not in ("failed", "crashed") or (is_crashed and will_be_taken_up(seen, most_attempts)):
        return Counter(passed=1)
    with place.warehouse.read() as connection:
        failed = failed_run(
            connection,
            place.register,
            flow_run_id,
            flow=seen.flow,
            name=seen.name,
            message=seen.message,
            is_crashed=is_crashed or seen.message.startswith(LOST),
            again=f"prefect flow-run retry {flow_run_id}" if seen.has_deployment else None,
            page=orchestrator.run_page(flow_run_id),
        )
    return telling.tell_of_failure(place.warehouse, teller, failed)
