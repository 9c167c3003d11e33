"""How a command fails: one readable message on stderr (cause, place, remedy) and the exit code.

Exit codes: 0 done, 2 wrong use or configuration, 3 held for a person, 4 failed, 130 interrupted. A traceback is shown
only where SAMKAT_DEBUG is set. With `--json` the error is the one document on stdout.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

from schemas.errors import SamkatError

DONE = 0
WRONG_USE = 2
NEEDS_A_PERSON = 3
FAILED = 4
INTERRUPTED = 130


def is_debugging() -> bool:
    """Whether SAMKAT_DEBUG asks for tracebacks and for every log line. `0`, `false` and `no` mean no."""
    return os.environ.get("SAMKAT_DEBUG", "").strip().lower() not in ("", "0", "false", "no")


def report_failure(error: BaseException, as_json: bool) -> int:
    """Tell the person what went wrong and return the exit code."""
    if is_debugging():
        traceback.print_exception(error, file=sys.stderr)
    failures = [_as_samkat_error(each) for each in _leaves(error)]
    code = max(each.exit_code for each in failures)
    for failure in failures:
        print(_in_words(failure), file=sys.stderr)
    if as_json:
        from deployments.cli.output import json_text

        documents = [_as_document(each) for each in failures]
        document = {"exit_code": code, "error": documents[0], "further_errors": documents[1:]}
        print(json_text(document, sys.stdout.encoding))
    return code


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors of a group, each by itself: several deliveries of a batch may have failed."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _as_samkat_error(error: BaseException) -> SamkatError:
    if isinstance(error, SamkatError):
        return error
    if _is_from(error, "sqlalchemy"):
        return _database_error(error)
    if isinstance(error, OSError) and error.filename:
        return SamkatError(f"{error.strerror or error}", file=str(error.filename))
    remedy = None if is_debugging() else "SAMKAT_DEBUG=1 shows where; please report it as a fault of Samkat"
    return SamkatError(f"unexpected {type(error).__name__}: {_first_line(error)}", remedy=remedy)


def _is_from(error: BaseException, package: str) -> bool:
    return type(error).__module__.split(".")[0] == package


def _database_error(error: BaseException) -> SamkatError:
    """A fault of the database in its own first line; the statement and its values stay out of sight."""
    cause = getattr(error, "orig", None) or error
    return SamkatError(
        f"the warehouse reports: {_first_line(cause)}",
        field="SAMKAT_WAREHOUSE_URL",
        remedy="is the database there, reachable and writable? `samkat init` makes or migrates it",
    )


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _place(error: SamkatError) -> str:
    position = f"record {error.position}" if error.position is not None else None
    return ", ".join(each for each in (error.file, position, error.field) if each)


def _in_words(error: SamkatError) -> str:
    lines = [f"Error: {error.cause}"]
    if place := _place(error):
        lines.append(f"  where: {place}")
    if error.remedy:
        lines.append(f"  what to do: {error.remedy}")
    return "\n".join(lines)


def _as_document(error: SamkatError) -> dict[str, Any]:
    return {
        "cause": error.cause,
        "file": error.file,
        "position": error.position,
        "field": error.field,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }
