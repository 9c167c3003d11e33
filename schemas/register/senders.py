"""Who sends records: what the engine asks of a supplier and of an import profile alike."""

from __future__ import annotations

from datetime import date
from typing import Literal, Protocol

from schemas.register.suppliers import FileRules, NormalisationRules, QualityLimits

RECORD_KINDS = ("supplier", "import")
"""Kinds of deliveries whose records are matched, decided and told; an export of the catalogue comes in as it is."""


class Sender(Protocol):
    """The policy that one sender's records are read, matched, loaded and told by."""

    @property
    def code(self) -> str:
        """In the ledger, on lines of holdings, as the source of bibs."""
        ...

    @property
    def name(self) -> str:
        """As it stands in e-mails."""
        ...

    @property
    def contact(self) -> str:
        """Who hears of rejected records."""
        ...

    @property
    def language(self) -> str:
        """Of those e-mails."""
        ...

    @property
    def formats(self) -> tuple[Literal["iso2709", "marcxml"], ...]:
        """What it may send."""
        ...

    @property
    def charset(self) -> Literal["auto", "utf-8", "marc-8", "iso8859-1"]:
        """Declared character set."""
        ...

    @property
    def file(self) -> FileRules:
        """What its file names promise."""
        ...

    @property
    def normalisation(self) -> NormalisationRules:
        """Rules before matching."""
        ...

    @property
    def keep(self) -> tuple[str, ...] | None:
        """Keep list in place of the one in levels.toml."""
        ...

    @property
    def level_ceiling(self) -> str:
        """A better level than this is read as this."""
        ...

    @property
    def level_table(self) -> str | None:
        """Name of another table in levels.toml."""
        ...

    @property
    def quality(self) -> QualityLimits:
        """What its deliveries are held against."""
        ...

    @property
    def libraries(self) -> tuple[str, ...]:
        """Sigels whose holdings it may send; empty: any that allows it."""
        ...

    def has_agreement(self, on: date) -> bool:
        """Whether it may send on that day."""
        ...
