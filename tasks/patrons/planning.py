"""The plan of a file: what each row would do to its person, computed and stored before anything is written.

Rows first, then the persons whom the file lacks, whom time moves, or of whom an edit is to be looked at. The plan is a
row a person in stage_patron and stage_patron_due; applying.py carries it out, as far as the guards let it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import Position, QuarantineRule, RejectedRow
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_sources import PatronSource
from schemas.warehouse.patrons import (
    core_patron,
    core_patron_source,
    raw_patron_file,
    raw_patron_reject,
    stage_patron,
    stage_patron_due,
)
from tasks.patrons import plans_in_mind
from tasks.patrons.documents import changes_to_json, incoming_from_json
from tasks.patrons.lifecycle import Snapshot
from tasks.patrons.lookups import place
from tasks.patrons.passing_by import gone
from tasks.patrons.person_plan import Occasion, PlannedPerson, plan_absent, plan_due, plan_person
from tasks.patrons.plans_in_mind import MOST_IN_MIND, PlansInMind
from tasks.patrons.staged_rows import note_rows
from tasks.patrons.staging import reject_row
from tasks.patrons.store import load_records, load_stored, record_of
from tasks.warehouse.bulk import bulk_insert, position_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import Chunk, chunk
from tasks.warehouse.memory import without_cycle_search
from tasks.warehouse.planner import sets_in_memory

PLAN, PLAN_DUE = "plan", "plan-due"
CHUNK_PLANS = 2_000
QUARANTINED = "quarantined"
_REJECT = ("delivery_id", "record_no", "member", "line", "byte_offset", "kind", "rule", "cause", "field", "remedy")


@dataclass(frozen=True)
class PlanningFile:
    """A file that is planned: whose it is, and by which policy, on which day."""

    delivery_id: int
    source: PatronSource
    policy: PatronPolicy
    own_ranks: dict[str, int]
    """Precedence of the institution's sources, by code."""
    day: date
    salt: bytes | None
    """Of tombstones; None: there are none."""
    is_complete: bool
    failed_rows: int = 0
    seen_before: date | None = None
    """Day of the source's file before this one."""

    @property
    def institution(self) -> str:
        """Whose persons these are."""
        return self.source.institution

    @cached_property
    def occasion(self) -> Occasion:
        """What the pure rules need to know of this run."""
        snapshot = Snapshot(self.day, self.is_complete, self.failed_rows)
        return Occasion(
            self.day, self.institution, self.source, self.policy, self.own_ranks, snapshot, self.seen_before
        )


def plan_rows(warehouse: Warehouse, file: PlanningFile, now: datetime) -> Counter[str]:
    """Plan each row of the file that is not as it was merged last; goes on where a killed run stopped."""
    counts: Counter[str] = Counter()
    mind: PlansInMind | None = None
    while True:
        with chunk(warehouse, file.delivery_id, PLAN) as each:
            if each.is_done:
                return counts
            if not each.reached:
                counts[QUARANTINED] += _quarantine_repeated(each.connection, file.delivery_id)
            rows = _rows_after(each)
            if not each.reached:
                plans_in_mind.forget(warehouse.engine)
                if len(rows) < CHUNK_PLANS or _fits_in_mind(each.connection, file.delivery_id):
                    mind = plans_in_mind.begin(warehouse.engine, file.delivery_id, file.occasion)
            counts += _plan_chunk(each.connection, file, rows, mind)
            if len(rows) < CHUNK_PLANS:
                each.advance(rows[-1].record_no if rows else each.reached, done_at=now)
            else:
                each.advance(rows[-1].record_no)


def _fits_in_mind(connection: Connection, delivery_id: int) -> bool:
    """Whether few enough rows are to be planned to keep their plans until they are carried out."""
    rows = sa.select(stage_patron.c.record_no).where(
        stage_patron.c.delivery_id == delivery_id, stage_patron.c.outcome == ""
    )
    some = rows.limit(MOST_IN_MIND + 1).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() <= MOST_IN_MIND


def _rows_after(each: Chunk) -> Sequence[sa.Row[Any]]:
    return each.connection.execute(
        sa.select(stage_patron)
        .where(
            stage_patron.c.delivery_id == each.delivery_id,
            stage_patron.c.record_no > each.reached,
            stage_patron.c.outcome == "",
        )
        .order_by(stage_patron.c.record_no)
        .limit(CHUNK_PLANS)
    ).all()


def _quarantine_repeated(connection: Connection, delivery_id: int) -> int:
    """Of rows with the same stable id only the first is taken: which of them is right nobody can tell.

    Without a join: PostgreSQL takes rows that were just written for one, and would walk the file for each of them.
    """
    first_no = sa.func.min(stage_patron.c.record_no).over(partition_by=stage_patron.c.stable_key)
    known = (
        sa.select(stage_patron.c.record_no, first_no.label("first_no"))
        .where(stage_patron.c.delivery_id == delivery_id, stage_patron.c.stable_key.is_not(None))
        .subquery()
    )
    again = connection.execute(
        sa.select(known).where(known.c.record_no > known.c.first_no).order_by(known.c.record_no)
    ).all()
    rows = [
        RejectedRow(
            Position(each.record_no), "repeated", f"its id stands in row {each.first_no} as well", remedy="send it once"
        )
        for each in again
    ]
    quarantine(connection, delivery_id, rows)
    return len(rows)


def quarantine(connection: Connection, delivery_id: int, rows: Sequence[RejectedRow]) -> None:
    """Leave rows for a person to look at, with the reason; their neighbours go on."""
    if not rows:
        return
    bulk_insert(connection, raw_patron_reject, _REJECT, [reject_row(delivery_id, each, QUARANTINED) for each in rows])
    note_rows(
        connection,
        delivery_id,
        ("outcome", "incoming"),
        [(each.position.record_no, QUARANTINED, None) for each in rows],
    )


def _plan_chunk(
    connection: Connection, file: PlanningFile, rows: Sequence[sa.Row[Any]], mind: PlansInMind | None
) -> Counter[str]:
    if not rows:
        return Counter()
    planned, refused = plan_some(connection, file, rows, frozenset(), keep_in=mind)
    quarantine(connection, file.delivery_id, refused)
    note_rows(
        connection,
        file.delivery_id,
        ("person_id", "outcome", "classes", "plan"),
        [
            (
                row.record_no,
                each.before.person_id if each.before else None,
                outcome_of(each),
                ",".join(sorted(each.classes)),
                changes_to_json(each.changes) if each.changes else None,
            )
            for row, each in planned
        ],
    )
    counts = Counter(outcome_of(each) for _, each in planned)
    return counts + Counter({QUARANTINED: len(refused)})


@without_cycle_search()
def plan_some(
    connection: Connection,
    file: PlanningFile,
    rows: Sequence[sa.Row[Any]],
    held: frozenset[Any],
    *,
    known: PlansInMind | None = None,
    keep_in: PlansInMind | None = None,
) -> tuple[list[tuple[sa.Row[Any], PlannedPerson]], list[RejectedRow]]:
    """What some rows of the file do to their persons as they are now, and the rows that cannot be placed.

    Changes of a class in `held` are not planned to be carried out. A plan in `known` is taken where it would be made
    again; `keep_in` gets those that are made. Both are only for plans under which nothing is held.
    """
    incoming = [(known.incoming(row) if known else None) or incoming_from_json(row.incoming) for row in rows]
    placed = place(connection, file.institution, file.source.code, incoming, file.policy, file.day, file.salt)
    stored = load_stored(connection, {each.person_id for each in placed if each.person_id is not None})
    taken = _taken_by_others(connection, file.delivery_id, stored, {row.record_no for row in rows})
    planned, refused, seen = [], [], set()
    for row, person, where in zip(rows, incoming, placed, strict=True):
        if where.is_quarantined:
            refused.append(RejectedRow(person.position, cast(QuarantineRule, where.rule), where.why))
            continue
        if where.person_id is not None and (where.person_id in taken or where.person_id in seen):
            refused.append(RejectedRow(person.position, "repeated", "another row of the file is about the same person"))
            continue
        seen.add(where.person_id)
        there = stored[where.person_id] if where.person_id is not None else None
        one = known.take(row, where, there) if known else None
        if one is None:
            record = record_of(there) if there is not None else None
            one = plan_person(record, person, file.occasion, held, rekey=where.rekey)
        if keep_in is not None:
            keep_in.keep(row, person, where, there, one)
        planned.append((row, one))
    return planned, refused


def _taken_by_others(
    connection: Connection, delivery_id: int, persons: Collection[int], but_for: set[int]
) -> frozenset[int]:
    """Those of `persons` that other rows of the file are about already."""
    if not persons:
        return frozenset()
    wanted = position_set(connection, delivery_id, sorted(persons))
    rows = connection.execute(
        sa.select(stage_patron.c.person_id, stage_patron.c.record_no).join_from(
            wanted,
            stage_patron,
            sa.and_(stage_patron.c.delivery_id == wanted.c.delivery_id, stage_patron.c.person_id == wanted.c.value),
        )
    )
    return frozenset(person_id for person_id, record_no in rows if record_no not in but_for)


def outcome_of(planned: PlannedPerson) -> str:
    """What becomes of a row: created, changed, held (nothing but what waits), kept."""
    if planned.after is None:
        return "held"
    if planned.before is None:
        return "created"
    decisions = {each.decision for each in planned.changes}
    if "applied" in decisions:
        return "changed"
    return "held" if "held" in decisions else "kept"


def list_due(connection: Connection, file: PlanningFile) -> None:
    """Enter the persons whom the file lacks, and those of the institution whom time may move; again adds nothing."""
    sets_in_memory(connection)
    if file.is_complete:
        _enter(connection, file.delivery_id, "absent", _absent(file))
    _enter(connection, file.delivery_id, "due", _due(file))


def _enter(connection: Connection, delivery_id: int, why: str, persons: sa.Select[Any]) -> None:
    """Enter those of `persons` who are not in the file, and not entered yet.

    As sets: asked for one person at a time, SQLite walks through the file for each.
    """
    in_file = sa.select(stage_patron.c.person_id).where(
        stage_patron.c.delivery_id == delivery_id, stage_patron.c.person_id.is_not(None)
    )
    entered = sa.select(stage_patron_due.c.person_id).where(stage_patron_due.c.delivery_id == delivery_id)
    found = persons.except_(in_file, entered).subquery()
    chosen = sa.select(
        sa.literal(delivery_id, sa.BigInteger), found.c.person_id, sa.literal(why), sa.literal(""), sa.literal("")
    )
    connection.execute(
        sa.insert(stage_patron_due).from_select(["delivery_id", "person_id", "why", "outcome", "classes"], chosen)
    )


def _absent(file: PlanningFile) -> sa.Select[Any]:
    source = core_patron_source
    return sa.select(source.c.person_id).where(
        source.c.source == file.source.code,
        source.c.left_on.is_(None),
        source.c.person_id.not_in(gone(file.institution)),
    )


def _due(file: PlanningFile) -> sa.Select[Any]:
    person = core_patron
    return sa.select(person.c.person_id).where(
        person.c.institution == file.institution,
        person.c.look_on <= file.day,
        person.c.merged_into.is_(None),
        person.c.state != "erased",
    )


def plan_the_due(warehouse: Warehouse, file: PlanningFile, now: datetime) -> Counter[str]:
    """Plan the persons that `list_due` entered; goes on where a killed run stopped."""
    counts: Counter[str] = Counter()
    while True:
        with chunk(warehouse, file.delivery_id, PLAN_DUE) as each:
            if each.is_done:
                return counts
            if not each.reached:
                list_due(each.connection, file)
            rows = _due_after(each)
            planned = plan_some_due(each.connection, file, rows, frozenset())
            if planned:
                each.connection.execute(
                    _UPDATE_DUE,
                    [
                        {
                            "of_delivery": file.delivery_id,
                            "no": row.person_id,
                            "what": outcome_of_due(one),
                            "guarded": ",".join(sorted(one.classes)),
                            "changes": changes_to_json(one.changes) if one.changes else None,
                        }
                        for row, one in planned
                    ],
                )
            counts += Counter(outcome_of_due(one) for _, one in planned)
            if len(rows) < CHUNK_PLANS:
                each.advance(rows[-1].person_id if rows else each.reached, done_at=now)
            else:
                each.advance(rows[-1].person_id)


def _due_after(each: Chunk) -> Sequence[sa.Row[Any]]:
    return each.connection.execute(
        sa.select(stage_patron_due)
        .where(stage_patron_due.c.delivery_id == each.delivery_id, stage_patron_due.c.person_id > each.reached)
        .order_by(stage_patron_due.c.person_id)
        .limit(CHUNK_PLANS)
    ).all()


@without_cycle_search()
def plan_some_due(
    connection: Connection, file: PlanningFile, rows: Sequence[sa.Row[Any]], held: frozenset[Any]
) -> list[tuple[sa.Row[Any], PlannedPerson]]:
    """What absence and time do to some persons as they are now."""
    records = load_records(connection, {row.person_id for row in rows})
    return [
        (row, (plan_absent if row.why == "absent" else plan_due)(records[row.person_id], file.occasion, held))
        for row in rows
        if row.person_id in records
    ]


_UPDATE_DUE = (
    sa.update(stage_patron_due)
    .where(
        stage_patron_due.c.delivery_id == sa.bindparam("of_delivery"),
        stage_patron_due.c.person_id == sa.bindparam("no"),
    )
    .values(outcome=sa.bindparam("what"), classes=sa.bindparam("guarded"), plan=sa.bindparam("changes"))
)


def outcome_of_due(planned: PlannedPerson) -> str:
    """What becomes of a person whom the file lacks: moved, held, unchanged."""
    decisions = {each.decision for each in planned.changes}
    if "applied" in decisions:
        return "moved"
    return "held" if "held" in decisions else "unchanged"


def failed_rows(connection: Connection, delivery_id: int) -> int:
    """Rows of a file that could not be read or placed: any of them may be a person who seems to be missing."""
    return connection.execute(
        sa.select(sa.func.count()).select_from(raw_patron_reject).where(raw_patron_reject.c.delivery_id == delivery_id)
    ).scalar_one()


def file_row(connection: Connection, delivery_id: int) -> sa.Row[Any]:
    """The row of raw_patron_file of a delivery."""
    return connection.execute(sa.select(raw_patron_file).where(raw_patron_file.c.delivery_id == delivery_id)).one()
