"""The commands put together, and running one of them.

The modules of the commands import nothing heavy at their top: `samkat --help` loads all of them.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import typer

from deployments.cli import (
    accounts,
    bib_import,
    catalogue,
    collections,
    data_docs,
    demo,
    deployments,
    export,
    ingest,
    init,
    intake,
    libraries,
    marts,
    merging,  # noqa: F401 - adds its commands to those of catalogue
    patron_desk,  # noqa: F401 - adds its commands to those of patrons
    patron_merging,  # noqa: F401 - adds its commands to those of patrons
    patron_privacy,  # noqa: F401 - adds its commands to those of patrons
    patron_reviews,  # noqa: F401 - adds its commands to those of patrons
    patron_updates,  # noqa: F401 - adds its commands to those of patrons
    patrons,
    plans,
    review,
    serve,
    server,
    status,
    suppliers,
    sweep,
    undo,
    why,
)
from deployments.cli.failing import INTERRUPTED, WRONG_USE, report_failure
from schemas.errors import UsageError

ABOUT = """The recurring work of a shared library catalogue.

Exit codes: 0 done, 2 wrong use or configuration, 3 held for a person (nothing is lost), 4 failed."""


def _usage_error() -> type[typer.BadParameter]:
    """Typer's own class for every wrong use; it has no public name in all versions."""
    found = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError")
    return found


def build() -> typer.Typer:
    """All commands, in the order of the help."""
    app = typer.Typer(
        name="samkat",
        help=ABOUT,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    demo.register(app)
    init.register(app)
    serve.register(app)
    app.add_typer(server.app, name="server")
    app.add_typer(deployments.app, name="deployments")
    app.add_typer(catalogue.app, name="catalogue")
    ingest.register(app)
    collections.register(app)
    sweep.register(app)
    export.register(app)
    bib_import.register(app)
    marts.register(app)
    intake.register(app)
    app.add_typer(libraries.app, name="libraries")
    app.add_typer(suppliers.app, name="suppliers")
    app.add_typer(patrons.app, name="patrons")
    app.add_typer(accounts.app, name="accounts")
    app.add_typer(review.app, name="review")
    app.add_typer(plans.app, name="plans")
    undo.register(app)
    app.add_typer(why.app, name="why")
    status.register(app)
    data_docs.register(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments
    _take_any_letter()
    usage_error = _usage_error()
    try:
        code = typer.main.get_command(build()).main(list(arguments), prog_name="samkat", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except usage_error as error:
        return _wrong_use(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        print("Interrupted. Nothing is lost: run the same command again, it goes on.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; Python must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return report_failure(error, as_json)


def _take_any_letter() -> None:
    """Titles hold letters, and file names bytes, that a terminal may not know: better a `?` than no answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _wrong_use(error: typer.BadParameter, as_json: bool) -> int:
    """Typer's complaint in the same words as all others. A group named alone has printed its help already."""
    text = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        if text:
            print(text, file=sys.stderr)
        return WRONG_USE
    path = error.ctx.command_path if error.ctx else "samkat"
    return report_failure(UsageError(text.rstrip("."), remedy=f"see `{path} --help`"), as_json)
