"""What a run of merges or splits did, for whoever started it and for the page of the run. No personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.catalogue.merge_carrying import Carried
from tasks.catalogue.splitting import Split


@dataclass(frozen=True)
class MergeLine:
    """One bib that became another, or would. `merge_id` is None in a dry run, and where they were one already."""

    merge_id: int | None
    survivor_id: int
    merged_id: int
    survivor_title: str
    merged_title: str
    is_done: bool
    moves: tuple[str, ...]
    joins: tuple[str, ...]
    objections: tuple[str, ...]
    notes: tuple[str, ...]
    rule: str
    score: float | None


@dataclass(frozen=True)
class SplitLine:
    """Two bibs that were parted, or would be."""

    merge_id: int
    survivor_id: int
    merged_id: int
    holdings: int
    left: tuple[str, ...]


def merge_line(carried: Carried, *, is_dry: bool) -> MergeLine:
    """The line of a merge."""
    plan = carried.plan
    return MergeLine(
        carried.merge.merge_id if carried.merge is not None and not is_dry else None,
        plan.survivor.bib_id,
        plan.merged.bib_id,
        plan.survivor.title,
        plan.merged.title,
        plan.is_done,
        plan.moves,
        plan.joins,
        plan.objections,
        plan.notes,
        plan.rule,
        plan.score,
    )


def split_line(split: Split) -> SplitLine:
    """The line of a split."""
    return SplitLine(split.merge_id, split.survivor_id, split.merged_id, split.holdings, split.left)


def merges_as_markdown(lines: Sequence[MergeLine]) -> str:
    """The table of a run's page."""
    head = ["| bib | became | holdings moved | joined | overruled |", "|--:|--:|---|---|---|"]
    return "\n".join(
        head
        + [
            f"| {each.merged_id} | {each.survivor_id} | {' '.join(each.moves)} | {' '.join(each.joins)} "
            f"| {_cell('; '.join(each.objections))} |"
            for each in lines
        ]
    )


def splits_as_markdown(lines: Sequence[SplitLine]) -> str:
    """The table of a run's page, and what was left as it was."""
    head = ["| merge | bib | parted from | holdings put back |", "|--:|--:|--:|--:|"]
    rows = [f"| {each.merge_id} | {each.merged_id} | {each.survivor_id} | {each.holdings} |" for each in lines]
    left = [f"* {_cell(said)}" for each in lines for said in each.left]
    return "\n".join([*head, *rows, *(["", "Left as it is:", ""] if left else []), *left])


def _cell(text: str) -> str:
    """Text of a record is text, never markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
