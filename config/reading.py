"""Reading the register: one TOML file a part, validated against `schemas.register` with errors a person can act on.

What belongs here is the way from a folder to a `Register`. An error names the file, the key path (with a supplier's
code or a library's sigel, never a list index), the value, and what to do. docs/register.md lists every key.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import ConfigurationError
from schemas.register.account_rules import AccountSystem
from schemas.register.base import RegisterModel
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from schemas.register.guards import GuardLimit, GuardPolicy
from schemas.register.levels import LevelPolicy
from schemas.register.libraries import Library
from schemas.register.matching import MatchingPolicy
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_sources import PatronSource
from schemas.register.patron_targets import PatronTarget
from schemas.register.register import Register
from schemas.register.retention import Retention
from schemas.register.suppliers import Supplier

NEEDED = ("suppliers", "libraries", "levels")
OPTIONAL = (
    "matching",
    "guards",
    "catalogue",
    "retention",
    "patron_sources",
    "patron_policy",
    "patron_targets",
    "export_profiles",
)
ACCOUNT_RULES = "account_rules"
"""Folder of the rules of accounts: one file a system, each named after it."""
PAGE = "docs/register.md"

# A register without guards.toml is still guarded: a run may replace half of the catalogue at most, double it at most,
# and withdraw a thousandth of the holdings before a person looks.
DEFAULT_GUARDS = GuardPolicy(
    flows={
        "supplier-ingest": {
            "bib_replace": GuardLimit(at_least=1_000, share=0.5, min_population=100),
            "bib_create": GuardLimit(at_least=20_000, share=1.0, min_population=100),
            "holding_delete": GuardLimit(at_least=10, share=0.001, min_population=100),
        },
    }
)

Part = TypeVar("Part", bound=RegisterModel)


def read_register(folder: Path) -> Register:
    """The register in `folder`: suppliers.toml, libraries.toml, levels.toml, and the optional parts where present.

    Raises `ConfigurationError` at the first thing that is wrong: a missing or misnamed file, TOML that cannot be
    read, an unknown key, a wrong type or value, parts that do not agree with each other.
    """
    documents = _documents(folder)
    register = _whole(
        folder,
        suppliers=_rows(folder / "suppliers.toml", documents["suppliers"], "supplier", "code", Supplier),
        libraries=_rows(folder / "libraries.toml", documents["libraries"], "library", "sigel", Library),
        levels=_part(folder / "levels.toml", documents["levels"], LevelPolicy),
        matching=_part(folder / "matching.toml", documents.get("matching", {}), MatchingPolicy),
        guards=_part(folder / "guards.toml", documents["guards"], GuardPolicy)
        if "guards" in documents
        else DEFAULT_GUARDS,
        catalogue=_part(folder / "catalogue.toml", documents.get("catalogue", {}), CatalogueRules),
        retention=_part(folder / "retention.toml", documents.get("retention", {}), Retention),
        patron_policy=_part(folder / "patron_policy.toml", documents.get("patron_policy", {}), PatronPolicy),
        patron_sources=_rows(
            folder / "patron_sources.toml", documents["patron_sources"], "patron_source", "code", PatronSource
        )
        if "patron_sources" in documents
        else (),
        export_profiles=_rows(
            folder / "export_profiles.toml", documents["export_profiles"], "export_profile", "name", ExportProfile
        )
        if "export_profiles" in documents
        else (),
        patron_targets=_rows(
            folder / "patron_targets.toml", documents["patron_targets"], "patron_target", "code", PatronTarget
        )
        if "patron_targets" in documents
        else (),
        account_systems=_account_systems(folder / ACCOUNT_RULES),
    )
    _check_prefixes(folder, register)
    return register


def _account_systems(folder: Path) -> tuple[AccountSystem, ...]:
    """The systems of accounts, by name; none where there is no such folder."""
    found = []
    for file in sorted(folder.glob("*.toml")):
        system = _part(file, _parsed(file), AccountSystem)
        if system.code != file.stem:
            raise ConfigurationError(
                f"{system.code!r} is not the file's name", file=str(file), field="code", remedy=f"write {file.stem!r}"
            )
        found.append(system)
    return tuple(found)


def register_version(folder: Path) -> str:
    """sha256 (64 hex digits) of names and contents of the register's files: changes when any policy changes."""
    digest = hashlib.sha256()
    for file in [*_files(folder), *sorted((folder / ACCOUNT_RULES).glob("*.toml"))]:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigurationError(
            "there is no such folder", file=str(folder), remedy="SAMKAT_REGISTER must name the register's folder"
        )
    return sorted(folder.glob("*.toml"))


def _documents(folder: Path) -> dict[str, dict[str, Any]]:
    """Part name: parsed TOML, for every file of the register that is there."""
    files = _files(folder)
    for file in files:
        if file.stem not in NEEDED + OPTIONAL:
            raise ConfigurationError(
                "is no part of the register", file=str(file), remedy=_did_you_mean(file.stem, NEEDED + OPTIONAL)
            )
    for missing in sorted(set(NEEDED) - {file.stem for file in files}):
        raise ConfigurationError("is missing", file=str(folder / f"{missing}.toml"), remedy=f"see {PAGE}")
    return {file.stem: _parsed(file) for file in files}


def _parsed(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"is not UTF-8: byte {error.start}", file=str(file), remedy="save the file as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"is not TOML: {error}", file=str(file), remedy="correct it at that line") from error
    return document


def _rows(file: Path, document: dict[str, Any], table: str, key: str, model: type[Part]) -> tuple[Part, ...]:
    """The `[[table]]` rows of a file, each validated by itself so that an error can name it by its `key`."""
    for unknown in document.keys() - {table}:
        raise ConfigurationError("unknown key", file=str(file), field=unknown, remedy=_did_you_mean(unknown, [table]))
    rows = document.get(table)
    if not isinstance(rows, list) or not rows:
        raise ConfigurationError("has no rows", file=str(file), field=table, remedy=f"write one [[{table}]] or more")
    return tuple(
        _part(file, row, model, f"{table}[{row.get(key, f'no. {number}')}]") for number, row in enumerate(rows, start=1)
    )


def _part(file: Path, document: dict[str, Any], model: type[Part], place: str = "") -> Part:
    """`document` as `model`; JSON's strict mode is TOML's own idea of types (an array is a tuple, `"1"` no number)."""
    _refuse_not_numbers(file, document, place)
    try:
        return model.model_validate_json(json.dumps(document, default=_iso), strict=True)
    except ValidationError as error:
        raise _explained(file, place, model, error) from None


def _refuse_not_numbers(file: Path, value: object, place: str) -> None:
    """TOML can say `nan` and `inf`; a threshold that is one of them would quietly never hold."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(
            f"{value} is not a number to compare with", file=str(file), field=place, remedy=f"see {PAGE}"
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_not_numbers(file, inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            _refuse_not_numbers(file, inner, place)


def _iso(value: object) -> str:
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    raise TypeError(f"TOML has no {type(value).__name__}")


def _explained(file: Path, place: str, model: type[RegisterModel], error: ValidationError) -> ConfigurationError:
    first, *others = error.errors(include_url=False)
    path = [str(step) for step in first["loc"]]
    kind = first["type"]
    cause = first["msg"].removeprefix("Value error, ")
    remedy = f"see {PAGE}"
    if kind == "extra_forbidden":
        cause, remedy = "unknown key", _did_you_mean(path[-1], _keys_at(model, path[:-1]))
    elif kind == "missing":
        cause, remedy = "is missing", f"add it; see {PAGE}"
    elif not isinstance(first["input"], dict):
        cause = f"{_shown(first)}: {cause}"
    if others:
        remedy += f"; {len(others)} more {'key is' if len(others) == 1 else 'keys are'} wrong in this part"
    return ConfigurationError(cause, file=str(file), field=".".join(filter(None, [place, *path])), remedy=remedy)


def _shown(detail: ErrorDetails) -> str:
    text = json.dumps(detail["input"], ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _did_you_mean(word: str, known: Iterable[str]) -> str:
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


def _whole(folder: Path, **parts: Any) -> Register:
    try:
        return Register(**parts)
    except ValidationError as error:
        # Register's own checks say `part: code: key: what is wrong`; only the last piece is the cause.
        part, *path, cause = error.errors()[0]["msg"].removeprefix("Value error, ").split(": ")
        raise ConfigurationError(
            cause, file=str(folder / f"{part}.toml"), field=".".join(path) or None, remedy=_agreement_remedy(part, path)
        ) from None


def _agreement_remedy(part: str, path: list[str]) -> str:
    remedies: Mapping[str, str] = {
        "suppliers": "correct the code, or add the supplier to suppliers.toml",
        "libraries": "correct the sigel, or add the library to libraries.toml",
        "library": "correct the sigel, or add the library to libraries.toml",
        "code": "choose another code",
        "sources": "correct the code, or add the supplier to suppliers.toml",
        "level_table": "correct the name, or add the table to levels.toml",
        "institution": "correct the code: one target for each institution of patron_sources.toml",
    }
    return remedies.get(path[-1], f"see {PAGE}") if path else f"keep one of them in {part}.toml"


def _check_prefixes(folder: Path, register: Register) -> None:
    """A supplier's rules must know our 003 by its right name, or our own numbers would be moved to 035."""
    ours = register.catalogue.control_number_prefix
    for supplier in register.suppliers:
        if supplier.normalisation.own_prefix != ours:
            raise ConfigurationError(
                f"{supplier.normalisation.own_prefix!r} differs from control_number_prefix {ours!r} of catalogue.toml",
                file=str(folder / "suppliers.toml"),
                field=f"supplier[{supplier.code}].normalisation.own_prefix",
                remedy="make the two equal",
            )
