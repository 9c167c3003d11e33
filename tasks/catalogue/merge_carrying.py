"""Merges and splits as people ask for them: planned, refused or carried out, and the pairs in the worklist closed.

What belongs here is the one way that the command line, the worklist, the form and the undo of a run take. Everything
runs inside the caller's transaction and catalogue lock; a dry run rolls that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
class RunReverted:
    """What the undo of a run of merges did; `merges` are those that it had made."""

    run_id: str
    merges: int
    report: RevertReport


def run_named(connection: Connection, text: str) -> str:
    """The run of merges that an id, or the beginning of one, names. Raises `UsageError` for none or several."""
    found = connection.execute(
        sa.select(core_bib_merge.c.run_id)
        .where(core_bib_merge.c.run_id.is_not(None), sa.func.substr(core_bib_merge.c.run_id, 1, len(text)) == text)
        .distinct()
        .limit(2)
    ).scalars()
    runs = [str(each) for each in found]
    if len(runs) != 1:
        what = "several runs of merges begin" if runs else "no run that merged bibs begins"
        raise UsageError(f"{what} with {text!r}", remedy="`samkat catalogue merges` lists them with their runs")
    return runs[0]


def revert_merges(connection: Connection, run_id: str, occasion: SplitOccasion) -> RunReverted:
    """Undo every merge of a run, the last one first. What cannot be parted stays and is listed; twice is harmless.

    The pairs that the worklist had offered are offered again.
    """
    rows = connection.execute(
        sa.select(core_bib_merge.c.merge_id, core_bib_merge.c.merged_id)
        .where(core_bib_merge.c.run_id == run_id)
        .order_by(core_bib_merge.c.merge_id.desc())
    ).all()
    report = RevertReport(0)
    for row in rows:
        try:
            split = split_merge(connection, row.merge_id, replace(occasion, reason=f"run {run_id} was reverted"))
        except UsageError as error:
            report += RevertReport(0, (Survivor("bib", row.merged_id, str(error)),))
            continue
        if split is not None:
            close_split(connection, split, occasion.by, occasion.now, is_undone=True)
            report += RevertReport(1, tuple(Survivor("bib", row.merged_id, each) for each in split.left))
    return RunReverted(run_id, len(rows), report)
