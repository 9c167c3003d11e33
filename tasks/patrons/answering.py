"""Staff answer a question of the patron sync: the decision is a row at once, and the source's next file follows it.

* A value: `keep` leaves ours, until the source says something new again; `take` ends what protects it.
* A row: `same` gives a person the stable ids of the row, `new` makes a person who waits for their first row. Whether
  the next file will place the row so is tried before anything is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.patrons import IncomingPerson, RejectedRow
from schemas.register.patron_sources import PatronSource
from schemas.warehouse.patrons import core_patron_change
from schemas.warehouse.raw import raw_delivery
from tasks.landing.receiving import original
from tasks.landing.zone import LandingZone
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.desk import AtTheDesk, find_person
from tasks.patrons.lookups import place
from tasks.patrons.occasion import PERSON, Change, PlannedPerson
from tasks.patrons.pinning import plan_release
from tasks.patrons.plan_edits import plan_found
from tasks.patrons.plan_identifiers import PRIMARY
from tasks.patrons.questions import ValueQuestion, row_questions, run_id_of, value_questions
from tasks.patrons.reading import read_persons
from tasks.patrons.records import IdentifierRow, PersonRecord
from tasks.patrons.store import load_records, save_plans
from tasks.warehouse.ids import take_id
from tasks.warehouse.ledger import delivery

NO_QUESTION = "no such question is open"


@dataclass(frozen=True)
class Answered:
    """What a decision did."""

    run_id: str
    rule: str
    person_id: int


def answer_value(desk: AtTheDesk, number: int, answer: Literal["keep", "take"]) -> Answered:
    """Decide about a value. Raises `UsageError` where it is not open, or only the policy protects the value."""
    _by_somebody(desk)
    run_id, rule = run_id_of(number), f"decided_{answer}"
    with desk.warehouse.write(PATRONS_LOCK) as connection:
        question = _value_question(connection, number)
        person_id = _person_of(connection, number)
        record = load_records(connection, [person_id])[person_id]
        if answer == "take":
            plan = plan_release(record, question.path, desk.occasion, by=desk.by, item_type=_kind(record, question))
            if plan.is_quiet:
                raise UsageError(
                    "the policy protects the value, not the person's record",
                    field="--take",
                    remedy="change patron_policy.toml, or enter the value with `samkat patrons protect --value`",
                )
            save_plans(
                connection, [plan], run_id=run_id, delivery_id=None, now=desk.now, day=desk.occasion.day
            )  # fmt: skip
        words = "ours stays" if answer == "keep" else "the source's next row is merged again"
        note = Change(
            question.path, question.item_type, source=question.source, rule=rule, reason=f"{words}, by {desk.by}"
        )
        _note(connection, desk, record, note, run_id)
    return Answered(run_id, rule, person_id)


def _kind(record: PersonRecord, question: ValueQuestion) -> str:
    """The type to release: none where the lock is on the whole list."""
    kinds = {lock.item_type for lock in record.locks if lock.path == question.path and lock.released_by is None}
    return question.item_type if question.item_type in kinds else ""


def _value_question(connection: Connection, number: int) -> ValueQuestion:
    found = value_questions(connection, lambda *_: "", number=number)
    if not found:
        raise UsageError(NO_QUESTION, field="ID", remedy="`samkat patrons reviews` shows what is open")
    return found[0]


def _person_of(connection: Connection, number: int) -> int:
    change = core_patron_change
    chosen = sa.select(change.c.person_id).where(change.c.change_id == number)
    return int(connection.execute(chosen).scalar_one())


_WAY_OUT: Final = "merge the persons, or take the id from who has it; then the next file places the row by itself"
_WAY_OUT_OF_RESTING: Final = (
    "say --same with the person who had it, where it is they; else the source gives another id, or the row waits until "
    "this one is free (free_days)"
)


def answer_row(
    desk: AtTheDesk, zone: LandingZone, source: PatronSource, number: str, same: str | None, salt: bytes | None
) -> Answered:
    """Decide whom a row is about: `same` is an id of that person, None makes a new one.

    Raises `UsageError` where the question is not open, or the row could not be placed so.
    """
    _by_somebody(desk)
    run_id = run_id_of(number)
    incoming = row_of(desk, zone, source, number)
    occasion = replace(desk.occasion, source=source)
    with desk.warehouse.write(PATRONS_LOCK) as connection:
        _row_question_is_open(connection, source, number)
        if same is None:
            plan, rule = _stub(incoming, source, desk), "decided_new"
        else:
            person_id = find_person(connection, source.institution, same, occasion.day)
            record = load_records(connection, [person_id])[person_id]
            plan, rule = _with_ids(record, incoming, source, desk), "decided_same"
        (saved,) = save_plans(
            connection, [plan], run_id=run_id, delivery_id=None, now=desk.now, day=occasion.day
        ).person_ids
        assert saved is not None
        (placed,) = place(
            connection, source.institution, source.code, [incoming], occasion.policy, occasion.day, salt
        )  # fmt: skip
        if placed.person_id != saved:
            raise UsageError(
                f"the row could still not be placed: {placed.why}",
                remedy=_WAY_OUT_OF_RESTING if placed.rule == "resting" else _WAY_OUT,
            )
    return Answered(run_id, rule, saved)


def row_of(desk: AtTheDesk, zone: LandingZone, source: PatronSource, number: str) -> IncomingPerson:
    """The row of a question, read again from the file. Raises `UsageError` where it can no longer be read."""
    delivery_id, record_no = _numbers(number)
    with _opened(desk, zone, delivery_id, source) as (stream, name):
        for each in read_persons(stream, name, source):
            if each.position.record_no == record_no:
                if isinstance(each, RejectedRow):
                    break
                return each
    raise UsageError(NO_QUESTION, field="ID", remedy="`samkat patrons reviews` shows what is open")


@contextmanager
def _opened(
    desk: AtTheDesk, zone: LandingZone, delivery_id: int, source: PatronSource
) -> Iterator[tuple[BinaryIO, str]]:
    with desk.warehouse.read() as connection:
        row = connection.execute(
            sa.select(raw_delivery.c.delivery_id).where(
                raw_delivery.c.delivery_id == delivery_id, raw_delivery.c.sender == source.code
            )
        ).one_or_none()
        if row is None:
            raise UsageError(NO_QUESTION, field="ID", remedy="`samkat patrons reviews` shows what is open")
        known = delivery(connection, delivery_id)
        uri = original(zone, connection, known)
    with zone.open(uri) as stream:
        yield stream, known.name


def _numbers(number: str) -> tuple[int, int]:
    parts = number.split(":")
    if len(parts) != 2 or not all(each.isdigit() for each in parts):
        raise UsageError(
            "is no number of a row", field="ID", remedy="give it as `samkat patrons reviews` shows it: 12:345"
        )
    return int(parts[0]), int(parts[1])


def _row_question_is_open(connection: Connection, source: PatronSource, number: str) -> None:
    found = [each for each in row_questions(connection, source.institution) if each.number == number]
    if not found:
        raise UsageError(NO_QUESTION, field="ID", remedy="`samkat patrons reviews` shows what is open")
    if not found[0].is_for_staff:
        raise UsageError("the sender has to correct the row", field="ID", remedy=found[0].remedy or found[0].reason)


def _ids(incoming: IncomingPerson, source: PatronSource, desk: AtTheDesk) -> list[IdentifierRow]:
    day = desk.occasion.day
    return [IdentifierRow(each.type, each.value, each.key, source.code, day) for each in incoming.source_ids]


def _with_ids(record: PersonRecord, incoming: IncomingPerson, source: PatronSource, desk: AtTheDesk) -> PlannedPerson:
    """The person with the stable ids of the row; what they have already stays."""
    day = desk.occasion.day
    has = {(each.type, each.key) for each in record.identifiers if each.source == source.code and each.is_open_on(day)}
    new = [each for each in _ids(incoming, source, desk) if (each.type, each.key) not in has]
    after = replace(record, identifiers=(*record.identifiers, *new), version=record.version + 1)
    reason = f"the source's row is about this person, by {desk.by}"
    return PlannedPerson(record, after, (Change(PERSON, source=source.code, rule="decided_same", reason=reason),))


def _stub(incoming: IncomingPerson, source: PatronSource, desk: AtTheDesk) -> PlannedPerson:
    """A person without values who waits for the row."""
    primary = incoming.values.get(PRIMARY)
    primary_id = primary if isinstance(primary, str) else incoming.source_ids[0].value
    found = plan_found({PRIMARY: primary_id}, {}, b"", desk.occasion, is_desk_stub=True)
    assert found.after is not None
    others = [each for each in _ids(incoming, source, desk) if each.type != PRIMARY]
    after = replace(
        found.after,
        identifiers=(*found.after.identifiers, *others),
        read_back_hash=None,
        sent_version=0,
        acknowledged_version=0,
    )
    reason = f"the source's row is about nobody whom we have, by {desk.by}"
    return PlannedPerson(
        None, after, (Change(PERSON, new=after, source=source.code, rule="decided_new", reason=reason),)
    )


def _note(connection: Connection, desk: AtTheDesk, record: PersonRecord, change: Change, run_id: str) -> None:
    connection.execute(
        sa.insert(core_patron_change).values(
            change_id=take_id(connection, "patron_change"),
            run_id=run_id,
            person_id=record.person_id,
            institution=record.institution,
            primary_id=record.primary_id,
            path=change.path,
            item_type=change.item_type,
            source=change.source,
            rule=change.rule,
            decision=change.decision,
            reason=change.reason,
            changed_at=desk.now,
            **{"class": ""},
        )
    )


def _by_somebody(desk: AtTheDesk) -> None:
    if not desk.by.strip():
        raise UsageError("nobody is named", field="--by", remedy="say who does it")
