"""`samkat catalogue merge`, `split`, `duplicates` and `merges`: bibs that are one, and apart again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.catalogue import app
from deployments.cli.options import AsJson, By, DryRun, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.merging.report import MergeLine, SplitLine
    from tasks.merging.shown import ShownMerge

Reason = Annotated[str, typer.Option("--reason", help="Why, in your words; it is kept with the decision.")]
NamedBib = Annotated[str, typer.Argument(metavar="KEEP", help="The bib that stays: its id, or its control number.")]
NamedBibs = Annotated[
    list[str], typer.Argument(metavar="OTHER", help="The bibs that become it, by id or control number.")
]


@command(
    app,
    "merge",
    "samkat catalogue merge 7 12 --by 'Anna Berg' --dry-run",
    "samkat catalogue merge SK0000007 SK0000012 SK0000044 --by 'Anna Berg' --reason 'the same edition'",
)
def merge(
    keep: NamedBib,
    others: NamedBibs,
    by: By,
    reason: Reason = "",
    force: Annotated[
        bool, typer.Option("--force", help="Merge although something speaks against it; that is kept, too.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Merge bibs that are one: holdings move, a library's double one is joined, all numbers lead to KEEP.

    Refused where the evidence of matching has a veto (another carrier, volume, edition, ...), where nothing says that
    they are one, and where a record of the national bibliography would go. `samkat catalogue split` parts them again.
    """
    from tasks.catalogue.why import bib_id_of

    output, settings = Output(as_json), place.settings()
    place.register(settings)
    with place.warehouse(settings) as warehouse:
        with warehouse.read() as connection:
            asked = {
                "keep": bib_id_of(connection, keep),
                "others": [bib_id_of(connection, each) for each in others],
                "by": by,
                "reason": reason,
                "force": force,
                "dry_run": dry_run,
            }
        with flow_session(settings, output):
            report = run_flow("bib_merge", "bib_merge", **asked)
    lines: list[MergeLine] = report["merges"]
    output.show({"dry_run": dry_run, "merges": lines}, lambda console: _render_merges(console, lines, dry_run))


def _render_merges(console: Console, lines: list[MergeLine], dry_run: bool) -> None:
    said = "would be merged" if dry_run else "was merged"
    for each in lines:
        if each.is_done:
            prose(console, f"Bib {each.merged_id} is part of bib {each.survivor_id} already: nothing was done.")
            continue
        number = "" if each.merge_id is None else f" (merge {each.merge_id})"
        score = "" if each.score is None else f", {each.score:.2f} points"
        prose(
            console,
            f"Bib {each.merged_id} ({each.merged_title}) {said} into bib {each.survivor_id} ({each.survivor_title})"
            f"{number}.",
            f"  evidence: {each.rule}{score}",
            f"  holdings that move: {' '.join(each.moves) or 'none'}; joined: {' '.join(each.joins) or 'none'}",
            *(f"  overruled: {words}" for words in each.objections),
            *(f"  note: {words}" for words in each.notes),
        )


@command(
    app,
    "split",
    "samkat catalogue split 12 --by 'Anna Berg' --dry-run",
    "samkat catalogue split 12 44 --by 'Anna Berg' --reason 'two editions after all'",
)
def split(
    bibs: Annotated[
        list[str], typer.Argument(metavar="BIB", help="Bibs that were merged away, by id or control number.")
    ],
    by: By,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Part merged bibs again: each comes back, and every holding goes to where it was.

    What others changed since survives; what cannot be put back is listed, and nothing is lost. The pair is never
    offered as a duplicate again.
    """
    from tasks.catalogue.why import bib_id_of

    output, settings = Output(as_json), place.settings()
    place.register(settings)
    with place.warehouse(settings) as warehouse:
        with warehouse.read() as connection:
            bib_ids = [bib_id_of(connection, each) for each in bibs]
        with flow_session(settings, output):
            report = run_flow("bib_split", "bib_split", bibs=bib_ids, by=by, reason=reason, dry_run=dry_run)
    lines: list[SplitLine] = report["splits"]
    output.show({"dry_run": dry_run, "splits": lines}, lambda console: _render_splits(console, lines, dry_run))


def _render_splits(console: Console, lines: list[SplitLine], dry_run: bool) -> None:
    said = "would be parted" if dry_run else "is parted"
    for each in lines:
        prose(
            console,
            f"Bib {each.merged_id} {said} from bib {each.survivor_id} (merge {each.merge_id}): "
            f"{each.holdings} holdings put back.",
            *(f"  left: {words}" for words in each.left),
        )
    if not lines:
        prose(console, "They are parted already: nothing was done.")


@command(
    app,
    "duplicates",
    "samkat catalogue duplicates",
    "samkat catalogue duplicates --full",
    "samkat catalogue duplicates --list",
)
def duplicates(
    full: Annotated[bool, typer.Option("--full", help="Look at every bib, not only at what changed.")] = False,
    only_list: Annotated[bool, typer.Option("--list", help="Only list what was found; look for nothing.")] = False,
    aside: Annotated[
        bool, typer.Option("--aside", help="List those that a veto or too few points speak against.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find bibs that look like one, by the evidence of matching, and offer them in the worklist. None is merged.

    Looks at the bibs that changed since the last look; runs by itself every night. A pair once called different is
    never offered again.
    """
    from deployments.cli.pairs import render_pairs
    from tasks.merging.shown import pairs_by_state, shown_pairs

    output, settings = Output(as_json), place.settings()
    place.register(settings)
    found: dict[str, int] = {}
    with place.warehouse(settings) as warehouse:
        if not only_list:
            with flow_session(settings, output):
                found = run_flow("duplicate_bibs", "duplicate_bibs", full=full, dry_run=dry_run) or {}
        with warehouse.read() as connection:
            states = pairs_by_state(connection)
            pairs = shown_pairs(connection, ("aside",) if aside else ("open",))

    def render(console: Console) -> None:
        if found:
            said = "would be kept" if dry_run else "kept"
            words = ", ".join(f"{name} {number}" for name, number in found.items() if number)
            prose(console, f"{words or 'nothing has changed'} ({said})")
        prose(console, f"Pairs: {', '.join(f'{state} {number}' for state, number in states.items()) or 'none'}")
        if pairs:
            render_pairs(console, pairs)

    output.show({"dry_run": dry_run, "found": found, "states": states, "pairs": pairs}, render)


@command(app, "merges", "samkat catalogue merges")
def merges(as_json: AsJson = False) -> None:
    """List the newest merges with who did them, why, and in which run; `samkat revert RUN` undoes a run."""
    from tasks.merging.shown import shown_merges

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = shown_merges(connection)
    Output(as_json).show({"merges": found}, lambda console: _render_list(console, settings, found))


def _render_list(console: Console, settings: Settings, found: list[ShownMerge]) -> None:
    if not found:
        prose(console, "Nothing was merged yet.")
        return
    columns = ("merge", "bib", "became", "title", "rule", "by", "when", "run", "parted")
    rows = (
        (
            each.merge_id,
            each.merged_id,
            each.survivor_id,
            each.title,
            each.rule,
            each.by,
            place.moment(each.merged_at, settings),
            (each.run_id or "")[:8],
            f"{place.moment(each.split_at, settings)} by {each.split_by}" if each.split_at else "",
        )
        for each in found
    )
    print_table(console, f"{len(found)} merge{'s' if len(found) != 1 else ''}", columns, rows)
