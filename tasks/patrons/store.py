"""Persons in the warehouse: read as records, stored from plans; a handful of statements for a whole chunk.

What a plan replaces is kept as a before-image (core_patron_version), from which reverting.py undoes a run. A person is
only written while they are at the version that was planned from; who has moved since is handed back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.patrons import (
    core_patron,
    core_patron_change,
    core_patron_history,
    core_patron_identifier,
    core_patron_lock,
    core_patron_source,
    core_patron_version,
)
from tasks.patrons.images import image_of
from tasks.patrons.occasion import PlannedPerson
from tasks.patrons.patron_rows import (
    CHANGE_COLUMNS,
    HISTORY_COLUMNS,
    IDENTIFIER_COLUMNS,
    LOCK_COLUMNS,
    PERSON_COLUMNS,
    READ_IDENTIFIER,
    SOURCE_COLUMNS,
    Stored,
    change_row,
    history_row,
    identifier_rows,
    lock_of,
    lock_row,
    person_of,
    person_row,
    source_of,
    source_row,
)
from tasks.patrons.records import IdentifierRow, LockRow, PersonRecord
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.ids import take_ids
from tasks.warehouse.memory import without_cycle_search

_STORED = ("created_at", "updated_at", "delivery_id", "sent_hash", "sent_version", "acknowledged_version")
_UNVERSIONED = attrgetter("look_on", "read_back_hash", "replaced", "replaced_lists")
_VERSION = ("person_id", "version", "image", "run_id")


@dataclass(frozen=True)
class Saved:
    """What was stored."""

    person_ids: tuple[int | None, ...]
    """For each plan, in their order; None: nobody was made."""
    moved: tuple[int, ...] = ()
    """Places (from 0) of the plans that were not stored, since the person is another one by now: plan them anew."""
    counts: Counter[str] = field(default_factory=Counter)
    """Persons `created`, `changed` (a new version), `touched` (no new version); rows of `changes` and `history`."""


@dataclass(frozen=True)
class Saving:
    """What all plans of a call share."""

    delivery_id: int | None
    now: datetime
    day: date
    """The business day, that of a past day where one is redone: protection that has ended by then counts no more."""
    plan_hash: str | None = None


class Kept(NamedTuple):
    """A plan that is stored, and whose."""

    plan: PlannedPerson
    person_id: int | None
    stored: Stored
    run_id: str


class StoredPerson(NamedTuple):
    """All that the warehouse has of a person, as it was read: of it and nothing else a record is made."""

    person: sa.Row[Any]
    sources: list[sa.Row[Any]]
    identifiers: list[sa.Row[Any]]
    locks: list[sa.Row[Any]]

    def cells(self) -> list[tuple[Any, ...]]:
        """Every value of every row."""
        return [tuple(row) for row in (self.person, *self.sources, *self.identifiers, *self.locks)]

    def __repr__(self) -> str:
        return "StoredPerson()"


@without_cycle_search()
def load_stored(connection: Connection, person_ids: Collection[int]) -> dict[int, StoredPerson]:
    """What there is of persons, by id; one that is not there is not in it."""
    if not person_ids:
        return {}
    columns = (core_patron_identifier.c[name] for name in READ_IDENTIFIER)
    found = {row.person_id: StoredPerson(row, [], [], []) for row in _rows(connection, core_patron, person_ids)}
    # What is asked for by the ids that were found is theirs, whoever is made meanwhile.
    for row in _rows(connection, core_patron_source, found):
        found[row.person_id].sources.append(row)
    for row in _rows(connection, core_patron_identifier, found, *columns):
        found[row.person_id].identifiers.append(row)
    for row in _rows(connection, core_patron_lock, found):
        if row.released_at is None:
            found[row.person_id].locks.append(row)
    return found


def record_of(stored: StoredPerson) -> PersonRecord:
    """The person as the rules know them."""
    return person_of(
        stored.person,
        {row.source: source_of(row) for row in stored.sources},
        tuple(IdentifierRow(*row[1:]) for row in stored.identifiers),
        tuple(lock_of(row) for row in stored.locks),
    )


@without_cycle_search()
def load_records(connection: Connection, person_ids: Collection[int]) -> dict[int, PersonRecord]:
    """Persons by id; one that is not there is not in it."""
    return {person_id: record_of(each) for person_id, each in load_stored(connection, person_ids).items()}


def _rows(
    connection: Connection, table: sa.Table, person_ids: Collection[int], *columns: sa.Column[Any]
) -> Sequence[sa.Row[Any]]:
    wanted = id_set(connection, sorted(person_ids))
    keys = [each for each in table.primary_key.columns if each.name != "person_id"]
    return connection.execute(
        sa.select(*(columns or table.c))
        .join_from(wanted, table, table.c.person_id == wanted.c.value)
        .order_by(wanted.c.value, *keys)
    ).all()


@without_cycle_search()
def save_plans(
    connection: Connection,
    plans: Sequence[PlannedPerson],
    *,
    run_id: str,
    delivery_id: int | None,
    now: datetime,
    day: date | None = None,
    policy_version: str = "",
    plan_hash: str | None = None,
    run_ids: Sequence[str] = (),
) -> Saved:
    """Store plans, each about another person. `plan_hash`: the approval under which this is done, if it is.

    `now` is the instant that the rows bear, `day` the business day that they are right for (None: the day of `now`).
    `run_ids`: of each plan, in place of `run_id`, where each comes from elsewhere (receipts).

    The policy stands beside each row that was merged, as it was planned by; `policy_version` is not stored again.
    """
    saving = Saving(delivery_id, now, day or now.date(), plan_hash)
    stored = _stored(connection, [each.before for each in plans if each.before is not None])
    ids = iter(take_ids(connection, "patron", sum(1 for each in plans if each.before is None and each.after)))
    person_ids: list[int | None] = []
    kept: list[Kept] = []
    moved: list[int] = []
    for place, plan in enumerate(plans):
        run = run_ids[place] if run_ids else run_id
        if plan.before is None:
            person_ids.append(next(ids) if plan.after is not None else None)
            kept.append(Kept(plan, person_ids[-1], Stored(now, now, delivery_id), run))
            continue
        person_ids.append(plan.before.person_id)
        found = stored.get(plan.before.person_id or 0)
        if found is None or found[0] != plan.before.version:
            moved.append(place)
        else:
            kept.append(Kept(plan, plan.before.person_id, found[1], run))
    counts = _store(connection, kept, saving)
    return Saved(tuple(person_ids), tuple(moved), counts)


def _stored(connection: Connection, records: Sequence[PersonRecord]) -> dict[int, tuple[int, Stored]]:
    """Person: version and what no plan decides; the rows stay locked until the transaction ends."""
    if not records:
        return {}
    wanted = id_set(connection, sorted(each.person_id for each in records if each.person_id is not None))
    rows = connection.execute(
        sa.select(core_patron.c.person_id, core_patron.c.version, *(core_patron.c[name] for name in _STORED))
        .where(core_patron.c.person_id.in_(sa.select(wanted.c.value)))
        .order_by(core_patron.c.person_id)
        .with_for_update()
    )
    return {person_id: (version, Stored(*rest)) for person_id, version, *rest in rows}


def _store(connection: Connection, kept: Sequence[Kept], saving: Saving) -> Counter[str]:
    created = [each for each in kept if each.plan.before is None and each.plan.after is not None]
    changed = [each for each in kept if each.plan.before is not None and each.plan.makes_version]
    touched = [
        each
        for each in kept
        if each.plan.before is not None and not each.plan.makes_version and each.plan.after != each.plan.before
    ]
    _keep_images(connection, changed, saving)
    rewritten = [each for each in touched if _is_rewritten(each.plan)]
    _delete(connection, core_patron, [*changed, *rewritten])
    _insert_persons(connection, created, changed, rewritten, saving)
    _replace_sources(connection, created, [*changed, *touched])
    _replace_identifiers(connection, created, changed)
    _store_locks(connection, [*created, *changed], saving)
    counts = Counter(created=len(created), changed=len(changed), touched=len(touched))
    counts["changes"] = _insert_changes(connection, kept, saving)
    counts["history"] = _insert_history(connection, changed)
    return counts


def _is_rewritten(plan: PlannedPerson) -> bool:
    """Whether something of the person's own row is another without a new version."""
    before, after = plan.before, plan.after
    return before is not None and after is not None and _UNVERSIONED(before) != _UNVERSIONED(after)


def _keep_images(connection: Connection, changed: Sequence[Kept], saving: Saving) -> None:
    bulk_insert(
        connection,
        core_patron_version,
        _VERSION,
        [
            (each.person_id, each.plan.before.version, image_of(each.plan.before), each.run_id)
            for each in changed
            if each.plan.before is not None
        ],
        {"delivery_id": saving.delivery_id, "ended_at": saving.now},
    )


def _delete(connection: Connection, table: sa.Table, some: Sequence[Kept]) -> None:
    if some:
        wanted = id_set(connection, sorted(each.person_id for each in some if each.person_id is not None))
        connection.execute(sa.delete(table).where(table.c.person_id.in_(sa.select(wanted.c.value))))


def _insert_persons(
    connection: Connection,
    created: Sequence[Kept],
    changed: Sequence[Kept],
    touched: Sequence[Kept],
    saving: Saving,
) -> None:
    rows = []
    for each in (*created, *touched, *changed):
        after, stored = each.plan.after, each.stored
        if after is not None and each.person_id is not None:
            if each.plan.makes_version:
                stored = stored._replace(delivery_id=saving.delivery_id, updated_at=saving.now)
            if each.plan.before is None:
                stored = stored._replace(
                    sent_version=after.sent_version, acknowledged_version=after.acknowledged_version
                )
            rows.append(person_row(after, each.person_id, stored, saving.day))
    bulk_insert(connection, core_patron, PERSON_COLUMNS, rows)


def _replace_sources(connection: Connection, created: Sequence[Kept], others: Sequence[Kept]) -> None:
    differing = [
        each
        for each in others
        if each.plan.after and each.plan.before and each.plan.after.sources != each.plan.before.sources
    ]
    _delete(connection, core_patron_source, differing)
    bulk_insert(
        connection,
        core_patron_source,
        SOURCE_COLUMNS,
        [
            source_row(source, each.person_id)
            for each in (*created, *differing)
            if each.plan.after is not None and each.person_id is not None
            for source in each.plan.after.sources.values()
        ],
    )


def _replace_identifiers(connection: Connection, created: Sequence[Kept], changed: Sequence[Kept]) -> None:
    differing = [
        each
        for each in changed
        if each.plan.after and each.plan.before and each.plan.after.identifiers != each.plan.before.identifiers
    ]
    _delete(connection, core_patron_identifier, differing)
    bulk_insert(
        connection,
        core_patron_identifier,
        IDENTIFIER_COLUMNS,
        [
            row
            for each in (*created, *differing)
            if each.plan.after is not None and each.person_id is not None
            for row in identifier_rows(each.plan.after, each.person_id)
        ],
    )


def _store_locks(connection: Connection, some: Sequence[Kept], saving: Saving) -> None:
    """New locks are inserted; those that are released by the plan end, each by whom the plan says."""
    new: list[tuple[LockRow, int]] = []
    released: dict[str, list[int]] = defaultdict(list)
    for each in some:
        if each.plan.after is None or each.person_id is None:
            continue
        for lock in each.plan.after.locks:
            if lock.lock_id is None:
                new.append((lock, each.person_id))
            elif lock.released_by is not None and lock.released_at is None:
                released[lock.released_by].append(lock.lock_id)
    ids = take_ids(connection, "patron_lock", len(new))
    bulk_insert(
        connection,
        core_patron_lock,
        LOCK_COLUMNS,
        [lock_row(lock, lock_id, person_id, saving.now) for (lock, person_id), lock_id in zip(new, ids, strict=True)],
    )
    for by, lock_ids in released.items():
        wanted = id_set(connection, lock_ids)
        connection.execute(
            sa.update(core_patron_lock)
            .where(core_patron_lock.c.lock_id.in_(sa.select(wanted.c.value)))
            .values(released_at=saving.now, released_by=by)
        )


def _insert_changes(connection: Connection, kept: Sequence[Kept], saving: Saving) -> int:
    number = sum(len(each.plan.changes) for each in kept)
    ids = iter(take_ids(connection, "patron_change", number))
    rows = []
    for each in kept:
        plan = each.plan
        person = plan.after if plan.after is not None else plan.before
        version = plan.after.version if plan.after is not None and plan.makes_version else None
        rows += [
            (*change_row(change, next(ids), person, each.person_id, version), each.run_id) for change in plan.changes
        ]
    constants = {
        "delivery_id": saving.delivery_id,
        "changed_at": saving.now,
        "plan_hash": saving.plan_hash,
    }
    return bulk_insert(connection, core_patron_change, (*CHANGE_COLUMNS, "run_id"), rows, constants)


def _insert_history(connection: Connection, changed: Sequence[Kept]) -> int:
    rows = [(row, each.person_id) for each in changed for row in each.plan.history if each.person_id is not None]
    ids = take_ids(connection, "patron_history", len(rows))
    return bulk_insert(
        connection,
        core_patron_history,
        HISTORY_COLUMNS,
        [history_row(row, history_id, person_id) for (row, person_id), history_id in zip(rows, ids, strict=True)],
    )


def touch(connection: Connection, person_ids: Collection[int]) -> None:
    """The sources' next rows of these persons are merged, whatever their hashes."""
    if person_ids:
        wanted = id_set(connection, sorted(person_ids))
        connection.execute(
            sa.update(core_patron_source)
            .where(core_patron_source.c.person_id.in_(sa.select(wanted.c.value)))
            .values(needs_merge=True)
        )
