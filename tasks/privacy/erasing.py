"""A person is erased: from every table at once, with tombstones; the files in which they may stand are to be shredded.

What stays are counts and rows that say nothing about the person: that one was erased, when, by whom. Nothing is kept
from which the person could be made again, so no undoing brings them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.warehouse.patrons import (
    core_patron,
    core_patron_change,
    core_patron_history,
    core_patron_identifier,
    core_patron_lock,
    core_patron_merge,
    core_patron_obligation,
    core_patron_out,
    core_patron_source,
    core_patron_tombstone,
    core_patron_version,
    raw_patron_receipt,
    stage_patron,
    stage_patron_due,
)
from schemas.warehouse.raw import raw_delivery
from tasks.patrons.erasure import Obligations, obstacles, tombstone_key
from tasks.patrons.keys import text_key
from tasks.patrons.lookups import PRIMARY
from tasks.patrons.occasion import PERSON
from tasks.patrons.receipts import person_in
from tasks.patrons.receiving import KIND as FILE
from tasks.privacy.places import ENDED, KnownPerson, ask_to_shred, files_of, known_person, reviews_of, sent_files_of
from tasks.privacy.told import clear_notices, words_of
from tasks.warehouse.ids import take_id

ERASED = "erased"
OF_A_PERSON = (
    *(core_patron_source, core_patron_identifier, core_patron_lock, core_patron_history, core_patron_version),
    *(core_patron_obligation, stage_patron_due),
)
"""Tables of which every row of the person goes."""
EMPTY_DOCUMENT = '{"written":{},"lists":{}}'
NOTHING_OF_A_PERSON: dict[str, Any] = {
    **dict.fromkeys(("primary_id", "primary_key", "account_type"), ""),
    **dict.fromkeys(("user_group", "family_name", "given_name", "email", "not_before", "expires_on", "expiry_rule")),
    **dict.fromkeys(("purge_on", "grace_until", "look_on", "delivery_id", "read_back_hash", "sent_hash")),
    **{"is_confidential": False, "is_desk_stub": False, "affiliations": "[]", "protected": "[]"},
    **{"document": EMPTY_DOCUMENT, "sent_version": 0, "acknowledged_version": 0},
}
"""What is left of the row of an erased person, beside its number, institution, state and days of the row."""


@dataclass(frozen=True)
class Erasing:
    """What all persons that are erased together share."""

    register: Register
    salt: bytes
    day: date
    as_of: datetime
    """What obligations are looked at from: now, or the end of the business date."""
    now: datetime
    run_id: str
    why: str
    """In words, with who asked for it; says nothing about the person."""
    plan_hash: str | None = None


@dataclass(frozen=True)
class Erased:
    """What was cleared, and which files are asked to be shredded."""

    counts: Counter[str]
    delivery_ids: tuple[int, ...]
    out_ids: tuple[int, ...]
    reviews: tuple[tuple[str, int], ...]
    words: frozenset[str] = field(default=frozenset(), repr=False)
    """What would name the person in an e-mail; in no log, and stored nowhere."""


def what_stands_against(
    connection: Connection, known: KnownPerson, register: Register, now: datetime, *, is_asked_for: bool
) -> tuple[str, ...]:
    """What keeps a person from being erased, in words; the conditions of erasure.py, and files that are under way."""
    found: list[str] = []
    rules = register.patron_policy.erasure
    state = connection.execute(
        sa.select(core_patron.c.state).where(core_patron.c.person_id == known.person_ids[0])
    ).scalar_one()
    found += obstacles(state, obligations_of(connection, known), rules, now, is_asked_for=is_asked_for)
    rows = connection.execute(
        sa.select(raw_delivery.c.delivery_id)
        .where(
            raw_delivery.c.kind == FILE,
            raw_delivery.c.sender.in_(known.sources),
            raw_delivery.c.state.not_in(ENDED),
            sa.not_(raw_delivery.c.is_preview),
        )
        .order_by(raw_delivery.c.delivery_id)
    ).scalars()
    found += [f"file {each} of a source of theirs is on its way, or waits for approval" for each in rows]
    return tuple(found)


def obligations_of(connection: Connection, known: KnownPerson) -> Obligations | None:
    """What is owed, over all ids that were merged; as old as the oldest of what is known. None: no feed told."""
    debt = core_patron_obligation
    rows = connection.execute(sa.select(debt).where(debt.c.person_id.in_(known.person_ids))).all()
    if not rows:
        return None
    return Obligations(
        min(row.as_of for row in rows),
        sum(row.loans for row in rows),
        # Two debts that cancel each other out are debts.
        sum((abs(Decimal(row.balance)) for row in rows), Decimal(0)),
        sum(row.requests for row in rows),
        sum(row.on_hold_shelf for row in rows),
        sum(row.staff_roles for row in rows),
    )


def erase(connection: Connection, person_id: int, erasing: Erasing) -> Erased:
    """Erase a person and whoever was merged into them, in the caller's transaction, under `PATRONS_LOCK`.

    Whether they may be erased has been asked before (`what_stands_against`).
    """
    known = known_person(connection, person_id)
    files = [row.delivery_id for row in files_of(connection, known, erasing.register) if not row.is_shredded]
    sent = [row.out_id for row in sent_files_of(connection, known)]
    reviews = reviews_of(connection, known)
    counts: Counter[str] = Counter(persons=1, tombstones=_tombstones(connection, known, erasing))
    words = words_of(connection, known)
    counts["e-mails cleared"] = clear_notices(connection, words)
    counts["staged rows"] = _staged(connection, known)
    counts["receipts"] = _receipts(connection, known)
    for table in OF_A_PERSON:
        name = table.name.removeprefix("core_patron_")
        counts[name] = connection.execute(sa.delete(table).where(table.c.person_id.in_(known.person_ids))).rowcount
    counts["merge"] = _merges(connection, known)
    counts["changes cleared"] = _changes(connection, known)
    _leave_empty(connection, known, erasing)
    _note(connection, known, erasing)
    ask_to_shred(connection, files)
    connection.execute(sa.update(core_patron_out).where(core_patron_out.c.out_id.in_(sent)).values(state="to_shred"))
    return Erased(counts, tuple(files), tuple(sent), tuple(reviews), frozenset(words))


def _tombstones(connection: Connection, known: KnownPerson, erasing: Erasing) -> int:
    """One for each stable id and source that has it, and one for the library system, whose exports have the person."""
    names: set[tuple[str, str, str]] = set()
    for kind, key, source in known.ids:
        names |= {(source, kind, key)} if source else set()
        for code in known.sources:
            register = erasing.register.patron_source_by_code.get(code)
            if register is not None and kind in register.stable_ids:
                names.add((code, kind, key))
    target = erasing.register.patron_target_by_institution.get(known.institution)
    if target is not None and target.kind != "warehouse":
        names |= {(target.code, PRIMARY, text_key(each)) for each in known.primary_ids}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for code, kind, key in sorted(names):
        values = {
            "tombstone_key": tombstone_key(known.institution, code, kind, key, erasing.salt),
            "institution": known.institution,
            "source": code,
            "erased_on": erasing.day,
            "seen_on": None,
        }
        statement = insert(core_patron_tombstone).values(**values)
        connection.execute(statement.on_conflict_do_update(index_elements=["tombstone_key"], set_=values))
    return len(names)


def _staged(connection: Connection, known: KnownPerson) -> int:
    """Rows of files that still wait for a decision about others: this person's own go."""
    keys = [f"{kind}:{key}" for kind, key, _ in known.ids]
    rows = stage_patron
    of_sources = sa.select(raw_delivery.c.delivery_id).where(
        raw_delivery.c.kind == FILE, raw_delivery.c.sender.in_(known.sources)
    )
    is_theirs = sa.or_(
        rows.c.person_id.in_(known.person_ids),
        sa.and_(rows.c.stable_key.in_(keys), rows.c.delivery_id.in_(of_sources)),
    )
    return connection.execute(sa.delete(rows).where(is_theirs)).rowcount


def _receipts(connection: Connection, known: KnownPerson) -> int:
    """Receipts keep when and what came of it; an update that waits for this person is refused."""
    receipt = raw_patron_receipt
    waiting = connection.execute(
        sa.select(receipt).where(receipt.c.institution == known.institution, receipt.c.content.is_not(None))
    ).all()
    theirs = [row.receipt_id for row in waiting if _is_about(row, known)]
    is_theirs = sa.or_(receipt.c.person_id.in_(known.person_ids), receipt.c.receipt_id.in_(theirs))
    connection.execute(
        sa.update(receipt)
        .where(is_theirs, receipt.c.state.in_(["waiting", "held"]))
        .values(state="refused", rule=ERASED, reason="the person has been erased")
    )
    return connection.execute(
        sa.update(receipt)
        .where(is_theirs)
        .values(
            content=None,
            person_id=None,
            version=None,
            request_hash=bytes(32),
            # The sender's key may be made of an id; it stays one of a kind.
            idempotency_key=sa.literal(f"{ERASED}-") + sa.cast(receipt.c.receipt_id, sa.Text),
        )
    ).rowcount


def _is_about(row: sa.Row[Any], known: KnownPerson) -> bool:
    names = {(kind, key) for kind, key, _ in known.ids}
    person = person_in(row)
    return any((each.type, each.key) in names for each in (*person.source_ids, *person.rekeyed_from))


def _merges(connection: Connection, known: KnownPerson) -> int:
    merge, ids = core_patron_merge, known.person_ids
    is_theirs = sa.or_(merge.c.survivor_id.in_(ids), merge.c.merged_id.in_(ids))
    return connection.execute(sa.delete(merge).where(is_theirs)).rowcount


def _changes(connection: Connection, known: KnownPerson) -> int:
    """Decisions stay, without values and without the id; those about a person who was then not made as well."""
    change = core_patron_change
    by_id = sa.and_(
        change.c.person_id.is_(None),
        change.c.institution == known.institution,
        change.c.primary_id.in_(sorted(known.primary_ids)),
    )
    return connection.execute(
        sa.update(change)
        .where(sa.or_(change.c.person_id.in_(known.person_ids), by_id))
        .values(primary_id="", old=None, new=None)
    ).rowcount


def _leave_empty(connection: Connection, known: KnownPerson, erasing: Erasing) -> None:
    connection.execute(
        sa.update(core_patron)
        .where(core_patron.c.person_id.in_(known.person_ids))
        .values(
            **NOTHING_OF_A_PERSON,
            state=ERASED,
            state_since=erasing.day,
            version=core_patron.c.version + 1,
            updated_at=erasing.now,
        )
    )


def _note(connection: Connection, known: KnownPerson, erasing: Erasing) -> None:
    connection.execute(
        sa.insert(core_patron_change).values(
            change_id=take_id(connection, "patron_change"),
            run_id=erasing.run_id,
            person_id=known.person_ids[0],
            institution=known.institution,
            primary_id="",
            path=PERSON,
            source="",
            rule=ERASED,
            decision="applied",
            plan_hash=erasing.plan_hash,
            reason=erasing.why,
            changed_at=erasing.now,
            **{"class": "erase"},
        )
    )


def total(found: Sequence[Erased]) -> Counter[str]:
    """The counts of several persons together."""
    return sum((each.counts for each in found), Counter())
