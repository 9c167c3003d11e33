"""What a merge would do, before anything is written: which bib stays, which holdings move, and what speaks against it.

The evidence is that of matching. An objection (a veto of it, the record of the national bibliography that would go)
refuses the merge unless a person overrules it; what can never be merged raises `UsageError` in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import Editor, Verdict
from schemas.register.register import Register
from schemas.warehouse.core import core_review
from tasks.catalogue.why import BibVersion, HoldingVersion, holdings_of, read_bibs
from tasks.matching.alike import PairVerdict, judge_bibs


@dataclass(frozen=True)
class MergePlan:
    """One bib that would become another. `moves` and `joins` are sigels of the libraries whose holdings would."""

    survivor: BibVersion
    merged: BibVersion
    is_done: bool
    """They are one already: nothing is left to do."""
    objections: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person may want to know, and what forbids nothing."""
    moves: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    verdict: str = ""
    rule: str = ""
    score: float | None = None
    evidence: dict[str, Any] | None = None


def plan_merges(connection: Connection, keep: int, others: Sequence[int], register: Register) -> list[MergePlan]:
    """Plan the merges of `others` into `keep`, each once.

    Raises `UsageError` for a bib that is not there, was merged elsewhere, or waits in a review as a provisional one.
    """
    named = list(dict.fromkeys(others))
    if not named:
        raise UsageError("no bib is named that is to be merged", remedy="name the bib that stays, then the others")
    if keep in named:
        raise UsageError(f"bib {keep} cannot be merged into itself", remedy="name the bib that stays once")
    found = {each.bib_id: each for each in read_bibs(connection, [keep, *named])}
    survivor = _there(found, keep)
    if survivor.merged_into is not None:
        raise UsageError(
            f"bib {keep} was merged into bib {survivor.merged_into}", remedy=f"name bib {survivor.merged_into} instead"
        )
    bibs = [_there(found, each) for each in named]
    _require_decided(connection, [survivor, *bibs])
    return [_plan(connection, survivor, each, register) for each in bibs]


def _there(found: dict[int, BibVersion], bib_id: int) -> BibVersion:
    bib = found.get(bib_id)
    if bib is None:
        raise UsageError(f"there is no bib {bib_id}", remedy="`samkat why isbn ISBN` finds bibs by book")
    if bib.is_deleted and bib.merged_into is None:
        raise UsageError(f"bib {bib_id} is deleted", remedy="there is nothing left of it to merge")
    return bib


def _require_decided(connection: Connection, bibs: Sequence[BibVersion]) -> None:
    """A provisional bib has its own way of becoming another: the review that it waits in."""
    provisional = [each.bib_id for each in bibs if each.is_provisional]
    row = connection.execute(
        sa.select(core_review.c.review_id, core_review.c.provisional_bib_id)
        .where(core_review.c.state == "open", core_review.c.provisional_bib_id.in_(provisional))
        .order_by(core_review.c.review_id)
    ).first()
    if row is not None:
        other = next((each.bib_id for each in bibs if each.bib_id != row.provisional_bib_id), "BIB")
        raise UsageError(
            f"bib {row.provisional_bib_id} is provisional and waits in review {row.review_id}",
            remedy=f"decide that: `samkat review decide {row.review_id} --match {other} --by NAME`",
        )


def _plan(connection: Connection, survivor: BibVersion, merged: BibVersion, register: Register) -> MergePlan:
    if merged.merged_into == survivor.bib_id:
        return MergePlan(survivor, merged, is_done=True)
    if merged.merged_into is not None:
        raise UsageError(
            f"bib {merged.bib_id} was merged into bib {merged.merged_into}",
            remedy=f"merge bib {merged.merged_into}, or split the two first: `samkat catalogue split {merged.bib_id}`",
        )
    said = judge_bibs(connection, (survivor.bib_id, merged.bib_id), register.matching)
    holdings = holdings_of(connection, [survivor.bib_id, merged.bib_id])
    there = {each.sigel for each in holdings if each.bib_id == survivor.bib_id}
    theirs = [each.sigel for each in holdings if each.bib_id == merged.bib_id]
    return MergePlan(
        survivor,
        merged,
        is_done=False,
        objections=_objections(survivor, merged, said),
        notes=(*_doubt(said), *_notes(survivor, merged, holdings, register)),
        moves=tuple(each for each in theirs if each not in there),
        joins=tuple(each for each in theirs if each in there),
        verdict=str(said.verdict),
        rule=said.rule,
        score=said.score,
        evidence=said.evidence,
    )


def _objections(survivor: BibVersion, merged: BibVersion, said: PairVerdict) -> tuple[str, ...]:
    found = [f"the two conflict, {each}" for each in said.vetoes]
    if said.is_unlike:
        found.append("no number leads from one to the other, and the titles differ")
    if merged.is_national_bibliography:
        stays = "as bib %s is" if survivor.is_national_bibliography else "and bib %s is not: keep the former"
        found.append(f"bib {merged.bib_id} is of the national bibliography, {stays % survivor.bib_id}")
    return tuple(found)


def _doubt(said: PairVerdict) -> tuple[str, ...]:
    if said.verdict is Verdict.MATCH or said.vetoes or said.is_unlike:
        return ()
    return (f"matching would not have made them one: {said.reason}",)


def _notes(
    survivor: BibVersion, merged: BibVersion, holdings: Sequence[HoldingVersion], register: Register
) -> tuple[str, ...]:
    ours = [each for each in holdings if each.bib_id == survivor.bib_id]
    better = better_first(survivor, merged, len(ours), len(holdings) - len(ours), register)
    if better[0].bib_id == survivor.bib_id:
        return ()
    return (f"bib {merged.bib_id} would be the better one to keep: {better[1]}",)


def better_first(
    one: BibVersion, other: BibVersion, held_one: int, held_other: int, register: Register
) -> tuple[BibVersion, str]:
    """Which of two bibs should stay, and why: by national bibliography, editor, level, holders, and age, in that order.

    `held_one` and `held_other` are how many libraries hold each.
    """
    reasons = (
        ("it is of the national bibliography", one.is_national_bibliography, other.is_national_bibliography),
        ("a person has edited it", one.last_editor == Editor.HUMAN, other.last_editor == Editor.HUMAN),
        ("its level is higher", _level(one, register), _level(other, register)),
        ("more libraries hold it", held_one, held_other),
        ("it was there first", -one.bib_id, -other.bib_id),
    )
    for why, mine, theirs in reasons:
        if mine != theirs:
            return (one, why) if mine > theirs else (other, why)
    return one, "they are the same"


def _level(bib: BibVersion, register: Register) -> int:
    """Rank of leader/17 in the register's order; an unclear code ranks high, as on every bib that is there."""
    order = register.levels.order
    return next((rank for rank, levels in enumerate(order) if bib.encoding_level in levels), len(order))


def keep_of(connection: Connection, pair: tuple[int, int], register: Register) -> tuple[int, int]:
    """The pair with the bib first that should stay."""
    bibs = {each.bib_id: each for each in read_bibs(connection, pair)}
    holdings = holdings_of(connection, pair)
    one, other = _there(bibs, pair[0]), _there(bibs, pair[1])
    held = [sum(each.bib_id == bib_id for each in holdings) for bib_id in pair]
    better, _why = better_first(one, other, held[0], held[1], register)
    return (better.bib_id, pair[1] if better.bib_id == pair[0] else pair[0])
