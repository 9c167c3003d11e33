"""One TOML document as one of our types, with errors a person can act on: file, key path, value, remedy.

The register is read with it (reading.py), and what people send in TOML (applications.py).
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import ConfigurationError
from schemas.register.base import RegisterModel

PAGE = "docs/register.md"
"""Where every key of the register is told; documents of other kinds name their own page."""

Part = TypeVar("Part", bound=RegisterModel)


def parsed(file: Path) -> dict[str, Any]:
    """The TOML document in a file. Raises `ConfigurationError` where it cannot be read or is no TOML in UTF-8."""
    return parsed_text(text_of(file), file)


def text_of(file: Path) -> str:
    """The text of a file. Raises `ConfigurationError` where it cannot be read or is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"is not UTF-8: byte {error.start}", file=str(file), remedy="save the file as UTF-8"
        ) from error


def parsed_text(text: str, file: Path) -> dict[str, Any]:
    """The TOML document in a text; `file` is what an error names. Raises `ConfigurationError`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"is not TOML: {error}", file=str(file), remedy="correct it at that line") from error


def rows_of(file: Path, document: dict[str, Any], table: str, key: str, model: type[Part]) -> tuple[Part, ...]:
    """The `[[table]]` rows of a file, each validated by itself so that an error can name it by its `key`."""
    for unknown in document.keys() - {table}:
        raise ConfigurationError("unknown key", file=str(file), field=unknown, remedy=did_you_mean(unknown, [table]))
    rows = document.get(table)
    if not isinstance(rows, list) or not rows:
        raise ConfigurationError("has no rows", file=str(file), field=table, remedy=f"write one [[{table}]] or more")
    return tuple(
        part_of(file, row, model, f"{table}[{row.get(key, f'no. {number}')}]")
        for number, row in enumerate(rows, start=1)
    )


def part_of(file: Path, document: dict[str, Any], model: type[Part], place: str = "", page: str = PAGE) -> Part:
    """`document` as `model`; JSON's strict mode is TOML's own idea of types (an array is a tuple, `"1"` no number).

    Raises `ConfigurationError` at the first key that is wrong; `page` is where all of them are told.
    """
    _refuse_not_numbers(file, document, place, page)
    try:
        return model.model_validate_json(json.dumps(document, default=_iso), strict=True)
    except ValidationError as error:
        raise _explained(file, place, model, error, page) from None


def _refuse_not_numbers(file: Path, value: object, place: str, page: str) -> None:
    """TOML can say `nan` and `inf`; a threshold that is one of them would quietly never hold."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(
            f"{value} is not a number to compare with", file=str(file), field=place, remedy=f"see {page}"
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_not_numbers(file, inner, f"{place}.{key}".lstrip("."), page)
    elif isinstance(value, list):
        for inner in value:
            _refuse_not_numbers(file, inner, place, page)


def _iso(value: object) -> str:
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    raise TypeError(f"TOML has no {type(value).__name__}")


def _explained(
    file: Path, place: str, model: type[RegisterModel], error: ValidationError, page: str
) -> ConfigurationError:
    first, *others = error.errors(include_url=False)
    path = [str(step) for step in first["loc"]]
    kind = first["type"]
    cause = first["msg"].removeprefix("Value error, ")
    remedy = f"see {page}"
    if kind == "extra_forbidden":
        cause, remedy = "unknown key", did_you_mean(path[-1], _keys_at(model, path[:-1]))
    elif kind == "missing":
        cause, remedy = "is missing", f"add it; see {page}"
    elif not isinstance(first["input"], dict):
        cause = f"{_shown(first)}: {cause}"
    if others:
        remedy += f"; {len(others)} more {'key is' if len(others) == 1 else 'keys are'} wrong in this part"
    return ConfigurationError(cause, file=str(file), field=".".join(filter(None, [place, *path])), remedy=remedy)


def _shown(detail: ErrorDetails) -> str:
    text = json.dumps(detail["input"], ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words as a question, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"


def _keys_at(model: type[RegisterModel], path: list[str]) -> list[str]:
    """The keys that the table at `path` inside `model` may have."""
    here: object = model
    for step in path:
        if isinstance(here, type) and issubclass(here, RegisterModel):
            here = here.model_fields[step].annotation
        else:
            here = next(iter(get_args(here)[-1:]), None)
        if get_origin(here) in (Union, UnionType):
            here = next((each for each in get_args(here) if each is not type(None)), None)
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, RegisterModel) else []
