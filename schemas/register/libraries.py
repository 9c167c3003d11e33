"""`libraries.toml`: the consortium's libraries, how each takes part, and who may deliver to it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.register.base import RegisterModel


class Library(RegisterModel):
    """One library. `registering` libraries show their holdings; `limited` ones are loaded but not visible."""

    sigel: str = Field(pattern=r"^\S{1,10}$", description="The library's code, as in 852 $b")
    name: str = Field(min_length=1, description="As it stands in e-mails")
    consortium: str | None = Field(None, description="Consortium or joint catalogue it belongs to")
    municipality: str | None = Field(None, description="Municipality, for public and school libraries")
    participation: Literal["registering", "limited"] = Field(description="Kind of participation")
    agreement_from: date = Field(description="First day of its agreement")
    agreement_to: date | None = Field(None, description="Last day; open where missing")
    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail for digests")
    patron_contact: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail for what is about its patrons; missing: `contact`"
    )
    language: str = Field("sv", pattern=r"^[a-z]{2}$", description="Language of its e-mails")
    suppliers: tuple[str, ...] = Field((), description="Suppliers allowed; empty: all with an agreement")

    @property
    def for_patrons(self) -> str:
        """Who is told what is about patrons: cataloguers need not know of persons."""
        return self.patron_contact or self.contact

    @property
    def is_visible(self) -> bool:
        """Whether its holdings are shown to the public."""
        return self.participation == "registering"

    def has_agreement(self, on: date) -> bool:
        """Whether its agreement covers the day `on`; both ends are inclusive."""
        return self.agreement_from <= on and (self.agreement_to is None or on <= self.agreement_to)
