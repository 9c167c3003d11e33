"""Undoing what a run did to persons, by the rule of all undoing (tasks/plans/revert.py).

A person is put back only where their version now is the one that the run made; who was changed since stays, and is
listed. Persons that the run made go away again, and nothing of them stays but that it was so. An erased person never
comes back: erasing takes the images away. Undoing again does nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import Value
from schemas.warehouse.patrons import (
    core_patron,
    core_patron_change,
    core_patron_history,
    core_patron_identifier,
    core_patron_lock,
    core_patron_obligation,
    core_patron_source,
    core_patron_version,
)
from tasks.patrons.images import from_image
from tasks.patrons.occasion import PERSON, Change, PlannedPerson
from tasks.patrons.records import LockRow, PersonRecord
from tasks.patrons.store import load_records, save_plans
from tasks.plans.revert import Reversible, RevertReport, sort_for_undo
from tasks.warehouse.bulk import id_set

CHUNK_PERSONS = 2_000
BY_REVERT = "revert"
_OF_A_PERSON = (
    *(core_patron_source, core_patron_identifier, core_patron_lock, core_patron_history, core_patron_version),
    *(core_patron_obligation, core_patron),
)


class Made(NamedTuple):
    """What a run made of a person."""

    person_id: int
    versions: frozenset[int]
    """That the run made; 1: it made the person."""

    def base(self, version: int) -> int:
        """The version before all that the run made in one piece up to this one; 0: there was no person."""
        while version in self.versions:
            version -= 1
        return version


def revert_patron_run(
    connection: Connection, made_by: int | str, now: datetime, *, dry_run: bool = False, day: date | None = None
) -> RevertReport:
    """Undo what a delivery (its id) or a run (its run id) did to persons; `dry_run` says what it would do.

    A person who is put back is looked at by the next row of each source, whatever its hash: what the sources still say
    is planned anew then.
    """
    all_made = _made(connection, made_by)
    versions = _versions(connection, [each.person_id for each in all_made])
    undone = _undone_before(connection, all_made, made_by)
    to_undo = [each for each in all_made if each.person_id not in undone]
    by_id = {each.person_id: each for each in to_undo}
    restorable, survived = sort_for_undo(
        (Reversible("patron", each.person_id, max(each.versions)) for each in to_undo),
        lambda _, person_id: versions.get(person_id),
    )
    if not dry_run:
        wanted = [(by_id[each.entity_id], each.version_made) for each in restorable]
        gone = [made.person_id for made, version in wanted if made.base(version) == 0]
        _restore(connection, [each for each in wanted if each[0].base(each[1])], made_by, now, day)
        _remove(connection, gone)
        _note(connection, [each.entity_id for each in restorable], gone, made_by, now)
    return RevertReport(len(restorable), survived)


def revert_run_id(made_by: int | str) -> str:
    """The run id under which a run is undone."""
    return f"{BY_REVERT}:{made_by}"


def _by(table: sa.Table, made_by: int | str) -> sa.ColumnElement[bool]:
    if isinstance(made_by, int):
        return table.c.delivery_id == made_by
    return table.c.run_id == made_by


def _made(connection: Connection, made_by: int | str) -> list[Made]:
    """Every person that the run changed or made, by id."""
    versions: dict[int, set[int]] = defaultdict(set)
    image, change = core_patron_version, core_patron_change
    for person_id, version in connection.execute(
        sa.select(image.c.person_id, image.c.version).where(_by(image, made_by))
    ):
        versions[person_id].add(version + 1)
    created = sa.select(change.c.person_id).where(
        _by(change, made_by),
        change.c.path == PERSON,
        change.c.rule.in_(["created", "found"]),
        change.c.decision == "applied",
        change.c.reverted_at.is_(None),
    )
    for person_id in connection.execute(created).scalars():
        versions[person_id].add(1)
    return [Made(person_id, frozenset(versions[person_id])) for person_id in sorted(versions)]


def _versions(connection: Connection, person_ids: Collection[int]) -> dict[int, int]:
    """Version by person, of those that are there and not erased."""
    if not person_ids:
        return {}
    wanted = id_set(connection, person_ids)
    rows = connection.execute(
        sa.select(core_patron.c.person_id, core_patron.c.version)
        .join_from(wanted, core_patron, core_patron.c.person_id == wanted.c.value)
        .where(core_patron.c.state != "erased")
    ).tuples()
    return dict(list(rows))


def _undone_before(connection: Connection, made: Sequence[Made], made_by: int | str) -> set[int]:
    """Persons of whom this run was undone before: the undoing replaced the last version that the run made."""
    last = {each.person_id: max(each.versions) for each in made}
    image = core_patron_version
    rows = connection.execute(
        sa.select(image.c.person_id, image.c.version).where(image.c.run_id == revert_run_id(made_by))
    )
    return {person_id for person_id, version in rows if version >= last.get(person_id, version + 1)}


def _restore(
    connection: Connection, wanted: Sequence[tuple[Made, int]], made_by: int | str, now: datetime, day: date | None
) -> None:
    for some in _chunks(wanted):
        records = load_records(connection, [made.person_id for made, _ in some])
        images = _images(connection, [made.person_id for made, _ in some])
        plans = []
        for made, version in some:
            base = made.base(version)
            record = records[made.person_id]
            after = put_back(record, from_image(made.person_id, base, images[made.person_id, base]))
            reason = "the run that changed the person was undone"
            plans.append(PlannedPerson(record, after, (Change(PERSON, rule="reverted", reason=reason),)))
        save_plans(connection, plans, run_id=revert_run_id(made_by), delivery_id=None, now=now, day=day)


def _chunks(wanted: Sequence[tuple[Made, int]]) -> Iterator[list[tuple[Made, int]]]:
    left = iter(wanted)
    while some := list(islice(left, CHUNK_PERSONS)):
        yield some


def _images(connection: Connection, person_ids: Collection[int]) -> dict[tuple[int, int], str]:
    wanted = id_set(connection, person_ids)
    image = core_patron_version
    rows = connection.execute(
        sa.select(image.c.person_id, image.c.version, image.c.image).join_from(
            wanted, image, image.c.person_id == wanted.c.value
        )
    ).tuples()
    return {(person_id, version): text for person_id, version, text in rows}


def put_back(now: PersonRecord, then: PersonRecord) -> PersonRecord:
    """The person as they were `then`, as a new version: their sources' next rows are merged whatever their hashes."""
    open_now = {each.lock_id for each in now.locks}
    open_then = {each.lock_id for each in then.locks}
    locks: list[LockRow] = [
        each if each.lock_id in open_now else replace(each, lock_id=None, created_at=None) for each in then.locks
    ]
    locks += [replace(each, released_by=BY_REVERT) for each in now.locks if each.lock_id not in open_then]
    replaced, replaced_lists = dict(now.replaced), dict(now.replaced_lists)
    if now.is_known_to_library_system:
        for path in now.current.keys() | then.current.keys():
            value: Value | None = now.current.get(path)
            if value != then.current.get(path):
                replaced[path] = (*replaced.get(path, ()), value)
        for path in now.lists.keys() | then.lists.keys():
            if now.items(path) != then.items(path):
                replaced_lists[path] = (*replaced_lists.get(path, ()), now.items(path))
    return replace(
        then,
        version=now.version + 1,
        locks=tuple(locks),
        sources={code: replace(each, needs_merge=True) for code, each in then.sources.items()},
        replaced=replaced,
        replaced_lists=replaced_lists,
        read_back_hash=now.read_back_hash,
        sent_version=now.sent_version,
        acknowledged_version=now.acknowledged_version,
        created_at=now.created_at,
    )


def _remove(connection: Connection, person_ids: Collection[int]) -> None:
    if not person_ids:
        return
    wanted = id_set(connection, person_ids)
    for table in _OF_A_PERSON:
        connection.execute(sa.delete(table).where(table.c.person_id.in_(sa.select(wanted.c.value))))


def _note(
    connection: Connection, undone: Collection[int], gone: Collection[int], made_by: int | str, now: datetime
) -> None:
    """The changes of the run say that they were undone; of persons who are gone they hold no value any more."""
    change = core_patron_change
    for person_ids, values in ((undone, {"reverted_at": now}), (gone, {"old": None, "new": None, "primary_id": ""})):
        if person_ids:
            wanted = id_set(connection, person_ids)
            connection.execute(
                sa.update(change)
                .where(_by(change, made_by), change.c.person_id.in_(sa.select(wanted.c.value)))
                .values(**values)
            )
