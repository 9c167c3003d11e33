"""`account_sources.toml`: who sends files about staff accounts into the landing zone, about what, whom to answer."""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias

from pydantic import Field

from schemas.register.base import RegisterModel
from schemas.register.patron_sources import SourceCode
from schemas.register.rhythm import Rhythm

AccountFileKind: TypeAlias = Literal[
    "accounts", "changes", "leavers", "training", "rotations", "renewals", "readers", "downloads", "lists"
]


class AccountSource(RegisterModel):
    """A sender of files about the accounts of one system: a library, the support desk, the system itself."""

    code: SourceCode = Field(description="Short code; also the folder of the landing zone")
    name: str = Field(min_length=1, description="As it stands in e-mails")
    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail for rows that cannot be taken")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of e-mails to it")
    system: str = Field(description="Code of the system that its files are about")
    library: str | None = Field(
        None, description="Sigel of the only library about whose accounts it may send; missing: about all"
    )
    kinds: tuple[AccountFileKind, ...] = Field(
        (), description="What its files may be about, as docs/accounts.md has it; empty: everything"
    )
    marker: str | None = Field(
        None,
        pattern=r"^\.[A-Za-z0-9.]{1,30}$",
        description="Suffix of the empty file that says that a file is whole: `.done`; without one, quiet says it",
    )
    raw_days: int = Field(90, ge=1, le=400, description="Days after which what came is shredded")
    rhythm: Rhythm | None = Field(None, description="When it delivers; missing: nothing is expected")
    expected_from: date | None = Field(None, description="First day on which `rhythm` counts; missing: not yet")
