"""Plans of a file that this process has just made, kept until they are carried out: who is as then is planned once.

A plan follows from the row, from whom it is about, from all that the warehouse has of the person, and from the
occasion. Where each of these is what it was, so is the plan; anybody else is planned anew. In another process, and of
a file that changes more persons than memory is meant for, nothing is kept.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from schemas.patrons import IncomingPerson
from tasks.patrons.lookups import Placed
from tasks.patrons.occasion import Occasion, PlannedPerson
from tasks.patrons.store import StoredPerson

MOST_IN_MIND = 6_000
"""Persons: about 25 KB each. One in a hundred of half a million."""


class PlanInMind(NamedTuple):
    """A plan, and what it followed from."""

    row: str
    """JSON of the person as the source tells it."""
    incoming: IncomingPerson
    where: Placed
    stored: bytes
    """Digest of what the warehouse has of the person; empty: a new one."""
    planned: PlannedPerson

    def __repr__(self) -> str:
        """Without the person: it may stand in a traceback."""
        return "PlanInMind()"


class PlansInMind:
    """Plans by the number of their row."""

    def __init__(self, delivery_id: int, occasion: Occasion) -> None:
        self.delivery_id = delivery_id
        self.occasion = occasion
        self.plans: dict[int, PlanInMind] = {}

    def incoming(self, row: sa.Row[Any]) -> IncomingPerson | None:
        """The person of a row of stage_patron, where it was understood before."""
        known = self.plans.get(row.record_no)
        return known.incoming if known is not None and known.row == row.incoming else None

    def keep(
        self,
        row: sa.Row[Any],
        incoming: IncomingPerson,
        where: Placed,
        stored: StoredPerson | None,
        planned: PlannedPerson,
    ) -> None:
        """Keep a plan under which nothing is held."""
        self.plans[row.record_no] = PlanInMind(row.incoming, incoming, where, _digest(stored), planned)

    def take(self, row: sa.Row[Any], where: Placed, stored: StoredPerson | None) -> PlannedPerson | None:
        """The plan of a row, once; None where anything that it followed from is not as it was."""
        known = self.plans.pop(row.record_no, None)
        if known is None or (known.row, known.where, known.stored) != (row.incoming, where, _digest(stored)):
            return None
        return known.planned


def _digest(stored: StoredPerson | None) -> bytes:
    if stored is None:
        return b""
    return hashlib.blake2b(repr(stored.cells()).encode("utf-8", "surrogatepass"), digest_size=16).digest()


_IN_MIND: WeakKeyDictionary[Engine, PlansInMind] = WeakKeyDictionary()
"""Of each warehouse those of one file: the one that was planned last."""


def begin(engine: Engine, delivery_id: int, occasion: Occasion) -> PlansInMind:
    """Plans of a file that is about to be planned; those of the file before it are forgotten."""
    _IN_MIND[engine] = PlansInMind(delivery_id, occasion)
    return _IN_MIND[engine]


def recall(engine: Engine, delivery_id: int, occasion: Occasion) -> PlansInMind | None:
    """The plans of a file, made on the same occasion."""
    found = _IN_MIND.get(engine)
    return found if found is not None and (found.delivery_id, found.occasion) == (delivery_id, occasion) else None


def forget(engine: Engine) -> None:
    """Nothing is kept in mind any more."""
    _IN_MIND.pop(engine, None)
