"""One delivery being loaded: who sent it, by which policy, on which day. What the loading modules share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from sqlalchemy.engine import Connection

from schemas.outcomes import Editor
from schemas.register.import_profiles import ImportProfile
from schemas.register.register import Register
from schemas.register.senders import Sender
from tasks.catalogue.admission import Admission
from tasks.catalogue.bib_store import Change
from tasks.catalogue.holding_lines import LineRule, supplier_lines, whole_holding
from tasks.catalogue.stock import StockProfile, joined_lines
from tasks.warehouse.ids import take_id

CATALOGUE = "catalogue"
"""Sender of an export of the union catalogue itself."""


def guard_rule(change_class: str) -> str:
    """The rule of an outcome that waits because a guard holds this class of change."""
    return f"guard:{change_class}"


@dataclass(frozen=True)
class Loading:
    """A delivery and the policy it is loaded by. `supplier` is None for an export of the union catalogue.

    It may be an import profile as well: a member's own base is loaded as a supplier's delivery is.
    """

    delivery_id: int
    supplier: Sender | None
    register: Register
    sent_at_name: str | None
    today: date
    now: datetime
    held_classes: frozenset[str] = frozenset()
    """Classes of change that a guard holds: they are left for approval, everything else goes on."""

    @property
    def source(self) -> str:
        """What bibs and numbers of this delivery are said to come from."""
        return CATALOGUE if self.supplier is None else self.supplier.code

    @property
    def profile(self) -> ImportProfile | None:
        """The profile of an import; None for every other delivery."""
        return self.supplier if isinstance(self.supplier, ImportProfile) else None

    @property
    def is_stock(self) -> bool:
        """Whether it is the stock of joining libraries: bibs that it meets learn nothing of it."""
        return isinstance(self.supplier, StockProfile)

    @property
    def own_prefix(self) -> str:
        """Our 003."""
        return self.register.catalogue.control_number_prefix

    @cached_property
    def admission(self) -> Admission:
        """What the register allows this sender today."""
        return Admission(self.register, self.supplier, self.today)

    @cached_property
    def line_rule(self) -> LineRule:
        """What a delivered holding does to the lines that are there."""
        if self.is_stock:
            return joined_lines
        return whole_holding if self.supplier is None else supplier_lines(self.supplier.code)

    def change(self, connection: Connection) -> Change:
        """A numbered change of the catalogue; one a chunk."""
        return Change(
            delivery_id=self.delivery_id,
            source=self.source,
            sent_at_name=self.sent_at_name,
            change_no=take_id(connection, "change"),
            control_number_prefix=(None if self.supplier is None else self.own_prefix.lower()),
            now=self.now,
            last_editor=Editor.SYSTEM if self.supplier is None else Editor.SUPPLIER,
        )
