"""Synchronise files for a library system: the complete documents of everybody whom it does not have as they are now.

Only with a fresh read-back: else an edit that nobody has read back would be lost. What was sent and is not shown by
the next read-back is sent again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.alma_users import NOT_IN_ALMA, AlmaUser, OutRules, StaffRole
from schemas.patrons import Value
from schemas.register.patron_targets import PatronTarget
from schemas.warehouse.patrons import core_patron, core_patron_out
from tasks.landing.keys import Area, check_key
from tasks.landing.zone import LandingZone
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_packing import pack_users
from tasks.patrons.alma_shown import NotComposableError, split_lists
from tasks.patrons.lifecycle import status_of
from tasks.patrons.pieces import hash_of
from tasks.patrons.records import PersonRecord
from tasks.patrons.store import load_records
from tasks.warehouse.bulk import id_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ids import take_id

CHUNK_PERSONS = 5_000
BORROWER: Final = "200"
"""Alma's role Patron."""


class Document(NamedTuple):
    """A document that goes into the file that is being written."""

    version: int
    digest: bytes
    """16 bytes."""
    is_renewed: bool
    """Another one than was sent before; else it is sent again, since it was not taken."""


def _nothing_to_note(_connection: Connection, _persons: Collection[int]) -> None:
    """Nobody is staff."""


@dataclass(frozen=True)
class Staff:
    """Persons of an institution who have staff accounts there, too: the account rules own their roles."""

    roles: Mapping[int, tuple[StaffRole, ...]] = field(default_factory=dict)
    """In force, by person; empty: none any more."""
    due: frozenset[int] = frozenset()
    """Whose roles changed since the library system was told."""
    note_told: Callable[[Connection, Collection[int]], None] = _nothing_to_note
    """Called with persons of whom a document went out, in the transaction that notes it."""

    def on(self, user: AlmaUser, record: PersonRecord) -> AlmaUser:
        """The document with the roles of a person who is staff, and the role of a borrower, which is the person's own.

        Roles that are not sent stay as they are in the library system, so whoever is no staff has none in the document.
        """
        roles = None if record.person_id is None else self.roles.get(record.person_id)
        if roles is None:
            return user
        borrower = StaffRole(BORROWER, record.institution, expiry_date=record.standing.expires_on)
        return replace(user, roles=(borrower, *roles))


NO_STAFF: Final = Staff()


@dataclass
class Sent:
    """What went out."""

    uris: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    not_composable: list[tuple[int, str]] = field(default_factory=list)
    """(person, why) of those whom no document can carry; the others went out."""


def send_out(
    warehouse: Warehouse,
    zone: LandingZone,
    target: PatronTarget,
    read_back_at: datetime,
    *,
    day: date,
    now: datetime,
    run_id: str,
    staff: Staff = NO_STAFF,
) -> Sent:
    """Write the synchronise files of an institution; `read_back_at` is when its library system was read back.

    A file is there before its persons count as sent, and its name follows from its content: killed in between and
    run again, the same file is found. Nobody to send: no file.
    """
    sent = Sent()
    ids = due_persons(warehouse, target, read_back_at, staff.due)
    for begin in range(0, len(ids), target.persons_per_file * 50):
        some = ids[begin : begin + target.persons_per_file * 50]
        made: dict[int, Document] = {}
        same: dict[int, int] = {}
        documents = _documents(warehouse, target, some, made, same, sent, staff)
        for packed in pack_users(documents, f"{target.out_prefix}_{day:%Y%m%d}", target.persons_per_file):
            name = f"{packed.name.removesuffix('.zip')}_{packed.sha256[:12]}.zip"
            key = check_key(f"{Area.EXPORTS}/patrons/{target.institution}/{name}")
            uri = zone.put(key, packed.content, sha256=packed.sha256)
            zone.put(f"{key}.manifest.json", packed.manifest(), overwrite=True)
            with warehouse.write() as connection:
                _note(connection, target, uri, packed.sha256, made, now=now, run_id=run_id)
                staff.note_told(connection, made.keys())
            sent.uris.append(uri)
            sent.counts["sent"] += packed.persons
            made.clear()
        _note_same(warehouse, same, staff)
    return sent


def due_persons(
    warehouse: Warehouse, target: PatronTarget, read_back_at: datetime, also: Collection[int] = ()
) -> list[int]:
    """Persons whom the library system does not have as they are now, and to whom nothing is under way; and `also`."""
    person = core_patron
    last_out = (
        sa.select(sa.func.max(core_patron_out.c.made_at))
        .where(core_patron_out.c.institution == target.institution)
        .scalar_subquery()
    )
    was_not_taken = sa.and_(
        person.c.sent_version > person.c.acknowledged_version,
        sa.literal(read_back_at, core_patron_out.c.made_at.type) > last_out,
    )
    with warehouse.read() as connection:
        return list(
            connection.execute(
                sa.select(person.c.person_id)
                .where(
                    person.c.institution == target.institution,
                    person.c.merged_into.is_(None),
                    person.c.state.not_in(["staged", "erased"]),
                    person.c.account_type.in_(["EXTERNAL", ""]),
                    sa.or_(
                        person.c.version > person.c.sent_version,
                        was_not_taken,
                        person.c.person_id.in_(sa.select(id_set(connection, also).c.value)),
                    ),
                )
                .order_by(person.c.primary_key)
            ).scalars()
        )


def _documents(
    warehouse: Warehouse,
    target: PatronTarget,
    ids: list[int],
    made: dict[int, Document],
    same: dict[int, int],
    sent: Sent,
    staff: Staff,
) -> Iterator[bytes]:
    for begin in range(0, len(ids), CHUNK_PERSONS):
        some = ids[begin : begin + CHUNK_PERSONS]
        with warehouse.read() as connection:
            records = load_records(connection, some)
            hashes = sent_hashes(connection, some)
        for person_id in some:
            record = records[person_id]
            if not record.sources and not record.is_known_to_library_system:
                continue
            try:
                composed = compose_user(staff.on(document_of(record), record), target.out_rules)
            except NotComposableError as error:
                sent.not_composable.append((person_id, error.cause))
                sent.counts["not composable"] += 1
                continue
            sent.counts.update(f"left out: {each.rule}" for each in composed.left_out)
            digest = hash_of(composed.content)
            if digest == hashes.get(person_id) and record.sent_version == record.acknowledged_version:
                same[person_id] = record.version  # nothing of what changed is in a document
                continue
            made[person_id] = Document(record.version, digest, digest != hashes.get(person_id))
            yield composed.content


def document_of(record: PersonRecord) -> AlmaUser:
    """The complete document of a person: what is there now, with the days and the status that Samkat works out."""
    values: dict[str, Value | None] = dict(record.current)
    values |= {
        "primary_id": record.primary_id,
        "account_type": "EXTERNAL",
        "expiry_date": record.standing.expires_on,
        "purge_date": record.standing.purge_on,
        "status": status_of(record.standing.state),
    }
    paths = record.lists.keys() | record.current_lists.keys()
    return AlmaUser(values, {path: record.items(path) for path in paths})


def filled_of(user: AlmaUser, rules: OutRules) -> set[str]:
    """The paths of a document that a library system shows a value of."""
    hidden = NOT_IN_ALMA | rules.not_exported
    values = {path for path, value in user.values.items() if value is not None}
    lists = {path for path, split in split_lists(user, rules).items() if split.outgoing or split.internal}
    return (values | lists) - hidden


def _note(
    connection: Connection,
    target: PatronTarget,
    uri: str,
    sha256: str,
    made: dict[int, Document],
    **run: Any,
) -> None:
    connection.execute(
        sa.insert(core_patron_out).values(
            out_id=take_id(connection, "patron_out"),
            institution=target.institution,
            run_id=run["run_id"],
            uri=uri,
            sha256=sha256,
            persons=len(made),
            renewed=sum(each.is_renewed for each in made.values()),
            state="made",
            made_at=run["now"],
        )
    )
    connection.execute(
        sa.update(core_patron)
        .where(core_patron.c.person_id == sa.bindparam("person"))
        .values(sent_version=sa.bindparam("sent"), sent_hash=sa.bindparam("digest")),
        [{"person": each, "sent": one.version, "digest": one.digest} for each, one in made.items()],
    )


def _note_same(warehouse: Warehouse, same: dict[int, int], staff: Staff) -> None:
    """The library system has these as they are now: there is nothing to send, and nothing to wait for."""
    if not same:
        return
    with warehouse.write() as connection:
        connection.execute(
            sa.update(core_patron)
            .where(core_patron.c.person_id == sa.bindparam("person"))
            .values(sent_version=sa.bindparam("sent"), acknowledged_version=sa.bindparam("sent")),
            [{"person": each, "sent": version} for each, version in same.items()],
        )
        staff.note_told(connection, same.keys())


def sent_hashes(connection: Connection, persons: list[int]) -> dict[int, bytes]:
    """Hash of the document that was sent last, by person."""
    rows = connection.execute(
        sa.select(core_patron.c.person_id, core_patron.c.sent_hash).where(
            core_patron.c.person_id.in_(sa.select(id_set(connection, persons).c.value)),
            core_patron.c.sent_hash.is_not(None),
        )
    )
    return {person_id: bytes(digest) for person_id, digest in rows}
