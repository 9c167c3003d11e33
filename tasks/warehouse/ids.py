"""Ids come in blocks from `core_counter`, inside the transaction that uses them: alike on both engines."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_counter


def take_ids(connection: Connection, name: str, number: int = 1) -> range:
    """The next `number` ids of the counter `name`; the row stays locked until the transaction ends."""
    if number <= 0:
        return range(0)
    taken = connection.execute(_TAKE, {"counter": name, "number": number}).scalar_one_or_none()
    if taken is None:
        connection.execute(sa.insert(core_counter).values(name=name, next_value=number + 1))
        return range(1, number + 1)
    return range(taken - number, taken)


_TAKE = (
    sa.update(core_counter)
    .where(core_counter.c.name == sa.bindparam("counter"))
    .values(next_value=core_counter.c.next_value + sa.bindparam("number"))
    .returning(core_counter.c.next_value)
)


def take_id(connection: Connection, name: str) -> int:
    """One id of the counter `name`."""
    return take_ids(connection, name, 1)[0]


def current(connection: Connection, name: str) -> int:
    """The last id given out by the counter `name`; 0 where none was."""
    value = connection.execute(sa.select(core_counter.c.next_value).where(core_counter.c.name == name)).scalar()
    return 0 if value is None else int(value) - 1
