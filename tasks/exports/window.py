"""The window of an export: which changes of the catalogue are in it.

A window is two change numbers, never two instants. Numbers are given out under a lock that is kept until the commit
(tasks/warehouse/ids.py), so they rise in the order of commits: when a number can be read, every change before it can be
read, too. A delivery in the midst of loading is wholly behind the window's end, and in the next one.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib, core_bib_version, core_holding, core_holding_version
from tasks.warehouse.ids import current

_DATED = (core_bib, core_bib_version, core_holding, core_holding_version)


class Window(NamedTuple):
    """Changes with `after < change_no <= to`. From 0 it is everything there is, and nothing is said of what went."""

    after: int
    to: int
    is_past: bool = False
    """Changes came after `to`: what they touched is looked up in the before-images."""

    @property
    def is_whole(self) -> bool:
        """Whether it begins before the first change: the receiver has nothing yet."""
        return self.after == 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be in it."""
        return self.to <= self.after


def window_since(connection: Connection, change_no: int) -> Window:
    """From a watermark to what this connection's snapshot sees."""
    return Window(change_no, current(connection, "change"))


def window_between(connection: Connection, since: datetime | None, until: datetime | None) -> Window:
    """A past window by instants, both ends taken wide: a change noted at either instant is in it.

    A row's instant is that of the stage that wrote it, somewhat before its commit; so the ends are looked for among the
    rows, and the window holds whatever was committed between them. `since` None: everything; `until` None: until now.
    """
    last = current(connection, "change")
    after = 0 if since is None else _first_from(connection, since, last + 1) - 1
    to = last if until is None else min(last, _last_to(connection, until))
    return Window(max(after, 0), to, is_past=to < last)


def _first_from(connection: Connection, since: datetime, none: int) -> int:
    found = [
        connection.execute(
            sa.select(sa.func.min(table.c.change_no)).where(table.c.updated_at >= since, table.c.change_no > 0)
        ).scalar()
        for table in _DATED
    ]
    return min((int(each) for each in found if each is not None), default=none)


def _last_to(connection: Connection, until: datetime) -> int:
    found = [
        connection.execute(sa.select(sa.func.max(table.c.change_no)).where(table.c.updated_at <= until)).scalar()
        for table in _DATED
    ]
    return max((int(each) for each in found if each is not None), default=0)
