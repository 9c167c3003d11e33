"""Stages of `patron-update`: what waits is carried out, what came is reported, what is old is forgotten."""

from __future__ import annotations

import uuid
from collections import Counter

from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError
from schemas.summaries import UpdateSummary
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.instant import Instant, carry_out_waiting, instant_of
from tasks.patrons.instant_batch import as_markdown, carry_out_decided, forget, report
from tasks.patrons.instant_limits import FLOW
from tasks.patrons.stages import PatronsCarried
from tasks.plans.store import resolve, show
from tasks.stage import run_id, stage
from tasks.workplace import Workplace, workplace


def _instant(place: Workplace) -> Instant:
    return instant_of(place.warehouse, place.register, place.today, place.patron_salt)


@stage(name="carry out updates")
def carry_out_updates() -> Counter[str]:
    """Carry out the instant updates that could not be merged when they came, in their order."""
    place = workplace()
    return carry_out_waiting(_instant(place), place.now)


@stage(name="report updates")
def report_updates() -> list[UpdateSummary]:
    """Put what is held into a plan, and say what became of all that came since the last report; counts, no person."""
    place = workplace()
    with place.warehouse.write(PATRONS_LOCK) as connection:
        found = report(connection, _instant(place), run_id() or str(uuid.uuid4()), place.now)
    if found and run_id() is not None:
        create_markdown_artifact(as_markdown(found), key="patron-updates", description="Instant updates")
    return found


@stage(name="forget receipts")
def forget_receipts() -> Counter[str]:
    """Delete receipts that are older than the policy keeps them."""
    place = workplace()
    with place.warehouse.write() as connection:
        return forget(connection, place.register.patron_policy, place.now)


@stage(name="apply held updates")
def apply_held_updates(plan_hash: str) -> PatronsCarried:
    """Carry out what a person decided on a plan of instant updates; says what was done."""
    place = workplace()
    with place.warehouse.read() as connection:
        full_hash = resolve(connection, plan_hash)
        is_ours = any(row.flow == FLOW for row in show(connection, full_hash))
    if not is_ours:
        return PatronsCarried({}, {})
    try:
        counts = carry_out_decided(_instant(place), full_hash, place.now)
    except SamkatError as error:
        return PatronsCarried({}, {"updates": str(error)})
    said = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    return PatronsCarried({"updates": said or "nothing was left to do"}, {})
