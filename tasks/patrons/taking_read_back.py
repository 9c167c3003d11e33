"""Taking a read-back in: what a library system holds becomes the C of the merge, and its age is on record.

An export is read twice: first to be judged as a whole, since half an export would say that the others are gone, and
then to be taken, a chunk a transaction. A user whose record is as it was costs a look-up of a hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.alma_users import NOT_IN_ALMA, CurrentPerson, SeenUser, UnreadUser
from schemas.outcomes import DeliveryState
from schemas.register.patron_targets import PatronTarget
from schemas.warehouse.base import UtcInstant
from schemas.warehouse.patrons import core_patron, core_patron_out, core_patron_read_back
from schemas.warehouse.raw import raw_delivery
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.export_guards import Compared, ExportFinding, ExportTime, Written, is_fresh, judge_export
from tasks.patrons.file_guards import FileFacts, Manifest
from tasks.patrons.occasion import Occasion, PlannedPerson
from tasks.patrons.person_plan import plan_found, plan_read_back
from tasks.patrons.plan_edits import OURS
from tasks.patrons.plan_identifiers import PRIMARY
from tasks.patrons.read_back import BackUser, ReadBackTotals, as_current, read_export
from tasks.patrons.sending_out import document_of, filled_of
from tasks.patrons.stones import erased_keys
from tasks.patrons.store import load_records, save_plans
from tasks.warehouse.bulk import hash_set, text_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ids import take_id

KIND = "read_back"
CHUNK_USERS = 5_000
COMPARED_PERSONS = 1_000
"""So many persons are held against what was written of them, before an export is believed."""
User = TypeVar("User", bound=BackUser)


@dataclass(frozen=True)
class Export:
    """An export that waits to be taken."""

    target: PatronTarget
    delivery_id: int | None
    """None: read through an API."""
    name: str
    sha256: str
    size: int
    exported: ExportTime
    open: Callable[[], BinaryIO]
    manifest: Manifest | None = None


def take_export(
    warehouse: Warehouse,
    export: Export,
    occasion: Occasion,
    hours: int,
    *,
    now: datetime,
    run_id: str,
    salt: bytes | None = None,
) -> tuple[Counter[str], list[ExportFinding]]:
    """Judge an export, and take it in where nothing is wrong with it; returns counts and what is wrong.

    `hours` is how long a read-back is fresh, `salt` that of the tombstones: who was erased here is not known again.
    What is wrong with it is kept beside it; it is then no read-back, and says nothing about anybody. Raises
    `DeliveryRejectedError` for what is no file of users.
    """
    facts, unplaced, found, compared = _read_once(warehouse, export)
    with warehouse.read() as connection:
        last = _last(connection, export.target)
        written = _written(connection, export.target, found, last)
    findings = judge_export(
        facts,
        export.target,
        export.exported,
        now,
        hours,
        last=_facts(last) if last is not None else None,
        last_at=last.as_of if last is not None else None,
        written=written,
        manifest=export.manifest,
        unplaced=unplaced,
        compared=compared,
    )
    counts = Counter(users=facts.persons)
    if not findings:
        for some in _chunks(_users(warehouse, export)):
            with warehouse.write(PATRONS_LOCK) as connection:
                counts += _take(connection, some, export, occasion, now=now, run_id=run_id, salt=salt)
    with warehouse.write(PATRONS_LOCK) as connection:
        _note(connection, export, facts, findings, counts, now)
    return counts, findings


def _users(warehouse: Warehouse, export: Export) -> Iterator[BackUser]:
    """The users of an export; whose record is as it was at the last read-back is not understood again."""

    def seen(hashes: Set[bytes]) -> Set[bytes]:
        with warehouse.read() as connection:
            return _seen(connection, export.target.institution, hashes)

    with export.open() as stream:
        yield from read_export(stream, export.name, export.target.out_rules, seen=seen)


def _seen(connection: Connection, institution: str, hashes: Set[bytes]) -> Set[bytes]:
    """Those of `hashes` that the last read-back of some person had."""
    asked, person = hash_set(connection, hashes), core_patron
    rows = connection.execute(
        sa.select(person.c.read_back_hash)
        .join_from(asked, person, person.c.read_back_hash == asked.c.value)
        .where(person.c.institution == institution, person.c.merged_into.is_(None), person.c.state != "erased")
    )
    return {bytes(each) for each in rows.scalars()}


def _chunks(users: Iterator[User]) -> Iterator[list[User]]:
    while some := list(islice(users, CHUNK_USERS)):
        yield some


def _read_once(warehouse: Warehouse, export: Export) -> tuple[FileFacts, int, int, Compared]:
    """The facts of the file, users without a readable id, how many of those that were written are in it, and what the
    first of them have lost."""
    totals, found = ReadBackTotals(), 0
    written: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    persons = 0
    with export.open() as stream:
        users = read_export(stream, export.name, export.target.out_rules, totals)
        for some in _chunks(users):
            keys = [key for each in some if (key := _key(each)) is not None]
            with warehouse.read() as connection:
                known = _known(connection, export.target.institution, keys)
                found += sum(1 for row in known.values() if row.acknowledged_version)
                if persons < COMPARED_PERSONS:
                    persons += _compare(connection, export, some, known, written, shown)
    facts = totals.facts(export.name, export.sha256, export.size)
    return facts, totals.unplaced, found, Compared(persons, written, shown)


def _compare(
    connection: Connection,
    export: Export,
    users: Sequence[BackUser],
    known: dict[str, sa.Row[Any]],
    written: Counter[str],
    shown: Counter[str],
) -> int:
    """Count, by path, of how many persons a value was written, and of how many of them one is shown."""
    readable = [each for each in users if isinstance(each, CurrentPerson) and each.primary_id.key in known]
    records = load_records(connection, {known[each.primary_id.key].person_id for each in readable})
    compared = 0
    for each in readable:
        record = records[known[each.primary_id.key].person_id]
        if not record.is_known_to_library_system:
            continue
        compared += 1
        paths = filled_of(document_of(record), export.target.out_rules) - OURS
        written.update(paths)
        there = {path for path, value in each.values.items() if value is not None}
        there |= {path for path, items in each.lists.items() if items}
        shown.update(paths & there)
    return compared


def _key(user: BackUser) -> str | None:
    if isinstance(user, SeenUser):
        return None
    return user.primary_id.key if isinstance(user, CurrentPerson) else user.primary_key


def _known(connection: Connection, institution: str, keys: Sequence[str]) -> dict[str, sa.Row[Any]]:
    """Primary key: (person_id, read_back_hash, versions), of the persons that there are."""
    wanted = text_set(connection, keys)
    person = core_patron
    rows = connection.execute(
        sa.select(
            *(person.c[name] for name in ("person_id", "primary_key", "read_back_hash", "version")),
            *(person.c[name] for name in ("sent_version", "acknowledged_version")),
        )
        .join_from(wanted, person, person.c.primary_key == wanted.c.value)
        .where(person.c.institution == institution, person.c.merged_into.is_(None), person.c.state != "erased")
    )
    return {row.primary_key: row for row in rows}


def _take(
    connection: Connection,
    users: Sequence[BackUser],
    export: Export,
    occasion: Occasion,
    *,
    now: datetime,
    run_id: str,
    salt: bytes | None,
) -> Counter[str]:
    """Take some users: unchanged ones are passed by, edits become C, external ones whom nobody knew are known now."""
    readable = [each for each in users if isinstance(each, CurrentPerson)]
    known = _known(connection, export.target.institution, [each.primary_id.key for each in readable])
    changed = [
        each
        for each in readable
        if (row := known.get(each.primary_id.key)) is not None and row.read_back_hash != each.content_hash
    ]
    records = load_records(connection, {known[each.primary_id.key].person_id for each in changed})
    plans: list[PlannedPerson] = []
    for each in changed:
        record = records[known[each.primary_id.key].person_id]
        state = as_current(each, document_of(record), export.target.out_rules)
        plans.append(plan_read_back(record, state.values, state.lists, each.content_hash, occasion))
    new = _new(connection, [each for each in readable if each.primary_id.key not in known], export, occasion, salt)
    plans += [plan_found(each.values, each.lists, each.content_hash, occasion) for each in new]
    save_plans(
        connection,
        plans,
        run_id=run_id,
        delivery_id=export.delivery_id,
        now=now,
        day=occasion.day,
        policy_version=occasion.policy.version,
    )
    _acknowledge(connection, export, users)
    edited = sum(1 for each in plans if each.before is not None and each.changes)
    seen = sum(1 for each in users if isinstance(each, SeenUser))
    return Counter(edited=edited, found=len(new), unchanged=seen + len(readable) - len(changed) - len(new))


def _new(
    connection: Connection, unknown: Sequence[CurrentPerson], export: Export, occasion: Occasion, salt: bytes | None
) -> list[CurrentPerson]:
    """External users whom nobody knew. The library system keeps who was erased here until it purges them itself."""
    found = [each for each in unknown if each.is_external]
    if salt is None:
        return found
    target = export.target
    keys = [each.primary_id.key for each in found]
    rules, day = occasion.policy.erasure, occasion.day
    erased = erased_keys(connection, target.institution, target.code, PRIMARY, keys, rules=rules, day=day, salt=salt)
    return [each for each in found if each.primary_id.key not in erased]


def _acknowledge(connection: Connection, export: Export, users: Sequence[BackUser]) -> None:
    """Of whom everything that was sent is shown: only then the watermark of a person moves."""
    asked, person = hash_set(connection, {_hash(each) for each in users}), core_patron
    under_way = connection.execute(
        sa.select(person.c.person_id)
        .join_from(asked, person, person.c.read_back_hash == asked.c.value)
        .where(
            person.c.institution == export.target.institution,
            person.c.sent_version > person.c.acknowledged_version,
            person.c.merged_into.is_(None),
        )
    ).scalars()
    records = load_records(connection, set(under_way))
    hidden = NOT_IN_ALMA | OURS | {PRIMARY} | export.target.out_rules.not_exported
    shown = [
        {"person": each.person_id, "sent": each.sent_version}
        for each in records.values()
        if not (each.replaced.keys() | each.replaced_lists.keys()) - hidden
    ]
    if not shown:
        return
    connection.execute(
        sa.update(person)
        .where(person.c.person_id == sa.bindparam("person"))
        .values(acknowledged_version=sa.bindparam("sent")),
        shown,
    )
    connection.execute(
        sa.update(core_patron_out)
        .where(
            core_patron_out.c.institution == export.target.institution,
            core_patron_out.c.state == "made",
            core_patron_out.c.made_at <= export.exported.at,
        )
        .values(state="acknowledged", acknowledged_at=export.exported.at)
    )


def _hash(user: BackUser) -> bytes:
    return b"" if isinstance(user, UnreadUser) else user.content_hash


def _last(connection: Connection, target: PatronTarget) -> sa.Row[Any] | None:
    """The export before it that was used."""
    return connection.execute(
        sa.select(core_patron_read_back, *(raw_delivery.c[name] for name in ("sha256", "name", "bytes", "check_tally")))
        .outerjoin(raw_delivery, raw_delivery.c.delivery_id == core_patron_read_back.c.delivery_id)
        .where(core_patron_read_back.c.institution == target.institution, core_patron_read_back.c.state == "used")
        .order_by(core_patron_read_back.c.as_of.desc(), core_patron_read_back.c.read_back_id.desc())
        .limit(1)
    ).one_or_none()


def _facts(row: sa.Row[Any]) -> FileFacts | None:
    if row.sha256 is None:
        return None
    filled = orjson.loads(row.check_tally) if row.check_tally else {}
    return FileFacts(row.name, row.sha256, row.bytes, row.persons, 0, (), filled)


def _written(connection: Connection, target: PatronTarget, found: int, last: sa.Row[Any] | None) -> Written:
    persons = connection.execute(
        sa.select(sa.func.count())
        .select_from(core_patron)
        .where(
            core_patron.c.institution == target.institution,
            core_patron.c.acknowledged_version > 0,
            core_patron.c.merged_into.is_(None),
            core_patron.c.state != "erased",
        )
    ).scalar_one()
    sent = connection.execute(
        sa.select(sa.type_coerce(sa.func.max(core_patron_out.c.made_at), UtcInstant)).where(
            core_patron_out.c.institution == target.institution, core_patron_out.c.renewed > 0
        )
    ).scalar()
    return Written(persons, found, {}, since_last=bool(sent and last is not None and sent > last.as_of))


def _note(
    connection: Connection,
    export: Export,
    facts: FileFacts,
    findings: Sequence[ExportFinding],
    counts: Counter[str],
    now: datetime,
) -> None:
    reason = "; ".join(f"{each.field}: {each.text}" if each.field else each.text for each in findings) or None
    connection.execute(
        sa.insert(core_patron_read_back).values(
            read_back_id=take_id(connection, "patron_read_back"),
            institution=export.target.institution,
            delivery_id=export.delivery_id,
            as_of=export.exported.at,
            taken_at=now,
            persons=facts.persons,
            edited=counts["edited"],
            state="held" if findings else "used",
            reason=reason,
        )
    )
    if export.delivery_id is None:
        return
    state = DeliveryState.REJECTED if findings else DeliveryState.SETTLED
    connection.execute(
        sa.update(raw_delivery)
        .where(raw_delivery.c.delivery_id == export.delivery_id)
        .values(
            state=state,
            finished_at=now,
            hold_reason=reason,
            records_read=facts.persons,
            check_tally=orjson.dumps(dict(facts.filled)).decode(),
        )
    )


def fresh_read_back(connection: Connection, institution: str, now: datetime, hours: int) -> sa.Row[Any] | None:
    """The last read-back of an institution, where it still says what is there; without one no document goes out."""
    row = connection.execute(
        sa.select(core_patron_read_back)
        .where(core_patron_read_back.c.institution == institution, core_patron_read_back.c.state == "used")
        .order_by(core_patron_read_back.c.as_of.desc(), core_patron_read_back.c.read_back_id.desc())
        .limit(1)
    ).one_or_none()
    return row if row is not None and is_fresh(row.as_of, now, hours) else None
