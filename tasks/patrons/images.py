"""Before-images of persons as JSON: everything that is needed to make a person again as they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson

from tasks.patrons.documents import (
    baseline_from_json,
    baseline_to_json,
    document_of,
    document_parts,
    held_from_json,
    held_to_json,
    said_of,
    said_parts,
)
from tasks.patrons.lifecycle import Sighting, Standing
from tasks.patrons.records import IdentifierRow, LockRow, PersonRecord, SourceRecord


def image_of(person: PersonRecord) -> str:
    """`core_patron_version.image`: everything that is needed to make the person again as they are now."""
    return orjson.dumps(
        {
            "person": [
                *(person.institution, person.primary_id, person.account_type, list(person.standing)),
                *(person.expiry_rule, person.is_confidential, person.is_desk_stub, person.look_on),
                _hex(person.read_back_hash),
                *(person.sent_version, person.acknowledged_version, person.merged_into),
            ],
            "document": orjson.Fragment(document_of(person)),
            "sources": [
                [
                    *(each.source, each.institution, each.content_hash.hex(), each.policy_version, each.needs_merge),
                    *(each.filled, orjson.Fragment(said_of(each)), list(each.sighting)),
                ]
                for each in person.sources.values()
            ],
            "identifiers": [
                [each.type, each.value, each.key, each.source, each.valid_from, each.valid_to]
                for each in person.identifiers
            ],
            "locks": [
                [
                    *(each.lock_id, each.path, each.item_type, each.item_key, each.kind, held_to_json(each)),
                    *(baseline_to_json(each.baseline), each.by, each.reason, each.until),
                ]
                for each in person.locks
                if each.released_by is None
            ],
        }
    ).decode()


def from_image(person_id: int, version: int, text: str) -> PersonRecord:
    """The person as an image has them. Locks have the ids that they had."""
    found = orjson.loads(text)
    institution, primary_id, account_type, standing, rule, confidential, stub, look_on, read_back, *rest = found[
        "person"
    ]
    state, since, *days = standing
    return PersonRecord(
        *(person_id, institution, primary_id, account_type),
        Standing(state, date.fromisoformat(since), *(_day(each) for each in days)),
        rule,
        **document_parts(_text(found["document"])),
        sources={each[0]: _source_of_image(each) for each in found["sources"]},
        identifiers=tuple(
            IdentifierRow(kind, value, key, source, _day(since), _day(until))
            for kind, value, key, source, since, until in found["identifiers"]
        ),
        locks=tuple(_lock_of_image(each) for each in found["locks"]),
        version=version,
        is_confidential=confidential,
        is_desk_stub=stub,
        look_on=_day(look_on),
        read_back_hash=None if read_back is None else bytes.fromhex(read_back),
        sent_version=rest[0],
        acknowledged_version=rest[1],
        merged_into=rest[2],
    )


def _hex(content: bytes | None) -> str | None:
    return None if content is None else content.hex()


def _source_of_image(found: Sequence[Any]) -> SourceRecord:
    source, institution, content_hash, policy_version, needs_merge, filled, said, sighting = found
    name, seen_on, runs, *days = sighting
    return SourceRecord(
        *(source, institution, bytes.fromhex(content_hash), policy_version, needs_merge, filled),
        **said_parts(_text(said)),
        sighting=Sighting(name, _day(seen_on), runs, *(_day(each) for each in days)),
    )


def _lock_of_image(found: Sequence[Any]) -> LockRow:
    lock_id, path, item_type, item_key, kind, held, baseline, by, reason, until = found
    return LockRow(
        *(path, kind, held_from_json(path, item_key, held), baseline_from_json(path, baseline), by, reason),
        *(_day(until), item_type, item_key, lock_id),
    )


def _text(found: Any) -> str:
    return orjson.dumps(found).decode()


def _day(found: str | None) -> date | None:
    return date.fromisoformat(found) if found else None
