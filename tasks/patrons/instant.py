"""BUPS 3: an instant update is merged and its receipt written in one transaction, by the pure plan of a file's row.

What cannot be done now (other writers have the persons, the database was away for a moment) is stored as `waiting` and
carried out later, in the order in which it came. A class of change over its limit is `held`; the rest goes on.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from schemas.patrons import IncomingPerson
from schemas.register.patron_limits import PatronChange
from schemas.register.patron_sources import PatronSource
from schemas.register.register import Register
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.documents import changes_to_json
from tasks.patrons.instant_limits import InstantGround, Populations, guarded_classes
from tasks.patrons.instant_reading import Method
from tasks.patrons.lookups import Placed, place
from tasks.patrons.occasion import Occasion, PlannedPerson
from tasks.patrons.person_plan import plan_due, plan_left, plan_person
from tasks.patrons.receipts import (
    COUNTER,
    Asked,
    Outcome,
    Receipt,
    changes_hash_in,
    decide,
    enter,
    find_same,
    heard_in,
    open_receipts,
    person_in,
    same_and_waiting,
)
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import load_records, save_plans
from tasks.warehouse.away import is_passing
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ids import take_id

log = logging.getLogger("samkat.patrons")
LOCK_SECONDS: Final = 2.0
"""How long an update waits for other writers of persons before it is stored to be carried out later."""
STORE_SECONDS: Final = 10.0
BACKLOG: Final = 20
"""So many updates of a source that wait are carried out along with a new one; behind more it waits itself."""
CHUNK: Final = 200
"""Updates that a transaction takes up, where many wait."""
KEPT_WHEN_UNSAID: Final = frozenset({"primary_id", "is_confidential"})
"""What a whole person may lack without saying that there is none: a protected identity never ends by silence."""
NO_CLASS: Final[frozenset[PatronChange]] = frozenset()


@dataclass
class Instant:
    """What updates are carried out with: where, by which rules, as whom. One for many of them."""

    warehouse: Warehouse
    ground: InstantGround
    sources: dict[str, PatronSource]
    """Of the register, by code."""
    populations: Populations = field(default_factory=Populations)
    lock_seconds: float = LOCK_SECONDS

    def occasion(self, source: PatronSource) -> Occasion:
        """No file speaks, so absence says nothing."""
        ground = self.ground
        return Occasion(
            ground.day, source.institution, source, ground.policy, ground.own_ranks.get(source.institution, {})
        )


def instant_of(warehouse: Warehouse, register: Register, day: date, salt: bytes | None) -> Instant:
    """What updates of that day are carried out with."""
    ranks: dict[str, dict[str, int]] = {}
    for each in register.patron_sources:
        ranks.setdefault(each.institution, {})[each.code] = each.precedence
    ground = InstantGround(register.patron_policy, ranks, day, salt)
    return Instant(warehouse, ground, dict(register.patron_source_by_code))


def carry_out(instant: Instant, asked: Asked, now: datetime) -> Receipt:
    """Merge an update, and give its receipt; the same again gives the first receipt and changes nothing.

    Raises `KeyTakenError`, and what the database raises where not even the receipt could be stored.
    """
    try:
        with instant.warehouse.write(PATRONS_LOCK, instant.lock_seconds) as connection:
            same, waiting = same_and_waiting(connection, asked, BACKLOG + 1)
            if same is not None:
                return same
            outcome = behind_others(connection, instant, waiting, now)
            receipt_id = take_id(connection, COUNTER)
            if outcome is None:
                outcome = merge(connection, instant, asked.source, asked.method, asked.person, receipt_id, now)
            return enter(connection, asked, receipt_id, outcome, now)
    except Exception as error:
        if not is_passing(error):
            raise
    return keep_waiting(instant.warehouse, asked, now)


def behind_others(
    connection: Connection, instant: Instant, waiting: Sequence[sa.Row[Any]], now: datetime
) -> Outcome | None:
    """Who came first is served first. Where many wait, this one waits, too."""
    if len(waiting) > BACKLOG:
        return Outcome("waiting", "behind_others", "others of the source came first and still wait")
    for row in waiting:
        _take_up(connection, instant, row, now)
    return None


def keep_waiting(warehouse: Warehouse, asked: Asked, now: datetime) -> Receipt:
    """Keep an update that could not be merged now; it is carried out within a minute or so."""
    outcome = Outcome("waiting", "busy", "other changes to persons are under way")
    try:
        with warehouse.write(wait_seconds=STORE_SECONDS) as connection:
            same = find_same(connection, asked.institution, asked.idempotency_key, asked.request_hash)
            return same or enter(connection, asked, take_id(connection, COUNTER), outcome, now)
    except IntegrityError:
        # The same request came twice at once, and the other one was first.
        with warehouse.read() as connection:
            same = find_same(connection, asked.institution, asked.idempotency_key, asked.request_hash)
        if same is None:
            raise
        return same


def merge(
    connection: Connection,
    instant: Instant,
    source_code: str,
    method: Method,
    person: IncomingPerson,
    receipt_id: int,
    now: datetime,
) -> Outcome:
    """Place, plan, guard and store one update, in the caller's transaction, under `PATRONS_LOCK`."""
    source = instant.sources[source_code]
    where, record = _placed(connection, instant.ground, source, person)
    if refused := refused_at_once(method, where, record, source):
        return refused
    free = plan_update(instant.occasion(source), method, person, record, where, NO_CLASS)
    said = guarded_classes(connection, free.classes, source, instant.ground, instant.populations, now)
    held = frozenset(cast(PatronChange, each.planned.change_class) for each in said if each.is_held)
    plan = plan_update(instant.occasion(source), method, person, record, where, held) if held else free
    person_id = _save(connection, instant, plan, receipt_id, now)
    version = plan.after.version if plan.after is not None and plan.makes_version else None
    if not held:
        return Outcome("done", done_rule(plan), "", person_id, version)
    reasons = "; ".join(each.reason for each in said if each.is_held)
    heard = heard_of(plan.after, source_code)
    return Outcome("held", ",".join(sorted(held)), reasons, person_id, version, hash_of_changes(free, held), heard)


def _placed(
    connection: Connection, ground: InstantGround, source: PatronSource, person: IncomingPerson
) -> tuple[Placed, PersonRecord | None]:
    (where,) = place(connection, source.institution, source.code, [person], ground.policy, ground.day, ground.salt)
    if where.person_id is None:
        return where, None
    return where, load_records(connection, {where.person_id})[where.person_id]


def refused_at_once(method: Method, where: Placed, record: PersonRecord | None, source: PatronSource) -> Outcome | None:
    """Whom it is about must be known; PATCH and DELETE are about a person whom the source has, and who has not left."""
    if where.is_quarantined:
        return Outcome("refused", where.rule, where.why)
    if method == "PUT":
        return None
    said = record.sources.get(source.code) if record is not None else None
    if record is None or said is None:
        return Outcome("refused", "unknown", "the source has no such person; a PUT makes one")
    if method == "PATCH" and said.sighting.left_on is not None:
        return Outcome("refused", "left", "the source said that the person has left; a PUT brings them back")
    return None


def plan_update(
    occasion: Occasion,
    method: Method,
    person: IncomingPerson,
    record: PersonRecord | None,
    where: Placed,
    held: frozenset[PatronChange],
) -> PlannedPerson:
    """What an update does to its person, by the pure plan of a file's row; classes in `held` wait."""
    if method == "DELETE" and record is not None:
        said = record.sources[occasion.code]
        # Said before: what is planned is what waited then.
        return (plan_left if said.sighting.left_on is None else plan_due)(record, occasion, held)
    if method == "PUT":
        person = whole(person, record, occasion.code)
    return plan_person(record, person, occasion, held, rekey=where.rekey)


def whole(person: IncomingPerson, record: PersonRecord | None, source: str) -> IncomingPerson:
    """A whole person: what the source said before and says no more is null now, as far as the policy lets it clear."""
    said = record.sources.get(source) if record is not None else None
    if said is None:
        return person
    gone = {
        path: None
        for path, each in said.values.items()
        if each.value is not None and path not in person.values and path not in KEPT_WHEN_UNSAID
    }
    empty = {path: () for path, items in said.lists.items() if items and path not in person.lists}
    return replace(person, values={**person.values, **gone}, lists={**person.lists, **empty})


def _save(
    connection: Connection,
    instant: Instant,
    plan: PlannedPerson,
    receipt_id: int,
    now: datetime,
    plan_hash: str | None = None,
) -> int | None:
    saved = save_plans(
        connection,
        [plan],
        run_id=f"receipt-{receipt_id}",
        delivery_id=None,
        now=now,
        day=instant.ground.day,
        policy_version=instant.ground.policy.version,
        plan_hash=plan_hash,
    )
    return saved.person_ids[0]


def done_rule(plan: PlannedPerson) -> str:
    """What became of a person: created, changed, unchanged."""
    if plan.before is None:
        return "created"
    return "changed" if any(each.decision == "applied" for each in plan.changes) else "unchanged"


def hash_of_changes(plan: PlannedPerson, classes: Collection[PatronChange]) -> str:
    """Of the changes of these classes: a person approves what is planned, and nothing else."""
    chosen = [each for each in plan.changes if each.change_class in classes]
    return hashlib.sha256(changes_to_json(chosen).encode()).hexdigest()


def heard_of(record: PersonRecord | None, source: str) -> str:
    """What a source said last, as far as one can tell whether it has spoken since; empty: it never spoke."""
    said = record.sources.get(source) if record is not None else None
    return "" if said is None else f"{said.content_hash.hex()} {said.sighting.left_on or ''}"


def _take_up(connection: Connection, instant: Instant, row: sa.Row[Any], now: datetime) -> Outcome:
    """Carry out an update that waited. One that cannot be carried out at all is refused: others wait behind it."""
    if row.source not in instant.sources:
        outcome = Outcome("refused", "no_source", "the register has no such source any more")
    else:
        try:
            with connection.begin_nested():
                outcome = merge(connection, instant, row.source, row.method, person_in(row), row.receipt_id, now)
        except Exception as error:
            if is_passing(error):
                raise
            # Not its words: they may quote the person.
            log.error("receipt %d could not be carried out: %s", row.receipt_id, type(error).__name__)
            outcome = Outcome("refused", "failed", "it could not be carried out; tell the operator")
    decide(connection, row, outcome, now)
    return outcome


def carry_out_waiting(instant: Instant, now: datetime) -> Counter[str]:
    """Carry out every update that waits, in the order in which they came; returns how many ended in which state."""
    counts: Counter[str] = Counter()
    while True:
        with instant.warehouse.write(PATRONS_LOCK) as connection:
            rows = open_receipts(connection, "waiting", limit=CHUNK)
            counts += Counter(_take_up(connection, instant, row, now).state for row in rows)
        if len(rows) < CHUNK:
            return counts


def apply_approved(
    connection: Connection,
    instant: Instant,
    rows: Sequence[sa.Row[Any]],
    approved: frozenset[PatronChange],
    now: datetime,
) -> Counter[str]:
    """Carry out held updates, as far as their classes are approved, in the caller's transaction, under `PATRONS_LOCK`.

    Of whom something else would be done by now is left: that was not approved. The receipt says so.
    """
    counts: Counter[str] = Counter()
    for row in rows:
        outcome = _apply_one(connection, instant, row, approved, now)
        decide(connection, row, outcome, now)
        counts["changed since" if outcome.rule == "changed_since" else outcome.state] += 1
    return counts


def _apply_one(
    connection: Connection, instant: Instant, row: sa.Row[Any], approved: frozenset[PatronChange], now: datetime
) -> Outcome:
    source = instant.sources.get(row.source)
    person = person_in(row)
    if source is None:
        return Outcome("refused", "no_source", "the register has no such source any more")
    where, record = _placed(connection, instant.ground, source, person)
    if refused := refused_at_once(row.method, where, record, source):
        return refused
    waited = frozenset(cast(list[PatronChange], row.rule.split(",")))
    free = plan_update(instant.occasion(source), row.method, person, record, where, NO_CLASS)
    if not free.changes:
        return Outcome("done", "unchanged", "by now there is nothing to do", row.person_id)
    has_spoken = row.person_id is not None and heard_of(record, row.source) != heard_in(row)
    if has_spoken or hash_of_changes(free, waited) != changes_hash_in(row):
        return Outcome("refused", "changed_since", "the person has changed since: send it again", row.person_id)
    # Classes that were free then and are planned now were not asked about.
    still = (waited | free.classes) - approved
    plan = plan_update(instant.occasion(source), row.method, person, record, where, still) if still else free
    person_id = _save(connection, instant, plan, row.receipt_id, now, row.plan_hash)
    version = plan.after.version if plan.after is not None and plan.makes_version else row.version
    if plan.held:
        rule = ",".join(sorted(plan.held))
        heard = heard_of(plan.after, row.source)
        return Outcome("held", rule, row.reason, person_id, version, hash_of_changes(free, plan.held), heard)
    return Outcome("done", done_rule(plan), "", person_id, version)
