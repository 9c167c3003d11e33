"""`samkat import`: a member's records from another base, planned first, loaded when a person has approved the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.deliveries import Told, render_deliveries
from deployments.cli.ingest import taken_in
from deployments.cli.options import AsJson, DryRun, Files, command
from deployments.cli.output import Output, prose

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.imports.shown import Shown

WORDS = {"taken": "in the record", "becomes": "in the catalogue", "holdings": "holding"}
"""Parts of a sample, as they are told."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "import",
        "samkat import koha-export.mrc --profile solberg-koha --dry-run",
        "samkat import koha-export.mrc --profile solberg-koha",
    )
    def import_(
        files: Files,
        profile: Annotated[str, typer.Option("--profile", help="Code of the import profile, as in the register.")],
        dry_run: DryRun = False,
        again: Annotated[bool, typer.Option("--again", help="Plan anew what was reverted or rejected before.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Take in a member's records from another base, by the rules of an import profile.

        Nothing is loaded before its plan is approved: the command ends with 3 and names it. The same file again has
        no effect.
        """

        settings = place.settings()
        place.known_import_profile(profile, place.register(settings))
        paths = place.whole_files(files, settings)
        told = run_import(settings, Output(as_json), profile, paths, dry_run=dry_run, again=again)
        raise typer.Exit(told.exit_code)


def run_import(
    settings: Settings, output: Output, profile: str, paths: Sequence[Path], *, dry_run: bool, again: bool
) -> Told:
    """Take the files in, print and return what became of them, with the samples of each plan."""

    with place.warehouse(settings) as warehouse:
        told, page = taken_in(
            warehouse, settings, output, "bib_import", paths, profile=profile, dry_run=dry_run, again=again
        )
        from tasks.imports.shown import shown_plans

        with warehouse.read() as connection:
            # What was loaded is told by its outcomes; a plan is for who has to decide.
            open_ones = [each for each in told.deliveries if each.is_preview or each.state == "held"]
            plans = shown_plans(connection, [each.delivery_id for each in open_ones])
    document = told.document(profile=profile, run_page=page, imports=plans)

    def render(console: Console) -> None:
        render_deliveries(console, told, settings, page)
        for each in plans:
            _render_plan(console, each)

    output.show(document, render)
    return told


def _render_plan(console: Console, plan: Shown) -> None:
    """The samples of a plan, and how it is decided."""
    if plan.state == "planned" and plan.warnings:
        prose(console, "", f"Delivery {plan.delivery_id}: {plan.warnings}")
    render_samples(console, plan)
    if plan.state == "held":
        short = plan.plan_hash[:12]
        prose(console, "", f"Decide: samkat plans approve {short} --by NAME, or samkat plans reject {short} --by NAME")


def render_samples(console: Console, plan: Shown) -> None:
    """Some records of each outcome, before and after."""
    for sample in plan.samples:
        prose(console, "", *_sample_in_words(sample))


def _sample_in_words(sample: dict[str, Any]) -> list[str]:
    met = f", bib {sample['bib']}" if sample["bib"] else ""
    lines = [f"Record {sample['position']}{met}: {sample['outcome']}. {sample['title']} ({sample['reason']})"]
    return lines + [f"  {words}: {each}" for part, words in WORDS.items() for each in sample[part]]
