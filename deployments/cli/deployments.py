"""`samkat deployments`: what is declared in git, shown, and put on the Prefect server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session

if TYPE_CHECKING:
    from deployments.applying import Change

app = group("What runs by itself: every flow's deployment, its schedule and limit, and the automations.")


@command(app, "list", "samkat deployments list")
def list_deployed(as_json: AsJson = False) -> None:
    """List what is declared: every flow with its schedule, owner and limit. Asks no server."""
    from deployments.registry import DEPLOYED

    timezone = place.settings().timezone
    Output(as_json).show(
        {"timezone": timezone, "deployments": DEPLOYED},
        lambda console: print_table(
            console,
            f"Deployments (schedules in {timezone})",
            ("deployment", "schedule", "owner", "at a time", "what it does"),
            [(each.full_name, each.cron, each.owner, each.limit, each.description) for each in DEPLOYED],
        ),
    )


@command(
    app, "apply", "samkat deployments apply", "PREFECT_API_URL=http://prefect.example:4200/api samkat deployments apply"
)
def apply(
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Save this environment's passwords into Prefect's Secret blocks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put work pool, deployments, variables and automations on the Prefect server; say what was not as declared.

    Safe to run again at any time: then it changes nothing. What Samkat declared before and declares no more is taken
    away; what others made there is left alone.
    """
    from deployments.blocks import SECRET_BLOCKS

    settings = place.settings()
    output = Output(as_json)
    # Before the session fills in every setting: only what the operator has set is a secret to keep.
    values = {name: os.environ.get(name, "") for name in SECRET_BLOCKS} if secrets else {}
    with flow_session(settings, output):
        import asyncio

        from deployments.applying import apply_declared

        changes = asyncio.run(apply_declared(settings, values))
    output.show({"changes": changes}, lambda console: prose(console, *in_words(changes)))


def in_words(changes: list[Change]) -> list[str]:
    """A line for each change."""
    if not changes:
        return ["Everything was as declared; nothing was changed."]
    return [
        f"{each.verb} {each.what} {each.name}" + (f" ({', '.join(each.fields)})" if each.fields else "")
        for each in changes
    ]
