"""A library system that is talked to through its REST API: its users as a read-back, and one update a person.

What is read becomes a file of this machine first, so that it is judged and taken like an export. A look-up that fails
is an error and ends the run; only the library system's own word that there is nobody leads to a create, and only for a
person whom it never had.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from schemas.alma_users import AlmaUser
from schemas.register.patron_targets import PatronTarget
from schemas.warehouse.patrons import core_patron
from tasks.patrons.alma_answers import AlmaAnswerError
from tasks.patrons.alma_api import AlmaApi
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_over import compose_over
from tasks.patrons.alma_packing import HEAD, TAIL
from tasks.patrons.alma_shown import NotComposableError
from tasks.patrons.export_guards import ExportTime
from tasks.patrons.pieces import hash_of
from tasks.patrons.records import PersonRecord
from tasks.patrons.sending_out import (
    CHUNK_PERSONS,
    NO_STAFF,
    Document,
    Sent,
    Staff,
    document_of,
    due_persons,
    sent_hashes,
)
from tasks.patrons.store import load_records
from tasks.patrons.taking_read_back import Export
from tasks.warehouse.engine import Warehouse

_OPEN_FILES = Path("/proc/self/fd")
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>\s*")


@contextmanager
def fetched(api: AlmaApi, target: PatronTarget, now: datetime) -> Iterator[Export]:
    """All users of a library system as an export, for as long as it is worked on; `now` is when the reading began.

    Raises what the API's client raises: a part of the users is never given as all of them.
    """
    # Without a name where the system allows that: whatever ends this process, no person stays in a folder.
    make = tempfile.TemporaryFile if _OPEN_FILES.is_dir() else tempfile.NamedTemporaryFile
    with make(prefix="samkat-") as file:
        digest, size = hashlib.sha256(), 0
        for part in _parts(api):
            digest.update(part)
            size += file.write(part)
        file.flush()
        path = Path(file.name) if isinstance(file.name, str) else _OPEN_FILES / str(file.fileno())
        name, at = f"{target.code}.xml", ExportTime(now, "arrival")
        yield Export(target, None, name, digest.hexdigest(), size, at, lambda: path.open("rb"))


def _parts(api: AlmaApi) -> Iterator[bytes]:
    yield HEAD
    for document in api.users():
        yield _DECLARATION.sub(b"", document) + b"\n"
    yield TAIL


def send_by_api(
    warehouse: Warehouse, target: PatronTarget, api: AlmaApi, read_back_at: datetime, staff: Staff = NO_STAFF
) -> Sent:
    """Update everybody whom the library system does not have as they are now; each counts as sent once it is taken.

    Raises what the API's client raises; who was taken before that stays so.
    """
    sent = Sent()
    ids = due_persons(warehouse, target, read_back_at, staff.due)
    for begin in range(0, len(ids), CHUNK_PERSONS):
        some = ids[begin : begin + CHUNK_PERSONS]
        with warehouse.read() as connection:
            records, hashes = load_records(connection, some), sent_hashes(connection, some)
        for person_id in some:
            record = records[person_id]
            if not record.sources and not record.is_known_to_library_system:
                continue
            user = staff.on(document_of(record), record)
            outcome = _send(api, target, record, user, hashes.get(person_id))
            if isinstance(outcome, Document):
                _note(warehouse, person_id, outcome, staff)
                sent.counts["sent"] += outcome.is_renewed
            else:
                sent.counts[outcome] += 1
    return sent


def _send(
    api: AlmaApi, target: PatronTarget, record: PersonRecord, user: AlmaUser, known: bytes | None
) -> Document | str:
    """The document that the library system has taken, or why it has not."""
    try:
        composed = compose_user(user, target.out_rules).content
        digest = hash_of(composed)
        if digest == known and record.sent_version == record.acknowledged_version:
            return Document(record.version, digest, False)
        there = api.user(record.primary_id)
        if there is not None:
            api.replace_user(record.primary_id, compose_over(there, user, target.out_rules))
        elif record.is_known_to_library_system:
            return "gone from the library system"
        else:
            api.create_user(composed)
    except NotComposableError:
        return "not composable"
    except AlmaAnswerError:
        return "not taken"
    return Document(record.version, digest, True)


def _note(warehouse: Warehouse, person_id: int, document: Document, staff: Staff) -> None:
    """The answer is the acknowledgement: one transaction a person, since the request cannot be taken back."""
    with warehouse.write() as connection:
        connection.execute(
            sa.update(core_patron)
            .where(core_patron.c.person_id == person_id)
            .values(sent_version=document.version, acknowledged_version=document.version, sent_hash=document.digest)
        )
        staff.note_told(connection, [person_id])
