"""How a sender's records are read: what of the register the reader needs, and nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from schemas.register.import_profiles import ImportProfile
from schemas.register.senders import Sender
from schemas.register.suppliers import NormalisationRules
from tasks.marc.charset import Charset
from tasks.marc.normalise import Normaliser
from tasks.marc.rewriting import Rewriting, divided_control_fields
from tasks.marc.sniffing import Format
from tasks.marc.stock import StockRules


@dataclass(frozen=True)
class ReadingRules:
    """How a sender's records are read: what it declares, what is done to them, what it may send."""

    charset: Charset = "auto"
    normalisation: NormalisationRules = field(default_factory=NormalisationRules)
    formats: tuple[Format, ...] = ("marcxml", "iso2709")
    origin_note: str = "origin:"
    """852 $x that begins so is our own mark of a line's owner and not part of the line."""
    takes_owner: bool = False
    """Whether that mark is believed: only in an export of our own catalogue."""
    profile: ImportProfile | None = None
    """Of an import: its records are rewritten as MARC 21 has them before anything else is done to them."""
    stock: StockRules | None = None
    """For the stock of joining libraries: whose rows they are. Then the file may be a table as well."""

    @classmethod
    def of_sender(cls, sender: Sender, *, origin_note: str = "origin:") -> ReadingRules:
        """What the register says about a supplier, or about an import."""
        profile = sender if isinstance(sender, ImportProfile) else None
        return cls(sender.charset, sender.normalisation, sender.formats, origin_note, profile=profile)

    @classmethod
    def of_catalogue(cls, own_prefix: str, *, origin_note: str = "origin:") -> ReadingRules:
        """For an export of the union catalogue: character sets are put right, records stay as they are.

        Embedded 852 with $b still become holdings and leave the bib, because that is where the warehouse keeps them.
        """
        unchanged = NormalisationRules(
            own_prefix=own_prefix,
            move_foreign_control_number=False,
            note_temporary_levels=False,
            move_non_isbn_to_024=False,
            drop_machine_classification=False,
            drop_local_fields=False,
            drop_institution_fields=False,
            drop_heading_links=False,
        )
        return cls("auto", unchanged, origin_note=origin_note, takes_owner=True)

    @classmethod
    def of_stock(cls, own_prefix: str, stock: StockRules) -> ReadingRules:
        """For the stock of joining libraries. A 020 without a number stays, so that it can be told."""
        rules = NormalisationRules(own_prefix=own_prefix, move_non_isbn_to_024=False)
        return cls("auto", rules, stock=stock)

    @cached_property
    def normaliser(self) -> Normaliser:
        """The normalising rules, made ready."""
        return Normaliser(self.normalisation)

    @cached_property
    def divided(self) -> frozenset[str]:
        """Control fields that hold subfields, as an import's profile says."""
        return frozenset() if self.profile is None else divided_control_fields(self.profile)

    @cached_property
    def rewriting(self) -> Rewriting | None:
        """The rules of an import's profile, made ready; None for records that come as MARC 21 has them."""
        return None if self.profile is None else Rewriting(self.profile)
