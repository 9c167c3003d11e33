"""A library's application to take part: what it says of itself, as TOML. docs/library-onboarding.md lists every key.

What an application leaves out is no mistake: the checklist says what lacks, and what to do about it. So only what names
the library is needed here.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.register.base import RegisterModel

LibraryKind = Literal["public", "research", "special", "school"]
Participation = Literal["registering", "limited"]
# Fit for 852 $b and for the name of a file; the register's own check is wider.
Sigel = Annotated[str, Field(pattern=r"^[^\W_][\w-]{0,9}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
"""Text of one line, without control characters: it goes into the register and into e-mails."""


class Contact(RegisterModel):
    """Who gets the library's e-mails."""

    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254, description="Address of the digests")
    answered_on: date | None = Field(None, description="Day on which an e-mail to it was answered")


class Agreement(RegisterModel):
    """The agreement with the catalogue."""

    signed_on: date | None = Field(None, description="Day on which both sides had signed")
    starts_on: date | None = Field(None, description="First day; nothing is taken for the library before it")
    ends_on: date | None = Field(None, description="Last day; open where missing")

    @model_validator(mode="after")
    def _in_order(self) -> Agreement:
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise ValueError("ends_on is before starts_on")
        return self


class Audience(RegisterModel):
    """Whom the library is for, and who pays for it."""

    open_to_public: bool = Field(False, description="Everybody may use it")
    is_closed: bool = Field(False, description="It has a closed audience: pupils, patients, staff")
    publicly_funded: bool = Field(False, description="State, region or municipality pays for it")


class Staffing(RegisterModel):
    """How much of the week somebody is there."""

    hours_a_week: float | None = Field(None, ge=0, le=168, description="Hours a week that the library is staffed")


class Cataloguing(RegisterModel):
    """Who can catalogue."""

    is_competent: bool = Field(False, description="Somebody there catalogues by the catalogue's rules")
    course: Line | None = Field(None, description="Training that somebody has completed")
    trained_on: date | None = Field(None, description="Day on which it was completed")


class Upkeep(RegisterModel):
    """What the library commits itself to."""

    keeps_current: bool = Field(False, description="It commits itself to show its holdings and keep them current")


class MunicipalityLibrary(RegisterModel):
    """The municipality's library, with which a school library agrees first."""

    sigel: Sigel | None = Field(None, description="Its sigel in the register")
    agreed_on: date | None = Field(None, description="Day on which it agreed")


class Application(RegisterModel):
    """What a library says of itself when it wants to take part."""

    sigel: Sigel = Field(description="The code it is to have, as in 852 $b")
    name: Line = Field(description="As it is to stand in e-mails")
    kind: LibraryKind = Field(description="Kind of library")
    participation: Participation = Field(description="registering (holdings shown) or limited (not shown)")
    consortium: Line | None = Field(None, description="Consortium or joint catalogue it belongs to")
    municipality: Line | None = Field(None, description="Municipality, for public and school libraries")
    language: str = Field("sv", pattern=r"^[a-z]{2}$", description="Language of its e-mails")
    suppliers: tuple[str, ...] = Field(
        (), description="Suppliers it takes deliveries from; empty: all with an agreement"
    )
    contact: Contact = Field(description="Who gets its e-mails")
    agreement: Agreement = Field(Agreement(), description="The agreement with the catalogue")
    audience: Audience = Field(Audience(), description="Whom it is for")
    staffing: Staffing = Field(Staffing(), description="How much of the week somebody is there")
    cataloguing: Cataloguing = Field(Cataloguing(), description="Who can catalogue")
    holdings: Upkeep = Field(Upkeep(), description="What it commits itself to")
    municipality_library: MunicipalityLibrary = Field(
        MunicipalityLibrary(), description="For a school library: the municipality's library"
    )
