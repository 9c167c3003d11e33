"""Rows of the patron tables as tuples for bulk loading, and records made of rows that were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from schemas.patrons import ListItem
from tasks.patrons.documents import (
    affiliations_to_json,
    baseline_from_json,
    baseline_to_json,
    change_value_to_json,
    document_of,
    document_parts,
    held_from_json,
    held_to_json,
    protected_to_json,
    said_of,
    said_parts,
)
from tasks.patrons.items import HeldItem
from tasks.patrons.keys import text_key
from tasks.patrons.lifecycle import Sighting, Standing
from tasks.patrons.occasion import Change, HistoryRow
from tasks.patrons.records import IdentifierRow, LockRow, PersonRecord, SourceRecord

PERSON_COLUMNS: Final = (
    *("person_id", "institution", "primary_id", "primary_key", "account_type", "user_group", "family_name"),
    *("given_name", "email", "state", "state_since", "not_before", "expires_on", "expiry_rule", "purge_on"),
    *("grace_until", "look_on", "is_confidential", "is_desk_stub", "affiliations", "protected", "document"),
    *("version", "delivery_id", "read_back_hash", "sent_hash", "sent_version", "acknowledged_version"),
    *("merged_into", "created_at", "updated_at"),
)
SOURCE_COLUMNS: Final = (
    *("person_id", "source", "institution", "content_hash", "policy_version", "needs_merge", "filled", "said"),
    *("seen_on", "missing_runs", "missing_since", "counted_on", "left_on"),
)
IDENTIFIER_COLUMNS: Final = (
    *("person_id", "seq", "institution", "type", "key", "value", "source", "valid_from", "valid_to"),
)
READ_IDENTIFIER: Final = ("person_id", "type", "value", "key", "source", "valid_from", "valid_to")
"""The person, and the fields of an `IdentifierRow`."""
LOCK_COLUMNS: Final = (
    *("lock_id", "person_id", "path", "item_type", "item_key", "kind", "held_value", "baseline", "by", "reason"),
    *("until", "created_at"),
)
CHANGE_COLUMNS: Final = (
    *("change_id", "person_id", "institution", "primary_id", "path", "item_type", "old", "new", "source", "rule"),
    *("class", "decision", "reason", "version"),
)
HISTORY_COLUMNS: Final = (
    *("history_id", "person_id", "source", "path", "item_type", "item_key", "value", "said_from", "said_until"),
)


class Stored(NamedTuple):
    """What of a person's row no plan decides."""

    created_at: datetime
    updated_at: datetime
    delivery_id: int | None
    sent_hash: bytes | None = None
    sent_version: int = 0
    acknowledged_version: int = 0


def person_row(person: PersonRecord, person_id: int, stored: Stored, day: date) -> tuple[Any, ...]:
    """A row of core_patron; `day` is that on which its locks are in force."""
    current, standing = person.current, person.standing
    return (
        *(person_id, person.institution, person.primary_id, text_key(person.primary_id), person.account_type),
        *(current.get("user_group"), current.get("last_name"), current.get("first_name"), _email(person)),
        *(standing.state, standing.since, standing.not_before, standing.expires_on, person.expiry_rule),
        *(standing.purge_on, standing.grace_until, person.look_on, person.is_confidential, person.is_desk_stub),
        affiliations_to_json(person),
        protected_to_json(person.locks, day) if person.locks else "[]",
        document_of(person),
        *(person.version, stored.delivery_id, person.read_back_hash, stored.sent_hash),
        *(stored.sent_version, stored.acknowledged_version, person.merged_into),
        *(stored.created_at, stored.updated_at),
    )


def _email(person: PersonRecord) -> str | None:
    items: tuple[ListItem, ...] | tuple[HeldItem, ...] | None = person.current_lists.get("emails")
    if items is None:
        items = person.lists.get("emails", ())
    found = next((each for each in items if each.is_preferred), None)
    return None if found is None else found.fields.get("email_address")


def source_row(source: SourceRecord, person_id: int) -> tuple[Any, ...]:
    """A row of core_patron_source."""
    seen = source.sighting
    return (
        *(person_id, source.source, source.institution, source.content_hash, source.policy_version),
        *(source.needs_merge, source.filled, said_of(source)),
        *(seen.seen_on, seen.missing_runs, seen.missing_since, seen.counted_on, seen.left_on),
    )


def identifier_rows(person: PersonRecord, person_id: int) -> Iterator[tuple[Any, ...]]:
    """The rows of core_patron_identifier."""
    for seq, each in enumerate(person.identifiers, start=1):
        yield (
            *(person_id, seq, person.institution, each.type, each.key, each.value, each.source),
            *(each.valid_from, each.valid_to),
        )


def lock_row(lock: LockRow, lock_id: int, person_id: int, now: datetime) -> tuple[Any, ...]:
    """A row of core_patron_lock for a new lock."""
    return (
        *(lock_id, person_id, lock.path, lock.item_type, lock.item_key, lock.kind, held_to_json(lock)),
        *(baseline_to_json(lock.baseline), lock.by, lock.reason, lock.until, lock.created_at or now),
    )


def change_row(
    change: Change, change_id: int, person: PersonRecord | None, person_id: int | None, version: int | None
) -> tuple[Any, ...]:
    """A row of core_patron_change; `version` is the one that the plan made. None: a person who was not made."""
    about = change.new if person is None else person
    is_record = isinstance(about, PersonRecord)
    made = version if change.decision == "applied" else None
    # Of a person who was not made nothing is kept but who it would have been.
    new = None if person is None else change_value_to_json(change.new)
    return (
        *(change_id, person_id, about.institution if is_record else "", about.primary_id if is_record else ""),
        *(change.path, change.item_type, change_value_to_json(change.old), new),
        *(change.source, change.rule, change.change_class or "", change.decision, change.reason, made),
    )


def history_row(row: HistoryRow, history_id: int, person_id: int) -> tuple[Any, ...]:
    """A row of core_patron_history."""
    return (
        *(history_id, person_id, row.source, row.path, row.item_type, row.item_key),
        *(change_value_to_json(row.value), row.said_from, row.said_until),
    )


def person_of(
    row: sa.Row[Any],
    sources: Mapping[str, SourceRecord],
    identifiers: tuple[IdentifierRow, ...],
    locks: tuple[LockRow, ...],
) -> PersonRecord:
    """The person of a row of core_patron."""
    return PersonRecord(
        *(row.person_id, row.institution, row.primary_id, row.account_type),
        Standing(row.state, row.state_since, row.not_before, row.expires_on, row.purge_on, row.grace_until),
        row.expiry_rule or "",
        **document_parts(row.document),
        sources=sources,
        identifiers=identifiers,
        locks=locks,
        version=row.version,
        is_confidential=row.is_confidential,
        is_desk_stub=row.is_desk_stub,
        look_on=row.look_on,
        read_back_hash=None if row.read_back_hash is None else bytes(row.read_back_hash),
        sent_version=row.sent_version,
        acknowledged_version=row.acknowledged_version,
        merged_into=row.merged_into,
        created_at=row.created_at,
    )


def source_of(row: sa.Row[Any]) -> SourceRecord:
    """What a source says, of a row of core_patron_source."""
    return SourceRecord(
        *(row.source, row.institution, bytes(row.content_hash), row.policy_version, row.needs_merge, row.filled),
        **said_parts(row.said),
        sighting=Sighting(row.source, row.seen_on, row.missing_runs, row.missing_since, row.counted_on, row.left_on),
    )


def lock_of(row: sa.Row[Any]) -> LockRow:
    """A lock, of a row of core_patron_lock."""
    held, baseline = held_from_json(row.path, row.item_key, row.held_value), baseline_from_json(row.path, row.baseline)
    return LockRow(
        *(row.path, row.kind, held, baseline, row.by, row.reason, row.until, row.item_type, row.item_key),
        *(row.lock_id, row.created_at),
    )
