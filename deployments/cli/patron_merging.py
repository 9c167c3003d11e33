"""`samkat patrons merge` and `split`: two persons who turned out to be one, and apart again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose
from deployments.cli.patron_desk import ByWhom, Institution, PersonId, at_the_desk
from deployments.cli.patrons import app

if TYPE_CHECKING:
    from tasks.patrons.desk import Merged


@command(app, "merge", 'samkat patrons merge NORU u1234@nordhavet.example 90001234 --by "Anna Berg"')
def merge(
    institution: Institution,
    survivor: PersonId,
    merged: Annotated[
        str, typer.Argument(metavar="OTHER", help="An id of the person who becomes a pointer to the first.")
    ],
    by: ByWhom,
    as_json: AsJson = False,
) -> None:
    """Make two persons of an institution one: what the other has goes over to the first, and nothing is thrown away.

    Where both have something, the first one's stands. `samkat patrons split` parts them again.
    """
    from tasks.patrons import desk

    settings = place.settings()
    known = place.register(settings)
    with place.warehouse(settings) as warehouse:
        done = desk.merge(at_the_desk(warehouse, settings, known, institution, by), institution, survivor, merged)
    _said(Output(as_json), done, "moved", "They are one person already.")


@command(
    app,
    "split",
    'samkat patrons split NORU u1234@nordhavet.example --by "Anna Berg"',
    'samkat patrons split NORU u1234@nordhavet.example --merge 3 --by "Anna Berg"',
)
def split(
    institution: Institution,
    person: PersonId,
    by: ByWhom,
    merge_id: Annotated[
        int | None, typer.Option("--merge", help="Number of the merge, where there are several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Part a person again from the one who was merged into them: what went over goes back.

    What others took away since stays away, and is counted.
    """
    from tasks.patrons import desk

    settings = place.settings()
    known = place.register(settings)
    with place.warehouse(settings) as warehouse:
        done = desk.split(at_the_desk(warehouse, settings, known, institution, by), institution, person, merge_id)
    _said(Output(as_json), done, "moved back", "They are two persons already.")


def _said(output: Output, done: Merged | None, verb: str, nothing: str) -> None:
    words = nothing if done is None else f"Merge {done.merge_id}: {done.moved} {verb}, {done.left} not."
    output.show({"merge": done}, lambda console: prose(console, words))
