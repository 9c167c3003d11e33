"""Options and arguments that several commands share, and how a command is registered with its example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., Any])

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of tables.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide everything, settle nothing, print what would happen.")]
By = Annotated[str, typer.Option("--by", help="Who decides: name or e-mail. It is kept with the decision.")]
Files = Annotated[list[Path], typer.Argument(help="Files, anywhere; they are copied to the landing zone.")]


def group(about: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(help=about, no_args_is_help=True, add_completion=False)


def command(app: typer.Typer, name: str, *examples: str) -> Callable[[Command], Command]:
    """Register a command; its help ends with `examples`, the lines a person would type."""

    def register(function: Command) -> Command:
        epilog = "\n\n".join(f"Example: {each}" for each in examples)
        app.command(name, help=_paragraphs(function.__doc__ or ""), epilog=epilog)(function)
        return function

    return register


def _paragraphs(docstring: str) -> str:
    """The docstring with a line a paragraph: the help is folded to the terminal, not to the source."""
    return "\n\n".join(" ".join(part.split()) for part in docstring.split("\n\n"))
