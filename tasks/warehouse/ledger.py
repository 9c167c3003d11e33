"""The ledger: which deliveries there are, where each stands, and how far each stage has got.

A delivery's identity is (kind, sender, sha256), never its name. A chunk of work commits its rows together with the
position reached, so a killed stage goes on where it was, and two runs at the same delivery take turns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.warehouse.base import UtcInstant
from schemas.warehouse.raw import raw_delivery, raw_progress, raw_record
from tasks.warehouse.bulk import id_set
from tasks.warehouse.checkpoints import checkpoint_beside
from tasks.warehouse.engine import Warehouse, needs_no_wait
from tasks.warehouse.ids import take_id
from tasks.warehouse.planner import count_changes_at_once


@dataclass(frozen=True)
class Arrival:
    """A file as it came in, before it is known whether it came before."""

    kind: str
    sender: str
    sha256: str
    name: str
    uri: str
    bytes: int
    received_at: datetime
    business_date: date | None = None
    sent_at_name: str | None = None
    mode: str = ""
    is_dated: bool = False
    """A full snapshot: the same content about another day is another delivery."""


@dataclass(frozen=True)
class Registered:
    """What the ledger said: the delivery, and whether it had been seen before."""

    delivery_id: int
    state: DeliveryState
    is_repeat: bool


def register_arrival(connection: Connection, arrival: Arrival, *, again: bool = False) -> Registered:
    """Enter a file in the ledger, or recognise it. `again` opens a new generation of a reverted or rejected one.

    Every sighting is noted with its name; a repeat changes nothing else.
    """
    newest = _newest(connection, arrival)
    reloadable = (DeliveryState.REVERTED, DeliveryState.REJECTED)
    if newest is None or (again and newest.state in reloadable):
        delivery_id = _enter(connection, arrival, _next_generation(connection, arrival))
        registered = Registered(delivery_id, DeliveryState.RECEIVED, is_repeat=False)
    else:
        registered = Registered(newest.delivery_id, DeliveryState(newest.state), is_repeat=True)
    _note_sighting(connection, registered, arrival)
    return registered


def _same_content(arrival: Arrival) -> sa.ColumnElement[bool]:
    return sa.and_(
        raw_delivery.c.kind == arrival.kind,
        raw_delivery.c.sender == arrival.sender,
        raw_delivery.c.sha256 == arrival.sha256,
    )


def _newest(connection: Connection, arrival: Arrival) -> sa.Row[Any] | None:
    """The last generation of the same delivery; of a snapshot, about the same day."""
    same = _same_content(arrival)
    if arrival.is_dated:
        same = sa.and_(same, raw_delivery.c.business_date == arrival.business_date)
    return connection.execute(
        sa.select(raw_delivery).where(same).order_by(raw_delivery.c.generation.desc()).limit(1).with_for_update()
    ).one_or_none()


def _next_generation(connection: Connection, arrival: Arrival) -> int:
    last = connection.execute(sa.select(sa.func.max(raw_delivery.c.generation)).where(_same_content(arrival))).scalar()
    return 0 if last is None else int(last) + 1


def _enter(connection: Connection, arrival: Arrival, generation: int) -> int:
    delivery_id = take_id(connection, "delivery")
    connection.execute(
        sa.insert(raw_delivery).values(
            delivery_id=delivery_id,
            kind=arrival.kind,
            sender=arrival.sender,
            sha256=arrival.sha256,
            generation=generation,
            name=arrival.name,
            uri=arrival.uri,
            bytes=arrival.bytes,
            state=DeliveryState.RECEIVED,
            mode=arrival.mode,
            business_date=arrival.business_date,
            sent_at_name=arrival.sent_at_name,
            received_at=arrival.received_at,
        )
    )
    return delivery_id


def _note_sighting(connection: Connection, registered: Registered, arrival: Arrival) -> None:
    """Remember under which name and where the file was seen; the same sighting only once."""
    connection.execute(
        sa.text(
            "INSERT INTO raw_delivery_name (delivery_id, name, uri, seen_at, is_repeat)"
            " VALUES (:delivery_id, :name, :uri, :seen_at, :is_repeat) ON CONFLICT DO NOTHING"
        ).bindparams(sa.bindparam("seen_at", type_=UtcInstant)),
        {
            "delivery_id": registered.delivery_id,
            "name": arrival.name,
            "uri": arrival.uri,
            "seen_at": arrival.received_at,
            "is_repeat": registered.is_repeat,
        },
    )


def delivery(connection: Connection, delivery_id: int) -> sa.Row[Any]:
    """The ledger's row of a delivery. Raises `NoResultFound` where there is none."""
    return connection.execute(sa.select(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id)).one()


def set_state(
    connection: Connection,
    delivery_id: int,
    state: DeliveryState,
    *,
    only_from: Collection[DeliveryState] | None = None,
    **values: Any,
) -> None:
    """Move a delivery to `state`, with whatever else changes (hold_reason, uri, counts, ...).

    `only_from` names the states it may be in: where another run has taken it further, nothing changes.
    """
    chosen = raw_delivery.c.delivery_id == delivery_id
    if only_from is not None:
        chosen = sa.and_(chosen, raw_delivery.c.state.in_(list(only_from)))
    connection.execute(sa.update(raw_delivery).where(chosen).values(state=state, **values))


@dataclass
class Chunk:
    """A piece of work inside one transaction. `reached` is how far the stage had got when it began."""

    connection: Connection
    delivery_id: int
    stage: str
    reached: int
    is_done: bool

    def advance(self, reached: int, done_at: datetime | None = None) -> None:
        """Commit the work up to `reached` together with this chunk's rows; `done_at` closes the stage."""
        self.connection.execute(
            sa.update(raw_progress)
            .where(raw_progress.c.delivery_id == self.delivery_id, raw_progress.c.stage == self.stage)
            .values(reached=reached, done_at=done_at)
        )


_ADD_PROGRESS = sa.text(
    "INSERT INTO raw_progress (delivery_id, stage, reached) VALUES (:d, :s, 0) ON CONFLICT DO NOTHING"
)


@contextmanager
def chunk(warehouse: Warehouse, delivery_id: int, stage: str, lock: str | None = None) -> Iterator[Chunk]:
    """Open a chunk: a write transaction that holds the delivery's progress row of `stage` until it commits.

    A crash of the database server may undo the last chunks, with the positions they reached; the next run does them.
    """
    with warehouse.write(lock) as connection:
        needs_no_wait(connection)
        row = _progress_row(connection, delivery_id, stage)
        if row is None:
            connection.execute(
                _ADD_PROGRESS,
                {"d": delivery_id, "s": stage},
            )
            row = _progress_row(connection, delivery_id, stage)
        assert row is not None
        yield Chunk(connection, delivery_id, stage, row.reached, row.done_at is not None)
        count_changes_at_once(connection)
    checkpoint_beside(warehouse.engine)


def _progress_row(connection: Connection, delivery_id: int, stage: str) -> sa.Row[Any] | None:
    return connection.execute(
        sa.select(raw_progress.c.reached, raw_progress.c.done_at)
        .where(raw_progress.c.delivery_id == delivery_id, raw_progress.c.stage == stage)
        .with_for_update()
    ).one_or_none()


def take_untouched(connection: Connection, delivery_ids: Collection[int], stage: str) -> list[int]:
    """Hold the progress rows of `stage` of many deliveries at once; returns those at which nothing was done so far.

    For small deliveries that share a transaction; the others are to be taken by `chunk`.
    """
    ids = sorted(delivery_ids)
    if not ids:
        return []
    connection.execute(_ADD_PROGRESS, [{"d": each, "s": stage} for each in ids])
    rows = connection.execute(
        sa.select(raw_progress.c.delivery_id)
        .where(
            raw_progress.c.delivery_id.in_(sa.select(id_set(connection, ids).c.value)),
            raw_progress.c.stage == stage,
            raw_progress.c.reached == 0,
            raw_progress.c.done_at.is_(None),
        )
        .order_by(raw_progress.c.delivery_id)
        .with_for_update()
    )
    return list(rows.scalars())


def close_taken(connection: Connection, reached: Mapping[int, int], stage: str, now: datetime) -> None:
    """Close `stage` of deliveries that `take_untouched` gave, each at the position it reached."""
    if not reached:
        return
    connection.execute(
        sa.update(raw_progress)
        .where(raw_progress.c.delivery_id == sa.bindparam("of_delivery"), raw_progress.c.stage == stage)
        .values(reached=sa.bindparam("up_to"), done_at=now),
        [{"of_delivery": each, "up_to": position} for each, position in sorted(reached.items())],
    )


def note_reached(connection: Connection, done_at: Mapping[int, datetime], stage: str, reached: int) -> None:
    """Close `stage` of deliveries (id: when) at one position, where it was not begun; elsewhere nothing changes."""
    if done_at:
        connection.execute(
            _NOTE_DONE, [{"d": each, "s": stage, "r": reached, "n": at} for each, at in sorted(done_at.items())]
        )


def last_positions(connection: Connection, delivery_ids: Collection[int]) -> dict[int, int]:
    """The position of each delivery's last piece; 0 where there is none."""
    wanted = sa.select(id_set(connection, delivery_ids).c.value)
    rows = connection.execute(
        sa.select(raw_record.c.delivery_id, sa.func.max(raw_record.c.position))
        .where(raw_record.c.delivery_id.in_(wanted))
        .group_by(raw_record.c.delivery_id)
    )
    return dict.fromkeys(delivery_ids, 0) | {delivery_id: int(position) for delivery_id, position in rows}


def set_states(
    connection: Connection,
    delivery_ids: Collection[int],
    state: DeliveryState,
    *,
    only_from: DeliveryState,
    **values: Any,
) -> None:
    """As `set_state`, of many deliveries at once."""
    wanted = sa.select(id_set(connection, delivery_ids).c.value)
    connection.execute(
        sa.update(raw_delivery)
        .where(raw_delivery.c.delivery_id.in_(wanted), raw_delivery.c.state == only_from)
        .values(state=state, **values)
    )


def is_stage_done(connection: Connection, delivery_id: int, stage: str) -> bool:
    """Whether `stage` of the delivery is complete."""
    done_at = connection.execute(
        sa.select(raw_progress.c.done_at).where(
            raw_progress.c.delivery_id == delivery_id, raw_progress.c.stage == stage
        )
    ).scalar_one_or_none()
    return done_at is not None


def stages_done(connection: Connection, delivery_ids: Collection[int], stage: str) -> frozenset[int]:
    """Those of the deliveries at which `stage` is complete."""
    wanted = sa.select(id_set(connection, delivery_ids).c.value)
    rows = connection.execute(
        sa.select(raw_progress.c.delivery_id).where(
            raw_progress.c.delivery_id.in_(wanted), raw_progress.c.stage == stage, raw_progress.c.done_at.is_not(None)
        )
    )
    return frozenset(rows.scalars())


def note_done(connection: Connection, delivery_ids: Collection[int], stage: str, now: datetime) -> None:
    """Note inside the caller's transaction that `stage` of the deliveries is complete; again changes nothing."""
    note_reached(connection, dict.fromkeys(delivery_ids, now), stage, 0)


_NOTE_DONE = sa.text(
    "INSERT INTO raw_progress (delivery_id, stage, reached, done_at) VALUES (:d, :s, :r, :n) ON CONFLICT DO NOTHING"
).bindparams(sa.bindparam("n", type_=UtcInstant))


def forget_progress(connection: Connection, delivery_id: int, *stages: str) -> None:
    """Let `stages` run again from the start (a held check that was approved, a preview that is now loaded)."""
    connection.execute(
        sa.delete(raw_progress).where(raw_progress.c.delivery_id == delivery_id, raw_progress.c.stage.in_(stages))
    )
