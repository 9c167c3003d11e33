"""Whose data lies where: the persons that are one, what they are known by, the files in which they may stand.

An archived file is never cut: what stands in it is gone when the file is (docs/decisions/0018-erasing-from-files.md).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.register.register import Register
from schemas.warehouse.patrons import (
    core_patron,
    core_patron_change,
    core_patron_identifier,
    core_patron_out,
    core_patron_source,
)
from schemas.warehouse.raw import raw_delivery, raw_progress
from tasks.landing.feeds import ACCOUNT
from tasks.patrons.lookups import PRIMARY
from tasks.patrons.receiving import KIND as FILE
from tasks.patrons.taking_read_back import KIND as READ_BACK
from tasks.warehouse.bulk import id_set

SHRED: Final = "shred"
"""Stage of the progress of a file of persons: asked for where it is open, shredded where it is done."""
ENDED = (DeliveryState.SETTLED, DeliveryState.REJECTED, DeliveryState.REVERTED)
KINDS = (FILE, READ_BACK, ACCOUNT)
"""Files with persons: of patrons, of library systems, about staff accounts."""


@dataclass(frozen=True)
class KnownPerson:
    """A person with all that were merged into them, and what they are and were known by."""

    institution: str
    person_ids: tuple[int, ...]
    """The survivor first."""
    sources: tuple[str, ...]
    ids: frozenset[tuple[str, str, str]] = field(repr=False)
    """(type, key, source in which it is stable or empty) of every id that is or was theirs."""
    primary_ids: frozenset[str] = field(repr=False)
    """As they came, the earlier ones included."""
    is_in_library_system: bool
    """It had, or was sent, the person."""


def known_person(connection: Connection, person_id: int) -> KnownPerson:
    """Everything that a person is known by. Raises what the database raises where there is no such person."""
    ids = _cluster(connection, person_id)
    person, held, source, change = core_patron, core_patron_identifier, core_patron_source, core_patron_change
    rows = connection.execute(sa.select(person).where(person.c.person_id.in_(ids))).all()
    first = next(row for row in rows if row.person_id == person_id)
    identifiers = connection.execute(sa.select(held).where(held.c.person_id.in_(ids))).all()
    then = connection.execute(sa.select(change.c.primary_id).where(change.c.person_id.in_(ids)).distinct()).scalars()
    primary = {row.primary_id for row in rows} | {row.value for row in identifiers if row.type == PRIMARY} | set(then)
    codes = set(connection.execute(sa.select(source.c.source).where(source.c.person_id.in_(ids))).scalars())
    return KnownPerson(
        first.institution,
        tuple(ids),
        tuple(sorted(codes | {row.source for row in identifiers} - {""})),
        frozenset((row.type, row.key, row.source) for row in identifiers),
        frozenset(primary - {""}),
        any(row.read_back_hash is not None or row.sent_version for row in rows),
    )


def _cluster(connection: Connection, person_id: int) -> list[int]:
    """The person, then whoever was merged into them, directly or by way of others."""
    found, new = [person_id], [person_id]
    while new:
        new = list(
            connection.execute(
                sa.select(core_patron.c.person_id)
                .where(core_patron.c.merged_into.in_(new), core_patron.c.person_id.not_in(found))
                .order_by(core_patron.c.person_id)
            ).scalars()
        )
        found += new
    return found


def files_of(connection: Connection, known: KnownPerson, register: Register) -> Sequence[sa.Row[Any]]:
    """The files in which the person may stand, and whether each is shredded: of their sources, and read-backs.

    All since the person was first known here, and earlier ones that are there still: a file that was received before
    the export that made the person known, or that was not used, may have the person as well. Which of them hold the
    person cannot be told without reading them.
    """
    target = register.patron_target_by_institution.get(known.institution)
    senders = [*known.sources, *([target.code] if target is not None and known.is_in_library_system else [])]
    since = connection.execute(
        sa.select(sa.func.min(raw_delivery.c.received_at)).where(
            raw_delivery.c.delivery_id.in_(
                sa.select(core_patron_change.c.delivery_id).where(core_patron_change.c.person_id.in_(known.person_ids))
            )
        )
    ).scalar()
    chosen = (
        sa.select(raw_delivery, is_shredded().label("is_shredded"))
        .where(raw_delivery.c.kind.in_(KINDS), raw_delivery.c.sender.in_(senders), sa.not_(raw_delivery.c.is_preview))
        .order_by(raw_delivery.c.delivery_id)
    )
    if since is not None:
        known_since = raw_delivery.c.received_at >= sa.type_coerce(since, raw_delivery.c.received_at.type)
        chosen = chosen.where(sa.or_(known_since, sa.not_(is_shredded())))
    return connection.execute(chosen).all()


def is_shredded() -> sa.ColumnElement[bool]:
    """Whether the file of a row of raw_delivery is shredded."""
    return sa.exists().where(
        raw_progress.c.delivery_id == raw_delivery.c.delivery_id,
        raw_progress.c.stage == SHRED,
        raw_progress.c.done_at.is_not(None),
    )


def sent_files_of(connection: Connection, known: KnownPerson) -> Sequence[sa.Row[Any]]:
    """The synchronise files in which the person may stand, and that are not shredded."""
    if not known.is_in_library_system:
        return []
    return connection.execute(
        sa.select(core_patron_out)
        .where(core_patron_out.c.institution == known.institution, core_patron_out.c.state != "shredded")
        .order_by(core_patron_out.c.out_id)
    ).all()


def reviews_of(connection: Connection, known: KnownPerson) -> list[tuple[str, int]]:
    """(sender, delivery) of the files of which a list of questions to staff may name the person."""
    change = core_patron_change
    rows = connection.execute(
        sa.select(raw_delivery.c.sender, raw_delivery.c.delivery_id)
        .join(change, change.c.delivery_id == raw_delivery.c.delivery_id)
        .where(change.c.person_id.in_(known.person_ids), change.c.decision == "review", raw_delivery.c.kind == FILE)
        .distinct()
    )
    return [(row.sender, row.delivery_id) for row in rows]


def ask_to_shred(connection: Connection, delivery_ids: Collection[int]) -> None:
    """The files of these deliveries are to be shredded before their time; again changes nothing."""
    if delivery_ids:
        asked = raw_progress
        there = set(
            connection.execute(
                sa.select(asked.c.delivery_id).where(
                    asked.c.stage == SHRED,
                    asked.c.delivery_id.in_(sa.select(id_set(connection, delivery_ids).c.value)),
                )
            ).scalars()
        )
        new = [{"delivery_id": each, "stage": SHRED, "reached": 0} for each in delivery_ids if each not in there]
        if new:
            connection.execute(sa.insert(asked), new)
