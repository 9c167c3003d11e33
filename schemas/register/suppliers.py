"""`suppliers.toml`: who delivers, under which agreement, in which formats, and how their records are treated."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.register.base import RegisterModel, RegularExpression
from schemas.register.rhythm import Rhythm

SupplierCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,20}$")]
EncodingLevel = Annotated[str, Field(pattern=r"^[ 1-8uzeimklgjhf4]$", description="leader/17; blank is a space")]


class NormalisationRules(RegisterModel):
    """What is done to each record before matching (2010 rules, docs/normalisation.md)."""

    own_prefix: str = Field("SAMKAT", description="Our own 003; any other 003 + 001 becomes 035 (003)001")
    move_foreign_control_number: bool = Field(True, description="001 + 003 become 035 `(003)001` when 003 is not ours")
    note_temporary_levels: bool = Field(True, description="Levels 5 and 8 get the 599 note that edits are overwritten")
    temporary_note: str = Field(
        "Preliminary record: manual changes are overwritten unless the encoding level is changed",
        description="Text of that 599 $a",
    )
    move_non_isbn_to_024: bool = Field(True, description="020 $a without an ISBN-like number becomes 024 ind1=8")
    drop_machine_classification: bool = Field(True, description="082/084 with $2 `machine generated` are dropped")
    drop_local_fields: bool = Field(True, description="Every 9XX is dropped")
    drop_institution_fields: bool = Field(True, description="Every field with $5 is dropped")
    drop_heading_links: bool = Field(True, description="$0 in headings (1XX, 6XX, 7XX, 8XX) is dropped")
    force_level: EncodingLevel | None = Field(None, description="leader/17 is set to this whatever the supplier sends")


class FileRules(RegisterModel):
    """What a supplier's file names promise. The pattern's groups `sigel` and `stamp` are checked where present."""

    pattern: RegularExpression | None = Field(
        None, description="Regular expression that a file name must match in full"
    )
    one_order: bool = Field(False, description="One file per ordered title: exactly one bib and one holding")
    example: str | None = Field(None, description="A name that keeps the pattern, shown where a name breaks it")
    marker: str | None = Field(
        None,
        pattern=r"^\.[A-Za-z0-9.]{1,30}$",
        description="Suffix of the empty file that says that a file is whole: `.done`; without one, quiet says it",
    )

    @model_validator(mode="after")
    def _example_keeps_pattern(self) -> FileRules:
        if self.pattern and self.example and not re.fullmatch(self.pattern, self.example):
            raise ValueError(f"example {self.example!r} does not keep the pattern")
        return self


class QualityLimits(RegisterModel):
    """Shares of a delivery (0 to 1). A breach holds the delivery for approval."""

    min_readable_share: float = Field(0.90, ge=0, le=1, description="Pieces that can be read")
    min_title_share: float = Field(0.95, ge=0, le=1, description="Bibs with 245 $a")
    min_isbn_share: float = Field(0.50, ge=0, le=1, description="Bibs with an ISBN-like 020 $a")
    min_valid_isbn_share: float = Field(0.90, ge=0, le=1, description="020 $a whose check digit is right")
    min_known_sigel_share: float = Field(0.80, ge=0, le=1, description="Holdings whose sigel is in the register")
    min_known_level_share: float = Field(0.95, ge=0, le=1, description="Bibs whose leader/17 is in the level table")
    max_size_factor: float = Field(20.0, gt=1, description="Records, against the median of the supplier's last 20")
    min_records_to_judge: int = Field(20, ge=1, description="Smaller deliveries are reported on, never held for shares")


class TrialLimits(RegisterModel):
    """What test deliveries have to show before a supplier's first real load (docs/supplier-onboarding.md)."""

    min_bibs: int = Field(10, ge=1, description="Bibs in all its test files together, each file counted once")
    max_review_share: float = Field(0.25, ge=0, le=1, description="Bibs for a cataloguer; over it is a remark")


class Supplier(RegisterModel):
    """One supplier of deliveries."""

    code: SupplierCode = Field(description="Short code; also the folder of the landing zone")
    name: str = Field(min_length=1, description="As it stands in e-mails")
    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail for rejected records")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of e-mails to the supplier")
    agreement_from: date = Field(description="First day of the agreement")
    agreement_to: date | None = Field(None, description="Last day of the agreement; open where missing")
    formats: tuple[Literal["iso2709", "marcxml"], ...] = Field(("marcxml", "iso2709"), description="What it may send")
    charset: Literal["auto", "utf-8", "marc-8", "iso8859-1"] = Field(
        "auto", description="Declared character set; `auto` trusts leader/09, then looks at the bytes"
    )
    file: FileRules = Field(FileRules(), description="File-name rules")
    has_holdings: bool = Field(True, description="False: delivers bibs alone")
    normalisation: NormalisationRules = Field(NormalisationRules(), description="Rules before matching")
    keep: tuple[str, ...] | None = Field(None, description="Keep list in place of the one in levels.toml")
    level_ceiling: EncodingLevel = Field("7", description="A better level than this is read as this")
    level_table: str | None = Field(None, description="Name of another table in levels.toml")
    quality: QualityLimits = Field(QualityLimits(), description="Limits over which a delivery is held")
    rhythm: Rhythm | None = Field(None, description="When it delivers; missing: nothing is expected")
    libraries: tuple[str, ...] = Field((), description="Sigels of its reported customers; empty: any that allows it")
    sandbox: bool = Field(False, description="Its deliveries are tried and reported on; nothing of them is loaded")
    trial: TrialLimits = Field(TrialLimits(), description="What its test deliveries have to show")

    @model_validator(mode="after")
    def _dates(self) -> Supplier:
        if self.agreement_to and self.agreement_to < self.agreement_from:
            raise ValueError("agreement_to is before agreement_from")
        return self

    def has_agreement(self, on: date) -> bool:
        """Whether the agreement covers the day `on`; both ends are inclusive."""
        return self.agreement_from <= on and (self.agreement_to is None or on <= self.agreement_to)
