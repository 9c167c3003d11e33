"""`patron_targets.toml`: where the persons of each institution are edited, and how Samkat and that place talk."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from schemas.alma_users import OutRules
from schemas.patrons import PATHS
from schemas.register.base import RegisterModel, RegularExpression
from schemas.register.patron_sources import PatronFileRules, SourceCode

TargetKind = Literal["alma_files", "alma_api", "warehouse"]
ContactList = Literal["addresses", "emails", "phones"]

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_ALWAYS_SHOWN = frozenset({"primary_id", "account_type", "record_type"})


def api_address(url: str) -> str:
    """`url` without a slash at its end. Raises `ValueError` for one that no key may be sent to."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    is_plain = not (parts.query or parts.fragment or parts.username)
    if not parts.hostname or not is_plain or not (parts.scheme == "https" or is_local):
        raise ValueError("is no address of an API that a key may be sent to: write https://host")
    return url.rstrip("/")


def _name_of_a_secret(name: str) -> str:
    if not _VARIABLE.fullmatch(name) or name.startswith("SAMKAT_"):
        raise ValueError(
            "is no name of an environment variable: write a name in capitals that does not begin with SAMKAT_; "
            "the key itself stands in no file"
        )
    return name


def _may_be_hidden(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        if path not in PATHS or path in _ALWAYS_SHOWN:
            raise ValueError(f"{path!r} is no path that an export may leave out (docs/patron-formats.md lists them)")
    return paths


class ExportRules(RegisterModel):
    """What is checked of an export of users. A breach holds it: then it is no read-back."""

    pattern: RegularExpression | None = Field(
        None,
        description="Regular expression for its whole name; groups `date` and `time` say when it was made",
    )
    manifest: str | None = Field(
        None, pattern=r"^\.[A-Za-z0-9.]{1,30}$", description="Suffix of the manifest that comes with it: `.json`"
    )
    content: Literal["snapshot", "delta"] = Field(
        "snapshot", description="`snapshot`: all users; `delta`: those that changed, the others are as they were"
    )
    window: float = Field(0.15, ge=0, le=1, description="Share by which size and number of users may differ")
    window_from: int = Field(100, ge=0, description="Users last time from which on shares are judged")
    null_window: float = Field(0.10, ge=0, le=1, description="Share by which the empty values of a field may increase")
    missing_window: float = Field(
        0.02, ge=0, le=1, description="Share of the persons that Samkat has written who may be missing; 10 always may"
    )

    @cached_property
    def file_rules(self) -> PatronFileRules:
        """As the checks of a patron file want them. The same content twice is told by age, not by content."""
        return PatronFileRules(
            pattern=self.pattern,
            manifest=self.manifest,
            window=self.window,
            window_from=self.window_from,
            null_window=self.null_window,
            same_is_stale=False,
        )


class PatronTarget(RegisterModel):
    """The place where the persons of one institution are edited."""

    code: SourceCode = Field(description="Short code; also the landing folder of its exports")
    institution: SourceCode = Field(description="Institution whose library system it is")
    kind: TargetKind = Field(
        description="`alma_files`: exports in, synchronise files out; `alma_api`: both through its REST API; "
        "`warehouse`: there is none, staff edit in the warehouse"
    )
    base_url: Annotated[str, AfterValidator(api_address)] | None = Field(
        None, description="Address of the API: `https://api-eu.hosted.exlibrisgroup.com`"
    )
    api_key: Annotated[str, AfterValidator(_name_of_a_secret)] | None = Field(
        None, description="Name of the environment variable that holds the API key, never the key itself"
    )
    requests_per_second: float = Field(10.0, gt=0, le=25, description="Most requests to the API in a second")
    keep_requests: int = Field(0, ge=0, description="Requests of the day that are left to others at the institution")
    timeout_seconds: float = Field(30.0, gt=0, le=600, description="How long an answer may take")
    out_prefix: str = Field(
        "users", pattern=r"^[A-Za-z0-9_.-]{1,40}$", description="What the names of synchronise files begin with"
    )
    persons_per_file: int = Field(
        5_000,
        ge=1,
        description="Users in one of the at most 50 XML files of a zip; what is more goes into the next zip",
    )
    record_type: str = Field("PUBLIC", pattern="^[A-Z]{1,20}$", description="For persons who have none")
    confidential_keeps: tuple[ContactList, ...] = Field(
        ("addresses", "emails", "phones"),
        description="What goes out of a person with protected identity; without a preferred one a loan is blocked",
    )
    not_exported: Annotated[tuple[str, ...], AfterValidator(_may_be_hidden)] = Field(
        (), description="Paths that go out and that its exports never carry: a read-back says nothing about them"
    )
    read_back_hours: int | None = Field(
        None, ge=1, description="As in `patron_policy.toml`, for this institution; missing: as there"
    )
    export: ExportRules = Field(ExportRules(), description="Checks of an export")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> PatronTarget:
        if self.kind == "alma_api" and not (self.base_url and self.api_key):
            raise ValueError("base_url, api_key: kind alma_api needs both")
        if self.kind != "alma_api" and (self.base_url or self.api_key):
            raise ValueError(f"base_url, api_key: kind {self.kind} has no API")
        groups = re.compile(self.export.pattern).groupindex if self.export.pattern else {}
        if "time" in groups and "date" not in groups:
            raise ValueError("export.pattern: a group `time` needs a group `date`")
        return self

    @cached_property
    def out_rules(self) -> OutRules:
        """As composer and read-back want them."""
        return OutRules(frozenset(self.confidential_keeps), frozenset(self.not_exported), self.record_type)
