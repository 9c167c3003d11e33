"""Stages of `patron-retention`: who may be erased is, what came long ago is shredded, what was is forgotten."""

from __future__ import annotations

import uuid
from collections import Counter

from tasks.patrons.stages import PatronsCarried
from tasks.plans.store import resolve, show
from tasks.privacy import erasing_due, forgetting, shredding
from tasks.privacy.erasing import Erasing
from tasks.privacy.erasing_due import ErasedTonight
from tasks.privacy.mails import shred_mails
from tasks.stage import run_id, stage
from tasks.workplace import Workplace, workplace

BY_TIME = "the purge date has come, and nothing is owed"


def erasing_of(place: Workplace, why: str) -> Erasing:
    """What all who are erased by this run share."""
    mine = run_id() or str(uuid.uuid4())
    return Erasing(place.register, place.patron_salt, place.today, place.settings.as_of(), place.now, mine, why)


@stage()
def erase_due_persons() -> tuple[Counter[str], tuple[str, ...]]:
    """Erase who is erasable and owes nothing, as far as the guards let it; returns counts, and why the others wait."""
    place = workplace()
    found = erasing_due.erase_due(place.warehouse, erasing_of(place, BY_TIME))
    return found.counts + _after(place, found), found.held


@stage()
def erase_approved_persons(plan_hash: str) -> PatronsCarried:
    """Erase the persons of a plan that was approved, where the same ones would be erased now; says what was done."""
    place = workplace()
    with place.warehouse.read() as connection:
        full_hash = resolve(connection, plan_hash)
        is_ours = any(row.flow == erasing_due.FLOW for row in show(connection, full_hash))
    if not is_ours:
        return PatronsCarried({}, {})
    found = erasing_due.erase_due(place.warehouse, erasing_of(place, BY_TIME), full_hash)
    _after(place, found)
    if not found.counts["persons"]:
        return PatronsCarried({}, {"erase": "nobody was erased: rejected, or other persons would be erased by now"})
    return PatronsCarried({"erase": f"{found.counts['persons']} persons erased"}, {})


def _after(place: Workplace, found: ErasedTonight) -> Counter[str]:
    reviews = [one for each in found.erased for one in each.reviews]
    counts = Counter({"lists of questions": shredding.delete_reviews(place.zone, reviews)})
    words = frozenset().union(*(each.words for each in found.erased))
    with place.warehouse.read() as connection:
        counts["copies of e-mails"] = shred_mails(connection, place.settings.outbox, words)
    return counts


@stage()
def shred_old_files() -> Counter[str]:
    """Delete files with persons that are older than the register keeps them, and those asked for by an erasing."""
    place = workplace()
    as_of = place.settings.as_of()
    return shredding.shred_files(place.warehouse, place.zone, place.register, now=place.now, as_of=as_of)


@stage()
def forget_earlier_values() -> Counter[str]:
    """Forget earlier values, earlier persons and ended locks after the days of the policy; lapsed tombstones, too."""
    place = workplace()
    with place.warehouse.write() as connection:
        return forgetting.forget(connection, place.register.patron_policy, place.today, place.now)
