"""Pairs of bibs that look like one: found by the evidence of matching, kept with it, and never merged by themselves.

The search looks at the bibs that changed since it looked last, in chunks; a killed one goes on where it stopped. A pair
that a person has called different is never offered again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.matching import MatchingPolicy
from schemas.warehouse.core import core_bib, core_review
from schemas.warehouse.merging import core_duplicate, core_duplicate_look
from tasks.catalogue.merging import Merged
from tasks.catalogue.preview import rolled_back
from tasks.catalogue.splitting import Split
from tasks.matching.alike import Pair, PairVerdict, look_alike
from tasks.matching.candidates import merged_away
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse
from tasks.warehouse.ids import current, take_ids

LOOK = "bibs"
OPEN, ASIDE, SAME, DIFFERENT, GONE = "open", "aside", "same", "different", "gone"
_NAMES = ("duplicate_id", "first_id", "second_id", "state", "verdict", "score", "rule", "reason", "evidence")


@dataclass(frozen=True)
class Looking:
    """How to look: `full` at every bib, `is_dry` without keeping what is found; `chunk_bibs` at a time."""

    policy: MatchingPolicy
    now: datetime
    chunk_bibs: int
    full: bool = False
    is_dry: bool = False


class _Reach(NamedTuple):
    """Which changes a look is about, and how far it has got."""

    after: int
    to: int
    bib_id: int = 0


def look_for_duplicates(warehouse: Warehouse, looking: Looking) -> Counter[str]:
    """Look at every bib that changed since the last look, or at all; returns counts of what was found.

    `bibs`: looked at; `found`, `again`: pairs that are new, that were known; `aside`: of both those that nobody is
    asked about; `gone`: pairs no longer alike; `crowded`: numbers passed over, since too many bibs have them.
    """
    counts: Counter[str] = Counter()
    crowded: set[str] = set()
    with _changing(warehouse, looking) as connection:
        reach = _begin(connection, looking)
    while True:
        # Judged without the lock: what changes meanwhile is in the next look.
        with warehouse.read() as connection:
            bib_ids = _next_bibs(connection, reach, looking.chunk_bibs)
            family, members = _families(connection, bib_ids)
            looked = look_alike(connection, members, looking.policy)
        is_done = len(bib_ids) < looking.chunk_bibs
        reach = reach._replace(bib_id=bib_ids[-1] if bib_ids else reach.bib_id)
        with _changing(warehouse, looking) as connection:
            counts += _keep(connection, family, looked.pairs, looking)
            _note(connection, reach, looking.now, is_done=is_done)
        crowded |= set(looked.crowded)
        counts["bibs"] += len(bib_ids)
        if is_done:
            counts["crowded"] = len(crowded)
            return counts


def _changing(warehouse: Warehouse, looking: Looking) -> AbstractContextManager[Connection]:
    """A transaction under the catalogue lock; of a dry run nothing stays."""
    return rolled_back(warehouse) if looking.is_dry else warehouse.write(CATALOGUE_LOCK)


def _begin(connection: Connection, looking: Looking) -> _Reach:
    """Say which changes the look is about; one that was not finished goes on, unless all is asked for."""
    row = connection.execute(sa.select(core_duplicate_look).where(core_duplicate_look.c.name == LOOK)).one_or_none()
    if row is not None and not row.is_done and not looking.full:
        return _Reach(row.after_change_no, row.to_change_no, row.reached_bib_id)
    after = 0 if row is None or looking.full else row.to_change_no
    reach = _Reach(after, current(connection, "change"))
    _note(connection, reach, looking.now, is_done=False)
    return reach


def _note(connection: Connection, reach: _Reach, now: datetime, *, is_done: bool) -> None:
    look = core_duplicate_look
    about = {"after_change_no": reach.after, "to_change_no": reach.to, "reached_bib_id": reach.bib_id}
    connection.execute(sa.delete(look).where(look.c.name == LOOK))
    connection.execute(sa.insert(look).values(name=LOOK, is_done=is_done, looked_at=now, **about))


def _next_bibs(connection: Connection, reach: _Reach, most: int) -> list[int]:
    """The next bibs to look at, by id. A merged one is looked at for the bib that has its place."""
    rows = (
        sa.select(core_bib.c.bib_id)
        .where(core_bib.c.change_no > reach.after, core_bib.c.change_no <= reach.to, core_bib.c.bib_id > reach.bib_id)
        .order_by(core_bib.c.bib_id)
        .limit(most)
    )
    return list(connection.execute(rows).scalars())


def _families(connection: Connection, bib_ids: Collection[int]) -> tuple[set[int], set[int]]:
    """These bibs, or those that took their place; and of those that are there all records, of merged ones as well."""
    merged = merged_away(connection, bib_ids)
    family = {merged.get(each, each) for each in bib_ids}
    wanted = id_set(connection, family)
    there = sa.select(core_bib.c.bib_id).join(wanted, wanted.c.value == core_bib.c.bib_id)
    standing = set(connection.execute(there.where(sa.not_(core_bib.c.is_deleted))).scalars())
    heads = id_set(connection, standing)
    parts = sa.select(core_bib.c.bib_id).join(heads, heads.c.value == core_bib.c.merged_into)
    return family, standing | set(connection.execute(parts).scalars())


def _keep(
    connection: Connection,
    looked_at: set[int],
    pairs: dict[Pair, PairVerdict],
    looking: Looking,
) -> Counter[str]:
    """Write what was found of these bibs. What a person has decided stays as it is."""
    waiting = _in_review(connection)
    pairs = {pair: said for pair, said in pairs.items() if waiting.isdisjoint(pair)}
    known = {(row.first_id, row.second_id): row for row in _known(connection, looked_at)}
    fresh = {pair: said for pair, said in pairs.items() if pair not in known}
    _insert(connection, fresh, looking.policy, looking.now)
    counts = Counter(found=len(fresh), aside=sum(_state(said, looking.policy) == ASIDE for said in fresh.values()))
    for pair, row in known.items():
        if row.state not in (OPEN, ASIDE, GONE) or row.judged_at == looking.now:
            continue  # decided, or judged from its other side in this look
        said = pairs.get(pair)
        if said is not None:
            _renew(connection, row.duplicate_id, said, looking)
            counts["again"] += 1
            counts["aside"] += _state(said, looking.policy) == ASIDE
        elif row.state != GONE and (looked_at & set(pair)):
            _set_state(connection, [row.duplicate_id], GONE, judged_at=looking.now)
            counts["gone"] += 1
    return counts


def _in_review(connection: Connection) -> set[int]:
    """Provisional bibs that wait in a review: there they are decided."""
    rows = sa.select(core_review.c.provisional_bib_id).where(
        core_review.c.state == "open", core_review.c.provisional_bib_id.is_not(None)
    )
    return set(connection.execute(rows).scalars())


def _known(connection: Connection, bib_ids: Collection[int]) -> list[sa.Row[Any]]:
    """The pairs that one of these bibs is in."""
    found: dict[int, sa.Row[Any]] = {}
    names = ("duplicate_id", "first_id", "second_id", "state", "merge_id", "judged_at")
    columns = [core_duplicate.c[name] for name in names]
    for side in (core_duplicate.c.first_id, core_duplicate.c.second_id):
        wanted = id_set(connection, bib_ids)
        rows = connection.execute(sa.select(*columns).join(wanted, wanted.c.value == side))
        found |= {row.duplicate_id: row for row in rows}
    return list(found.values())


def _state(said: PairVerdict, policy: MatchingPolicy) -> str:
    """A person is asked where nothing but doubt is in the way: not over a veto, nor for a number shared by mistake."""
    return ASIDE if said.vetoes or said.score < policy.review_at else OPEN


def _values(said: PairVerdict, policy: MatchingPolicy) -> tuple[Any, ...]:
    """In the order of `_NAMES` from `state` on."""
    evidence = orjson.dumps(said.evidence).decode()
    return _state(said, policy), str(said.verdict), said.score, said.rule, said.reason, evidence


def _insert(connection: Connection, pairs: dict[Pair, PairVerdict], policy: MatchingPolicy, now: datetime) -> None:
    ids = take_ids(connection, "duplicate", len(pairs))
    rows = [(each, *pair, *_values(pairs[pair], policy)) for each, pair in zip(ids, sorted(pairs), strict=True)]
    shared = {"owner": policy.review_owner, "found_at": now, "judged_at": now}
    bulk_insert(connection, core_duplicate, _NAMES, rows, shared)


def _renew(connection: Connection, duplicate_id: int, said: PairVerdict, looking: Looking) -> None:
    now, values = looking.now, dict(zip(_NAMES[3:], _values(said, looking.policy), strict=True))
    connection.execute(
        sa.update(core_duplicate).where(core_duplicate.c.duplicate_id == duplicate_id).values(judged_at=now, **values)
    )


def _set_state(connection: Connection, ids: Iterable[int], state: str, **values: Any) -> None:
    wanted = id_set(connection, list(ids))
    connection.execute(
        sa.update(core_duplicate)
        .where(core_duplicate.c.duplicate_id.in_(sa.select(wanted.c.value)))
        .values(state=state, **values)
    )


def close_merged(connection: Connection, merged: Merged, by: str, now: datetime) -> None:
    """The pair is one now. Other pairs of the merged bib are looked at anew, as pairs of the survivor.

    What a person has called different from the merged bib is different from the survivor.
    """
    decided = {"decided_by": by, "decided_at": now, "merge_id": merged.merge_id}
    pair = {merged.survivor_id, merged.merged_id}
    rows = _known(connection, [merged.merged_id])
    mine = [row.duplicate_id for row in rows if {row.first_id, row.second_id} == pair]
    _set_state(connection, mine, SAME, **decided)
    others = [row for row in rows if row.duplicate_id not in mine]
    _set_state(connection, [row.duplicate_id for row in others if row.state in (OPEN, ASIDE)], GONE, judged_at=now)
    parted = {row.first_id + row.second_id - merged.merged_id for row in others if row.state == DIFFERENT}
    for other in sorted(parted - {merged.survivor_id}):
        _call_different(
            connection, (merged.survivor_id, other), decided, f"so was bib {merged.merged_id}, merged into it"
        )


def _call_different(connection: Connection, pair: Pair, decided: dict[str, Any], reason: str) -> None:
    """Remember a pair as different, unless somebody has decided about it."""
    first, second = min(pair), max(pair)
    row = connection.execute(
        sa.select(core_duplicate.c.duplicate_id, core_duplicate.c.state).where(
            core_duplicate.c.first_id == first, core_duplicate.c.second_id == second
        )
    ).one_or_none()
    if row is not None:
        if row.state in (OPEN, ASIDE, GONE):
            _set_state(connection, [row.duplicate_id], DIFFERENT, **decided)
        return
    connection.execute(
        sa.insert(core_duplicate).values(
            duplicate_id=take_ids(connection, "duplicate")[0],
            first_id=first,
            second_id=second,
            state=DIFFERENT,
            verdict="no",
            score=0.0,
            rule="decided_different",
            reason=reason,
            evidence="{}",
            owner="",
            found_at=decided["decided_at"],
            judged_at=decided["decided_at"],
            **decided,
        )
    )


def close_split(connection: Connection, split: Split, by: str, now: datetime, *, is_undone: bool) -> None:
    """The two are two again: a person has called them different, or (`is_undone`) the question is open again."""
    carried = _known(connection, [split.survivor_id])
    mine = {split.survivor_id, split.merged_id}
    over = [
        row.duplicate_id
        for row in carried
        if row.merge_id == split.merge_id and row.state == DIFFERENT and {row.first_id, row.second_id} != mine
    ]
    _set_state(connection, over, GONE, merge_id=None, decided_by=None, decided_at=None, judged_at=now)
    pair = [row.duplicate_id for row in carried if {row.first_id, row.second_id} == mine]
    if is_undone:
        _set_state(connection, pair, OPEN, merge_id=None, decided_by=None, decided_at=None)
        return
    decided = {"decided_by": by, "decided_at": now, "merge_id": split.merge_id}
    _set_state(connection, pair, DIFFERENT, **decided)
    if not pair:
        _call_different(connection, (split.survivor_id, split.merged_id), decided, "a merge of the two was undone")
