"""`export_profiles.toml`: which local system gets which records, in which form, and where its files are put."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.register.base import RegisterModel
from schemas.register.suppliers import EncodingLevel

EVERYTHING = "*"
"""In place of sigels: the whole catalogue."""


class ExportTriggers(RegisterModel):
    """Which changes send a bib. Deletions have keys of their own."""

    bib_created: bool = Field(True, description="The bib is new in the catalogue")
    bib_updated: bool = Field(True, description="The bib was changed")
    holding_created: bool = Field(True, description="One of the profile's libraries has a new holding of it")
    holding_updated: bool = Field(True, description="Such a holding was changed, or went and others stay")
    sources: tuple[str, ...] = Field(
        (), description="Only changes made by these: supplier codes, `catalogue`; empty: whoever made them"
    )


class ExportProfile(RegisterModel):
    """What one local system is sent."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Name of the profile: folder and beginning of its file names"
    )
    receiver: str = Field(min_length=1, description="Whose system it is, in words")
    enabled: bool = Field(True, description="False: left out at night; `--profile` still makes its file")
    libraries: tuple[str, ...] = Field(min_length=1, description="Sigels whose holdings are sent; `*`: every library")
    place: str | None = Field(
        None,
        pattern=r"^(/|file:///|s3://).",
        description="Where its files go: a folder from the root, or s3://bucket/prefix; not set: the landing zone",
    )
    format: Literal["iso2709", "marcxml"] = Field("iso2709", description="Form of the file")
    charset: Literal["utf-8", "iso8859-1"] = Field("utf-8", description="Character set; what it lacks is listed")
    letters: Literal["composed", "decomposed"] = Field(
        "composed", description="UTF-8: letters with their marks in one character (NFC), or apart (NFD)"
    )
    holdings: Literal["interleaved", "after", "embedded", "none"] = Field(
        "interleaved",
        description="Holding records behind each bib, behind all bibs, as 852 in the bib, or not at all",
    )
    holding_dates: bool = Field(False, description="Holding records get 005 and 008 with the days of their row")
    hidden_holdings: bool = Field(True, description="Holdings of limited participation are sent, too")
    origin_notes: bool = Field(True, description="852 gets `$x origin:<supplier>`, which says whose line it is")
    control_number_prefix: str | None = Field(
        None, min_length=1, description="003 of the records; not set: that of catalogue.toml"
    )
    triggers: ExportTriggers = Field(ExportTriggers(), description="Which changes send a bib")
    deleted: Literal["export", "list", "ignore"] = Field(
        "export", description="Deleted and merged bibs: as records with leader/05 d, in a list beside the file, or not"
    )
    no_longer_held: Literal["export", "list", "ignore"] = Field(
        "export", description="Bibs that none of `libraries` holds any more (virtual delete): in the same ways"
    )
    drop_levels: tuple[EncodingLevel, ...] = Field((), description="Bibs with these leader/17 are not sent")
    e_resources: Literal["all", "none", "only"] = Field("all", description="Bibs whose carrier is online")
    move_035_9: bool = Field(False, description="035 $9 becomes 035 $a")
    isbn: Literal["as_is", "hyphenated", "plain"] = Field("as_is", description="Valid numbers in 020 $a and $z")
    first: Literal["everything", "changes"] = Field(
        "everything", description="What a new profile's first run sends: all it holds, or nothing but what comes later"
    )
    when_nothing: Literal["no_file", "empty_file"] = Field("no_file", description="When nothing has changed")

    @property
    def is_everything(self) -> bool:
        """Whether the profile is for the whole catalogue."""
        return self.libraries == (EVERYTHING,)

    @model_validator(mode="after")
    def _consistent(self) -> ExportProfile:
        if EVERYTHING in self.libraries and not self.is_everything:
            raise ValueError(f"libraries: {EVERYTHING!r} stands alone: it means every library")
        if len(set(self.libraries)) < len(self.libraries):
            raise ValueError("libraries: a sigel is there twice")
        if self.charset != "utf-8" and self.letters != "composed":
            raise ValueError("letters: iso8859-1 has composed letters only")
        return self
