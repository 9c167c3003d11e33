"""What a promised view is: `schemas/warehouse/out.py` lists them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutView:
    """A promised view: `columns` maps each column to its meaning, in the order of `select`."""

    name: str
    about: str
    columns: dict[str, str]
    select: str
    is_personal: bool = False
    """Whether it shows persons: the role that reads the others does not see it."""


DELIVERY_COUNTS = {
    "records_read": "Bib and holding records read",
    "records_unreadable": "Pieces that could not be read",
    **{f"bibs_{each}": f"Bibs: {each}" for each in ("read", "created", "replaced", "kept", "review", "rejected")},
    **{
        f"holdings_{each}": f"Holdings: {each}"
        for each in ("read", "created", "updated", "unchanged", "deleted", "waiting", "refused", "rejected")
    },
}
"""Columns of every view that counts what became of a delivery."""
