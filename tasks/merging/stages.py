"""Stages of bibs that are one: merged and parted as a person says, looked for at night, decided in the worklist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError
from tasks.catalogue import merge_carrying as carrying
from tasks.catalogue.duplicates import Looking, look_for_duplicates
from tasks.catalogue.merge_carrying import Asked, merge_as_asked, merges_named, split_as_asked
from tasks.catalogue.preview import rolled_back
from tasks.catalogue.splitting import Split, SplitOccasion, standing_merge
from tasks.merging.deciding import decide_pair, parse_pair_decision
from tasks.merging.report import (
    MergeLine,
    SplitLine,
    merge_line,
    merges_as_markdown,
    split_line,
    splits_as_markdown,
)
from tasks.merging.shown import as_markdown, shown_pairs
from tasks.notices.merge_telling import tell_of_merges, tell_of_splits
from tasks.notices.stages import teller_of
from tasks.stage import run_id, stage
from tasks.warehouse.engine import CATALOGUE_LOCK
from tasks.workplace import Workplace, workplace


@stage()
def merge_bibs(
    keep: int, others: Sequence[int], by: str, reason: str, *, force: bool = False, dry_run: bool = False
) -> list[MergeLine]:
    """Merge bibs into the one that stays, all or none, and queue what their libraries are told.

    A dry run says what would be and leaves nothing.
    """
    place = workplace()
    asked = Asked(by, reason, place.now, force=force, run_id=run_id())
    transaction = rolled_back(place.warehouse) if dry_run else place.warehouse.write(CATALOGUE_LOCK)
    lines: list[MergeLine] = []
    with transaction as connection:
        done = merge_as_asked(connection, keep, others, place.register, asked)
        lines = [merge_line(each, is_dry=dry_run) for each in done]
        if not dry_run:
            merges = [each.merge.merge_id for each in done if each.merge is not None]
            tell_of_merges(connection, teller_of(place), merges)
    _show(merges_as_markdown(lines), "merged-bibs", "Bibs that would be merged" if dry_run else "Bibs that were merged")
    return lines


@stage()
def split_bibs(bib_ids: Sequence[int], by: str, reason: str, *, dry_run: bool = False) -> list[SplitLine]:
    """Part merged bibs again, all or none: each comes back from the bib that took its place. Libraries are told."""
    place = workplace()
    transaction = rolled_back(place.warehouse) if dry_run else place.warehouse.write(CATALOGUE_LOCK)
    splits: list[Split] = []
    with transaction as connection:
        for bib_id in dict.fromkeys(bib_ids):
            split = split_as_asked(connection, standing_merge(connection, bib_id), _occasion(place, by, reason))
            if split is not None:
                splits.append(split)
        if not dry_run:
            tell_of_splits(connection, teller_of(place), splits)
    lines = [split_line(each) for each in splits]
    _show(splits_as_markdown(lines), "split-bibs", "Bibs that would be parted" if dry_run else "Bibs that were parted")
    return lines


def merges_of(run: int | str) -> list[int]:
    """The merges of bibs that a run is about; none where it is something else."""
    if isinstance(run, int):
        return []
    with workplace().warehouse.read() as connection:
        return list(merges_named(connection, run))


@stage()
def revert_merges(merges: Sequence[int], *, dry_run: bool = False) -> dict[str, object]:
    """Part all that a run merged again, the last one first; what cannot be parted stays and is listed.

    Libraries are told.
    """
    place = workplace()
    transaction = rolled_back(place.warehouse) if dry_run else place.warehouse.write(CATALOGUE_LOCK)
    with transaction as connection:
        done = carrying.revert_merges(connection, merges, _occasion(place, "samkat revert", "the merge was reverted"))
        if not dry_run:
            tell_of_splits(connection, teller_of(place), done.splits, is_undone=True)
    return {
        "runs": [f"merge-{each}" for each in done.merges],
        "dry_run": dry_run,
        "was_reverted": done.was_reverted,
        "merges": done.report.reverted,
        "survivors": [f"{each.entity} {each.entity_id}: {each.why}" for each in done.report.survived],
    }


@stage()
def find_duplicates(full: bool = False, *, dry_run: bool = False) -> Counter[str]:
    """Look at the bibs that changed since the last look for others that are the same; keep each pair, merge none."""
    place = workplace()
    looking = Looking(place.register.matching, place.now, place.settings.chunk_records, full, dry_run)
    return look_for_duplicates(place.warehouse, looking)


@stage()
def show_duplicates(found: Counter[str]) -> Counter[str]:
    """Leave the pairs that wait for a cataloguer as an artifact, the most alike first."""
    with workplace().warehouse.read() as connection:
        pairs = shown_pairs(connection)
    _show(as_markdown(pairs, found), "duplicate-bibs", "Pairs of bibs that look like one")
    return found


@dataclass(frozen=True)
class PairsDecided:
    """What came of decisions on pairs, by `D<id>`: what was done, and what could not be."""

    said: dict[str, str]
    problems: dict[str, str]


@stage()
def decide_duplicates(decisions: dict[int, str], by: str) -> PairsDecided:
    """Carry out decisions on pairs of bibs, and queue what their libraries are told; a wrong one stops no other.

    All of a run are one transaction, so that each library is told once, and never of what did not stay.
    """
    place = workplace()
    said: dict[str, str] = {}
    problems: dict[str, str] = {}
    if not decisions:
        return PairsDecided(said, problems)
    merges: list[int] = []
    with place.warehouse.write(CATALOGUE_LOCK) as connection:
        for duplicate_id, text in decisions.items():
            try:
                decision = parse_pair_decision(duplicate_id, text, by)
                with connection.begin_nested():
                    done = decide_pair(connection, decision, place.register, place.now, run_id())
            except SamkatError as error:
                problems[f"D{duplicate_id}"] = str(error)
                continue
            said[f"D{duplicate_id}"] = done.said
            merges += [] if done.merge_id is None else [done.merge_id]
        tell_of_merges(connection, teller_of(place), merges)
    return PairsDecided(said, problems)


def _occasion(place: Workplace, by: str, reason: str) -> SplitOccasion:
    return SplitOccasion(place.now, by, reason, place.register.catalogue.control_number_prefix, run_id())


def _show(text: str, key: str, about: str) -> None:
    if run_id() is not None:
        create_markdown_artifact(text, key=key, description=about)
