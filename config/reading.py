"""Reading the register: one TOML file a part, validated against `schemas.register` with errors a person can act on.

What belongs here is the way from a folder to a `Register`. An error names the file, the key path (with a supplier's
code or a library's sigel, never a list index), the value, and what to do. docs/register.md lists every key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.toml_parts import PAGE, did_you_mean, parsed, part_of, rows_of
from schemas.errors import ConfigurationError
from schemas.register.account_rules import AccountSystem
from schemas.register.account_sources import AccountSource
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from schemas.register.guards import GuardLimit, GuardPolicy
from schemas.register.import_profiles import ImportProfile
from schemas.register.levels import LevelPolicy
from schemas.register.libraries import Library
from schemas.register.matching import MatchingPolicy
from schemas.register.participation import ParticipationRules
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
    "account_sources",
    "import_profiles",
    "participation",
)
ACCOUNT_RULES = "account_rules"
"""Folder of the rules of accounts: one file a system, each named after it."""
LIBRARIES = "libraries"
"""Folder of the libraries that were admitted: one file a library, each named after its sigel."""

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


def read_register(folder: Path) -> Register:
    """The register in `folder`: suppliers.toml, libraries.toml, levels.toml, and the optional parts where present.

    Raises `ConfigurationError` at the first thing that is wrong: a missing or misnamed file, TOML that cannot be
    read, an unknown key, a wrong type or value, parts that do not agree with each other.
    """
    try:
        version = register_version(folder)
    except OSError:
        # Reading says which file it is, and what to do.
        return _read.__wrapped__(folder, "")
    return _read(folder, version)


@lru_cache(maxsize=4)
def _read(folder: Path, _version: str) -> Register:
    """A process judges the same files once: a register cannot be changed by who has it."""
    documents = _documents(folder)
    register = _whole(
        folder,
        suppliers=rows_of(folder / "suppliers.toml", documents["suppliers"], "supplier", "code", Supplier),
        libraries=(
            *rows_of(folder / "libraries.toml", documents["libraries"], "library", "sigel", Library),
            *_admitted(folder / LIBRARIES),
        ),
        levels=part_of(folder / "levels.toml", documents["levels"], LevelPolicy),
        matching=part_of(folder / "matching.toml", documents.get("matching", {}), MatchingPolicy),
        guards=part_of(folder / "guards.toml", documents["guards"], GuardPolicy)
        if "guards" in documents
        else DEFAULT_GUARDS,
        catalogue=part_of(folder / "catalogue.toml", documents.get("catalogue", {}), CatalogueRules),
        retention=part_of(folder / "retention.toml", documents.get("retention", {}), Retention),
        participation=part_of(folder / "participation.toml", documents.get("participation", {}), ParticipationRules),
        patron_policy=part_of(folder / "patron_policy.toml", documents.get("patron_policy", {}), PatronPolicy),
        patron_sources=rows_of(
            folder / "patron_sources.toml", documents["patron_sources"], "patron_source", "code", PatronSource
        )
        if "patron_sources" in documents
        else (),
        export_profiles=rows_of(
            folder / "export_profiles.toml", documents["export_profiles"], "export_profile", "name", ExportProfile
        )
        if "export_profiles" in documents
        else (),
        import_profiles=rows_of(
            folder / "import_profiles.toml", documents["import_profiles"], "import_profile", "code", ImportProfile
        )
        if "import_profiles" in documents
        else (),
        patron_targets=rows_of(
            folder / "patron_targets.toml", documents["patron_targets"], "patron_target", "code", PatronTarget
        )
        if "patron_targets" in documents
        else (),
        account_systems=_account_systems(folder / ACCOUNT_RULES),
        account_sources=rows_of(
            folder / "account_sources.toml", documents["account_sources"], "account_source", "code", AccountSource
        )
        if "account_sources" in documents
        else (),
    )
    _check_prefixes(folder, register)
    return register


def _account_systems(folder: Path) -> tuple[AccountSystem, ...]:
    """The systems of accounts, by name; none where there is no such folder."""
    found = []
    for file in sorted(folder.glob("*.toml")):
        system = part_of(file, parsed(file), AccountSystem)
        if system.code != file.stem:
            raise ConfigurationError(
                f"{system.code!r} is not the file's name", file=str(file), field="code", remedy=f"write {file.stem!r}"
            )
        found.append(system)
    return tuple(found)


def _admitted(folder: Path) -> tuple[Library, ...]:
    """The libraries that `samkat libraries admit` has entered, by sigel; none where there is no such folder."""
    found = []
    for file in sorted(folder.glob("*.toml")):
        library = part_of(file, parsed(file), Library)
        if library.sigel != file.stem:
            raise ConfigurationError(
                f"{library.sigel!r} is not the file's name",
                file=str(file),
                field="sigel",
                remedy=f"write {file.stem!r}",
            )
        found.append(library)
    return tuple(found)


def register_version(folder: Path) -> str:
    """sha256 (64 hex digits) of names and contents of the register's files: changes when any policy changes."""
    digest = hashlib.sha256()
    inner = (sorted((folder / each).glob("*.toml")) for each in (ACCOUNT_RULES, LIBRARIES))
    for file in [*_files(folder), *chain.from_iterable(inner)]:
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
                "is no part of the register", file=str(file), remedy=did_you_mean(file.stem, NEEDED + OPTIONAL)
            )
    for missing in sorted(set(NEEDED) - {file.stem for file in files}):
        raise ConfigurationError("is missing", file=str(folder / f"{missing}.toml"), remedy=f"see {PAGE}")
    return {file.stem: parsed(file) for file in files}


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
    """A sender's rules must know our 003 by its right name, or our own numbers would be moved to 035."""
    ours = register.catalogue.control_number_prefix
    for part, senders in (("supplier", register.suppliers), ("import_profile", register.import_profiles)):
        for sender in senders:
            if sender.normalisation.own_prefix != ours:
                own = sender.normalisation.own_prefix
                raise ConfigurationError(
                    f"{own!r} differs from control_number_prefix {ours!r} of catalogue.toml",
                    file=str(folder / f"{part}s.toml"),
                    field=f"{part}[{sender.code}].normalisation.own_prefix",
                    remedy="make the two equal",
                )
    for profile in register.import_profiles:
        if profile.record.number_prefix == ours:
            raise ConfigurationError(
                f"{ours!r} is our own prefix: numbers of another base would be taken for ours",
                file=str(folder / "import_profiles.toml"),
                field=f"import_profile[{profile.code}].record.number_prefix",
                remedy="choose a prefix for that base",
            )
