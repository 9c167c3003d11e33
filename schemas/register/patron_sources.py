"""`patron_sources.toml`: which institution sends persons, in which format, and how its fields become our paths."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from schemas.patrons import ITEM_FIELDS, PATHS, SCALAR_PATHS
from schemas.register.base import RegisterModel, RegularExpression
from schemas.register.rhythm import Rhythm

SourceCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,20}$")]
Namespace = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
PatronFormat = Literal["bups1", "bups2", "csv", "json"]

_TARGET = re.compile(
    r"(?P<path>[a-z_]+)(?:\[(?P<type>[A-Za-z0-9_. -]*)(?:#(?P<number>[1-9]))?\])?(?:\.(?P<field>[a-z0-9_]+))?"
)
AFFILIATION_FIELDS = ("category", "library", "department", "valid_from", "valid_to")
FLAG_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "ja", "j"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "nej", "nei"), False),
}


class Target(NamedTuple):
    """Where the value of a column goes: `first_name`, `emails[work].email_address`, `affiliation.category`, ..."""

    path: str
    """A name of `PATHS`, `affiliation` or `rekeyed_from`."""
    field: str
    """Of a list item (also `type` and `preferred`) or of the affiliation; empty for a scalar path."""
    item_type: str
    """Of a list item, or the namespace of an old id; empty: a column of its own says it, or nothing does."""
    number: int
    """Tells items of the same type apart: `emails[work#2]` is 2."""


def target_of(text: str) -> Target:
    """`text` as a target. Raises `ValueError` that says what is wrong with it."""
    match = _TARGET.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no target: write path, list[type].field or affiliation.field")
    path, field, item_type = match["path"], match["field"] or "", match["type"]
    if path == "affiliation" and item_type is None and field in AFFILIATION_FIELDS:
        return Target(path, field, "", 1)
    if path == "rekeyed_from" and item_type and not field:
        return Target(path, "", item_type, 1)
    if path in SCALAR_PATHS and item_type is None and not field:
        return Target(path, "", "", 1)
    if path in ITEM_FIELDS:
        known = (*ITEM_FIELDS[path], "type", "preferred")
        if item_type is None or field not in known:
            raise ValueError(f"{text!r}: write {path}[type].field, with one of {', '.join(known)}")
        return Target(path, field, item_type, int(match["number"] or 1))
    if path not in PATHS and path not in ("affiliation", "rekeyed_from"):
        raise ValueError(f"{text!r}: there is no path {path} (docs/patron-formats.md lists them)")
    raise ValueError(f"{text!r} is no target: write path, list[type].field or affiliation.field")


class Column(RegisterModel):
    """One field of the sender: a column of CSV, a code of BUPS 1, a path in JSON."""

    name: str = Field(min_length=1, description="As the sender calls it: header, two-letter code, or `personal.email`")
    to: tuple[str, ...] = Field(description="Where it goes; none: it is known, and not taken")
    occurrence: int = Field(1, ge=1, le=9, description="Which one, where a header stands several times")
    needed: bool = Field(False, description="Without a value the row is rejected")
    empty: Literal["absent", "null"] = Field(
        "absent", description="What an empty value means: `absent`: says nothing; `null`: says that there is nothing"
    )
    split: str | None = Field(None, min_length=1, max_length=3, description="Separator of several values in one cell")
    pattern: RegularExpression | None = Field(None, description="What a value must match in full")
    dates: tuple[str, ...] | None = Field(None, description="Date formats in place of those of the source")
    values: dict[str, str] = Field({}, description="Their value to ours; what is not listed stays as it is")

    @field_validator("to")
    @classmethod
    def _targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            target_of(each)
        return value

    @model_validator(mode="after")
    def _splits_into_items(self) -> Column:
        if self.split and any(target_of(each).path not in ITEM_FIELDS for each in self.to):
            raise ValueError("split: only a list can take several values")
        return self

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """`to`, taken apart."""
        return tuple(target_of(each) for each in self.to)


BUPS1_COLUMNS: tuple[Column, ...] = (
    Column(name="LT", to=("primary_id", "user_identifiers[barcode].value"), needed=True),
    Column(name="GL", to=("rekeyed_from[primary_id]",)),
    Column(name="RS", to=("affiliation.library",), needed=True, pattern="[A-Za-z0-9]{7}"),
    Column(name="EN", to=("last_name",), needed=True),
    Column(name="FN", to=("first_name",), needed=True),
    Column(name="KA", to=("affiliation.category",), needed=True, pattern="[0-9]+"),
    Column(name="FI", to=("user_identifiers[feide].value",), pattern=r"[^@\s]+@[^@\s]+"),
    Column(name="GD", to=("expiry_date",)),
    Column(name="IN", to=()),
    Column(name="IK", to=()),
    Column(name="AV", to=("department", "affiliation.department")),
    Column(name="FD", to=("birth_date",)),
    Column(name="SK", to=("preferred_language",), pattern="[A-Za-z]{3}"),
)
"""The code table of BUPS 1 (reference: its standard import format). A source's own columns replace or add to it."""
NATIONAL_ID_CODES: tuple[str, ...] = ("FR", "GR")
"""Codes of BUPS 1 that are cut out on receipt; no column may ask for them."""


class CsvRules(RegisterModel):
    """How a file of rows is written."""

    separator: str = Field(",", min_length=1, max_length=1, description="Between two cells")
    quote: str = Field('"', max_length=1, description="Around a cell; doubled inside it; empty: cells are never quoted")
    comment: str = Field("", max_length=1, description="A line that begins with it is skipped; empty: none is")


class JsonRules(RegisterModel):
    """Where the persons stand in a JSON file."""

    records: str = Field(
        "", description="Path of the persons: `users[]`; empty: the document is one, or a list of them"
    )
    lines: bool = Field(False, description="True: each line is a document of its own")


class PatronFileRules(RegisterModel):
    """What is checked of a file before anything of it is used. A breach holds the file."""

    pattern: RegularExpression | None = Field(
        None, description="Regular expression that a file name must match in full"
    )
    manifest: str | None = Field(
        None, pattern=r"^\.[A-Za-z0-9.]{1,30}$", description="Suffix of the manifest that comes with each file: `.json`"
    )
    window: float = Field(0.15, ge=0, le=1, description="Share by which size and number of persons may differ")
    window_from: int = Field(100, ge=0, description="Persons last time from which on shares are judged")
    null_window: float = Field(0.10, ge=0, le=1, description="Share by which the empty values of a field may increase")
    change_window: float = Field(0.30, ge=0, le=1, description="Share of persons of whom one field may change")
    same_is_stale: bool = Field(True, description="The same content as last time is told: nobody renewed the file")


class PatronSource(RegisterModel):
    """One register of persons at one institution."""

    code: SourceCode = Field(description="Short code; also the folder of the landing zone")
    name: str = Field(min_length=1, description="As it stands in e-mails")
    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail for rejected rows")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of e-mails to it")
    institution: SourceCode = Field(description="Institution whose persons these are; it may have several sources")
    library: str | None = Field(None, description="Sigel of the library of persons of whom the file names none")
    format: PatronFormat = Field(description="`bups1`, `bups2` (Alma's user XML), `csv` or `json`")
    charset: Literal["utf-8", "iso8859-1", "windows-1252"] = Field(
        "utf-8", description="Character set; in XML the declaration counts, and must agree"
    )
    content: Literal["snapshot", "delta"] = Field(
        "snapshot", description="`snapshot`: everybody, so absence counts; `delta`: changes only"
    )
    precedence: int = Field(50, ge=1, le=99, description="Of several sources of a person the lowest number wins")
    stable_ids: tuple[Namespace, ...] = Field(
        ("primary_id",), min_length=1, description="Namespaces whose ids match; all others only search"
    )
    categories: dict[str, str] = Field({}, description="Category to user group; empty: categories are our groups")
    constants: dict[str, str] = Field({}, description="Scalar path to the value that every person gets")
    columns: tuple[Column, ...] = Field((), description="Fields of the sender; for `bups1` beside the standard's own")
    dates: tuple[str, ...] = Field(("%Y-%m-%d",), min_length=1, description="Date formats, tried in this order")
    empty_elements: Literal["null", "absent"] = Field(
        "null", description="What an empty element of `bups2` means, as `empty` of a column"
    )
    csv_rules: CsvRules = Field(CsvRules(), description="How the rows of `csv` are written")
    json_rules: JsonRules = Field(JsonRules(), description="Where the persons stand in `json`")
    file: PatronFileRules = Field(PatronFileRules(), description="Checks of a file")
    raw_days: int = Field(14, ge=1, le=400, description="Days after which what came is shredded")
    rhythm: Rhythm | None = Field(None, description="When it delivers; missing: nothing is expected")
    expected_from: date | None = Field(None, description="First day on which `rhythm` counts; missing: not yet")

    @field_validator("constants")
    @classmethod
    def _constants(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value:
            if path not in SCALAR_PATHS:
                raise ValueError(f"{path!r} is no scalar path (docs/patron-formats.md lists them)")
        return value

    @model_validator(mode="after")
    def _columns_fit_the_format(self) -> PatronSource:
        if self.format in ("csv", "json") and not self.columns:
            raise ValueError(f"columns: format {self.format} needs them")
        if self.format == "bups2" and self.columns:
            raise ValueError("columns: format bups2 has elements of its own and takes none")
        names = [(each.name, each.occurrence) for each in self.columns]
        repeated = sorted({name for name, number in names if names.count((name, number)) > 1})
        if repeated:
            raise ValueError(f"columns: {', '.join(repeated)} is there twice")
        if self.format == "bups1":
            for each in self.columns:
                if not re.fullmatch(r"[A-Z]{2}", each.name) or each.name in NATIONAL_ID_CODES:
                    raise ValueError(f"columns: {each.name!r} is no code of BUPS 1 that can be taken")
        if self.format != "bups2":
            self._check_ids()
        return self

    def _check_ids(self) -> None:
        carried = {target.item_type for each in self.all_columns for target in each.targets}
        carried |= {target.path for each in self.all_columns for target in each.targets}
        if not carried & set(self.stable_ids):
            raise ValueError(f"stable_ids: no column carries any of {', '.join(self.stable_ids)}")

    @cached_property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns in force: for BUPS 1 the standard's own, replaced or added to by the source's."""
        if self.format != "bups1":
            return self.columns
        own = {each.name: each for each in self.columns}
        return (*(each for each in BUPS1_COLUMNS if each.name not in own), *self.columns)
