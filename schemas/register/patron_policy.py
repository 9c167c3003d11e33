"""`patron_policy.toml`: what a source may change about a person, what is protected, how much at once, and for how long.

Modes and their defaults are the table of docs/patron-merge.md. The limits, leases and calendars stand in
`patron_limits` and `patron_validity`; `PatronPolicy.version` names the content of all three.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from schemas.patrons import LIST_PATHS, PATHS
from schemas.register.base import RegisterModel
from schemas.register.patron_limits import PatronGuards
from schemas.register.patron_validity import AbsenceRules, ErasureRules, LifecycleRules, TermCalendar, ValidityRule

PathMode: TypeAlias = Literal[
    "source_wins",  # the source's value, a local edit is overwritten and logged
    "local_if_edited",  # the source's value until somebody edits it here
    "create_only",  # only a new person gets it
    "immutable",  # only a rekey changes it
    "per_item",  # a list: each item by itself, its owner decides
    "computed",  # Samkat works it out (tasks/patrons/expiry.py)
    "lifecycle",  # only a step of the lifecycle changes it
    "never",  # carried through as it is
]
FREE_MODES: Final[frozenset[str]] = frozenset({"source_wins", "local_if_edited", "create_only", "never"})
"""What a register may choose for a scalar path whose mode is not fixed; for a list `per_item` and `never`."""
FIXED_MODES: Final[Mapping[str, PathMode]] = MappingProxyType(
    {
        "primary_id": "immutable",
        "expiry_date": "computed",
        "purge_date": "lifecycle",
        "status": "lifecycle",
        "status_date": "lifecycle",
        "account_type": "never",
        "record_type": "never",
        "external_id": "never",
        "cataloger_level": "never",
    }
)
"""Paths whose mode no register can change."""
_LEGAL: Final = ("first_name", "middle_name", "last_name", "birth_date")
_WITH_AFFILIATION: Final = ("user_group", "campus_code", "department", "job_category", "job_description")


class PathRule(RegisterModel):
    """How one path merges."""

    mode: PathMode = Field(description="Who decides, see docs/patron-merge.md")
    may_clear: bool = Field(False, description="Whether a null, or an empty list, of the source clears what is there")
    on_conflict: Literal["review", "take"] = Field(
        "review", description="Both sides changed: `review` keeps ours and asks, `take` takes theirs and tells"
    )
    follows_affiliation: bool = Field(
        False, description="When the affiliation itself changes (student becomes employee), the source wins"
    )


def _default_rule(path: str) -> PathRule:
    if path in FIXED_MODES:
        return PathRule(mode=FIXED_MODES[path])
    if path in LIST_PATHS:
        return PathRule(mode="per_item", may_clear=True)
    if path in _LEGAL:
        # A middle name can go; a family name or a birth date that is gone is a mistake of the file.
        return PathRule(mode="source_wins", may_clear=path == "middle_name")
    return PathRule(mode="local_if_edited", follows_affiliation=path in _WITH_AFFILIATION)


DEFAULT_PATHS: Final[Mapping[str, PathRule]] = MappingProxyType({path: _default_rule(path) for path in PATHS})
"""What holds for a path that the register does not name."""


def _known_path(path: str) -> str:
    if path not in PATHS:
        raise ValueError("no path of a person; docs/patron-merge.md lists them")
    return path


PathName: TypeAlias = Annotated[str, AfterValidator(_known_path)]


def _fitting_modes(paths: dict[str, PathRule]) -> dict[str, PathRule]:
    for path, rule in paths.items():
        fixed = FIXED_MODES.get(path)
        if fixed and rule.mode != fixed:
            raise ValueError(f"{path}: mode {rule.mode!r} cannot be; it is always {fixed!r}")
        if not fixed and rule.mode not in ({"per_item", "never"} if path in LIST_PATHS else FREE_MODES):
            raise ValueError(f"{path}: mode {rule.mode!r} is not for {'lists' if path in LIST_PATHS else 'this path'}")
    return paths


class Protection(RegisterModel):
    """Paths that no source changes for all persons of an institution, of a user group, or of both."""

    institution: str | None = Field(None, description="Code of the institution; missing: all")
    user_group: str | None = Field(None, description="User group; missing: all")
    paths: tuple[PathName, ...] = Field(min_length=1, description="What no source changes once it is there")
    reason: str = Field(min_length=1, description="Why, as people are told")


class Precedence(RegisterModel):
    """Which source is asked first where several know the same person."""

    institution: str | None = Field(None, description="Code of the institution; missing: all")
    paths: tuple[PathName, ...] = Field((), description="For these paths; empty: all")
    sources: tuple[str, ...] = Field(min_length=1, description="Codes of sources, the first one wins")


class IdentifierRule(RegisterModel):
    """What a type of identifier is good for beside searching. Stable source ids are named with the source."""

    joins: bool = Field(False, description="One hit alone joins a row of another source to that person")
    is_unique: bool = Field(False, description="Two persons never have the same at one time")
    free_days: int = Field(365, ge=0, description="Days that a unique one rests before another person may have it")


class PatronRetention(RegisterModel):
    """How long what was held for a while is kept; raw files go by their source's own `raw_days`."""

    history_days: int = Field(365, ge=1, description="Earlier values of a person, from when they were replaced")
    receipt_days: int = Field(90, ge=1, description="Receipts of instant updates")


class PatronPolicy(RegisterModel):
    """`patron_policy.toml` as a whole."""

    paths: Annotated[dict[PathName, PathRule], AfterValidator(_fitting_modes)] = Field(
        default_factory=dict, description="Rules by path; one that is not named has its default"
    )
    protection: tuple[Protection, ...] = Field((), description="Protected by institution and by group")
    precedence: tuple[Precedence, ...] = Field(
        (), description="Order of sources that differs from their own; the closest row counts"
    )
    identifiers: dict[str, IdentifierRule] = Field(
        default_factory=dict, description="Rules by type of identifier; one that is not named only searches"
    )
    preferred_types: dict[PathName, tuple[str, ...]] = Field(
        default_factory=dict, description="Types in the order in which a preferred item is looked for"
    )
    guards: PatronGuards = Field(PatronGuards(), description="How much of a class of change goes unasked")
    validity: tuple[ValidityRule, ...] = Field(
        (ValidityRule(lease_days=365, step_days=30),), description="Last valid day where the source gives none"
    )
    calendars: dict[str, TermCalendar] = Field(default_factory=dict, description="Term calendars by name")
    absence: AbsenceRules = Field(AbsenceRules(), description="When a person who is not in the file counts as gone")
    lifecycle: LifecycleRules = Field(LifecycleRules(), description="What follows the last valid day")
    erasure: ErasureRules = Field(ErasureRules(), description="What must hold before a person is erased")
    retention: PatronRetention = Field(PatronRetention(), description="How long what is not needed is kept")
    read_back_hours: int = Field(
        24, ge=1, description="Older than this, what the library system held says nothing: no document goes out"
    )

    @model_validator(mode="after")
    def _consistent(self) -> PatronPolicy:
        for number, rule in enumerate(self.validity, start=1):
            if rule.calendar is not None and rule.calendar not in self.calendars:
                raise ValueError(f"validity no. {number}: calendar: there is no calendar {rule.calendar!r}")
        if all(rule.institution or rule.user_group for rule in self.validity):
            raise ValueError("validity: one row without institution and user_group is needed, for all the others")
        return self

    def rule(self, path: str) -> PathRule:
        """The rule of a path: the register's, or its default. A path that is none is a `KeyError`."""
        return self.paths.get(path) or DEFAULT_PATHS[path]

    def identifier(self, kind: str) -> IdentifierRule:
        """What identifiers of this type are good for."""
        return self.identifiers.get(kind, IdentifierRule())

    @cached_property
    def version(self) -> str:
        """sha256 (64 hex digits) of what is in force, defaults included: a person is only skipped under the same."""
        content = self.model_dump(mode="json") | {"paths": {path: self.rule(path).model_dump() for path in PATHS}}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
