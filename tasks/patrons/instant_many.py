"""Instant updates that are there at the same time: one transaction for all of them, and a receipt each.

What an update costs is mostly questions to the database, and while they are asked nobody else can write persons. Asked
for many at once they cost little more than for one: so a service that falls behind catches up.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import IncomingPerson
from schemas.register.patron_limits import PatronChange
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.instant import (
    BACKLOG,
    NO_CLASS,
    Instant,
    behind_others,
    carry_out,
    done_rule,
    hash_of_changes,
    heard_of,
    keep_waiting,
    refused_at_once,
)
from tasks.patrons.instant import plan_update as planned_by
from tasks.patrons.instant_limits import guarded_classes
from tasks.patrons.lookups import Placed, place
from tasks.patrons.occasion import PlannedPerson
from tasks.patrons.receipts import COUNTER, Asked, KeyTakenError, Outcome, Receipt, enter_many, receipt_of, table
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import load_records, save_plans
from tasks.warehouse.away import is_passing
from tasks.warehouse.ids import take_ids

log = logging.getLogger("samkat.patrons")
MOST: Final = 25
"""Updates that one transaction carries out: more would keep the first of them waiting for the last."""
Answer: TypeAlias = Receipt | Exception


@dataclass(eq=False)
class _One:
    """An update on its way through a transaction."""

    asked: Asked
    receipt_id: int = 0
    outcome: Outcome | None = None
    answer: Answer | None = None


@dataclass
class _Planned:
    one: _One
    plan: PlannedPerson
    held: frozenset[PatronChange] = NO_CLASS
    reason: str = ""
    changes_hash: str = field(default="", repr=False)


def carry_out_many(instant: Instant, many: Sequence[Asked], now: datetime) -> list[Answer]:
    """As `carry_out`, for some updates in the order in which they came: for each its receipt, or what it ends in.

    Where they cannot be carried out now, each is kept to be carried out later; where one of them is at fault, each is
    tried by itself, so that none fails for another.
    """
    if len(many) > 1:
        try:
            return _together(instant, many, now)
        except Exception as error:
            if is_passing(error):
                return _each(many, lambda one: keep_waiting(instant.warehouse, one, now))
            log.warning("%d updates are tried one by one: %s", len(many), type(error).__name__)
    return _each(many, lambda one: carry_out(instant, one, now))


def _each(many: Sequence[Asked], work: Callable[[Asked], Receipt]) -> list[Answer]:
    answers: list[Answer] = []
    for each in many:
        try:
            answers.append(work(each))
        except Exception as error:
            answers.append(error)
            if is_passing(error):
                # The database is away: the others need not find out one after the other.
                return answers + [error] * (len(many) - len(answers))
    return answers


def _together(instant: Instant, many: Sequence[Asked], now: datetime) -> list[Answer]:
    ones = [_One(each) for each in many]
    with instant.warehouse.write(PATRONS_LOCK, instant.lock_seconds) as connection:
        _answer_known(connection, ones)
        new = _first_of_each_key(ones)
        _answer_behind_others(connection, instant, new, now)
        for one, receipt_id in zip(new, take_ids(connection, COUNTER, len(new)), strict=True):
            one.receipt_id = receipt_id
        left = [each for each in new if each.outcome is None]
        while left:
            left = _round(connection, instant, left, now)
        entered = [(each.asked, each.receipt_id, cast(Outcome, each.outcome)) for each in new]
        for one, receipt in zip(new, enter_many(connection, entered, now), strict=True):
            one.answer = receipt
    _answer_repeats(ones)
    return [cast(Answer, each.answer) for each in ones]


def _answer_known(connection: Connection, ones: Sequence[_One]) -> None:
    """Those that came before have their receipt already, and another request under a known key is refused."""
    institutions = sorted({each.asked.institution for each in ones})
    keys = [each.asked.idempotency_key for each in ones]
    rows = connection.execute(
        sa.select(table).where(table.c.institution.in_(institutions), table.c.idempotency_key.in_(keys))
    )
    known = {(row.institution, row.idempotency_key): row for row in rows}
    for one in ones:
        row = known.get((one.asked.institution, one.asked.idempotency_key))
        if row is not None:
            is_same = bytes(row.request_hash) == one.asked.request_hash
            one.answer = receipt_of(row) if is_same else KeyTakenError()


def _first_of_each_key(ones: Sequence[_One]) -> list[_One]:
    """New updates; of the same key the first."""
    found: dict[tuple[str, str], _One] = {}
    for each in ones:
        if each.answer is None:
            found.setdefault((each.asked.institution, each.asked.idempotency_key), each)
    return list(found.values())


def _answer_repeats(ones: Sequence[_One]) -> None:
    done = {(each.asked.institution, each.asked.idempotency_key): each for each in reversed(ones) if each.answer}
    for each in ones:
        if each.answer is None:
            first = done[each.asked.institution, each.asked.idempotency_key]
            is_same = first.asked.request_hash == each.asked.request_hash
            each.answer = first.answer if is_same else KeyTakenError()


def _answer_behind_others(connection: Connection, instant: Instant, ones: Sequence[_One], now: datetime) -> None:
    """As a single update, each source's updates come behind those of it that wait."""
    codes = {each.asked.source for each in ones}
    rows = connection.execute(
        sa.select(table)
        .where(table.c.state == "waiting", table.c.source.in_(sorted(codes)))
        .order_by(table.c.receipt_id)
        .limit((BACKLOG + 1) * len(codes))
    ).all()
    for code in sorted({row.source for row in rows}):
        outcome = behind_others(connection, instant, [row for row in rows if row.source == code], now)
        for each in ones:
            if outcome is not None and each.asked.source == code:
                each.outcome = outcome


def _round(connection: Connection, instant: Instant, ones: Sequence[_One], now: datetime) -> list[_One]:
    """Carry out updates of persons who have nothing in common; returns those that must wait for the next round."""
    chosen, later = _apart(ones)
    by_source: dict[str, list[_One]] = defaultdict(list)
    for each in chosen:
        by_source[each.asked.source].append(each)
    for code, some in by_source.items():
        later += _of_source(connection, instant, code, some, now)
    order = {id(each): number for number, each in enumerate(ones)}
    return sorted(later, key=lambda each: order[id(each)])


def _apart(ones: Sequence[_One]) -> tuple[list[_One], list[_One]]:
    """The first updates whose ids are all different, and the others; a rekey goes by itself."""
    chosen: list[_One] = []
    later: list[_One] = []
    seen: set[tuple[str, str, str]] = set()
    for each in ones:
        names = _names(each.asked.institution, each.asked.person)
        if seen.isdisjoint(names) and not (each.asked.person.rekeyed_from and chosen):
            chosen.append(each)
        else:
            later.append(each)
        seen |= names
        if each.asked.person.rekeyed_from and chosen == [each]:
            return chosen, list(ones[1:])
    return chosen, later


def _names(institution: str, person: IncomingPerson) -> set[tuple[str, str, str]]:
    ids = (*person.source_ids, *person.search_ids, *person.rekeyed_from)
    return {(institution, each.type, each.key) for each in ids}


def _of_source(connection: Connection, instant: Instant, code: str, ones: Sequence[_One], now: datetime) -> list[_One]:
    """Place, plan, guard and store; returns those whose person another one of them is about."""
    source, ground = instant.sources[code], instant.ground
    incoming = [each.asked.person for each in ones]
    placed = place(connection, source.institution, code, incoming, ground.policy, ground.day, ground.salt)
    records = load_records(connection, {each.person_id for each in placed if each.person_id is not None})
    later: list[_One] = []
    to_plan: list[tuple[_One, Placed, PersonRecord | None]] = []
    seen: set[int] = set()
    for one, where in zip(ones, placed, strict=True):
        if where.person_id in seen or (where.rule == "repeated"):
            later.append(one)
            continue
        if where.person_id is not None:
            seen.add(where.person_id)
        record = records[where.person_id] if where.person_id is not None else None
        one.outcome = refused_at_once(one.asked.method, where, record, source)
        if one.outcome is None:
            to_plan.append((one, where, record))
    plans = _planned(connection, instant, code, to_plan, now)
    saved = save_plans(
        connection,
        [each.plan for each in plans],
        run_id="",
        run_ids=[f"receipt-{each.one.receipt_id}" for each in plans],
        delivery_id=None,
        now=now,
        day=ground.day,
        policy_version=ground.policy.version,
    )
    for each, person_id in zip(plans, saved.person_ids, strict=True):
        each.one.outcome = _outcome(each, person_id)
    return later


def _planned(
    connection: Connection,
    instant: Instant,
    code: str,
    to_plan: Sequence[tuple[_One, Placed, PersonRecord | None]],
    now: datetime,
) -> list[_Planned]:
    source, occasion = instant.sources[code], instant.occasion(instant.sources[code])
    plans: list[_Planned] = []
    free_in_round: Counter[PatronChange] = Counter()
    for one, where, record in to_plan:
        method, person = one.asked.method, one.asked.person
        free = planned_by(occasion, method, person, record, where, NO_CLASS)
        said = guarded_classes(
            connection, free.classes, source, instant.ground, instant.populations, now, free_in_round
        )
        held = frozenset(cast(PatronChange, each.planned.change_class) for each in said if each.is_held)
        free_in_round.update(free.classes - held)
        if not held:
            plans.append(_Planned(one, free))
            continue
        reason = "; ".join(each.reason for each in said if each.is_held)
        plan = planned_by(occasion, method, person, record, where, held)
        plans.append(_Planned(one, plan, held, reason, hash_of_changes(free, held)))
    return plans


def _outcome(each: _Planned, person_id: int | None) -> Outcome:
    plan = each.plan
    version = plan.after.version if plan.after is not None and plan.makes_version else None
    if not each.held:
        return Outcome("done", done_rule(plan), "", person_id, version)
    heard = heard_of(plan.after, each.one.asked.source)
    return Outcome("held", ",".join(sorted(each.held)), each.reason, person_id, version, each.changes_hash, heard)
