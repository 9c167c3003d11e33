"""Merges and splits as people ask for them: planned, refused or carried out, and the pairs in the worklist closed.

What belongs here is the one way that the command line, the worklist, the form and the undo of a run take. Everything
runs inside the caller's transaction and catalogue lock; a dry run rolls that back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.register.register import Register
from schemas.warehouse.merging import core_bib_merge
from tasks.catalogue.duplicates import close_merged, close_split
from tasks.catalogue.merge_planning import MergePlan, plan_merges
from tasks.catalogue.merging import Merged, MergeOccasion, merge_bibs
from tasks.catalogue.splitting import Split, SplitOccasion, split_merge
from tasks.plans.revert import RevertReport, Survivor
from tasks.warehouse.ids import take_id

SHORTEST_RUN = 6
"""Letters of a run's id that name it, at least."""


@dataclass(frozen=True)
class Asked:
    """Who wants bibs merged, and why; `force` overrules objections."""

    by: str
    reason: str
    now: datetime
    rule: str = "asked"
    force: bool = False
    run_id: str | None = None


@dataclass(frozen=True)
class Carried:
    """A plan, and the merge that came of it; None where the two are one already."""

    plan: MergePlan
    merge: Merged | None


def merge_as_asked(
    connection: Connection, keep: int, others: Sequence[int], register: Register, asked: Asked
) -> list[Carried]:
    """Merge `others` into `keep`. Raises `UsageError` for what cannot be merged, and for objections not overruled."""
    if not asked.by.strip():
        raise UsageError("a merge needs a name", remedy="say who decides")
    plans = plan_merges(connection, keep, others, register)
    refused = [f"bib {plan.merged.bib_id}: {each}" for plan in plans for each in plan.objections]
    if refused and not asked.force:
        raise UsageError(
            f"not merged into bib {keep}, since {'; '.join(refused)}",
            remedy="look at both (`samkat why bib ID`); where they are one all the same, say so with --force",
        )
    change_no = take_id(connection, "change") if any(not plan.is_done for plan in plans) else 0
    return [Carried(plan, _carried_out(connection, plan, asked, change_no)) for plan in plans]


def _carried_out(connection: Connection, plan: MergePlan, asked: Asked, change_no: int) -> Merged | None:
    if plan.is_done:
        return None
    occasion = MergeOccasion(
        change_no,
        asked.now,
        asked.by,
        "forced" if plan.objections else asked.rule,
        asked.reason,
        plan.objections,
        plan.score,
        plan.evidence,
        run_id=asked.run_id,
    )
    merged = merge_bibs(connection, occasion, plan.merged.bib_id, plan.survivor.bib_id)
    if merged is not None:
        close_merged(connection, merged, asked.by, asked.now)
    return merged


def split_as_asked(connection: Connection, merge_id: int, occasion: SplitOccasion) -> Split | None:
    """Part two bibs again; a person has said so, and the pair is never offered again. None: they are parted already."""
    if not occasion.by.strip():
        raise UsageError("a split needs a name", remedy="say who decides")
    split = split_merge(connection, merge_id, occasion)
    if split is not None:
        close_split(connection, split, occasion.by, occasion.now, is_undone=False)
    return split


@dataclass(frozen=True)
class MergesReverted:
    """What the undo of merges did; `was_reverted`: all of them had been parted before. `splits` are the new ones."""

    merges: tuple[int, ...]
    was_reverted: bool
    report: RevertReport
    splits: tuple[Split, ...] = ()


def merges_named(connection: Connection, text: str) -> tuple[int, ...]:
    """The merges that a name means: `merge-3`, or the id of a run that merged bibs (its beginning suffices).

    None where it names neither. Raises `UsageError` for a merge that is not there, and a beginning of several runs.
    """
    wanted = text.strip().lower()
    table = core_bib_merge.c
    number = re.fullmatch(r"merge-(\d{1,18})", wanted)
    if number is not None:
        rows = connection.execute(sa.select(table.merge_id).where(table.merge_id == int(number[1]))).scalars().all()
        if not rows:
            raise UsageError(f"there is no merge {number[1]}", remedy="`samkat catalogue merges` lists them")
        return tuple(rows)
    if len(wanted) < SHORTEST_RUN or wanted.isdigit():
        return ()
    begins = sa.func.substr(table.run_id, 1, len(wanted)) == wanted
    found = connection.execute(sa.select(table.merge_id, table.run_id).where(begins).order_by(table.merge_id)).all()
    if len({row.run_id for row in found}) > 1:
        raise UsageError(f"several runs of merges begin with {text!r}", remedy="give more of the id")
    return tuple(row.merge_id for row in found)


def revert_merges(connection: Connection, merges: Sequence[int], occasion: SplitOccasion) -> MergesReverted:
    """Undo merges, the last one first. What cannot be parted stays and is listed; twice is harmless.

    The pairs that the worklist had offered are offered again.
    """
    report, standing = RevertReport(0), 0
    splits: list[Split] = []
    for merge_id in sorted(merges, reverse=True):
        try:
            split = split_merge(connection, merge_id, occasion)
        except UsageError as error:
            standing += 1
            report += RevertReport(0, (Survivor("merge", merge_id, str(error)),))
            continue
        if split is not None:
            standing += 1
            splits.append(split)
            close_split(connection, split, occasion.by, occasion.now, is_undone=True)
            report += RevertReport(1, tuple(Survivor("bib", split.merged_id, each) for each in split.left))
    return MergesReverted(tuple(merges), standing == 0, report, tuple(splits))
