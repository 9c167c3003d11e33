"""The closed vocabularies: what a delivery can be, and what can become of a record (design: *Vocabulary*)."""

from __future__ import annotations

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands. `rejected`, `settled` and `reverted` are final; `held` waits for a person."""

    RECEIVED = "received"
    STAGED = "staged"
    HELD = "held"
    MATCHED = "matched"
    LOADED = "loaded"
    SETTLED = "settled"
    REJECTED = "rejected"
    REVERTED = "reverted"


class RecordType(StrEnum):
    """What a piece between two terminators is. A record is a holding iff leader/06 is u, v, x or y."""

    BIB = "bib"
    HOLDING = "holding"
    UNREADABLE = "unreadable"


class BibOutcome(StrEnum):
    """`kept`: matched, the better record in the catalogue stays untouched."""

    CREATED = "created"
    REPLACED = "replaced"
    KEPT = "kept"
    REVIEW = "review"
    REJECTED = "rejected"


class HoldingOutcome(StrEnum):
    """`waiting`: its bib is in review, or a guard holds the change. `refused`: a rule of the register says no."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    WAITING = "waiting"
    REFUSED = "refused"
    REJECTED = "rejected"


class Verdict(StrEnum):
    """Per candidate. That no candidate matches (a new bib) is an outcome, not a verdict."""

    MATCH = "match"
    REVIEW = "review"
    NO = "no"


class Editor(StrEnum):
    """Who wrote a bib last. A supplier never replaces what a human wrote."""

    SUPPLIER = "supplier"
    HUMAN = "human"
    SYSTEM = "system"


class PlanState(StrEnum):
    """`held` waits for approval by hash; `applied` has been carried out."""

    HELD = "held"
    APPROVED = "approved"
    REJECTED = "rejected"
    APPLIED = "applied"
