"""Stages of decisions: what waits, shown; what was entered, checked before anything is written; persons taken back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError
from schemas.warehouse.raw import raw_delivery
from tasks.catalogue.preview import rolled_back
from tasks.deciding.comments import note_comment
from tasks.deciding.form import Entry, PlanChoice
from tasks.deciding.page import as_markdown
from tasks.deciding.waiting import Waiting, decided_already
from tasks.deciding.waiting import waiting as read_waiting
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.reverting_files import KINDS, revert_file
from tasks.plans.store import approve, class_column, reject, show
from tasks.stage import run_id, stage
from tasks.workplace import Workplace, workplace


@dataclass(frozen=True)
class Checked:
    """An entry of which each decision can be taken, and what was wrong with the rest of it, in words."""

    entry: Entry
    problems: tuple[str, ...]


@stage()
def show_waiting(plan_hash: str | None, said: tuple[str, ...] = ()) -> Waiting:
    """Show what waits for a person as an artifact: each plan with its numbers, samples and reasons, and the reviews."""
    place = workplace()
    with place.warehouse.read() as connection:
        found = read_waiting(connection, place.register, ZoneInfo(place.settings.timezone), plan_hash)
    if run_id() is not None:
        create_markdown_artifact(as_markdown(found, said), key="waits-for-a-decision", description="What waits")
    return found


@stage()
def check_entry(entered: Entry) -> Checked:
    """Find out what of an entry can be done: a wrong one is asked again, and writes nothing."""
    place = workplace()
    if entered.is_empty:
        return Checked(entered, ())
    if not entered.by:
        return Checked(Entry(""), ("a decision needs a name: say who decides",))
    good: list[PlanChoice] = []
    problems: list[str] = []
    for choice in entered.plans:
        problem = _problem_with(place, choice, entered.by)
        if problem is None:
            good.append(choice)
        else:
            problems.append(problem)
    return Checked(replace(entered, plans=tuple(good)), tuple(problems))


@stage()
def keep_comment(entered: Entry) -> Counter[str]:
    """Keep a person's comment with the reason of each plan, review and pair that they have decided."""
    with workplace().warehouse.write() as connection:
        return note_comment(connection, entered)


def _problem_with(place: Workplace, choice: PlanChoice, by: str) -> str | None:
    """Why this cannot be decided (any more), in words; None where it can. Decided by someone else counts, too."""
    problem: str | None = None
    with rolled_back(place.warehouse) as connection:
        try:
            rows = show(connection, choice.plan_hash)
            decide = approve if choice.decision == "approve" else reject
            decided = decide(connection, choice.plan_hash, by, place.now, choice.change_class)
            if not decided.changed:
                mine = next(row for row in rows if row._mapping[class_column] in decided.change_classes)
                problem = decided_already(mine)
        except SamkatError as error:
            problem = str(error)
    return problem


class _OnlyLookingError(Exception):
    """Rolls a dry run back."""


def is_of_persons(delivery_id: int) -> bool:
    """Whether a delivery is a file of persons, or an export of a library system's users; an unknown one is neither."""
    kind = sa.select(raw_delivery.c.kind).where(raw_delivery.c.delivery_id == delivery_id)
    with workplace().warehouse.read() as connection:
        return connection.execute(kind).scalar_one_or_none() in KINDS


@stage()
def revert_persons(delivery_id: int, *, dry_run: bool = False) -> dict[str, object]:
    """Undo what a file did to persons; who was changed since stays and is listed, an erased person never comes back."""
    place = workplace()
    try:
        with place.warehouse.write(PATRONS_LOCK) as connection:
            done = revert_file(connection, delivery_id, place.now, place.today)
            if dry_run:
                raise _OnlyLookingError
    except _OnlyLookingError:
        pass
    return {
        "delivery": delivery_id,
        "dry_run": dry_run,
        "was_reverted": done.was_reverted,
        "persons": done.persons.reverted,
        "erased": done.erased,
        "plans": done.plans,
        "survivors": [f"person {each.entity_id}: {each.why}" for each in done.persons.survived],
    }
