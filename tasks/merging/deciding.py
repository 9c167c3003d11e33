"""What a cataloguer decides about a pair of bibs that look like one: `same`, `same:<bib that stays>` or `different`.

`same` merges the pair on the same way as `samkat catalogue merge`, with the same guards; `different` is remembered, and
the pair is never offered again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.register.register import Register
from schemas.warehouse.merging import core_duplicate
from tasks.catalogue.duplicates import ASIDE, DIFFERENT, OPEN, SAME
from tasks.catalogue.merge_carrying import Asked, merge_as_asked
from tasks.catalogue.merge_planning import keep_of

_DECISION = re.compile(r"(?P<same>same)(?:\s*:\s*(?P<keep>\d{1,18}))?|(?P<different>different)")


@dataclass(frozen=True)
class PairDecision:
    """What was decided about a pair. `keep` is the bib that stays, where a person has named it."""

    duplicate_id: int
    is_same: bool
    keep: int | None
    by: str


@dataclass(frozen=True)
class PairDone:
    """What came of a decision, in words; `merge_id` where it merged the two."""

    said: str
    merge_id: int | None = None


def parse_pair_decision(duplicate_id: int, text: str, by: str) -> PairDecision:
    """`same`, `same:<bib_id>` or `different`; raises `UsageError` for anything else."""
    found = _DECISION.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(
            f"{text!r} is not a decision on two bibs",
            field=f"D{duplicate_id}",
            remedy="write same, same:<the bib that stays> or different",
        )
    return PairDecision(duplicate_id, found["same"] is not None, int(found["keep"]) if found["keep"] else None, by)


def decide_pair(
    connection: Connection, decision: PairDecision, register: Register, now: datetime, run_id: str | None
) -> PairDone:
    """Carry out a decision, under the catalogue lock. The same again is harmless.

    Raises `UsageError` where it was decided differently before, where the pair is gone, and where a merge is refused.
    """
    row = connection.execute(
        sa.select(core_duplicate).where(core_duplicate.c.duplicate_id == decision.duplicate_id).with_for_update()
    ).one_or_none()
    name = f"D{decision.duplicate_id}"
    if row is None:
        raise UsageError(f"there is no pair {name}", remedy="`samkat review list` shows what waits")
    pair = (row.first_id, row.second_id)
    bibs = f"bibs {row.first_id} and {row.second_id}"
    if row.state in (SAME, DIFFERENT):
        if (row.state == SAME) is decision.is_same:
            return PairDone("was decided so already")
        other = f"samkat catalogue merge {row.first_id} {row.second_id}"
        if row.state == SAME:
            other = f"samkat catalogue split {row.second_id}"
        raise UsageError(f"{bibs} were decided as {row.state} by {row.decided_by}", remedy=f"`{other} --by NAME`")
    if not decision.is_same:
        connection.execute(
            sa.update(core_duplicate)
            .where(core_duplicate.c.duplicate_id == decision.duplicate_id)
            .values(state=DIFFERENT, decided_by=decision.by, decided_at=now)
        )
        return PairDone(f"{bibs} are two, and are not offered again")
    if row.state not in (OPEN, ASIDE):
        raise UsageError(
            f"{bibs} are no longer alike, or no longer both there",
            remedy=f"look at them; `samkat catalogue merge {row.first_id} {row.second_id}` merges them all the same",
        )
    keep, other_id = _kept(connection, pair, decision, register)
    asked = Asked(decision.by, f"decided in the worklist ({name})", now, rule="duplicate", run_id=run_id)
    (carried,) = merge_as_asked(connection, keep, [other_id], register, asked)
    plan = carried.plan
    holdings = f"{len(plan.moves)} holdings moved, {len(plan.joins)} joined"
    merge_id = None if carried.merge is None else carried.merge.merge_id
    return PairDone(f"bib {other_id} was merged into bib {keep}: {holdings}", merge_id)


def _kept(connection: Connection, pair: tuple[int, int], decision: PairDecision, register: Register) -> tuple[int, int]:
    """The bib that stays, and the other one."""
    if decision.keep is None:
        return keep_of(connection, pair, register)
    if decision.keep not in pair:
        raise UsageError(f"bib {decision.keep} is not one of the two", remedy=f"write same:{pair[0]} or same:{pair[1]}")
    return decision.keep, pair[1] if decision.keep == pair[0] else pair[0]
