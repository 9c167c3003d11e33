"""Staff at the desk: a person is found, protected, released, edited. One transaction an action, with its rows.

A person is named by any id that is theirs today. No error says anything about a person, not even their id.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.patrons import PATHS, ListItem, Value
from schemas.register.patron_targets import PatronTarget
from schemas.warehouse.patrons import core_patron, core_patron_identifier, core_patron_merge
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.desk_values import known_path, value_of, with_item
from tasks.patrons.keys import text_key
from tasks.patrons.merging import merge_two, split_again
from tasks.patrons.occasion import Change, Occasion, PlannedPerson
from tasks.patrons.pinning import plan_protect, plan_release
from tasks.patrons.plan_desk import plan_protect_at
from tasks.patrons.plan_edits import plan_edit
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import load_records, save_plans
from tasks.patrons.survivors import survivor_of
from tasks.warehouse.engine import Warehouse

NOT_FOUND = "the institution has no person with this id"


@dataclass(frozen=True)
class AtTheDesk:
    """Who does something to a person, when and under what."""

    warehouse: Warehouse
    occasion: Occasion
    now: datetime
    by: str


@dataclass(frozen=True)
class Entered:
    """A value that staff give; `text` None: null."""

    text: str | None = field(repr=False)
    item_type: str = ""


@dataclass(frozen=True)
class Done:
    """What an action did; without changes it was so already."""

    person_id: int
    version: int
    run_id: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Merged:
    """Two persons made one, or parted again."""

    merge_id: int
    moved: int
    """Ids, values, items and locks that went over, or back."""
    left: int
    """That clashed and stayed; of a split those that are not there any more."""


def find_person(connection: Connection, institution: str, text: str, day: date) -> int:
    """The person who has this id at the institution: the primary id, else any other that is theirs on that day.

    Who was merged is found as the survivor. Raises `UsageError` for nobody, and for several.
    """
    key = text_key(text)
    person, held = core_patron, core_patron_identifier
    is_there = sa.and_(person.c.institution == institution, person.c.state != "erased")
    found = set(
        connection.execute(sa.select(person.c.person_id).where(is_there, person.c.primary_key == key)).scalars()
    )
    if not found:
        is_theirs = sa.or_(held.c.valid_to.is_(None), held.c.valid_to >= day)
        found = set(
            connection.execute(
                sa.select(held.c.person_id)
                .join(person, person.c.person_id == held.c.person_id)
                .where(is_there, held.c.institution == institution, held.c.key == key, is_theirs)
            ).scalars()
        )
    survivors = {_survivor(connection, each) for each in found}
    if not survivors:
        raise UsageError(NOT_FOUND, field="ID", remedy="give the primary id, or another id that is theirs today")
    if len(survivors) > 1:
        raise UsageError("several persons of the institution have this id", field="ID", remedy="give a primary id")
    return survivors.pop()


def _survivor(connection: Connection, person_id: int) -> int:
    pointers: dict[int, int] = {}
    at: int | None = person_id
    while at is not None and at not in pointers:
        into = connection.execute(sa.select(core_patron.c.merged_into).where(core_patron.c.person_id == at)).scalar()
        if into is not None:
            pointers[at] = into
        at = into
    return survivor_of(person_id, pointers)


def protect(
    desk: AtTheDesk,
    institution: str,
    text: str,
    path: str,
    entered: Entered | None = None,
    *,
    reason: str,
    until: date | None = None,
    item_type: str = "",
) -> Done:
    """Protect a path of a person, as it is or at the value that is `entered`; again it is quiet.

    Raises `UsageError` for a path that cannot be protected, a value that cannot be its, a day that is over.
    """
    known_path(path)
    if until is not None and until < desk.occasion.day:
        raise UsageError("the last day of the protection is over", field="--until", remedy="give a day to come")
    _no_type_of_a_value(path, item_type)

    def plan(record: PersonRecord) -> PlannedPerson:
        what = {"by": desk.by, "reason": reason, "until": until, "item_type": item_type}
        if entered is None:
            return plan_protect(record, path, desk.occasion, **what)  # type: ignore[arg-type]
        value = _entered(record, path, entered)
        return plan_protect_at(record, path, value, desk.occasion, **what)  # type: ignore[arg-type]

    return _carry_out(desk, institution, text, plan)


def release(desk: AtTheDesk, institution: str, text: str, path: str, *, item_type: str = "") -> Done:
    """End the protection of a path of a person, whoever set it; the sources' next rows are merged again."""
    known_path(path)
    _no_type_of_a_value(path, item_type)
    return _carry_out(
        desk, institution, text, lambda each: plan_release(each, path, desk.occasion, by=desk.by, item_type=item_type)
    )


def edit(
    desk: AtTheDesk, target: PatronTarget | None, institution: str, text: str, path: str, entered: Entered
) -> Done:
    """Enter a value of a person, where the warehouse is the place of edits; what is there already is quiet.

    Raises `UsageError` where staff edit elsewhere, and for a path that nobody edits.
    """
    if target is not None and target.kind != "warehouse":
        raise UsageError(
            f"the persons of {institution} are edited in its library system ({target.code})",
            field="INSTITUTION",
            remedy="edit there: it is read back on the next night; `samkat patrons protect --value` sets a value here",
        )
    known_path(path)
    _no_type_of_a_value(path, entered.item_type)
    return _carry_out(
        desk,
        institution,
        text,
        lambda each: plan_edit(each, path, _entered(each, path, entered), desk.by, desk.occasion),
    )


def merge(desk: AtTheDesk, institution: str, survivor: str, merged: str) -> Merged | None:
    """Make the second person a pointer to the first; None: they are one already.

    Raises `UsageError` for an id that nobody, or more than one, has, and for two who cannot be one.
    """
    _by_somebody(desk)
    with desk.warehouse.write(PATRONS_LOCK) as connection:
        first, second = (find_person(connection, institution, each, desk.occasion.day) for each in (survivor, merged))
        done = None
        if first != second:
            done = merge_two(connection, first, second, desk.occasion, by=desk.by, now=desk.now)
    return None if done is None else Merged(done[0], len(done[1].moved), len(done[1].left))


def split(desk: AtTheDesk, institution: str, text: str, merge_id: int | None = None) -> Merged | None:
    """Part a person again from the one who was merged into them; None: they are parted already.

    Raises `UsageError` where nobody was merged into them, or several were and `merge_id` does not say which.
    """
    _by_somebody(desk)
    with desk.warehouse.write(PATRONS_LOCK) as connection:
        person_id = find_person(connection, institution, text, desk.occasion.day)
        table = core_patron_merge
        there = connection.execute(
            sa.select(table.c.merge_id, table.c.split_at)
            .where(table.c.survivor_id == person_id)
            .order_by(table.c.merge_id)
        ).all()
        known = [row.merge_id for row in there if row.split_at is None or row.merge_id == merge_id]
        if merge_id is not None:
            known = [each for each in known if each == merge_id]
        if len(known) != 1:
            words = (
                f"several were merged: {', '.join(map(str, known))}" if known else "nobody was merged into this person"
            )
            raise UsageError(words, field="--merge", remedy="give the number of one of these merges")
        parted = split_again(connection, known[0], desk.occasion, by=desk.by, now=desk.now)
    return None if parted is None else Merged(known[0], len(parted.moved), len(parted.lost))


def _by_somebody(desk: AtTheDesk) -> None:
    if not desk.by.strip():
        raise UsageError("nobody is named", field="--by", remedy="say who does it")


def _no_type_of_a_value(path: str, item_type: str) -> None:
    if item_type and PATHS[path].kind == "scalar":
        raise UsageError(f"{path} is one value and has no types", field="--item-type", remedy="leave it out")


def _entered(record: PersonRecord, path: str, entered: Entered) -> Value | tuple[ListItem, ...] | None:
    if PATHS[path].kind == "list":
        return with_item(path, record.items(path), entered.item_type, entered.text)
    return None if entered.text is None else value_of(path, entered.text)


def _carry_out(desk: AtTheDesk, institution: str, text: str, plan: Callable[[PersonRecord], PlannedPerson]) -> Done:
    """Plan and store in one transaction, under the one lock of all that write persons."""
    _by_somebody(desk)
    run_id = f"desk-{uuid.uuid4().hex[:12]}"
    with desk.warehouse.write(PATRONS_LOCK) as connection:
        person_id = find_person(connection, institution, text, desk.occasion.day)
        planned = plan(load_records(connection, [person_id])[person_id])
        version = planned.after.version if planned.after is not None else 0
        if planned.is_quiet:
            return Done(person_id, version, run_id)
        planned = replace(planned, changes=tuple(_signed(each, desk.by) for each in planned.changes))
        save_plans(connection, [planned], run_id=run_id, delivery_id=None, now=desk.now, day=desk.occasion.day)
        return Done(person_id, version, run_id, planned.changes)


def _signed(change: Change, by: str) -> Change:
    """The row says who did it."""
    return change if by in change.reason else change._replace(reason=f"{change.reason}, by {by}")
