"""What the register allows: which holdings are refused, and by which rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from schemas.register.register import Register
from schemas.register.senders import Sender
from schemas.register.suppliers import Supplier


@dataclass(frozen=True)
class Refusal:
    """The rule that says no, and the reason in words."""

    rule: str
    reason: str


@dataclass
class Admission:
    """Answers for one supplier on one day."""

    register: Register
    supplier: Sender | None
    """None for an export of the union catalogue itself, which comes in as it is."""
    on: date
    _answers: dict[str, Refusal | None] = field(default_factory=dict)

    def supplier_refusal(self) -> Refusal | None:
        """Why nothing of this supplier can be taken, or None."""
        if not isinstance(self.supplier, Supplier) or self.supplier.has_agreement(self.on):
            return None
        if self.on < self.supplier.agreement_from:
            begins = f"the agreement of {self.supplier.name} begins on {self.supplier.agreement_from}"
            return Refusal("supplier_before_agreement", begins)
        ended = f"{self.supplier.name} has no agreement in force: it ended on {self.supplier.agreement_to}"
        return Refusal("supplier_without_agreement", ended)

    def refusal(self, sigel: str) -> Refusal | None:
        """Why a holding for `sigel` is refused, or None where it is welcome."""
        if sigel not in self._answers:
            self._answers[sigel] = self.supplier_refusal() or self._library_refusal(sigel, self.supplier)
        return self._answers[sigel]

    def _library_refusal(self, sigel: str, supplier: Sender | None) -> Refusal | None:
        if supplier is None:
            return None
        library = self.register.library_by_sigel.get(sigel)
        if library is None:
            return Refusal("unknown_sigel", f"no library has the sigel {sigel}")
        if self.on < library.agreement_from:
            begins = f"the agreement of {library.name} begins on {library.agreement_from}"
            return Refusal("library_before_agreement", begins)
        if not library.has_agreement(self.on):
            ended = f"{library.name} has no agreement in force: it ended on {library.agreement_to}"
            return Refusal("library_not_registered", ended)
        if not isinstance(supplier, Supplier):
            said = f"the import profile {supplier.code} is not for {library.name}"
            return None if sigel in supplier.libraries else Refusal("not_in_import_profile", said)
        if library.suppliers and supplier.code not in library.suppliers:
            return Refusal("not_allowed_by_library", f"{library.name} does not take deliveries from {supplier.name}")
        if supplier.libraries and sigel not in supplier.libraries:
            return Refusal("not_a_customer", f"{library.name} is not a reported customer of {supplier.name}")
        return None

    def is_visible(self, sigel: str) -> bool:
        """Whether a holding of this library is shown; unknown sigels are not."""
        library = self.register.library_by_sigel.get(sigel)
        return library is not None and library.is_visible
